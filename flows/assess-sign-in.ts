import type { FactorRow } from '../entities/factors.ts';
import {
  policyFrom,
  readStoredPolicy,
  recordGraceStart,
  type UserMembership,
} from '../entities/memberships.ts';
import { personToAssess } from '../entities/people-to-assess.ts';
import { rememberedDevice } from '../entities/remembered-devices.ts';
import type { TwoFactorResetRow } from '../entities/two-factor-resets.ts';
import type { UserRow } from '../entities/users.ts';
import { factorFor } from '../factors/index.ts';
import { digest, sameDigest } from '../lib/digest.ts';
import { decide } from '../policy/decide.ts';
import { defaultPolicy } from '../policy/defaults.ts';
import { graceStart } from '../policy/grace.ts';
import type { AssuranceRequest, Decision, Facts, Method, RememberedDevice } from '../policy/types.ts';
import { choicesFrom, type StoredChoices, type StoredProof } from './proofs.ts';
import { resetOfLink } from './reset-two-factor.ts';
import type { Services } from './services.ts';
import { judgedProofs, type UpstreamSources, upstreamSources } from './upstream-proofs.ts';

/** A remembered browser as it shows itself: by the secret in its cookie, or by the session that it began. */
export type DeviceClaim =
  | { readonly kind: 'secret'; readonly id: string; readonly secret: string }
  | { readonly kind: 'session'; readonly id: string };

export interface SignInQuestion {
  readonly userId: string;
  readonly application: Facts['application'];
  readonly proofs: readonly StoredProof[];
  readonly choices: StoredChoices;
  readonly device: DeviceClaim | null;
  readonly request: AssuranceRequest;
  /** The secret of a link that this browser has followed, from a reset by mail. */
  readonly resetLink?: string | null;
}

export interface Assessment {
  readonly decision: Decision;
  readonly facts: Facts;
  readonly user: UserRow;
  readonly memberships: readonly UserMembership[];
  readonly factors: readonly FactorRow[];
  readonly recoveryCodesLeft: number;
  /** There were codes, and hardly any are left. */
  readonly recoveryCodesLow: boolean;
  readonly remembered: RememberedDevice | null;
  /** The remembered device's cookie was there and is worth nothing any more. */
  readonly deviceRejected: boolean;
  /** The reset by mail that the next set-up answers; null where there is none. */
  readonly replacing: TwoFactorResetRow | null;
  /** What the proofs by upstream providers rest on. */
  readonly upstream: UpstreamSources;
}

/**
 * The one caller of `decide`: sign-in, silent sign-in, refresh, device grant and step-up all ask here, each time anew, so a policy
 * that was turned on a second ago holds. Null where there is no such user, or not any more: nobody to decide about.
 *
 * @throws where anything that the decision needs cannot be read; nobody is let in because something is unknown
 */
export async function assessSignIn(services: Services, question: SignInQuestion): Promise<Assessment | null> {
  const { db } = services;
  const now = db.clock.now();
  const person = await personToAssess(db, question.userId);
  if (!person || person.user.disabled_at !== null) {
    return null;
  }
  const { user, memberships, factors } = person;
  const upstream = await upstreamSources(services, user, question.proofs);
  const recoveryCodesLeft = factors.length === 0 ? 0 : person.recoveryCodesLeft;
  const known = question.device ? await validDevice(services, user, question.device, now) : null;
  const remembered = user.fresh_factor_since === null ? known : null;
  const link = question.resetLink ? await resetOfLink(services, question.resetLink) : null;
  const replacing = link?.user_id === user.id ? link : null;

  const facts: Facts = {
    now,
    user: {
      factors: factors.map(({ id, method, model, disabled_at }) => ({
        id,
        method,
        model,
        usable: disabled_at === null,
      })),
      preferredFactorId: user.preferred_factor_id,
      recoveryCodesLeft,
      everHadFactor: user.had_factor_at !== null,
      resetAt: user.reset_at === null ? null : new Date(user.reset_at),
      isReplacing: replacing !== null,
      emailVerified: user.email_verified === 1,
      postponedUntil: user.postponed_until === null ? null : new Date(user.postponed_until),
    },
    memberships,
    instancePolicy:
      person.instancePolicy === null ? defaultPolicy : policyFrom(readStoredPolicy(person.instancePolicy)),
    available: services.available.filter((method) => isFor(method, user)),
    application: question.application,
    proofs: judgedProofs(question.proofs, upstream, { memberships, application: question.application }),
    choices: choicesFrom(question.choices),
    remembered,
    request: question.request,
  };
  await recordGrace(services, user, memberships);
  return {
    decision: decide(facts),
    facts,
    user,
    memberships,
    factors,
    recoveryCodesLeft,
    recoveryCodesLow: factors.length > 0 && person.recoveryCodesUsed > 0 && recoveryCodesLeft < fewCodes,
    remembered,
    deviceRejected: question.device?.kind === 'secret' && known === null,
    replacing,
    upstream,
  };
}

/** With fewer than so many recovery codes people are told to make new ones. */
const fewCodes = 3;

/** What was read a moment ago, asked again with what the person has proved since, in the same request. */
export function assessAgain(
  assessment: Assessment,
  proofs: readonly StoredProof[],
  choices: StoredChoices,
): Assessment {
  const facts = {
    ...assessment.facts,
    proofs: judgedProofs(proofs, assessment.upstream, assessment.facts),
    choices: choicesFrom(choices),
  };
  return { ...assessment, facts, decision: decide(facts) };
}

/** False where this person cannot set it up. */
export const isFor = (method: Method, user: UserRow): boolean =>
  factorFor(method).isFor?.({
    emailVerified: user.email_verified === 1,
    phoneVerified: user.phone_verified === 1,
  }) ?? true;

/** Grace starts once: where it began to run unseen, its beginning is written down, so that nothing later can move it. */
async function recordGrace(
  services: Services,
  user: UserRow,
  memberships: readonly UserMembership[],
): Promise<void> {
  const statements = memberships.flatMap((membership) => {
    const start = graceStart(membership);
    return start !== null && (membership.graceStartedAt === null || start < membership.graceStartedAt)
      ? [recordGraceStart(user.id, membership.organization.id, start)]
      : [];
  });
  for (const { sql, values } of statements) {
    await services.db.change(sql, values);
  }
}

async function validDevice(
  services: Services,
  user: UserRow,
  claim: DeviceClaim,
  now: Date,
): Promise<RememberedDevice | null> {
  const row = await rememberedDevice(services.db, claim.id);
  if (
    !row ||
    row.user_id !== user.id ||
    row.revoked_at !== null ||
    row.expires_at <= now.getTime() ||
    row.security_version !== user.security_version ||
    (claim.kind === 'secret' && !sameDigest(row.secret_digest, digest(claim.secret)))
  ) {
    return null;
  }
  return { id: row.id, createdAt: new Date(row.created_at), method: row.method };
}
