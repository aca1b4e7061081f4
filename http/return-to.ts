import type { Context } from 'koa';
import * as z from 'zod';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';
import { ownClientId, signedInPath } from '../provider/own-application.ts';

const place = { table: 'cookie', column: 'return', row: '' };

/**
 * Pages of ours: the browser goes to `to` after the proof, or to `otherwise` when it was cancelled. `lost`: a form was sent by somebody
 * who was signed in no more, and nothing came of it.
 */
const journey = z.object({ to: z.string(), otherwise: z.string(), lost: z.boolean().optional() });
export type Journey = z.infer<typeof journey>;

/** Sends the browser through the provider's own authorization endpoint, as any application would. */
export function askForSignIn(
  ctx: Context,
  { issuer, ring }: { readonly issuer: string; readonly ring: KeyRing },
  where: Journey,
  demand: Readonly<Record<string, string>> = {},
): void {
  const query = new URLSearchParams({
    client_id: ownClientId,
    response_type: 'none',
    scope: 'openid',
    redirect_uri: new URL(signedInPath, issuer).href,
    state: seal(ring, place, JSON.stringify(where)),
    ...demand,
  });
  ctx.status = 303;
  ctx.redirect(`/auth?${query}`);
}

/** Where the person was going. Only what we have sealed ourselves is an address; anything else is null. */
export function journeyFrom(ring: KeyRing, state: unknown): Journey | null {
  if (typeof state !== 'string') {
    return null;
  }
  try {
    const where = journey.parse(JSON.parse(open(ring, place, state)));
    return isOwnPath(where.to) && isOwnPath(where.otherwise) ? where : null;
  } catch {
    return null;
  }
}

const isOwnPath = (path: string): boolean => /^\/(?![/\\])[^\p{Cc}\\]*$/u.test(path);
