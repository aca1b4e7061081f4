import type Router from '@koa/router';
import { isRegistrationOpen } from '../entities/organizations.ts';
import { findLink } from '../flows/one-time-link.ts';
import { askToRegister, register } from '../flows/register.ts';
import { linkEnded, RequestError } from '../http/errors.ts';
import { type OpenVisit, openRoutes } from '../http/open-pages.ts';
import type { Pages, Sentence } from '../http/pages.ts';
import { passwordWords } from '../http/password-words.ts';
import { show } from '../http/show.ts';
import type { Site } from '../http/site.ts';

/** Making an account of one's own, where the instance lets everybody: first the address is proved, then a password is chosen. */
export function registerRoutes(site: Site): Router {
  const { router, get, post } = openRoutes(site);
  const everybody = 'everybody, where the instance is open for it; mails are counted';
  const aLink = 'whoever has the link of the mail, once';

  get('/register', everybody, async (visit) => {
    if (!(await isRegistrationOpen(site.services.db))) {
      throw new RequestError('not_found');
    }
    page(visit, { step: 'address' });
  });

  post('/register', everybody, async (visit, form) => {
    const { origin, shared } = visit;
    if (!(await askToRegister(site.services, { email: form.email, locale: shared.lang, origin }))) {
      throw new RequestError('not_found');
    }
    page(visit, { step: 'sent' });
  });

  get('/register/confirm/:id', aLink, async (visit) => {
    const { data } = await linkOf(visit);
    page(visit, { step: 'password', email: data.email ?? '' });
  });

  post('/register/confirm/:id', aLink, async (visit, form) => {
    const link = await linkOf(visit);
    const name = typeof form.name === 'string' ? form.name : '';
    const password = typeof form.password === 'string' ? form.password : '';
    const { origin, shared } = visit;
    const outcome = await register(site.services, { link, name, password, locale: shared.lang, origin });
    if (outcome.kind === 'ended') {
      throw linkEnded(...ways);
    }
    const email = link.data.email ?? '';
    if (outcome.kind === 'done') {
      return page(visit, { step: 'done', email });
    }
    page(visit, { step: 'password', email, givenName: name }, passwordWords[outcome.problem]);
  });
  return router;
}

/** Whoever has used the link has an account. */
const ways = [
  { label: 'Sign in', url: '/account' },
  { label: 'Send a new link', url: '/register' },
] as const;

async function linkOf({ ctx, site }: OpenVisit) {
  const link = await findLink(site.services, 'register', ctx.params.id);
  if (!link) {
    throw linkEnded(...ways);
  }
  return link;
}

function page(
  { ctx, site, shared }: OpenVisit,
  known: Pick<Pages['register'], 'step'> & Partial<Pages['register']>,
  error: Sentence | null = null,
): void {
  const locals = {
    ...shared,
    email: '',
    givenName: '',
    action: ctx.path,
    error,
    signIn: '/account',
    ...known,
  };
  show(ctx, site.renderer, 'register', locals, error ? 422 : 200);
}
