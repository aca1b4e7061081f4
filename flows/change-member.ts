import { auditEvent, nowhere } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { withdrawInvitations } from '../entities/invitations.ts';
import { refreshDirectory } from '../entities/member-directory.ts';
import { activeMembership, anotherOwnerStays } from '../entities/memberships.ts';
import { oneAtATime } from '../entities/organizations.ts';
import { type UserRow, userById } from '../entities/users.ts';
import { type ActionOnMember, mayOverMember, type Permission, rolesToGive } from '../policy/permissions.ts';
import { type Role, roles } from '../policy/types.ts';
import { actorData, type OrganizationVisit, stillActing } from './organization-actor.ts';
import { securityMail } from './security-mail.ts';
import type { Services } from './services.ts';

export type MemberOutcome =
  | { readonly kind: 'done' /** It was so before; nobody is told. */; readonly wasSo?: true }
  /** No such person in this very organization. */
  | { readonly kind: 'not_found' }
  | {
      readonly kind: 'refused';
      readonly why: Exclude<Permission, 'allowed'> | 'last_owner' | 'role_too_high';
    }
  /** Something of it has changed since it was read. */
  | { readonly kind: 'conflict' };

/** The person whom something is done to, where the actor may. */
export type FoundTarget =
  | { readonly kind: 'found'; readonly user: UserRow; readonly role: Role }
  | Extract<MemberOutcome, { kind: 'not_found' | 'refused' }>;

/** The id that is acted upon is the one that is authorised: a member of this organization, whom the actor may do this to. */
export async function targetOf(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  action: ActionOnMember,
  userId: string,
): Promise<FoundTarget> {
  const { db } = services;
  const { organization, actor } = visit;
  const membership = await activeMembership(db, userId, organization.id);
  const user = membership && (await userById(db, userId));
  const role = roles.find((known) => known === membership?.role);
  const permission = mayOverMember(actor.role, action, {
    role: role ?? 'owner',
    isSelf: actor.kind === 'person' && actor.id === userId,
  });
  // Who may nothing here does not learn who belongs to it either.
  if (permission === 'not_permitted') return { kind: 'refused', why: permission };
  if (!user || !role) return { kind: 'not_found' };
  return permission === 'allowed' ? { kind: 'found', user, role } : { kind: 'refused', why: permission };
}

/**
 * Gives a member another role. That the last owner stays one is decided by the write, after whatever change of roles came before it:
 * two owners cannot end each other's ownership at once.
 */
export async function changeRole(
  services: Pick<Services, 'db' | 'ring' | 'notify' | 'settings'>,
  visit: OrganizationVisit,
  input: { readonly userId: string; readonly role: Role },
): Promise<MemberOutcome> {
  const { db } = services;
  const { organization, actor } = visit;
  const target = await targetOf(services, visit, 'members.change_role', input.userId);
  if (target.kind !== 'found') return target;
  if (!rolesToGive(actor.role).includes(input.role)) return { kind: 'refused', why: 'role_too_high' };
  if (target.role === input.role) return { kind: 'done', wasSo: true };

  const now = db.clock.now().getTime();
  const acting = stillActing(actor, organization.id);
  const others = anotherOwnerStays(organization.id, input.userId);
  const written = await db.together([
    oneAtATime(organization.id),
    {
      sql: `UPDATE memberships SET role = ?, admin_since = ${input.role === 'member' ? 'admin_since' : 'COALESCE(admin_since, ?)'}
            WHERE user_id = ? AND organization_id = ? AND role = ? AND removed_at IS NULL AND ${acting.sql} AND ${others.sql}`,
      values: [
        input.role,
        ...(input.role === 'member' ? [] : [now]),
        input.userId,
        organization.id,
        target.role,
        ...acting.values,
        ...others.values,
      ],
      rows: 1,
      followedBy: [refreshDirectory([input.userId])],
    },
    withdrawInvitations(organization.id, input.userId, rolesToGive(input.role), db.clock.now()),
    ...tell(services, visit, target.user, input.role),
    auditEvent(db, actor.origin, {
      type: 'member.role_changed',
      userId: input.userId,
      organizationId: organization.id,
      data: { ...actorData(actor), from: target.role, to: input.role },
    }),
  ]);
  return written ? { kind: 'done' } : whyNot(services, visit, target.role, input.userId);
}

/** Ends a membership. The account stays; a later return does not begin a new grace (T089). */
export async function removeMember(
  services: Pick<Services, 'db' | 'ring' | 'notify' | 'settings'>,
  visit: OrganizationVisit,
  input: { readonly userId: string },
): Promise<MemberOutcome> {
  const { db } = services;
  const { organization, actor } = visit;
  const target = await targetOf(services, visit, 'members.remove', input.userId);
  if (target.kind !== 'found') return target;

  const now = db.clock.now().getTime();
  const acting = stillActing(actor, organization.id);
  const others = anotherOwnerStays(organization.id, input.userId);
  const written = await db.together([
    oneAtATime(organization.id),
    {
      sql: `UPDATE memberships SET removed_at = ?
            WHERE user_id = ? AND organization_id = ? AND role = ? AND removed_at IS NULL AND ${acting.sql} AND ${others.sql}`,
      values: [now, input.userId, organization.id, target.role, ...acting.values, ...others.values],
      rows: 1,
      followedBy: [refreshDirectory([input.userId])],
    },
    withdrawInvitations(organization.id, input.userId, [], db.clock.now()),
    ...tell(services, visit, target.user, null),
    auditEvent(db, actor.origin, {
      type: 'member.removed',
      userId: input.userId,
      organizationId: organization.id,
      data: { ...actorData(actor), role: target.role },
    }),
  ]);
  return written ? { kind: 'done' } : whyNot(services, visit, target.role, input.userId);
}

const tell = (
  services: Pick<Services, 'db' | 'ring' | 'notify' | 'settings'>,
  { organization }: OrganizationVisit,
  user: UserRow,
  role: Role | null,
): Statement[] =>
  securityMail(services, user, nowhere, {
    template: 'membership-changed',
    values: { role },
    organizationId: organization.id,
  });

async function whyNot(
  { db }: Pick<Services, 'db'>,
  { organization }: OrganizationVisit,
  role: Role,
  userId: string,
): Promise<MemberOutcome> {
  const others = await db.row<{ n: number | string }>(
    `SELECT COUNT(*) AS n FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.organization_id = ? AND m.role = 'owner'
     AND m.removed_at IS NULL AND u.disabled_at IS NULL AND m.user_id <> ?`,
    [organization.id, userId],
  );
  return role === 'owner' && Number(others?.n ?? 0) === 0
    ? { kind: 'refused', why: 'last_owner' }
    : { kind: 'conflict' };
}
