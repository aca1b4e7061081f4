import type { Origin } from '../audit/audit.ts';
import type { Json } from '../factors/factor.ts';
import { factorFor } from '../factors/index.ts';
import type { Decision } from '../policy/types.ts';
import { mayAnswer } from './answer-challenge.ts';
import type { Assessment } from './assess-sign-in.ts';
import type { KnownBrowser } from './known-browser.ts';
import { unknownBrowsers } from './recipient.ts';
import { type SendOutcome, sendStep } from './send-step.ts';
import type { Services } from './services.ts';
import { requestOf, type SignIn, signInStatement } from './sign-in-state.ts';
import { subjectFor } from './subject.ts';

export type ChallengeStart =
  | SendOutcome
  | { readonly kind: 'nothing_to_keep' }
  | { readonly kind: 'not_offered' };

/**
 * Begins the challenge of one factor: what it keeps is bound to this interaction and to this factor. A factor that keeps and sends
 * nothing (an authenticator app) costs no write.
 */
export async function startChallenge(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly assessment: Assessment;
    readonly challenge: Extract<Decision, { kind: 'challenge' }>;
    readonly factorId: string;
    readonly issuerName: string;
    readonly origin: Origin;
    readonly clientId: string;
    readonly browser: KnownBrowser;
  },
): Promise<ChallengeStart> {
  const { signIn, assessment, challenge, factorId } = input;
  const row = challenge.factors.some(({ id }) => id === factorId)
    ? assessment.factors.find(({ id }) => id === factorId)
    : undefined;
  if (!row) {
    return { kind: 'not_offered' };
  }
  const may = mayAnswer(assessment, challenge, row);
  const subject = {
    ...subjectFor(services, assessment.user, may, row.method, input.issuerName),
    mustVerify: challenge.userVerified,
  };
  const step = await factorFor(row.method).startChallenge(subject);
  if (step.keep === null && !step.send) {
    return { kind: 'nothing_to_keep' };
  }
  const { origin, clientId, browser } = input;
  const bucket = browser.bucketFor(assessment.user.id) ?? unknownBrowsers;
  const before = requestOf(signIn.state);
  const write = (kept: Json, shown: Json, sentAt: number | null) =>
    signInStatement(services, signIn, { ...signIn.state, challenge: { factorId, kept, shown, sentAt } });
  return sendStep(services, { ...assessment, origin, clientId, bucket }, step, write, before);
}
