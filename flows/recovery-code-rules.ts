import type { StoredPolicy, UserMembership } from '../entities/memberships.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { seal } from '../lib/seal.ts';

export interface RecoveryCodeRules {
  readonly showAgain: boolean;
  readonly replaceUsed: boolean;
}

/** What all organizations of a person agree to: one that says no is enough. Without an organization, the instance's rules. */
export function recoveryCodeRules(
  memberships: readonly UserMembership[],
  instance: StoredPolicy | null,
): RecoveryCodeRules {
  const rules =
    memberships.length > 0 ? memberships.map((m) => m.recoveryCodes) : [instance?.recoveryCodes ?? byDefault];
  return {
    showAgain: rules.every(({ showAgain }) => showAgain),
    replaceUsed: rules.every(({ replaceUsed }) => replaceUsed),
  };
}

const byDefault: RecoveryCodeRules = { showAgain: true, replaceUsed: true };

export const recoveryCodePlace = (userId: string, id: string) => ({
  table: 'recovery_codes',
  column: 'sealed',
  row: `${userId} ${id}`,
});

/** A code is one person's: its digest, moved to somebody else's account, is no code there. */
export const boundSalt = (userId: string, salt: string): string => `${userId} ${salt}`;

export const sealedRecoveryCode = (ring: KeyRing, userId: string, id: string, code: string): string =>
  seal(ring, recoveryCodePlace(userId, id), code);
