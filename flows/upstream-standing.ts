import { ownsDomain, type UpstreamProviderRow } from '../entities/upstream-providers.ts';
import type { UserRow } from '../entities/users.ts';
import { speaksFor } from '../policy/upstream.ts';
import type { Services } from './services.ts';
import { domainOf } from './upstreams.ts';

/** True where a provider may sign this person in, whichever account they have there. */
export async function maySignIn(
  { db }: Pick<Services, 'db'>,
  provider: Pick<UpstreamProviderRow, 'id' | 'organization_id'>,
  {
    user,
    memberships,
  }: {
    readonly user: Pick<UserRow, 'email' | 'email_verified'>;
    readonly memberships: readonly { readonly organization: { readonly id: string } }[];
  },
): Promise<boolean> {
  return speaksFor({
    organizationId: provider.organization_id,
    memberOf: memberships.map(({ organization }) => organization.id),
    ownsAddress: user.email_verified === 1 && (await ownsDomain(db, provider.id, domainOf(user.email))),
    applicationOf: null,
  });
}
