import type Router from '@koa/router';
import { userById } from '../entities/users.ts';
import { notMe } from '../flows/not-me.ts';
import { findLink } from '../flows/one-time-link.ts';
import { askForPasswordReset, resetPassword } from '../flows/reset-password.ts';
import { undoOf } from '../flows/security-mail.ts';
import { signsInElsewhere } from '../flows/signs-in-elsewhere.ts';
import { linkEnded } from '../http/errors.ts';
import { type OpenRoutes, type OpenVisit, openRoutes } from '../http/open-pages.ts';
import type { Sentence } from '../http/pages.ts';
import { passwordWords } from '../http/password-words.ts';
import { show } from '../http/show.ts';
import type { Site } from '../http/site.ts';

/** Ways back into an account, by mail: a forgotten password, and "this was not me". They sign nobody in. */
export function waysBackRoutes(site: Site): Router {
  const pages = openRoutes(site);
  forgottenPassword(pages);
  resetRoutes(pages);
  notMeRoutes(pages);
  return pages.router;
}

/** Where somebody goes whose link is of no use any more. */
const ways = [
  { label: 'Send a new link', url: '/forgotten-password' },
  { label: 'Sign in', url: '/account' },
] as const;

const aLink = 'whoever has the link of the mail, once';

function forgottenPassword({ get, post }: OpenRoutes): void {
  const page = ({ ctx, site, shared }: OpenVisit, sent: boolean) => {
    const signIn = signInBefore(ctx.query.from);
    show(ctx, site.renderer, 'forgotten-password', {
      ...shared,
      action: signIn === null ? ctx.path : `${ctx.path}?from=${signIn}`,
      sent,
      back: signIn === null ? '/account' : `/interaction/${signIn}`,
    });
  };

  get('/forgotten-password', 'everybody', (visit) => page(visit, false));
  post(
    '/forgotten-password',
    'everybody; mails are counted, and go to the address of the account only',
    async (visit, form) => {
      await askForPasswordReset(visit.site.services, { email: form.email, origin: visit.origin });
      page(visit, true);
    },
  );
}

/** The number of the sign-in that somebody comes from: whose it is, its own page asks. Anything else is none. */
const signInBefore = (from: unknown): string | null =>
  typeof from === 'string' && /^[\w-]{20,64}$/.test(from) ? from : null;

function resetRoutes({ get, post }: OpenRoutes): void {
  const page = ({ ctx, site, shared }: OpenVisit, done: boolean, error: Sentence | null) =>
    show(
      ctx,
      site.renderer,
      'reset-password',
      { ...shared, action: ctx.path, done, error, signIn: '/account' },
      error ? 422 : 200,
    );

  get('/reset-password/:id', aLink, async (visit) => {
    await linkOf(visit, 'reset_password');
    page(visit, false, null);
  });

  post('/reset-password/:id', aLink, async (visit, form) => {
    const link = await linkOf(visit, 'reset_password');
    const password = typeof form.password === 'string' ? form.password : '';
    const outcome = await resetPassword(visit.site.services, { link, password, origin: visit.origin });
    if (outcome.kind === 'ended') {
      throw linkEnded(...ways);
    }
    const cookie = visit.site.cookie.read(visit.ctx).browser;
    if (outcome.kind === 'done') {
      visit.site.cookie.write(visit.ctx, cookie.forgotten(link.userId));
    }
    page(visit, outcome.kind === 'done', outcome.kind === 'refused' ? passwordWords[outcome.problem] : null);
  });
}

function notMeRoutes({ get, post }: OpenRoutes): void {
  get('/not-me/:id', aLink, async (visit) => {
    const link = await linkOf(visit, 'not_me');
    const { restoreEmail, restorePhone, closeFactors = [], dropCodes, disconnect } = undoOf(link.data);
    const { ctx, site, shared } = visit;
    const user = await userById(site.services.db, link.userId);
    const elsewhere = user && disconnect === undefined ? await signsInElsewhere(site.services, user) : null;
    const isOtherNumber =
      restorePhone !== undefined && (restoreEmail === undefined || user?.phone !== restorePhone.number);
    const undoes = [
      ...(restoreEmail === undefined ? [] : (['address'] as const)),
      ...(isOtherNumber ? ([restorePhone.number === null ? 'no phone' : 'phone'] as const) : []),
      ...(closeFactors.length === 0 ? [] : (['factor'] as const)),
      ...(dropCodes ? (['codes'] as const) : []),
      ...(disconnect === undefined ? [] : (['connection'] as const)),
    ];
    show(ctx, site.renderer, 'not-me', { ...shared, action: ctx.path, undoes, elsewhere });
  });

  post('/not-me/:id', aLink, async (visit) => {
    const link = await linkOf(visit, 'not_me');
    const next = await notMe(visit.site.services, { link, origin: visit.origin });
    if (next === null) {
      throw linkEnded(...ways);
    }
    visit.ctx.status = 303;
    visit.ctx.redirect(new URL(next).pathname);
  });
}

/** @throws RequestError link_ended */
async function linkOf({ ctx, site }: OpenVisit, purpose: 'reset_password' | 'not_me') {
  const link = await findLink(site.services, purpose, ctx.params.id);
  if (!link) {
    throw linkEnded(...ways);
  }
  return link;
}
