import { checkKeys } from '../flows/check-keys.ts';
import { rotateSigningKeys } from '../flows/signing-keys.ts';
import { openKeyRing } from '../lib/key-ring.ts';
import { requireCurrentSchema } from './migrate.ts';
import { withDatabase } from './with-database.ts';

/** `sallyport keys rotate [--at-once]` */
export async function rotateKeys({ atOnce = false }: { readonly atOnce?: boolean }): Promise<void> {
  await withDatabase(async (db, settings) => {
    await requireCurrentSchema(db);
    const ring = openKeyRing(settings.secretKeys);
    await checkKeys(db, ring);
    const { rotated, activeAt } = await rotateSigningKeys(db, ring, { atOnce });
    const at = activeAt.toISOString();
    if (!rotated) {
      console.log(`Nothing was changed: new keys are published already, and sign from ${at}.`);
      return;
    }
    console.log(
      atOnce
        ? 'New keys sign within a minute, and the old ones are gone. People stay signed in; ID tokens from before are no longer believed.'
        : `New keys are published within a minute, and sign from ${at}.`,
    );
  });
}
