import type { Context } from 'koa';
import { keyedDigest, keyedDigests, sameDigest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { RequestError } from './errors.ts';

/** The hidden field `_csrf` of the forms of one interaction or session: nobody else can make it. */
export const csrfToken = (ring: KeyRing, boundTo: string): string => keyedDigest(ring, 'csrf', boundTo);

/** @throws RequestError foreign_form */
export function requireCsrf(ctx: Context, ring: KeyRing, boundTo: string): void {
  const given = formOf(ctx)._csrf;
  if (
    typeof given !== 'string' ||
    !keyedDigests(ring, 'csrf', boundTo).some((token) => sameDigest(token, given))
  ) {
    throw new RequestError('foreign_form');
  }
}

/** The fields of the posted form; each may be anything. */
export function formOf(ctx: Context): { readonly [field: string]: unknown } {
  const { body } = ctx.request as { body?: unknown };
  return body instanceof Object && !Array.isArray(body) ? (body as { [field: string]: unknown }) : {};
}
