import type { Context } from 'koa';

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);
/** One of the few that there are. */
export const methodOf = (method: string): string => (methods.has(method) ? method : 'other');

/** The route as its router wrote it, never the address as somebody typed it. */
export function routeOf(ctx: Context): string {
  const own = (ctx as { _matchedRoute?: unknown })._matchedRoute;
  if (typeof own === 'string') return own;
  const library = (ctx as { oidc?: { route?: unknown } }).oidc?.route;
  return typeof library === 'string' ? library : 'none';
}
