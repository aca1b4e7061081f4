import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import path from 'node:path';

/**
 * `npm run test:fuzz`: the requests of fuzz.test.ts, with other seeds, for FUZZ_SECONDS (five minutes) per test. FUZZ_SEED begins with that
 * seed; what fails names the one that it was found with.
 */
const root = path.resolve(import.meta.dirname, '../..');
const env = {
  ...process.env,
  FUZZ_SEED: process.env.FUZZ_SEED || String(randomInt(2 ** 31)),
  FUZZ_SECONDS: process.env.FUZZ_SECONDS || '300',
};
console.log(`FUZZ_SEED=${env.FUZZ_SEED} FUZZ_SECONDS=${env.FUZZ_SECONDS}`);
const child = spawn(
  process.execPath,
  [
    path.join(root, 'node_modules/ava/entrypoints/cli.js'),
    `--timeout=${Number(env.FUZZ_SECONDS) + 600}s`,
    'test/fuzz/fuzz.test.ts',
    ...process.argv.slice(2),
  ],
  { cwd: root, env, stdio: 'inherit' },
);
child.once('close', (code) => {
  process.exitCode = code ?? 1;
});
