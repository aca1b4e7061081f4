import { type Client, errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider';
import { resourceServer } from '../entities/applications.ts';
import type { Services } from '../flows/services.ts';
import { minutes } from '../lib/clock.ts';
import { apiResource, apiScopes, isApiScope } from '../policy/api-scopes.ts';

const inSeconds = (span: number): number => span / 1000;

/**
 * What an access token for a resource (RFC 8707) is: for the management API one that can be ended at once, for a registered resource
 * server a signed one (RFC 9068), which lives five minutes because nobody can take it back.
 *
 * An organization's resource server is for that organization's applications and for those of the instance.
 */
export async function resourceServerFor(
  services: Services,
  resource: string,
  client: Client,
): Promise<ResourceServer> {
  if (resource === apiResource(services.settings.issuer)) {
    return {
      scope: apiScopesOf(client).join(' '),
      audience: resource,
      accessTokenFormat: 'opaque',
      accessTokenTTL: inSeconds(minutes(10)),
    };
  }
  const row = await resourceServer(services.db, resource);
  const organization = (client.organization_id as string | null | undefined) ?? null;
  if (
    !row ||
    (row.organization_id !== null && organization !== null && row.organization_id !== organization)
  ) {
    throw new errors.InvalidTarget('no such resource');
  }
  const { resource_scopes: scope, id_token_signed_response_alg: alg = 'RS256' } = JSON.parse(
    row.metadata,
  ) as {
    resource_scopes?: string;
    id_token_signed_response_alg?: 'RS256' | 'ES256';
  };
  return {
    scope: scope ?? '',
    audience: resource,
    accessTokenFormat: 'jwt',
    accessTokenTTL: inSeconds(minutes(5)),
    jwt: { sign: { alg } },
  };
}

/** Whoever asks for scopes of the management API alone need not name it. */
export function defaultResource(
  services: Services,
  ctx: KoaContextWithOIDC,
  oneOf: string | readonly string[] | undefined,
): string | string[] {
  if (oneOf !== undefined) {
    return typeof oneOf === 'string' ? oneOf : [...oneOf];
  }
  const scopes = [...ctx.oidc.requestParamScopes];
  return scopes.length > 0 && scopes.every(isApiScope) ? apiResource(services.settings.issuer) : [];
}

const apiScopesOf = (client: Client): string[] => {
  const given = Array.isArray(client.api_scopes) ? client.api_scopes : [];
  return apiScopes.filter((scope) => given.includes(scope));
};
