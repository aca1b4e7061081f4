import Router from '@koa/router';
import { koaBody } from 'koa-body';
import { isConnectionState } from '../flows/connect-upstream.ts';
import { interactionOfState } from '../flows/start-upstream.ts';
import { upstreamKeys } from '../flows/upstream-columns.ts';
import { endByUpstream, wayBackFrom } from '../flows/upstream-sign-out.ts';
import { formOf } from '../http/csrf.ts';
import { RequestError } from '../http/errors.ts';
import { openToAll } from '../http/route-list.ts';
import { common, show } from '../http/show.ts';
import type { Site } from '../http/site.ts';

/** The addresses that are registered with upstream providers. */
export function upstreamAddressRoutes(site: Site): Router {
  const { services, routes } = site;
  const router = new Router({ prefix: '/upstream/:key' });

  /**
   * Back from a provider. What came belongs to the interaction or to the session that its `state` names, whose own cookie says whether
   * this is the browser that began it; here nothing is checked, kept or changed.
   */
  routes.add(openToAll('/upstream/:key/callback'));
  router.get('/callback', (ctx) => {
    const { state } = ctx.query;
    const key = String(ctx.params.key);
    if (isConnectionState(services, key, state)) {
      ctx.status = 303;
      ctx.redirect(`/account/connections/${encodeURIComponent(key)}/connected?${ctx.querystring}`);
      return;
    }
    const uid = typeof state === 'string' ? interactionOfState(services, key, state) : null;
    if (uid === null) {
      throw new RequestError('sign_in_ended');
    }
    ctx.status = 303;
    ctx.redirect(`/interaction/${encodeURIComponent(uid)}/upstream?${ctx.querystring}`);
  });

  /** The key by which a provider knows us, where we sign instead of telling a secret (RFC 7523). */
  routes.add(openToAll('/upstream/:key/jwks.json'));
  router.get('/jwks.json', async (ctx) => {
    const keys = await upstreamKeys(services, String(ctx.params.key));
    if (keys === null) {
      throw new RequestError('not_found');
    }
    ctx.body = { keys };
  });

  /** Back from a sign-out there. */
  routes.add(openToAll('/upstream/:key/signed-out'));
  router.get('/signed-out', (ctx) => {
    const to = wayBackFrom(services, String(ctx.params.key), ctx.query.state);
    if (to === null) {
      return show(ctx, site.renderer, 'signed-out', { ...common(ctx), signIn: null });
    }
    ctx.status = 303;
    ctx.redirect(to);
  });

  /** Somebody has signed out there (OpenID Connect Back-Channel Logout 1.0 §2.8). */
  routes.add({
    method: 'POST',
    path: '/upstream/:key/backchannel-logout',
    assurance: 'protocol',
    permission: 'the provider, by its signature, once',
    crossSite: 'no cookie',
  });
  const body = koaBody({ json: false, text: false, multipart: false, formLimit: '16kb' });
  router.post('/backchannel-logout', body, async (ctx) => {
    const token = formOf(ctx).logout_token;
    const userAgent = ctx.get('User-Agent');
    const isDone =
      typeof token === 'string' &&
      (await endByUpstream(services, String(ctx.params.key), token, {
        ip: ctx.ip,
        userAgent: userAgent === '' ? null : userAgent,
      }));
    ctx.status = isDone ? 200 : 400;
    ctx.body = isDone ? {} : { error: 'invalid_request' };
  });

  return router;
}
