import { auditEvent, nowhere } from '../audit/audit.ts';
import { factorsOf, removeFactorOf } from '../entities/factors.ts';
import { isHome, isHomeOf } from '../entities/home-organizations.ts';
import { refreshDirectory } from '../entities/member-directory.ts';
import { membershipsOf, policyFrom } from '../entities/memberships.ts';
import { instancePolicy } from '../entities/organizations.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { defaultPolicy } from '../policy/defaults.ts';
import { whoForbids } from '../policy/must-keep.ts';
import { targetOf } from './change-member.ts';
import { actorData, type OrganizationVisit, stillActing } from './organization-actor.ts';
import type { ResetOutcome, ResetReason } from './reset-two-factor.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';

/**
 * Takes one factor of a member away, where others of theirs stay that work: a lost phone, say. It protects the person everywhere, so only
 * their home organization may; and what a policy of any organization of theirs needs stays, as when they remove it themselves.
 */
export async function removeMemberFactor(
  services: Pick<Services, 'db' | 'ring' | 'notify' | 'settings'>,
  visit: OrganizationVisit,
  input: { readonly userId: string; readonly factorId: string } & ResetReason,
): Promise<ResetOutcome> {
  const { db } = services;
  const { organization, actor } = visit;
  const target = await targetOf(services, visit, 'members.reset_two_factor', input.userId);
  if (target.kind !== 'found') return target;
  const { user } = target;
  const factors = await factorsOf(db, user.id);
  const factor = factors.find(({ id }) => id === input.factorId);
  if (!factor) return { kind: 'not_found' };
  if (!(await isHome(db, user.id, organization.id))) return { kind: 'not_home' };
  const rest = factors.filter(({ id, disabled_at }) => id !== factor.id && disabled_at === null);
  const instance = await instancePolicy(db);
  const forbidding = whoForbids(
    await membershipsOf(db, user.id),
    instance ? policyFrom(instance) : defaultPolicy,
    rest,
  );
  if (rest.length === 0 || forbidding.length > 0) return { kind: 'conflict' };

  const now = db.clock.now();
  const acting = stillActing(actor, organization.id);
  const written = await db.together([
    {
      // The home, the role, the actor and the factors are those of this very moment.
      sql: `UPDATE users SET security_version = security_version + 1, updated_at = ?,
              preferred_factor_id = CASE WHEN preferred_factor_id = ? THEN NULL ELSE preferred_factor_id END
            WHERE id = ? AND ${isHomeOf('users', '?')} AND security_version = ?
              AND EXISTS (SELECT 1 FROM memberships target WHERE target.user_id = users.id AND target.organization_id = ?
                AND target.role = ? AND target.removed_at IS NULL)
              AND ${acting.sql}`,
      values: [
        now.getTime(),
        factor.id,
        user.id,
        organization.id,
        organization.id,
        user.security_version,
        organization.id,
        target.role,
        ...acting.values,
      ],
      rows: 1,
    },
    removeFactorOf(user.id, factor.id),
    forgetRememberedDevices(user.id, now),
    refreshDirectory([user.id]),
    auditEvent(db, actor.origin, {
      type: 'factor.removed',
      userId: user.id,
      organizationId: organization.id,
      data: {
        ...actorData(actor),
        method: factor.method,
        last: false,
        identityCheck: input.identityCheck,
        reason: input.reason,
      },
    }),
    ...changeMail(services, user, nowhere, 'factor_removed', {
      what: factor.name,
      method: factor.method,
    }),
  ]);
  return { kind: written ? 'done' : 'conflict' };
}
