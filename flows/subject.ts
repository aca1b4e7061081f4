import type { FactorRow } from '../entities/factors.ts';
import type { UserRow } from '../entities/users.ts';
import type { Json, Subject } from '../factors/factor.ts';
import { open } from '../lib/seal.ts';
import type { Method } from '../policy/types.ts';
import type { Services } from './services.ts';

/** Sealed for one factor of one person: moved to somebody else's account it opens nothing (security.md T135). */
export const factorDataPlace = (userId: string, factorId: string) => ({
  table: 'factors',
  column: 'data',
  row: `${userId} ${factorId}`,
});

/** The person as one method sees them, with the opened data of the factors that may answer. */
export function subjectFor(
  services: Services,
  user: UserRow,
  factors: readonly FactorRow[],
  method: Method,
  issuerName: string,
): Subject {
  return {
    now: services.db.clock.now(),
    userId: user.id,
    email: user.email,
    emailVerified: user.email_verified === 1,
    phone: user.phone_verified === 1 ? user.phone : null,
    origin: new URL(services.settings.issuer).origin,
    issuerName,
    factors: factors
      .filter((factor) => factor.method === method)
      .map(({ id, data }) => ({
        id,
        data: JSON.parse(open(services.ring, factorDataPlace(user.id, id), data)) as Json,
      })),
  };
}
