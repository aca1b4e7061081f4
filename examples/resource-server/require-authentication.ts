import type { IncomingMessage } from 'node:http';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';

/** What a route needs to know of the sign-in behind an access token. */
export interface Needs {
  readonly scope?: string;
  /** Any of these will do. */
  readonly acr?: readonly string[];
  /** How long ago the person may last have proved something, in seconds. */
  readonly maxAge?: number;
}

export type Checked =
  | { readonly ok: true; readonly claims: JWTPayload }
  /** Answer with this status and this `WWW-Authenticate`. */
  | { readonly ok: false; readonly status: 401 | 403; readonly challenge: string };

export interface GuardSettings {
  readonly issuer: string;
  /** The name by which clients ask for tokens for this server (RFC 8707). */
  readonly resource: string;
  readonly now?: () => Date;
}

/**
 * Checks access tokens of RFC 9068, and says by RFC 9470 what is missing where the sign-in behind one is too weak or too old, so that
 * the client can send the person back to prove more.
 */
export function createGuard({ issuer, resource, now = () => new Date() }: GuardSettings) {
  let keys: ReturnType<typeof createRemoteJWKSet> | null = null;
  const published = async () => {
    if (!keys) {
      const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
      const { jwks_uri } = (await answer.json()) as { jwks_uri: string };
      keys = createRemoteJWKSet(new URL(jwks_uri));
    }
    return keys;
  };

  return async (request: IncomingMessage, needs: Needs): Promise<Checked> => {
    const [, token] = /^Bearer ([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (token === undefined) return { ok: false, status: 401, challenge: 'Bearer' };
    let claims: JWTPayload;
    try {
      const verified = await jwtVerify(token, await published(), {
        issuer,
        audience: resource,
        typ: 'at+jwt',
        requiredClaims: ['sub', 'exp', 'client_id'],
        currentDate: now(),
        clockTolerance: 15,
      });
      claims = verified.payload;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      return { ok: false, status: 401, challenge: 'Bearer error="invalid_token"' };
    }

    const scopes = String(claims.scope ?? '').split(' ');
    if (needs.scope !== undefined && !scopes.includes(needs.scope)) {
      return {
        ok: false,
        status: 403,
        challenge: `Bearer error="insufficient_scope", scope="${needs.scope}"`,
      };
    }
    const age = now().getTime() / 1000 - Number(claims.auth_time ?? 0);
    const isStrong = needs.acr === undefined || needs.acr.includes(String(claims.acr));
    const isRecent = needs.maxAge === undefined || age <= needs.maxAge;
    if (isStrong && isRecent) return { ok: true, claims };
    return {
      ok: false,
      status: 401,
      challenge: [
        'Bearer error="insufficient_user_authentication"',
        `error_description="${isStrong ? 'More recent' : 'Stronger'} authentication is needed"`,
        ...(needs.acr === undefined ? [] : [`acr_values="${needs.acr.join(' ')}"`]),
        ...(needs.maxAge === undefined ? [] : [`max_age="${needs.maxAge}"`]),
      ].join(', '),
    };
  };
}
