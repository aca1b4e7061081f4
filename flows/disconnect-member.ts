import { type MemberOutcome, targetOf } from './change-member.ts';
import { disconnectUser } from './disconnect-user.ts';
import { type OrganizationVisit, whileActing } from './organization-actor.ts';
import type { Services } from './services.ts';

/**
 * Ends what a member has open, here and in the applications, and forgets their remembered devices: for a laptop that was left on a train.
 * It opens nothing and takes no factor away, so any organization that the person belongs to may do it.
 */
export async function disconnectMember(
  services: Services,
  visit: OrganizationVisit,
  input: { readonly userId: string; readonly reason: string },
): Promise<MemberOutcome> {
  const target = await targetOf(services, visit, 'members.disconnect', input.userId);
  if (target.kind !== 'found') return target;
  const { actor, organization } = visit;
  const done = await disconnectUser(services, {
    userId: input.userId,
    reason: input.reason,
    scope: { kind: 'all' },
    forgetDevices: true,
    by: {
      organizationId: organization.id,
      clientId: null,
      userId: actor.kind === 'person' ? actor.id : null,
    },
    origin: actor.origin,
    whileTrue: [whileActing(visit)],
  });
  return done.kind === 'done' ? { kind: 'done' } : { kind: 'conflict' };
}
