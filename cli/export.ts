import { stringify } from 'yaml';
import { readSettings } from '../config/settings.ts';
import { keysOpen, WrongKeysError } from '../flows/check-keys.ts';
import { exportConfiguration } from '../flows/export-configuration.ts';
import { openKeyRing } from '../lib/key-ring.ts';
import { migrations } from '../migrations/index.ts';
import { refusePending, requireCurrentSchema } from './migrate.ts';
import { CommandError } from './readable-error.ts';
import { databaseExists, withDatabase } from './with-database.ts';

interface Options {
  readonly organization?: string;
  readonly withSecrets?: boolean;
  readonly format: string;
}

/** `sallyport export [--organization SLUG] [--with-secrets] [--format yaml|json]` */
export async function exportFile({ organization, withSecrets = false, format }: Options): Promise<void> {
  if (format !== 'yaml' && format !== 'json') {
    throw new CommandError(`--format must be yaml or json, found "${format}"`);
  }
  const settings = readSettings(process.env);
  const ring = openKeyRing(settings.secretKeys);
  if (!databaseExists(settings.databaseUrl)) {
    refusePending(migrations.map(({ name }) => name));
  }
  const exported = await withDatabase(async (db) => {
    await requireCurrentSchema(db);
    if ((await keysOpen(db, ring)) === false) {
      throw new WrongKeysError();
    }
    return exportConfiguration(
      { db, ring },
      { withSecrets, ...(organization === undefined ? {} : { organization }) },
    );
  }, settings);
  if (!exported) {
    throw new CommandError(`There is no organization "${organization}".`);
  }
  process.stdout.write(
    format === 'json'
      ? `${JSON.stringify(exported, null, 2)}\n`
      : stringify(exported, { lineWidth: 0, aliasDuplicateObjects: false }),
  );
}
