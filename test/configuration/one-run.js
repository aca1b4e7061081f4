import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';

/** What all test files of one run share, for `environmentVariables` of ava's configuration; gone when the run ends. */
const environment = { TEST_RUN: randomBytes(6).toString('hex') };

process.once('exit', () => {
  spawnSync(process.execPath, [path.join(import.meta.dirname, 'after-run.ts')], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
});

export default environment;
