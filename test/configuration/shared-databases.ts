import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { migrate, openDatabase } from '../../entities/database.ts';

/**
 * To make fifty tables takes longer than most tests. So the files of one run share what has them: a template of SQLite's, and
 * databases of MariaDB's that are emptied for each test. A run is named by TEST_RUN (test/one-run.js); without it nothing is shared.
 */
const run = process.env.TEST_RUN;
export const isShared = run !== undefined;
const dir = path.join(tmpdir(), `sallyport-test-${run}`);
const prefix = `sp_test_${run}_`;
const mysqlUrl = process.env.TEST_MYSQL_URL;
/** Milliseconds. A test of the same file may keep this process busy for long while the server has answered. */
const patience = 120_000;

/** Where a database with all tables and nothing in them is now. */
export async function copyTemplate(file: string): Promise<void> {
  const template = path.join(dir, 'template.sqlite');
  if (!existsSync(template)) {
    mkdirSync(dir, { recursive: true });
    // Another file's process may do the same: whoever is last has made the same file.
    const own = path.join(dir, `${randomBytes(6).toString('hex')}.sqlite`);
    await migrateAt(`sqlite:${own}`);
    renameSync(own, template);
  }
  copyFileSync(template, file);
}

/** A database on the server with all tables and nothing in them; nobody else's until it is given back. */
export async function borrowDatabase(): Promise<{ url: string; giveBack(): void }> {
  const name = await inTurn(async (connection) => {
    const name = returned.pop() ?? (await another(connection));
    await empty(connection, name);
    return name;
  });
  return { url: urlOf(name), giveBack: () => void returned.push(name) };
}

export async function removeSharedDatabases(): Promise<void> {
  rmSync(dir, { recursive: true, force: true });
  if (!mysqlUrl) return;
  const connection = await createConnection(mysqlUrl);
  const [rows] = await connection.query<RowDataPacket[]>(
    `SHOW DATABASES LIKE '${prefix.replaceAll('_', '\\_')}%'`,
  );
  for (const name of rows.flatMap(Object.values)) {
    await connection.query(`DROP DATABASE ${name}`);
  }
  await connection.end();
}

/** Those that this file's process has, and no test of it uses. */
const returned: string[] = [];
const held = new Set<string>();
let tables: readonly string[] = [];
let shape = '';
let keeping: Promise<Connection> | null = null;
let turn: Promise<unknown> = Promise.resolve();

/** Work on the keeping connection, one after another. Its locks are its own, and so end with the process however that ends. */
function inTurn<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
  keeping ??= createConnection({ uri: mysqlUrl ?? '', multipleStatements: true, connectTimeout: patience });
  const result = Promise.all([keeping, turn]).then(async ([connection]) => {
    // Between turns it keeps nobody from ending.
    const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection;
    stream.ref();
    try {
      return await work(connection);
    } finally {
      stream.unref();
    }
  });
  turn = result.catch(() => {});
  return result;
}

async function another(connection: Connection): Promise<string> {
  for (let n = 0; ; n += 1) {
    const name = `${prefix}${n}`;
    if (held.has(name)) continue;
    const [[row]] = await connection.query<RowDataPacket[]>('SELECT GET_LOCK(?, 0) AS taken', [name]);
    if (Number(row?.taken) !== 1) continue;
    held.add(name);
    return name;
  }
}

async function empty(connection: Connection, name: string): Promise<void> {
  if (tables.length > 0 && (await isLeft(connection, name))) {
    try {
      if ((await shapeOf(connection, name)) === shape) {
        await connection.query(tables.map((table) => `DELETE FROM ${name}.${table}`).join(';'));
        return;
      }
    } catch {
      // It is not there yet, or a test has taken a table away.
    }
  }
  await connection.query(`DROP DATABASE IF EXISTS ${name}; CREATE DATABASE ${name}`);
  await migrateAt(urlOf(name));
  const [rows] = await connection.query<RowDataPacket[]>(`SHOW TABLES FROM ${name}`);
  tables = rows.flatMap(Object.values).filter((table) => table !== 'migrations');
  shape = await shapeOf(connection, name);
}

/** By which it is told that a test has changed tables and has not changed them back. */
async function shapeOf(connection: Connection, name: string): Promise<string> {
  const [rows] = await connection.query<RowDataPacket[]>(
    `SELECT (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = '${name}') AS fields,
       (SELECT COUNT(*) FROM ${name}.migrations) AS migrations`,
  );
  return JSON.stringify(rows);
}

/** Whoever had it before has no connection any more, from which something could still come. */
async function isLeft(connection: Connection, name: string): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    const [[row]] = await connection.query<RowDataPacket[]>(
      'SELECT COUNT(*) AS guests FROM information_schema.processlist WHERE db = ?',
      [name],
    );
    if (Number(row?.guests) === 0) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

async function migrateAt(url: string): Promise<void> {
  const db = await openDatabase(url);
  try {
    await migrate(db);
  } finally {
    await db.close();
  }
}

function urlOf(name: string): string {
  const url = new URL(mysqlUrl ?? '');
  url.pathname = `/${name}`;
  return url.href;
}
