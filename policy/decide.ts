import { assuranceOf } from './assurance.ts';
import { challenge, furtherChallenge, instead, isRemembered } from './challenge.ts';
import { isUnknown } from './demand.ts';
import { isFirstStep, isSecondStep } from './proofs.ts';
import { setUp, setUpAfterReset, setUpInPlace } from './set-up.ts';
import { signInOf } from './sign-in.ts';
import type { Decision, Facts } from './types.ts';

/**
 * What has to happen next in a sign-in (product.md, section 2). It holds for this very request, so it is asked again for
 * every one. What it cannot read is never to the person's advantage.
 */
export function decide(facts: Facts): Decision {
  const signIn = signInOf(facts);
  const { proofs, user, request, policyMet, demandMet } = signIn;

  if (!proofs.some(isFirstStep)) return { kind: 'sign_in' };
  if (user.resetAt !== null) return setUpAfterReset(signIn, user.resetAt);
  if (user.isReplacing === true) return setUpInPlace(signIn);
  if (isUnknown(request)) return { kind: 'refuse', why: 'unknown_acr', unmet: true };
  if (policyMet && demandMet)
    return { kind: 'allow', assurance: assuranceOf(proofs, false), why: 'satisfied' };
  if (user.factors.length === 0) return setUp(signIn);
  if (isRemembered(signIn)) return { kind: 'allow', assurance: assuranceOf(proofs, true), why: 'remembered' };
  if (!proofs.some(isSecondStep)) return challenge(signIn);
  const isLost = signIn.proofs.some(({ kind, at }) => kind === 'recovery_code' && at >= request.startedAt);
  return (isLost ? null : furtherChallenge(signIn)) ?? instead(signIn) ?? setUp(signIn);
}
