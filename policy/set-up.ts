import { assuranceOf } from './assurance.ts';
import { asksForNothing, canMeet } from './demand.ts';
import { countsFrom } from './proofs.ts';
import type { SignIn } from './sign-in.ts';
import type { Decision, EnrolReason, Facts, Method, WayOut } from './types.ts';

/** After an admin's reset: no grace, and a code to the verified address first, as the password alone must not bind a device. */
export function setUpAfterReset(signIn: SignIn, resetAt: Date): Decision {
  const { user, proofs, demand } = signIn;
  if (user.emailVerified !== true) return { kind: 'refuse', why: 'no_verified_email', unmet: false };
  const methods = methodsToOffer(signIn);
  if (methods.length === 0) return noMethod(!asksForNothing(demand));
  const mailboxFirst = !proofs.some(({ kind, at }) => kind === 'mailbox' && at >= resetAt);
  return { kind: 'enrol', methods, wayOut: { kind: 'none' }, reason: { kind: 'reset' }, mailboxFirst };
}

/** By the link of a reset by mail, after the first step: the link has come to the verified address, so no code need go there. */
export function setUpInPlace(signIn: SignIn): Decision {
  if (signIn.user.emailVerified !== true) return { kind: 'refuse', why: 'no_verified_email', unmet: false };
  const methods = methodsToOffer(signIn);
  if (methods.length === 0) return noMethod(!asksForNothing(signIn.demand));
  return enrol(methods, { kind: 'none' }, { kind: 'reset' });
}

/** Where nothing that the user has will do: what must be set up, what should be, or that nothing need be. */
export function setUp(signIn: SignIn): Decision {
  if (!signIn.demandMet) return setUpForDemand(signIn);
  switch (signIn.rules.requirement) {
    case 'none':
      return allow(signIn, 'not_required');
    case 'recommended':
      return setUpAsRecommended(signIn);
    default:
      return setUpAsRequired(signIn);
  }
}

// What an application or a request asks for is not subject to an organization's grace.
function setUpForDemand(signIn: SignIn): Decision {
  const methods = methodsToOffer(signIn);
  if (methods.length === 0) return noMethod(true);
  return enrol(methods, { kind: 'none' }, signIn.demand.reason);
}

function setUpAsRequired(signIn: SignIn): Decision {
  const { now, choices, rules } = signIn;
  const methods = methodsToOffer(signIn);
  const until = hadGraceBefore(signIn) ? null : rules.deadline;
  const isInGrace = until !== null && now < until;
  // Nobody is stopped before the deadline because nothing can be set up yet.
  if (methods.length === 0) return isInGrace ? allow(signIn, 'skipped') : noMethod(false);
  if (!isInGrace) return enrol(methods, { kind: 'none' }, rules.reason);
  if (isChosen(signIn, choices.skippedAt)) return allow(signIn, 'skipped');
  return enrol(methods, { kind: 'skip', until }, rules.reason);
}

function setUpAsRecommended(signIn: SignIn): Decision {
  const { now, user, choices, rules } = signIn;
  const methods = methodsToOffer(signIn);
  if (methods.length === 0) return allow(signIn, 'not_required');
  const isPostponed = user.postponedUntil !== null && user.postponedUntil > now;
  if (isPostponed || isChosen(signIn, choices.dismissedAt)) return allow(signIn, 'dismissed');
  return enrol(methods, { kind: 'dismiss' }, rules.reason);
}

const methodsToOffer = ({ rules, available, demand }: SignIn): readonly Method[] =>
  rules.methods.filter(
    (method) =>
      available.includes(method) &&
      canMeet(demand, method) &&
      !(method === 'passkey' && rules.passkeyModels?.length === 0),
  );

// Who has removed their last factor, or was reset, begins no second grace (T090).
const hadGraceBefore = ({ user }: SignIn): boolean =>
  user.factors.length === 0 && user.everHadFactor !== false;

const isChosen = (facts: Facts, chosenAt: Date | null): boolean =>
  chosenAt !== null && chosenAt.getTime() >= countsFrom(facts);

const allow = ({ proofs }: SignIn, why: 'not_required' | 'skipped' | 'dismissed'): Decision => ({
  kind: 'allow',
  assurance: assuranceOf(proofs, false),
  why,
});

const noMethod = (unmet: boolean): Decision => ({ kind: 'refuse', why: 'no_method_available', unmet });

const enrol = (methods: readonly Method[], wayOut: WayOut, reason: EnrolReason): Decision => ({
  kind: 'enrol',
  methods,
  wayOut,
  reason,
  mailboxFirst: false,
});
