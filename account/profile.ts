import { askToChangeEmail, confirmEmail } from '../flows/change-email.ts';
import { changeProfile } from '../flows/change-profile.ts';
import { findLink } from '../flows/one-time-link.ts';
import { linkEnded } from '../http/errors.ts';
import { openRoutes } from '../http/open-pages.ts';
import { type Language, languages, type Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import type { Site } from '../http/site.ts';
import { shownPhoneNumber } from '../lib/phone-number.ts';
import { done } from './factors.ts';
import { hasTexts } from './phone.ts';
import { dangerous, own } from './rules.ts';
import { section } from './section.ts';

const page = '/account/profile';

/** Name, language and e-mail address; the phone number is shown, and changed on pages of its own. */
export function profileRoutes({ get, post }: SignedInRoutes): void {
  get('/profile', own, (visit) => {
    const { ctx, site, assessment } = visit;
    const { user } = assessment;
    show(ctx, site.renderer, 'account/profile', {
      ...framed(visit, section),
      givenName: user.name ?? '',
      locale: languages.find((language) => language === user.locale) ?? null,
      email: user.email,
      emailVerified: user.email_verified === 1,
      phone: user.phone === null ? null : shownPhoneNumber(user.phone),
      phoneVerified: user.phone_verified === 1,
      action: page,
      changeEmail: '/account/email',
      verifyEmail: '/account/email/verify',
      phoneIsFactor: user.phone !== null && hasTexts(visit),
      changePhone: site.services.available.includes('sms') ? '/account/phone' : null,
      removePhone: user.phone !== null && !hasTexts(visit) ? '/account/phone/remove' : null,
    });
  });

  post('/profile', own, async (visit, form) => {
    const language = languages.find((known): known is Language => known === form.locale) ?? null;
    const name = typeof form.name === 'string' ? form.name : '';
    await changeProfile(visit.site.services, visit.actor, { name, locale: language });
    done(visit, 'Your changes are saved.', 'ok', language === null ? page : `${page}?lang=${language}`);
  });

  get('/email', dangerous, (visit) => showEmail(visit, visit.held.email ?? '', null));

  post('/email', { ...dangerous, keeps: ['email'] }, async (visit, form) => {
    const email = typeof form.email === 'string' ? form.email : '';
    const problem = await ask(visit, email);
    if (problem) {
      return showEmail(visit, email.slice(0, 320), problem);
    }
  });

  post('/email/verify', own, async (visit) => {
    const problem = await ask(visit, visit.actor.user.email);
    if (problem) {
      done(visit, problem, 'warn', page);
    }
  });
}

/** The link that was sent to a new address. */
export function confirmEmailRoutes(site: Site) {
  const { router, get, post } = openRoutes(site);
  const aLink = 'whoever reads mail at the new address, once';

  get('/confirm-email/:id', aLink, async ({ ctx, shared }) => {
    const link = await findLink(site.services, 'confirm_email', ctx.params.id);
    if (!link) {
      throw linkEnded({ label: 'Your account', url: page });
    }
    show(ctx, site.renderer, 'confirm-email', {
      ...shared,
      email: link.data.email ?? '',
      action: ctx.path,
      done: false,
      next: '/account',
    });
  });

  post('/confirm-email/:id', aLink, async ({ ctx, shared, origin }) => {
    const link = await findLink(site.services, 'confirm_email', ctx.params.id);
    if (!link || !(await confirmEmail(site.services, { link, origin }))) {
      throw linkEnded({ label: 'Your account', url: page });
    }
    show(ctx, site.renderer, 'confirm-email', {
      ...shared,
      email: link.data.email ?? '',
      action: ctx.path,
      done: true,
      next: '/account',
    });
  });
  return router;
}

/** What is wrong with the address; null where a link is on its way, and the person was told so. */
async function ask(visit: SignedIn, email: string): Promise<Sentence | null> {
  const { site, actor, assessment } = visit;
  const outcome = await askToChangeEmail(site.services, { actor, assessment, email });
  switch (outcome.kind) {
    case 'bad_address':
      return 'Enter one e-mail address, such as name@example.com.';
    case 'same':
      return 'This is your address already.';
    case 'too_soon':
      return 'Too many mails were sent. Wait a while, and try again.';
    case 'conflict':
      return 'Something else was changed in the meantime, so nothing happened. Look at how it is now, and try again.';
    case 'asked': {
      const text = {
        sentence: 'A link is on its way to {email}. Nothing changes before you have opened it there.',
        values: { email: email.trim() },
      };
      done(visit, text, 'ok', page);
      return null;
    }
  }
}

function showEmail(visit: SignedIn, typed: string, error: Sentence | null): void {
  const { ctx, site, assessment } = visit;
  show(
    ctx,
    site.renderer,
    'account/email',
    {
      ...framed(visit, section),
      now: assessment.user.email,
      typed,
      action: '/account/email',
      error,
      back: page,
    },
    error ? 422 : 200,
  );
}
