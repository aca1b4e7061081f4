import type { Client, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { errors, Provider } from 'oidc-provider';
import { endSessionByUid } from '../flows/end-sessions.ts';
import type { Services } from '../flows/services.ts';
import { loadSigningKeys } from '../flows/signing-keys.ts';
import { hours, minutes } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { asFetch } from '../lib/outbound.ts';
import { token } from '../lib/random.ts';
import { acrs } from '../policy/assurance.ts';
import { claims, findAccount } from './account.ts';
import { RecordAdapter } from './adapter.ts';
import { isReadableDemand } from './assurance-request.ts';
import { applicationProperties, ClientAdapter } from './client-adapter.ts';
import { CookieKeys } from './cookie-keys.ts';
import { loadGrant } from './grants.ts';
import { createInteractionPolicy } from './interaction-policy.ts';
import { ownApplication } from './own-application.ts';
import { checkRegistration, registrationPolicy } from './registration.ts';
import { defaultResource, resourceServerFor } from './resource-servers.ts';
import { SessionAdapter, sessionIdle } from './session-adapter.ts';
import { allowTestSignIns } from './test-sign-in.ts';

/** The pages that the library asks for; the server gives them. */
export interface ProviderPages {
  readonly renderError: NonNullable<Configuration['renderError']>;
  readonly confirmSignOut: (ctx: KoaContextWithOIDC, form: string) => void | Promise<void>;
  readonly signedOut: (ctx: KoaContextWithOIDC) => void | Promise<void>;
  readonly deviceCode: (ctx: KoaContextWithOIDC, form: string, error: unknown) => void | Promise<void>;
  readonly deviceConfirm: (ctx: KoaContextWithOIDC, form: string, userCode: string) => void | Promise<void>;
  readonly deviceDone: (ctx: KoaContextWithOIDC) => void | Promise<void>;
}

const nowhere = { ip: null, userAgent: null };
const inSeconds = (span: number): number => span / 1000;

/** node-oidc-provider, configured: what is on, how long it lives, and who decides. */
export async function createProvider(services: Services, pages: ProviderPages): Promise<Provider> {
  const { db, ring, settings } = services;
  const secure = settings.issuer.startsWith('https:');
  const cookie = { httpOnly: true, sameSite: 'lax', signed: true, secure, path: '/' } as const;

  const provider = new Provider(settings.issuer, {
    adapter: (model: string) => {
      if (model === 'Client') return new ClientAdapter(db, ring);
      if (model === 'Session') return new SessionAdapter(db, ring);
      return new RecordAdapter(model, db, ring);
    },
    clients: [ownApplication(settings.issuer)],
    jwks: { keys: await loadSigningKeys(db, ring) },
    findAccount: (ctx, sub, token) => findAccount(services, ctx, sub, token),
    loadExistingGrant: (ctx) => loadGrant(services, ctx),
    interactions: {
      policy: createInteractionPolicy(services),
      url: (_ctx, interaction) => `/interaction/${interaction.uid}`,
    },
    renderError: pages.renderError,

    claims,
    scopes: ['openid', 'offline_access'],
    acrValues: [...acrs],
    extraTokenClaims: howSomebodySignedIn,
    extraClientMetadata: { properties: [...applicationProperties] },
    clientDefaults: {
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      require_auth_time: true,
    },
    responseTypes: ['code', 'none'],
    subjectTypes: ['public'],
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256'],
      userinfoSigningAlgValues: ['RS256', 'ES256'],
      introspectionSigningAlgValues: ['RS256', 'ES256'],
      authorizationSigningAlgValues: ['RS256', 'ES256'],
      dPoPSigningAlgValues: ['ES256', 'EdDSA', 'RS256', 'PS256'],
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      requestObjectSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
    },
    pkce: { required: (_ctx, client) => client.clientAuthMethod === 'none' },
    allowOmittingSingleRegisteredRedirectUri: false,
    rotateRefreshToken: true,
    issueRefreshToken: (_ctx, client, source) =>
      client.grantTypeAllowed('refresh_token') &&
      (client.first_party === true || source.scopes.has('offline_access')),
    expiresWithSession: (_ctx, source) => !source.scopes.has('offline_access'),
    // An app's own scheme has no origin, and neither has a page in a sandbox: that makes the one no part of the other.
    clientBasedCORS: (_ctx, origin, client) =>
      origin !== 'null' &&
      (client.redirectUris ?? []).some((uri) => URL.canParse(uri) && new URL(uri).origin === origin),

    features: {
      devInteractions: { enabled: false },
      claimsParameter: {
        enabled: true,
        assertClaimsParameter: (_ctx, parameter) => {
          if (!isReadableDemand(parameter)) {
            throw new errors.InvalidRequest('the acr claim is not well-formed');
          }
        },
      },
      deviceFlow: {
        enabled: true,
        deviceInfo: (ctx) => ({
          ip: ctx.ip,
          ua: ctx.get('user-agent').slice(0, 500),
          // The library turns max_age=0 into a prompt, and then forgets the prompts of devices.
          login: ctx.oidc.prompts.has('login'),
        }),
        userCodeInputSource: (ctx, form, _out, error) => pages.deviceCode(ctx, form, error),
        userCodeConfirmSource: (ctx, form, _client, _info, userCode) =>
          pages.deviceConfirm(ctx, form, userCode),
        successSource: (ctx) => pages.deviceDone(ctx),
      },
      // Resource servers are clients with a secret or key; a public client learns only of its own tokens.
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) =>
          client.clientAuthMethod !== 'none' || token.clientId === client.clientId,
      },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => pages.confirmSignOut(ctx, form),
        postLogoutSuccessSource: (ctx) => pages.signedOut(ctx),
      },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      requestObjects: { enabled: true },
      jwtUserinfo: { enabled: true },
      jwtIntrospection: { enabled: true },
      jwtResponseModes: { enabled: true },
      registration: {
        enabled: true,
        initialAccessToken: true,
        idFactory: () => newId(db.clock.now()),
        secretFactory: () => token(),
        policies: { [registrationPolicy]: checkRegistration },
        issueRegistrationAccessToken: true,
      },
      registrationManagement: { enabled: true, rotateRegistrationAccessToken: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, _client, oneOf) => defaultResource(services, ctx, oneOf),
        getResourceServerInfo: (_ctx, resource, client) => resourceServerFor(services, resource, client),
        useGrantedResource: () => false,
      },
    },

    formats: { bitsOfOpaqueRandomness: 256 },
    // Machines' clocks may differ by this much where tokens carry a time (RFC 7519 §4.1.4).
    clockTolerance: 15,
    ttl: {
      AccessToken: inSeconds(hours(1)),
      AuthorizationCode: 60,
      ClientCredentials: (_ctx, { resourceServer }) =>
        resourceServer?.accessTokenTTL ?? inSeconds(minutes(10)),
      DeviceCode: 600,
      Grant: inSeconds(hours(24 * 14)),
      IdToken: inSeconds(hours(1)),
      Interaction: inSeconds(hours(1)),
      RefreshToken: inSeconds(hours(24 * 14)),
      Session: inSeconds(sessionIdle),
    },
    cookies: {
      keys: new CookieKeys(ring),
      names: secure
        ? {
            session: '__Host-sallyport-session',
            interaction: '__Secure-sallyport-interaction',
            resume: '__Secure-sallyport-resume',
          }
        : { session: 'sallyport-session', interaction: 'sallyport-interaction', resume: 'sallyport-resume' },
      long: cookie,
      short: { httpOnly: true, sameSite: 'lax', signed: true, secure },
    },
    fetch: asFetch(services.outbound),
  });

  keepInPayload(provider.Session, 'proved', 'version', 'readAs', 'readSignIn', 'seenAt');
  keepInPayload(provider.Grant, 'proved');
  for (const model of [provider.AuthorizationCode, provider.AccessToken, provider.RefreshToken]) {
    keepInPayload(model, 'holder');
  }
  keepInPayload(provider.InitialAccessToken, 'organizationId');
  keepOnlyStoredSessions(provider);
  endSessionsForGood(services, provider);
  tellOfLogoutsLater(services, provider);
  refuseLogoutTokensAsHints(provider);
  allowTestSignIns(provider, services);
  provider.on('interaction.ended', handOverWhatWasProved);
  return provider;
}

/** `acr`, `amr` and `auth_time` stand in the access token's record, for userinfo and introspection (RFC 9470 §6.2). */
function howSomebodySignedIn(ctx: KoaContextWithOIDC): { [claim: string]: unknown } | undefined {
  const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities;
  const source = AuthorizationCode ?? RefreshToken ?? DeviceCode;
  if (!source) {
    return undefined;
  }
  return { acr: source.acr, amr: source.amr, auth_time: source.authTime };
}

/** The library stores only the fields that a model names; these are ours. */
function keepInPayload(model: unknown, ...names: string[]): void {
  const fields = [...(model as { IN_PAYLOAD: string[] }).IN_PAYLOAD, ...names];
  Object.defineProperty(model, 'IN_PAYLOAD', { get: () => fields });
}

/**
 * Whoever comes without a session and goes without one has none that could be kept: the library would throw, and hide by that what it
 * had to say (`GET /device/x` without a cookie).
 */
function keepOnlyStoredSessions(provider: Provider): void {
  const prototype = provider.Session.prototype as {
    persist(this: { exp?: number }): Promise<string | undefined>;
  };
  const { persist } = prototype;
  prototype.persist = async function persistStored() {
    return typeof this.exp === 'number' ? persist.call(this) : undefined;
  };
}

/** Signing out ends the session itself, not only its identifier: a request under way in it cannot bring it back (trap F13). */
function endSessionsForGood(services: Services, provider: Provider): void {
  const prototype = provider.Session.prototype as { destroy(this: { uid: string }): Promise<void> };
  const { destroy } = prototype;
  prototype.destroy = async function destroyForGood() {
    await endSessionByUid(services, this.uid, nowhere, 'signed_out');
    await destroy.call(this);
  };
}

/** The library's own way to tell an application of a session's end, for whoever takes it from the outbox. */
const tellNow = new WeakMap<Provider, (this: Client, sub: string, sid: string) => Promise<void>>();

/** No sign-out waits for an application: what the library would send at once goes through the outbox, and is tried again. */
function tellOfLogoutsLater({ db, notify }: Services, provider: Provider): void {
  const prototype = provider.Client.prototype as unknown as {
    backchannelLogout(this: Client, sub: string, sid: string): Promise<void>;
  };
  tellNow.set(provider, prototype.backchannelLogout);
  prototype.backchannelLogout = async function later(sub, sid) {
    const { sql, values } = notify.logout({ clientId: this.clientId, sub, sid });
    await db.change(sql, values);
  };
}

/** Sends one logout token; an application that is gone, or no longer wants any, needs none. Throws where it was not taken. */
export async function sendLogoutToken(
  provider: Provider,
  message: { readonly clientId: string; readonly sub: string; readonly sid: string },
): Promise<void> {
  const client = await provider.Client.find(message.clientId);
  if (client?.backchannelLogoutUri) {
    await tellNow.get(provider)?.call(client, message.sub, message.sid);
  }
}

/** A logout token is signed by the same key, but says nothing about who is here (Back-Channel Logout 1.0 §2.4). */
function refuseLogoutTokensAsHints(provider: Provider): void {
  const idToken = (provider as unknown as { IdToken: { validate: ValidateIdToken } }).IdToken;
  const { validate } = idToken;
  idToken.validate = async (jwt, client) => {
    const validated = await validate.call(idToken, jwt, client);
    if (validated.header.typ === 'logout+jwt') {
      throw new errors.InvalidRequest('a logout token is no id_token_hint');
    }
    return validated;
  };
}

type ValidateIdToken = (
  jwt: string,
  client: unknown,
) => Promise<{ readonly header: { readonly typ?: string }; readonly payload: { readonly sub?: string } }>;

/** What an interaction has proved goes into the session together with the account, in one write. */
function handOverWhatWasProved(ctx: KoaContextWithOIDC): void {
  const proved = ctx.oidc.result?.proved;
  if (proved !== undefined && ctx.oidc.session) {
    ctx.oidc.session.proved = proved;
  }
}
