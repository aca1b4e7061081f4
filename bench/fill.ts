import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { createConnection } from 'mysql2/promise';

type Value = string | number | null;
type Row = Readonly<Record<string, Value>>;

/** A database outside of the product, as quick as it can be written to. */
interface Store {
  rows(sql: string, values?: readonly Value[]): Promise<Row[]>;
  add(table: string, rows: readonly Row[]): Promise<void>;
  /** Bytes of tables and indexes. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** What a person has who has signed in and still is: copied for each of the others, with names of its own. */
const tables = [
  ['users', 'id'],
  ['memberships', 'user_id'],
  ['factors', 'user_id'],
  ['sessions', 'account_id'],
  ['provider_records', 'account_id'],
  ['audit_events', 'user_id'],
] as const;

/**
 * Makes `count` more people out of one who has just signed in: with a membership, a factor, a live session, a grant, tokens and an event
 * each, all as the product wrote them, but for what names a row. Rows that are about to expire are left out.
 */
export async function fill(databaseUrl: string, email: string, count: number): Promise<number> {
  const store = databaseUrl.startsWith('sqlite:')
    ? sqlite(databaseUrl.slice('sqlite:'.length))
    : await mysql(databaseUrl);
  try {
    const [person] = await store.rows('SELECT * FROM users WHERE email = ?', [email]);
    if (!person) throw new Error(`nobody is called ${email}`);
    const soon = Date.now() + 30 * 60_000;
    const templates = new Map<string, Row[]>();
    for (const [table, column] of tables) {
      const one = table === 'audit_events' ? 'ORDER BY id DESC LIMIT 1' : '';
      const found = await store.rows(`SELECT * FROM ${table} WHERE ${column} = ? ${one}`, [
        person.id as string,
      ]);
      templates.set(
        table,
        found.filter(
          (row) => !('expires_at' in row) || row.expires_at === null || Number(row.expires_at) > soon,
        ),
      );
    }
    const atOnce = 5_000;
    for (let start = 0; start < count; start += atOnce) {
      const numbers = Array.from({ length: Math.min(atOnce, count - start) }, (_, n) => start + n);
      for (const [table, rows] of templates) {
        // One table after the other, each row of the template for all: names that ascend are written side by side.
        for (const row of rows) {
          await store.add(
            table,
            numbers.map((n) => copyOf(row, n, count)),
          );
        }
      }
    }
    return await store.size();
  } finally {
    await store.close();
  }
}

function copyOf(row: Row, n: number, count: number): Row {
  const place = Math.floor((n / count) * 2 ** 40)
    .toString(16)
    .padStart(10, '0');
  const person = `0190${place}${n.toString(16).padStart(8, '0')}00000000000000000000`.slice(0, 32);
  const address = `member-${String(n).padStart(8, '0')}@bench.test`;
  const name = (length: number) => `${place}${randomBytes(32).toString('base64url')}`.slice(0, length);
  const copy: Record<string, Value> = { ...row };
  for (const column of Object.keys(row)) {
    const value = row[column] ?? null;
    if (column === 'user_id' || column === 'account_id') copy[column] = person;
    else if (column === 'id') copy[column] = 'email' in row ? person : `0190${name(36)}`;
    else if (column === 'email' || (column === 'email_key' && value !== null)) copy[column] = address;
    else if (/_digest$/.test(column) && typeof value === 'string') copy[column] = name(value.length);
    else if (column === 'chained_at') copy[column] = Date.now();
  }
  return copy;
}

function sqlite(file: string): Store {
  const db = new DatabaseSync(file);
  db.exec('PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000');
  return {
    rows: async (sql, values = []) => db.prepare(sql).all(...values) as Row[],
    add: async (table, rows) => {
      const columns = Object.keys(rows[0] ?? {});
      const insert = db.prepare(
        `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
      );
      db.exec('BEGIN');
      for (const row of rows) insert.run(...columns.map((column) => row[column] ?? null));
      db.exec('COMMIT');
    },
    size: async () => {
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      const [{ n }] = db
        .prepare('SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()')
        .all() as [{ n: number }];
      return n;
    },
    close: async () => db.close(),
  };
}

async function mysql(databaseUrl: string): Promise<Store> {
  const connection = await createConnection(databaseUrl);
  await connection.query('SET SESSION unique_checks = 0, foreign_key_checks = 0');
  return {
    rows: async (sql, values = []) => (await connection.query(sql, [...values]))[0] as unknown as Row[],
    add: async (table, rows) => {
      const columns = Object.keys(rows[0] ?? {});
      await connection.query('START TRANSACTION');
      for (let from = 0; from < rows.length; from += 1000) {
        const part = rows.slice(from, from + 1000).map((row) => columns.map((column) => row[column] ?? null));
        await connection.query(`INSERT INTO ${table} (${columns.join(', ')}) VALUES ?`, [part]);
      }
      await connection.query('COMMIT');
    },
    size: async () => {
      await connection.query('ANALYZE TABLE users, sessions, provider_records');
      const [rows] = await connection.query(
        'SELECT SUM(data_length + index_length) AS n FROM information_schema.tables WHERE table_schema = DATABASE()',
      );
      return Number((rows as unknown as [{ n: number | string }])[0].n);
    },
    close: () => connection.end(),
  };
}
