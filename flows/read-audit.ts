import { audit } from '../audit/audit.ts';
import { type ChainedEvent, chainedEvents } from '../entities/audit-links.ts';
import { activeMembership } from '../entities/memberships.ts';
import { userByEmail } from '../entities/users.ts';
import { chainAuditEvents } from './chain-audit-events.ts';
import { actorData, type OrganizationVisit, requirePermission } from './organization-actor.ts';
import type { Services } from './services.ts';

/** Which events of an organization's log. */
export interface AuditFilter {
  readonly type?: string | undefined;
  /** The address of a member; of anybody else there is nothing to see. */
  readonly person?: string | undefined;
  readonly clientId?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

export interface AuditPage {
  readonly events: readonly ChainedEvent[];
  readonly next: number | null;
}

/**
 * Everything about security that concerns an organization, the newest first: what its owners and admins did, and what its members did or
 * what was done to them, except in applications of other organizations.
 */
export async function readAudit(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
  filter: AuditFilter,
  before: number | null,
  size = 50,
): Promise<AuditPage> {
  requirePermission(visit.actor, 'audit.read');
  const { db } = services;
  // What happened a moment ago is in it.
  await chainAuditEvents(services);
  const { person, ...rest } = filter;
  let userId: string | undefined;
  if (person !== undefined) {
    const user = await userByEmail(db, person);
    const member = user && (await activeMembership(db, user.id, visit.organization.id));
    if (!member) return { events: [], next: null };
    userId = user.id;
  }
  const rows = await chainedEvents(db, { chain: visit.organization.id, userId, ...rest }, before, size + 1);
  const events = rows.slice(0, size);
  return { events, next: rows.length > size ? Number(events.at(-1)?.position ?? 0) : null };
}

/** All that a filter finds, page by page, for a file. That it was taken out stands in the log itself. */
export async function* exportAudit(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
  filter: AuditFilter,
): AsyncGenerator<readonly ChainedEvent[]> {
  requirePermission(visit.actor, 'audit.export');
  await audit(services.db, visit.actor.origin, {
    type: 'audit.exported',
    userId: visit.actor.kind === 'person' ? visit.actor.id : null,
    organizationId: visit.organization.id,
    data: { ...actorData(visit.actor) },
  });
  let before: number | null = null;
  do {
    const page: AuditPage = await readAudit(services, visit, filter, before, 500);
    yield page.events;
    before = page.next;
  } while (before !== null);
}
