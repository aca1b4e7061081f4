import { existsSync } from 'node:fs';
import path from 'node:path';
import { projectRoot, readSettings, type Settings } from '../config/settings.ts';
import { type Database, openDatabase } from '../entities/database.ts';
import { CommandError } from './readable-error.ts';

/** The address as it may be shown: without its password. */
export function shownAddress(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl) || databaseUrl.startsWith('sqlite:')) return databaseUrl;
  const url = new URL(databaseUrl);
  if (url.password !== '') url.password = '***';
  return url.href;
}

/** False where the embedded database has no file yet; opening would make it. */
export function databaseExists(databaseUrl: string): boolean {
  if (!databaseUrl.startsWith('sqlite:')) return true;
  const file = databaseUrl.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  return existsSync(path.resolve(projectRoot, file));
}

/** Reads the settings, opens the database for the work, and closes it whatever happens. */
export async function withDatabase<Result>(
  work: (db: Database, settings: Settings) => Promise<Result>,
  settings: Settings = readSettings(process.env),
): Promise<Result> {
  const db = await opened(settings);
  try {
    return await work(db, settings);
  } finally {
    await db.close();
  }
}

async function opened({ databaseUrl, databaseTls }: Settings): Promise<Database> {
  try {
    return await openDatabase(databaseUrl, { tls: databaseTls });
  } catch (error) {
    throw new CommandError(
      `The database at ${shownAddress(databaseUrl)} cannot be opened: ${reasonOf(error)}`,
    );
  }
}

/** mysql2 leaves the message of a refused connection empty. */
export function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || 'no reason was given';
}
