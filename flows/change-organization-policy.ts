import { auditEvent } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import type { StoredPolicy } from '../entities/memberships.ts';
import { addAnnouncement } from '../entities/policy-notices.ts';
import { type PolicyChange, rulesOf, writePolicy } from './change-policy.ts';
import { actorData, type OrganizationVisit, requirePermission, stillActing } from './organization-actor.ts';
import { beginsToRequire, policyVersion, previewPolicy } from './preview-policy.ts';
import type { MemberEntry } from './read-members.ts';
import type { Services } from './services.ts';

/** How the one who changes the policy has shown that it is them, a moment ago. */
export type Confirmation = 'factor' | 'email_code' | 'api' | 'operator';

export type PolicyOutcome =
  | {
      readonly kind: 'changed';
      readonly policy: StoredPolicy;
      /** Who must act, where they are told: all of them, or those among them who do not know their date yet. */
      readonly toNotify: number;
      readonly someWereTold: boolean;
    }
  | { readonly kind: 'unchanged' }
  /** Somebody else has changed it since it was read. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'owners_lack_factor'; readonly owners: readonly MemberEntry[] }
  | { readonly kind: 'no_method' };

/**
 * Changes an organization's policy. Everybody who must act then gets a mail, unless `notify` is false: that they are to get one is
 * written with the policy. Whether all owners have a factor, whether the policy is still the one that was seen, and whether the actor
 * still may, is decided by the write.
 */
export async function changeOrganizationPolicy(
  services: Pick<Services, 'db' | 'available'>,
  visit: OrganizationVisit,
  input: {
    readonly change: PolicyChange;
    /** `policyVersion` of what the actor saw. */
    readonly expectedVersion: string;
    readonly notify: boolean;
    readonly confirmedBy: Confirmation;
    /** Writes that must happen with it, or nothing does. */
    readonly also?: readonly Statement[];
  },
): Promise<PolicyOutcome> {
  requirePermission(visit.actor, 'policy.change');
  const { db } = services;
  const { organization, policy: before, actor } = visit;
  if (policyVersion(organization.policy) !== input.expectedVersion) return { kind: 'conflict' };
  const preview = await previewPolicy(services, visit, input.change);
  const { next } = preview;
  if (!preview.isChange) return { kind: 'unchanged' };
  if (preview.hasNoMethod) return { kind: 'no_method' };
  if (preview.ownersWithout.length > 0) return { kind: 'owners_lack_factor', owners: preview.ownersWithout };

  const now = db.clock.now();
  const [update, ...more] = writePolicy(organization.id, { text: organization.policy, policy: before }, next);
  if (!update) throw new Error('a change of policy writes it');
  const acting = stillActing(actor, organization.id);
  // Owners are those of this very moment: one who has joined or lost their factor meanwhile counts.
  const owners = beginsToRequire(before, next)
    ? `AND NOT EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.organization_id = organizations.id AND m.role = 'owner' AND m.removed_at IS NULL AND u.disabled_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id AND f.disabled_at IS NULL))`
    : '';
  const written = await db.together([
    {
      sql: `${update.sql} AND ${acting.sql} ${owners}`,
      values: [...update.values, ...acting.values],
      rows: 1,
    },
    ...more,
    ...(input.also ?? []),
    ...(input.notify ? [addAnnouncement(db, organization.id, next.changedAt, now)] : []),
    auditEvent(db, actor.origin, {
      type: 'policy.changed',
      userId: actor.kind === 'person' ? actor.id : null,
      organizationId: organization.id,
      data: {
        ...actorData(actor),
        confirmedBy: input.confirmedBy,
        notify: input.notify,
        mustAct: preview.after.mustAct,
        stopped: preview.after.overdue,
        before: { ...rulesOf(before) },
        after: { ...rulesOf(next) },
      },
    }),
  ]);
  if (!written) return { kind: 'conflict' };
  return {
    kind: 'changed',
    policy: next,
    toNotify: input.notify ? preview.after.mustAct : 0,
    someWereTold: preview.before.mustAct > 0,
  };
}
