import { readSettings } from '../config/settings.ts';
import { type Database, migrate, pendingMigrations } from '../entities/database.ts';
import { migrations } from '../migrations/index.ts';
import { CommandError } from './readable-error.ts';
import { databaseExists, shownAddress, withDatabase } from './with-database.ts';

/** `sallyport migrate [--check]` */
export async function migrateSchema({ check }: { readonly check?: boolean }): Promise<void> {
  const settings = readSettings(process.env);
  if (check && !databaseExists(settings.databaseUrl)) {
    refusePending(migrations.map(({ name }) => name));
  }
  await withDatabase(async (db) => {
    const address = shownAddress(settings.databaseUrl);
    if (check) {
      refusePending(await pendingMigrations(db));
      console.log(`The schema of ${address} is current.`);
      return;
    }
    const ran = await migrate(db);
    console.log(
      ran.length === 0 ? `The schema of ${address} was current.` : `Migrated ${address}: ${ran.join(', ')}`,
    );
  }, settings);
}

/** Refuses to read from a schema that is not current. */
export async function requireCurrentSchema(db: Database): Promise<void> {
  refusePending(await pendingMigrations(db));
}

export function refusePending(pending: readonly string[]): void {
  if (pending.length > 0) {
    throw new CommandError(
      `The database schema is not current. Run "sallyport migrate"; pending:\n${pending.map((name) => `  ${name}`).join('\n')}`,
    );
  }
}
