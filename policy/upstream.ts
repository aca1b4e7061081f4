/** Whether an upstream provider's word for a second factor counts: where it is trusted, only with it, or not at all. */
export const upstreamSecondFactors = ['trusted', 'required', 'never'] as const;
export type UpstreamSecondFactor = (typeof upstreamSecondFactors)[number];

/** What an upstream provider is believed. Empty lists, as they are at first, believe nothing. */
export interface UpstreamTrust {
  readonly secondFactor: UpstreamSecondFactor;
  /** Each of these says that a second factor was used there. */
  readonly acr: readonly string[];
  /** These are passed on in `amr`; each but those of a single factor says that a second one was used. */
  readonly amr: readonly string[];
}

/** What the upstream provider's ID token said about the sign-in there. */
export interface UpstreamWord {
  readonly acr: string | null;
  readonly amr: readonly string[];
}

/** Values of RFC 8176 that a first factor alone can earn. */
const ofOneFactor: ReadonlySet<string> = new Set(['pwd', 'pin', 'kba', 'user', 'geo', 'rba', 'wia', 'email']);

/**
 * The `amr` of a proof: what the provider told and is believed, with `mfa` where that amounts to a second factor. Nothing that is not
 * on its list, so nothing at all where the list is empty.
 */
export function trustedAmr(trust: UpstreamTrust, word: UpstreamWord): readonly string[] {
  const believed = trust.amr.filter((value) => word.amr.includes(value) && value !== 'mfa');
  return saysSecondFactor(trust, word) ? [...believed, 'mfa'] : believed;
}

/** True where the provider says, in words that it is trusted with, that a second factor was used there. */
export function saysSecondFactor({ secondFactor, acr, amr }: UpstreamTrust, word: UpstreamWord): boolean {
  if (secondFactor !== 'trusted' && secondFactor !== 'required') return false;
  if (word.acr !== null && acr.includes(word.acr)) return true;
  return amr.some((value) => !ofOneFactor.has(value) && word.amr.includes(value));
}

/** Where an upstream provider stands to a person and to what they sign in to. */
export interface UpstreamStanding {
  /** Whose provider it is; null for the instance's own. */
  readonly organizationId: string | null;
  /** The organizations that the person belongs to. */
  readonly memberOf: readonly string[];
  /** The person's address is in a domain that the organization has proved to be its own. */
  readonly ownsAddress: boolean;
  /** Whose the application is; null for one that all share. */
  readonly applicationOf: string | null;
}

/**
 * True where the provider speaks for the person's first step. An organization's own speaks for its members only, and for somebody who
 * belongs to others too only where the address is the organization's: nobody gets into another organization by way of it.
 */
export const speaksFor = ({ organizationId, memberOf, ownsAddress }: UpstreamStanding): boolean =>
  organizationId === null ||
  (memberOf.includes(organizationId) && (ownsAddress || memberOf.every((id) => id === organizationId)));

/** True where its word for a second factor counts too: what one organization trusts is not what another does. */
export const isTrustedHere = ({ organizationId, memberOf, applicationOf }: UpstreamStanding): boolean =>
  organizationId === null ||
  (memberOf.every((id) => id === organizationId) &&
    (applicationOf === null || applicationOf === organizationId));
