import { factorFor } from '../factors/index.ts';
import { confirmEnrolment, startEnrolment } from '../flows/enrol-factor.ts';
import { issuerNameFor } from '../flows/home-organization.ts';
import type { SendOutcome } from '../flows/send-step.ts';
import type { SignInState } from '../flows/sign-in-state.ts';
import { skipSetup } from '../flows/skip-setup.ts';
import { browserName } from '../http/device-name.ts';
import { wasSent } from '../http/factor-form.ts';
import type { Problem } from '../http/problems.ts';
import { blocked, notSent, wrong, wrongAnswer } from '../http/problems.ts';
import { type Method, methods } from '../policy/types.ts';
import { type Next, nextOf } from './next.ts';
import { showEnrol, showSetUp } from './pages.ts';
import { type Form, move, onward, onwardOrFinish, type StepOf, type Steps } from './steps.ts';
import { type Visit, visitOf } from './visit.ts';

type Enrol = StepOf<'enrol'>;

/** Setting up a factor on the way: choosing a method, confirming it by its first use, or leaving it for now. */
export function setUpRoutes(
  { site: { services }, get, postIn }: Steps,
  showNext: (visit: Visit, next: Next) => Promise<void>,
): void {
  /** "Choose another method". The one that was begun is dropped by the choice, not by looking at the page. */
  get('/enrol', (visit, next) =>
    next.kind !== 'enrol' || !visit.signIn.state.enrolment || next.decision.methods.length < 2
      ? showNext(visit, next)
      : showEnrol(visit, next, null),
  );

  postIn('enrol', '/enrol', async (visit, next, form) => {
    const method = methods.find((known) => known === form.method);
    if (!method || !next.decision.methods.includes(method)) {
      return showEnrol(visit, next, { error: 'Choose one of these ways.', status: 422 });
    }
    const outcome = await start(leaving(visit), next, method);
    const problem = notSent(visit, outcome);
    return problem ? showEnrol(visit, next, problem) : onward(visit);
  });

  postIn('enrol', '/enrol/send', async (visit, next, form) => {
    const { enrolment } = visit.signIn.state;
    if (!enrolment || wasSent(form, enrolment.sentAt)) {
      return showNext(visit, next);
    }
    const outcome = await start(visit, next, enrolment.method);
    const problem = notSent(visit, outcome);
    return problem ? showSetUp(visit, next, enrolment, problem) : onward(visit);
  });

  postIn('enrol', '/enrol/confirm', async (visit, next, form) => {
    const { enrolment } = visit.signIn.state;
    const outcome = await confirmEnrolment(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      methods: next.decision.methods,
      answer: form,
      name: enrolment && factorFor(enrolment.method).isSignature ? browserName(visit.origin.userAgent) : null,
      origin: visit.origin,
      clientId: visit.client.clientId,
      issuerName: issuerNameFor(next.assessment),
    });
    if (!enrolment || outcome.kind === 'confirmed' || outcome.kind === 'not_started') {
      return onward(visit);
    }
    if (outcome.kind === 'further') {
      const unsent = notSent(visit, outcome.started);
      return unsent ? showSetUp(visit, next, enrolment, { ...unsent, ...typedIn(form) }) : onward(visit);
    }
    const problem =
      outcome.kind === 'wrong'
        ? { ...wrong(outcome.error ?? wrongAnswer(enrolment.method, form, 'set_up'), ''), ...typedIn(form) }
        : blocked(visit, outcome.retryAt);
    await showBegun(visit, enrolment, problem, showNext);
  });

  /** "Skip for now" and "Not now" */
  postIn('enrol', '/skip', async (visit, next, form) => {
    if (next.wanted) {
      return move(visit, {
        ...visit.signIn.state,
        wantsSetup: false,
        recoveryNotice: null,
        enrolment: null,
      });
    }
    if (next.decision.wayOut.kind === 'none') {
      const error = 'The time in which this could be skipped is over.';
      return showEnrol(visit, next, { error, status: 422 });
    }
    await skipSetup(services, {
      signIn: visit.signIn,
      userId: next.assessment.user.id,
      wayOut: next.decision.wayOut,
      postpone: form.postpone === '1' || form.postpone === 'on',
      origin: visit.origin,
      clientId: visit.client.clientId,
    });
    await onwardOrFinish(visit);
  });
}

/** The set-up that was begun, or the choice of methods; where there is only one, it is begun. */
export async function showSetUpStep(visit: Visit, next: Enrol): Promise<void> {
  const { enrolment } = visit.signIn.state;
  const { methods: offered } = next.decision;
  if (enrolment && offered.includes(enrolment.method)) {
    return factorFor(enrolment.method).isSignature
      ? showBegun(visit, enrolment, null, async () => onward(visit))
      : showSetUp(visit, next, enrolment, null);
  }
  const [only, ...others] = offered;
  if (only && others.length === 0 && visit.ctx.method === 'GET') {
    const outcome = await start(visit, next, only);
    const problem = notSent(visit, outcome);
    return problem ? showEnrol(visit, next, problem) : onward(visit);
  }
  showEnrol(visit, next, null);
}

/** The set-up as it is stored now. What is to be signed ends after minutes, so it is asked for anew with each page. */
async function showBegun(
  stale: Visit,
  begun: NonNullable<SignInState['enrolment']>,
  problem: Problem | null,
  showNext: (visit: Visit, next: Next) => Promise<void>,
): Promise<void> {
  const visit = await visitOf(stale.site, stale.ctx);
  const next = await nextOf(visit);
  if (next.kind !== 'enrol') {
    return showNext(visit, next);
  }
  if (factorFor(begun.method).isSignature) {
    await start(visit, next, begun.method);
  }
  const fresh = await visitOf(stale.site, stale.ctx);
  showSetUp(fresh, next, fresh.signIn.state.enrolment ?? begun, problem);
}

/** A set-up that is left starts afresh, whichever method is chosen then. */
const leaving = (visit: Visit): Visit => ({
  ...visit,
  signIn: { ...visit.signIn, state: { ...visit.signIn.state, enrolment: null } },
});

/** What was typed, to be shown again beside what was wrong with it. */
const typedIn = ({ code, phone }: Form): { readonly typed: string } => {
  const typed = phone ?? code;
  return { typed: typeof typed === 'string' ? typed.slice(0, 64) : '' };
};

const start = (visit: Visit, next: Enrol, method: Method): Promise<SendOutcome> =>
  startEnrolment(visit.site.services, {
    signIn: visit.signIn,
    assessment: next.assessment,
    method,
    issuerName: issuerNameFor(next.assessment),
    origin: visit.origin,
    clientId: visit.client.clientId,
  });
