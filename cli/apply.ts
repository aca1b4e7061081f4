import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { readSettings, type Settings } from '../config/settings.ts';
import { type Database, migrate, openDatabase, pendingMigrations } from '../entities/database.ts';
import {
  type Applied,
  type ApplyOptions,
  applyConfiguration,
  type ConfigurationText,
} from '../flows/apply-configuration.ts';
import { checkKeys, keysOpen, WrongKeysError } from '../flows/check-keys.ts';
import { type KeyRing, openKeyRing } from '../lib/key-ring.ts';
import { createPasswords } from '../lib/password-hash.ts';
import { createWorkQueue } from '../lib/work-queue.ts';
import { migrations } from '../migrations/index.ts';
import { differenceLines, summaryLines } from './difference-lines.ts';
import { refusePending } from './migrate.ts';
import { createProgressLine } from './progress-line.ts';
import { CommandError } from './readable-error.ts';
import { databaseExists, withDatabase } from './with-database.ts';

interface Options {
  readonly file: string;
  readonly dryRun?: boolean;
}

/** `sallyport apply -f FILE [--dry-run]` */
export async function apply({ file, dryRun = false }: Options): Promise<void> {
  const settings = readSettings(process.env);
  const ring = openKeyRing(settings.secretKeys);
  const given = await readGiven(file);
  const applied = dryRun ? await compare(settings, ring, given) : await write(settings, ring, given);

  const lines = [...(dryRun ? differenceLines(applied) : []), ...summaryLines(applied, dryRun)];
  console.log(lines.join('\n'));
  for (const warning of applied.warnings) {
    console.error(`Warning: ${warning}`);
  }
}

async function readGiven(file: string): Promise<ConfigurationText> {
  if (file === '-') {
    return { name: 'standard input', text: await text(process.stdin) };
  }
  try {
    return { name: file, text: readFileSync(file, 'utf8') };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : message;
    throw new CommandError(`${file} cannot be read: ${why}`);
  }
}

const write = (settings: Settings, ring: KeyRing, given: ConfigurationText): Promise<Applied> =>
  withDatabase(async (db) => {
    if ((await pendingMigrations(db)).length > 0) {
      const ran = await migrate(db);
      console.error(`The database schema was brought up to date first: ${ran.join(', ')}`);
    }
    await checkKeys(db, ring);
    return run(db, ring, given, {});
  }, settings);

/** A database that is not there yet is compared as an empty one, so that it is not made by asking. */
async function compare(settings: Settings, ring: KeyRing, given: ConfigurationText): Promise<Applied> {
  if (!databaseExists(settings.databaseUrl)) {
    return compareWithNothing(ring, given);
  }
  return withDatabase(async (db) => {
    const pending = await pendingMigrations(db);
    if (pending.length === migrations.length) {
      return compareWithNothing(ring, given);
    }
    refusePending(pending);
    if ((await keysOpen(db, ring)) === false) {
      throw new WrongKeysError();
    }
    return run(db, ring, given, { dryRun: true });
  }, settings);
}

async function compareWithNothing(ring: KeyRing, given: ConfigurationText): Promise<Applied> {
  const db = await openDatabase('sqlite::memory:');
  try {
    await migrate(db);
    return await run(db, ring, given, { dryRun: true });
  } finally {
    await db.close();
  }
}

async function run(
  db: Database,
  ring: KeyRing,
  given: ConfigurationText,
  options: ApplyOptions,
): Promise<Applied> {
  const progress = createProgressLine(process.stderr);
  try {
    const passwords = createPasswords(createWorkQueue());
    return await applyConfiguration({ db, ring, passwords }, given, {
      ...options,
      onProgress: progress.show,
    });
  } finally {
    progress.end();
  }
}
