import { approvalLifetime } from '../factors/device.ts';
import { factorFor } from '../factors/index.ts';
import { answerChallenge } from '../flows/answer-challenge.ts';
import { approvalOf, requestIn } from '../flows/approvals.ts';
import type { Assessment } from '../flows/assess-sign-in.ts';
import { type Ending, endingOf } from '../flows/finish-sign-in.ts';
import { issuerNameFor } from '../flows/home-organization.ts';
import { requestOf } from '../flows/sign-in-state.ts';
import { type ChallengeStart, startChallenge } from '../flows/start-challenge.ts';
import { streamEvent } from '../http/event-stream.ts';
import { wasSent } from '../http/factor-form.ts';
import type { Problem } from '../http/problems.ts';
import { blocked, notSent, wrong, wrongAnswer } from '../http/problems.ts';
import type { ConfirmedFactor } from '../policy/types.ts';
import { endOf, handOver } from './finish.ts';
import { type Next, nextAfter, nextOf } from './next.ts';
import { showChallenge, showRecovery, showWays } from './pages.ts';
import { onward, type StepOf, type Steps, stepOrFinish } from './steps.ts';
import { type Visit, visitOf } from './visit.ts';

type ShowNext = (visit: Visit, next: Next) => Promise<void>;

/** The second door: one of the person's factors answers. */
export function challengeRoutes({ site: { services }, get, postIn }: Steps, showNext: ShowNext): void {
  get('/ways', (visit, next) => (next.kind === 'challenge' ? showWays(visit, next) : showNext(visit, next)));

  postIn('challenge', '/challenge/:factorId/send', async (visit, next, form) => {
    const factorId = String(visit.ctx.params.factorId);
    const { challenge } = visit.signIn.state;
    if (wasSent(form, challenge?.factorId === factorId ? challenge.sentAt : null)) {
      return onward(visit, factorId);
    }
    const outcome = await begin(visit, next, factorId);
    const factor = next.decision.factors.find(({ id }) => id === factorId);
    const problem = notSent(visit, outcome);
    if (factor && problem) {
      return showWaiting(visit, next, factor, problem);
    }
    onward(visit, factorId);
  });

  postIn('challenge', '/challenge/:factorId', async (visit, next, form) => {
    const remember = form.remember === '1' || form.remember === 'on';
    const factorId = String(visit.ctx.params.factorId);
    const outcome = await answerChallenge(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      challenge: next.decision,
      factorId,
      answer: form,
      remember,
      browser: visit.browser,
      origin: visit.origin,
      clientId: visit.client.clientId,
      issuerName: issuerNameFor(next.assessment),
      ending: (signIn, assessment) => endingFor({ ...visit, signIn }, assessment),
    });
    const factor = next.decision.factors.find(({ id }) => id === factorId);
    if (outcome.kind === 'right') {
      const answered = { ...visit, signIn: outcome.signIn };
      return outcome.ended
        ? handOver(answered, outcome.assessment, outcome.ended)
        : stepOrFinish(answered, outcome.assessment);
    }
    if (!factor || outcome.kind === 'not_offered') {
      return onward(visit);
    }
    if (outcome.kind === 'waiting' || outcome.kind === 'declined' || outcome.kind === 'ended') {
      return showWaiting(visit, next, factor, null, remember);
    }
    const problem =
      outcome.kind === 'blocked'
        ? blocked(visit, outcome.retryAt)
        : wrong(wrongAnswer(factor.method, form, 'challenge'), form.code);
    if (isAskedAnew(factor)) {
      return showBegun(visit, factor, problem, remember, showNext);
    }
    await showWaiting(visit, next, factor, problem, remember);
  });

  /** Tells the page that waits for another device when it has answered. */
  get('/challenge/:factorId/events', async ({ ctx, signIn }, next) => {
    const request = requestOf(signIn.state);
    if (next.kind !== 'challenge' || request === null) {
      ctx.status = 204;
      return;
    }
    const { user } = next.assessment;
    streamEvent(ctx, 'answered', approvalLifetime, async () => {
      const { decision } = await approvalOf(services, user, request);
      return decision !== 'waiting';
    });
  });
}

/** Where nothing is left to ask, the sign-in ends in the same write as its last answer. What has more to write ends by itself. */
async function endingFor(visit: Visit, assessment: Assessment): Promise<Ending | null> {
  const next = await nextAfter(visit, assessment);
  return next.kind === 'finish' && visit.signIn.state.joining === null
    ? endingOf(visit.site.services, endOf(visit, next, null))
    : null;
}

/** The factor that was chosen, or the first; one that has to begin something begins it here. */
export async function showChosenChallenge(
  visit: Visit,
  next: StepOf<'challenge'>,
  showNext: ShowNext,
): Promise<void> {
  const wanted = visit.ctx.query.with;
  const { factors } = next.decision;
  const factor = factors.find(({ id }) => id === wanted) ?? factors[0];
  if (!factor) {
    return showRecovery(visit, next, null);
  }
  if (visit.signIn.state.challenge?.factorId === factor.id && !isAskedAnew(factor)) {
    return showWaiting(visit, next, factor, null);
  }
  const outcome = await begin(visit, next, factor.id);
  const problem = notSent(visit, outcome);
  if (problem || outcome.kind === 'nothing_to_keep') {
    return showWaiting(visit, next, factor, problem);
  }
  await showBegun(visit, factor, null, false, showNext);
}

/** What is signed here and now ends after minutes, so that it is asked for anew with each page. */
const isAskedAnew = ({ method }: ConfirmedFactor): boolean => {
  const { isSignature, waits } = factorFor(method);
  return isSignature === true && waits !== true;
};

/** The page of a challenge that stands; where another device is waited for, with what that has said. */
async function showWaiting(
  visit: Visit,
  next: StepOf<'challenge'>,
  factor: ConfirmedFactor,
  problem: Problem | null,
  remember = false,
): Promise<void> {
  const { challenge } = visit.signIn.state;
  const request = challenge?.factorId === factor.id ? requestIn(challenge.kept) : null;
  const word = request ? await approvalOf(visit.site.services, next.assessment.user, request) : null;
  showChallenge(visit, next, factor, problem, remember, word?.decision ?? null);
}

/** The page of a challenge as it is stored now; one that was used up is begun anew. */
async function showBegun(
  stale: Visit,
  factor: ConfirmedFactor,
  problem: Problem | null,
  remember: boolean,
  showNext: ShowNext,
): Promise<void> {
  const visit = await visitOf(stale.site, stale.ctx);
  const next = await nextOf(visit);
  if (next.kind !== 'challenge') {
    return showNext(visit, next);
  }
  if (visit.signIn.state.challenge?.factorId === factor.id) {
    return showWaiting(visit, next, factor, problem, remember);
  }
  await begin(visit, next, factor.id);
  await showWaiting(await visitOf(visit.site, visit.ctx), next, factor, problem, remember);
}

const begin = (visit: Visit, next: StepOf<'challenge'>, factorId: string): Promise<ChallengeStart> =>
  startChallenge(visit.site.services, {
    signIn: visit.signIn,
    assessment: next.assessment,
    challenge: next.decision,
    factorId,
    issuerName: issuerNameFor(next.assessment),
    origin: visit.origin,
    clientId: visit.client.clientId,
    browser: visit.browser,
  });
