import { graceDeadline } from './grace.ts';
import {
  type PersonalRequirement,
  personalRequirements,
  requirementFor,
  type Standing,
} from './requirement-for.ts';
import {
  type ConfirmedFactor,
  type EnrolReason,
  type Facts,
  type Method,
  methods,
  type Organization,
} from './types.ts';

/** The strictest of the policies that cover a request, for one person. */
export interface Rules {
  readonly requirement: PersonalRequirement;
  /** Until when setting up can be skipped; null where it is not required. */
  readonly deadline: Date | null;
  /** Strongest first. */
  readonly methods: readonly Method[];
  /** Days for which a remembered device is accepted, 0 where it is not. */
  readonly rememberDays: number;
  readonly changedAt: Date;
  /** Models of passkeys that count for all; null: any passkey does. */
  readonly passkeyModels: readonly string[] | null;
  /** Who asks: the strictest organization, or the instance. */
  readonly reason: EnrolReason;
}

interface Voice extends Standing {
  readonly organization: Organization | null;
  readonly requirement: PersonalRequirement;
  readonly deadline: Date | null;
}

/** Folds the policies that cover the request into one, field by field. */
export function fold(facts: Facts): Rules {
  const voices = voicesOn(facts);
  const asking = voices.toSorted(strictestFirst)[0] as Voice;
  const deadlines = voices.flatMap(({ deadline }) => deadline ?? []);
  return {
    requirement: asking.requirement,
    deadline: deadlines.length > 0 ? new Date(Math.min(...deadlines.map(Number))) : null,
    methods: allowedMethods(voices, asking, facts.application.organizationId),
    rememberDays: Math.min(...voices.map(({ policy }) => acceptedDays(policy.rememberDeviceDays))),
    changedAt: new Date(Math.max(...voices.map(({ policy }) => policy.changedAt.getTime()))),
    passkeyModels: commonModels(voices.map(({ policy }) => policy)),
    reason: asking.organization
      ? { kind: 'organization', organization: asking.organization }
      : { kind: 'instance' },
  };
}

/** Never empty: the instance speaks where no organization does, and nobody is its admin. */
function voicesOn({ memberships, instancePolicy, application }: Facts): readonly Voice[] {
  const covering = memberships.filter(({ policy }) => covers(policy.applications, application.clientId));
  if (covering.length > 0) return covering.map((membership) => voice(membership, membership.organization));
  const standing: Standing = {
    policy: instancePolicy,
    role: 'member',
    joinedAt: new Date(0),
    adminSince: null,
    graceStartedAt: null,
  };
  return [voice(standing, null)];
}

const voice = (standing: Standing, organization: Organization | null): Voice => ({
  ...standing,
  organization,
  requirement: requirementFor(standing.policy, standing.role),
  deadline: graceDeadline(standing),
});

const covers = (applications: 'all' | readonly string[], clientId: string): boolean =>
  Array.isArray(applications) ? applications.includes(clientId) : true;

function strictestFirst(a: Voice, b: Voice): number {
  const byRequirement =
    personalRequirements.indexOf(b.requirement) - personalRequirements.indexOf(a.requirement);
  const byDeadline = Number(a.deadline) - Number(b.deadline);
  return (
    byRequirement || byDeadline || ((a.organization?.slug ?? '') < (b.organization?.slug ?? '') ? -1 : 1)
  );
}

function allowedMethods(voices: readonly Voice[], asking: Voice, ownerId: string | null): readonly Method[] {
  const allowedBy = (several: readonly Voice[]) =>
    methods.filter((method) => several.every(({ policy }) => policy.methods.includes(method)));
  const common = allowedBy(voices);
  if (common.length > 0) return common;
  const owner = voices.find(({ organization }) => organization !== null && organization.id === ownerId);
  return allowedBy([owner ?? asking]);
}

/** The models that all of these policies accept; null where none of them asks. */
export function commonModels(
  policies: readonly { readonly passkeyModels: readonly string[] | null }[],
): readonly string[] | null {
  const lists = policies.flatMap(({ passkeyModels }) => (passkeyModels === null ? [] : [passkeyModels]));
  const [first, ...others] = lists;
  return first ? first.filter((model) => others.every((list) => list.includes(model))) : null;
}

/** True where this factor counts for these rules, by its method and, for a passkey, by its model. */
export const accepts = (
  { methods: allowed, passkeyModels }: Pick<Rules, 'methods' | 'passkeyModels'>,
  { method, model }: Pick<ConfirmedFactor, 'method' | 'model'>,
): boolean =>
  allowed.includes(method) &&
  (method !== 'passkey' || passkeyModels === null || (model !== null && passkeyModels.includes(model)));

const acceptedDays = (n: number): number => (Number.isFinite(n) && n > 0 ? n : 0);
