import Router from '@koa/router';
import { interactionOfState } from '../flows/start-upstream.ts';
import { upstreamKeys } from '../flows/upstream-columns.ts';
import { RequestError } from '../http/errors.ts';
import { openToAll } from '../http/route-list.ts';
import type { Site } from '../http/site.ts';

/** The addresses that are registered with upstream providers. */
export function upstreamAddressRoutes(site: Site): Router {
  const { services, routes } = site;
  const router = new Router({ prefix: '/upstream/:key' });

  /**
   * Back from a provider. What came belongs to the interaction that its `state` names, whose own cookie says whether this is the browser
   * that began it; here nothing is checked, kept or changed.
   */
  routes.add(openToAll('/upstream/:key/callback'));
  router.get('/callback', (ctx) => {
    const { state } = ctx.query;
    const uid =
      typeof state === 'string' ? interactionOfState(services, String(ctx.params.key), state) : null;
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

  return router;
}
