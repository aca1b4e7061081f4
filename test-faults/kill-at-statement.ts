import { existsSync, readFileSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { Connection } from 'mysql2';

/**
 * Loaded into the server before everything else (`node --import`): it dies by SIGKILL just before the n-th statement that it sends to
 * its database, counted from when the file that FAULT_FILE names says n. Nothing in the product knows of it.
 */
const file = process.env.FAULT_FILE ?? '';
let left: number | null = null;
let counted = 0;

process.on('SIGUSR2', () => {
  left = existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
  counted = 0;
});

function beforeStatement(): void {
  counted += 1;
  if (left !== null && counted === left) {
    process.kill(process.pid, 'SIGKILL');
    // Not one instruction more.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
}

function watch(prototype: object, names: readonly string[]): void {
  const methods = prototype as Record<string, (...given: unknown[]) => unknown>;
  for (const name of names) {
    const original = methods[name];
    if (!original) continue;
    methods[name] = function watched(this: unknown, ...given: unknown[]) {
      beforeStatement();
      return original.apply(this, given);
    };
  }
}

watch(StatementSync.prototype, ['all', 'get', 'run']);
watch(DatabaseSync.prototype, ['exec']);
watch((Connection as unknown as { prototype: object }).prototype, ['query', 'execute']);
