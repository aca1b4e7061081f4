import { membershipsOf } from '../entities/memberships.ts';
import type { UserRow } from '../entities/users.ts';
import { waysInByUpstream } from './connect-upstream.ts';
import type { Services } from './services.ts';

/**
 * The provider by which somebody signs in who has no password; null for everybody else. A mailbox gives such a person none: they would
 * get in past what the provider asks for, and after it has let them go.
 */
export async function signsInElsewhere(services: Services, user: UserRow): Promise<string | null> {
  if (user.password_hash !== null) {
    return null;
  }
  const memberships = await membershipsOf(services.db, user.id);
  const [way] = await waysInByUpstream(services, { user, memberships });
  return way?.provider.name ?? null;
}
