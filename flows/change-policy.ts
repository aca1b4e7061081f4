import { isDeepStrictEqual } from 'node:util';
import type { Database, Statement } from '../entities/database.ts';
import { policyFrom, type StoredPolicy } from '../entities/memberships.ts';
import { defaultPolicy } from '../policy/defaults.ts';
import { requirementFor } from '../policy/requirement-for.ts';
import { methods, type Role, roles } from '../policy/types.ts';

/** The rules that somebody chooses; the moments beside them in `StoredPolicy` follow from when they were chosen. */
export type PolicyRules = Omit<StoredPolicy, 'adminsRequiredSince' | 'allRequiredSince' | 'changedAt'>;

/** What is to change; absent stays as it is. */
export type PolicyChange = {
  readonly [Rule in Exclude<keyof PolicyRules, 'recoveryCodes' | 'sms' | 'sessions'>]?:
    | PolicyRules[Rule]
    | undefined;
} & {
  readonly recoveryCodes?:
    | { readonly showAgain?: boolean | undefined; readonly replaceUsed?: boolean | undefined }
    | undefined;
  readonly sms?:
    | {
        readonly countries?: PolicyRules['sms']['countries'] | undefined;
        readonly perDay?: number | undefined;
      }
    | undefined;
  readonly sessions?: { readonly [Length in keyof PolicyRules['sessions']]?: number | undefined } | undefined;
};

/** What holds where nobody has decided anything. */
export const defaultRules: PolicyRules = {
  requirement: defaultPolicy.requirement,
  others: defaultPolicy.others,
  graceDays: defaultPolicy.graceDays,
  methods: [...defaultPolicy.methods],
  rememberDeviceDays: defaultPolicy.rememberDeviceDays,
  passkeyModels: null,
  sessions: { ...defaultPolicy.sessions },
  applications: defaultPolicy.applications === 'all' ? 'all' : [...defaultPolicy.applications],
  recoveryCodes: { showAgain: true, replaceUsed: true },
  sms: { countries: 'all', perDay: 500 },
};

/**
 * The policy after a change. A requirement that goes on keeps the moment when it began, one that begins does so now, and one that
 * ends has none. A change that changes nothing gives the same policy back, also its `changedAt`.
 *
 * @param before null for an organization that is made now
 * @param base the rules of a new organization where the change says nothing: those of the instance
 */
export function nextPolicy(
  before: StoredPolicy | null,
  change: PolicyChange,
  now: Date,
  base: PolicyRules = defaultRules,
): StoredPolicy {
  const old = rulesOf(before ?? { ...base });
  const rules = rulesOf({
    requirement: change.requirement ?? old.requirement,
    others: change.others ?? old.others,
    graceDays: change.graceDays ?? old.graceDays,
    methods: change.methods ?? old.methods,
    rememberDeviceDays: change.rememberDeviceDays ?? old.rememberDeviceDays,
    passkeyModels: change.passkeyModels === undefined ? old.passkeyModels : change.passkeyModels,
    sessions: {
      idleMinutes: change.sessions?.idleMinutes ?? old.sessions.idleMinutes,
      absoluteMinutes: change.sessions?.absoluteMinutes ?? old.sessions.absoluteMinutes,
      offlineDays: change.sessions?.offlineDays ?? old.sessions.offlineDays,
    },
    applications: change.applications ?? old.applications,
    recoveryCodes: {
      showAgain: change.recoveryCodes?.showAgain ?? old.recoveryCodes.showAgain,
      replaceUsed: change.recoveryCodes?.replaceUsed ?? old.recoveryCodes.replaceUsed,
    },
    sms: {
      countries: change.sms?.countries ?? old.sms.countries,
      perDay: change.sms?.perDay ?? old.sms.perDay,
    },
  });
  if (before && isDeepStrictEqual(rules, old)) {
    return before;
  }
  const requiresAll = rules.requirement === 'required_for_all';
  const requiresAdmins = requiresAll || rules.requirement === 'required_for_admins';
  return {
    ...rules,
    adminsRequiredSince: requiresAdmins ? (before?.adminsRequiredSince ?? now.getTime()) : null,
    allRequiredSince: requiresAll ? (before?.allRequiredSince ?? now.getTime()) : null,
    changedAt: now.getTime(),
  };
}

/** The rules alone, always in the same order: lists of methods and applications are sets. */
export function rulesOf(policy: PolicyRules): PolicyRules {
  const {
    requirement,
    others,
    graceDays,
    rememberDeviceDays,
    passkeyModels,
    sessions,
    applications,
    recoveryCodes,
    sms,
  } = policy;
  return {
    requirement,
    others,
    graceDays,
    methods: methods.filter((method) => policy.methods.includes(method)),
    rememberDeviceDays,
    passkeyModels: passkeyModels && [...new Set(passkeyModels)].sort(),
    sessions: {
      idleMinutes: sessions.idleMinutes,
      absoluteMinutes: sessions.absoluteMinutes,
      offlineDays: sessions.offlineDays,
    },
    applications: applications === 'all' ? 'all' : [...new Set(applications)].sort(),
    recoveryCodes: { showAgain: recoveryCodes.showAgain, replaceUsed: recoveryCodes.replaceUsed },
    sms: {
      countries: sms.countries === 'all' ? 'all' : [...new Set(sms.countries)].sort(),
      perDay: sms.perDay,
    },
  };
}

/**
 * The writes of an organization's new policy. It is refused (0 rows) where somebody else has changed the policy since `before` was
 * read. Where a requirement ends, the grace of those it held for ends too, so that a later one starts theirs anew.
 */
export function writePolicy(
  organizationId: string,
  before: { readonly text: string; readonly policy: StoredPolicy },
  next: StoredPolicy,
): Statement[] {
  return [
    {
      sql: 'UPDATE organizations SET policy = ? WHERE id = ? AND policy = ?',
      values: [JSON.stringify(next), organizationId, before.text],
      rows: 1,
    },
    ...endGrace(organizationId, before.policy, next),
  ];
}

/** The same for the instance, whose rules have no members and so no grace. */
export function writeInstancePolicy(db: Database, before: string | null, next: StoredPolicy): Statement {
  const value = JSON.stringify(next);
  return before === null
    ? { ...db.insertIfAbsent('instance', { name: 'policy', value }), rows: 1 }
    : {
        sql: "UPDATE instance SET value = ? WHERE name = 'policy' AND value = ?",
        values: [value, before],
        rows: 1,
      };
}

function endGrace(organizationId: string, before: StoredPolicy, next: StoredPolicy): Statement[] {
  const ended = (role: Role): boolean =>
    requirementFor(policyFrom(before), role) === 'must' && requirementFor(policyFrom(next), role) !== 'must';
  const freed = roles.filter(ended);
  if (freed.length === 0) {
    return [];
  }
  return [
    {
      sql: `UPDATE memberships SET grace_started_at = NULL
            WHERE organization_id = ? AND grace_started_at IS NOT NULL AND role IN (${freed.map(() => '?').join(', ')})`,
      values: [organizationId, ...freed],
    },
  ];
}
