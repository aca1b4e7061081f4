import {
  type AskedPhone,
  askedPhone,
  askToChangePhone,
  confirmPhone,
  removePhone,
} from '../flows/change-phone.ts';
import { resendForm, wasSent } from '../http/factor-form.ts';
import type { Sentence } from '../http/pages.ts';
import { blocked, notSent, type Problem, wrong, wrongSent } from '../http/problems.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { shownPhoneNumber } from '../lib/phone-number.ts';
import { raiseSession } from '../provider/raise-session.ts';
import { done } from './factors.ts';
import { dangerous, own } from './rules.ts';
import { section } from './section.ts';

const page = '/account/profile';
const form = '/account/phone';

/** The phone number: changed by a code that comes to the new one, told to the old one; removed. */
export function phoneRoutes({ get, post }: SignedInRoutes): void {
  get('/phone', dangerous, (visit) => showPhone(visit, visit.held.phone ?? '', null));

  post('/phone', { ...dangerous, keeps: ['phone'] }, async (visit, { phone }) => {
    const problem = await ask(visit, phone);
    if (problem) {
      showPhone(visit, typeof phone === 'string' ? phone.slice(0, 40) : '', problem);
    }
  });

  get('/phone/code/:id', own, async (visit) => {
    const asked = await current(visit);
    return asked ? showCode(visit, asked, null) : gone(visit);
  });

  post('/phone/code/:id', own, async (visit, answer) => {
    const asked = await current(visit);
    if (!asked) {
      return gone(visit);
    }
    const { site, actor, assessment } = visit;
    const outcome = await confirmPhone(site.services, { actor, assessment, asked, answer });
    switch (outcome.kind) {
      case 'done':
        if (outcome.proof) {
          await raiseSession(site, visit.ctx, visit.session, visit.proved, outcome.proof);
        }
        return done(visit, 'Your phone number is saved.', 'ok', page);
      case 'wrong':
        return showCode(visit, asked, wrong(wrongSent(answer), answer.code));
      case 'blocked':
        return showCode(visit, asked, blocked(visit, outcome.retryAt));
      case 'conflict':
        return done(visit, changedMeanwhile, 'warn', page);
    }
  });

  post('/phone/code/:id/send', own, async (visit, answer) => {
    const asked = await current(visit);
    if (!asked) {
      return gone(visit);
    }
    if (wasSent(answer, asked.sentAt)) {
      return showCode(visit, asked, null);
    }
    const problem = await ask(visit, asked.number);
    if (problem) {
      showCode(visit, asked, problem);
    }
  });

  get('/phone/remove', dangerous, (visit) => askToRemovePhone(visit));
  post('/phone/remove', dangerous, async (visit, { confirm }) => {
    if (confirm !== 'yes') {
      return askToRemovePhone(visit);
    }
    const { site, actor, assessment } = visit;
    const outcome = await removePhone(site.services, { actor, assessment });
    const said: Sentence =
      outcome === 'done'
        ? 'Your phone number is removed.'
        : outcome === 'in_use'
          ? 'Codes go to this number. Remove text messages from your second steps first.'
          : changedMeanwhile;
    done(visit, said, outcome === 'done' ? 'ok' : 'warn', page);
  });
}

/** Codes for signing in come by text message. */
export const hasTexts = ({ assessment }: SignedIn): boolean =>
  assessment.factors.some(({ method }) => method === 'sms');

const changedMeanwhile: Sentence =
  'Something else was changed in the meantime, so nothing happened. Look at how it is now, and try again.';

const at = (id: string): string => `${form}/code/${id}`;

const current = ({ site, actor, ctx }: SignedIn): Promise<AskedPhone | null> =>
  askedPhone(site.services, actor, String(ctx.params.id));

const gone = (visit: SignedIn): void =>
  done(visit, 'That code was used or has expired. Start again if it is still needed.', 'warn', page);

/** Why no code is on its way; null where one is, and the browser was sent to where it is typed. */
async function ask(visit: SignedIn, phone: unknown): Promise<Problem | null> {
  const { site, ctx, actor, assessment } = visit;
  const outcome = await askToChangePhone(site.services, { actor, assessment, phone });
  switch (outcome.kind) {
    case 'bad_number':
      return { error: 'Enter the whole number, with + and the country code in front.', status: 422 };
    case 'same':
      return { error: 'This is your number already.', status: 422 };
    case 'conflict':
      return { error: changedMeanwhile, status: 409 };
    case 'asked':
      ctx.status = 303;
      ctx.redirect(at(outcome.id));
      return null;
    default:
      return notSent(visit, outcome);
  }
}

function showPhone(visit: SignedIn, typed: string, problem: Problem | null): void {
  const { ctx, site, assessment } = visit;
  show(
    ctx,
    site.renderer,
    'account/phone',
    {
      ...framed(visit, section),
      now: assessment.user.phone === null ? null : shownPhoneNumber(assessment.user.phone),
      phoneIsFactor: assessment.user.phone !== null && hasTexts(visit),
      typed,
      action: form,
      error: problem?.error ?? null,
      back: page,
    },
    problem?.status ?? 200,
  );
}

function showCode(visit: SignedIn, { id, number, sentAt }: AskedPhone, problem: Problem | null): void {
  show(
    visit.ctx,
    visit.site.renderer,
    'account/phone-code',
    {
      ...framed(visit, section),
      number: shownPhoneNumber(number),
      typed: problem?.typed ?? '',
      action: at(id),
      resend: resendForm(visit, `${at(id)}/send`, sentAt),
      error: problem?.error ?? null,
      another: form,
      back: page,
    },
    problem?.status ?? 200,
  );
}

function askToRemovePhone(visit: SignedIn): void {
  show(visit.ctx, visit.site.renderer, 'confirm', {
    ...framed(visit, section),
    title: 'Remove your phone number?',
    consequences: ['Applications do not see it any more.', 'You can add another one at any time.'],
    action: '/account/phone/remove',
    hidden: [{ name: 'confirm', value: 'yes' }],
    button: 'Remove',
    tone: 'danger',
    password: false,
    passwordError: null,
    cancel: page,
  });
}
