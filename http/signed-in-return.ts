import Router from '@koa/router';
import { signedInPath } from '../provider/own-application.ts';
import { journeyFrom } from './return-to.ts';
import type { Site } from './site.ts';

/** Where the authorization endpoint sends the browser back to: on to the page that was wanted, which asks everything anew. */
export function signedInReturn({ routes, services }: Site): Router {
  const router = new Router();
  routes.add({
    method: 'GET',
    path: signedInPath,
    assurance: 'nobody',
    permission: 'everybody',
    crossSite: 'reads only',
  });
  router.get(signedInPath, (ctx) => {
    const journey = journeyFrom(services.ring, ctx.query.state);
    ctx.status = 303;
    ctx.redirect(ctx.query.error === undefined ? (journey?.to ?? '/account') : (journey?.otherwise ?? '/'));
  });
  return router;
}
