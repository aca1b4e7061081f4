import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import type { Context } from 'koa';
import { seconds } from '../lib/clock.ts';
import { digest, sameDigest } from '../lib/digest.ts';
import type { ApiSite } from './operation.ts';

/** What proofs may be signed with. */
export const keyAlgorithms = ['ES256', 'EdDSA', 'RS256', 'PS256'] as const;

/** How far a proof's time may be from ours, before and after. */
const tolerance = seconds(60) / 1000;

interface ReplayDetection {
  unique(issuer: string, jti: string, exp: number): Promise<boolean>;
}

/**
 * True where the request proves the key that its token is bound to (RFC 9449, 4.3): one proof, for this method and address and this
 * token, made a moment ago and used once on all servers.
 *
 * @param thumbprint of the key that the token is bound to
 */
export async function provesKey(
  { provider, services }: ApiSite,
  ctx: Context,
  token: string,
  thumbprint: string,
): Promise<boolean> {
  const { issuer } = services.settings;
  const proof = ctx.get('DPoP');
  if (proof === '' || proof.includes(',')) return false;
  const now = Math.floor(Date.now() / 1000);
  try {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...keyAlgorithms],
      requiredClaims: ['jti', 'iat', 'htm', 'htu', 'ath'],
    });
    const { jti, iat, htm, htu, ath } = payload;
    const address = new URL(String(htu));
    const isForThis =
      htm === ctx.method &&
      `${address.origin}${address.pathname}` === `${issuer}${ctx.path}` &&
      sameDigest(String(ath), digest(token)) &&
      sameDigest(await calculateJwkThumbprint(protectedHeader.jwk ?? {}), thumbprint) &&
      typeof jti === 'string' &&
      jti.length <= 200 &&
      Math.abs(now - Number(iat)) <= tolerance;
    if (!isForThis) return false;
    const { ReplayDetection } = provider as unknown as { ReplayDetection: ReplayDetection };
    return await ReplayDetection.unique(`api ${thumbprint}`, jti, now + 2 * tolerance);
  } catch (error) {
    // What is no proof at all, and one that another request was faster with.
    const { code, name } = error as { code?: unknown; name?: unknown };
    if (
      name === 'InvalidRequest' ||
      (typeof code === 'string' && code.startsWith('ERR_')) ||
      name === 'TypeError'
    ) {
      return false;
    }
    throw error;
  }
}
