import type { Context } from 'koa';
import { RequestError } from '../http/errors.ts';
import { countInWindow } from '../limits/windows.ts';
import type { Caller } from './caller.ts';
import type { ApiSite } from './operation.ts';

/** Of one application, or of one person by one application, in one minute, on all servers together. */
export const requestsPerMinute = 600;

/** Counts the request, says how many are left (draft-ietf-httpapi-ratelimit-headers), and refuses one too many. */
export async function countRequest({ services }: ApiSite, ctx: Context, caller: Caller): Promise<void> {
  const who = caller.kind === 'person' ? [caller.clientId, caller.userId] : [caller.clientId];
  const { left, secondsLeft } = await countInWindow(services.db, ['api', ...who], requestsPerMinute);
  ctx.set({
    'RateLimit-Policy': `"minute";q=${requestsPerMinute};w=60`,
    RateLimit: `"minute";r=${Math.max(0, left)};t=${secondsLeft}`,
  });
  if (left < 0) {
    throw new RequestError('rate_limited', { headers: { 'Retry-After': String(secondsLeft) } });
  }
}
