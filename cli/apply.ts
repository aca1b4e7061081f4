import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { readSettings, type Settings } from '../config/settings.ts';
import { type Database, migrate, openDatabase, pendingMigrations } from '../entities/database.ts';
import {
  type Applied,
  type ApplyOptions,
  applyConfiguration,
  type ConfigurationText,
  checkAgainstNothing,
  type OpenedConfiguration,
  openConfiguration,
} from '../flows/apply-configuration.ts';
import { checkKeys, keysOpen, WrongKeysError } from '../flows/check-keys.ts';
import { type KeyRing, openKeyRing } from '../lib/key-ring.ts';
import { createPasswords } from '../lib/password-hash.ts';
import { createWorkQueue } from '../lib/work-queue.ts';
import { migrations } from '../migrations/index.ts';
import { differenceLines, summaryLines } from './difference-lines.ts';
import { refusePending } from './migrate.ts';
import { createProgressLine, type ProgressLine } from './progress-line.ts';
import { CommandError } from './readable-error.ts';
import { databaseExists, withDatabase } from './with-database.ts';

interface Options {
  readonly file: string;
  readonly dryRun?: boolean;
}

interface Work {
  readonly settings: Settings;
  readonly ring: KeyRing;
  readonly progress: ProgressLine;
}

/** `sallyport apply -f FILE [--dry-run]` */
export async function apply({ file, dryRun = false }: Options): Promise<void> {
  const settings = readSettings(process.env);
  const ring = openKeyRing(settings.secretKeys);
  const given = await readGiven(file);
  const progress = createProgressLine(process.stderr);
  const work = { settings, ring, progress };
  let applied: Applied;
  try {
    progress.show({ stage: 'reading', done: 0, total: 0 });
    const opened = openConfiguration(given);
    applied = dryRun ? await compare(work, opened) : await write(work, opened);
  } finally {
    progress.end();
  }

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

/** A new database is made only for a file that can be applied to it. */
async function write(work: Work, opened: OpenedConfiguration): Promise<Applied> {
  const { settings, ring, progress } = work;
  if (!databaseExists(settings.databaseUrl)) {
    checkAgainstNothing(opened);
  }
  return withDatabase(async (db) => {
    const pending = await pendingMigrations(db);
    if (pending.length === migrations.length) {
      checkAgainstNothing(opened);
    }
    if (pending.length > 0) {
      const ran = await migrate(db);
      progress.end();
      console.error(`The database schema was brought up to date first: ${ran.join(', ')}`);
    }
    await checkKeys(db, ring);
    return run(work, db, opened, {});
  }, settings);
}

/** A database that is not there yet is compared as an empty one, so that it is not made by asking. */
async function compare(work: Work, opened: OpenedConfiguration): Promise<Applied> {
  const { settings, ring } = work;
  if (!databaseExists(settings.databaseUrl)) {
    return compareWithNothing(work, opened);
  }
  return withDatabase(async (db) => {
    const pending = await pendingMigrations(db);
    if (pending.length === migrations.length) {
      return compareWithNothing(work, opened);
    }
    refusePending(pending);
    if ((await keysOpen(db, ring)) === false) {
      throw new WrongKeysError();
    }
    return run(work, db, opened, { dryRun: true });
  }, settings);
}

async function compareWithNothing(work: Work, opened: OpenedConfiguration): Promise<Applied> {
  const db = await openDatabase('sqlite::memory:');
  try {
    await migrate(db);
    return await run(work, db, opened, { dryRun: true });
  } finally {
    await db.close();
  }
}

function run(
  { settings, ring, progress }: Work,
  db: Database,
  opened: OpenedConfiguration,
  options: ApplyOptions,
): Promise<Applied> {
  const passwords = createPasswords(createWorkQueue());
  const services = { db, ring, passwords, passkeyRoots: settings.passkeyRoots };
  return applyConfiguration(services, opened, { ...options, onProgress: progress.show });
}
