import { type ConfirmedFactor, type Facts, methods, type Proof, type User } from './types.ts';

/** Password, upstream provider, or a passkey whose authenticator verified its user. */
export const isFirstStep = ({ kind, userVerified }: Proof): boolean =>
  kind === 'password' || kind === 'upstream' || (kind === 'passkey' && userVerified === true);

/** A factor, a recovery code, or an upstream provider that is trusted to have asked for a second factor itself. */
export const isSecondStep = ({ kind, amr }: Proof): boolean =>
  kind === 'recovery_code' ||
  (kind === 'upstream' && amr.includes('mfa')) ||
  methods.some((method) => method === kind);

/** The factors that can be asked for: confirmed, not disabled, and of a method that we know. */
export const usableFactors = ({ factors }: User): readonly ConfirmedFactor[] =>
  factors.filter(({ usable, method }) => usable === true && methods.includes(method));

/** The proofs that count for this request: by factors that can still be asked for, and not too old for what is asked. */
export function countedProofs(facts: Facts): readonly Proof[] {
  const from = countsFrom(facts);
  return standingProofs(facts).filter(
    ({ at, ageUnknown }) =>
      at.getTime() >= from && (from === Number.NEGATIVE_INFINITY || ageUnknown !== true),
  );
}

/** The instant, in milliseconds, before which nothing that was proved or chosen counts for this request. */
export function countsFrom(facts: Facts): number {
  const { startedAt, login, maxAge } = facts.request;
  if (login !== false) return startedAt.getTime();
  if (maxAge === null) return Number.NEGATIVE_INFINITY;
  // Proofs of the running sign-in must not bring older ones back, so they do not make the session young.
  const earlier = standingProofs(facts).filter(
    ({ kind, at, ageUnknown }) => kind !== 'mailbox' && ageUnknown !== true && at < startedAt,
  );
  const oldest = oldestAllowed(startedAt, maxAge);
  return earlier.some(({ at }) => at >= oldest) ? Number.NEGATIVE_INFINITY : startedAt.getTime();
}

/** The oldest authentication that `max_age` (in seconds) accepts. An age that makes no sense accepts none from before the request. */
export const oldestAllowed = (startedAt: Date, maxAge: number): Date =>
  new Date(startedAt.getTime() - (maxAge > 0 ? maxAge * 1000 : 0));

function standingProofs({ proofs, user }: Facts): readonly Proof[] {
  const usable = usableFactors(user);
  return proofs.filter(
    ({ kind, factorId }) =>
      ['password', 'upstream', 'recovery_code', 'mailbox'].includes(kind) ||
      usable.some(({ id, method }) => id === factorId && method === kind),
  );
}
