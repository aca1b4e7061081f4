import { subscribe } from 'node:diagnostics_channel';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { Connection } from 'mysql2';

/**
 * Loaded into the server before everything else (`node --import`): just before the n-th statement that it sends to its database, counted
 * from when the file that FAULT_FILE names says n, it dies by SIGKILL, or the statement fails as FAULT_KIND says. Nothing in the product
 * knows of it.
 */
const kind = process.env.FAULT_KIND ?? 'kill';
const file = process.env.FAULT_FILE ?? '';
let left: number | null = null;
let counted = 0;

process.on('SIGUSR2', () => {
  left = existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
  counted = 0;
});

/** True where the statement is the one that fails. */
function isFaulty(): boolean {
  counted += 1;
  if (left === null || counted !== left) return false;
  if (kind === 'kill') {
    process.kill(process.pid, 'SIGKILL');
    // Not one instruction more.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  if (kind === 'client gone') {
    // Whoever waits for an answer is there no more; the statement is made as if nothing were.
    for (const socket of clients) socket.destroy();
    return false;
  }
  return true;
}

const clients = new Set<Socket>();
subscribe('http.server.request.start', (message) => {
  const { socket } = (message as { request: IncomingMessage }).request;
  if (clients.has(socket)) return;
  clients.add(socket);
  socket.once('close', () => clients.delete(socket));
});

// A command that is over before anybody could send it a signal.
if (process.env.FAULT_AT !== undefined) left = Number(process.env.FAULT_AT);

/** As the servers of the world say it. */
const failures: Readonly<Record<string, readonly [number, string]>> = {
  deadlock: [1213, 'ER_LOCK_DEADLOCK'],
  'lock wait': [1205, 'ER_LOCK_WAIT_TIMEOUT'],
  'read-only': [1290, 'ER_OPTION_PREVENTS_STATEMENT'],
  'full disk': [1114, 'ER_RECORD_FILE_FULL'],
};
const sqliteFailures: Readonly<Record<string, number>> = { busy: 5, 'full disk': 13, 'broken disk': 778 };

function watchSqlite(prototype: object, names: readonly string[]): void {
  const methods = prototype as Record<string, (...given: unknown[]) => unknown>;
  for (const name of names) {
    const original = methods[name];
    if (!original) continue;
    methods[name] = function watched(this: unknown, ...given: unknown[]) {
      if (isFaulty()) {
        const errcode = sqliteFailures[kind] ?? 13;
        throw Object.assign(new Error(kind), { code: 'ERR_SQLITE_ERROR', errcode });
      }
      return original.apply(this, given);
    };
  }
}

type Query = (
  this: { destroy(): void; stream: { destroy(error?: Error): void; pause(): void } },
  sql: unknown,
  ...rest: unknown[]
) => unknown;

function watchMysql(prototype: Record<string, Query>): void {
  for (const name of ['query', 'execute']) {
    const original = prototype[name];
    if (!original) continue;
    prototype[name] = function watched(sql, ...rest) {
      if (!isFaulty()) return original.call(this, sql, ...rest);
      if (kind === 'lost') {
        // It is on its way, and nobody will say what became of it.
        const sent = original.call(this, sql, ...rest);
        setImmediate(() => this.stream.destroy(Object.assign(new Error('lost'), { code: 'ECONNRESET' })));
        return sent;
      }
      if (kind === 'hang') {
        // It is made, and its answer never comes.
        writeFileSync(`${file}.happened`, '');
        const sent = original.call(this, sql, ...rest);
        setImmediate(() => this.stream.pause());
        return sent;
      }
      const [errno, code] = failures[kind] ?? [1105, 'ER_UNKNOWN_ERROR'];
      // A deadlock ends the transaction, and the server says so in place of the answer.
      const text = kind === 'deadlock' ? 'ROLLBACK' : 'DO 0';
      const done = rest.at(-1) as (error: unknown) => void;
      return original.call(this, text, () => done(Object.assign(new Error(kind), { errno, code })));
    };
  }
}

watchSqlite(StatementSync.prototype, ['all', 'get', 'run']);
watchSqlite(DatabaseSync.prototype, ['exec']);
watchMysql((Connection as unknown as { prototype: Record<string, Query> }).prototype);
