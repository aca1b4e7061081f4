import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oidc from 'openid-client';

interface Parameters {
  acr_values?: string;
  max_age?: string;
  prompt?: 'none' | 'consent';
}

/** What this application may ask the provider for, as parameters of the authorization request. */
export const asks = {
  plain: {},
  'second-factor': { acr_values: 'urn:sallyport:acr:2fa' },
  fresh: { acr_values: 'urn:sallyport:acr:2fa', max_age: '0' },
  silent: { prompt: 'none' },
  'offline-access': { prompt: 'consent' },
} satisfies Record<string, Parameters>;

export type Ask = keyof typeof asks;

export const isAsk = (text: string): text is Ask => Object.hasOwn(asks, text);

/** What must be kept, in the session of the browser that asked, until the provider answers. */
export interface Pending {
  ask: Ask;
  /** It is about a token for the API, and this is what the API has asked for. */
  forApi?: Challenge;
  nonce: string;
  codeVerifier: string;
  startedAt: Date;
}

/** Who signed in, and what the provider says about it. Tokens stay on the server. */
export interface SignIn {
  /** What these claims answer, and when they came. */
  answers: Ask | 'refresh';
  answeredAt: Date;
  /** Whether a second factor was asked for: what came back must be compared with it. */
  wantedSecondFactor: boolean;
  claims: oidc.IDToken;
  userinfo: oidc.UserInfoResponse | null;
  idToken: string;
  refreshToken: string | null;
}

export interface ProviderSettings {
  issuer: string;
  clientId: string;
  clientSecret: string;
  redirectUri: string;
  scope: string;
  /** An API of this application's, by its address, which is also the resource that its tokens name. */
  api?: string;
  now: () => Date;
}

/** What an API wants to know of the sign-in before it does what it was asked for (RFC 9470). */
export interface Challenge {
  acr_values?: string;
  max_age?: string;
}

/** What came of a call to the API. */
export type ApiAnswer =
  | { kind: 'done'; flights: number }
  /** The sign-in is too weak or too old for it: ask the person to prove more, and call again. */
  | { kind: 'step_up'; challenge: Challenge }
  | { kind: 'token_refused' }
  | { kind: 'failed' };

/** Reads the challenge of RFC 9470 out of a `WWW-Authenticate` header; null where it says something else. */
export function readChallenge(header: string): Challenge | null {
  if (!/\berror="insufficient_user_authentication"/.test(header)) return null;
  const value = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(header)?.[1];
  const acr_values = value('acr_values');
  const max_age = value('max_age');
  return { ...(acr_values ? { acr_values } : {}), ...(max_age ? { max_age } : {}) };
}

export type Provider = ReturnType<typeof createProvider>;

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Everything that is said between this application and the provider. */
export function createProvider(settings: ProviderSettings) {
  const { clientId, redirectUri, scope, now } = settings;
  const issuer = new URL(settings.issuer);
  // http is for development on one machine; openid-client refuses it anywhere else.
  const plainHttp = issuer.protocol === 'http:' && loopback.has(issuer.hostname);
  const connect = lazily(async () => {
    const configuration = await oidc.discovery(
      issuer,
      clientId,
      undefined,
      oidc.ClientSecretBasic(settings.clientSecret),
      { execute: [oidc.enableNonRepudiationChecks, ...(plainHttp ? [oidc.allowInsecureRequests] : [])] },
    );
    const { jwks_uri } = configuration.serverMetadata();
    if (!jwks_uri) throw new Error('the provider publishes no keys (jwks_uri)');
    return { configuration, keys: createRemoteJWKSet(new URL(jwks_uri)) };
  });

  async function userinfo(configuration: oidc.Configuration, accessToken: string, sub: string) {
    if (!configuration.serverMetadata().userinfo_endpoint) return null;
    return oidc.fetchUserInfo(configuration, accessToken, sub);
  }

  return {
    /** Where to send the browser, and what to keep under `state` until it comes back. */
    async startSignIn(
      ask: Ask,
      current: SignIn | null,
    ): Promise<{ url: URL; state: string; pending: Pending }> {
      const { configuration } = await connect();
      const state = oidc.randomState();
      const pending = {
        ask,
        nonce: oidc.randomNonce(),
        codeVerifier: oidc.randomPKCECodeVerifier(),
        startedAt: now(),
      };
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope,
        state,
        nonce: pending.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(pending.codeVerifier),
        code_challenge_method: 'S256',
        // A silent check is about the person who is signed in here, not about anybody.
        ...(ask === 'silent' && current ? { id_token_hint: current.idToken } : {}),
        ...asks[ask],
      });
      return { url, state, pending };
    },

    /** The same for a token for the API, with what the API has asked for. */
    async startApiAccess(challenge: Challenge): Promise<{ url: URL; state: string; pending: Pending }> {
      const { configuration } = await connect();
      const state = oidc.randomState();
      const pending: Pending = {
        ask: 'plain',
        forApi: challenge,
        nonce: oidc.randomNonce(),
        codeVerifier: oidc.randomPKCECodeVerifier(),
        startedAt: now(),
      };
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: 'openid flights:read flights:write',
        ...(settings.api === undefined ? {} : { resource: settings.api }),
        state,
        nonce: pending.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(pending.codeVerifier),
        code_challenge_method: 'S256',
        ...challenge,
      });
      return { url, state, pending };
    },

    /** The token for the API that an answer stands for, when it is about this very person. */
    async finishApiAccess(
      search: string,
      state: string,
      pending: Pending,
      sub: string,
    ): Promise<string | null> {
      const { configuration } = await connect();
      const tokens = await oidc.authorizationCodeGrant(
        configuration,
        new URL(search, redirectUri),
        {
          expectedState: state,
          expectedNonce: pending.nonce,
          pkceCodeVerifier: pending.codeVerifier,
          idTokenExpected: true,
        },
        settings.api === undefined ? {} : { resource: settings.api },
      );
      return tokens.claims()?.sub === sub ? tokens.access_token : null;
    },

    /** Books a flight at the API. */
    async book(accessToken: string): Promise<ApiAnswer> {
      const response = await fetch(new URL('/flights', settings.api), {
        method: 'POST',
        headers: { Authorization: `Bearer ${accessToken}` },
        redirect: 'error',
        signal: AbortSignal.timeout(5000),
      });
      if (response.status === 201) {
        const { flights } = (await response.json()) as { flights: number };
        return { kind: 'done', flights };
      }
      if (response.status !== 401) return { kind: 'failed' };
      const challenge = readChallenge(response.headers.get('WWW-Authenticate') ?? '');
      return challenge ? { kind: 'step_up', challenge } : { kind: 'token_refused' };
    },

    /** Checks the answer (`state`, `iss`, `nonce`, PKCE, signature, age) and fetches what it stands for. */
    async finishSignIn(search: string, state: string, pending: Pending): Promise<SignIn> {
      const { configuration } = await connect();
      const asked: Parameters = asks[pending.ask];
      const tokens = await oidc.authorizationCodeGrant(configuration, new URL(search, redirectUri), {
        expectedState: state,
        expectedNonce: pending.nonce,
        pkceCodeVerifier: pending.codeVerifier,
        idTokenExpected: true,
        // `max_age` counts from the request: the person may have taken a while at the provider since.
        ...(asked.max_age === undefined
          ? {}
          : {
              maxAge:
                Number(asked.max_age) + Math.ceil((now().getTime() - pending.startedAt.getTime()) / 1000),
            }),
      });
      const claims = tokens.claims();
      if (!claims || !tokens.id_token) throw new Error('the provider sent no ID token');
      return {
        answers: pending.ask,
        answeredAt: now(),
        wantedSecondFactor: asked.acr_values !== undefined,
        claims,
        userinfo: await userinfo(configuration, tokens.access_token, claims.sub),
        idToken: tokens.id_token,
        refreshToken: tokens.refresh_token ?? null,
      };
    },

    /** New claims for a sign-in that has a refresh token; null when the provider no longer renews it. */
    async refresh(signIn: SignIn & { refreshToken: string }): Promise<SignIn | null> {
      const { configuration } = await connect();
      const tokens = await oidc.refreshTokenGrant(configuration, signIn.refreshToken).catch(nullIfRefused);
      if (!tokens) return null;
      const claims = tokens.claims() ?? signIn.claims;
      // OpenID Connect Core 12.2: a refreshed ID token is about the same person.
      if (claims.sub !== signIn.claims.sub) return null;
      return {
        answers: 'refresh',
        answeredAt: now(),
        wantedSecondFactor: false,
        claims,
        userinfo: await userinfo(configuration, tokens.access_token, claims.sub),
        idToken: tokens.id_token ?? signIn.idToken,
        refreshToken: tokens.refresh_token ?? signIn.refreshToken,
      };
    },

    /** Takes back the refresh token, and says where the browser ends its session at the provider, if it can. */
    async signOut(signIn: SignIn, postLogoutRedirectUri: string): Promise<URL | null> {
      const { configuration } = await connect();
      const { revocation_endpoint, end_session_endpoint } = configuration.serverMetadata();
      if (signIn.refreshToken && revocation_endpoint) {
        const hint = { token_type_hint: 'refresh_token' };
        // A token that cannot be revoked expires; it must not keep the person from signing out.
        await oidc.tokenRevocation(configuration, signIn.refreshToken, hint).catch(() => undefined);
      }
      if (!end_session_endpoint) return null;
      return oidc.buildEndSessionUrl(configuration, {
        id_token_hint: signIn.idToken,
        post_logout_redirect_uri: postLogoutRedirectUri,
      });
    },

    /** Whose sessions end, by OpenID Connect Back-Channel Logout 1.0, section 2.6. */
    async readLogoutToken(logoutToken: string): Promise<{ sub?: string; sid?: string }> {
      const { configuration, keys } = await connect();
      const { payload } = await jwtVerify(logoutToken, keys, {
        issuer: configuration.serverMetadata().issuer,
        audience: clientId,
        typ: 'logout+jwt',
        requiredClaims: ['iat', 'exp', 'jti', 'events'],
        maxTokenAge: '5 minutes',
        clockTolerance: '30 seconds',
        currentDate: now(),
      });
      const { sub, sid, events, nonce } = payload;
      if (!isRecord(events) || !isRecord(events['http://schemas.openid.net/event/backchannel-logout'])) {
        throw new InvalidLogoutToken('not about a logout');
      }
      if (nonce !== undefined) throw new InvalidLogoutToken('an ID token is no logout token');
      if (typeof sid === 'string') return sub === undefined ? { sid } : { sub, sid };
      if (sub !== undefined) return { sub };
      throw new InvalidLogoutToken('names neither a person nor a session');
    },
  };
}

/** A logout token that is signed by the provider, but does not say what one must. */
export class InvalidLogoutToken extends Error {}

/** The provider cannot be reached, or does not describe itself as it should. */
export class ProviderAway extends Error {}

/** Runs `task` when its result is first needed, and again after a failure: the provider may start after this application. */
function lazily<T>(task: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | null = null;
  return () => {
    result ??= task().catch((cause) => {
      result = null;
      throw new ProviderAway('the provider is not there', { cause });
    });
    return result;
  };
}

function nullIfRefused(error: unknown): null {
  if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant') return null;
  throw error;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
