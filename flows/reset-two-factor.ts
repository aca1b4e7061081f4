import * as z from 'zod';
import { auditEvent, nowhere } from '../audit/audit.ts';
import { isHome, isHomeOf } from '../entities/home-organizations.ts';
import { refreshDirectory } from '../entities/member-directory.ts';
import { forgetRecoveryCodes } from '../entities/recovery-codes.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { addReset, endResets, openReset, type TwoFactorResetRow } from '../entities/two-factor-resets.ts';
import { disconnectUser, securityChanged, type UserRow } from '../entities/users.ts';
import { after, hours } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import { oneLinePattern } from '../lib/one-line.ts';
import { token } from '../lib/random.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { type MemberOutcome, targetOf } from './change-member.ts';
import { endingSessionsOf } from './end-sessions.ts';
import { actorData, type OrganizationVisit, stillActing } from './organization-actor.ts';
import { securityMail } from './security-mail.ts';
import type { Services } from './services.ts';

/** How the one who resets has made sure that it is really this person who asks. */
export const identityChecks = ['in_person', 'video_call', 'phone_call', 'id_document', 'other'] as const;

export const resetReason = z.object({
  identityCheck: z.enum(identityChecks),
  /** One line for the audit log. */
  reason: z.string().trim().min(3).max(500).regex(oneLinePattern),
});
export type ResetReason = z.infer<typeof resetReason>;

export type ResetOutcome =
  | MemberOutcome
  /** Only the home organization may reset at once; another can ask by mail. */
  | { readonly kind: 'not_home' }
  /** Without a verified address nobody could set up again. */
  | { readonly kind: 'no_verified_email' }
  | { readonly kind: 'nothing_to_reset' }
  | { readonly kind: 'too_many'; readonly retryAt: Date | null };

/** NIST SP 800-63B-4, 4.2.1.2: at most a day by mail. */
export const resetLinkLifetime = hours(24);

/**
 * Takes every factor, recovery code and remembered device of a member away, now, and ends their sessions. They set up again at the next
 * sign-in: after the password and a code to their verified address, without grace (product.md §2, rule 7).
 */
export async function resetTwoFactorNow(
  services: Pick<Services, 'db' | 'ring' | 'notify' | 'settings'>,
  visit: OrganizationVisit,
  input: { readonly userId: string } & ResetReason,
): Promise<ResetOutcome> {
  const { db } = services;
  const { organization, actor } = visit;
  const target = await targetOf(services, visit, 'members.reset_two_factor', input.userId);
  if (target.kind !== 'found') return target;
  const { user } = target;
  if (!(await isHome(db, user.id, organization.id))) return { kind: 'not_home' };
  if (user.email_verified !== 1) return { kind: 'no_verified_email' };
  if (!(await hasSomethingToReset(services, user.id))) return { kind: 'nothing_to_reset' };

  const now = db.clock.now();
  const acting = stillActing(actor, organization.id);
  const written = await db.together([
    {
      // The home, the role and the actor are those of this very moment.
      sql: `UPDATE users SET reset_at = ?, preferred_factor_id = NULL, had_factor_at = COALESCE(had_factor_at, ?)
            WHERE id = ? AND ${isHomeOf('users', '?')} AND email_verified = 1
              AND EXISTS (SELECT 1 FROM memberships target WHERE target.user_id = users.id AND target.organization_id = ?
                AND target.role = ? AND target.removed_at IS NULL)
              AND ${acting.sql}`,
      values: [
        now.getTime(),
        now.getTime(),
        user.id,
        organization.id,
        organization.id,
        organization.id,
        target.role,
        ...acting.values,
      ],
      rows: 1,
    },
    { sql: 'DELETE FROM factors WHERE user_id = ?', values: [user.id] },
    forgetRecoveryCodes(user.id),
    forgetRememberedDevices(user.id, now),
    endResets(user.id, now),
    securityChanged(user.id, now),
    disconnectUser(user.id, now),
    ...(await endingSessionsOf(services, user.id, actor.origin, 'by_an_admin')),
    refreshDirectory([user.id]),
    ...securityMail(services, user, nowhere, {
      template: 'two-factor-reset',
      values: { organizationName: organization.name },
      organizationId: organization.id,
    }),
    resetEvent(services, visit, 'two_factor.reset', user, input),
  ]);
  return written ? { kind: 'done' } : { kind: 'conflict' };
}

/**
 * Sends a member a link with which they set up again, after their password. What they have now stays valid until the new factor has
 * worked; the link alone opens nothing. Any organization that they belong to may ask for it.
 */
export async function resetTwoFactorByMail(
  services: Pick<Services, 'db' | 'ring' | 'notify' | 'settings'>,
  visit: OrganizationVisit,
  input: { readonly userId: string } & ResetReason,
): Promise<ResetOutcome> {
  const { db, settings } = services;
  const { organization, actor } = visit;
  const target = await targetOf(services, visit, 'members.reset_two_factor', input.userId);
  if (target.kind !== 'found') return target;
  const { user } = target;
  if (user.email_verified !== 1) return { kind: 'no_verified_email' };
  if (!(await hasSomethingToReset(services, user.id))) return { kind: 'nothing_to_reset' };
  const attempt = await countAttempt(db, rules.send, limitSubject(rules.send, user.id, 'reset link'));
  if (!attempt.ok) return { kind: 'too_many', retryAt: attempt.retryAt };

  const now = db.clock.now();
  const secret = token();
  const acting = stillActing(actor, organization.id);
  const written = await db.together([
    {
      sql: `UPDATE users SET updated_at = ? WHERE id = ? AND email_verified = 1 AND disabled_at IS NULL
              AND EXISTS (SELECT 1 FROM memberships target WHERE target.user_id = users.id AND target.organization_id = ?
                AND target.role = ? AND target.removed_at IS NULL)
              AND ${acting.sql}`,
      values: [now.getTime(), user.id, organization.id, target.role, ...acting.values],
      rows: 1,
    },
    // The last link is the one that holds.
    endResets(user.id, now),
    addReset(db, {
      id: newId(now),
      user_id: user.id,
      organization_id: organization.id,
      token_digest: digest(secret),
      created_at: now.getTime(),
      expires_at: after(now, resetLinkLifetime).getTime(),
    }),
    ...securityMail(services, user, nowhere, {
      template: 'two-factor-reset-link',
      values: {
        organizationName: organization.name,
        link: `${settings.issuer}/reset-two-factor/${secret}`,
        until: after(now, resetLinkLifetime).toISOString(),
      },
      organizationId: organization.id,
      expiresAt: after(now, resetLinkLifetime),
    }),
    resetEvent(services, visit, 'two_factor.reset_by_mail', user, input),
  ]);
  return written ? { kind: 'done' } : { kind: 'conflict' };
}

/** The reset that a link in a mail is for, while it holds; null for anything else. */
export async function resetOfLink(
  services: Pick<Services, 'db'>,
  secret: unknown,
): Promise<TwoFactorResetRow | null> {
  if (typeof secret !== 'string' || secret.length > 200) return null;
  return openReset(services.db, digest(secret), services.db.clock.now());
}

/** Whether anybody could reset anything: a factor, or recovery codes that are left. */
export async function hasSomethingToReset({ db }: Pick<Services, 'db'>, userId: string): Promise<boolean> {
  const row = await db.row(
    `SELECT 1 AS found FROM users u WHERE u.id = ? AND (EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id)
       OR EXISTS (SELECT 1 FROM recovery_codes c WHERE c.user_id = u.id AND c.used_at IS NULL))`,
    [userId],
  );
  return row !== null;
}

const resetEvent = (
  { db }: Pick<Services, 'db'>,
  { organization, actor }: OrganizationVisit,
  type: 'two_factor.reset' | 'two_factor.reset_by_mail',
  user: UserRow,
  { identityCheck, reason }: ResetReason,
) =>
  auditEvent(db, actor.origin, {
    type,
    userId: user.id,
    organizationId: organization.id,
    data: { ...actorData(actor), identityCheck, reason },
  });
