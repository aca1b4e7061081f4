import { requirementFor } from './requirement-for.ts';
import type { Membership, Method, Organization, Policy } from './types.ts';

/** Who forbids that this person is left with these methods only. */
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
  remaining: readonly Method[],
): readonly Forbidding[] {
  const lacks = ({ methods }: Policy) => !remaining.some((method) => methods.includes(method));
  if (memberships.length === 0) {
    return requirementFor(instance, 'member') === 'must' && lacks(instance) ? [{ kind: 'instance' }] : [];
  }
  return memberships
    .filter(({ policy, role }) => requirementFor(policy, role) === 'must' && lacks(policy))
    .map(({ organization }) => ({ kind: 'organization', organization }));
}
