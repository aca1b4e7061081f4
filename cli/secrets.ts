import { checkKeys } from '../flows/check-keys.ts';
import { resealSecrets } from '../flows/reseal-secrets.ts';
import { openKeyRing } from '../lib/key-ring.ts';
import { requireCurrentSchema } from './migrate.ts';
import { CommandError } from './readable-error.ts';
import { withDatabase } from './with-database.ts';

/** `sallyport secrets rotate` */
export async function rotateSecrets(): Promise<void> {
  await withDatabase(async (db, settings) => {
    await requireCurrentSchema(db);
    const ring = openKeyRing(settings.secretKeys);
    await checkKeys(db, ring);
    const { resealed, unreadable, recoveryCodesLeft } = await resealSecrets(db, ring, (done) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${done} values sealed again`);
    });
    if (process.stderr.isTTY) process.stderr.write('\n');
    console.log(`${resealed} values were sealed again under key ${ring.ids[0]}.`);
    if (unreadable.length > 0) {
      const where = unreadable.map(({ table, column, count }) => `  ${table}.${column}: ${count}`).join('\n');
      throw new CommandError(
        `These values could not be read by any key of SECRET_KEYS, and were left as they are:\n${where}`,
      );
    }
    console.log(
      recoveryCodesLeft === 0
        ? 'Nothing that is stored needs the other keys of SECRET_KEYS any more. Browsers do, until they were here again: leave them in for a day, and nobody is signed out; for as long as devices are remembered, and none of those is asked again.'
        : `${recoveryCodesLeft} unused recovery codes were made under earlier keys: keep those in SECRET_KEYS, or these codes are worth nothing.`,
    );
    console.log(
      'Events of the audit log from the time of another key are verified with it: keep it as long as that matters.',
    );
  });
}
