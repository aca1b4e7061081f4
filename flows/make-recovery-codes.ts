import type { Statement } from '../entities/database.ts';
import { instancePolicy } from '../entities/organizations.ts';
import { addRecoveryCode, forgetRecoveryCodes } from '../entities/recovery-codes.ts';
import { digestRecoveryCode, newRecoveryCodes, newRecoverySalt } from '../factors/recovery-codes.ts';
import { newId } from '../lib/id.ts';
import type { Assessment } from './assess-sign-in.ts';
import { boundSalt, recoveryCodeRules, sealedRecoveryCode } from './recovery-code-rules.ts';
import type { Services } from './services.ts';

/** Eight new codes, and the writes that put them in the place of the old ones. */
export async function makeRecoveryCodes(
  services: Services,
  assessment: Assessment,
): Promise<{ readonly codes: string[]; readonly statements: Statement[] }> {
  const { db, ring, queue } = services;
  const userId = assessment.user.id;
  const { showAgain } = recoveryCodeRules(assessment.memberships, await instancePolicy(db));
  const codes = [...newRecoveryCodes()];
  const salt = newRecoverySalt();
  const digests = await Promise.all(
    codes.map((code) => digestRecoveryCode({ ring, queue }, boundSalt(userId, salt), code)),
  );
  const now = db.clock.now();
  const statements = codes.map((code, position) => {
    const id = newId(now);
    const sealed = showAgain ? sealedRecoveryCode(ring, userId, id, code) : null;
    return addRecoveryCode(db, { id, userId, position, salt, digest: digests[position] ?? '', sealed, now });
  });
  return { codes, statements: [forgetRecoveryCodes(userId), ...statements] };
}
