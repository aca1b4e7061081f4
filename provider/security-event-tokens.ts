import { importJWK, type JWK, SignJWT } from 'jose';
import type { SignalStreamRow } from '../entities/signal-streams.ts';
import { streamById } from '../entities/signal-streams.ts';
import { authorizationPlace } from '../flows/change-stream.ts';
import type { Services } from '../flows/services.ts';
import { loadSigningKeys } from '../flows/signing-keys.ts';
import { OutboundError } from '../lib/outbound.ts';
import { open } from '../lib/seal.ts';
import { GatewayError } from '../notifications/gateway.ts';
import type { StoredSignal } from '../notifications/outbox.ts';

/** A security event token (RFC 8417), signed as everything else is: RS256, by a key of the published set. */
export async function securityEventToken(
  { db, ring, settings }: Pick<Services, 'db' | 'ring' | 'settings'>,
  stream: Pick<SignalStreamRow, 'client_id'>,
  jti: string,
  claims: StoredSignal['claims'],
): Promise<string> {
  const key = (await loadSigningKeys(db, ring)).find(({ alg }) => alg === 'RS256');
  if (!key) throw new Error('there is no key for RS256');
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', typ: 'secevent+jwt', ...(key.kid ? { kid: key.kid } : {}) })
    .setIssuer(settings.issuer)
    .setAudience(stream.client_id)
    .setJti(jti)
    .setIssuedAt(Math.floor(db.clock.now().getTime() / 1000))
    .sign(await importJWK(key as JWK, 'RS256'));
}

/** Pushes one signal (RFC 8935). A stream that is gone, or no longer wants any, needs none. Throws where it was not taken. */
export async function pushSignal(
  services: Pick<Services, 'db' | 'ring' | 'settings' | 'outbound'>,
  message: StoredSignal,
  jti: string,
  signal: AbortSignal,
): Promise<void> {
  const stream = await streamById(services.db, message.streamId);
  if (!stream || stream.status === 'disabled' || stream.delivery !== 'push' || stream.endpoint_url === null)
    return;
  if (stream.status === 'paused') throw new GatewayError('paused');
  const authorization =
    stream.authorization_header === null
      ? {}
      : { authorization: open(services.ring, authorizationPlace(stream.id), stream.authorization_header) };
  try {
    const { status } = await services.outbound(stream.endpoint_url, {
      method: 'POST',
      headers: { 'content-type': 'application/secevent+jwt', accept: 'application/json', ...authorization },
      body: await securityEventToken(services, stream, jti, message.claims),
      signal,
    });
    if (status < 200 || status > 299) throw new GatewayError(`HTTP ${status}`);
  } catch (error) {
    if (error instanceof OutboundError) throw new GatewayError(error.reason);
    throw error;
  }
}
