import { standingUpstreamSignIns, type UpstreamSourceRow } from '../entities/upstream-links.ts';
import { readUpstreamSettings } from '../entities/upstream-providers.ts';
import type { UserRow } from '../entities/users.ts';
import type { Facts, Proof } from '../policy/types.ts';
import { isTrustedHere, saysSecondFactor, speaksFor, trustedAmr } from '../policy/upstream.ts';
import { proofFrom, type StoredProof } from './proofs.ts';
import type { Services } from './services.ts';
import { domainOf } from './upstreams.ts';

/** The sign-ins at upstream providers that a person's proofs rest on, as far as they still stand. */
export type UpstreamSources = ReadonlyMap<string, UpstreamSourceRow>;

/** Asked for only where there is such a proof. */
export async function upstreamSources(
  { db }: Pick<Services, 'db'>,
  user: Pick<UserRow, 'id' | 'email' | 'email_verified'>,
  proofs: readonly StoredProof[],
): Promise<UpstreamSources> {
  const ids = [
    ...new Set(proofs.flatMap(({ kind, factorId }) => (kind === 'upstream' && factorId ? [factorId] : []))),
  ];
  if (ids.length === 0) return new Map();
  const domain = user.email_verified === 1 ? domainOf(user.email) : '';
  const rows = await standingUpstreamSignIns(db, user.id, ids, domain);
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * Proofs as the policy sees them. What an upstream provider said is judged by what it is trusted with at this moment: where that was
 * taken back, where the link is gone, or where the provider has ended its session, the proof is gone too.
 */
export function judgedProofs(
  stored: readonly StoredProof[],
  sources: UpstreamSources,
  { memberships, application }: Pick<Facts, 'memberships' | 'application'>,
): Proof[] {
  return stored.flatMap((proof) => {
    if (proof.kind !== 'upstream') return [proofFrom(proof)];
    const source = proof.factorId === null ? undefined : sources.get(proof.factorId);
    const { upstream } = proof;
    if (!source || !upstream) return [];
    const { secondFactor, trusted } = readUpstreamSettings(source.settings);
    const trust = { secondFactor, ...trusted };
    const standing = {
      organizationId: source.organization_id,
      memberOf: memberships.map(({ organization }) => organization.id),
      ownsAddress: source.owns_domain > 0,
      applicationOf: application.organizationId,
    };
    if (!speaksFor(standing) || (secondFactor === 'required' && !saysSecondFactor(trust, upstream)))
      return [];
    return [
      {
        ...proofFrom(proof),
        amr: isTrustedHere(standing) && source.speaks_for_factor === 1 ? trustedAmr(trust, upstream) : [],
        ageUnknown: upstream.ageUnknown,
      },
    ];
  });
}
