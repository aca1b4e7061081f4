import { type Demand, demandOf, isMetBy } from './demand.ts';
import { accepts, fold, type Rules } from './fold.ts';
import { countedProofs, isSecondStep } from './proofs.ts';
import type { Facts, Proof } from './types.ts';

/** The facts of one sign-in, with what follows from them. */
export interface SignIn extends Facts {
  /** Only those that count. */
  readonly proofs: readonly Proof[];
  readonly rules: Rules;
  readonly demand: Demand;
  readonly policyMet: boolean;
  readonly demandMet: boolean;
}

/** Works out what is asked of this sign-in and which of it has been proved. */
export function signInOf(facts: Facts): SignIn {
  const proofs = countedProofs(facts);
  const rules = fold(facts);
  const demand = demandOf(facts);
  const policyMet = proofs.some((proof) => satisfies(rules, facts, proof));
  return { ...facts, proofs, rules, demand, policyMet, demandMet: isMetBy(demand, proofs) };
}

/** True where this second step is enough for the covering policies. */
export function satisfies(rules: Rules, { user }: Pick<Facts, 'user'>, proof: Proof): boolean {
  if (!isSecondStep(proof)) return false;
  if (rules.requirement !== 'must') return true;
  // An upstream provider cannot tell us that it was a passkey of ours, so where only those are allowed it is not enough.
  if (proof.kind === 'upstream') return rules.methods.some((method) => method !== 'passkey');
  if (proof.kind === 'recovery_code') return user.factors.some((factor) => accepts(rules, factor));
  const factor = user.factors.find(({ id }) => id === proof.factorId);
  return factor !== undefined && accepts(rules, factor);
}
