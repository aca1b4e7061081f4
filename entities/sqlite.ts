import { mkdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../config/settings.ts';
import { seconds } from '../lib/clock.ts';
import { NodeSqlite } from '../lib/node-sqlite.ts';
import { migrations } from '../migrations/index.ts';
import type { Database, DatabaseOptions, Value } from './database.ts';
import { noteAnswer, refuseTooLate } from './lateness.ts';
import { checked, createListeners, statementBuilders, withConsequences } from './statements.ts';

/** How long a write may wait for another process's, and how much of that may hold up everybody here. */
const patience = seconds(5);
const blocking = 20;

/** SQLite waits by standing still, and the whole process with it: where another one writes for long, it is asked again instead. */
async function whenFree<Result>(work: () => Result): Promise<Result> {
  refuseTooLate();
  const began = performance.now();
  try {
    for (;;) {
      try {
        return work();
      } catch (error) {
        const isBusy = ((error as { errcode?: number }).errcode ?? 0) % 256 === 5;
        if (!isBusy || performance.now() > began + patience) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    noteAnswer(performance.now() - began);
  }
}

/** The embedded database: one connection for everybody. */
export async function openSqlite(databaseUrl: string, options: DatabaseOptions): Promise<Database> {
  const given = databaseUrl.slice('sqlite:'.length);
  const file = given === ':memory:' ? given : path.resolve(projectRoot, given.replace(/^\/\/(?=\/)/, ''));
  if (file !== ':memory:') {
    mkdirSync(path.dirname(file), { recursive: true });
  }
  const connection = new NodeSqlite(file);
  connection.pragma('busy_timeout = 5000');
  connection.pragma('journal_mode = WAL');
  connection.pragma('synchronous = NORMAL');
  // Some 8 MiB of log between two copies into the database: each holds everybody up, with 20 MiB for 60 ms.
  connection.pragma('wal_autocheckpoint = 2000');
  connection.pragma(`busy_timeout = ${blocking}`);
  const log = file === ':memory:' ? null : writeAheadLog(`${file}-wal`);
  const { onWritten, tell } = createListeners();
  const statements = new Map<string, ReturnType<NodeSqlite['prepare']>>();
  const prepared = (sql: string) => {
    let statement = statements.get(sql);
    if (!statement) {
      statement = connection.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  };

  return {
    withTypeOrm: async (work) => {
      const { DataSource } = await import('typeorm');
      const source = new DataSource({
        type: 'better-sqlite3',
        // What it calls with `new` gives it the connection that is open, which stays ours: it is not told to close it.
        driver: class {
          constructor() {
            // biome-ignore lint/correctness/noConstructorReturn: TypeORM knows no other way to be given a connection
            return connection;
          }
        },
        database: file,
        migrations,
        migrationsTransactionMode: 'each',
      });
      await source.initialize();
      connection.pragma(`busy_timeout = ${patience}`);
      try {
        return await work(source);
      } finally {
        connection.pragma(`busy_timeout = ${blocking}`);
      }
    },
    dialect: 'sqlite',
    clock: options.clock ?? { now: () => new Date() },
    rows: async <Row>(sql: string, values: readonly Value[] = []) =>
      prepared(sql).all(...checked(values)) as Row[],
    row: async <Row>(sql: string, values: readonly Value[] = []) =>
      (prepared(sql).all(...checked(values))[0] as Row | undefined) ?? null,
    change: (sql, values = []) => whenFree(() => prepared(sql).run(...checked(values)).changes),
    /**
     * Nothing is awaited between BEGIN and COMMIT: one connection serves everybody, and a pause would let others in. What people
     * are told has happened is written by a batch: it, and all before it, outlives a power cut, not only a kill.
     */
    together: async (batch) => {
      const isWritten = await whenFree(() => {
        connection.exec('BEGIN IMMEDIATE');
        try {
          for (const { sql, values, rows } of withConsequences(batch)) {
            const { changes } = prepared(sql).run(...checked(values));
            if (rows !== undefined && changes !== rows) {
              connection.exec('ROLLBACK');
              return false;
            }
          }
          connection.exec('COMMIT');
          return true;
        } catch (error) {
          if (connection.inTransaction) {
            connection.exec('ROLLBACK');
          }
          throw error;
        }
      });
      if (!isWritten) {
        return false;
      }
      await log?.flushed();
      tell(batch);
      return true;
    },
    onWritten,
    ...statementBuilders('sqlite'),
    close: async () => {
      await log?.close();
      connection.close();
    },
  };
}

/**
 * SQLite's `synchronous = FULL` would wait for the disk at each commit, and the whole process with it. Commits are made in `NORMAL`
 * instead, which only writes them to the log, and whoever made one waits for the disk here, off the main thread; those that come
 * while it is being waited for share the next wait. Both keep the order of commits: a later one never outlives an earlier one.
 */
function writeAheadLog(file: string): { flushed(): Promise<void>; close(): Promise<void> } {
  let handle: Promise<FileHandle> | null = null;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  const flush = (): Promise<void> => {
    // The log stays the same file for as long as a connection is open.
    handle ??= open(file, 'r');
    running = handle
      .then((log) => log.datasync())
      .finally(() => {
        running = null;
      });
    return running;
  };
  return {
    flushed: () => {
      if (!running) {
        return flush();
      }
      next ??= running
        .catch(() => {})
        .then(() => {
          next = null;
          return flush();
        });
      return next;
    },
    close: async () => {
      await running?.catch(() => {});
      await (await handle?.catch(() => null))?.close();
    },
  };
}
