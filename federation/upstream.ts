import { createLocalJWKSet, importJWK, type JSONWebKeySet, type JWK, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import * as z from 'zod';
import type { Clock } from '../lib/clock.ts';
import { minutes, seconds } from '../lib/clock.ts';
import { asFetch, type Outbound, OutboundError } from '../lib/outbound.ts';
import { UpstreamProblem } from './upstream-problem.ts';

/** An OpenID provider in front of us, with the secret or key by which it knows us. */
export interface Upstream {
  readonly id: string;
  /** Changes with every change of the rest. */
  readonly version: number;
  readonly issuer: string;
  readonly clientId: string;
  readonly authentication: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';
  readonly secret: string | null;
  readonly privateKey: JWK | null;
}

export interface FederationServices {
  readonly outbound: Outbound;
  readonly clock: Clock;
}

/** Signatures that only the provider can make; `none` and shared secrets are not among them. */
const signatures = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/** Clocks may differ by this much. */
const tolerance = 30;

type Cached = {
  readonly server: oidc.ServerMetadata;
  readonly until: number;
  keys: { readonly jwks: oidc.ExportedJWKSCache['jwks']; readonly at: number } | undefined;
};

const known = new Map<string, Cached | { readonly problem: UpstreamProblem; readonly until: number }>();
const underWay = new Map<string, Promise<oidc.ServerMetadata>>();
const most = 500;
const keptFor = minutes(10);
const failureKeptFor = seconds(5);
/** Keys are fetched anew for an unknown one, but not more often than this. */
const keysAgainAfter = seconds(10);

/**
 * What the provider says of itself (OpenID Connect Discovery 1.0), asked for once in ten minutes by each process; a failure is remembered
 * for a moment, so that a provider that is down is not asked by everybody at once.
 *
 * @throws UpstreamProblem away, not_trusted
 */
export async function discover(
  services: FederationServices,
  upstream: Upstream,
): Promise<oidc.ServerMetadata> {
  const name = nameOf(upstream);
  const now = () => services.clock.now().getTime();
  const found = known.get(name);
  if (found && found.until > now()) {
    if ('problem' in found) throw found.problem;
    return found.server;
  }
  const asked = underWay.get(name) ?? ask(services, upstream);
  underWay.set(name, asked);
  try {
    const server = await asked;
    const before = known.get(name);
    const keys = before && 'keys' in before ? before.keys : undefined;
    remember(name, { server, until: now() + keptFor, keys });
    return server;
  } catch (error) {
    const problem = error instanceof UpstreamProblem ? error : problemOf(error);
    remember(name, { problem, until: now() + failureKeptFor });
    throw problem;
  } finally {
    underWay.delete(name);
  }
}

/** Asks anew: for "Test" on the page of the provider. */
export function forgetDiscovery(upstream: Upstream): void {
  known.delete(nameOf(upstream));
}

const nameOf = ({ id, version, issuer }: Upstream): string => `${id} ${version} ${issuer}`;

function remember(name: string, value: Parameters<typeof known.set>[1]): void {
  known.delete(name);
  known.set(name, value);
  for (const oldest of known.keys()) {
    if (known.size <= most) break;
    known.delete(oldest);
  }
}

const isWebAddress = (text: unknown): text is string =>
  typeof text === 'string' && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

const needed = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const;
/** Whatever a browser or a request of ours is sent to. */
const endpoints = [...needed, 'userinfo_endpoint', 'end_session_endpoint'] as const;

async function ask(services: FederationServices, upstream: Upstream): Promise<oidc.ServerMetadata> {
  let found: oidc.Configuration;
  try {
    found = await oidc.discovery(new URL(upstream.issuer), upstream.clientId, undefined, undefined, {
      execute: insecure(upstream.issuer),
      timeout: 10,
      [oidc.customFetch]: asFetch(services.outbound) as oidc.CustomFetch,
    });
  } catch (error) {
    throw problemOf(error);
  }
  const server = JSON.parse(JSON.stringify(found.serverMetadata())) as oidc.ServerMetadata;
  if (server.issuer !== upstream.issuer) {
    throw new UpstreamProblem('not_trusted', 'it calls itself by another issuer');
  }
  for (const name of needed) {
    if (!isWebAddress(server[name])) throw new UpstreamProblem('not_trusted', `it names no ${name}`);
  }
  // Beside a plain issuer, which only this very machine may have, the rest may be plain too.
  for (const name of endpoints) {
    const address = server[name];
    if (address === undefined) continue;
    if (!isWebAddress(address)) throw new UpstreamProblem('not_trusted', `its ${name} is no web address`);
    if (upstream.issuer.startsWith('https:') && !/^https:/i.test(address)) {
      throw new UpstreamProblem('not_trusted', `its ${name} is not https`);
    }
  }
  const offered = server.id_token_signing_alg_values_supported ?? ['RS256'];
  const usable = offered.filter((alg) => signatures.includes(alg));
  if (usable.length === 0) throw new UpstreamProblem('not_trusted', 'it signs with nothing that is accepted');
  return { ...server, id_token_signing_alg_values_supported: usable };
}

/** Plain http is for development: the guard for outgoing requests decides which hosts may be reached at all. */
const insecure = (issuer: string) => (issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : []);

async function configurationOf(
  services: FederationServices,
  upstream: Upstream,
): Promise<oidc.Configuration> {
  const server = await discover(services, upstream);
  const configuration = new oidc.Configuration(
    server,
    upstream.clientId,
    {
      [oidc.clockSkew]: Math.round((services.clock.now().getTime() - Date.now()) / 1000),
      [oidc.clockTolerance]: tolerance,
    },
    await authenticationOf(upstream),
  );
  configuration[oidc.customFetch] = asFetch(services.outbound) as oidc.CustomFetch;
  configuration.timeout = 10;
  for (const allow of insecure(upstream.issuer)) allow(configuration);
  oidc.enableNonRepudiationChecks(configuration);
  const cached = known.get(nameOf(upstream));
  if (cached && 'keys' in cached && cached.keys) {
    const age = ageOfKeys(services.clock.now().getTime() - cached.keys.at);
    oidc.setJwksCache(configuration, { jwks: cached.keys.jwks, uat: Math.floor(Date.now() / 1000) - age });
  }
  return configuration;
}

/**
 * How old keys are, in seconds, as the library is told. It asks anew for a key that it does not know only after a minute, and the code is
 * spent by then: who has changed keys would let nobody in for as long. Ten seconds keep a provider from being asked by everybody.
 */
const ageOfKeys = (age: number): number =>
  Math.floor((age >= keysAgainAfter || age < 0 ? Math.max(age, minutes(1)) : age) / 1000);

async function authenticationOf({ authentication, secret, privateKey }: Upstream): Promise<oidc.ClientAuth> {
  if (authentication === 'private_key_jwt') {
    if (!privateKey) throw new UpstreamProblem('not_trusted', 'there is no key to sign with');
    const key = await importJWK(privateKey, 'ES256');
    return oidc.PrivateKeyJwt({ key: key as oidc.CryptoKey, kid: privateKey.kid as string });
  }
  if (secret === null) throw new UpstreamProblem('not_trusted', 'there is no secret');
  return authentication === 'client_secret_post'
    ? oidc.ClientSecretPost(secret)
    : oidc.ClientSecretBasic(secret);
}

/** What is remembered of a browser that was sent to the provider. */
export interface UpstreamRequest {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  /** Seconds; null where any age will do. */
  readonly maxAge: number | null;
}

/**
 * Where the browser is sent to.
 *
 * @throws UpstreamProblem
 */
export async function authorizationUrl(
  services: FederationServices,
  upstream: Upstream,
  request: UpstreamRequest,
  wishes: {
    readonly scopes: readonly string[];
    /** Values that the provider should reach; `essential` where anything less is refused. */
    readonly acr: { readonly values: readonly string[]; readonly essential: boolean };
    readonly login: boolean;
    readonly loginHint: string | null;
    readonly uiLocales: string | null;
  },
): Promise<URL> {
  const configuration = await configurationOf(services, upstream);
  const { acr } = wishes;
  const claims =
    acr.essential &&
    acr.values.length > 0 &&
    configuration.serverMetadata().claims_parameter_supported === true
      ? JSON.stringify({ id_token: { acr: { essential: true, values: acr.values } } })
      : null;
  return oidc.buildAuthorizationUrl(configuration, {
    scope: wishes.scopes.join(' '),
    redirect_uri: request.redirectUri,
    state: request.state,
    nonce: request.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(request.codeVerifier),
    code_challenge_method: 'S256',
    ...(acr.values.length > 0 ? { acr_values: acr.values.join(' ') } : {}),
    ...(claims === null ? {} : { claims }),
    ...(request.maxAge === null ? {} : { max_age: String(request.maxAge) }),
    ...(wishes.login ? { prompt: 'login' } : {}),
    ...(wishes.loginHint === null ? {} : { login_hint: wishes.loginHint }),
    ...(wishes.uiLocales === null ? {} : { ui_locales: wishes.uiLocales }),
  });
}

/** What the provider said, and signed. */
export interface UpstreamIdentity {
  readonly subject: string;
  readonly acr: string | null;
  readonly amr: readonly string[];
  /** Milliseconds; null where it did not say. */
  readonly authenticatedAt: number | null;
  readonly sid: string | null;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly idToken: string;
}

const words = z.array(z.string().max(200)).max(50);
const idTokenClaims = z.looseObject({
  sub: z.string().min(1).max(255),
  iat: z.number(),
  azp: z.string().optional(),
  acr: z.string().max(500).nullish(),
  amr: z.union([words, z.string().transform((one) => [one])]).nullish(),
  auth_time: z.number().nonnegative().nullish(),
  sid: z.string().max(500).nullish(),
});

/**
 * Redeems what came back and checks all of it: `state`, `iss` (RFC 9207), the ID token's signature, issuer, audience, nonce and times,
 * and that a sign-in as recent as was asked for took place.
 *
 * @throws UpstreamProblem
 */
export async function redeem(
  services: FederationServices,
  upstream: Upstream,
  request: UpstreamRequest,
  parameters: URLSearchParams,
  /** The names of claims that may have to be asked for at the userinfo endpoint. */
  names: { readonly email: string; readonly emailVerified: string; readonly name: string },
): Promise<UpstreamIdentity> {
  const back = new URL(request.redirectUri);
  back.search = parameters.toString();
  const now = services.clock.now().getTime();
  try {
    const configuration = await configurationOf(services, upstream);
    const readBefore = oidc.getJwksCache(configuration)?.uat;
    const tokens = await oidc.authorizationCodeGrant(configuration, back, {
      expectedState: request.state,
      expectedNonce: request.nonce,
      pkceCodeVerifier: request.codeVerifier,
      idTokenExpected: true,
    });
    const cached = known.get(nameOf(upstream));
    const keys = oidc.getJwksCache(configuration);
    if (cached && 'server' in cached && keys && keys.uat !== readBefore) {
      cached.keys = { jwks: keys.jwks, at: now };
    }

    const read = idTokenClaims.safeParse(tokens.claims());
    if (!read.success) throw new UpstreamProblem('not_trusted', 'a claim of its ID token has the wrong form');
    const claims = read.data;
    if (claims.azp !== undefined && claims.azp !== upstream.clientId) {
      throw new UpstreamProblem('not_trusted', 'its ID token was made for another application');
    }
    if (claims.iat * 1000 > now + seconds(tolerance)) {
      throw new UpstreamProblem('not_trusted', 'its ID token is from the future');
    }
    const authenticatedAt = claims.auth_time == null ? null : claims.auth_time * 1000;
    if (authenticatedAt !== null && authenticatedAt > now + seconds(tolerance)) {
      throw new UpstreamProblem('not_trusted', 'its sign-in is from the future');
    }
    if (
      request.maxAge !== null &&
      (authenticatedAt === null || authenticatedAt < now - seconds(request.maxAge + tolerance))
    ) {
      throw new UpstreamProblem('too_old', 'it did not say that somebody signed in recently');
    }
    const missing = claims[names.email] === undefined || claims[names.name] === undefined;
    const more =
      missing && isWebAddress(configuration.serverMetadata().userinfo_endpoint)
        ? await userInfo(configuration, tokens.access_token, claims.sub)
        : {};
    return {
      subject: claims.sub,
      acr: claims.acr ?? null,
      amr: claims.amr ?? [],
      authenticatedAt,
      sid: claims.sid ?? null,
      claims: claimsOf(claims, more, names),
      idToken: tokens.id_token ?? '',
    };
  } catch (error) {
    throw problemOf(error);
  }
}

/**
 * What it says of its person, in the signed document and beside it. An address and the word that it is verified are of one document, or of
 * two that name the same address; what contradicts the signed one is not taken at all.
 */
function claimsOf(
  signed: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, unknown>>,
  { email, emailVerified }: { readonly email: string; readonly emailVerified: string },
): Readonly<Record<string, unknown>> {
  const [here, there] = [signed[email], more[email]];
  if (here !== undefined && there !== undefined && here !== there) return signed;
  const all = { ...more, ...signed };
  if (here !== undefined && there !== undefined) return all;
  return { ...all, [emailVerified]: (here === undefined ? more : signed)[emailVerified] };
}

/** What more it says of its person. Nothing, where it cannot be had; but never of somebody else (OpenID Connect Core 1.0 §5.3.2). */
async function userInfo(
  configuration: oidc.Configuration,
  accessToken: string,
  subject: string,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await oidc.fetchUserInfo(configuration, accessToken, subject);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') throw error;
    return {};
  }
}

/**
 * Where a sign-out goes on at the provider (OpenID Connect RP-Initiated Logout 1.0); null where it has no such place.
 *
 * @throws UpstreamProblem
 */
export async function signOutUrl(
  services: FederationServices,
  upstream: Upstream,
  request: { readonly idToken: string | null; readonly returnTo: string; readonly state: string },
): Promise<URL | null> {
  const server = await discover(services, upstream);
  if (!isWebAddress(server.end_session_endpoint)) return null;
  const url = new URL(server.end_session_endpoint);
  url.searchParams.set('client_id', upstream.clientId);
  if (request.idToken !== null) url.searchParams.set('id_token_hint', request.idToken);
  url.searchParams.set('post_logout_redirect_uri', request.returnTo);
  url.searchParams.set('state', request.state);
  return url;
}

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout';
const logoutClaims = z.looseObject({
  iat: z.number(),
  exp: z.number().optional(),
  jti: z.string().min(1).max(500),
  sub: z.string().min(1).max(255).optional(),
  sid: z.string().min(1).max(500).optional(),
  nonce: z.undefined().optional(),
  events: z.looseObject({ [logoutEvent]: z.looseObject({}) }),
});

/** How old a logout token may be; its `jti` is remembered for longer than that. */
export const logoutTokenLifetime = minutes(10);

const logoutKeys = new Map<string, { readonly keys: JSONWebKeySet; readonly at: number }>();

/**
 * The logout token of a provider (OpenID Connect Back-Channel Logout 1.0 §2.6), checked but for its single use.
 *
 * @throws UpstreamProblem
 */
export async function readLogoutToken(
  services: FederationServices,
  upstream: Upstream,
  token: string,
): Promise<{ readonly jti: string; readonly subject: string | null; readonly sid: string | null }> {
  const server = await discover(services, upstream);
  const now = services.clock.now();
  const name = nameOf(upstream);
  const verify = async (keys: JSONWebKeySet) =>
    jwtVerify(token, createLocalJWKSet(keys), {
      issuer: upstream.issuer,
      audience: upstream.clientId,
      algorithms: [...(server.id_token_signing_alg_values_supported ?? [])],
      currentDate: now,
      clockTolerance: tolerance,
    });
  const known = logoutKeys.get(name);
  try {
    let verified: Awaited<ReturnType<typeof verify>> | null = known
      ? await verify(known.keys).catch(() => null)
      : null;
    if (!verified && (!known || now.getTime() - known.at > keysAgainAfter)) {
      const answer = await services.outbound(String(server.jwks_uri));
      const keys = JSON.parse(answer.body.toString('utf8')) as JSONWebKeySet;
      logoutKeys.delete(name);
      logoutKeys.set(name, { keys, at: now.getTime() });
      for (const oldest of logoutKeys.keys()) {
        if (logoutKeys.size <= most) break;
        logoutKeys.delete(oldest);
      }
      verified = await verify(keys);
    }
    if (!verified) throw new UpstreamProblem('not_trusted', 'the signature of its logout token is wrong');
    const { typ } = verified.protectedHeader;
    const read = logoutClaims.safeParse(verified.payload);
    if (!read.success || (typ !== undefined && !/^(application\/)?(logout\+jwt|jwt)$/i.test(typ))) {
      throw new UpstreamProblem('not_trusted', 'what it sent is no logout token');
    }
    const { iat, jti, sub, sid } = read.data;
    const age = now.getTime() - iat * 1000;
    if (age > logoutTokenLifetime || age < -seconds(tolerance) || (sub === undefined && sid === undefined)) {
      throw new UpstreamProblem('not_trusted', 'its logout token is too old, or names nobody');
    }
    return { jti, subject: sub ?? null, sid: sid ?? null };
  } catch (error) {
    throw problemOf(error);
  }
}

/** Errors of the libraries, in words of ours: theirs may quote tokens. */
function problemOf(error: unknown): UpstreamProblem {
  if (error instanceof UpstreamProblem) return error;
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; depth += 1) {
    if (cause instanceof OutboundError) return new UpstreamProblem('away', cause.reason);
    if (cause.name === 'TimeoutError' || cause.name === 'AbortError')
      return new UpstreamProblem('away', 'too slow');
    cause = cause.cause;
  }
  if (error instanceof oidc.AuthorizationResponseError) {
    return new UpstreamProblem('declined', wordIn(error.error));
  }
  if (error instanceof oidc.ResponseBodyError) {
    return error.status >= 500
      ? new UpstreamProblem('away', 'it failed')
      : new UpstreamProblem('not_trusted', `it refused: ${wordIn(error.error)}`);
  }
  const { code } = (error ?? {}) as { code?: unknown };
  return new UpstreamProblem('not_trusted', typeof code === 'string' ? code : 'its answer cannot be read');
}

/** An error code of OAuth is a word; anything else of a stranger's choosing is not repeated. */
const wordIn = (text: unknown): string =>
  typeof text === 'string' && /^[a-z_]{1,40}$/.test(text) ? text : 'an error';
