import { factorFor } from '../factors/index.ts';
import { stillSignedIn } from '../flows/actor.ts';
import { confirmEnrolment, startEnrolment } from '../flows/enrol-factor.ts';
import { issuerNameFor } from '../flows/home-organization.ts';
import { beginSetUp, endSetUp, findSetUp, methodsToAdd, type SetUp } from '../flows/set-up.ts';
import { browserName } from '../http/device-name.ts';
import { methodChoices, resendForm, shownFactor, wasSent } from '../http/factor-form.ts';
import type { Common } from '../http/pages.ts';
import { blocked, notSent, type Problem, wrong, wrongAnswer } from '../http/problems.ts';
import { sendCodesFile } from '../http/recovery-codes-file.ts';
import { common, show } from '../http/show.ts';
import type { Form, SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { type Method, methods } from '../policy/types.ts';
import { ownClientId } from '../provider/own-application.ts';
import { raiseSession } from '../provider/raise-session.ts';
import { done } from './factors.ts';
import { savedCodesHead } from './recovery-codes.ts';
import { dangerous, own } from './rules.ts';
import { section } from './section.ts';

/** Adding a factor from the account: the same steps and views as on the way of a sign-in. */
export function setUpRoutes({ get, post }: SignedInRoutes): void {
  get('/two-factor/add', dangerous, (visit) => chooseMethod(visit, null));

  post('/two-factor/add', { ...dangerous, keeps: ['method'] }, async (visit, form) => {
    const offered = methodsToAdd(visit.site.services, visit.assessment);
    const method = methods.find((known) => known === form.method);
    if (form.method === undefined) {
      return chooseMethod(visit, null);
    }
    if (!method || !offered.includes(method)) {
      return chooseMethod(visit, { error: 'Choose one of these ways.', status: 422 });
    }
    const setUp = beginSetUp(visit.site.services, visit.actor);
    const problem = await start(visit, setUp, method);
    return problem ? chooseMethod(visit, problem) : onward(visit, setUp.id);
  });

  get('/set-up/:id', own, async (visit) => {
    const setUp = await current(visit);
    return setUp ? showStep(visit, setUp, null) : gone(visit);
  });

  post('/set-up/:id/send', own, async (visit, form) => {
    const setUp = await current(visit);
    if (!setUp?.signIn.state.enrolment) {
      return gone(visit);
    }
    if (wasSent(form, setUp.signIn.state.enrolment.sentAt)) {
      return onward(visit, setUp.id);
    }
    const problem = await start(visit, setUp, setUp.signIn.state.enrolment.method);
    return problem ? showStep(visit, setUp, problem) : onward(visit, setUp.id);
  });

  post('/set-up/:id', own, async (visit, form) => {
    const setUp = await current(visit);
    if (!setUp?.signIn.state.enrolment) {
      return setUp ? showStep(visit, setUp, null) : gone(visit);
    }
    return confirm(visit, setUp, setUp.signIn.state.enrolment.method, form);
  });

  post('/set-up/:id/codes', own, async (visit, form) => {
    const setUp = await current(visit);
    if (!setUp) {
      return gone(visit);
    }
    if (form.saved === undefined) {
      return showStep(visit, setUp, { error: 'Save the codes first, then say so here.', status: 422 });
    }
    await endSetUp(visit.site.services, setUp);
    done(visit, 'Your recovery codes are ready. Keep them apart from your phone.');
  });

  post('/set-up/:id/codes/download', own, async (visit) => {
    const setUp = await current(visit);
    const codes = setUp?.signIn.state.newRecoveryCodes;
    if (!codes) {
      return gone(visit);
    }
    const { lang } = bare(visit);
    sendCodesFile(visit.ctx, visit.site.renderer, lang, savedCodesHead(visit), codes);
  });
}

const at = (id: string, path = ''): string => `/account/set-up/${id}${path}`;

const current = ({ site, actor, ctx }: SignedIn): Promise<SetUp | null> =>
  findSetUp(site.services, actor, String(ctx.params.id));

function onward({ ctx }: SignedIn, id: string): void {
  ctx.status = 303;
  ctx.redirect(at(id));
}

const gone = (visit: SignedIn): void =>
  done(visit, 'That set-up was finished or has expired. Start again if it is still needed.', 'warn');

async function start(visit: SignedIn, setUp: SetUp, method: Method): Promise<Problem | null> {
  const { site, assessment, actor } = visit;
  const outcome = await startEnrolment(site.services, {
    signIn: setUp.signIn,
    assessment,
    method,
    issuerName: issuerNameFor(assessment),
    origin: actor.origin,
    clientId: ownClientId,
  });
  return notSent(visit, outcome);
}

async function confirm(visit: SignedIn, setUp: SetUp, method: Method, form: Form): Promise<void> {
  const { site, assessment, actor, ctx, session, proved } = visit;
  const { services } = site;
  const outcome = await confirmEnrolment(services, {
    signIn: setUp.signIn,
    assessment,
    methods: methodsToAdd(services, assessment),
    answer: form,
    origin: actor.origin,
    clientId: ownClientId,
    issuerName: issuerNameFor(assessment),
    name: factorFor(method).isSignature ? browserName(actor.origin.userAgent) : null,
    also: [stillSignedIn(services, actor)],
  });
  switch (outcome.kind) {
    case 'confirmed':
      await raiseSession(site, ctx, session, proved, outcome.proof);
      return outcome.codes
        ? onward(visit, setUp.id)
        : done(
            visit,
            assessment.factors.length > 0
              ? 'The new way is set up. From now on you can choose it when you sign in.'
              : 'The new way is set up. From now on you are asked for it when you sign in.',
          );
    case 'not_started':
      return gone(visit);
    case 'further': {
      const unsent = notSent(visit, outcome.started);
      return unsent ? showStep(visit, setUp, { ...unsent, typed: typedIn(form) }) : onward(visit, setUp.id);
    }
    case 'wrong':
      return showStep(visit, setUp, {
        ...wrong(outcome.error ?? wrongAnswer(method, form, 'set_up'), ''),
        typed: typedIn(form),
      });
    case 'blocked':
      return showStep(visit, setUp, blocked(visit, outcome.retryAt));
  }
}

const typedIn = ({ code, phone }: Form): string => {
  const typed = phone ?? code;
  return typeof typed === 'string' ? typed.slice(0, 64) : '';
};

/** These pages look like those of a sign-in: one thing to do, and a way back. */
const bare = (visit: SignedIn): Common => {
  const { frame: _frame, ...shared } = framed(visit, section);
  return { ...shared, ...pick(common(visit.ctx, { page: '/account' })) };
};
const pick = ({ languages }: Common): Pick<Common, 'languages'> => ({ languages });

function chooseMethod(visit: SignedIn, problem: Problem | null): void {
  const { ctx, site, assessment, held } = visit;
  const offered = methodsToAdd(site.services, assessment);
  if (offered.length === 0) {
    done(visit, 'There is no further way that your organizations allow.', 'warn');
    return;
  }
  show(
    ctx,
    site.renderer,
    'enrol',
    {
      ...bare(visit),
      action: '/account/two-factor/add',
      why: assessment.factors.length > 0 ? { kind: 'another' } : { kind: 'wanted' },
      ...methodChoices(offered, offered.find((method) => method === held.method) ?? null),
      error: problem?.error ?? null,
      wayOut: { kind: 'none' },
      leave: '/account',
    },
    problem?.status ?? 200,
  );
}

async function showStep(visit: SignedIn, stale: SetUp, problem: Problem | null): Promise<void> {
  const { ctx, site } = visit;
  const { enrolment } = stale.signIn.state;
  if (enrolment && factorFor(enrolment.method).isSignature) {
    // What is to be signed ends after minutes, so it is asked for anew with each page.
    await start(visit, (await current(visit)) ?? stale, enrolment.method);
  }
  const setUp = (await current(visit)) ?? stale;
  const { newRecoveryCodes: codes, enrolment: begun } = setUp.signIn.state;
  if (codes) {
    return show(
      ctx,
      site.renderer,
      'recovery-codes',
      {
        ...bare(visit),
        action: at(setUp.id, '/codes'),
        head: savedCodesHead(visit),
        codes,
        download: at(setUp.id, '/codes/download'),
        error: problem?.error ?? null,
      },
      problem?.status ?? 200,
    );
  }
  if (!begun) {
    return gone(visit);
  }
  show(
    ctx,
    site.renderer,
    'set-up',
    {
      ...bare(visit),
      action: at(setUp.id),
      why: null,
      factor: shownFactor(begun.method, begun.shown),
      resend: resendForm(visit, at(setUp.id, '/send'), begun.sentAt),
      typed: problem?.typed ?? '',
      error: problem?.error ?? null,
      wayOut: { kind: 'none' },
      back: '/account/two-factor/add',
      leave: '/account',
    },
    problem?.status ?? 200,
  );
}
