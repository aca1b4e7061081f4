import { factorFor } from '../factors/index.ts';
import { preferFactor, renameFactor } from '../flows/change-factor.ts';
import { checkPassword } from '../flows/check-password.ts';
import { disableTwoFactor, forbiddenBy, type Removal, removeFactor } from '../flows/remove-factor.ts';
import { storedName } from '../http/device-name.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import type { FilledSentence, Sentence } from '../http/pages.ts';
import { blocked, type Problem } from '../http/problems.ts';
import { show } from '../http/show.ts';
import type { Form, SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import type { Forbidding } from '../policy/must-keep.ts';
import { ownClientId } from '../provider/own-application.ts';
import { dangerous, own } from './rules.ts';
import { section } from './section.ts';

/** What a person has to sign in with: one factor's page, and what may be done to it. */
export function factorRoutes({ get, post }: SignedInRoutes): void {
  get('/factors/:id', own, (visit) => showFactor(visit));

  post('/factors/:id', own, async (visit, form) => {
    const { ctx, site, actor, assessment } = visit;
    const factorId = String(ctx.params.id);
    const name = typeof form.name === 'string' ? form.name : '';
    if (isAsShown(visit, name)) return done(visit, 'The name is saved.');
    if (!(await renameFactor(site.services, { actor, assessment, factorId, name }))) {
      throw new RequestError('not_found');
    }
    done(visit, 'The name is saved.');
  });

  post('/factors/:id/prefer', own, async (visit) => {
    const { ctx, site, actor, assessment } = visit;
    if (!(await preferFactor(site.services, { actor, assessment, factorId: String(ctx.params.id) }))) {
      throw new RequestError('not_found');
    }
    done(visit, 'From now on it is asked for first.');
  });

  get('/factors/:id/remove', mayUsePassword, (visit) => askToRemove(visit, null));

  post('/factors/:id/remove', mayUsePassword, async (visit, form) => {
    const problem = await passwordProblem(visit, form);
    if (form.confirm !== 'yes' || problem) {
      return askToRemove(visit, problem);
    }
    const { site, actor, assessment, ctx } = visit;
    const name = nameOf(factorOf(visit));
    const outcome = await removeFactor(site.services, {
      actor,
      assessment,
      factorId: String(ctx.params.id),
    });
    settle(visit, outcome, { sentence: '"{name}" was removed.', values: { name } });
  });

  get('/two-factor/disable', mayUsePassword, (visit) => askToDisable(visit, null));

  post('/two-factor/disable', mayUsePassword, async (visit, form) => {
    const problem = await passwordProblem(visit, form);
    if (form.confirm !== 'yes' || problem) {
      return askToDisable(visit, problem);
    }
    const { site, actor, assessment } = visit;
    const outcome = await disableTwoFactor(site.services, { actor, assessment });
    settle(visit, outcome, 'Two-factor authentication is off.');
  });
}

/** Whoever has signed in with a recovery code has lost their factor: the password is proof enough to turn it off. */
const mayUsePassword = { ...dangerous, passwordAfterRecoveryCode: true } as const;

function showFactor(visit: SignedIn): void {
  const { ctx, site } = visit;
  const factor = factorOf(visit);
  const { label } = factorFor(factor.method);
  show(ctx, site.renderer, 'account/factor', {
    ...framed(visit, section),
    method: factor.method,
    label,
    givenName: factor.name === null ? null : storedName(factor.name),
    addedAt: new Date(factor.confirmed_at),
    usedAt: factor.last_used_at === null ? null : new Date(factor.last_used_at),
    isPreferred: factor.id === visit.assessment.user.preferred_factor_id,
    isClosed: factor.disabled_at !== null,
    action: `/account/factors/${factor.id}`,
    prefer: visit.assessment.factors.length > 1 ? `/account/factors/${factor.id}/prefer` : null,
    remove: `/account/factors/${factor.id}/remove`,
    back: '/account',
  });
}

function factorOf({ ctx, assessment }: SignedIn) {
  const factor = assessment.factors.find(({ id }) => id === ctx.params.id);
  if (!factor) {
    throw new RequestError('not_found');
  }
  return factor;
}

/** What the person calls it, or what it is. */
const nameOf = ({ name, method }: ReturnType<typeof factorOf>): FilledSentence =>
  name === null ? { sentence: factorFor(method).label, values: {} } : storedName(name);

/** A name that we gave was not changed: it stays in words of whoever reads it. */
function isAsShown(visit: SignedIn, typed: string): boolean {
  const { name } = factorOf(visit);
  const { lang } = framed(visit, section);
  return name !== null && visit.site.renderer.translator(lang)(storedName(name)) === typed.trim();
}

async function askToRemove(visit: SignedIn, problem: Problem | null): Promise<void> {
  const factor = factorOf(visit);
  const rest = visit.assessment.factors.filter(({ id }) => id !== factor.id);
  const by = await forbiddenBy(visit.site.services, visit.assessment, rest);
  if (by.length > 0) {
    return refuse(visit, by);
  }
  ask(visit, problem, {
    title: { sentence: 'Remove "{name}"?', values: { name: nameOf(factor) } },
    consequences: [
      ...(rest.length === 0
        ? [
            'It is your last one: from then on the password alone is enough.',
            'Your recovery codes no longer work.',
          ]
        : ['You are not asked for it any more; your other ways stay.']),
      'Devices that you asked us to remember are forgotten.',
    ],
    action: `/account/factors/${factor.id}/remove`,
    button: 'Remove',
    cancel: `/account/factors/${factor.id}`,
  });
}

async function askToDisable(visit: SignedIn, problem: Problem | null): Promise<void> {
  const by = await forbiddenBy(visit.site.services, visit.assessment, []);
  if (by.length > 0) {
    return refuse(visit, by);
  }
  ask(visit, problem, {
    title: 'Disable two-factor authentication?',
    consequences: [
      'From then on the password alone is enough to sign in.',
      'All your factors and recovery codes are removed.',
      'Devices that you asked us to remember are forgotten.',
    ],
    action: '/account/two-factor/disable',
    button: 'Disable',
    cancel: '/account',
  });
}

function ask(
  visit: SignedIn,
  problem: Problem | null,
  question: {
    readonly title: Sentence;
    readonly consequences: readonly Sentence[];
    readonly action: string;
    readonly button: Sentence;
    readonly cancel: string;
  },
): void {
  const { ctx, site, recovered } = visit;
  show(
    ctx,
    site.renderer,
    'confirm',
    {
      ...framed(visit, section),
      ...question,
      hidden: [{ name: 'confirm', value: 'yes' }],
      tone: 'danger',
      password: recovered,
      passwordError: problem?.error ?? null,
    },
    problem?.status ?? 200,
  );
}

/** Null where the password is right, or need not be given here because a fresh proof was. */
async function passwordProblem(visit: SignedIn, form: Form): Promise<Problem | null> {
  if (!visit.recovered || form.confirm !== 'yes') {
    return null;
  }
  const { site, actor, browser } = visit;
  const outcome = await checkPassword(site.services, {
    email: actor.user.email,
    password: form.password,
    browser,
    origin: actor.origin,
    clientId: ownClientId,
  });
  switch (outcome.kind) {
    case 'right':
      return null;
    case 'wrong':
      return { error: 'That password is not right.', status: 422 };
    case 'blocked':
      return blocked(visit, outcome.retryAt);
  }
}

const namesOf = (by: readonly Forbidding[]): string[] =>
  by.flatMap((one) => (one.kind === 'organization' ? [one.organization.name] : []));

/** Why it cannot be turned off as a whole; one way of several may still be removed. */
export function whoRequires(by: readonly Forbidding[]): Sentence {
  const names = namesOf(by);
  return names.length === 0
    ? 'Two-factor authentication is required here, so it cannot be turned off.'
    : {
        sentence: '{organizations} requires two-factor authentication, so it cannot be turned off.',
        values: { organizations: names.join(', ') },
      };
}

/** Which organization forbids it, and that it may ask. */
export function whoForbids(by: readonly Forbidding[]): Sentence {
  const names = namesOf(by);
  return names.length === 0
    ? 'Two-factor authentication is required here, so the last way cannot be removed. Set up another one first.'
    : {
        sentence:
          '{organizations} requires two-factor authentication, so this cannot be removed. Set up another way that it allows first.',
        values: { organizations: names.join(', ') },
      };
}

function refuse(visit: SignedIn, by: readonly Forbidding[]): void {
  leaveFlash(visit.ctx, visit.site.services.ring, { tone: 'warn', text: whoForbids(by) });
  visit.ctx.status = 303;
  visit.ctx.redirect('/account');
}

function settle(visit: SignedIn, outcome: Removal, said: Sentence): void {
  if (outcome.kind === 'unknown') {
    throw new RequestError('not_found');
  }
  if (outcome.kind === 'forbidden') {
    refuse(visit, outcome.by);
  } else if (outcome.kind === 'conflict') {
    done(
      visit,
      'Something else was changed in the meantime, so nothing happened. Look at how it is now, and try again.',
      'warn',
    );
  } else {
    done(visit, said);
  }
}

/** Back to the overview, which says what happened. */
export function done(
  { ctx, site }: SignedIn,
  text: Sentence,
  tone: 'ok' | 'warn' = 'ok',
  to = '/account',
): void {
  leaveFlash(ctx, site.services.ring, { tone, text });
  ctx.status = 303;
  ctx.redirect(to);
}
