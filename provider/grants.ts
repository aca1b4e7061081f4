import { type Client, errors, type Grant, type KoaContextWithOIDC } from 'oidc-provider';
import { consentedScope } from '../entities/consents.ts';
import type { Assessment } from '../flows/assess-sign-in.ts';
import type { Services } from '../flows/services.ts';
import { keyedDigest } from '../lib/digest.ts';
import { token } from '../lib/random.ts';
import { claims } from './account.ts';
import { applicationOf, assessRequest } from './assess-request.ts';
import { resourceServerFor } from './resource-servers.ts';

/** What is put to people in words of ours; any other word of a request means nothing. */
const ownScopes: ReadonlySet<string> = new Set([...Object.keys(claims), 'offline_access']);

/** Which scope shows a claim; those about the sign-in itself need nobody's consent. */
const scopeOfClaim: ReadonlyMap<string, string> = new Map(
  Object.entries(claims)
    .filter(([scope]) => scope !== 'openid')
    .flatMap(([scope, names]) => names.map((name) => [name, scope] as const)),
);

/**
 * The scopes that a request asks for by naming their claims (OpenID Connect Core 1.0, 5.5): the person is asked as for the scope
 * itself, since the application learns the same.
 */
const scopesOfClaims = (names: Iterable<string>): string[] => [
  ...new Set([...names].flatMap((name) => scopeOfClaim.get(name) ?? [])),
];

/**
 * True where nobody is asked for consent: a first-party application of the instance, or of an organization that the person belongs to.
 * To everybody else an organization's own application is one of others (docs/decisions/0029-first-party.md).
 */
export function isOwnTo({ memberships }: Pick<Assessment, 'memberships'>, client: Client): boolean {
  const { organizationId } = applicationOf(client);
  return (
    client.first_party === true &&
    (organizationId === null || memberships.some(({ organization }) => organization.id === organizationId))
  );
}

/** The scopes of a request that this person has not granted yet. */
export async function missingScopes(
  services: Services,
  userId: string,
  client: Client,
  requested: readonly string[],
): Promise<string[]> {
  const consented = await consentedScope(services.db, userId, client.clientId);
  const known = new Set(consented?.split(' ') ?? []);
  return requested.filter((scope) => !known.has(scope));
}

/**
 * The grant of this session and application, made where consent stands already. Undefined makes the library ask for consent.
 */
export async function loadGrant(services: Services, ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { session, client, provider, account } = ctx.oidc;
  if (!session || !client || !account) {
    return undefined;
  }
  const requested = [...ctx.oidc.requestParamOIDCScopes];
  const resources = resourceScopesOf(ctx);
  const grantId = session.grantIdFor(client.clientId);
  const existing = grantId ? await provider.Grant.find(grantId) : undefined;
  const assessment = await assessRequest(services, ctx);
  const isOwn = assessment !== null && isOwnTo(assessment, client);
  if (
    existing &&
    // What was once given without being asked for ends where the person does not belong there any more.
    (isOwn || client.first_party !== true) &&
    covers(existing, requested, resources, ctx) &&
    finishedAt(existing) === finishedAt(session)
  ) {
    return existing;
  }
  const asked = [...requested, ...scopesOfClaims(ctx.oidc.requestParamClaims), ...namesToConsent(resources)];
  const missing = isOwn ? [] : await missingScopes(services, account.accountId, client, asked);
  if (missing.length > 0) {
    return undefined;
  }
  const grant = existing ?? new provider.Grant({ accountId: account.accountId, clientId: client.clientId });
  if (!existing) {
    // Requests that come at once for the first time end with one grant, so all their codes redeem.
    const what = JSON.stringify([session.uid, client.clientId, finishedAt(session)]);
    grant.jti = keyedDigest(services.ring, 'grant', what);
  }
  grant.addOIDCScope(requested.join(' '));
  for (const [resource, scopes] of resources) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  const claims = [...ctx.oidc.requestParamClaims];
  if (claims.length > 0) {
    grant.addOIDCClaims(claims);
  }
  // What this sign-in has proved goes with the grant, so that a refresh is judged by it when the session is long over.
  grant.proved = session.proved;
  try {
    await grant.save();
  } catch (error) {
    if (existing || !(error instanceof errors.SessionNotFound)) {
      throw error;
    }
    // The one of that name was revoked, and stays so.
    grant.jti = token();
    await grant.save();
  }
  return grant;
}

const finishedAt = (holder: { proved?: unknown }): number | undefined =>
  (holder.proved as { finishedAt?: number } | undefined)?.finishedAt;

function covers(
  grant: Grant,
  requested: readonly string[],
  resources: ResourceScopes,
  ctx: KoaContextWithOIDC,
): boolean {
  const scopes = new Set(grant.getOIDCScope().split(' '));
  const claims = new Set(grant.getOIDCClaims());
  return (
    requested.every((scope) => scopes.has(scope)) &&
    [...resources].every(([resource, wanted]) => {
      const given = new Set(grant.getResourceScope(resource).split(' '));
      return wanted.every((scope) => given.has(scope));
    }) &&
    [...ctx.oidc.requestParamClaims].every((claim) => claims.has(claim) || neverAsked.has(claim))
  );
}

/** Claims about the sign-in itself, which need nobody's consent. */
const neverAsked = new Set(['sub', 'sid', 'auth_time', 'acr', 'amr', 'iss']);

/** Of every resource that a request names, those of its scopes that the request asks for. */
export type ResourceScopes = ReadonlyMap<string, readonly string[]>;

function resourceScopesOf(ctx: KoaContextWithOIDC): ResourceScopes {
  const requested = [...ctx.oidc.requestParamScopes];
  return new Map(
    Object.entries(ctx.oidc.resourceServers ?? {}).map(([resource, { scopes }]) => [
      resource,
      requested.filter((scope) => scopes.has(scope)),
    ]),
  );
}

/** Under what a consent to a resource's scope is remembered: the same word of another resource is another scope. */
export const namesToConsent = (resources: ResourceScopes): string[] =>
  [...resources].flatMap(([resource, scopes]) => scopes.map((scope) => `${resource}#${scope}`));

/** The names of all that an authorization request asks a person to consent to, from its parameters. */
export async function requestedNames(
  services: Services,
  client: Client,
  params: { readonly scope?: unknown; readonly resource?: unknown; readonly claims?: unknown },
): Promise<string[]> {
  const scopes =
    typeof params.scope === 'string' ? params.scope.split(' ').filter((name) => name !== '') : [];
  const given = params.resource ?? [];
  const names = (Array.isArray(given) ? given : [given]).filter((name) => typeof name === 'string');
  const resources = new Map<string, string[]>();
  for (const name of names) {
    const { scope } = await resourceServerFor(services, name, client);
    const known = new Set(scope.split(' '));
    resources.set(
      name,
      scopes.filter((wanted) => known.has(wanted)),
    );
  }
  const ofResources = new Set([...resources.values()].flat());
  const own = scopes.filter((name) => !ofResources.has(name) && ownScopes.has(name));
  return [
    ...new Set([...own, ...scopesOfClaims(claimsNamedIn(params.claims)), ...namesToConsent(resources)]),
  ];
}

/** The claims of the `claims` parameter, as text or as it stands in a signed request; what is none of its form names none. */
function claimsNamedIn(given: unknown): string[] {
  const parsed = typeof given === 'string' ? parseOrNull(given) : given;
  const members = parsed instanceof Object ? (parsed as { userinfo?: unknown; id_token?: unknown }) : {};
  return [members.userinfo, members.id_token].flatMap((member) =>
    member instanceof Object ? Object.keys(member) : [],
  );
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
