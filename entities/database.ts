import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DataSource, type QueryRunner } from 'typeorm';
import { projectRoot } from '../config/settings.ts';
import { type Clock, seconds } from '../lib/clock.ts';
import { NodeSqlite } from '../lib/node-sqlite.ts';
import { migrations } from '../migrations/index.ts';

export type Value = string | number | null;

/** One statement of a batch. `rows` is how many it must change, or the whole batch is undone. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Value[];
  readonly rows?: number;
  /** What follows from it: run once, after all others of the batch. */
  readonly followedBy?: readonly Statement[];
}

/** Every statement of a batch and, at its end, what follows from them. */
function withConsequences(batch: readonly Statement[]): readonly Statement[] {
  const consequences = new Map<string, Statement>();
  for (const { followedBy = [] } of batch) {
    for (const statement of followedBy) {
      consequences.set(JSON.stringify([statement.sql, statement.values]), statement);
    }
  }
  return consequences.size === 0 ? batch : [...batch, ...consequences.values()];
}

/**
 * The database as the tables' questions see it. Statements are SQL that SQLite, MySQL and MariaDB all understand; what differs
 * between them is in `upsert` and `insertIfAbsent`. Single use is decided by the number of rows that a statement changed.
 */
export interface Database {
  readonly source: DataSource;
  readonly dialect: 'sqlite' | 'mysql';
  /** The one clock by which everything expires: the database server's, or this machine's for the embedded database. */
  readonly clock: Clock;
  rows<Row>(sql: string, values?: readonly Value[]): Promise<Row[]>;
  row<Row>(sql: string, values?: readonly Value[]): Promise<Row | null>;
  /** How many rows the statement matched and changed. */
  change(sql: string, values?: readonly Value[]): Promise<number>;
  /** All statements or none; false where one did not change the number of rows that it promised. */
  together(statements: readonly Statement[]): Promise<boolean>;
  upsert(table: string, key: readonly string[], row: Readonly<Record<string, Value>>): Statement;
  insertIfAbsent(table: string, row: Readonly<Record<string, Value>>): Statement;
  insert(table: string, row: Readonly<Record<string, Value>>): Statement;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Replaces the database's clock; for tests. */
  readonly clock?: Clock;
  readonly poolSize?: number;
}

/**
 * Opens the database that a DATABASE_URL names. The schema is left as it is: see `migrate`.
 *
 * @throws where the database cannot be reached
 */
export async function openDatabase(databaseUrl: string, options: DatabaseOptions = {}): Promise<Database> {
  return databaseUrl.startsWith('sqlite:')
    ? openSqlite(databaseUrl, options)
    : openMysql(databaseUrl, options);
}

async function openSqlite(databaseUrl: string, options: DatabaseOptions): Promise<Database> {
  const given = databaseUrl.slice('sqlite:'.length);
  const file = given === ':memory:' ? given : path.resolve(projectRoot, given.replace(/^\/\/(?=\/)/, ''));
  if (file !== ':memory:') {
    mkdirSync(path.dirname(file), { recursive: true });
  }
  const source = new DataSource({
    type: 'better-sqlite3',
    driver: NodeSqlite,
    database: file,
    migrations,
    migrationsTransactionMode: 'each',
    statementCacheSize: 500,
    prepareDatabase: (connection: NodeSqlite) => {
      connection.pragma('busy_timeout = 5000');
      connection.pragma('journal_mode = WAL');
      connection.pragma('synchronous = NORMAL');
    },
  });
  await source.initialize();
  const runner = source.createQueryRunner();
  const connection = (await runner.connect()) as NodeSqlite;
  // SQLite's own knows ASCII only; names are found by the same spelling on every database.
  connection.define('lower', (text) => (typeof text === 'string' ? text.toLowerCase() : text));
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
    source,
    dialect: 'sqlite',
    clock: options.clock ?? { now: () => new Date() },
    rows: async <Row>(sql: string, values: readonly Value[] = []) =>
      prepared(sql).all(...checked(values)) as Row[],
    row: async <Row>(sql: string, values: readonly Value[] = []) =>
      (prepared(sql).all(...checked(values))[0] as Row | undefined) ?? null,
    change: async (sql, values = []) => prepared(sql).run(...checked(values)).changes,
    /** Nothing is awaited between BEGIN and COMMIT: one connection serves everybody, and a pause would let others in. */
    together: async (batch) => {
      // What people are told has happened is written by a batch: it, and all before it, outlives a power cut, not only a kill.
      connection.exec('PRAGMA synchronous = FULL');
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
        connection.exec('ROLLBACK');
        throw error;
      } finally {
        connection.exec('PRAGMA synchronous = NORMAL');
      }
    },
    ...statementBuilders('sqlite'),
    close: async () => {
      await source.destroy();
    },
  };
}

async function openMysql(databaseUrl: string, options: DatabaseOptions): Promise<Database> {
  const source = new DataSource({
    type: 'mysql',
    url: databaseUrl,
    charset: 'utf8mb4',
    timezone: 'Z',
    // Moments and counts are whole numbers far below 2^53.
    supportBigNumbers: true,
    bigNumberStrings: false,
    migrations,
    migrationsTransactionMode: 'each',
    connectTimeout: seconds(5),
    poolSize: options.poolSize ?? 10,
    extra: {
      multipleStatements: false,
      maxPreparedStatements: 500,
      trace: false,
      enableKeepAlive: true,
      queueLimit: 500,
    },
  });
  await source.initialize();
  const { clock, stop } = options.clock
    ? { clock: options.clock, stop: () => {} }
    : await serverClock(source);

  return {
    source,
    dialect: 'mysql',
    clock,
    rows: async <Row>(sql: string, values: readonly Value[] = []) =>
      (await inTime(source.query(sql, checked(values)))) as Row[],
    row: async <Row>(sql: string, values: readonly Value[] = []) =>
      ((await inTime(source.query(sql, checked(values)))) as Row[])[0] ?? null,
    change: (sql, values = []) =>
      undoneAgain(async () => affected(await inTime(source.query(sql, checked(values))))),
    together: (batch) =>
      undoneAgain(async () => {
        const runner = source.createQueryRunner();
        // The connection goes back when its transaction has ended, also where nobody waits for it any more.
        return inTime(
          inTransaction(runner, batch).finally(() => runner.release()),
          patienceFor(batch),
        );
      }),
    ...statementBuilders('mysql'),
    close: async () => {
      stop();
      await source.destroy();
    },
  };
}

/** A database that says nothing is away: the request ends, and what was asked is done wholly or not at all. */
async function inTime<Result>(answer: Promise<Result>, patience = seconds(8)): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(Object.assign(new Error('the database does not answer'), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' }));
    }, patience);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** A form's batch is short; an import of thousands of people may take its time. */
const patienceFor = (batch: readonly Statement[]): number =>
  seconds(8) + batch.reduce((values, statement) => values + statement.values.length, 0);

/** A deadlock or a lock wait undid the whole: nothing of it happened, so it may be tried again. */
async function undoneAgain<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: string };
      if (attempt >= 3 || (code !== 'ER_LOCK_DEADLOCK' && code !== 'ER_LOCK_WAIT_TIMEOUT')) {
        throw error;
      }
    }
  }
}

async function inTransaction(runner: QueryRunner, batch: readonly Statement[]): Promise<boolean> {
  await runner.startTransaction('READ COMMITTED');
  try {
    for (const { sql, values, rows } of withConsequences(batch)) {
      const changed = affected(await runner.query(sql, checked(values)));
      if (rows !== undefined && changed !== rows) {
        await runner.rollbackTransaction();
        return false;
      }
    }
    await runner.commitTransaction();
    return true;
  } catch (error) {
    await runner.rollbackTransaction().catch(() => {});
    throw error;
  }
}

/** Trap F6: a number matches any text that does not start with a digit, and an array becomes SQL. Only what was meant gets through. */
function checked(values: readonly Value[]): Value[] {
  for (const value of values) {
    if (
      value !== null &&
      typeof value !== 'string' &&
      !(typeof value === 'number' && Number.isFinite(value))
    ) {
      throw new TypeError(`a database value must be a text, a finite number or null, not ${typeof value}`);
    }
  }
  return values as Value[];
}

function affected(result: unknown): number {
  return (result as { affectedRows?: number }).affectedRows ?? 0;
}

function statementBuilders(
  dialect: 'sqlite' | 'mysql',
): Pick<Database, 'upsert' | 'insertIfAbsent' | 'insert'> {
  const insertSql = (verb: string, table: string, columns: readonly string[]) =>
    `${verb} INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;

  return {
    insert: (table, row) => ({
      sql: insertSql('INSERT', table, Object.keys(row)),
      values: Object.values(row),
    }),
    insertIfAbsent: (table, row) => ({
      sql: insertSql(dialect === 'sqlite' ? 'INSERT OR IGNORE' : 'INSERT IGNORE', table, Object.keys(row)),
      values: Object.values(row),
    }),
    upsert: (table, key, row) => {
      const columns = Object.keys(row);
      const others = columns.filter((column) => !key.includes(column));
      const update =
        dialect === 'sqlite'
          ? `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${others.map((c) => `${c} = excluded.${c}`).join(', ')}`
          : `ON DUPLICATE KEY UPDATE ${others.map((c) => `${c} = VALUES(${c})`).join(', ')}`;
      return { sql: `${insertSql('INSERT', table, columns)} ${update}`, values: Object.values(row) };
    },
  };
}

/** The server's time, measured now and then and carried on by a clock that nobody can set back. */
async function serverClock(source: DataSource): Promise<{ clock: Clock; stop: () => void }> {
  let offset = 0;
  const measure = async () => {
    const before = performance.now();
    const [{ ms }] = (await source.query('SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED) AS ms')) as [
      { ms: number | string },
    ];
    const middle = (before + performance.now()) / 2;
    offset = Number(ms) - middle;
  };
  await measure();
  const timer = setInterval(() => void measure().catch(() => {}), seconds(15));
  timer.unref();
  return {
    clock: { now: () => new Date(Math.round(offset + performance.now())) },
    stop: () => clearInterval(timer),
  };
}

/** Names of the migrations that have not run yet; empty where the schema is current. */
export async function pendingMigrations(database: Database): Promise<string[]> {
  const done = new Set((await appliedMigrations(database)).map((row) => row.name));
  return migrations.map((migration) => migration.name).filter((name) => !done.has(name));
}

async function appliedMigrations(database: Database): Promise<{ name: string }[]> {
  const runner = database.source.createQueryRunner();
  try {
    return (await runner.hasTable('migrations'))
      ? await database.rows<{ name: string }>('SELECT name FROM migrations')
      : [];
  } finally {
    await runner.release();
  }
}

/** Brings the schema up to date; several processes may try at once, one does it. Returns what ran. */
export async function migrate(database: Database): Promise<string[]> {
  return withMigrationLock(database, async () => {
    const ran = await database.source.runMigrations();
    return ran.map((migration) => migration.name);
  });
}

async function withMigrationLock<Result>(database: Database, work: () => Promise<Result>): Promise<Result> {
  if (database.dialect === 'sqlite') {
    return work();
  }
  const runner = database.source.createQueryRunner();
  try {
    await runner.connect();
    // Locks are the server's, so they bear the database's name.
    const lock = "CONCAT('sallyport ', LEFT(DATABASE(), 50))";
    const [taken] = (await runner.query(`SELECT GET_LOCK(${lock}, 120) AS ok`)) as { ok: number | null }[];
    if (Number(taken?.ok) !== 1) {
      throw new Error(
        'another process has been migrating this database for two minutes; nothing was changed',
      );
    }
    try {
      return await work();
    } finally {
      await runner.query(`SELECT RELEASE_LOCK(${lock})`);
    }
  } finally {
    await runner.release();
  }
}

/** The write met a row that holds the same unique value. */
export function isDuplicate(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === 'ER_DUP_ENTRY' || errcode === 1555 || errcode === 2067;
}
