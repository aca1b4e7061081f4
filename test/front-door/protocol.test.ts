import { createHash, createHmac, createPublicKey, type JsonWebKey, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import parallel, { type ExecutionContext } from 'ava';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { hours, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextDay,
  password,
  passwordStep,
  pkce,
  redirectUri,
  secret,
  type TokenAnswer,
} from './rig.ts';

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const replicas = 2;

/** Somebody who is signed in by password alone; the second factor is other tests' business. */
async function signedIn(door: FrontDoor, replica = 0, who = 'ada'): Promise<Browser> {
  const browser = door.browser(replica);
  await passwordStep(browser, who);
  if (!browser.callback?.has('code')) throw new Error(`not signed in: ${browser.heading} ${browser.alert}`);
  return browser;
}

/** Another code in the same session. */
async function codeOf(browser: Browser, params: Readonly<Record<string, string>> = {}): Promise<string> {
  await browser.authorize(params);
  const code = browser.callback?.get('code');
  if (!code) throw new Error(`no code, but ${browser.callback ?? `${browser.status} ${browser.heading}`}`);
  return code;
}

/** An authorization request with exactly these parameters. */
const request = (browser: Browser, params: Record<string, string>): Promise<void> =>
  browser.open(`${browser.issuer}/auth?${new URLSearchParams(params)}`);

/** A request to a token endpoint as no rig would send it. */
async function raw(
  door: FrontDoor,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
  replica = 0,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${door.browser().addresses[replica]}${path}`, {
    method: 'POST',
    headers,
    body: new URLSearchParams(fields),
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : { text } };
}

const userinfo = (door: FrontDoor, token: unknown, replica = 0): Promise<TokenAnswer> =>
  door.post('/me', {}, { bearer: String(token), replica });

async function isActive(door: FrontDoor, token: unknown, replica = 0): Promise<unknown> {
  const { body } = await door.post('/token/introspection', { token: String(token) }, { replica });
  return body.active;
}

const refresh = (door: FrontDoor, token: unknown, options: { replica?: number; clientId?: string } = {}) =>
  door.post('/token', { grant_type: 'refresh_token', refresh_token: String(token) }, options);

/** All servers have tried to send what is due. */
const delivered = (door: FrontDoor) => Promise.all(door.apps.map(({ courier }) => courier.deliverDue()));

/** One thing at once on all servers. */
const race = <T>(n: number, one: (replica: number, index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: n }, (_, index) => one(index % replicas, index)));

function onlyOne(t: ExecutionContext, answers: readonly TokenAnswer[], what: string): TokenAnswer {
  const right = answers.filter(({ status }) => status === 200);
  t.is(
    right.length,
    1,
    `${what}: ${JSON.stringify(answers.map(({ status, body }) => [status, body.error]))}`,
  );
  for (const { status, body } of answers.filter((answer) => answer.status !== 200)) {
    t.is(status, 400, what);
    t.is(body.error, 'invalid_grant', what);
  }
  return right[0] as TokenAnswer;
}

async function isDead(t: ExecutionContext, door: FrontDoor, tokens: TokenAnswer, what: string) {
  for (let replica = 0; replica < replicas; replica += 1) {
    t.is((await userinfo(door, tokens.body.access_token, replica)).status, 401, `${what}: userinfo`);
    t.is(await isActive(door, tokens.body.access_token, replica), false, `${what}: access token`);
    t.is(await isActive(door, tokens.body.refresh_token, replica), false, `${what}: refresh token`);
    const again = await refresh(door, tokens.body.refresh_token, { replica });
    t.deepEqual([again.status, again.body.error], [400, 'invalid_grant'], `${what}: refresh`);
  }
}

const spa = application('spa', { token_endpoint_auth_method: 'none', client_secret: undefined });

/** A page's own scripts must be allowed by its policy, or people with scripts see an empty page (`<noscript>` is not for them). */
function scriptsMayRun(t: ExecutionContext, browser: Browser): void {
  const policy = browser.headers.get('Content-Security-Policy') ?? '';
  for (const [, script = ''] of browser.text.matchAll(/<script>(.*?)<\/script>/gs)) {
    const hash = createHash('sha256').update(script).digest('base64');
    t.true(policy.includes(`'sha256-${hash}'`), `${browser.url} shows an empty page to who has scripts`);
  }
}

for (const kind of kinds) {
  // One server takes so many connections, and other files' tests want some too.
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: a public client gets nothing without PKCE by S256, and nobody redeems a code without its verifier (T127)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: {} }, { applications: [spa] }),
      replicas,
    });
    const browser = await signedIn(door);
    const { verifier, challenge } = pkce();
    const base = {
      client_id: 'spa',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: redirectUri,
      state: 's',
    };
    const refused: Record<string, Record<string, string>> = {
      'no challenge': {},
      'an empty challenge': { code_challenge: '', code_challenge_method: 'S256' },
      'a method without a challenge': { code_challenge_method: 'S256' },
      plain: { code_challenge: verifier, code_challenge_method: 'plain' },
      'no method, which means plain': { code_challenge: challenge },
      's256 in small letters': { code_challenge: challenge, code_challenge_method: 's256' },
      'a challenge that is too short': { code_challenge: 'a'.repeat(42), code_challenge_method: 'S256' },
      'a challenge of other characters': {
        code_challenge: `${'a'.repeat(42)}=`,
        code_challenge_method: 'S256',
      },
    };
    for (const [what, params] of Object.entries(refused)) {
      await request(browser, { ...base, ...params });
      t.is(browser.callback?.get('code') ?? null, null, what);
      t.is(browser.callback?.get('error'), 'invalid_request', what);
    }

    const redeem = (fields: Record<string, string>, headers = {}, replica = 0) =>
      raw(
        door,
        '/token',
        { grant_type: 'authorization_code', redirect_uri: redirectUri, client_id: 'spa', ...fields },
        headers,
        replica,
      );
    await request(browser, { ...base, code_challenge: challenge, code_challenge_method: 'S256' });
    const code = String(browser.callback?.get('code'));
    const wrong: Record<string, Record<string, string>> = {
      'no verifier': {},
      'an empty verifier': { code_verifier: '' },
      'the challenge itself': { code_verifier: challenge },
      'another verifier': { code_verifier: pkce().verifier },
      'a longer verifier': { code_verifier: `${verifier}a` },
      'a short verifier': { code_verifier: verifier.slice(0, 42) },
    };
    for (const [what, fields] of Object.entries(wrong)) {
      const { status, body } = await redeem({ code, ...fields });
      t.is(status, 400, what);
      t.true(['invalid_grant', 'invalid_request'].includes(String(body.error)), what);
      t.is(body.access_token, undefined, what);
    }
    t.is(
      (await redeem({ code, code_verifier: verifier, client_id: 'app' })).status,
      401,
      'no secret for app',
    );
    t.is((await redeem({ code, code_verifier: verifier })).status, 200);
    t.is((await redeem({ code, code_verifier: verifier }, {}, 1)).status, 400, 'once');

    // Without a challenge at the beginning, a verifier at the end is a sign of an injected code (RFC 9700 §4.8.2).
    await request(browser, { ...base, client_id: 'app' });
    const unprotected = String(browser.callback?.get('code'));
    t.is((await door.tokens(unprotected, verifier)).status, 400);
    await request(browser, {
      ...base,
      client_id: 'app',
      code_challenge: challenge,
      code_challenge_method: 'plain',
    });
    t.is(browser.callback?.get('error'), 'invalid_request', 'plain is for nobody');
  });

  test(`${kind}: an authorization code is redeemed once, whoever tries at once on any server, and a second try ends what it gave (T128)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}), replicas });
    const browser = await signedIn(door);

    const raced = await codeOf(browser);
    const { verifier } = browser;
    const won = onlyOne(t, await race(20, (replica) => door.tokens(raced, verifier, { replica })), 'raced');
    t.truthy(won.claims.sub);
    await isDead(t, door, won, 'after the race');

    const code = await codeOf(browser);
    const first = await door.tokens(code, browser.verifier);
    t.is(first.status, 200);
    const successor = await refresh(door, first.body.refresh_token, { replica: 1 });
    t.is(successor.status, 200);
    t.is((await userinfo(door, successor.body.access_token)).status, 200);
    t.is((await door.tokens(code, browser.verifier, { replica: 1 })).status, 400);
    await isDead(t, door, first, 'after a second redemption');
    await isDead(t, door, successor, 'the refreshed ones after a second redemption');

    t.is((await door.tokens(await codeOf(browser), browser.verifier)).status, 200, 'the session goes on');
  });

  test(`${kind}: a code is worth nothing to another client, at another address, changed, or after a minute (T128)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {} },
        { applications: [application('two', { redirect_uris: [redirectUri, `${redirectUri}2`] })] },
      ),
      replicas,
    });
    const browser = await signedIn(door);
    const code = await codeOf(browser);
    const { verifier } = browser;
    const good = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    };
    for (const [what, fields, clientId] of [
      ['another client', good, 'other'],
      ['another address', { ...good, redirect_uri: `${redirectUri}2` }, 'app'],
      ['no address', { grant_type: 'authorization_code', code, code_verifier: verifier }, 'app'],
      ['another case', { ...good, code: code.toUpperCase() }, 'app'],
      ['a trailing blank', { ...good, code: `${code} ` }, 'app'],
      ['a wildcard', { ...good, code: '%' }, 'app'],
      ['as a refresh token', { grant_type: 'refresh_token', refresh_token: code }, 'app'],
      ['as a device code', { grant_type: deviceGrant, device_code: code }, 'app'],
    ] as const) {
      const { status, body } = await door.post('/token', fields, { clientId });
      t.is(status, 400, what);
      t.is(body.access_token, undefined, what);
    }
    t.is((await userinfo(door, code)).status, 401);
    t.is((await door.post('/token', good)).status, 200, 'it is still good for its own client');

    const registered = await codeOf(browser, { client_id: 'two' });
    const elsewhere = await door.post(
      '/token',
      { ...good, code: registered, redirect_uri: `${redirectUri}2`, code_verifier: browser.verifier },
      { clientId: 'two' },
    );
    t.is(elsewhere.body.error, 'invalid_grant', 'the address is that of the request, not any registered one');

    const young = await codeOf(browser);
    const ofYoung = browser.verifier;
    const old = await codeOf(browser);
    door.clock.forward(seconds(59));
    t.is((await door.tokens(young, ofYoung)).status, 200);
    door.clock.forward(seconds(2));
    t.is((await door.tokens(old, browser.verifier)).body.error, 'invalid_grant');
  });

  test(`${kind}: a refresh token works once, and a used one ends its family on all servers (T129)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}), replicas });
    const browser = await signedIn(door);
    const tokens = async (params = {}) => door.tokens(await codeOf(browser, params), browser.verifier);

    const start = await tokens();
    const won = onlyOne(
      t,
      await race(20, (replica) => refresh(door, start.body.refresh_token, { replica })),
      'raced',
    );
    t.not(won.body.refresh_token, start.body.refresh_token);
    await isDead(t, door, won, 'the successor after the race');
    await isDead(t, door, start, 'the first ones after the race');

    const one = await tokens();
    const two = await refresh(door, one.body.refresh_token);
    const three = await refresh(door, two.body.refresh_token, { replica: 1 });
    for (const claim of ['sub', 'acr', 'auth_time']) t.is(three.claims[claim], one.claims[claim], claim);
    t.deepEqual(three.claims.amr, one.claims.amr);
    t.is((await refresh(door, three.body.refresh_token, { clientId: 'other' })).body.error, 'invalid_grant');
    const wider = await door.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(three.body.refresh_token),
      scope: 'openid phone',
    });
    t.is(wider.body.error, 'invalid_scope');
    t.is((await userinfo(door, three.body.access_token)).status, 200, 'others’ tries end nothing');
    t.is((await refresh(door, one.body.refresh_token, { replica: 1 })).body.error, 'invalid_grant');
    await isDead(t, door, two, 'the second after the first was reused');
    await isDead(t, door, three, 'the third after the first was reused');

    const other = await tokens();
    await t.notThrowsAsync(
      door.post('/token/revocation', { token: String(other.body.refresh_token) }, { clientId: 'other' }),
    );
    t.is(await isActive(door, other.body.refresh_token), true, 'another client revokes nothing');
    await door.post('/token/revocation', { token: String(other.body.refresh_token) }, { replica: 1 });
    await isDead(t, door, other, 'revoked');
  });

  test(`${kind}: refresh tokens end with their session, or, for offline access, after fourteen days however often they are used (T129)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}), replicas });
    const browser = await signedIn(door);
    const tokens = async (params = {}) => door.tokens(await codeOf(browser, params), browser.verifier);
    let bound = await tokens({ client_id: 'app' });
    let offline = await door.tokens(
      await codeOf(browser, { client_id: 'other', scope: 'openid offline_access', prompt: 'consent' }),
      browser.verifier,
      { clientId: 'other' },
    );
    t.regex(String(offline.body.scope), /offline_access/);
    for (let hour = 0; hour < 24; hour += 7) {
      bound = await refresh(door, bound.body.refresh_token, { replica: hour % 2 });
      t.is(bound.status, 200, `hour ${hour}`);
      await codeOf(browser, { prompt: 'none' });
      door.clock.forward(hours(7));
    }
    t.is((await refresh(door, bound.body.refresh_token)).body.error, 'invalid_grant', 'a day is the end');
    let day = 1;
    for (; day < 30; day += 1) {
      nextDay(door);
      const next = await refresh(door, offline.body.refresh_token, { clientId: 'other', replica: day % 2 });
      if (next.status !== 200) break;
      offline = next;
    }
    t.true(day >= 12 && day <= 14, `it ended on day ${day}`);
  });

  test(`${kind}: a device that somebody connected is signed in once, whoever asks at once on any server (T130)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {} },
        {
          applications: [
            application('tv', { grant_types: ['authorization_code', 'refresh_token', deviceGrant] }),
          ],
        },
      ),
      replicas,
    });
    const browser = await signedIn(door);
    const app = { clientId: 'tv' };
    const device = await door.post('/device/auth', { scope: 'openid' }, app);
    t.is(device.status, 200, JSON.stringify(device.body));
    const poll = (replica = 0, clientId = 'tv') =>
      door.post(
        '/token',
        { grant_type: deviceGrant, device_code: String(device.body.device_code) },
        { clientId, replica },
      );
    t.is((await poll()).body.error, 'authorization_pending');
    t.not((await poll(0, 'app')).status, 200);
    await browser.open('/device');
    await browser.press('Continue', { user_code: String(device.body.user_code) });
    browser.replica = 1;
    await browser.press('Continue');
    t.is(browser.heading, 'Your device is connected');
    browser.replica = 0;
    const won = onlyOne(t, await race(20, (replica) => poll(replica)), 'device code');
    t.truthy(won.claims.sub);
    t.is((await userinfo(door, won.body.access_token)).status, 401, 'polled twice after success: all ends');

    const refused = await door.post('/device/auth', { scope: 'openid' }, app);
    await browser.open('/device');
    await browser.press('Continue', { user_code: String(refused.body.user_code) });
    await browser.press('Continue', { abort: 'yes', confirm: '' });
    const answer = await door.post(
      '/token',
      { grant_type: deviceGrant, device_code: String(refused.body.device_code) },
      app,
    );
    t.is(answer.body.error, 'access_denied', 'a device that was refused is told');
  });

  test(`${kind}: a pushed request gives one code, to its own client, within a minute (T130)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: {}, bea: { totp: secret } }),
      replicas,
    });
    const browser = await signedIn(door);
    const { verifier, challenge } = pkce();
    const pushed = async (more: Record<string, string> = {}) =>
      door.post('/request', {
        client_id: 'app',
        response_type: 'code',
        scope: 'openid',
        redirect_uri: redirectUri,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        ...more,
      });
    const par = await pushed();
    t.is(par.status, 201, JSON.stringify(par.body));
    const tabs = Array.from({ length: 4 }, (_, n) => {
      const tab = browser.copy();
      tab.replica = n % replicas;
      return tab;
    });
    const uri = String(par.body.request_uri);
    await Promise.all(tabs.map((tab) => request(tab, { client_id: 'app', request_uri: uri })));
    const codes = tabs.flatMap(({ callback }) => callback?.get('code') ?? []);
    t.is(codes.length, 1, 'a pushed request gives one code');
    t.is((await door.tokens(codes[0] ?? '', verifier)).status, 200);
    await request(browser, { client_id: 'app', request_uri: uri });
    t.is(browser.callback?.get('code') ?? null, null, 'and none later');
    const foreign = await pushed();
    await request(browser, { client_id: 'other', request_uri: String(foreign.body.request_uri) });
    t.is(browser.callback?.get('code') ?? null, null, 'nor for another client');
    await request(browser, { client_id: 'app', request_uri: String(foreign.body.request_uri) });
    t.truthy(browser.callback?.get('code'), 'whose try does not spend it');
    const late = await pushed();
    door.clock.forward(seconds(61));
    await request(browser, { client_id: 'app', request_uri: String(late.body.request_uri) });
    t.is(browser.callback?.get('code') ?? null, null, 'nor after a minute');

    // Two windows that both show the sign-in of one pushed request, finished soon or later.
    for (const wait of [seconds(30), seconds(90)]) {
      const twice = String((await pushed()).body.request_uri);
      const windows = [door.browser(0), door.browser(1)];
      for (const window of windows) {
        await request(window, { client_id: 'app', request_uri: twice });
        await window.press('Sign in', { email: 'bea@acme.test', password });
      }
      for (const window of windows) {
        await window.press('Verify', { code: door.code() });
        door.clock.forward(wait);
      }
      const given = windows.filter(({ callback }) => callback?.has('code')).length;
      t.is(given, 1, `finished ${wait / 1000} seconds apart`);
    }
  });

  test(`${kind}: a finished sign-in is redeemed once, however often its last redirect is followed at once (T130)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}), replicas });
    // The last redirect of a sign-in, followed twenty times at once.
    const last = door.browser(1);
    await last.authorize();
    const { action, fields } = last.form('Sign in');
    fields.set('email', 'ada@acme.test');
    fields.set('password', password);
    const cookies = () => [...last.cookies.values()].map(({ value }) => value).join('; ');
    const post = async (path: string, body: URLSearchParams | null) => {
      const response = await fetch(`${last.addresses[0]}${path}`, {
        method: body ? 'POST' : 'GET',
        body,
        redirect: 'manual',
        headers: { Cookie: cookies(), Origin: door.issuer, Accept: 'text/html' },
      });
      await response.arrayBuffer();
      return response;
    };
    await post(action, fields);
    const uid = action.split('/')[2] ?? '';
    await post(`/interaction/${uid}`, null);
    const answers = await race(20, (replica) => {
      const tab = last.copy();
      tab.replica = replica;
      return tab.open(`${door.issuer}/auth/${uid}`).then(
        () => tab,
        () => tab,
      );
    });
    t.is(answers.filter(({ callback }) => callback?.has('code')).length, 1, 'resumed once');
    t.true(
      answers.filter(({ callback }) => callback === null).every(({ status }) => status === 400),
      `the others are told cleanly: ${answers.map(({ status }) => status)}`,
    );
  });

  test(`${kind}: a client's assertion authenticates it once, on any number of servers (T130)`, async (t) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        {},
        {
          applications: [
            application('signer', {
              client_secret: undefined,
              token_endpoint_auth_method: 'private_key_jwt',
              token_endpoint_auth_signing_alg: 'ES256',
              jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] },
            }),
          ],
        },
      ),
      replicas,
    });
    const assertion = await new SignJWT({ jti: randomBytes(16).toString('hex') })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
      .setIssuer('signer')
      .setSubject('signer')
      .setAudience(door.issuer)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey);
    const asserted = await race(20, (replica) =>
      raw(
        door,
        '/request',
        {
          client_id: 'signer',
          response_type: 'code',
          scope: 'openid',
          redirect_uri: redirectUri,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: assertion,
        },
        {},
        replica,
      ),
    );
    t.is(
      asserted.filter(({ status }) => status === 201).length,
      1,
      JSON.stringify(asserted.map(({ status, body }) => [status, body.error])),
    );
    t.true(asserted.every(({ status }) => status < 500));
  });

  test(`${kind}: a token of one kind, client or key is none of another (T131)`, async (t) => {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const sink = await logoutSink(t);
    const stranger = await generateKeyPair('RS256', { extractable: true });
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {} },
        {
          applications: [
            application('told', {
              post_logout_redirect_uris: [redirectUri],
              backchannel_logout_uri: sink.url,
              backchannel_logout_session_required: true,
            }),
            application('signer', {
              client_secret: undefined,
              token_endpoint_auth_method: 'private_key_jwt',
              jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', use: 'sig' }] },
            }),
          ],
        },
      ),
      replicas,
    });
    const browser = await signedIn(door);
    const mine = await door.tokens(await codeOf(browser), browser.verifier);
    const { access_token: access, id_token: id, refresh_token: refreshToken } = mine.body;

    for (const [what, bearer] of Object.entries({ 'ID token': id, 'refresh token': refreshToken })) {
      t.is((await userinfo(door, bearer)).status, 401, `${what} at userinfo`);
    }
    t.is((await refresh(door, access)).body.error, 'invalid_grant', 'an access token refreshes nothing');
    t.is((await refresh(door, id)).status, 400);
    t.not(await isActive(door, id), true, 'an ID token is no access token');
    const changed = `${String(access).slice(0, -1)}${String(access).endsWith('A') ? 'B' : 'A'}`;
    t.is((await userinfo(door, changed)).status, 401);
    t.is((await userinfo(door, String(access).toLowerCase())).status, 401);

    // Logout tokens are signed by the same key for the same audience.
    await codeOf(browser, { client_id: 'told' });
    const told = browser.copy();
    await signOut(told, {});
    await delivered(door);
    const [logoutToken = ''] = sink.tokens;
    t.truthy(logoutToken);
    const again = await signedIn(door);
    const jwk = (await (await fetch(`${door.issuer}/jwks`)).json()) as { keys: JsonWebKey[] };
    const published = createPublicKey({ key: jwk.keys[0] as JsonWebKey, format: 'jwk' });
    const [head = '', payload = '', signature = ''] = String(id).split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const header = JSON.parse(Buffer.from(head, 'base64url').toString());
    const hmac = (key: string | Buffer, alg = 'HS256') => {
      const body = `${encode({ alg, kid: header.kid })}.${payload}`;
      return `${body}.${createHmac('sha256', key).update(body).digest('base64url')}`;
    };
    const foreign = (more: object) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: header.kid, ...more })
        .sign(stranger.privateKey);
    const hints: Record<string, string> = {
      'alg none': new UnsecuredJWT(claims).encode(),
      'no signature': `${head}.${payload}.`,
      'HS256 with the public key': hmac(published.export({ type: 'spki', format: 'pem' }) as string),
      'HS256 with the client’s secret': hmac('app-secret'),
      'another key under our kid': await foreign({}),
      'another key under its own kid': await foreign({ kid: 'mine' }),
      'a key in the header': await foreign({ jwk: await exportJWK(stranger.publicKey) }),
      'a key elsewhere': await foreign({ jku: `${sink.url}/jwks`, kid: 'mine' }),
      'another subject': `${head}.${encode({ ...claims, sub: 'somebody' })}.${signature}`,
      'another audience': `${head}.${encode({ ...claims, aud: 'told' })}.${signature}`,
      'another issuer': `${head}.${encode({ ...claims, iss: 'https://evil.test' })}.${signature}`,
      'an access token': String(access),
      garbage: 'x.y.z',
    };
    for (const [what, hint] of Object.entries(hints)) {
      const silent = again.copy();
      await silent.authorize({ prompt: 'none', id_token_hint: hint });
      t.is(silent.callback?.get('code') ?? null, null, `${what} as a hint of a silent sign-in`);
      t.true(silent.status < 500, what);
      const leaving = again.copy();
      await leaving.open(`/session/end?${new URLSearchParams({ id_token_hint: hint })}`);
      t.is(leaving.status, 400, `${what} as a hint of a sign-out`);
    }
    const logoutHint = again.copy();
    await logoutHint.authorize({ client_id: 'told', prompt: 'none', id_token_hint: logoutToken });
    t.is(logoutHint.callback?.get('code') ?? null, null, 'a logout token is no ID token');
    t.is((await userinfo(door, logoutToken)).status, 401);
    t.is(sink.requests.filter(({ url }) => url !== '/').length, 0, 'no key was fetched');

    const assert = async (key: CryptoKey | Uint8Array, alg: string, more: object, change: object = {}) => {
      const jwt = new SignJWT({ jti: randomBytes(8).toString('hex'), ...change })
        .setProtectedHeader({ alg, ...more })
        .setIssuer('signer')
        .setSubject('signer')
        .setIssuedAt()
        .setExpirationTime('1m');
      if (!('aud' in change)) jwt.setAudience(door.issuer);
      return raw(door, '/request', {
        client_id: 'signer',
        response_type: 'code',
        scope: 'openid',
        redirect_uri: redirectUri,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await jwt.sign(key),
      });
    };
    const publicText = new TextEncoder().encode(JSON.stringify(await exportJWK(publicKey)));
    const own = await exportJWK(stranger.publicKey);
    t.is((await assert(privateKey, 'RS256', { kid: 'k1' })).status, 201);
    for (const [what, answer] of [
      ['another key', assert(stranger.privateKey, 'RS256', { kid: 'k1' })],
      ['its own key in the header', assert(stranger.privateKey, 'RS256', { jwk: own })],
      ['a key elsewhere', assert(stranger.privateKey, 'RS256', { jku: `${sink.url}/jwks` })],
      ['HS256 with the public key', assert(publicText, 'HS256', { kid: 'k1' })],
      ['another audience', assert(privateKey, 'RS256', { kid: 'k1' }, { aud: 'https://other.test' })],
    ] as const) {
      const { status } = await answer;
      t.true(status === 400 || status === 401, `${what}: ${status}`);
    }
    const unsigned = new UnsecuredJWT({
      iss: 'app',
      aud: door.issuer,
      client_id: 'app',
      response_type: 'code',
      redirect_uri: 'https://evil.test/cb',
    }).encode();
    const asked = again.copy();
    await asked.authorize({ request: unsigned });
    t.is(asked.callback?.get('code') ?? null, null, 'an unsigned request object');
  });

  test(`${kind}: signing out from an application is asked for, ends the session on all servers and returns only to registered addresses (T132)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {}, bea: {} },
        { applications: [application('rp', { post_logout_redirect_uris: [`${redirectUri}/bye`] })] },
      ),
      replicas,
    });
    const browser = await signedIn(door);
    const params = { client_id: 'rp' };
    const tokens = await door.tokens(await codeOf(browser, params), browser.verifier, { clientId: 'rp' });
    const hint = String(tokens.body.id_token);
    const bea = await signedIn(door, 1, 'bea');
    const hintOfBea = String(
      (await door.tokens(await codeOf(bea, params), bea.verifier, { clientId: 'rp' })).body.id_token,
    );
    const end = (tab: Browser, query: Record<string, string>) =>
      tab.open(`/session/end?${new URLSearchParams(query)}`);
    const alive = async (replica = 0) => {
      const tab = browser.copy();
      tab.replica = replica;
      await tab.authorize({ prompt: 'none' });
      return tab.callback?.get('error') ?? (tab.callback?.has('code') ? 'alive' : `${tab.status}`);
    };

    for (const [what, query] of [
      ['no hint', {}],
      ['its own hint', { id_token_hint: hint }],
      ['a hint and where to go', { id_token_hint: hint, post_logout_redirect_uri: `${redirectUri}/bye` }],
      ['somebody else’s hint', { id_token_hint: hintOfBea }],
      ['the answer given in the address', { logout: 'yes', xsrf: 'x' }],
    ] as [string, Record<string, string>][]) {
      const tab = browser.copy();
      await end(tab, query);
      t.is(tab.status, 200, what);
      t.regex(tab.heading, /sign out/i, what);
      t.is(await alive(), 'alive', `${what}: nothing ends by an address alone`);
    }
    for (const [what, query] of [
      ['an address elsewhere', { client_id: 'rp', post_logout_redirect_uri: 'https://evil.test/' }],
      ['an address below', { client_id: 'rp', post_logout_redirect_uri: `${redirectUri}/bye/x` }],
      ['the sign-in address', { client_id: 'rp', post_logout_redirect_uri: redirectUri }],
      ['a script', { client_id: 'rp', post_logout_redirect_uri: 'javascript:alert(1)' }],
      ['a hint of another client', { client_id: 'app', id_token_hint: hint }],
      ['an unknown client', { client_id: 'nobody' }],
    ] as [string, Record<string, string>][]) {
      const tab = browser.copy();
      await end(tab, query);
      t.true(tab.status >= 400 && tab.status < 500, `${what}: ${tab.status}`);
      t.is(tab.headers.get('Location'), null, what);
    }
    const unnamed = browser.copy();
    await end(unnamed, { post_logout_redirect_uri: 'https://evil.test/' });
    t.notRegex(unnamed.text, /evil\.test/);

    // The confirmation is a form of this session, and cannot be sent by another page or with another's token.
    const forms = bea.copy();
    await end(forms, {});
    const stolen = forms.form('Sign out').fields;
    const mine = browser.copy();
    await end(mine, {});
    const { action, fields } = mine.form('Sign out');
    for (const [what, body] of [
      ['no token', { logout: 'yes' }],
      ['an empty token', { logout: 'yes', xsrf: '' }],
      ['another session’s token', { logout: 'yes', xsrf: stolen.get('xsrf') ?? '' }],
    ] as [string, Record<string, string>][]) {
      const tab = browser.copy();
      await tab.open(action, { fields: new URLSearchParams(body) });
      t.is(tab.status, 400, what);
      t.is(await alive(), 'alive', what);
    }
    fields.set('logout', 'yes');

    await end(browser, { id_token_hint: hint, post_logout_redirect_uri: `${redirectUri}/bye`, state: 'now' });
    const thief = browser.copy();
    browser.replica = 1;
    await browser.press('Sign out', { logout: 'yes' });
    t.is(browser.callback?.get('state'), 'now', `back at the application: ${browser.status}`);
    for (const replica of [0, 1]) {
      thief.replica = replica;
      await thief.authorize({ prompt: 'none' });
      t.is(thief.callback?.get('error'), 'login_required', 'the copied cookie is dead');
      const answer = await door.post('/me', {}, { bearer: String(tokens.body.access_token), replica });
      t.is(answer.status, 401);
    }
    t.is((await refresh(door, tokens.body.refresh_token, { clientId: 'rp' })).status, 400);
    await bea.authorize({ prompt: 'none' });
    t.truthy(bea.callback?.get('code'), 'somebody else’s session goes on');

    // Signing out where nobody is signed in any more leads back too.
    await end(browser, {
      id_token_hint: hint,
      post_logout_redirect_uri: `${redirectUri}/bye`,
      state: 'late',
    });
    if (browser.callback === null) {
      scriptsMayRun(t, browser);
      await browser.press('Continue');
    }
    t.is(browser.callback?.get('state'), 'late');
  });

  test(`${kind}: applications are told of a sign-out by a signed token for them, once, and none of them can hold it up (T132)`, async (t) => {
    const good = await logoutSink(t);
    const broken = await logoutSink(t, 500);
    const hanging = await logoutSink(t, null);
    const away = await logoutSink(t);
    await away.close();
    const rp = (id: string, uri: string, more = {}) =>
      application(id, {
        backchannel_logout_uri: uri,
        backchannel_logout_session_required: true,
        ...more,
      });
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {}, bea: {} },
        {
          applications: [
            rp('good', good.url),
            rp('plain', `${good.url}plain`, { backchannel_logout_session_required: false }),
            rp('broken', broken.url),
            rp('hanging', hanging.url),
            rp('away', away.url),
            rp('never', `${good.url}never`),
          ],
        },
      ),
      replicas,
    });
    const browser = await signedIn(door);
    const ids: Record<string, TokenAnswer> = {};
    for (const clientId of ['good', 'plain', 'broken', 'hanging', 'away']) {
      const code = await codeOf(browser, { client_id: clientId });
      ids[clientId] = await door.tokens(code, browser.verifier, { clientId });
    }
    const sub = ids.good?.claims.sub;
    t.truthy(ids.good?.claims.sid, 'the ID token carries the sid that the logout token will name');

    const before = Date.now();
    await signOut(browser, {});
    t.true(Date.now() - before < 10_000, 'one that hangs does not hold it up');
    await browser.authorize({ prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required');

    await delivered(door);
    t.is(good.requests.filter(({ url }) => url === '/').length, 1, 'told once');
    t.is(good.requests.filter(({ url }) => url === '/plain').length, 1);
    t.is(
      good.requests.filter(({ url }) => url === '/never').length,
      0,
      'who never saw the person is told nothing',
    );
    t.is(hanging.requests.length, 1);
    for (const { method, headers } of good.requests) {
      t.is(method, 'POST');
      t.is(headers['content-type'], 'application/x-www-form-urlencoded');
    }
    const jwks = (await (await fetch(`${door.issuer}/jwks`)).json()) as { keys: { kid: string }[] };
    const seen = new Set<unknown>();
    for (const { url, token } of good.requests) {
      const [head = '', payload = ''] = token.split('.');
      const header = JSON.parse(Buffer.from(head, 'base64url').toString());
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
      const clientId = url === '/' ? 'good' : 'plain';
      t.is(header.typ, 'logout+jwt');
      t.true(jwks.keys.some(({ kid }) => kid === header.kid));
      t.not(header.alg, 'none');
      t.is(claims.iss, door.issuer);
      t.is(claims.aud, clientId);
      t.is(claims.sub, sub);
      t.is(claims.sid, clientId === 'good' ? ids.good?.claims.sid : undefined);
      t.deepEqual(claims.events, { 'http://schemas.openid.net/event/backchannel-logout': {} });
      t.false('nonce' in claims);
      t.truthy(claims.jti);
      t.true(Math.abs(claims.iat - Date.now() / 1000) < 60);
      t.true(claims.exp > claims.iat);
      seen.add(claims.jti);
    }
    t.is(seen.size, good.requests.length);

    // One that was not there is told later, and the others are not told again.
    const told = good.requests.length;
    door.clock.forward(seconds(11));
    await delivered(door);
    t.is(good.requests.length, told);
    t.is(broken.requests.length, 2);
  });
}

/** Signs out as a person does: the application's link, then the button. */
async function signOut(browser: Browser, query: Record<string, string>): Promise<void> {
  await browser.open(`/session/end?${new URLSearchParams(query)}`);
  await browser.press('Sign out', { logout: 'yes' });
}

interface LogoutSink {
  readonly url: string;
  readonly requests: {
    method: string;
    url: string;
    headers: Record<string, string | string[] | undefined>;
    token: string;
  }[];
  readonly tokens: string[];
  close(): Promise<void>;
}

/** An application's endpoint for logout tokens, that answers with `status`, or never. */
async function logoutSink(t: ExecutionContext, status: number | null = 200): Promise<LogoutSink> {
  const requests: LogoutSink['requests'] = [];
  const tokens: string[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    req.on('end', () => {
      const token = new URLSearchParams(body).get('logout_token') ?? '';
      requests.push({ method: req.method ?? '', url: req.url ?? '', headers: req.headers, token });
      tokens.push(token);
      if (status !== null) res.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  t.teardown(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests, tokens, close };
}
