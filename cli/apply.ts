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

export interface Work {
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
    const task: Task<Applied> = {
      checkAlone: () => checkAgainstNothing(opened),
      run: (db, more) =>
        applyConfiguration(
          { db, ring, passwords: createPasswords(createWorkQueue()), passkeyRoots: settings.passkeyRoots },
          opened,
          more,
        ),
    };
    applied = dryRun ? await compareWith(work, task) : await writeTo(work, task);
  } finally {
    progress.end();
  }

  const lines = [...(dryRun ? differenceLines(applied) : []), ...summaryLines(applied, dryRun)];
  console.log(lines.join('\n'));
  for (const warning of applied.warnings) {
    console.error(`Warning: ${warning}`);
  }
}

export async function readGiven(file: string): Promise<ConfigurationText> {
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

/** What is done with a database: with one that is there, or with an empty one in place of one that is not. */
export interface Task<Result> {
  /** Throws where the task cannot be done even with nothing stored: then no database is made for it. */
  readonly checkAlone: () => void;
  readonly run: (db: Database, options: ApplyOptions) => Promise<Result>;
}

/** A new database is made only for what can be applied to it. */
export async function writeTo<Result>(work: Work, task: Task<Result>): Promise<Result> {
  const { settings, ring, progress } = work;
  if (!databaseExists(settings.databaseUrl)) {
    task.checkAlone();
  }
  return withDatabase(async (db) => {
    const pending = await pendingMigrations(db);
    if (pending.length === migrations.length) {
      task.checkAlone();
    }
    if (pending.length > 0) {
      const ran = await migrate(db);
      progress.end();
      console.error(`The database schema was brought up to date first: ${ran.join(', ')}`);
    }
    await checkKeys(db, ring);
    return task.run(db, { onProgress: progress.show });
  }, settings);
}

/** A database that is not there yet is compared as an empty one, so that it is not made by asking. */
export async function compareWith<Result>(work: Work, task: Task<Result>): Promise<Result> {
  const { settings, ring, progress } = work;
  const options = { dryRun: true, onProgress: progress.show };
  if (!databaseExists(settings.databaseUrl)) {
    return withNothing(task, options);
  }
  return withDatabase(async (db) => {
    const pending = await pendingMigrations(db);
    if (pending.length === migrations.length) {
      return withNothing(task, options);
    }
    refusePending(pending);
    if ((await keysOpen(db, ring)) === false) {
      throw new WrongKeysError();
    }
    return task.run(db, options);
  }, settings);
}

async function withNothing<Result>(task: Task<Result>, options: ApplyOptions): Promise<Result> {
  const db = await openDatabase('sqlite::memory:');
  try {
    await migrate(db);
    return await task.run(db, options);
  } finally {
    await db.close();
  }
}
