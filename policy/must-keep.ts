import { accepts } from './fold.ts';
import { requirementFor } from './requirement-for.ts';
import type { ConfirmedFactor, Membership, Organization, Policy } from './types.ts';

/** Who forbids that this person is left with these factors only. */
export type Forbidding =
  | { readonly kind: 'organization'; readonly organization: Organization }
  | { readonly kind: 'instance' };

/**
 * The organizations that require a factor of this person, to whatever applications that applies and however long their grace runs, and
 * would count none of those that remain. Without an organization, the instance.
 */
export function whoForbids(
  memberships: readonly Membership[],
  instance: Policy,
  remaining: readonly Pick<ConfirmedFactor, 'method' | 'model'>[],
): readonly Forbidding[] {
  const lacks = (policy: Policy) => !remaining.some((factor) => accepts(policy, factor));
  if (memberships.length === 0) {
    return requirementFor(instance, 'member') === 'must' && lacks(instance) ? [{ kind: 'instance' }] : [];
  }
  return memberships
    .filter(({ policy, role }) => requirementFor(policy, role) === 'must' && lacks(policy))
    .map(({ organization }) => ({ kind: 'organization', organization }));
}
