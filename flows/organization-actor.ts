import * as z from 'zod';
import type { Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { activeMembership, readStoredPolicy, type StoredPolicy } from '../entities/memberships.ts';
import { type OrganizationRow, organizationBySlug } from '../entities/organizations.ts';
import { userById } from '../entities/users.ts';
import { type Action, may } from '../policy/permissions.ts';
import { type Role, roles } from '../policy/types.ts';
import type { Services } from './services.ts';

/** Who does something in an organization: a person in a role, an application with a token of the API, or the operator's command line. */
export interface Actor {
  readonly kind: 'person' | 'application' | 'operator';
  /** The user's id or the client's; null for the operator. */
  readonly id: string | null;
  /** An application acts as an admin; the operator as an owner. */
  readonly role: Role;
  readonly origin: Origin;
}

export interface OrganizationVisit {
  readonly organization: OrganizationRow;
  readonly policy: StoredPolicy;
  readonly actor: Actor;
}

/**
 * The organization of this name, for somebody who belongs to it, as it stands at this moment: who was removed a second ago has no
 * access any more. Null for everybody else, whether it exists or not.
 */
export async function visitOrganization(
  services: Pick<Services, 'db'>,
  input: { readonly userId: string; readonly slug: string; readonly origin: Origin },
): Promise<OrganizationVisit | null> {
  const { db } = services;
  const organization = await organizationBySlug(db, input.slug);
  if (!organization) return null;
  const [membership, user] = await Promise.all([
    activeMembership(db, input.userId, organization.id),
    userById(db, input.userId),
  ]);
  if (!membership || !user || user.disabled_at !== null) return null;
  return {
    organization,
    policy: readStoredPolicy(organization.policy),
    actor: {
      kind: 'person',
      id: input.userId,
      role: z.enum(roles).parse(membership.role),
      origin: input.origin,
    },
  };
}

/** What an event says about who did it. */
export const actorData = (actor: Actor): { readonly by: string; readonly as: string } => ({
  by: actor.id ?? 'operator',
  as: actor.kind === 'person' ? actor.role : actor.kind,
});

/** Something that this actor may not do here; no flow goes on after it. */
export class NotPermitted extends Error {
  override name = 'NotPermitted';
  constructor(action: Action) {
    super(`${action} is not permitted`);
  }
}

/** @throws NotPermitted */
export function requirePermission({ role }: Actor, action: Action): void {
  if (!may(role, action)) throw new NotPermitted(action);
}

/** In a batch, before what is done: undoes it where the actor has another role by now, or none. */
export const whileActing = ({
  actor,
  organization,
}: Pick<OrganizationVisit, 'actor' | 'organization'>): Statement => whileActingIn(actor, organization.id);

/** The same, of the organization with this id. */
export function whileActingIn(actor: Actor, organizationId: string): Statement {
  const acting = stillActing(actor, organizationId);
  return {
    sql: `UPDATE organizations SET roles_version = COALESCE(roles_version, 0) + 1 WHERE id = ? AND ${acting.sql}`,
    values: [organizationId, ...acting.values],
    rows: 1,
  };
}

/**
 * Part of a WHERE: the actor still belongs to the organization in the role that was read. So what somebody began before they were
 * removed does not happen after it; nor what a program did that was taken away meanwhile.
 */
export function stillActing(
  actor: Actor,
  organizationId: string,
): { readonly sql: string; readonly values: readonly string[] } {
  if (actor.id === null) return { sql: '1 = 1', values: [] };
  return actor.kind === 'person'
    ? {
        // MySQL reads the table that it writes only through a copy, which the LIMIT makes.
        sql: `EXISTS (SELECT 1 FROM (SELECT user_id FROM memberships WHERE user_id = ? AND organization_id = ? AND role = ?
                AND removed_at IS NULL LIMIT 1) acting)`,
        values: [actor.id, organizationId, actor.role],
      }
    : { sql: 'EXISTS (SELECT 1 FROM applications program WHERE program.client_id = ?)', values: [actor.id] };
}
