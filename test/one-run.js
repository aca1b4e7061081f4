import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';

/** What is shared by all test files of one run: databases, which are gone when it ends, and compiled code, which stays for the next. */
const environmentVariables = {
  TEST_RUN: randomBytes(6).toString('hex'),
  NODE_COMPILE_CACHE: path.join(import.meta.dirname, '../node_modules/.cache/node'),
};

process.once('exit', () => {
  spawnSync(process.execPath, [path.join(import.meta.dirname, 'after-run.ts')], {
    env: { ...process.env, ...environmentVariables },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
});

export default {
  environmentVariables,
  require: [path.join(import.meta.dirname, 'without-source-maps.js')],
};
