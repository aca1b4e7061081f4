import type { DataSource } from 'typeorm';
import type { DatabaseTls } from '../config/settings.ts';
import type { Clock } from '../lib/clock.ts';
import { migrations, neededMigrationKey } from '../migrations/index.ts';
import { alone } from './migration-lock.ts';
import { openMysql } from './mysql.ts';
import { openSqlite } from './sqlite.ts';

export type Value = string | number | null;

/** One statement of a batch. `rows` is how many it must change, or the whole batch is undone. */
export interface Statement {
  readonly sql: string;
  readonly values: readonly Value[];
  readonly rows?: number;
  /** What follows from it: run once, after all others of the batch. */
  readonly followedBy?: readonly Statement[];
  /** What listeners are told once it is written; few different values, nothing personal. */
  readonly tells?: Readonly<Record<string, string>>;
}

/**
 * The database as the tables' questions see it. Statements are SQL that SQLite, MySQL and MariaDB all understand; what differs
 * between them is in `upsert` and `insertIfAbsent`. Single use is decided by the number of rows that a statement changed.
 */
export interface Database {
  /**
   * TypeORM over the same database, for as long as `work` takes. It is loaded only here: migrations are what it is for, and a
   * server whose schema is current never needs it.
   */
  withTypeOrm<Result>(work: (source: DataSource) => Promise<Result>): Promise<Result>;
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
  /** Changes no row where one with its key is there already, or where `unless` is true. */
  insertIfAbsent(
    table: string,
    row: Readonly<Record<string, Value>>,
    unless?: { readonly sql: string; readonly values: readonly Value[] },
  ): Statement;
  insert(table: string, row: Readonly<Record<string, Value>>): Statement;
  /** Calls for whatever a batch of this process tells, after it was written. */
  onWritten(listener: (told: Readonly<Record<string, string>>) => void): void;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Replaces the database's clock; for tests. */
  readonly clock?: Clock;
  readonly poolSize?: number;
  /** Encrypts the line to MySQL or MariaDB and verifies who is at its other end; nothing is said to a server that has no TLS. */
  readonly tls?: DatabaseTls | null;
}

/**
 * Opens the database that a DATABASE_URL names. The schema is left as it is: see `migrate`.
 *
 * @throws where the database cannot be reached
 */
export async function openDatabase(databaseUrl: string, options: DatabaseOptions = {}): Promise<Database> {
  try {
    return await (databaseUrl.startsWith('sqlite:')
      ? openSqlite(databaseUrl, options)
      : openMysql(databaseUrl, options));
  } catch (error) {
    throw new DatabaseUnreachable(databaseUrl, error, options.tls != null);
  }
}

/** The database that DATABASE_URL names cannot be opened; the message names no password. */
export class DatabaseUnreachable extends Error {
  override name = 'DatabaseUnreachable';
  readonly code: string | undefined;

  constructor(databaseUrl: string, cause: unknown, hasTls = false) {
    const { code, message } = cause as { code?: string; message?: string };
    const isEmbedded = databaseUrl.startsWith('sqlite:');
    const where = isEmbedded ? databaseUrl.slice('sqlite:'.length) : new URL(databaseUrl).host;
    const reason = `${message || code || 'no reason given'}${isEmbedded ? '' : hintFor(`${code} ${message}`, hasTls)}`;
    super(`The database at ${where} (DATABASE_URL) cannot be opened: ${reason}`, { cause });
    this.code = code;
  }
}

/** What the server and the library say of it names no setting. */
function hintFor(said: string, hasTls: boolean): string {
  if (hasTls && /certificate|CERT|altname/i.test(said)) {
    return '. DATABASE_CA must hold the authority of its certificate, and the certificate must be for the host in DATABASE_URL';
  }
  if (!hasTls && /ER_ACCESS_DENIED_ERROR|secure.transport/i.test(said)) {
    return '. Where this user must come by TLS (REQUIRE SSL), DATABASE_CA or DATABASE_TLS is missing';
  }
  return '';
}

/** A later version took something away from the schema that this one reads or writes. */
export class SchemaTooNew extends Error {
  override name = 'SchemaTooNew';

  constructor(needed: string) {
    super(
      `This version is too old for the database: a later one has changed the schema in a way that needs "${needed}", which this version does not know. Start a later version.`,
    );
  }
}

/**
 * Names of the migrations that have not run yet; empty where the schema is current. Those of later versions may have run: they only
 * add, until one says which migration a server must know to live with it (migrations/index.ts).
 *
 * @throws SchemaTooNew where that is one that this version does not know
 */
export async function pendingMigrations(database: Database): Promise<string[]> {
  const done = new Set((await appliedMigrations(database)).map((row) => row.name));
  const needed = done.size === 0 ? null : await neededMigration(database);
  if (needed !== null && !migrations.some(({ name }) => name === needed)) {
    throw new SchemaTooNew(needed);
  }
  return migrations.map((migration) => migration.name).filter((name) => !done.has(name));
}

async function appliedMigrations(database: Database): Promise<{ name: string }[]> {
  try {
    return await database.rows<{ name: string }>('SELECT name FROM migrations');
  } catch (error) {
    if (isNoSuchTable(error)) {
      return [];
    }
    throw error;
  }
}

async function neededMigration(database: Database): Promise<string | null> {
  try {
    const row = await database.row<{ value: string }>('SELECT value FROM instance WHERE name = ?', [
      neededMigrationKey,
    ]);
    return row?.value ?? null;
  } catch (error) {
    if (isNoSuchTable(error)) {
      return null;
    }
    throw error;
  }
}

function isNoSuchTable(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return code === 'ER_NO_SUCH_TABLE' || String(message).startsWith('no such table');
}

/** Brings the schema up to date; several processes may try at once, one does it. Returns what ran. */
export async function migrate(database: Database): Promise<string[]> {
  if ((await pendingMigrations(database)).length === 0) {
    return [];
  }
  return database.withTypeOrm((source) => {
    const work = async () => {
      const ran = await source.runMigrations();
      return ran.map((migration) => migration.name);
    };
    return database.dialect === 'sqlite' ? work() : alone(source, work);
  });
}

/** The write met a row that holds the same unique value. */
export function isDuplicate(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === 'ER_DUP_ENTRY' || errcode === 1555 || errcode === 2067;
}
