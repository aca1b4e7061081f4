import Router from '@koa/router';
import type { Context } from 'koa';
import type { Origin } from '../audit/audit.ts';
import { csrfToken, formOf, requireCsrf } from './csrf.ts';
import { formBody } from './form-body.ts';
import { originOf } from './origin.ts';
import type { Common } from './pages.ts';
import { requireSameOrigin } from './same-origin.ts';
import { common } from './show.ts';
import type { Form } from './signed-in.ts';
import type { Site } from './site.ts';

/** One request to a page that needs no session. */
export interface OpenVisit {
  readonly ctx: Context;
  readonly site: Site;
  readonly origin: Origin;
  /** What the page's view shares with all others, with the token of its forms. */
  readonly shared: Common;
}

export interface OpenRoutes {
  readonly router: Router;
  /** @param permission why anybody may: what the route itself checks, in words */
  get(path: string, permission: string, page: (visit: OpenVisit) => void | Promise<void>): void;
  post(path: string, permission: string, act: (visit: OpenVisit, form: Form) => void | Promise<void>): void;
}

/** Pages without a session: ways into an account, and links from mails. None of them signs anybody in. */
export function openRoutes(site: Site): OpenRoutes {
  const router = new Router();
  const sameOrigin = requireSameOrigin(site.services.settings.issuer);
  const body = formBody({ limit: '64kb' });
  const visitOf = (ctx: Context): OpenVisit => {
    return {
      ctx,
      site,
      origin: originOf(ctx),
      shared: common(ctx, { csrf: csrfToken(site.services.ring, placeOf(ctx)) }),
    };
  };
  return {
    router,
    get: (path, permission, page) => {
      site.routes.add({ method: 'GET', path, assurance: 'nobody', permission, crossSite: 'reads only' });
      router.get(path, (ctx) => page(visitOf(ctx)));
    },
    post: (path, permission, act) => {
      site.routes.add({
        method: 'POST',
        path,
        assurance: 'nobody',
        permission,
        crossSite: 'origin and token',
      });
      router.post(path, sameOrigin, body, async (ctx) => {
        requireCsrf(ctx, site.services.ring, placeOf(ctx));
        await act(visitOf(ctx), formOf(ctx));
      });
    },
  };
}

/** The form of one page, with the link in its address: not of another. */
const placeOf = ({ path }: Context): string => `open ${path}`;
