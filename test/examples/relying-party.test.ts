import { readFileSync } from 'node:fs';
import test from 'ava';
import { generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { signedIn } from '../../examples/relying-party/pages.ts';
import type { SignIn } from '../../examples/relying-party/provider.ts';
import { startRelyingParty } from '../../examples/relying-party/relying-party.ts';
import { createSessions } from '../../examples/relying-party/sessions.ts';
import { german, wordsFor } from '../../examples/relying-party/words.ts';
import { Browser } from './browser.ts';
import { createTestProvider, listen } from './provider.ts';

const secondFactor = { acr: 'urn:sallyport:acr:2fa', amr: ['pwd', 'otp', 'mfa'] };

/** The application, a provider that starts after it, and a browser; all end with the test. */
async function setUp(t: { teardown(task: () => unknown): void }) {
  const server = await listen();
  t.teardown(() => server.close());
  const log: string[] = [];
  const application = await startRelyingParty({
    issuer: server.url,
    clientId: 'demo',
    clientSecret: 'demo-secret',
    port: 0,
    log: (line) => log.push(line),
  });
  t.teardown(() => application.close());
  const { provider, handler } = await createTestProvider(server.url, application.url);
  server.answer(handler);
  return { home: `${application.url}/`, issuer: server.url, provider, browser: new Browser(), log };
}

async function signIn(browser: Browser, home: string): Promise<void> {
  await browser.open(home);
  await browser.press('Sign in');
}

test('a person signs in and sees in words how, and the claims as they came', async (t) => {
  const { home, browser, provider } = await setUp(t);
  await browser.open(home);
  t.is(browser.heading, 'Sign in to continue');
  t.false(browser.has('Sign out'));

  await browser.press('Sign in');
  t.is(browser.url, home);
  t.is(browser.status, 200);
  t.regex(browser.text, /You signed in with your first factor only/);
  t.like(browser.json('id-token'), { sub: 'ada', acr: 'urn:sallyport:acr:1fa', amr: ['pwd'] });
  t.like(browser.json('userinfo'), { name: '<Ada> & Co', organizations: ['acme'] });
  t.regex(browser.text, /<h1>Signed in as &#60;Ada&#62; &#38; Co<\/h1>/);
  t.notRegex(browser.text, /<Ada>/);

  const [request] = provider.requests;
  t.like(request, {
    response_type: 'code',
    code_challenge_method: 'S256',
    scope: 'openid profile email offline_access',
  });
  t.is(request?.prompt, undefined);
  t.regex(request?.state ?? '', /^[\w-]{43}$/);
  t.regex(request?.nonce ?? '', /^[\w-]{43}$/);
});

test('its pages are not cached, run nothing and are framed by nobody', async (t) => {
  const { home, browser, issuer } = await setUp(t);
  await browser.open(home);
  t.is(browser.headers.get('Cache-Control'), 'no-store');
  const policy = browser.headers.get('Content-Security-Policy') ?? '';
  t.regex(policy, /default-src 'none'/);
  t.regex(policy, /frame-ancestors 'none'/);
  t.true(policy.includes(`form-action 'self' ${issuer};`));
  t.notRegex(browser.text, /<script|<style| style=/);
});

test('the cookie is random, hidden from scripts, and new after every sign-in', async (t) => {
  const { home, browser } = await setUp(t);
  await browser.open(home);
  t.is(browser.cookies.size, 0);
  const started = await fetch(`${home}sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: new URL(home).origin },
  });
  t.regex(
    started.headers.get('Set-Cookie') ?? '',
    /^relying-party=[\w-]{43}; HttpOnly; SameSite=Lax; Path=\/$/,
  );

  await signIn(browser, home);
  const first = browser.cookies.get('relying-party')?.value;
  await browser.press('Sign in');
  const second = browser.cookies.get('relying-party')?.value;
  t.not(first, second);
  const old = new Browser();
  old.cookies.set('relying-party', { value: String(first), path: '/' });
  await old.open(home);
  t.is(old.heading, 'Sign in to continue');
});

test('it asks for a second factor, and for a fresh one', async (t) => {
  const { home, browser, provider } = await setUp(t);
  await signIn(browser, home);
  provider.behaviour = secondFactor;

  await browser.press('Ask for a second factor');
  t.is(provider.requests.at(-1)?.acr_values, 'urn:sallyport:acr:2fa');
  t.is(provider.requests.at(-1)?.max_age, undefined);
  t.regex(browser.text, /You signed in with two factors/);
  t.like(browser.json('id-token'), secondFactor);

  await browser.press('Ask for a fresh one');
  t.like(provider.requests.at(-1), { acr_values: 'urn:sallyport:acr:2fa', max_age: '0' });
  t.regex(browser.text, /in answer to a request for a fresh second factor/);
});

test('a factor used before it was asked for is not fresh', async (t) => {
  const { home, browser, provider, log } = await setUp(t);
  await signIn(browser, home);
  provider.behaviour = { ...secondFactor, ts: epoch() - 120 };
  await browser.press('Ask for a fresh one');
  t.is(browser.heading, 'Something went wrong');
  t.is(log.length, 1);
  await browser.open(home);
  t.regex(browser.text, /first factor only/);
});

test('it says so when the sign-in is weaker than what it asked for', async (t) => {
  const { home, browser } = await setUp(t);
  await signIn(browser, home);
  t.notRegex(browser.text, /A second factor was asked for/);
  await browser.press('Ask for a second factor');
  t.regex(browser.text, /A second factor was asked for, but this sign-in did not use one/);
});

test('it refreshes with a refresh token, asking for one only where there is none', async (t) => {
  const { home, browser, provider } = await setUp(t);
  await signIn(browser, home);
  t.false(browser.has('Refresh'));
  await browser.press('Allow refreshing');
  t.is(provider.requests.at(-1)?.prompt, 'consent');
  t.true(browser.has('Refresh'));

  const asked = provider.requests.length;
  await browser.press('Refresh');
  t.regex(browser.text, /in answer to a refresh/);
  t.like(browser.json('id-token'), { sub: 'ada' });
  t.is(provider.requests.length, asked);
});

test('tabs that refresh together share one answer', async (t) => {
  const { home, browser, provider } = await setUp(t);
  await signIn(browser, home);
  await browser.press('Allow refreshing');
  const post = () =>
    fetch(`${home}refresh`, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        Origin: new URL(home).origin,
        Cookie: `relying-party=${browser.cookies.get('relying-party')?.value}`,
      },
    });
  const before = provider.tokenRequests;
  const answers = await Promise.all([post(), post(), post()]);
  t.deepEqual(
    answers.map(({ status }) => status),
    [303, 303, 303],
  );
  t.is(provider.tokenRequests, before + 1);
  await browser.open(home);
  await browser.press('Refresh');
  t.regex(browser.text, /in answer to a refresh/);
});

test('a sign-in that the provider no longer renews is over', async (t) => {
  const { home, browser, provider } = await setUp(t);
  await signIn(browser, home);
  await browser.press('Allow refreshing');
  await provider.revokeGrants();
  await browser.press('Refresh');
  t.is(browser.status, 403);
  t.is(browser.heading, 'Please sign in again');
  await browser.open(home);
  t.is(browser.heading, 'Sign in to continue');
});

test('a silent check answers without a page, or says kindly why it cannot', async (t) => {
  const { home, browser, provider } = await setUp(t);
  await signIn(browser, home);
  await browser.press('Check silently');
  t.is(provider.requests.at(-1)?.prompt, 'none');
  t.truthy(provider.requests.at(-1)?.id_token_hint);
  t.regex(browser.text, /in answer to a silent check/);

  for (const name of browser.cookies.keys()) if (name !== 'relying-party') browser.cookies.delete(name);
  await browser.press('Check silently');
  t.is(browser.heading, 'You would have to sign in');
  t.regex(browser.text, /<code>login_required<\/code>/);

  await browser.press('Try again');
  t.is(provider.requests.at(-1)?.prompt, undefined);
  t.is(browser.url, home);
});

const refusals: [error: string, heading: string][] = [
  ['access_denied', 'You did not sign in'],
  ['login_required', 'You would have to sign in'],
  ['interaction_required', 'The provider has to ask you something'],
  ['unmet_authentication_requirements', 'That sign-in was not strong enough'],
  ['temporarily_unavailable', 'You could not be signed in'],
];
for (const [error, heading] of refusals) {
  test(`${error} gets a friendly page, and trying again works`, async (t) => {
    const { home, browser, provider } = await setUp(t);
    provider.behaviour = { error };
    await signIn(browser, home);
    t.is(browser.heading, heading);
    t.is(browser.status, 403);
    provider.behaviour = secondFactor;
    await browser.press('Try again');
    t.regex(browser.text, /You signed in with two factors/);
  });
}

test('an answer counts once, in the browser that asked, unchanged', async (t) => {
  const { home, browser, log } = await setUp(t);
  await browser.open(home);
  const started = await fetch(`${home}sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: new URL(home).origin },
  });
  const owner = /relying-party=([\w-]+)/.exec(started.headers.get('Set-Cookie') ?? '')?.[1] ?? '';
  // Goes through the provider as somebody without the application's cookie, so that the answer is not used yet.
  const bystander = new Browser();
  await bystander.open(started.headers.get('Location') ?? '');
  t.is(bystander.heading, 'This sign-in was not started here');
  t.is(bystander.status, 400);
  const answer = new URL(bystander.url);
  t.is(answer.pathname, '/callback');

  browser.cookies.set('relying-party', { value: owner, path: '/' });
  for (const change of ['', 'x'.repeat(43), `${answer.searchParams.get('state')}x`]) {
    const tampered = new URL(answer);
    tampered.searchParams.set('state', change);
    await browser.open(tampered.href);
    t.is(browser.heading, 'This sign-in was not started here');
  }

  await browser.open(answer.href);
  t.is(browser.heading, 'Signed in as &#60;Ada&#62; &#38; Co');
  await browser.open(answer.href);
  t.is(browser.heading, 'This sign-in was not started here');
  t.deepEqual(log, []);
});

test('an answer from another issuer is not used', async (t) => {
  const { home, browser, log } = await setUp(t);
  const started = await fetch(`${home}sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: new URL(home).origin },
  });
  const bystander = new Browser();
  await bystander.open(started.headers.get('Location') ?? '');
  const answer = new URL(bystander.url);
  answer.searchParams.set('iss', 'https://elsewhere.test');
  const owner = /relying-party=([\w-]+)/.exec(started.headers.get('Set-Cookie') ?? '')?.[1] ?? '';
  browser.cookies.set('relying-party', { value: owner, path: '/' });
  await browser.open(answer.href);
  t.is(browser.heading, 'Something went wrong');
  t.is(browser.status, 502);
  t.false(log.join().includes(answer.searchParams.get('code') ?? 'no code'));
  await browser.open(home);
  t.is(browser.heading, 'Sign in to continue');
});

test('signing out ends the session here and at the provider', async (t) => {
  const { home, browser, provider, issuer } = await setUp(t);
  await signIn(browser, home);
  await browser.press('Sign out');
  t.true(browser.url.startsWith(`${issuer}/session/end?`));
  const { searchParams } = new URL(browser.url);
  t.is(searchParams.get('post_logout_redirect_uri'), home);
  t.truthy(searchParams.get('id_token_hint'));
  await browser.press('Yes, sign out');
  t.is(browser.url, home);
  t.is(browser.heading, 'Sign in to continue');

  provider.behaviour = { error: 'access_denied' };
  await browser.press('Sign in');
  t.is(browser.heading, 'You did not sign in');
});

test('a logout from the provider ends the session that it names, and no other', async (t) => {
  const { home, browser, provider } = await setUp(t);
  const other = new Browser();
  await signIn(browser, home);
  await signIn(other, home);
  const { sid } = browser.json('id-token');
  t.is(typeof sid, 'string');

  await provider.sendLogout('somebody-else', String(sid));
  await browser.open(home);
  t.true(browser.has('Sign out'));

  await provider.sendLogout('ada', String(sid));
  await browser.open(home);
  await other.open(home);
  t.false(browser.has('Sign out'));
  t.true(other.has('Sign out'));
});

test('a logout token without sid ends every session of the person', async (t) => {
  const { home, issuer, browser, provider } = await setUp(t);
  const other = new Browser();
  await signIn(browser, home);
  await signIn(other, home);
  t.is(await sendLogoutToken(home, await provider.logoutToken(goodLogout(issuer))), 200);
  for (const each of [browser, other]) {
    await each.open(home);
    t.false(each.has('Sign out'));
  }
});

const event = 'http://schemas.openid.net/event/backchannel-logout';
const epoch = () => Math.floor(Date.now() / 1000);
const goodLogout = (iss: string): JWTPayload => ({
  iss,
  aud: 'demo',
  sub: 'ada',
  iat: epoch(),
  exp: epoch() + 120,
  jti: 'one',
  events: { [event]: {} },
});

const badLogouts: [what: string, changes: Record<string, unknown>, typ?: string][] = [
  ['another issuer', { iss: 'https://elsewhere.test' }],
  ['another application', { aud: 'bench' }],
  ['no event', { events: undefined }],
  ['another event', { events: { 'http://schemas.test/other': {} } }],
  ['an event that is no object', { events: { [event]: true } }],
  ['a nonce', { nonce: 'n' }],
  ['neither sub nor sid', { sub: undefined }],
  ['no jti', { jti: undefined }],
  ['an end in the past', { exp: epoch() - 120 }],
  ['a beginning long ago', { iat: epoch() - 3600 }],
  ['the type of an ID token', {}, 'JWT'],
];
test('a logout token that is not right ends nothing', async (t) => {
  const { home, issuer, browser, provider } = await setUp(t);
  await signIn(browser, home);
  for (const [what, changes, typ] of badLogouts) {
    const token = await provider.logoutToken({ ...goodLogout(issuer), ...changes }, typ);
    t.is(await sendLogoutToken(home, token), 400, what);
  }
  const { privateKey } = await generateKeyPair('RS256');
  const forged = new SignJWT(goodLogout(issuer)).setProtectedHeader({
    alg: 'RS256',
    kid: 'test',
    typ: 'logout+jwt',
  });
  t.is(await sendLogoutToken(home, await forged.sign(privateKey)), 400, 'signed by somebody else');
  t.is(await sendLogoutToken(home, 'not a token'), 400);
  t.is(await sendLogoutToken(home, ''), 400);
  await browser.open(home);
  t.true(browser.has('Sign out'));
});

async function sendLogoutToken(home: string, token: string): Promise<number> {
  const { status } = await fetch(`${home}backchannel-logout`, {
    method: 'POST',
    body: new URLSearchParams({ logout_token: token }),
  });
  return status;
}

test('a form of another site does nothing', async (t) => {
  const { home, browser, provider } = await setUp(t);
  await signIn(browser, home);
  for (const path of ['sign-in', 'sign-in/fresh', 'refresh', 'sign-out']) {
    await browser.open(home + path, { fields: new URLSearchParams(), origin: 'https://elsewhere.test' });
    t.is(browser.status, 403);
    await browser.open(home + path, { fields: new URLSearchParams(), origin: 'null' });
    t.is(browser.status, 403);
  }
  t.is(provider.requests.length, 1);
  await browser.open(home);
  t.true(browser.has('Sign out'));
});

test('an address or a question that it does not know is a page that says so', async (t) => {
  const { home, browser } = await setUp(t);
  await browser.open(`${home}nowhere`);
  t.is(browser.status, 404);
  for (const ask of ['sign-in/root', 'sign-in/toString', 'callback']) {
    await browser.open(home + ask, { fields: new URLSearchParams(), origin: new URL(home).origin });
    t.is(browser.status, 404);
  }
});

test('while the provider is away it says so; when it comes, people sign in', async (t) => {
  const server = await listen();
  const log: string[] = [];
  t.teardown(() => server.close());
  const application = await startRelyingParty({
    issuer: server.url,
    clientId: 'demo',
    clientSecret: 'demo-secret',
    port: 0,
    log: (line) => log.push(line),
  });
  t.teardown(() => application.close());
  let away = true;
  const { handler } = await createTestProvider(server.url, application.url);
  server.answer((request, response) => {
    if (!away) return void handler(request, response);
    response.writeHead(503).end();
  });

  const browser = new Browser();
  await signIn(browser, `${application.url}/`);
  t.is(browser.status, 503);
  t.is(browser.headers.get('Retry-After'), '5');
  t.is(browser.heading, 'The sign-in service does not answer');
  t.is(log.length, 1);
  away = false;
  await browser.press('Try again');
  t.true(browser.has('Sign out'));
});

const sentences: [acr: string | undefined, sentence: RegExp][] = [
  ['urn:sallyport:acr:1fa', /first factor only, usually a password/],
  ['urn:sallyport:acr:remembered', /remembered browser/],
  ['urn:sallyport:acr:2sv', /an email code does not count as a second factor/],
  ['urn:sallyport:acr:2fa', /You signed in with two factors/],
  ['phr', /You signed in with a passkey/],
  ['https://elsewhere.test/<loa>', /does not know: https:\/\/elsewhere.test\/&#60;loa&#62;\./],
  [undefined, /did not say how/],
];
for (const [acr, sentence] of sentences) {
  test(`${acr ?? 'no acr'} is put in plain words`, (t) => {
    const claims = {
      iss: 'https://op.test',
      sub: 'ada',
      aud: 'demo',
      iat: 0,
      exp: 1,
      ...(acr ? { acr } : {}),
    };
    const page: SignIn = {
      answers: 'plain',
      answeredAt: new Date(0),
      wantedSecondFactor: false,
      claims,
      userinfo: null,
      idToken: '',
      refreshToken: null,
    };
    t.regex(signedIn(wordsFor('en'), page, 'https://op.test'), sentence);
  });
}

test('sessions end after their time, and the oldest makes room', (t) => {
  let now = new Date(0);
  const sessions = createSessions<string>({ secure: true, lifetimeMs: 1000, limit: 2, now: () => now });
  const [ada, bob] = [sessions.begin('ada'), sessions.begin('bob')];
  t.regex(ada, /^__Host-relying-party=[\w-]{43}; HttpOnly; SameSite=Lax; Path=\/; Secure$/);
  t.is(sessions.find(ada)?.data, 'ada');
  const eve = sessions.begin('eve');
  t.is(sessions.find(ada), null);
  t.is(sessions.find(bob)?.data, 'bob');
  now = new Date(1000);
  t.is(sessions.find(eve), null);
  t.is(sessions.find(undefined), null);
});

test('the pages speak the language of the browser, and every sentence of theirs is there in German', async (t) => {
  const { home } = await setUp(t);
  for (const [accepted, heading] of [
    ['de-AT,de;q=0.9,en;q=0.5', 'Melden Sie sich an, um fortzufahren'],
    ['fr,de;q=0.7', 'Melden Sie sich an, um fortzufahren'],
    ['en-GB,de;q=0.5', 'Sign in to continue'],
    ['fr', 'Sign in to continue'],
  ] as const) {
    const text = await (await fetch(home, { headers: { 'Accept-Language': accepted } })).text();
    t.true(text.includes(`<h1>${heading}</h1>`), accepted);
  }
  const source = readFileSync(new URL('../../examples/relying-party/pages.ts', import.meta.url), 'utf8');
  const said = [...source.matchAll(/'([^'\n]+)'/g)].map(([, text = '']) => text);
  t.deepEqual(
    Object.keys(german).filter((sentence) => !said.includes(sentence)),
    [],
    'none is left over',
  );
  t.deepEqual(
    said.filter(
      (text) =>
        !text.includes('=') && /^[A-Z][a-z]+\b.*[ .]|[a-z] [a-z]/.test(text) && german[text] === undefined,
    ),
    [],
  );
});
