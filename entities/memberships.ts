import * as z from 'zod';
import { madeOnce } from '../lib/made-once.ts';
import { longestSession, shortestMinutes } from '../policy/session-lengths.ts';
import type { Membership, Policy, Role } from '../policy/types.ts';
import { methods, requirements, roles } from '../policy/types.ts';
import type { Database, Statement } from './database.ts';
import { refreshDirectory } from './member-directory.ts';

const moment = z.number().int();

/** An organization's policy as it is stored. What cannot be read is never taken for "nothing required": reading throws. */
export const storedPolicy = z.object({
  requirement: z.enum(requirements),
  others: z.enum(['optional', 'recommended']),
  graceDays: z.number().int().min(0).max(90),
  methods: z.array(z.enum(methods)),
  rememberDeviceDays: z.number().int().min(0).max(365),
  passkeyModels: z.array(z.string()).nullable(),
  /** Also read by the questions of `entities/sessions.ts`. */
  sessions: z
    .object({
      idleMinutes: z.number().int().min(shortestMinutes).max(longestSession.idleMinutes),
      absoluteMinutes: z.number().int().min(shortestMinutes).max(longestSession.absoluteMinutes),
      offlineDays: z.number().int().min(0).max(longestSession.offlineDays),
    })
    .default({ ...longestSession }),
  applications: z.union([z.literal('all'), z.array(z.string())]),
  recoveryCodes: z.object({ showAgain: z.boolean(), replaceUsed: z.boolean() }),
  /** Text messages: the countries they may go to, and how many on one day. The instance's settings stand above. */
  sms: z.object({
    countries: z.union([z.literal('all'), z.array(z.string())]),
    perDay: z.number().int().min(0),
  }),
  adminsRequiredSince: moment.nullable(),
  allRequiredSince: moment.nullable(),
  changedAt: moment,
});

export type StoredPolicy = z.infer<typeof storedPolicy>;

/** The same policy is read at every sign-in of all its members, and checked once. */
export const readStoredPolicy: (text: string) => StoredPolicy = madeOnce(500, (text) =>
  storedPolicy.parse(JSON.parse(text)),
);

const date = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));

export const policyFrom = (stored: StoredPolicy): Policy => ({
  requirement: stored.requirement,
  others: stored.others,
  graceDays: stored.graceDays,
  methods: stored.methods,
  rememberDeviceDays: stored.rememberDeviceDays,
  passkeyModels: stored.passkeyModels,
  sessions: stored.sessions,
  applications: stored.applications,
  adminsRequiredSince: date(stored.adminsRequiredSince),
  allRequiredSince: date(stored.allRequiredSince),
  changedAt: new Date(stored.changedAt),
});

export interface MembershipRow {
  user_id: string;
  organization_id: string;
  role: string;
  joined_at: number;
  admin_since: number | null;
  grace_started_at: number | null;
  removed_at: number | null;
}

export interface UserMembership extends Membership {
  /** How the organization's pages look; see `entities/branding.ts`. */
  readonly branding?: string | null;
  readonly recoveryCodes: StoredPolicy['recoveryCodes'];
  readonly sms: StoredPolicy['sms'];
}

/** One membership, with what its organization is and asks for. */
export interface JoinedMembershipRow {
  organization_id: string;
  role: string;
  joined_at: number;
  admin_since: number | null;
  grace_started_at: number | null;
  slug: string;
  organization_name: string;
  policy: string;
  branding: string | null;
}

/** The organizations that a user belongs to, with their policies; those left are not among them. */
export async function membershipsOf(db: Database, userId: string): Promise<UserMembership[]> {
  const rows = await db.rows<JoinedMembershipRow>(
    `SELECT m.*, o.slug, o.name AS organization_name, o.policy, o.branding FROM memberships m
     JOIN organizations o ON o.id = m.organization_id WHERE m.user_id = ? AND m.removed_at IS NULL ORDER BY o.slug`,
    [userId],
  );
  return rows.map(membershipFrom);
}

export function membershipFrom(row: JoinedMembershipRow): UserMembership {
  const stored = readStoredPolicy(row.policy);
  return {
    organization: { id: row.organization_id, slug: row.slug, name: row.organization_name },
    policy: policyFrom(stored),
    branding: row.branding,
    recoveryCodes: stored.recoveryCodes,
    sms: stored.sms,
    role: z.enum(roles).parse(row.role),
    joinedAt: new Date(row.joined_at),
    adminSince: date(row.admin_since),
    graceStartedAt: date(row.grace_started_at),
  };
}

/** The start of grace is written once; only an earlier one could replace it. */
export const recordGraceStart = (userId: string, organizationId: string, start: Date): Statement => ({
  sql: `UPDATE memberships SET grace_started_at = ?
        WHERE user_id = ? AND organization_id = ? AND (grace_started_at IS NULL OR grace_started_at > ?)`,
  values: [start.getTime(), userId, organizationId, start.getTime()],
});

/** One person's active membership; null where they have left or never were there. */
export const activeMembership = (db: Database, userId: string, organizationId: string) =>
  db.row<MembershipRow>(
    'SELECT * FROM memberships WHERE user_id = ? AND organization_id = ? AND removed_at IS NULL',
    [userId, organizationId],
  );

/** Part of a WHERE of a change to one membership: an owner goes only where another one, who is not disabled, stays. */
export const anotherOwnerStays = (
  organizationId: string,
  userId: string,
): { readonly sql: string; readonly values: readonly string[] } => ({
  // MySQL reads the table that it writes only through a copy, which the LIMIT makes.
  sql: `(role <> 'owner' OR EXISTS (SELECT 1 FROM (SELECT o.user_id FROM memberships o JOIN users u ON u.id = o.user_id
          WHERE o.organization_id = ? AND o.role = 'owner' AND o.removed_at IS NULL AND u.disabled_at IS NULL AND o.user_id <> ? LIMIT 1) others))`,
  values: [organizationId, userId],
});

/**
 * Makes somebody a member, or one again: when they first joined stays, and with it their grace (T089). Whoever belongs already keeps
 * their role.
 */
export function joinOrganization(
  db: Database,
  membership: {
    readonly userId: string;
    readonly organizationId: string;
    readonly role: Role;
    readonly now: Date;
  },
): Statement[] {
  const { userId, organizationId, role } = membership;
  const now = membership.now.getTime();
  const adminSince = role === 'member' ? null : now;
  return [
    db.insertIfAbsent('memberships', {
      user_id: userId,
      organization_id: organizationId,
      role,
      joined_at: now,
      admin_since: adminSince,
      grace_started_at: null,
      // Not a member yet: the next write decides.
      removed_at: now,
    }),
    {
      sql: `UPDATE memberships SET role = ?, admin_since = COALESCE(admin_since, ?), removed_at = NULL
            WHERE user_id = ? AND organization_id = ? AND removed_at IS NOT NULL`,
      values: [role, adminSince, userId, organizationId],
      rows: 1,
      followedBy: [refreshDirectory([userId])],
    },
  ];
}

/** In a batch: throws where the person is or was a member. Whoever was removed does not come back by this. */
export const joinForTheFirstTime = (
  db: Database,
  { userId, organizationId, role, now }: Parameters<typeof joinOrganization>[1],
): Statement => ({
  ...db.insert('memberships', {
    user_id: userId,
    organization_id: organizationId,
    role,
    joined_at: now.getTime(),
    admin_since: role === 'member' ? null : now.getTime(),
    grace_started_at: null,
    removed_at: null,
  }),
  rows: 1,
  followedBy: [refreshDirectory([userId])],
});

/** Owners and admins who can be written to, owners first. */
export const administratorsOf = (db: Database, organizationId: string) =>
  db.rows<{ id: string; email: string; name: string | null; locale: string | null }>(
    `SELECT u.id, u.email, u.name, COALESCE(u.locale, u.last_language) AS locale FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.organization_id = ? AND m.role IN ('owner', 'admin') AND m.removed_at IS NULL AND u.disabled_at IS NULL
     ORDER BY m.role DESC, m.joined_at, u.id LIMIT 20`,
    [organizationId],
  );

/** Whether somebody belongs to an organization, has been taken out of it, or never was there. */
export async function membershipHistory(
  db: Database,
  userId: string,
  organizationId: string,
): Promise<'member' | 'removed' | 'never'> {
  const row = await db.row<MembershipRow>(
    'SELECT * FROM memberships WHERE user_id = ? AND organization_id = ?',
    [userId, organizationId],
  );
  if (!row) return 'never';
  return row.removed_at === null ? 'member' : 'removed';
}
