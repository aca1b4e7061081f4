import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import * as oidc from 'openid-client';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { type Place, place } from '../test/processes/process-rig.ts';

/** A real Keycloak, a real Sallyport and an application of the realm, in a real browser. */

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests are run by npm run test:keycloak`);
  return value;
}

export const keycloakUrl = given('KEYCLOAK_URL').replace(/\/+$/, '');
const [adminName = '', adminPassword = ''] = given('KEYCLOAK_ADMIN').split(':');

export const password = 'correct horse battery staple';
/** Nobody's; of 20 bytes in base32. */
export const totpSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';

export type Json = Record<string, unknown>;

/** Keycloak's own API, as its admin console uses it. */
export async function admin(method: string, path: string, body?: unknown): Promise<Response> {
  const token = await fetch(`${keycloakUrl}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      client_id: 'admin-cli',
      username: adminName,
      password: adminPassword,
    }),
  });
  const { access_token } = (await token.json()) as { access_token: string };
  const answer = await fetch(`${keycloakUrl}/admin/realms${path}`, {
    method,
    headers: { Authorization: `Bearer ${access_token}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

export const read = async <Shape>(path: string): Promise<Shape> =>
  (await (await admin('GET', path)).json()) as Shape;

let count = 0;

/** The name of a realm that a test makes; gone after it. */
export function realmName(t: ExecutionContext): string {
  count += 1;
  const name = `test-${process.pid}-${count}`;
  t.teardown(() => admin('DELETE', `/${name}`).then(() => {}));
  return name;
}

/** A realm of its own for a test. */
export async function realm(t: ExecutionContext, representation: Json = {}): Promise<string> {
  const name = realmName(t);
  await admin('POST', '', { enabled: true, ...representation, realm: name });
  return name;
}

/** Every sign-in of the realm goes by way of Sallyport: Keycloak's own session answers none (docs/keycloak.md). */
export async function alwaysThrough(realmName: string, alias: string): Promise<void> {
  const flow = 'browser through sallyport';
  await admin('POST', `/${realmName}/authentication/flows/browser/copy`, { newName: flow });
  const at = `/${realmName}/authentication/flows/${encodeURIComponent(flow)}/executions`;
  const executions = await read<(Json & { id: string; providerId?: string })[]>(at);
  const cookie = executions.find(({ providerId }) => providerId === 'auth-cookie');
  const redirector = executions.find(({ providerId }) => providerId === 'identity-provider-redirector');
  await admin('PUT', at, { ...cookie, requirement: 'DISABLED' });
  await admin('POST', `/${realmName}/authentication/executions/${redirector?.id}/config`, {
    alias: 'sallyport',
    config: { defaultProvider: alias },
  });
  await admin('PUT', `/${realmName}`, { browserFlow: flow });
}

/** The scope that carries what was proved, as every application's own. */
export async function addScope(realmName: string, scope: Json): Promise<void> {
  await admin('POST', `/${realmName}/client-scopes`, scope);
  const scopes = await read<{ id: string; name: string }[]>(`/${realmName}/client-scopes`);
  const idOf = (name: unknown) => scopes.find((one) => one.name === name)?.id;
  await admin('PUT', `/${realmName}/default-default-client-scopes/${idOf(scope.name)}`);
  // Keycloak's own `acr` says how one signed in at Keycloak, and would stand in the way.
  await admin('DELETE', `/${realmName}/default-default-client-scopes/${idOf('acr')}`);
}

export interface RelyingParty {
  readonly url: string;
  /** What came to its back-channel. */
  readonly logouts: Json[];
  /** Refreshes the last tokens; the new ID token's claims, or what was answered instead. */
  refresh(): Promise<Json>;
  readonly tokens: () => oidc.TokenEndpointResponse | null;
}

/** Empty where it is no JWT. */
const claimsOf = (jwt: string | undefined): Json =>
  jwt?.includes('.')
    ? (JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Json)
    : {};

/** An application of an issuer, by its discovery document: `/` signs in with the query as further parameters, `/out` signs out. */
export async function relyingParty(
  t: ExecutionContext,
  register: (urls: { redirectUri: string; out: string; logout: string }) => Promise<{
    issuer: string;
    clientId: string;
    clientSecret: string;
  }>,
): Promise<RelyingParty> {
  const logouts: Json[] = [];
  let config: oidc.Configuration | null = null;
  let pending: { state: string; verifier: string } | null = null;
  let last: oidc.TokenEndpointResponse | null = null;
  let url = '';

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const at = new URL(req.url ?? '/', url);
    if (!config) throw new Error('not registered yet');
    if (at.pathname === '/') {
      pending = { state: oidc.randomState(), verifier: oidc.randomPKCECodeVerifier() };
      const to = oidc.buildAuthorizationUrl(config, {
        redirect_uri: `${url}/cb`,
        scope: 'openid email profile',
        state: pending.state,
        code_challenge: await oidc.calculatePKCECodeChallenge(pending.verifier),
        code_challenge_method: 'S256',
        ...Object.fromEntries(at.searchParams),
      });
      res.writeHead(302, { Location: to.href }).end();
    } else if (at.pathname === '/cb') {
      if (at.searchParams.has('error')) {
        page(res, 'Refused', Object.fromEntries(at.searchParams));
        return;
      }
      last = await oidc.authorizationCodeGrant(config, at, {
        expectedState: pending?.state ?? '',
        pkceCodeVerifier: pending?.verifier ?? '',
        idTokenExpected: true,
      });
      page(res, 'Signed in', { id: claimsOf(last.id_token), access: claimsOf(last.access_token) });
    } else if (at.pathname === '/out') {
      const to = oidc.buildEndSessionUrl(config, {
        post_logout_redirect_uri: `${url}/bye`,
        id_token_hint: last?.id_token ?? '',
      });
      res.writeHead(302, { Location: to.href }).end();
    } else if (at.pathname === '/bye') {
      page(res, 'Signed out', {});
    } else if (at.pathname === '/logout' && req.method === 'POST') {
      let body = '';
      for await (const part of req) body += part;
      logouts.push(claimsOf(new URLSearchParams(body).get('logout_token') ?? undefined));
      res.writeHead(200).end();
    } else {
      res.writeHead(404).end();
    }
  };
  const server = createServer((req, res) => {
    handle(req, res).catch((error: unknown) => page(res, 'Failed', { error: String(error) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = await register({ redirectUri: `${url}/cb`, out: `${url}/bye`, logout: `${url}/logout` });
  config = await oidc.discovery(new URL(client.issuer), client.clientId, client.clientSecret, undefined, {
    execute: [oidc.allowInsecureRequests],
  });
  const ready = config;
  return {
    url,
    logouts,
    tokens: () => last,
    refresh: async () => {
      try {
        last = await oidc.refreshTokenGrant(ready, last?.refresh_token ?? '');
        return claimsOf(last.id_token);
      } catch (error) {
        return { error: (error as { error?: string }).error ?? String(error) };
      }
    },
  };
}

function page(res: ServerResponse, heading: string, data: Json): void {
  const text = JSON.stringify(data).replaceAll('<', '\\u003c');
  res
    .writeHead(200, { 'Content-Type': 'text/html' })
    .end(`<!doctype html><title>App</title><h1>${heading}</h1><pre id="data">${text}</pre>`);
}

/** An application of the realm. */
export const appOf = (t: ExecutionContext, realmName: string): Promise<RelyingParty> =>
  relyingParty(t, async ({ redirectUri, out, logout }) => {
    await admin('POST', `/${realmName}/clients`, {
      clientId: 'app',
      secret: 'app-secret',
      redirectUris: [redirectUri],
      standardFlowEnabled: true,
      attributes: {
        'post.logout.redirect.uris': out,
        'backchannel.logout.url': logout,
        'backchannel.logout.session.required': 'true',
        'pkce.code.challenge.method': 'S256',
      },
    });
    return { issuer: `${keycloakUrl}/realms/${realmName}`, clientId: 'app', clientSecret: 'app-secret' };
  });

/** Sallyport as people start it, at an address of its own. */
export async function sallyport(t: ExecutionContext, configuration: object): Promise<Place> {
  const there = await place(t, 'SQLite');
  await there.apply(configuration);
  await there.start();
  return there;
}

let browser: Browser | null = null;

export async function endBrowser(): Promise<void> {
  await browser?.close();
}

/** A browser of somebody's own. */
export async function person(t: ExecutionContext): Promise<{ page: Page; context: BrowserContext }> {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  const context = await browser.newContext({ reducedMotion: 'reduce', locale: 'en' });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  if (process.env.KEYCLOAK_LOG) {
    page.on('request', (request) =>
      t.log(request.method(), request.url().slice(0, 160), request.postData() ?? ''),
    );
    page.on('response', (response) => t.log(response.status(), response.url().slice(0, 120)));
  }
  t.teardown(() => context.close());
  return { page, context };
}

export const heading = async (page: Page): Promise<string> =>
  ((await page.locator('h1').first().textContent()) ?? '').trim();

/** What the application shows once the browser is back there. */
export async function arrives(page: Page, app: RelyingParty): Promise<{ id: Json; access: Json }> {
  try {
    await page.waitForURL((url) => url.href.startsWith(app.url), { timeout: 15_000 });
  } catch {
    throw new Error(
      `not back, but at ${page.url()}: ${(await page.locator('body').textContent())?.slice(0, 600)}`,
    );
  }
  const said = await heading(page);
  const data = JSON.parse((await page.locator('#data').textContent()) ?? '{}') as { id: Json; access: Json };
  if (said !== 'Signed in') throw new Error(`${said}: ${JSON.stringify(data)}`);
  return data;
}

/** The pages of Sallyport. */
export async function signInAtSallyport(page: Page, email: string): Promise<void> {
  await page.getByLabel('Email', { exact: true }).fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

export async function typeCode(page: Page, code: string): Promise<void> {
  await page.locator('input[autocomplete="one-time-code"]').first().fill(code);
  await page.getByRole('button', { name: 'Verify', exact: true }).click();
}
