import { createHash, randomBytes } from 'node:crypto';
import { type Address, type Answer, Browser, exchange } from './browser.ts';
import { clientId, clientSecret, codeFor, type Person, redirectUri } from './people.ts';

/** A browser that has signed in, and what the application got. */
export interface SignedIn {
  readonly browser: Browser;
  readonly accessToken: string;
  refreshToken: string;
}

const basic = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`;

/**
 * One whole sign-in in a browser without cookies: authorization request with PKCE, password, code of the authenticator app,
 * token endpoint. Throws where it does not end with an ID token that names both factors.
 */
export async function signIn(
  address: Address,
  who: { readonly person: Person; readonly step: number; readonly password: string },
): Promise<SignedIn> {
  const browser = new Browser(address);
  const verifier = randomBytes(32).toString('base64url');
  let [answer, path] = await follow(browser, authorizationPath(verifier));
  answer = await browser.submit(answer.text, path, { email: who.person.email, password: who.password });
  [answer, path] = await follow(browser, redirectOf(answer, 'the password'));
  answer = await browser.submit(answer.text, path, { code: codeFor(who.person, who.step) });
  [answer, path] = await follow(browser, redirectOf(answer, 'the code'));
  const tokens = await tokenRequest(address, {
    grant_type: 'authorization_code',
    code: codeIn(path),
    redirect_uri: redirectUri,
    code_verifier: verifier,
  });
  const [, payload = ''] = tokens.id_token?.split('.') ?? [];
  const { amr } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { amr?: string[] };
  if (amr?.join(' ') !== 'pwd otp mfa') throw new Error(`the ID token says ${amr}`);
  return { browser, accessToken: tokens.access_token ?? '', refreshToken: tokens.refresh_token ?? '' };
}

/** What is asked again and again between two sign-ins. */
export const requests: Readonly<Record<string, (person: SignedIn) => Promise<void>>> = {
  'silent SSO': async ({ browser }) => {
    const { location } = await browser.get(authorizationPath(randomBytes(32).toString('base64url'), 'none'));
    codeIn(location ?? '');
  },
  refresh: async (person) => {
    const tokens = await tokenRequest(person.browser.address, {
      grant_type: 'refresh_token',
      refresh_token: person.refreshToken,
    });
    person.refreshToken = tokens.refresh_token ?? '';
  },
  userinfo: async ({ browser, accessToken }) =>
    expectOk(await exchange(browser.address, 'GET', '/me', { Authorization: `Bearer ${accessToken}` })),
  introspection: async ({ browser, accessToken }) => {
    const body = new URLSearchParams({ token: accessToken }).toString();
    const answer = await exchange(
      browser.address,
      'POST',
      '/token/introspection',
      { Authorization: basic },
      body,
    );
    expectOk(answer);
    if (!answer.text.includes('"active":true')) throw new Error(`introspection says ${answer.text}`);
  },
  discovery: async ({ browser }) =>
    expectOk(await exchange(browser.address, 'GET', '/.well-known/openid-configuration')),
};

function authorizationPath(verifier: string, prompt?: string): string {
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    scope: 'openid email profile',
    redirect_uri: redirectUri,
    state: 'state',
    nonce: 'nonce',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(prompt ? { prompt } : {}),
  });
  return `/auth?${query}`;
}

/** To the page that is shown, or to the address at the application. */
async function follow(browser: Browser, start: string): Promise<[Answer, string]> {
  let path = start;
  for (let redirects = 0; redirects < 8; redirects += 1) {
    const answer = await browser.get(path);
    if (answer.location === null) return [answer, path];
    path = answer.location;
    if (path.startsWith(redirectUri)) return [answer, path];
  }
  throw new Error(`redirected in circles, at last to ${path}`);
}

function redirectOf(answer: Answer, typed: string): string {
  if (answer.location === null) throw new Error(`${typed} was not taken: ${answer.status}\n${answer.text}`);
  return answer.location;
}

function codeIn(address: string): string {
  const code = new URLSearchParams(address.split('?')[1]).get('code');
  if (code === null) throw new Error(`no code in ${address}`);
  return code;
}

async function tokenRequest(address: Address, fields: Record<string, string>) {
  const answer = await exchange(
    address,
    'POST',
    '/token',
    { Authorization: basic },
    new URLSearchParams(fields).toString(),
  );
  expectOk(answer);
  return JSON.parse(answer.text) as { id_token?: string; access_token?: string; refresh_token?: string };
}

function expectOk({ status, text }: Answer): void {
  if (status !== 200) throw new Error(`answered ${status}: ${text}`);
}
