import Router from '@koa/router';
import { signedInPath } from '../provider/own-application.ts';
import { leaveFlash } from './flash.ts';
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
    if (ctx.query.error !== undefined) return ctx.redirect(journey?.otherwise ?? '/');
    if (journey?.lost) {
      leaveFlash(ctx, services.ring, {
        tone: 'warn',
        text: 'Your sign-in had ended before, so nothing was done. Do it once more.',
      });
    }
    ctx.redirect(journey?.to ?? '/account');
  });
  return router;
}
