import { auditEvent } from '../audit/audit.ts';
import {
  acceptInvitation as accepted,
  addInvitation,
  countWaitingInvitations,
  type InvitationRow,
  invitationOf,
  openInvitation,
  openInvitationOf,
  replaceInvitations,
  revokeInvitation as revoked,
  waitingInvitations,
} from '../entities/invitations.ts';
import { activeMembership, joinOrganization } from '../entities/memberships.ts';
import { canonicalEmail, languageFor, proveEmail, userByEmail, userById } from '../entities/users.ts';
import { after, days } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { newId } from '../lib/id.ts';
import { longestName, oneLine } from '../lib/one-line.ts';
import { token } from '../lib/random.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { rolesToGive } from '../policy/permissions.ts';
import { type Role, roles } from '../policy/types.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import { makeAccount, type NewAccount, type Registration } from './new-account.ts';
import {
  actorData,
  NotPermitted,
  type OrganizationVisit,
  requirePermission,
  whileActing,
} from './organization-actor.ts';
import type { Services } from './services.ts';

export const invitationLifetime = days(7);

export type InviteOutcome =
  | { readonly kind: 'invited'; readonly id: string }
  | { readonly kind: 'bad_address' }
  | { readonly kind: 'already_member' }
  /** An invitation of this address can be answered still; nothing was sent. */
  | { readonly kind: 'already_invited'; readonly id: string; readonly until: Date }
  /** Nobody gives a role above their own. */
  | { readonly kind: 'role_too_high' }
  | { readonly kind: 'too_many'; readonly retryAt: Date | null };

/**
 * Invites somebody by mail: once, for a week, bound to the address. Where an invitation is open, another mail goes out only on `again`,
 * and the newer one replaces the older. Whether the address has an account here is not told.
 *
 * @throws NotPermitted
 */
export async function inviteMember(
  services: Pick<Services, 'db' | 'notify' | 'settings'>,
  { organization, actor }: OrganizationVisit,
  input: {
    readonly email: string;
    readonly name?: string | null;
    readonly role: Role;
    readonly locale?: string | null;
    readonly again: boolean;
  },
): Promise<InviteOutcome> {
  requirePermission(actor, 'members.invite');
  const { db, notify, settings } = services;
  if (!rolesToGive(actor.role).includes(input.role)) {
    return { kind: 'role_too_high' };
  }
  const email = canonicalEmail(input.email);
  if (asciiAddress(email) === null) {
    return { kind: 'bad_address' };
  }
  const user = await userByEmail(db, email);
  if (user && (await activeMembership(db, user.id, organization.id))) {
    return { kind: 'already_member' };
  }
  const open = await openInvitationOf(db, organization.id, email, db.clock.now());
  if (open && !mayTakeBack(actor, open)) {
    return { kind: 'role_too_high' };
  }
  if (open && !input.again) {
    return { kind: 'already_invited', id: open.id, until: new Date(open.expires_at) };
  }
  // One organization writes to somebody as often as to its own people; several do not together flood them.
  for (const [rule, subject] of [
    [rules.send, [organization.id, 'invitation', digest(email)]],
    [rules.destination, ['invitation', digest(email)]],
  ] as const) {
    const attempt = await countAttempt(db, rule, limitSubject(rule, ...subject));
    if (!attempt.ok) {
      return { kind: 'too_many', retryAt: attempt.retryAt };
    }
  }
  const name = oneLine(input.name ?? '', longestName) || null;
  const now = db.clock.now();
  const id = newId(now);
  const secret = token();
  const expiresAt = after(now, invitationLifetime);
  const inviter = actor.kind === 'person' && actor.id !== null ? await userById(db, actor.id) : null;
  const sent = await db.together([
    whileActing({ organization, actor }),
    replaceInvitations(organization.id, email, now),
    addInvitation(db, {
      id,
      token_digest: digest(secret),
      organization_id: organization.id,
      email,
      name: name,
      role: input.role,
      invited_by: inviter?.id ?? null,
      invited_by_client: actor.kind === 'application' ? actor.id : null,
      created_at: now.getTime(),
      expires_at: expiresAt.getTime(),
    }),
    auditEvent(db, actor.origin, {
      // Nobody's: the organization reads it, and is not told who has an account.
      type: 'invitation.sent',
      organizationId: organization.id,
      data: { ...actorData(actor), to: email, role: input.role, invitation: id },
    }),
    notify.mail({
      to: email,
      locale: (user && languageFor(user)) ?? input.locale ?? null,
      template: 'invitation',
      values: {
        name: user?.name ?? name,
        inviter: inviter?.name ?? inviter?.email ?? null,
        until: expiresAt.toISOString(),
        url: new URL(`/invitation/${secret}`, settings.issuer).href,
      },
      organizationId: organization.id,
    }),
  ]);
  if (!sent) throw new NotPermitted('members.invite');
  return { kind: 'invited', id };
}

/**
 * Invitations that wait for an answer, the newest first: so many in all, and at most five hundred of them.
 *
 * @throws NotPermitted
 */
export async function readInvitations(
  { db }: Pick<Services, 'db'>,
  { organization, actor }: OrganizationVisit,
): Promise<{ readonly rows: readonly InvitationRow[]; readonly total: number }> {
  requirePermission(actor, 'members.invite');
  const now = db.clock.now();
  return {
    rows: await waitingInvitations(db, organization.id, now),
    total: await countWaitingInvitations(db, organization.id, now),
  };
}

/** No admin over an owner, also not over one who has not come yet. */
export const mayTakeBack = (
  { role }: Pick<OrganizationVisit['actor'], 'role'>,
  invitation: Pick<InvitationRow, 'role'>,
): boolean => rolesToGive(role).some((one) => one === invitation.role);

/**
 * Takes an invitation back; false where it is not this organization's, or was answered.
 *
 * @throws NotPermitted
 */
export async function revokeInvitation(
  { db }: Pick<Services, 'db'>,
  { organization, actor }: OrganizationVisit,
  id: string,
): Promise<boolean> {
  requirePermission(actor, 'members.invite');
  const found = await invitationOf(db, organization.id, id);
  if (!found) return false;
  if (!mayTakeBack(actor, found)) throw new NotPermitted('members.invite');
  const { email } = found;
  return db.together([
    whileActing({ organization, actor }),
    revoked(organization.id, id, db.clock.now()),
    auditEvent(db, actor.origin, {
      type: 'invitation.revoked',
      organizationId: organization.id,
      data: { ...actorData(actor), to: email, invitation: id },
    }),
  ]);
}

export interface FoundInvitation {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly organization: { readonly id: string; readonly name: string; readonly branding: string | null };
  /** Its address has an account here, which can join after a sign-in. */
  readonly hasAccount: boolean;
}

/** The invitation that a link names, while it can be answered. */
export async function findInvitation(
  { db }: Pick<Services, 'db'>,
  secret: unknown,
): Promise<FoundInvitation | null> {
  const row =
    typeof secret === 'string' && secret.length <= 100
      ? await openInvitation(db, digest(secret), db.clock.now())
      : null;
  const role = roles.find((known) => known === row?.role);
  if (!row || !role) {
    return null;
  }
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role,
    organization: { id: row.organization_id, name: row.organization_name, branding: row.branding },
    hasAccount: (await userByEmail(db, row.email)) !== null,
  };
}

/** Joins with the account that is signed in: only that of the address which was invited. False where somebody was first. */
export async function joinByInvitation(
  services: Services,
  { actor, invitation }: { readonly actor: Actor; readonly invitation: FoundInvitation },
): Promise<boolean> {
  const { db } = services;
  const { user, origin } = actor;
  if (user.email !== invitation.email) {
    return false;
  }
  const now = db.clock.now();
  const { organization, role } = invitation;
  return db.together([
    stillSignedIn(services, actor),
    accepted(invitation.id, now),
    proveEmail(user.id),
    ...joinOrganization(db, { userId: user.id, organizationId: organization.id, role, now }),
    auditEvent(db, origin, {
      type: 'invitation.accepted',
      userId: user.id,
      organizationId: organization.id,
      data: { invitation: invitation.id, role },
    }),
  ]);
}

/** Makes the account of somebody who was invited. The link came by mail, so the address is proved. It signs nobody in. */
export const registerByInvitation = (
  services: Services,
  { invitation, ...typed }: NewAccount & { readonly invitation: FoundInvitation },
): Promise<Registration> => {
  const { organization, role, email } = invitation;
  return makeAccount(services, typed, {
    email,
    home: organization,
    use: (now) => accepted(invitation.id, now),
    join: (userId, now) =>
      joinOrganization(services.db, { userId, organizationId: organization.id, role, now }),
    data: { invitation: invitation.id },
  });
};
