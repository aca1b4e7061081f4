import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { closeApprovals, consumeApproval } from '../entities/approvals.ts';
import type { Statement } from '../entities/database.ts';
import {
  countAttempt as countFactorAttempt,
  type FactorRow,
  failuresOf,
  failuresUntilDisabled,
  useFactor,
} from '../entities/factors.ts';
import { refreshDirectory } from '../entities/member-directory.ts';
import type { UserRow } from '../entities/users.ts';
import type { Approval } from '../factors/device.ts';
import type { Answer } from '../factors/factor.ts';
import { factorFor } from '../factors/index.ts';
import { seal } from '../lib/seal.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Decision } from '../policy/types.ts';
import { approvalOf, askLimit, requestIn } from './approvals.ts';
import { type Assessment, assessAgain } from './assess-sign-in.ts';
import type { Ending, FinishedSignIn } from './finish-sign-in.ts';
import type { KnownBrowser } from './known-browser.ts';
import { sendLimit } from './message-limits.ts';
import { unknownBrowsers } from './recipient.ts';
import { securityMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { type SignIn, saveSignIn, signInStatement, written } from './sign-in-state.ts';
import { factorDataPlace, subjectFor } from './subject.ts';

export type ChallengeOutcome =
  /** The sign-in with what was proved, and what the policy says to it; `ended` where nothing was left to ask. */
  | {
      readonly kind: 'right';
      readonly signIn: SignIn;
      readonly assessment: Assessment;
      readonly ended: FinishedSignIn | null;
    }
  | { readonly kind: 'wrong' }
  /** Another device has not answered yet, has said no, or nobody answered in time. */
  | { readonly kind: 'waiting' | 'declined' | 'ended' }
  | { readonly kind: 'blocked'; readonly retryAt: Date | null }
  /** The factor is not among those that may answer now. */
  | { readonly kind: 'not_offered' };

type Challenge = Extract<Decision, { kind: 'challenge' }>;

/**
 * The one place where a second factor is accepted during a sign-in, whatever its method. The attempt is counted before it is
 * checked, twice: softly per factor and browser, with waits that grow, and per factor for good, up to a hundred in a row. What is
 * right is decided by the write: the factor's mark must grow, and the sign-in must be as it was read.
 */
export async function answerChallenge(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly assessment: Assessment;
    readonly challenge: Challenge;
    readonly factorId: string;
    readonly answer: Answer;
    readonly remember: boolean;
    readonly browser: KnownBrowser;
    readonly origin: Origin;
    readonly clientId: string;
    readonly issuerName: string;
    /** What the sign-in ends with, where this answer is the last thing that it needs: written together with it. */
    readonly ending: (signIn: SignIn, assessment: Assessment) => Promise<Ending | null>;
  },
): Promise<ChallengeOutcome> {
  const { db, ring } = services;
  const { signIn, assessment, challenge } = input;
  const { user } = assessment;
  const row = challenge.factors.some(({ id }) => id === input.factorId)
    ? assessment.factors.find(({ id }) => id === input.factorId)
    : undefined;
  if (!row) {
    return { kind: 'not_offered' };
  }

  const event = { userId: user.id, clientId: input.clientId, data: { method: row.method, factor: row.id } };
  const bucket = input.browser.bucketFor(user.id) ?? unknownBrowsers;
  const factor = factorFor(row.method);
  const subject = limitSubject(rules.factor, row.id, String(row.confirmed_at), bucket);
  const attempt = factor.isSignature
    ? ({ ok: true } as const)
    : await countAttempt(db, rules.factor, subject);
  if (!attempt.ok) {
    await audit(db, input.origin, { ...event, type: 'factor.blocked' });
    return { kind: 'blocked', retryAt: attempt.retryAt };
  }
  if (!factor.isSignature && !(await countFactorAttempt(db, row.id, db.clock.now()))) {
    await audit(db, input.origin, { ...event, type: 'factor.blocked' });
    return { kind: 'blocked', retryAt: null };
  }

  const may = mayAnswer(assessment, challenge, row);
  const kept = signIn.state.challenge?.factorId === row.id ? signIn.state.challenge.kept : null;
  const request = requestIn(kept);
  const word = request ? await approvalOf(services, user, request) : null;
  const outcome = await factor.verify(
    subjectFor(services, user, may, row.method, input.issuerName),
    kept,
    factor.waits ? { ...input.answer, approval: word } : input.answer,
  );
  if (
    !outcome.ok &&
    factor.waits &&
    (outcome.reason === 'pending' || outcome.reason === 'declined' || outcome.reason === 'expired')
  ) {
    return { kind: endings[outcome.reason] };
  }
  const answered = outcome.ok ? may.find(({ id }) => id === outcome.factorId) : undefined;
  const unverified =
    outcome.ok && challenge.userVerified && row.method === 'passkey' && !outcome.userVerified;
  if (!outcome.ok || !answered || unverified) {
    const isCopied = !outcome.ok && outcome.reason === 'copied';
    await failed(services, input, row, event, isCopied ? copied(services, user, input.origin, row) : []);
    return { kind: 'wrong' };
  }

  const now = db.clock.now();
  const proof = {
    kind: row.method,
    at: now.getTime(),
    factorId: answered.id,
    amr: [...factor.amr(outcome.data)],
    userVerified: outcome.userVerified,
  };
  const remember =
    input.remember && challenge.rememberDays !== null
      ? {
          method: row.method,
          days: challenge.rememberDays,
          securityVersion: user.security_version,
          at: now.getTime(),
        }
      : null;
  const state = {
    ...signIn.state,
    proofs: [...signIn.state.proofs, proof],
    changed: true,
    challenge: null,
    remember,
  };
  const after = assessAgain(assessment, state.proofs, state.choices);
  const ending = await input.ending({ ...signIn, state }, after);
  const first = await db.together([
    useFactor(
      answered.id,
      outcome.highWater,
      seal(ring, factorDataPlace(user.id, answered.id), JSON.stringify(outcome.data)),
      now,
    ),
    ...(ending ? ending.statements : [signInStatement(services, signIn, state)]),
    attemptSucceeded(subject),
    ...(request
      ? [takeApproval(services, user, request, word), attemptSucceeded(askLimit(user.id, bucket))]
      : []),
    // What was sent has come to the right one.
    ...(signIn.state.challenge?.sentAt && !request
      ? [attemptSucceeded(sendLimit(user.id, row.method === 'sms' ? 'sms' : 'email', 'proof', bucket))]
      : []),
  ]);
  if (!first) {
    await failed(services, input, row, event);
    return { kind: 'wrong' };
  }
  return {
    kind: 'right',
    signIn: written(signIn, state),
    assessment: after,
    ended: ending?.finished ?? null,
  };
}

const endings = { pending: 'waiting', declined: 'declined', expired: 'ended' } as const;

/**
 * The sign-in takes the "yes" of the other device, once, and only while nobody has said "no". Where nothing was said, this browser has
 * signed itself, and nobody else need answer any more.
 */
function takeApproval({ db }: Services, { id }: UserRow, request: string, word: Approval | null): Statement {
  const now = db.clock.now();
  return word?.decision === 'approved' ? consumeApproval(request, now) : closeApprovals(id, request, now);
}

/** The factor that was asked for; for signatures, any of the offered ones of its method. */
export const mayAnswer = (assessment: Assessment, challenge: Challenge, row: FactorRow): FactorRow[] =>
  factorFor(row.method).isSignature
    ? assessment.factors.filter(
        ({ id, method }) => method === row.method && challenge.factors.some((offered) => offered.id === id),
      )
    : [row];

/** A passkey answered with a counter that it has left behind: somebody may have a copy. Told once until it is used again. */
export const copied = (services: Services, user: UserRow, origin: Origin, row: FactorRow): Statement[] => [
  auditEvent(services.db, origin, {
    type: 'factor.copied',
    userId: user.id,
    data: { method: row.method, factor: row.id },
  }),
  ...securityMail(services, user, origin, {
    template: 'account-changed',
    values: { change: 'passkey_copied', what: row.name ?? '' },
    undo: { closeFactors: [row.id] },
    key: `passkey-copied ${row.id} ${row.last_used_at ?? 0}`,
  }),
];

/** After so many wrong answers in a row the person is told once, since somebody may have the password. */
const failuresUntilTold = 5;

async function failed(
  services: Services,
  input: { readonly origin: Origin; readonly assessment: Assessment; readonly signIn: SignIn },
  row: FactorRow,
  event: { userId: string; clientId: string; data: { method: string; factor: string } },
  also: readonly Statement[] = [],
): Promise<void> {
  const { db } = services;
  const { user } = input.assessment;
  const failures = await failuresOf(db, row.id);
  const { isSignature, waits } = factorFor(row.method);
  if (isSignature && !waits && input.signIn.state.challenge) {
    await saveSignIn(services, input.signIn, { ...input.signIn.state, challenge: null });
  }
  await db.together([
    auditEvent(db, input.origin, { ...event, type: 'factor.failed' }),
    ...also,
    ...(failures === failuresUntilDisabled
      ? [auditEvent(db, input.origin, { ...event, type: 'factor.disabled' }), refreshDirectory([user.id])]
      : []),
    ...(failures >= failuresUntilTold
      ? securityMail(services, user, input.origin, {
          template: 'sign-in-stopped',
          values: { applicationName: null },
          key: `sign-in-stopped ${row.id} ${row.last_used_at ?? 0}`,
        })
      : []),
  ]);
}
