import type { Membership, Policy, Role } from './types.ts';

/** A policy, and where one person stands under it. */
export type Standing = Omit<Membership, 'organization'>;

/** What a policy asks of one person, weakest first. */
export const personalRequirements = ['none', 'recommended', 'must'] as const;
export type PersonalRequirement = (typeof personalRequirements)[number];

/** What a policy asks of somebody in this role. A word that we do not know asks for the most. */
export function requirementFor(policy: Policy, role: Role): PersonalRequirement {
  if (policy.requirement === 'optional') return 'none';
  if (policy.requirement === 'recommended') return 'recommended';
  if (policy.requirement !== 'required_for_admins' || role !== 'member') return 'must';
  return policy.others === 'optional' ? 'none' : 'recommended';
}
