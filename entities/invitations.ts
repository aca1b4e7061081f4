import { rolesToGive } from '../policy/permissions.ts';
import { roles } from '../policy/types.ts';
import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

export interface InvitationRow {
  id: string;
  token_digest: string;
  organization_id: string;
  email: string;
  name: string | null;
  role: string;
  /** The user who invited; null where it was not a person. */
  invited_by: string | null;
  /** The application whose token invited; null where it was none. */
  invited_by_client: string | null;
  created_at: number;
  expires_at: number;
  accepted_at: number | null;
  revoked_at: number | null;
}

/** Whoever has the first role may give the second. */
const mayGive = (has: string, given: string): string =>
  roles
    .filter((role) => rolesToGive(role).length > 0)
    .map(
      (role) =>
        `(${has} = '${role}' AND ${given} IN (${rolesToGive(role)
          .map((one) => `'${one}'`)
          .join(', ')}))`,
    )
    .join(' OR ');

/**
 * True of an invitation (`i`) that can be answered at this moment, which is its one value. Whoever sent it stands behind it until then: a
 * person who is not disabled, belongs here and may give that role, or an application that is registered still and may invite.
 */
const isOpen = (i: string): string =>
  `${i}.accepted_at IS NULL AND ${i}.revoked_at IS NULL AND ${i}.expires_at > ?
     AND (${i}.invited_by IS NULL OR EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
       WHERE m.user_id = ${i}.invited_by AND m.organization_id = ${i}.organization_id AND m.removed_at IS NULL
       AND u.disabled_at IS NULL AND (${mayGive('m.role', `${i}.role`)})))
     AND (${i}.invited_by_client IS NULL OR EXISTS (SELECT 1 FROM applications a WHERE a.client_id = ${i}.invited_by_client
       AND a.metadata LIKE '%"members:write"%'))`;

export const addInvitation = (
  db: Database,
  row: Omit<InvitationRow, 'accepted_at' | 'revoked_at'>,
): Statement => db.insert('invitations', { ...row, accepted_at: null, revoked_at: null });

export const openInvitation = (db: Database, tokenDigest: string, now: Date) =>
  db.row<InvitationRow & { organization_name: string; slug: string; branding: string | null }>(
    `SELECT i.*, o.name AS organization_name, o.slug, o.branding FROM invitations i JOIN organizations o ON o.id = i.organization_id
     WHERE i.token_digest = ? AND ${isOpen('i')}`,
    [tokenDigest, now.getTime()],
  );

/** Invitations that wait for an answer, newest first. */
export const waitingInvitations = (db: Database, organizationId: string, now: Date) =>
  db.rows<InvitationRow>(
    `SELECT i.* FROM invitations i WHERE i.organization_id = ? AND ${isOpen('i')}
     ORDER BY i.created_at DESC, i.id LIMIT 500`,
    [organizationId, now.getTime()],
  );

/** The invitation of an address that can be answered now. */
export const openInvitationOf = (db: Database, organizationId: string, email: string, now: Date) =>
  db.row<InvitationRow>(
    `SELECT i.* FROM invitations i WHERE i.organization_id = ? AND i.email = ? AND ${isOpen('i')}
     ORDER BY i.created_at DESC LIMIT 1`,
    [organizationId, email, now.getTime()],
  );

/** Of these addresses, those whose invitation can be answered now. */
export async function openInvitationsAmong(
  db: Database,
  organizationId: string,
  emails: readonly string[],
  now: Date,
): Promise<Set<string>> {
  if (emails.length === 0) return new Set();
  const rows = await db.rows<{ email: string }>(
    `SELECT i.email FROM invitations i WHERE i.organization_id = ? AND ${isOpen('i')}
     AND i.email IN (${emails.map(() => '?').join(', ')})`,
    [organizationId, now.getTime(), ...emails],
  );
  return new Set(rows.map(({ email }) => email));
}

/** Whom an invitation of this organization went to; null where there is none. */
export const invitationOf = (db: Database, organizationId: string, id: string) =>
  db.row<Pick<InvitationRow, 'email' | 'role'>>(
    'SELECT email, role FROM invitations WHERE id = ? AND organization_id = ?',
    [id, organizationId],
  );

/** How many wait for an answer. */
export const countWaitingInvitations = async (
  db: Database,
  organizationId: string,
  now: Date,
): Promise<number> =>
  Number(
    (
      await db.row<{ n: number | string }>(
        `SELECT COUNT(*) AS n FROM invitations i WHERE i.organization_id = ? AND ${isOpen('i')}`,
        [organizationId, now.getTime()],
      )
    )?.n ?? 0,
  );

/** The write that decides which of several answers was first. */
export const acceptInvitation = (id: string, now: Date): Statement => ({
  sql: `UPDATE invitations SET accepted_at = ? WHERE id = ? AND ${isOpen('invitations')}`,
  values: [now.getTime(), id, now.getTime()],
  rows: 1,
});

export const revokeInvitation = (organizationId: string, id: string, now: Date): Statement => ({
  sql: 'UPDATE invitations SET revoked_at = ? WHERE id = ? AND organization_id = ? AND accepted_at IS NULL AND revoked_at IS NULL',
  values: [now.getTime(), id, organizationId],
  rows: 1,
});

/** Of several invitations to one address the newest counts. */
export const replaceInvitations = (organizationId: string, email: string, now: Date): Statement => ({
  sql: 'UPDATE invitations SET revoked_at = ? WHERE organization_id = ? AND email = ? AND accepted_at IS NULL AND revoked_at IS NULL',
  values: [now.getTime(), organizationId, email],
});

/** What somebody may not give any more, they have not given: their open invitations to such a role. */
export const withdrawInvitations = (
  organizationId: string,
  invitedBy: string,
  mayGive: readonly string[],
  now: Date,
): Statement => ({
  sql: `UPDATE invitations SET revoked_at = ? WHERE organization_id = ? AND invited_by = ? AND accepted_at IS NULL AND revoked_at IS NULL
          ${mayGive.length === 0 ? '' : `AND role NOT IN (${mayGive.map(() => '?').join(', ')})`}`,
  values: [now.getTime(), organizationId, invitedBy, ...mayGive],
});

export const purgeInvitations = (db: Database, before: Date) =>
  deleteInSteps(db, 'invitations', 'expires_at < ?', [before.getTime()]);
