import { type Acr, acr1fa, acr2fa, acrNamed, acrOf, acrPhr, acrs, reaches } from './assurance.ts';
import { oldestAllowed } from './proofs.ts';
import type { AssuranceRequest, EnrolReason, Facts, Method, Proof } from './types.ts';

/** What the application and the request ask for, beside any organization's policy and its grace. */
export interface Demand {
  readonly acr: Acr;
  /** Only a passkey whose authenticator verified its user will do. */
  readonly userVerified: boolean;
  /** The factor must have been proved at this instant or later; null where any time in the session will do. */
  readonly since: Date | null;
  readonly reason: EnrolReason;
}

/** The higher of what the application and the request ask for. */
export function demandOf({ application, request }: Pick<Facts, 'application' | 'request'>): Demand {
  const byApplication = applicationDemand(application.assurance);
  const byRequest = requestedAcr(request);
  const requestIsHigher = !reaches(byApplication.acr, byRequest);
  return {
    acr: requestIsHigher ? byRequest : byApplication.acr,
    userVerified: byApplication.userVerified,
    since: oldestFactor(request, byApplication.fresh),
    reason: { kind: requestIsHigher ? 'request' : 'application' },
  };
}

/** True where the request insists on an `acr` and names none that we know. */
export const isUnknown = ({ essential, acrValues }: AssuranceRequest): boolean =>
  essential !== false && acrValues.length > 0 && acrValues.every((value) => acrNamed(value) === null);

export const asksForNothing = (demand: Demand): boolean => demand.acr === acr1fa;

/** True where a factor of this method can meet the demand, once it is proved. */
export function canMeet(demand: Demand, method: Method): boolean {
  if (demand.acr === acrPhr) return method === 'passkey';
  return demand.acr !== acr2fa || method !== 'email';
}

export function isMetBy(demand: Demand, proofs: readonly Proof[]): boolean {
  return asksForNothing(demand) || proofs.some((proof) => meets(demand, proof));
}

function meets(demand: Demand, proof: Proof): boolean {
  if (demand.since !== null && (proof.ageUnknown === true || !(proof.at >= demand.since))) return false;
  if (demand.userVerified && proof.userVerified !== true) return false;
  return reaches(acrOf(proof), demand.acr);
}

function applicationDemand(assurance: string): { acr: Acr; userVerified: boolean; fresh: boolean } {
  switch (assurance) {
    case 'none':
      return { acr: acr1fa, userVerified: false, fresh: false };
    case 'second_factor':
      return { acr: acr2fa, userVerified: false, fresh: false };
    case 'fresh_second_factor':
      return { acr: acr2fa, userVerified: false, fresh: true };
    case 'passkey':
      return { acr: acrPhr, userVerified: true, fresh: false };
    default:
      return { acr: acrPhr, userVerified: true, fresh: true };
  }
}

// Any value of the list will do, so the weakest is what is asked for.
function requestedAcr({ acrValues }: AssuranceRequest): Acr {
  const known = acrValues.map(acrNamed);
  return acrs.find((acr) => known.includes(acr)) ?? acr1fa;
}

function oldestFactor({ startedAt, maxAge }: AssuranceRequest, fresh: boolean): Date | null {
  if (fresh) return startedAt;
  return maxAge === null ? null : oldestAllowed(startedAt, maxAge);
}
