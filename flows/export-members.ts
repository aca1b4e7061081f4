import { audit } from '../audit/audit.ts';
import { actorData, type OrganizationVisit, requirePermission } from './organization-actor.ts';
import { allMembers, type MemberEntry, type MemberFilter } from './read-members.ts';
import type { Services } from './services.ts';

/** The members that a filter finds, page by page, for a file. Whoever takes them out stands in the audit log. */
export async function* exportMembers(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  filter: MemberFilter,
): AsyncGenerator<readonly MemberEntry[]> {
  requirePermission(visit.actor, 'members.export');
  await audit(services.db, visit.actor.origin, {
    type: 'members.exported',
    userId: visit.actor.kind === 'person' ? visit.actor.id : null,
    organizationId: visit.organization.id,
    data: { ...actorData(visit.actor) },
  });
  yield* allMembers(services, visit, filter);
}
