import { policyFrom, type StoredPolicy } from '../entities/memberships.ts';
import { digest } from '../lib/digest.ts';
import { requirementFor } from '../policy/requirement-for.ts';
import { requirements } from '../policy/types.ts';
import { nextPolicy, type PolicyChange } from './change-policy.ts';
import { type OrganizationVisit, requirePermission } from './organization-actor.ts';
import {
  type MemberEntry,
  type MemberFigures,
  type MemberPage,
  memberFilter,
  readMemberFigures,
  readMembers,
} from './read-members.ts';
import type { Services } from './services.ts';

/** What a change of policy would do, before anybody does it. */
export interface PolicyPreview {
  readonly next: StoredPolicy;
  readonly isChange: boolean;
  readonly before: MemberFigures;
  readonly after: MemberFigures;
  /** Who must set something up, and by when; the first of them. */
  readonly mustAct: MemberPage;
  /** Owners without any second factor, where owners would be required to have one: nobody can require it before they do. */
  readonly ownersWithout: readonly MemberEntry[];
  /** Whether owners are looked at: only where it begins to be required of them. */
  readonly asksOwners: boolean;
  /** Everybody at once, where not even admins must yet: "Start with Required for admins". */
  readonly adviseAdminsFirst: boolean;
  /** Fewer people must have a second factor, or are asked to, than now. */
  readonly isWeaker: boolean;
  /** Nothing that the policy accepts can be set up on this instance. */
  readonly hasNoMethod: boolean;
}

const nobody: MemberPage = { members: [], next: null };

/** @param from where a later page of `mustAct` begins */
export async function previewPolicy(
  services: Pick<Services, 'db' | 'available'>,
  visit: OrganizationVisit,
  change: PolicyChange,
  from: string | null = null,
): Promise<PolicyPreview> {
  requirePermission(visit.actor, 'policy.read');
  const { db } = services;
  const { organization, policy: current } = visit;
  const next = nextPolicy(current, change, db.clock.now());
  const would = { ...visit, policy: next };
  const before = await readMemberFigures(services, organization.id, current);
  const after = await readMemberFigures(services, organization.id, next);
  return {
    next,
    isChange: next !== current,
    before,
    after,
    mustAct:
      after.mustAct === 0
        ? nobody
        : await readMembers(services, would, memberFilter.parse({ state: 'must_act' }), from),
    asksOwners: beginsToRequire(current, next),
    ownersWithout: beginsToRequire(current, next) ? await ownersWithoutFactor(services, visit) : [],
    adviseAdminsFirst: next.requirement === 'required_for_all' && current.adminsRequiredSince === null,
    isWeaker: requirements.indexOf(next.requirement) < requirements.indexOf(current.requirement),
    hasNoMethod: requires(next) && !next.methods.some((method) => services.available.includes(method)),
  };
}

/** Who could not go past their next sign-in today without setting up; the first of them. */
export const whoWouldBeStopped = async (
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  { next, after }: PolicyPreview,
): Promise<MemberPage> =>
  after.overdue === 0
    ? nobody
    : readMembers(services, { ...visit, policy: next }, memberFilter.parse({ state: 'overdue' }));

/** Whether anybody must have a second factor. Owners always are among them. */
export const requires = (policy: StoredPolicy): boolean =>
  requirementFor(policyFrom(policy), 'owner') === 'must';

/** From here on more people must than before. */
export const beginsToRequire = (before: StoredPolicy, next: StoredPolicy): boolean =>
  requires(next) &&
  before.requirement !== next.requirement &&
  !(requires(before) && next.requirement === 'required_for_admins');

async function ownersWithoutFactor(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
): Promise<readonly MemberEntry[]> {
  const filter = memberFilter.parse({ role: 'owner', twoFactor: 'off' });
  const { members } = await readMembers(services, visit, filter, null, 100);
  return members.filter(({ isDisabled }) => !isDisabled);
}

/** Names one state of a policy, so that a change can say which one it was made for. */
export const policyVersion = (text: string): string => digest(text).slice(0, 22);
