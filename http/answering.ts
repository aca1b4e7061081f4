import type Router from '@koa/router';
import type { Middleware } from 'koa';

/**
 * The routes of a router, asked only about addresses that begin as one of its own does: oidc-provider's endpoints, and the pages
 * of a sign-in, need not be compared with some three hundred routes that they cannot be.
 */
export function answering(router: Router): Middleware {
  const routes = router.routes() as unknown as Middleware;
  const beginnings = new Set<string>();
  for (const { path, methods } of router.stack) {
    // What runs before the routes runs only where one of them does.
    if (methods.length === 0) continue;
    const beginning = beginningOf(String(path));
    if (!/^[\w.-]*$/.test(beginning)) return routes;
    beginnings.add(beginning);
  }
  const middleware: Middleware = (ctx, next) =>
    beginnings.has(beginningOf(ctx.path)) ? routes(ctx, next) : next();
  // As the router's own middleware does: it tells what it is the middleware of.
  return Object.assign(middleware, { router });
}

const beginningOf = (path: string): string => (path.split('/', 2)[1] ?? '').toLowerCase();
