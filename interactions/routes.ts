import Router from '@koa/router';
import type { Context } from 'koa';
import { audit } from '../audit/audit.ts';
import { factorFor } from '../factors/index.ts';
import { answerChallenge } from '../flows/answer-challenge.ts';
import { checkPassword } from '../flows/check-password.ts';
import { confirmEnrolment, dropEnrolment, startEnrolment } from '../flows/enrol-factor.ts';
import { answerMailboxCode, sendMailboxCode } from '../flows/mailbox-code.ts';
import { signInWithPasskey, startPasskeySignIn } from '../flows/passkey-sign-in.ts';
import { emptyState, type SignInState, saveSignIn } from '../flows/sign-in-state.ts';
import { skipSetup } from '../flows/skip-setup.ts';
import { startChallenge } from '../flows/start-challenge.ts';
import { takeFirstStep } from '../flows/take-first-step.ts';
import { useRecoveryCode } from '../flows/use-recovery-code.ts';
import { formOf, requireCsrf } from '../http/csrf.ts';
import { RequestError } from '../http/errors.ts';
import type { Sentence } from '../http/pages.ts';
import { allowFormTargets } from '../http/security-headers.ts';
import { type ConfirmedFactor, type Method, methods } from '../policy/types.ts';
import { cancel, finish, refuse } from './finish.ts';
import { type Next, nextOf } from './next.ts';
import * as pages from './pages.ts';
import { type Site, type Visit, visitOf } from './visit.ts';

type StepOf<Kind extends Next['kind']> = Extract<Next, { kind: Kind }>;

const wrongPassword: Sentence = 'The e-mail address or the password is not right.';
const wrongCode: Sentence =
  'That code is not right, or was used already. Codes change every 30 seconds; enter the one shown now.';
const wrongPasskey: Sentence = 'That passkey could not be used here. Try again, or use another way.';
const wrongAnswer = (method: Method): Sentence => {
  if (method === 'totp') return wrongCode;
  return factorFor(method).isSignature ? wrongPasskey : wrongMailboxCode;
};
const wrongRecoveryCode: Sentence = 'That recovery code is not right, or was used already.';
const wrongMailboxCode: Sentence =
  'That code is not right, or has expired. Enter the newest one, or send a new one.';

/** The hosted sign-in. Each route checks what came, calls one flow and returns to `next`, which alone knows what follows. */
export function interactionRoutes(site: Site): Router {
  const router = new Router({ prefix: '/interaction/:uid' });
  const { services } = site;

  const get = (path: string, page: (visit: Visit, next: Next) => void | Promise<void>) =>
    router.get(path, async (ctx) => {
      const visit = await arrive(site, ctx);
      await page(visit, await nextOf(visit));
    });

  /** Forms: sent from one of our own pages, for this interaction. */
  const post = (path: string, act: (visit: Visit, form: ReturnType<typeof formOf>) => Promise<void>) =>
    router.post(path, async (ctx) => {
      const visit = await arrive(site, ctx);
      requireCsrf(ctx, services.ring, `interaction ${visit.uid}`);
      await act(visit, formOf(ctx));
    });

  get('/', showNext);

  get('/ways', (visit, next) =>
    next.kind === 'challenge' ? pages.showWays(visit, next) : showNext(visit, next),
  );

  get('/recovery', (visit, next) =>
    next.kind === 'challenge' && next.decision.recoveryCode
      ? pages.showRecovery(visit, next, null)
      : showNext(visit, next),
  );

  get('/restart', async (visit) => {
    await move(visit, emptyState);
  });

  get('/enrol', async (visit, next) => {
    if (next.kind === 'enrol' && visit.signIn.state.enrolment && next.decision.methods.length > 1) {
      await dropEnrolment(services, visit.signIn);
      pages.showEnrol(visit, next, null);
      return;
    }
    await showNext(visit, next);
  });

  post('/login', async (visit, form) => {
    const { origin, browser, client } = visit;
    const email = typeof form.email === 'string' ? form.email.slice(0, 320) : '';
    const outcome = await checkPassword(services, {
      email: form.email,
      password: form.password,
      browser,
      origin,
      clientId: client.clientId,
    });
    const next: StepOf<'sign_in'> = { kind: 'sign_in', assessment: null };
    switch (outcome.kind) {
      case 'wrong':
        return pages.showSignIn(visit, next, email, { error: wrongPassword, status: 422 });
      case 'blocked':
        return pages.showSignIn(visit, next, email, blocked(visit, outcome.retryAt));
      case 'right':
        await takeFirstStep(services, visit.signIn, outcome.user);
        onward(visit);
    }
  });

  /** What the browser is asked where a passkey is the whole sign-in; asked for by the page's script. */
  post('/passkey/question', async (visit) => {
    const question = await startPasskeySignIn(services, visit.signIn);
    if (question === null) {
      throw new RequestError('sign_in_moved_on');
    }
    visit.ctx.body = question;
  });

  post('/passkey', async (visit, form) => {
    const { signIn, origin, client } = visit;
    const right = await signInWithPasskey(services, {
      signIn,
      answer: form,
      origin,
      clientId: client.clientId,
    });
    if (right) {
      return onward(visit);
    }
    pages.showSignIn(visit, { kind: 'sign_in', assessment: null }, '', null, wrongPasskey);
  });

  post('/challenge/:factorId/send', async (visit) => {
    const next = await nextOf(visit);
    if (next.kind !== 'challenge') {
      return showNext(visit, next);
    }
    const factorId = String(visit.ctx.params.factorId);
    const outcome = await begin(visit, next, factorId);
    const factor = next.decision.factors.find(({ id }) => id === factorId);
    if (factor && outcome.kind === 'too_soon') {
      return pages.showChallenge(visit, next, factor, blocked(visit, outcome.retryAt));
    }
    onward(visit, factorId);
  });

  post('/challenge/:factorId', async (visit, form) => {
    const next = await nextOf(visit);
    if (next.kind !== 'challenge') {
      return showNext(visit, next);
    }
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
      issuerName: pages.issuerNameFor(next.assessment),
    });
    const factor = next.decision.factors.find(({ id }) => id === factorId);
    if (outcome.kind === 'right' || !factor || outcome.kind === 'not_offered') {
      return onward(visit);
    }
    const problem =
      outcome.kind === 'wrong'
        ? wrong(wrongAnswer(factor.method), form.code)
        : blocked(visit, outcome.retryAt);
    if (factorFor(factor.method).isSignature) {
      return showBegun(await visitOf(site, visit.ctx), factor, problem, remember);
    }
    pages.showChallenge(visit, next, factor, problem, remember);
  });

  post('/recovery', async (visit, form) => {
    const next = await nextOf(visit);
    if (next.kind !== 'challenge' || !next.decision.recoveryCode) {
      return showNext(visit, next);
    }
    const outcome = await useRecoveryCode(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      typed: form.code,
      browser: visit.browser,
      origin: visit.origin,
      clientId: visit.client.clientId,
    });
    if (outcome.kind === 'right') {
      site.cookie.write(visit.ctx, visit.browser.forgotten(next.assessment.user.id));
      return onward(visit);
    }
    const problem =
      outcome.kind === 'wrong' ? wrong(wrongRecoveryCode, form.code) : blocked(visit, outcome.retryAt);
    pages.showRecovery(visit, next, problem);
  });

  post('/recovery/continue', async (visit) => {
    const next = await nextOf(visit);
    if (next.kind !== 'recovery_notice') {
      return showNext(visit, next);
    }
    await move(visit, { ...visit.signIn.state, recoveryNotice: false });
  });

  post('/set-up-again', async (visit) => {
    const next = await nextOf(visit);
    if (next.kind !== 'recovery_notice') {
      return showNext(visit, next);
    }
    await move(visit, { ...visit.signIn.state, wantsSetup: true });
  });

  post('/enrol', async (visit, form) => {
    const next = await nextOf(visit);
    const method = methods.find((known) => known === form.method);
    if (next.kind !== 'enrol') {
      return showNext(visit, next);
    }
    if (!method || !next.decision.methods.includes(method)) {
      return pages.showEnrol(visit, next, { error: 'Choose one of these ways.', status: 422 });
    }
    const outcome = await start(visit, next, method);
    if (outcome.kind === 'too_soon') {
      return pages.showEnrol(visit, next, blocked(visit, outcome.retryAt));
    }
    onward(visit);
  });

  post('/enrol/send', async (visit) => {
    const next = await nextOf(visit);
    const { enrolment } = visit.signIn.state;
    if (next.kind !== 'enrol' || !enrolment) {
      return showNext(visit, next);
    }
    const outcome = await start(visit, next, enrolment.method);
    if (outcome.kind === 'too_soon') {
      return pages.showSetUp(visit, next, enrolment, blocked(visit, outcome.retryAt));
    }
    onward(visit);
  });

  post('/enrol/confirm', async (visit, form) => {
    const next = await nextOf(visit);
    if (next.kind !== 'enrol') {
      return showNext(visit, next);
    }
    const { enrolment } = visit.signIn.state;
    const outcome = await confirmEnrolment(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      methods: next.decision.methods,
      answer: form,
      origin: visit.origin,
      clientId: visit.client.clientId,
      issuerName: pages.issuerNameFor(next.assessment),
    });
    if (outcome.kind === 'confirmed' || outcome.kind === 'not_started' || !enrolment) {
      return onward(visit);
    }
    const problem =
      outcome.kind === 'wrong'
        ? wrong(wrongAnswer(enrolment.method), form.code)
        : blocked(visit, outcome.retryAt);
    pages.showSetUp(visit, next, enrolment, problem);
  });

  post('/skip', async (visit, form) => {
    const next = await nextOf(visit);
    if (next.kind !== 'enrol') {
      return showNext(visit, next);
    }
    if (next.wanted) {
      return move(visit, {
        ...visit.signIn.state,
        wantsSetup: false,
        recoveryNotice: false,
        enrolment: null,
      });
    }
    await skipSetup(services, {
      signIn: visit.signIn,
      userId: next.assessment.user.id,
      wayOut: next.decision.wayOut,
      postpone: form.postpone === '1' || form.postpone === 'on',
      origin: visit.origin,
      clientId: visit.client.clientId,
    });
    if (next.decision.wayOut.kind === 'none') {
      return pages.showEnrol(visit, next, {
        error: 'The time in which this could be skipped is over.',
        status: 422,
      });
    }
    onward(visit);
  });

  post('/mailbox', async (visit, form) => {
    const next = await nextOf(visit);
    if (next.kind !== 'mailbox') {
      return showNext(visit, next);
    }
    const outcome = await answerMailboxCode(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      typed: form.code,
      origin: visit.origin,
      clientId: visit.client.clientId,
    });
    if (outcome.kind === 'right') {
      return onward(visit);
    }
    const problem =
      outcome.kind === 'wrong' ? wrong(wrongMailboxCode, form.code) : blocked(visit, outcome.retryAt);
    pages.showMailbox(visit, next.assessment, problem);
  });

  post('/mailbox/send', async (visit) => {
    const next = await nextOf(visit);
    if (next.kind !== 'mailbox') {
      return showNext(visit, next);
    }
    const outcome = await sendCode(visit, next);
    if (outcome.kind === 'too_soon') {
      return pages.showMailbox(visit, next.assessment, blocked(visit, outcome.retryAt));
    }
    onward(visit);
  });

  post('/codes', async (visit, form) => {
    const next = await nextOf(visit);
    if (next.kind !== 'recovery_codes') {
      return showNext(visit, next);
    }
    if (form.saved === undefined) {
      return pages.showRecoveryCodes(visit, next, {
        error: 'Save the codes first, then say so here.',
        status: 422,
      });
    }
    await move(visit, { ...visit.signIn.state, newRecoveryCodes: null });
  });

  post('/codes/download', async (visit) => {
    const next = await nextOf(visit);
    if (next.kind !== 'recovery_codes') {
      return showNext(visit, next);
    }
    visit.ctx.attachment('recovery-codes.txt');
    visit.ctx.type = 'text/plain; charset=utf-8';
    visit.ctx.body = `${next.codes.join('\n')}\n`;
  });

  post('/consent', async (visit) => {
    const next = await nextOf(visit);
    if (next.kind !== 'consent') {
      return showNext(visit, next);
    }
    const { decision } = next.assessment;
    if (decision.kind !== 'allow') {
      throw new RequestError('sign_in_moved_on');
    }
    await finish(visit, { kind: 'finish', assessment: next.assessment, decision }, next.scopes.join(' '));
  });

  post('/cancel', cancel);

  async function showNext(visit: Visit, next: Next): Promise<void> {
    switch (next.kind) {
      case 'sign_in':
        return pages.showSignIn(visit, next, '', null);
      case 'challenge':
        return showChosenChallenge(visit, next);
      case 'mailbox':
        return showMailbox(visit, next);
      case 'enrol':
        return showEnrolment(visit, next);
      case 'recovery_codes':
        return pages.showRecoveryCodes(visit, next, null);
      case 'recovery_notice':
        return pages.showRecoveryNotice(visit, next);
      case 'consent':
        return pages.showConsent(visit, next);
      case 'refuse':
        return next.decision.unmet ? refuse(visit) : pages.showRefused(visit, next);
      case 'finish':
        return finish(visit, next, null);
    }
  }

  /** The factor that was chosen, or the first; one that has to begin something begins it here. */
  async function showChosenChallenge(visit: Visit, next: StepOf<'challenge'>): Promise<void> {
    const wanted = visit.ctx.query.with;
    const { factors } = next.decision;
    const factor = factors.find(({ id }) => id === wanted) ?? factors[0];
    if (!factor) {
      return pages.showRecovery(visit, next, null);
    }
    if (visit.signIn.state.challenge?.factorId === factor.id && !factorFor(factor.method).isSignature) {
      return pages.showChallenge(visit, next, factor, null);
    }
    const outcome = await begin(visit, next, factor.id);
    if (outcome.kind === 'too_soon') {
      return pages.showChallenge(visit, next, factor, blocked(visit, outcome.retryAt));
    }
    if (outcome.kind === 'nothing_to_keep') {
      return pages.showChallenge(visit, next, factor, null);
    }
    await showBegun(await visitOf(site, visit.ctx), factor, null);
  }

  /** The page of a challenge that was begun a moment ago, as it is stored. */
  async function showBegun(
    visit: Visit,
    factor: ConfirmedFactor,
    problem: pages.Problem | null,
    remember = false,
  ): Promise<void> {
    const next = await nextOf(visit);
    if (next.kind !== 'challenge') {
      return showNext(visit, next);
    }
    if (visit.signIn.state.challenge?.factorId !== factor.id) {
      await begin(visit, next, factor.id);
      return pages.showChallenge(await visitOf(site, visit.ctx), next, factor, problem, remember);
    }
    pages.showChallenge(visit, next, factor, problem, remember);
  }

  const begin = (visit: Visit, next: StepOf<'challenge'>, factorId: string) =>
    startChallenge(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      challenge: next.decision,
      factorId,
      issuerName: pages.issuerNameFor(next.assessment),
    });

  async function showMailbox(visit: Visit, next: StepOf<'mailbox'>): Promise<void> {
    if (visit.signIn.state.mailbox === null && visit.ctx.method === 'GET') {
      const outcome = await sendCode(visit, next);
      if (outcome.kind === 'started') {
        return onward(visit);
      }
    }
    pages.showMailbox(visit, next.assessment, null);
  }

  async function showEnrolment(visit: Visit, next: StepOf<'enrol'>): Promise<void> {
    const { enrolment } = visit.signIn.state;
    const [only, ...others] = next.decision.methods;
    if (enrolment && next.decision.methods.includes(enrolment.method)) {
      return pages.showSetUp(visit, next, enrolment, null);
    }
    if (only && others.length === 0 && visit.ctx.method === 'GET') {
      const outcome = await start(visit, next, only);
      if (outcome.kind !== 'too_soon') {
        return onward(visit);
      }
    }
    pages.showEnrol(visit, next, null);
  }

  const start = (visit: Visit, next: StepOf<'enrol'>, method: (typeof methods)[number]) =>
    startEnrolment(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      method,
      issuerName: pages.issuerNameFor(next.assessment),
    });

  const sendCode = (visit: Visit, next: StepOf<'mailbox'>) =>
    sendMailboxCode(services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      origin: visit.origin,
      clientId: visit.client.clientId,
    });

  /** Writes the next state of the sign-in and goes on. */
  async function move(visit: Visit, state: SignInState): Promise<void> {
    await saveSignIn(services, visit.signIn, state);
    onward(visit);
  }

  return router;
}

async function arrive(site: Site, ctx: Context): Promise<Visit> {
  const visit = await visitOf(site, ctx);
  allowFormTargets(ctx, [String(visit.interaction.params.redirect_uri ?? site.provider.issuer)]);
  const { tampered } = site.cookie.read(ctx);
  if (tampered) {
    site.cookie.write(ctx, visit.browser);
    await audit(site.services.db, visit.origin, { type: 'device.rejected', clientId: visit.client.clientId });
  }
  return visit;
}

/** Back to the one page that knows what follows. A form that came second finds there what the first one did. */
function onward(visit: Visit, factorId?: string): void {
  visit.ctx.status = 303;
  visit.ctx.redirect(
    `/interaction/${visit.uid}${factorId === undefined ? '' : `?with=${encodeURIComponent(factorId)}`}`,
  );
}

const wrong = (error: Sentence, typed: unknown): pages.Problem => ({
  error,
  typed: typeof typed === 'string' ? typed.slice(0, 64) : '',
  status: 422,
});

function blocked(visit: Visit, retryAt: Date | null): pages.Problem {
  if (retryAt === null) {
    return {
      error:
        'There were too many wrong tries, so this way is closed. Use another way, or ask your administrator.',
      status: 429,
    };
  }
  const left = retryAt.getTime() - visit.site.services.db.clock.now().getTime();
  const seconds = Math.max(1, Math.ceil(left / 1000));
  visit.ctx.set('Retry-After', String(seconds));
  const wait: Sentence =
    seconds < 90
      ? {
          sentence:
            'Too many wrong tries. Try again in {n} second.|Too many wrong tries. Try again in {n} seconds.',
          values: { n: seconds },
        }
      : {
          sentence:
            'Too many wrong tries. Try again in {n} minute.|Too many wrong tries. Try again in {n} minutes.',
          values: { n: Math.ceil(seconds / 60) },
        };
  return { error: wait, status: 429 };
}
