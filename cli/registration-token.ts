import { readSettings } from '../config/settings.ts';
import { organizationBySlug } from '../entities/organizations.ts';
import { keysOpen, WrongKeysError } from '../flows/check-keys.ts';
import { days } from '../lib/clock.ts';
import { openKeyRing } from '../lib/key-ring.ts';
import { issueRegistrationToken } from '../provider/registration.ts';
import { requireCurrentSchema } from './migrate.ts';
import { CommandError } from './readable-error.ts';
import { withDatabase } from './with-database.ts';

interface Options {
  readonly organization?: string;
  readonly days: string;
}

/** `sallyport registration-token [--organization SLUG] [--days N]` */
export async function registrationToken(options: Options): Promise<void> {
  const lifetime = Number(options.days);
  if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > 365) {
    throw new CommandError(`--days must be a whole number from 1 to 365, found "${options.days}"`);
  }
  const settings = readSettings(process.env);
  const ring = openKeyRing(settings.secretKeys);
  const issued = await withDatabase(async (db) => {
    await requireCurrentSchema(db);
    if ((await keysOpen(db, ring)) === false) {
      throw new WrongKeysError();
    }
    const organization = options.organization ? await organizationBySlug(db, options.organization) : null;
    if (options.organization && !organization) {
      throw new CommandError(`There is no organization "${options.organization}".`);
    }
    return issueRegistrationToken(
      { db, ring },
      { organizationId: organization?.id ?? null, lifetime: days(lifetime) },
    );
  }, settings);
  console.log(issued.token);
  console.error(`Registers applications until ${issued.expiresAt.toISOString()}. It is shown once.`);
}
