import { isFirstStep, isSecondStep } from './proofs.ts';
import type { Assurance, Proof } from './types.ts';

export const acr1fa = 'urn:sallyport:acr:1fa';
export const acrRemembered = 'urn:sallyport:acr:remembered';
export const acr2sv = 'urn:sallyport:acr:2sv';
export const acr2fa = 'urn:sallyport:acr:2fa';
export const acrPhr = 'phr';

/** Every `acr` that is ever claimed, weakest first. */
export const acrs = [acr1fa, acrRemembered, acr2sv, acr2fa, acrPhr] as const;
export type Acr = (typeof acrs)[number];

const otherNames: ReadonlyMap<string, Acr> = new Map([
  ['mfa', acr2fa],
  ['http://schemas.openid.net/pape/policies/2007/06/multi-factor', acr2fa],
]);

/** The assurance that a requested value means, or null for a value that we do not know. */
export const acrNamed = (value: string): Acr | null =>
  acrs.find((acr) => acr === value) ?? otherNames.get(value) ?? null;

/** True where `acr` is as strong as `minimum`, or stronger. */
export const reaches = (acr: Acr, minimum: Acr): boolean => acrs.indexOf(acr) >= acrs.indexOf(minimum);

/** What a second step adds up to, after a first one. */
export function acrOf(proof: Proof): Acr {
  if (!isSecondStep(proof)) return acr1fa;
  if (proof.kind === 'passkey') return acrPhr;
  // E-mail is no second factor (NIST SP 800-63B-4, 3.1.3.1).
  return proof.kind === 'email' ? acr2sv : acr2fa;
}

/** What may be claimed of these proofs (contract.md, "Claims"): never more than was done. */
export function assuranceOf(proofs: readonly Proof[], remembered: boolean): Assurance {
  const acr = strongest(proofs);
  const provedAt = lastOf(proofs);
  if (remembered && acr === acr1fa && proofs.some(isFirstStep)) {
    return { acr: acrRemembered, amr: amrOf(proofs.filter(isFirstStep), acrRemembered), provedAt };
  }
  return { acr, amr: amrOf(proofs, acr), provedAt };
}

function lastOf(proofs: readonly Proof[]): Date | null {
  const moments = proofs.flatMap(({ kind, at, ageUnknown }) =>
    kind === 'mailbox' || ageUnknown === true ? [] : [at.getTime()],
  );
  return moments.length === 0 ? null : new Date(Math.max(...moments));
}

function strongest(proofs: readonly Proof[]): Acr {
  if (!proofs.some(isFirstStep)) return acr1fa;
  const given = proofs.map(acrOf);
  return acrs.findLast((acr) => given.includes(acr)) ?? acr1fa;
}

function amrOf(proofs: readonly Proof[], acr: Acr): readonly string[] {
  const identity = proofs.filter(({ kind }) => kind === 'password' || kind === 'upstream');
  const factors = proofs.filter(
    ({ kind }) => kind !== 'password' && kind !== 'upstream' && kind !== 'mailbox',
  );
  const values = [
    ...identity.flatMap(({ amr }) => amr),
    // Whether the user was verified is said by the authenticator's flag alone.
    ...factors.flatMap(({ amr }) => amr).filter((value) => value !== 'user'),
    ...(factors.some(isFirstStep) ? ['user'] : []),
  ].filter((value) => value !== 'mfa');
  return [...new Set(reaches(acr, acr2fa) ? [...values, 'mfa'] : values)];
}
