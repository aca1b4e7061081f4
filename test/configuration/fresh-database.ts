import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { createConnection } from 'mysql2/promise';
import { type Database, migrate, openDatabase } from '../../entities/database.ts';
import { type KeyRing, newKey, openKeyRing } from '../../lib/key-ring.ts';
import { createPasswords, type Passwords } from '../../lib/password-hash.ts';
import { createWorkQueue } from '../../lib/work-queue.ts';
import { expandSchema } from './next-schema.ts';
import { borrowDatabase, copyTemplate, isShared } from './shared-databases.ts';

const mysqlUrl = process.env.TEST_MYSQL_URL;

export type Kind = 'SQLite' | 'MariaDB';

/** What every test about storage runs on. */
export const kinds: readonly Kind[] = mysqlUrl ? ['SQLite', 'MariaDB'] : ['SQLite'];

export interface World {
  readonly url: string;
  readonly dir: string;
  readonly db: Database;
  readonly ring: KeyRing;
  readonly passwords: Passwords;
  /** Moves on only by hand. */
  readonly clock: { now(): Date; set(moment: Date): void };
}

/** An empty directory that is gone after the test. */
export function freshDir(t: ExecutionContext): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-test-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The address of an empty database of this test's own, without tables: a new file, or a new database on the server. */
export async function freshUrl(t: ExecutionContext, kind: Kind, dir: string): Promise<string> {
  if (kind === 'SQLite') {
    return `sqlite:${path.join(dir, 'test.sqlite')}`;
  }
  const name = `sp_test_${randomBytes(6).toString('hex')}`;
  await onServer(`CREATE DATABASE ${name}`);
  t.teardown(() => onServer(`DROP DATABASE ${name}`));
  const url = new URL(mysqlUrl ?? '');
  url.pathname = `/${name}`;
  return url.href;
}

/** The address of a database of this test's own, with all tables and nothing in them. Whoever changes a table changes it back. */
export async function migratedUrl(t: ExecutionContext, kind: Kind, dir: string): Promise<string> {
  // `npm run test:upgrade`: all of it again, on the schema of a next version.
  const isOfNext = process.env.TEST_NEXT_SCHEMA === '1';
  if (isShared && !isOfNext && kind === 'MariaDB') {
    const { url, giveBack } = await borrowDatabase();
    t.teardown(giveBack);
    return url;
  }
  const url = await freshUrl(t, kind, dir);
  if (isShared && !isOfNext) {
    await copyTemplate(path.join(dir, 'test.sqlite'));
    return url;
  }
  const db = await openDatabase(url);
  await migrate(db);
  if (isOfNext) await expandSchema(db);
  await db.close();
  return url;
}

async function onServer(sql: string): Promise<void> {
  const connection = await createConnection({ uri: mysqlUrl ?? '', connectTimeout: 120_000 });
  await connection.query(sql);
  await connection.end();
}

/** A migrated database with a clock that stands still. */
export async function freshWorld(t: ExecutionContext, kind: Kind): Promise<World> {
  const dir = freshDir(t);
  const url = await migratedUrl(t, kind, dir);
  let moment = new Date('2026-03-01T12:00:00Z');
  const clock = {
    now: () => moment,
    set: (next: Date) => {
      moment = next;
    },
  };
  const db = await openDatabase(url, { clock });
  t.teardown(() => db.close());
  return { url, dir, db, ring: openKeyRing(newKey()), passwords: createPasswords(createWorkQueue()), clock };
}
