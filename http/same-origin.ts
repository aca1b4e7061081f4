import type { Context, Next } from 'koa';
import { RequestError } from './errors.ts';

/** A form counts when it comes from a page of this issuer: `Origin`, or `Referer` where a browser sends none (security.md T109). */
export function requireSameOrigin(issuer: string) {
  const expectedOrigin = new URL(issuer).origin;
  return async (ctx: Context, next: Next): Promise<void> => {
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD' && originOf(ctx) !== expectedOrigin) {
      throw new RequestError('foreign_form');
    }
    await next();
  };
}

function originOf(ctx: Context): string | null {
  const origin = ctx.get('Origin');
  if (origin !== '') {
    return origin;
  }
  const referer = ctx.get('Referer');
  return URL.canParse(referer) ? new URL(referer).origin : null;
}
