import { acr2fa, acrOf, acrRemembered, reaches } from './assurance.ts';
import { days } from './days.ts';
import { asksForNothing, canMeet } from './demand.ts';
import { accepts } from './fold.ts';
import { usableFactors } from './proofs.ts';
import type { SignIn } from './sign-in.ts';
import { type ConfirmedFactor, type Decision, methods } from './types.ts';

/** Asks for what the user has; where nothing of it meets what is asked, a method that does is set up afterwards. */
export function challenge(signIn: SignIn): Decision {
  const { user, rules, demand } = signIn;
  const usable = orAll(usableFactors(user), isAvailable(signIn));
  const recoveryCode = user.recoveryCodesLeft > 0;
  if (usable.length === 0 && !recoveryCode) {
    return { kind: 'refuse', why: 'no_usable_factor', unmet: !asksForNothing(demand) };
  }

  const allowed = orAll(usable, (factor) => accepts(rules, factor));
  const able = orAll(allowed, ({ method }) => canMeet(demand, method));
  return offer(signIn, able, recoveryCode);
}

/** Asks for another factor that meets what the proved ones do not; null where the user has none. */
export function furtherChallenge(signIn: SignIn): Decision | null {
  const { user, rules, demand, policyMet, demandMet } = signIn;
  const forPolicy = (factor: ConfirmedFactor) => accepts(rules, factor);
  const forDemand = ({ method }: ConfirmedFactor) => canMeet(demand, method);
  const helpful = usableFactors(user).filter(
    (factor) => (!policyMet && forPolicy(factor)) || (!demandMet && forDemand(factor)),
  );
  if (helpful.length === 0) return null;

  const best = orAll(
    orAll(helpful, isAvailable(signIn)),
    (factor) => (policyMet || forPolicy(factor)) && (demandMet || forDemand(factor)),
  );
  return offer(signIn, best, user.recoveryCodesLeft > 0 && recoveryCodeWouldDo(signIn));
}

/** A factor that cannot be asked for at the moment (no gateway for text messages) is offered only where nothing else is left. */
const isAvailable =
  ({ available }: SignIn) =>
  ({ method }: ConfirmedFactor): boolean =>
    available.includes(method);

/**
 * Where what is asked could have been met by a factor that is closed after too many wrong answers, something weaker is no way to bind
 * another in its place: a recovery code is asked for, or an administrator. Null where no such factor stands in the way.
 */
export function instead(signIn: SignIn): Decision | null {
  const { user, rules, demand, proofs, policyMet, demandMet } = signIn;
  const proved = proofs.map(acrOf);
  const isAsked = (factor: ConfirmedFactor): boolean =>
    (!demandMet && canMeet(demand, factor.method)) || (!policyMet && accepts(rules, factor));
  const isWeaker = (factor: ConfirmedFactor): boolean =>
    factor.method !== 'email' && !proved.some((acr) => reaches(acr, acr2fa));
  const isRequired = !demandMet || rules.requirement === 'must';
  if (
    !isRequired ||
    !user.factors.some((factor) => factor.usable !== true && isAsked(factor) && isWeaker(factor))
  ) {
    return null;
  }
  return user.recoveryCodesLeft > 0
    ? offer(signIn, [], true)
    : { kind: 'refuse', why: 'no_usable_factor', unmet: !demandMet };
}

/** True where the remembered device may stand in for a factor; nothing is ever claimed for it (product.md, rule 9). */
export function isRemembered(signIn: SignIn): boolean {
  const { remembered, rules, user, now } = signIn;
  if (remembered === null || !mayBeRemembered(signIn)) return false;
  const isOfIt = (factor: ConfirmedFactor) => factor.method === remembered.method && accepts(rules, factor);
  if (!usableFactors(user).some(isOfIt)) return false;
  if (!(remembered.createdAt >= rules.changedAt)) return false;
  return remembered.createdAt.getTime() + days(rules.rememberDays) > now.getTime();
}

function offer(signIn: SignIn, factors: readonly ConfirmedFactor[], recoveryCode: boolean): Decision {
  const { user, rules, proofs } = signIn;
  const afterRecovery = proofs.some(({ kind }) => kind === 'recovery_code');
  const allowed = factors.some((factor) => accepts(rules, factor));
  return {
    kind: 'challenge',
    userVerified: signIn.demand.userVerified,
    factors: inOrder(factors, user.preferredFactorId),
    recoveryCode,
    rememberDays: mayBeRemembered(signIn) && allowed && !afterRecovery ? rules.rememberDays : null,
  };
}

const mayBeRemembered = ({ rules, demand }: SignIn): boolean =>
  rules.rememberDays > 0 && reaches(acrRemembered, demand.acr);

function recoveryCodeWouldDo({ user, rules, demand, policyMet, demandMet }: SignIn): boolean {
  const forPolicy = user.factors.some((factor) => accepts(rules, factor));
  return (!policyMet && forPolicy) || (!demandMet && reaches(acr2fa, demand.acr));
}

const inOrder = (factors: readonly ConfirmedFactor[], preferredId: string | null) =>
  factors.toSorted(
    (a, b) =>
      Number(b.id === preferredId) - Number(a.id === preferredId) ||
      methods.indexOf(a.method) - methods.indexOf(b.method),
  );

const orAll = <T>(all: readonly T[], suits: (one: T) => boolean): readonly T[] => {
  const suitable = all.filter(suits);
  return suitable.length > 0 ? suitable : all;
};
