import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { isDuplicate, type Statement } from '../entities/database.ts';
import { addFactor, removeFactor } from '../entities/factors.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { useReset } from '../entities/two-factor-resets.ts';
import { disconnectUser, factorConfirmed, phoneProved } from '../entities/users.ts';
import type { Answer, Json, Step, Subject } from '../factors/factor.ts';
import { factorFor } from '../factors/index.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import { seal } from '../lib/seal.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { commonModels } from '../policy/fold.ts';
import type { Method } from '../policy/types.ts';
import type { Assessment } from './assess-sign-in.ts';
import { makeRecoveryCodes } from './make-recovery-codes.ts';
import type { StoredProof } from './proofs.ts';
import { securityMail } from './security-mail.ts';
import { type SendOutcome, sendStep } from './send-step.ts';
import type { Services } from './services.ts';
import { type SignIn, signInStatement } from './sign-in-state.ts';
import { factorDataPlace, subjectFor } from './subject.ts';

/**
 * Begins a set-up: from here on this interaction keeps what must not be shown, until it is confirmed or another method is chosen.
 * A factor that sends something is limited per person.
 */
export async function startEnrolment(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly assessment: Assessment;
    readonly method: Method;
    readonly issuerName: string;
    readonly origin: Origin;
    readonly clientId: string;
  },
): Promise<SendOutcome> {
  const { signIn, assessment, method } = input;
  const subject = newcomer(services, assessment, method, input.issuerName);
  const { enrolment } = signIn.state;
  const before = enrolment?.method === method ? enrolment.kept : null;
  return showStep(services, input, method, await factorFor(method).startEnrolment(subject, before));
}

/** The person who sets up; a passkey protects them everywhere, so that every organization of theirs has a word on its model. */
const newcomer = (
  services: Services,
  assessment: Assessment,
  method: Method,
  issuerName: string,
): Subject => {
  const { user, factors, memberships, facts } = assessment;
  const policies = memberships.length > 0 ? memberships.map(({ policy }) => policy) : [facts.instancePolicy];
  return {
    ...subjectFor(services, user, factors, method, issuerName),
    passkeyModels: commonModels(policies),
    passkeyRoots: services.settings.passkeyRoots,
  };
};

/** The next step of a set-up takes the place of the one before. */
const showStep = (
  services: Services,
  input: { signIn: SignIn; assessment: Assessment; origin: Origin; clientId: string },
  method: Method,
  step: Step,
): Promise<SendOutcome> => {
  const { signIn, assessment, origin, clientId } = input;
  const recipient = { ...assessment, origin, clientId };
  return sendStep(services, recipient, step, (kept, shown, sentAt) =>
    signInStatement(services, signIn, { ...signIn.state, enrolment: { method, kept, shown, sentAt } }),
  );
};

export type EnrolmentOutcome =
  | { readonly kind: 'confirmed'; readonly proof: StoredProof; readonly codes: readonly string[] | null }
  /** `error` where it can be said better than for all wrong answers. */
  | { readonly kind: 'wrong'; readonly error?: string }
  | { readonly kind: 'blocked'; readonly retryAt: Date | null }
  /** Nothing was proved yet: the next step of the set-up was begun, or could not be. */
  | { readonly kind: 'further'; readonly started: SendOutcome }
  | { readonly kind: 'not_started' };

/**
 * The one place where a set-up becomes a factor: by one right answer, which counts as its first use. The first factor brings eight
 * recovery codes with it; every remembered device is forgotten, and an admin's reset is answered.
 */
export async function confirmEnrolment(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly assessment: Assessment;
    /** Methods that may be set up now, as the decision says. */
    readonly methods: readonly Method[];
    readonly answer: Answer;
    readonly origin: Origin;
    readonly clientId: string;
    readonly issuerName: string;
    /** What people know it by; without it, the method's own name. */
    readonly name?: string | null;
    /** Writes that must happen with it, or nothing does. */
    readonly also?: readonly Statement[];
  },
): Promise<EnrolmentOutcome> {
  const { db, ring } = services;
  const { signIn, assessment } = input;
  const { user } = assessment;
  const { enrolment } = signIn.state;
  if (!enrolment || !input.methods.includes(enrolment.method)) {
    return { kind: 'not_started' };
  }
  const { method, kept } = enrolment;
  const event = { userId: user.id, clientId: input.clientId, data: { method } };

  // What was sent can be guessed; what is on the screen need not be.
  const rule = enrolment.sentAt === null ? rules.enrolment : rules.mailbox;
  const limit = limitSubject(rule, user.id);
  const attempt = await countAttempt(db, rule, limit);
  if (!attempt.ok) {
    return { kind: 'blocked', retryAt: attempt.retryAt };
  }
  const factor = factorFor(method);
  const subject = newcomer(services, assessment, method, input.issuerName);
  const enrolled = await factor.finishEnrolment(subject, kept as Json, input.answer);
  if (!enrolled.ok && enrolled.step) {
    return { kind: 'further', started: await showStep(services, input, method, enrolled.step) };
  }
  if (!enrolled.ok && enrolled.error !== undefined) {
    return { kind: 'wrong', error: enrolled.error };
  }
  if (!enrolled.ok) {
    await audit(db, input.origin, { ...event, type: 'factor.failed' });
    return { kind: 'wrong' };
  }

  const now = db.clock.now();
  const id = newId(now);
  const { replacing } = assessment;
  // A reset by mail takes everything that was there before, now that the new one has worked.
  const replaced = replacing
    ? assessment.factors
    : signIn.state.wantsSetup
      ? assessment.factors.filter((row) => row.method === method)
      : [];
  const isFirst =
    replacing !== null ||
    (assessment.factors.length === replaced.length && assessment.recoveryCodesLeft === 0);
  const codes = isFirst ? await makeRecoveryCodes(services, assessment) : null;
  const proof = {
    kind: method,
    at: now.getTime(),
    factorId: id,
    amr: [...factor.amr(enrolled.data)],
    userVerified: enrolled.userVerified,
  };
  const state = {
    ...signIn.state,
    proofs: [...signIn.state.proofs, proof],
    changed: true,
    enrolment: null,
    newRecoveryCodes: codes?.codes ?? null,
    recoveryNotice: null,
    wantsSetup: false,
  };
  const first = await inOne(db, [
    signInStatement(services, signIn, state),
    addFactor(db, {
      id,
      userId: user.id,
      method,
      name: input.name ?? null,
      data: seal(ring, factorDataPlace(user.id, id), JSON.stringify(enrolled.data)),
      lookup: enrolled.lookup === undefined ? null : digest(enrolled.lookup),
      model: enrolled.model ?? null,
      highWater: enrolled.highWater,
      now,
    }),
    ...replaced.map((row) => removeFactor(row.id)),
    factorConfirmed(user.id, user.security_version, now),
    ...(enrolled.phone === undefined ? [] : [phoneProved(user.id, enrolled.phone)]),
    ...(replacing ? replaceEverything(user.id, replacing.id, signIn.startedAt, state.proofs, now) : []),
    ...(codes?.statements ?? []),
    attemptSucceeded(limit),
    auditEvent(db, input.origin, { ...event, type: 'factor.added' }),
    ...securityMail(services, user, input.origin, {
      template: 'factor-added',
      values: { factor: factor.label },
      // With the first one come recovery codes, which whoever set it up has seen.
      undo: { closeFactors: [id], dropCodes: codes !== null },
    }),
    ...(input.also ?? []),
  ]);
  return first ? { kind: 'confirmed', proof, codes: codes?.codes ?? null } : { kind: 'wrong' };
}

/** The link is used up, and whoever else was signed in or remembered is not any more; this sign-in goes on. */
const replaceEverything = (
  userId: string,
  resetId: string,
  /** The page's script may have begun it before the first proof. */
  startedAt: Date,
  proofs: readonly { readonly at: number }[],
  now: Date,
): Statement[] => [
  useReset(resetId, now),
  forgetRememberedDevices(userId, now),
  disconnectUser(userId, new Date(Math.min(startedAt.getTime(), ...proofs.map(({ at }) => at)))),
  { sql: 'UPDATE users SET preferred_factor_id = NULL WHERE id = ?', values: [userId] },
];

/** False also where the credential is somebody's already: one key opens one account. */
async function inOne(db: Services['db'], statements: readonly Statement[]): Promise<boolean> {
  try {
    return await db.together(statements);
  } catch (error) {
    if (isDuplicate(error)) {
      return false;
    }
    throw error;
  }
}
