import Router from '@koa/router';
import type { Context } from 'koa';
import { organizationById } from '../entities/organizations.ts';
import { resetOfLink } from '../flows/reset-two-factor.ts';
import { csrfToken, requireCsrf } from '../http/csrf.ts';
import { linkEnded } from '../http/errors.ts';
import { formBody } from '../http/form-body.ts';
import { askForSignIn } from '../http/return-to.ts';
import { openToAll } from '../http/route-list.ts';
import { requireSameOrigin } from '../http/same-origin.ts';
import { brandOf, common, show } from '../http/show.ts';
import type { Site } from '../http/site.ts';
import { minutes } from '../lib/clock.ts';

/** How long this browser may set up again, once the link was followed. */
const lifetime = minutes(60);

const cookieName = (issuer: string): string =>
  issuer.startsWith('https:') ? '__Host-sallyport-reset' : 'sallyport-reset';

/** The link that this browser has followed; it opens something only after the password, and only for its own user. */
export const followedLink = (site: Site, ctx: Context): string | null =>
  ctx.cookies.get(cookieName(site.services.settings.issuer), { signed: false }) ?? null;

/**
 * Where the link of a reset by mail leads. Opening it does nothing, since mail servers open links too: a button does, and that only
 * lets the next sign-in in this browser go to the set-up, after the password.
 */
export function resetLinkRoutes(site: Site): Router {
  const { services, renderer } = site;
  const router = new Router({ prefix: '/reset-two-factor/:secret' });
  router.use(requireSameOrigin(services.settings.issuer));
  router.use(formBody({ limit: '4kb' }));

  const resetOf = async (ctx: Context) => {
    const reset = await resetOfLink(services, ctx.params.secret);
    if (!reset) throw linkEnded({ label: 'Your account', url: '/account' });
    return reset;
  };

  const path = '/reset-two-factor/:secret';
  site.routes.add({ ...openToAll(path), permission: 'whoever has the link; it opens nothing by itself' });
  site.routes.add({
    ...openToAll(path),
    method: 'POST',
    permission: 'whoever has the link; it opens nothing without the password',
    crossSite: 'origin and token',
  });

  router.get('/', async (ctx) => {
    const reset = await resetOf(ctx);
    const organization = await organizationById(services.db, reset.organization_id);
    show(ctx, renderer, 'reset-link', {
      ...common(ctx, {
        brand: brandOf(organization?.name ?? null, organization?.branding),
        csrf: csrfToken(services.ring, `reset ${ctx.params.secret}`),
      }),
      action: ctx.path,
      until: new Date(reset.expires_at),
    });
  });

  router.post('/', async (ctx) => {
    await resetOf(ctx);
    requireCsrf(ctx, services.ring, `reset ${ctx.params.secret}`);
    const { issuer } = services.settings;
    ctx.cookies.set(cookieName(issuer), String(ctx.params.secret), {
      httpOnly: true,
      sameSite: 'lax',
      secure: issuer.startsWith('https:'),
      path: '/',
      signed: false,
      overwrite: true,
      maxAge: lifetime,
    });
    // Whoever is signed in here already proves their password once more, and comes to the set-up so.
    askForSignIn(
      ctx,
      { issuer, ring: services.ring },
      { to: '/account', otherwise: '/' },
      { prompt: 'login' },
    );
  });
  return router;
}
