import { graceDeadline } from './grace.ts';
import { requirementFor, type Standing } from './requirement-for.ts';
import type { Method } from './types.ts';

/** How far one member has come under their organization's policy. */
export type MemberState =
  /** Has a factor that counts here. */
  | { readonly kind: 'set_up' }
  /** Need not have one. */
  | { readonly kind: 'not_required' }
  | { readonly kind: 'recommended' }
  /** Must set one up, and may still skip. */
  | { readonly kind: 'in_grace'; readonly until: Date }
  /** Must set one up at the next sign-in; `since` null where there never was any grace. */
  | { readonly kind: 'overdue'; readonly since: Date | null };

export interface MemberFacts extends Standing {
  /** Of confirmed factors that can be used. */
  readonly methods: readonly Method[];
  /** One of their passkeys is of a model that the policy lists; of no account where it lists none. */
  readonly hasListedPasskey: boolean;
  readonly everHadFactor: boolean;
  readonly isReset: boolean;
}

/** What `decide` would say about this member at a sign-in to an application that the policy covers, as far as this organization goes. */
export function memberState(member: MemberFacts, now: Date): MemberState {
  if (member.isReset) return { kind: 'overdue', since: null };
  const required = requirementFor(member.policy, member.role);
  if (!mustAct(member)) {
    if (member.methods.length > 0) return { kind: 'set_up' };
    return { kind: required === 'recommended' ? 'recommended' : 'not_required' };
  }
  // Who has removed their last factor begins no second grace (T090).
  const until = hadGraceBefore(member) ? null : graceDeadline(member);
  return until !== null && now < until ? { kind: 'in_grace', until } : { kind: 'overdue', since: until };
}

/** True where something must be set up: nothing that the member has counts here. */
export const mustAct = ({
  policy,
  role,
  methods,
  hasListedPasskey,
}: Pick<MemberFacts, 'policy' | 'role' | 'methods' | 'hasListedPasskey'>): boolean =>
  requirementFor(policy, role) === 'must' &&
  !methods.some(
    (method) =>
      policy.methods.includes(method) &&
      (method !== 'passkey' || policy.passkeyModels === null || hasListedPasskey),
  );

/** No grace, whatever the policy says. */
export const hadGraceBefore = ({
  methods,
  everHadFactor,
  isReset,
}: Pick<MemberFacts, 'methods' | 'everHadFactor' | 'isReset'>): boolean =>
  isReset || (methods.length === 0 && everHadFactor);
