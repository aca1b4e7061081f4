import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { type Configuration, interactionPolicy, type KoaContextWithOIDC, Provider } from 'oidc-provider';

const secondFactor = 'urn:sallyport:acr:2fa';

/** What the person does at the provider when it shows a page. */
export type Behaviour = { acr: string; amr: string[]; ts?: number } | { error: string };

export interface TestProvider {
  /** Parameters of every authorization request, in order. */
  requests: Record<string, string>[];
  /** How often tokens were asked for. */
  tokenRequests: number;
  behaviour: Behaviour;
  /** Sends the logout token of a session to its application, as oidc-provider does. */
  sendLogout(sub: string, sid: string): Promise<void>;
  /** A logout token signed by this provider, with claims or the header's type changed. */
  logoutToken(claims: JWTPayload, typ?: string): Promise<string>;
  revokeGrants(): Promise<void>;
}

/** A port of this machine, and what answers on it once that is known. */
export async function listen() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}`,
    answer(handler: (request: IncomingMessage, response: ServerResponse) => void) {
      server.on('request', handler);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A bare oidc-provider in whose pages somebody always does the same. */
export async function createTestProvider(
  issuer: string,
  relyingParty: string,
): Promise<{
  provider: TestProvider;
  handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const grantIds: string[] = [];
  const op = new Provider(
    issuer,
    configuration(relyingParty, { ...(await exportJWK(privateKey)), kid: 'test' }),
  );

  const provider: TestProvider = {
    requests: [],
    tokenRequests: 0,
    behaviour: { acr: 'urn:sallyport:acr:1fa', amr: ['pwd'] },
    async sendLogout(sub, sid) {
      const client = await op.Client.find('demo');
      // Not in the published types.
      await (
        client as unknown as { backchannelLogout(sub: string, sid: string): Promise<void> }
      ).backchannelLogout(sub, sid);
    },
    logoutToken: (claims, typ = 'logout+jwt') =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'test', typ }).sign(privateKey),
    async revokeGrants() {
      for (const id of grantIds) await (await op.Grant.find(id))?.destroy();
    },
  };

  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { prompt, params, session } = await op.interactionDetails(request, response);
    if ('error' in provider.behaviour) {
      return op.interactionFinished(request, response, { ...provider.behaviour });
    }
    if (prompt.name === 'login') {
      return op.interactionFinished(request, response, {
        login: { accountId: 'ada', ...provider.behaviour },
      });
    }
    const grant = new op.Grant({ accountId: session?.accountId ?? '', clientId: String(params.client_id) });
    grant.addOIDCScope(String(params.scope));
    const grantId = await grant.save();
    grantIds.push(grantId);
    return op.interactionFinished(request, response, { consent: { grantId } });
  }

  const callback = op.callback();
  async function handler(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', issuer);
    if (pathname.startsWith('/interaction/')) return interact(request, response);
    if (pathname === '/auth') provider.requests.push(Object.fromEntries(searchParams));
    if (pathname === '/token') provider.tokenRequests += 1;
    await callback(request, response);
  }
  return { provider, handler };
}

function configuration(relyingParty: string, key: object): Configuration {
  const policy = interactionPolicy.base();
  // Sallyport's rule in its smallest form: a second factor that is asked for has to be in the session.
  policy.get('login')?.checks.add(
    new interactionPolicy.Check(
      'second_factor',
      'a second factor is needed',
      'interaction_required',
      ({ oidc }) => {
        const wanted = String(oidc.params?.acr_values ?? '').includes(secondFactor);
        return wanted && !oidc.result?.login && oidc.session?.acr !== secondFactor;
      },
    ),
  );
  return {
    clients: [
      {
        client_id: 'demo',
        client_secret: 'demo-secret',
        redirect_uris: [`${relyingParty}/callback`],
        post_logout_redirect_uris: [`${relyingParty}/`],
        backchannel_logout_uri: `${relyingParty}/backchannel-logout`,
        backchannel_logout_session_required: true,
        grant_types: ['authorization_code', 'refresh_token'],
        require_auth_time: true,
      },
    ],
    // oidc-provider refuses to call addresses of this machine unless its dispatcher is left out.
    fetch: (url, init) => {
      const { dispatcher: _, ...options }: RequestInit & { dispatcher?: unknown } = { ...init };
      return fetch(url, options);
    },
    jwks: { keys: [key] },
    acrValues: ['urn:sallyport:acr:1fa', secondFactor],
    claims: { openid: ['sub', 'acr', 'amr'], profile: ['name', 'organizations'], email: ['email'] },
    cookies: { keys: ['test'] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: askToSignOut },
    },
    findAccount: (_ctx, sub) => ({
      accountId: sub,
      claims: () => ({ sub, name: '<Ada> & Co', email: 'ada@acme.test', organizations: ['acme'] }),
    }),
    interactions: { policy, url: (_ctx, { uid }) => `/interaction/${uid}` },
    ttl: {
      Session: 3600,
      Grant: 3600,
      Interaction: 3600,
      AccessToken: 3600,
      IdToken: 3600,
      RefreshToken: 3600,
    },
  };
}

function askToSignOut(ctx: KoaContextWithOIDC, form: string): void {
  ctx.body = form.replace(
    '</form>',
    '<input type="hidden" name="logout" value="yes"/><button>Yes, sign out</button></form>',
  );
}
