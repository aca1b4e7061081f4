import test, { type ExecutionContext } from 'ava';
import { disconnectUser } from '../../entities/users.ts';
import { hours, minutes, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { count, events, userId } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  password,
  passwordStep,
  redeem,
  redirectUri,
  secret,
  signIn,
} from './rig.ts';

const bobsSecret = 'MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U';
const challengePage = 'Two-factor authentication';
const setUpPage = 'Set up two-factor authentication';

/** Ada and Bob have an authenticator app; Cyd has nothing. Nobody requires anything, unless `policy` does. */
const people = (policy: object = {}): object =>
  acme(
    { requirement: 'optional', rememberDeviceDays: 30, ...policy },
    { ada: { totp: secret }, bob: { totp: bobsSecret }, cyd: {} },
    {
      applications: [
        application('third', { firstParty: false }),
        application('silent', { response_types: ['none'] }),
        application('tv', { grant_types: ['authorization_code', 'refresh_token', deviceGrant] }),
      ],
    },
  );

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

async function halfWay(door: FrontDoor, who = 'ada', params = {}): Promise<Browser> {
  const browser = door.browser();
  await passwordStep(browser, who, params);
  return browser;
}

const signedInSessions = (door: FrontDoor): Promise<number> =>
  count(door, 'sessions', 'account_id IS NOT NULL AND ended_at IS NULL');

/** What a silent request is answered with: the error, or `code`. */
async function silently(browser: Browser, params: Readonly<Record<string, string>> = {}): Promise<string> {
  await browser.authorize({ prompt: 'none', ...params });
  return (
    browser.callback?.get('error') ?? (browser.callback?.has('code') ? 'code' : `page ${browser.status}`)
  );
}

/** No code came back and nobody is signed in, whatever page is shown. */
async function stillOutside(
  t: ExecutionContext,
  door: FrontDoor,
  browser: Browser,
  what: string,
): Promise<void> {
  t.false(browser.callback?.has('code') ?? false, `${what}: a code came back`);
  t.is(await signedInSessions(door), 0, `${what}: somebody is signed in`);
  t.true(browser.status < 500, `${what}: ${browser.status}`);
}

/** The hidden field that every form of this interaction carries. */
const csrf = (browser: Browser): string => / name="_csrf" value="([^"]+)"/.exec(browser.text)?.[1] ?? '';

const interactionOf = (browser: Browser): string =>
  /\/interaction\/([^/?]+)/.exec(browser.url)?.[1] ?? 'none';

/** Where the form of the page with `button` goes to. */
const target = (browser: Browser, button: string): string => browser.form(button).action;

/** Presses "Not you?" on the page of that sign-in. */
async function notYou(browser: Browser, start: string): Promise<void> {
  await browser.open(start);
  await send(browser, `${new URL(start).pathname}/restart`, { _csrf: csrf(browser) });
}

async function send(browser: Browser, path: string, fields: Record<string, string> = {}): Promise<void> {
  await browser.open(`${browser.issuer}${path}`, { fields: new URLSearchParams(fields) });
}

/** Gives one cookie's value, and its signature, to a path of another interaction. */
function plantInteractionCookie(from: Browser, to: Browser, path: string): void {
  for (const name of ['sallyport-interaction', 'sallyport-interaction.sig']) {
    const cookie = [...from.cookies].find(([key]) => key.startsWith(`${name};`))?.[1];
    if (!cookie) throw new Error(`no ${name}`);
    to.cookies.set(`${name};${path}`, { ...cookie, path });
  }
}

/**
 * Every route of ours, and what it is to a sign-in. A new one must be classified here; the routes of an interaction are then tried
 * at every step by the tests below.
 *
 * - `plain`: knows nobody
 * - `page`: shows where an interaction stands, and proves nothing
 * - `first step`, `second step`: proves something; the policy is asked afterwards
 * - `after proof`: does something only where the policy was satisfied, or asked for just this
 * - `way out`: gives up
 */
const classified: Readonly<Record<string, string>> = {
  'GET /': 'plain',
  'GET /assets/:name': 'plain',
  'GET /favicon.ico': 'plain',
  'GET /healthz': 'plain',
  'GET /readyz': 'plain',
  'GET /dev/gallery': 'plain',
  'GET /dev/gallery/:index': 'plain',
  'GET /dev/gallery/mails/:index': 'plain',
  'GET /dev/inbox': 'plain',
  'GET /dev/inbox/:id': 'plain',
  'GET /dev/inbox/:id/html': 'plain',
  'GET /interaction/:uid': 'page',
  'GET /interaction/:uid/ways': 'page',
  'GET /interaction/:uid/recovery': 'page',
  'POST /interaction/:uid/restart': 'page',
  'GET /interaction/:uid/enrol': 'page',
  'GET /interaction/:uid/help': 'page',
  'POST /interaction/:uid/help': 'page',
  'GET /interaction/:uid/challenge/:factorId/events': 'page',
  'POST /interaction/:uid/login': 'first step',
  'GET /interaction/:uid/upstream': 'first step',
  'POST /interaction/:uid/upstream': 'page',
  'POST /interaction/:uid/upstream/:key': 'page',
  'POST /interaction/:uid/passkey': 'first step',
  'POST /interaction/:uid/passkey/question': 'page',
  'POST /interaction/:uid/challenge/:factorId': 'second step',
  'POST /interaction/:uid/challenge/:factorId/send': 'page',
  'POST /interaction/:uid/recovery': 'second step',
  'POST /interaction/:uid/recovery/continue': 'after proof',
  'POST /interaction/:uid/recovery/later': 'after proof',
  'POST /interaction/:uid/recovery/renew': 'after proof',
  'POST /interaction/:uid/set-up-again': 'after proof',
  'POST /interaction/:uid/enrol': 'after proof',
  'POST /interaction/:uid/enrol/send': 'after proof',
  'POST /interaction/:uid/enrol/confirm': 'after proof',
  'POST /interaction/:uid/skip': 'after proof',
  'POST /interaction/:uid/mailbox': 'after proof',
  'POST /interaction/:uid/mailbox/send': 'after proof',
  'POST /interaction/:uid/codes': 'after proof',
  'POST /interaction/:uid/codes/download': 'after proof',
  'POST /interaction/:uid/consent': 'after proof',
  'POST /interaction/:uid/cancel': 'way out',
};

/** The protocol's own ways to a code or token, as discovery tells of them. */
const grantsAndResponses = {
  // Client credentials are a program's own: nobody signs in by them.
  grant_types_supported: ['authorization_code', 'client_credentials', deviceGrant, 'refresh_token'],
  response_types_supported: ['code', 'none'],
};

interface Layer {
  readonly path: string | RegExp;
  readonly methods: readonly string[];
}

/** From the routers that the application was built of. */
function routesOf(door: FrontDoor): string[] {
  const provider = door.apps[0]?.provider as unknown as
    | { middleware: readonly { router?: { stack: readonly Layer[] } }[] }
    | undefined;
  return (provider?.middleware ?? [])
    .flatMap(({ router }) => router?.stack ?? [])
    .flatMap(({ path, methods }) =>
      methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${String(path)}`),
    )
    .toSorted();
}

/** Everything that a server could be foolish enough to believe. */
const forged = (accountId: string): Record<string, string> => ({
  step: 'done',
  next: 'finish',
  kind: 'finish',
  prompt: 'consent',
  state: '{"proofs":[{"kind":"totp"}]}',
  user: accountId,
  userId: accountId,
  accountId,
  account_id: accountId,
  'login[accountId]': accountId,
  'result[login][accountId]': accountId,
  'proofs[0][kind]': 'totp',
  amr: 'mfa',
  acr: 'urn:sallyport:acr:2fa',
  mfaRequired: 'false',
  mfa_required: '0',
  verified: 'true',
  authenticated: '1',
  skip: '1',
  postpone: '1',
  remember: '1',
  saved: '1',
  wantsSetup: 'true',
  method: 'totp',
  factorId: 'none',
  consent: 'yes',
  ['__proto__']: 'x',
  'constructor[prototype][verified]': 'true',
});

for (const kind of kinds) {
  test(`${kind}: every route is classified, and no way to a code or token is there that nobody knows of (T013)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const routes = routesOf(door);
    const ofSignIn = (route: string): boolean => route.includes(' /interaction/');
    t.deepEqual(routes.filter(ofSignIn), Object.keys(classified).filter(ofSignIn).toSorted());
    const listed = new Set(door.apps[0]?.routes.all.map(({ method, path }) => `${method} ${path}`));
    t.deepEqual(
      // What is no operation of the API is told so, whatever the method.
      routes.filter(
        (route) =>
          !ofSignIn(route) &&
          !(route in classified) &&
          !listed.has(route) &&
          !route.endsWith(' /api/{*rest}'),
      ),
      [],
      'the others say what they ask for',
    );
    const discovery = (await (
      await fetch(`${door.issuer}/.well-known/openid-configuration`)
    ).json()) as Record<string, string[]>;
    for (const [name, values] of Object.entries(grantsAndResponses)) {
      t.deepEqual(discovery[name]?.toSorted(), values.toSorted(), name);
    }
    t.false('backchannel_authentication_endpoint' in discovery);
    const registered = await fetch(String(discovery.registration_endpoint), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['http://127.0.0.1:9/cb'] }),
    });
    t.true(registered.status === 400 || registered.status === 401, 'no application without a token');
  });

  test(`${kind}: who has given the password and not the second factor is signed in nowhere: not for another application, not silently, not on another server (T001, T012)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people(), replicas: 2 });
    const browser = await halfWay(door);
    t.is(browser.heading, challengePage, 'asked for although nobody requires it');
    await stillOutside(t, door, browser, 'after the password');

    for (const replica of [0, 1]) {
      browser.replica = replica;
      for (const params of [
        { client_id: 'app' },
        { client_id: 'other' },
        { client_id: 'third' },
        { client_id: 'other', acr_values: 'urn:sallyport:acr:1fa' },
        { client_id: 'other', login_hint: 'ada@acme.test' },
        { client_id: 'other', max_age: '100000' },
      ]) {
        t.is(await silently(browser, params), 'login_required', JSON.stringify(params));
      }
      const query = new URLSearchParams({
        client_id: 'silent',
        response_type: 'none',
        scope: 'openid',
        redirect_uri: redirectUri,
        prompt: 'none',
      });
      await browser.open(`${door.issuer}/auth?${query}`);
      t.is(browser.callback?.get('error'), 'login_required', 'where not even a code is asked for');
      await browser.authorize({ client_id: 'other' });
      t.is(browser.heading, 'Sign in');
      t.false(browser.text.includes('ada'), 'the other application’s page knows nothing of her');
    }
    await stillOutside(t, door, browser, 'in the end');
  });

  test(`${kind}: a set-up page, a recovery-code page and a consent page that are left leave nobody signed in either (T001)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: people({ requirement: 'required_for_all', graceDays: 0, applications: ['app'] }),
    });
    const settingUp = await halfWay(door, 'cyd');
    t.is(settingUp.heading, setUpPage);
    t.is(await silently(settingUp, { client_id: 'other' }), 'login_required', 'the policy does not cover it');
    await settingUp.authorize({ client_id: 'other' });
    t.is(settingUp.heading, 'Sign in');

    const consenting = await halfWay(door, 'ada', { client_id: 'third' });
    await consenting.press('Verify', { code: door.code() });
    t.truthy(consenting.form('Allow'), 'the consent page');
    t.is(await silently(consenting, { client_id: 'other' }), 'login_required');

    const saving = await halfWay(door, 'cyd');
    await saving.press('Confirm setup', { code: door.code(0, saving.totpSecret) });
    t.is(saving.recoveryCodes.length, 8);
    t.is(await silently(saving, { client_id: 'other' }), 'login_required');
    t.is(await signedInSessions(door), 0);
  });

  test(`${kind}: no route lets a half-authenticated browser in, whatever its form says (T002, T003, T004)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const lies = forged(await userId(door, 'ada'));
    let browser = await halfWay(door);
    let token = csrf(browser);
    const code = door.code();
    const challenge = target(browser, 'Verify');

    for (const route of routesOf(door).toSorted(
      (a, b) => Number(a.endsWith('/cancel')) - Number(b.endsWith('/cancel')),
    )) {
      const [method, pattern = ''] = route.split(' ');
      const path = pattern
        .replace(':uid', interactionOf(browser))
        .replace(':factorId', challenge.split('/').at(-1) ?? '')
        .replace(':name', 'sallyport.css')
        .replace(':id', 'none');
      const lying = new URLSearchParams(lies);
      const before = await door.db.rows('SELECT * FROM sign_ins');
      if (method === 'GET') await browser.open(`${door.issuer}${path}?${lying}`);
      else await send(browser, `${path}?${lying}`, { ...lies, _csrf: token });
      if (method === 'GET') {
        t.deepEqual(await door.db.rows('SELECT * FROM sign_ins'), before, `${route} only looks (T109)`);
      }
      await stillOutside(t, door, browser, route);
      if (classified[route] === 'plain') t.notRegex(browser.text, /\bada\b/, `${route} tells about her`);
      t.false(browser.text.includes('data-recovery-codes'), route);
      t.false(browser.text.includes('data-totp-secret'), route);

      // Where the interaction goes on, it goes on at the step where it was, or before it.
      if (classified[route] !== 'way out') {
        await browser.open(challenge.replace(/\/challenge.*/, ''));
        if (route === 'POST /interaction/:uid/restart') {
          t.is(browser.heading, 'Sign in');
          await browser.press('Sign in', { email: 'ada@acme.test', password });
        }
        t.is(browser.heading, challengePage, route);
      }
    }
    t.is(browser.callback?.get('error'), 'access_denied', 'cancel was last');

    // What the interaction was worth before does not come back.
    await send(browser, new URL(challenge, door.issuer).pathname, { code, _csrf: token });
    t.is(browser.status, 400);
    browser = await halfWay(door);
    token = csrf(browser);
    const { action } = browser.form('Verify');
    const fields = { ...lies, _csrf: token };
    for (const [what, type, body] of [
      [
        'JSON',
        'application/json',
        JSON.stringify({ ...fields, code: 0, result: { login: { accountId: lies.user } } }),
      ],
      ['text', 'text/plain', new URLSearchParams(fields).toString()],
      [
        'multipart',
        'multipart/form-data; boundary=x',
        `--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${token}\r\n--x--\r\n`,
      ],
    ] as const) {
      const response = await fetch(`${door.issuer}${action}`, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'Content-Type': type,
          Origin: door.issuer,
          Cookie: [...browser.cookies.values()].map(({ value }) => value).join('; '),
        },
        body,
      });
      t.true(response.status >= 400 && response.status < 500, `${what}: ${response.status}`);
    }
    await stillOutside(t, door, browser, 'other kinds of bodies');
    await browser.open(action.replace(/\/challenge.*/, ''));
    await browser.press('Verify', { code });
    t.true(browser.callback?.has('code'), 'and all that did not burn the code');
  });

  test(`${kind}: the protocol’s own endpoints know nobody in a half-authenticated browser, nor does signing out there (T002)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const browser = await halfWay(door);
    const uid = interactionOf(browser);
    for (const path of [
      '/session/end',
      '/session/end?client_id=app',
      '/session/end/success',
      '/me',
      '/device',
      '/token',
      `/auth/${uid}x`,
      `/device/${uid}`,
      '/account',
      '/organizations/acme',
      '/api/v1/users',
    ]) {
      await browser.open(`${door.issuer}${path}`);
      t.notRegex(browser.text, /\bada\b/, path);
      await stillOutside(t, door, browser, path);
    }
    // Signing out of nothing does not disturb the sign-in that is under way.
    await browser.open(`${door.issuer}/interaction/${uid}`);
    t.is(browser.heading, challengePage);
  });

  test(`${kind}: jumping to consent, resuming without a result and posting a result-shaped password form give no code (T003)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const browser = await halfWay(door, 'ada', { client_id: 'third' });
    const uid = interactionOf(browser);
    const token = csrf(browser);
    const accountId = await userId(door, 'ada');

    await send(browser, `/interaction/${uid}/consent`, { _csrf: token, consent: 'yes' });
    t.is(browser.heading, challengePage);
    await send(browser, `/interaction/${uid}/login`, {
      _csrf: token,
      login: JSON.stringify({ accountId }),
      'login[accountId]': accountId,
      consent: '{}',
    });
    t.is(browser.status, 422);
    await stillOutside(t, door, browser, 'a result-shaped form');
    t.is(await count(door, 'consents'), 0);

    // Resuming what has no result begins again, and leaves the old pages worth nothing.
    const thief = browser.copy();
    await browser.open(`${door.issuer}/auth/${uid}`);
    t.is(browser.heading, 'Sign in');
    t.not(interactionOf(browser), uid);
    await stillOutside(t, door, browser, 'resumed');
    await thief.open(`${door.issuer}/interaction/${uid}`);
    t.is(thief.status, 400);
    for (const path of [`/AUTH/${uid}`, `/auth/${uid}/`, `//auth/${uid}`, `/auth/${uid}?code=1`]) {
      await browser.open(`${door.issuer}${path}`);
      await stillOutside(t, door, browser, path);
    }
  });

  test(`${kind}: going back, starting again, another way, another account and another language always lead to the second factor (T005)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: people({ requirement: 'required_for_admins' }),
    });
    const browser = await halfWay(door);
    const start = browser.url;
    const halfWayPage = browser.copy();
    const detours: readonly [string, () => Promise<void>][] = [
      ['reload', () => browser.open(start)],
      [
        'another language and back',
        async () => {
          await browser.open(`${start}?lang=de`);
          t.is(browser.heading, 'Zwei-Faktor-Authentifizierung');
          await browser.open(`${start}?lang=en`);
        },
      ],
      ['another way', () => browser.open(`${start}/ways`)],
      ['a factor that is not there', () => browser.open(`${start}?with=none`)],
      ['a recovery code, of which there are none', () => browser.open(`${start}/recovery`)],
      ['set up another', () => browser.open(`${start}/enrol`)],
      [
        'not you, and the page from before',
        async () => {
          const old = browser.copy();
          await notYou(browser, start);
          t.is(browser.heading, 'Sign in');
          t.notRegex(browser.text, /ada@/, 'nobody is taken for her');
          t.deepEqual(await door.db.rows('SELECT uid_digest FROM sign_ins WHERE account_id IS NOT NULL'), []);
          await old.open(start);
          t.is(old.heading, 'Sign in');
          await send(browser, target(halfWayPage, 'Verify'), { code: door.code(), _csrf: csrf(halfWayPage) });
          t.is(browser.heading, 'Sign in', 'and her code is worth nothing there');
        },
      ],
      ['not you, twice', () => notYou(browser, start)],
      [
        'a wrong password for somebody else',
        async () => {
          await notYou(browser, start);
          await browser.press('Sign in', { email: 'cyd@acme.test', password: 'wrong' });
        },
      ],
      [
        'somebody else with a second factor',
        async () => {
          await notYou(browser, start);
          await browser.press('Sign in', { email: 'bob@acme.test', password });
          t.is(browser.heading, challengePage);
          await browser.press('Verify', { code: door.code() });
          t.is(browser.status, 422, 'Ada’s code is not Bob’s');
          await notYou(browser, start);
        },
      ],
    ];
    for (const [what, detour] of detours) {
      await detour();
      await stillOutside(t, door, browser, what);
      await browser.open(start);
      if (browser.buttons.includes('Sign in')) {
        await browser.press('Sign in', { email: 'ada@acme.test', password });
      }
      t.is(browser.heading, challengePage, what);
      await stillOutside(t, door, browser, `${what}, and the password`);
    }

    // Somebody without a factor may take over the interaction, and is nobody but themselves.
    await notYou(browser, start);
    await browser.press('Sign in', { email: 'cyd@acme.test', password });
    const { claims } = await redeem(door, browser);
    t.is(claims.sub, await userId(door, 'cyd'));
    t.deepEqual(claims.amr, ['pwd']);
    await browser.open(start);
    t.is(browser.status, 400);
  });

  test(`${kind}: a factor that was proved for one person is nothing when another signs in in the same interaction (T005)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    // The consent page stands between the last proof and the end.
    const browser = await halfWay(door, 'ada', { client_id: 'third' });
    const start = browser.url;
    await browser.press('Verify', { code: door.code(), remember: '1' });
    t.truthy(browser.form('Allow'));
    await notYou(browser, start);
    await browser.press('Sign in', { email: 'bob@acme.test', password });
    t.is(browser.heading, challengePage);
    await notYou(browser, start);
    await browser.press('Sign in', { email: 'cyd@acme.test', password });
    await browser.press('Allow');
    const { claims } = await redeem(door, browser);
    t.is(claims.sub, await userId(door, 'cyd'));
    t.is(claims.acr, 'urn:sallyport:acr:1fa');
    const remembered = await door.db.rows('SELECT id FROM remembered_devices');
    t.deepEqual(remembered, [], 'and the tick that Ada made is not Cyd’s');
  });

  test(`${kind}: an interaction that expired at the second factor starts again from the password (T006)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const browser = await halfWay(door);
    const reloading = browser.copy();
    const resuming = browser.copy();
    const inTime = await halfWay(door, 'bob');
    const uid = interactionOf(browser);

    door.clock.forward(hours(1) - minutes(2));
    await inTime.press('Verify', { code: door.code(0, bobsSecret) });
    t.true(inTime.callback?.has('code'), 'shortly before the end');
    const before = await signedInSessions(door);

    door.clock.forward(minutes(2) + seconds(1));
    await browser.press('Verify', { code: door.code() });
    t.is(browser.status, 400);
    await reloading.open(reloading.url);
    t.is(reloading.status, 400);
    await resuming.open(`${door.issuer}/auth/${uid}`);
    t.is(resuming.status, 400);
    for (const one of [browser, reloading, resuming]) {
      t.is(one.callback, null);
      t.is(await silently(one), 'login_required');
    }
    t.is(await signedInSessions(door), before);
    await browser.authorize();
    t.is(browser.heading, 'Sign in');
  });

  test(`${kind}: disconnecting or disabling a user ends the sign-in that waits for the second factor (T006)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const disconnected = await halfWay(door);
    door.clock.forward(seconds(1));
    const { sql, values } = disconnectUser(await userId(door, 'ada'), door.clock.now());
    await door.db.change(sql, values);
    await disconnected.press('Verify', { code: door.code() });
    t.is(disconnected.status, 400);
    await stillOutside(t, door, disconnected, 'disconnected');

    const disabled = await halfWay(door, 'bob');
    await door.apply({ users: [{ email: 'bob@acme.test', disabled: true }] });
    await disabled.press('Verify', { code: door.code(0, bobsSecret) });
    t.is(disabled.status, 400);
    await stillOutside(t, door, disabled, 'disabled');
  });

  test(`${kind}: an interaction belongs to the browser that began it, and cookie and path must name the same one (T007, T008)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const victim = await halfWay(door);
    const attacker = await halfWay(door, 'bob');
    const bystander = door.browser();
    const token = csrf(victim);
    const action = target(victim, 'Verify');
    const path = `/interaction/${interactionOf(victim)}`;
    const code = door.code();

    const intruders: readonly [string, Browser][] = [
      ['no cookie', bystander],
      ['the cookie of another interaction at its own path', attacker.copy()],
    ];
    const planted = attacker.copy();
    plantInteractionCookie(attacker, planted, path);
    const unsigned = attacker.copy();
    unsigned.cookies.set(`sallyport-interaction;${path}`, {
      value: `sallyport-interaction=${interactionOf(victim)}`,
      path,
      attributes: '',
    });
    const wronglySigned = planted.copy();
    wronglySigned.cookies.set(`sallyport-interaction;${path}`, {
      value: `sallyport-interaction=${interactionOf(victim)}`,
      path,
      attributes: '',
    });
    for (const [what, intruder] of [
      ...intruders,
      ['the cookie of another interaction at this path', planted] as const,
      ['a cookie without its signature', unsigned] as const,
      ['a cookie with the signature of another', wronglySigned] as const,
    ]) {
      for (const page of ['', '/ways', '/recovery', '/enrol']) {
        await intruder.open(`${door.issuer}${path}${page}`);
        t.is(intruder.status, 400, `${what}: ${page}`);
        t.false(intruder.text.includes('ada'), what);
      }
      await intruder.open(action, { fields: new URLSearchParams({ code, _csrf: token }) });
      t.is(intruder.status, 400, what);
      await send(intruder, `${path}/login`, { email: 'bob@acme.test', password, _csrf: token });
      t.is(intruder.status, 400, what);
      await send(intruder, `${path}/cancel`, { _csrf: token });
      t.is(intruder.status, 400, what);
      await stillOutside(t, door, intruder, what);
    }

    // One browser with two tabs: each form works for its own interaction only.
    const tabs = victim.copy();
    for (const [key, cookie] of attacker.cookies) tabs.cookies.set(key, cookie);
    const other = `/interaction/${interactionOf(attacker)}`;
    const bobsFactor = target(attacker, 'Verify').split('/').at(-1);
    await send(tabs, `${other}/challenge/${bobsFactor}`, { code, _csrf: csrf(attacker) });
    t.is(tabs.status, 422, 'Ada’s code is not Bob’s');
    await send(tabs, `${path}/challenge/${bobsFactor}`, { code: door.code(0, bobsSecret), _csrf: token });
    t.is(tabs.heading, challengePage, 'Bob’s factor does not answer for Ada');
    await send(tabs, `${other}/challenge/${bobsFactor}`, { code: door.code(0, bobsSecret), _csrf: token });
    t.is(tabs.status, 403, 'the form of the other tab');
    await stillOutside(t, door, tabs, 'two tabs');

    await victim.press('Verify', { code });
    t.is(
      (await redeem(door, victim)).claims.sub,
      await userId(door, 'ada'),
      'nothing of it disturbed the victim',
    );
  });

  test(`${kind}: a sign-in that somebody else began is not finished by clicking on their link (T009)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const victim = door.browser();
    const { claims: mine } = await signIn(door, victim);
    const attacker = door.browser();
    await attacker.authorize();
    const uid = interactionOf(attacker);
    for (const path of [`/interaction/${uid}`, `/auth/${uid}`, `/device/${uid}`]) {
      await victim.open(`${door.issuer}${path}`);
      t.true(victim.status === 400 || victim.status === 422, path);
      t.is(victim.callback, null);
    }
    t.is(await silently(attacker), 'login_required');

    // Nor does the victim end up in the attacker's account, by the link of a finished sign-in.
    await attacker.authorize();
    await attacker.press('Sign in', { email: 'cyd@acme.test', password });
    t.true(attacker.callback?.has('code'));
    const resume = attacker.visited.findLast((url) => url.includes('/auth/')) ?? '';
    await victim.open(resume);
    t.is(victim.status, 400);
    t.is(await silently(victim), 'code');
    t.is((await redeem(door, victim)).claims.sub, mine.sub);
  });

  test(`${kind}: a right code before the password proves nothing, is no oracle, and is still good afterwards (T011)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const known = await halfWay(door);
    const factorId = target(known, 'Verify').split('/').at(-1);
    const browser = door.browser();
    await browser.authorize();
    const path = `/interaction/${interactionOf(browser)}`;
    const token = csrf(browser);
    const pages: string[] = [];
    for (const code of [door.code(), '000000']) {
      await send(browser, `${path}/challenge/${factorId}`, { code, _csrf: token, email: 'ada@acme.test' });
      await stillOutside(t, door, browser, code);
      t.is(browser.heading, 'Sign in');
      pages.push(`${browser.status} ${browser.text}`);
    }
    t.is(pages[0], pages[1], 'right and wrong look the same');
    for (const step of [
      'passkey',
      `challenge/${factorId}/send`,
      'recovery',
      'mailbox',
      'mailbox/send',
      'enrol',
      'enrol/send',
      'enrol/confirm',
      'skip',
      'consent',
      'codes',
      'codes/download',
      'set-up-again',
      'recovery/continue',
    ]) {
      await send(browser, `${path}/${step}`, { code: door.code(), method: 'totp', saved: '1', _csrf: token });
      await stillOutside(t, door, browser, step);
      t.is(browser.heading, 'Sign in', step);
    }
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, challengePage, 'the password does not bring an earlier code to life');
    await browser.press('Verify', { code: door.code() });
    t.true(browser.callback?.has('code'));
  });

  test(`${kind}: a wrong password at the second step takes nothing back and gives nothing (T011)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const browser = await halfWay(door);
    const action = target(browser, 'Verify');
    await send(browser, `/interaction/${interactionOf(browser)}/login`, {
      email: 'bob@acme.test',
      password: 'wrong',
      _csrf: csrf(browser),
    });
    t.is(browser.status, 422);
    await browser.open(action, { fields: new URLSearchParams({ code: door.code(), _csrf: csrf(browser) }) });
    t.is((await redeem(door, browser)).claims.sub, await userId(door, 'ada'));
  });

  test(`${kind}: the session gets a new identifier with every rise, and the old ones are dead on every server (T015)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people(), replicas: 2 });
    const browser = door.browser();
    const seen: { value: string; browser: Browser }[] = [];
    const note = () => {
      const value = [...browser.cookies].find(([key]) => key.startsWith('sallyport-session;'))?.[1].value;
      if (value) seen.push({ value, browser: browser.copy() });
    };
    await browser.open(`${door.issuer}/device`);
    note();
    t.is(seen.length, 1, 'a page that keeps something for nobody in particular');
    await passwordStep(browser, 'cyd');
    note();
    await browser.authorize({ acr_values: 'urn:sallyport:acr:2fa' });
    t.is(browser.heading, setUpPage);
    note();
    const own = browser.totpSecret;
    await browser.press('Confirm setup', { code: door.code(0, own) });
    await browser.press('Continue', { saved: '1' });
    t.true(browser.callback?.has('code'));
    note();
    nextStep(door);
    await browser.authorize({ prompt: 'login' });
    await browser.press('Sign in', { email: 'cyd@acme.test', password });
    await browser.press('Verify', { code: door.code(0, own) });
    note();

    // While the set-up page is shown, nothing has risen yet.
    const [anonymous, afterPassword, whileSettingUp, afterStepUp, afterLogin] = seen;
    t.is(whileSettingUp?.value, afterPassword?.value);
    t.is(new Set(seen.map(({ value }) => value)).size, 4);
    for (const [what, old] of Object.entries({ anonymous, afterPassword, afterStepUp })) {
      for (const replica of [0, 1]) {
        const thief = old?.browser.copy() as Browser;
        thief.replica = replica;
        t.is(await silently(thief), 'login_required', what);
      }
    }
    for (const replica of [0, 1]) {
      const current = afterLogin?.browser.copy() as Browser;
      current.replica = replica;
      t.is(await silently(current, { acr_values: 'urn:sallyport:acr:2fa' }), 'code');
    }
  });

  test(`${kind}: the last step sent twenty times at once over two servers ends in one session, one code and one event (T016)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people(), replicas: 2 });
    const browser = await halfWay(door);
    const tabs = Array.from({ length: 20 }, (_, n) => {
      const tab = browser.copy();
      tab.replica = n % 2;
      return tab;
    });
    const code = door.code();
    await Promise.all(tabs.map((tab) => tab.press('Verify', { code, remember: '1' })));
    const codes = tabs.flatMap((tab) => tab.callback?.get('code') ?? []);
    t.is(codes.length, 1);
    t.is(await signedInSessions(door), 1);
    t.is(await events(door, 'sign_in.succeeded'), 1);
    t.is((await door.db.rows('SELECT id FROM remembered_devices')).length, 1);
    for (const tab of tabs.filter(({ callback }) => callback === null)) {
      t.true([400, 409, 422, 429].includes(tab.status), `${tab.status} ${tab.heading}`);
      t.truthy(tab.heading);
    }
    const winner = tabs.find(({ callback }) => callback !== null) as Browser;
    t.is((await redeem(door, winner)).status, 200);
    t.is(await silently(winner), 'code', 'and the session lives');
  });

  test(`${kind}: the password sent ten times at once, set-up and its end sent twice, and the codes’ page sent twice give one of each (T016)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: people({ requirement: 'required_for_all', graceDays: 0 }),
      replicas: 2,
    });
    const browser = door.browser();
    await browser.authorize();
    const many = (n: number) =>
      Array.from({ length: n }, (_, replica) => {
        const tab = browser.copy();
        tab.replica = replica % 2;
        return tab;
      });
    const signing = many(10);
    await Promise.all(signing.map((tab) => tab.press('Sign in', { email: 'cyd@acme.test', password })));
    for (const tab of signing)
      t.true(tab.status < 500, `${tab.status} ${door.log.filter((line) => line.includes('errorId'))}`);
    await browser.open(browser.url);
    t.is(browser.heading, setUpPage, 'and the person can go on');
    const own = browser.totpSecret;

    const confirming = many(6);
    await Promise.all(confirming.map((tab) => tab.press('Confirm setup', { code: door.code(0, own) })));
    for (const tab of confirming)
      t.true(tab.status < 500, `${tab.status} ${door.log.filter((line) => line.includes('errorId'))}`);
    const factors = await door.db.rows('SELECT id FROM factors WHERE user_id = ?', [
      await userId(door, 'cyd'),
    ]);
    t.is(factors.length, 1);
    const recovery = await door.db.rows('SELECT id FROM recovery_codes');
    t.is(recovery.length, 8);
    await browser.open(browser.url);
    const shown = browser.recoveryCodes;
    t.is(shown.length, 8);

    const ending = many(6);
    await Promise.all(ending.map((tab) => tab.press('Continue', { saved: '1' })));
    t.is(ending.filter(({ callback }) => callback?.has('code')).length, 1);
    t.is(await signedInSessions(door), 1);
    t.is(await events(door, 'sign_in.succeeded'), 1);
  });

  test(`${kind}: one code serves one of two browsers that wait for it at once (T017)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people(), replicas: 2 });
    for (let round = 0; round < 3; round += 1) {
      const [one, two] = [await halfWay(door), await halfWay(door)];
      two.replica = 1;
      const code = door.code();
      await Promise.all([one.press('Verify', { code }), two.press('Verify', { code })]);
      const winners = [one, two].filter(({ callback }) => callback?.has('code'));
      t.is(winners.length, 1);
      const loser = one === winners[0] ? two : one;
      t.is(loser.status, 422);
      t.true(loser.alert.includes('used already'), loser.alert);
      t.is(await silently(loser), 'login_required');
      nextStep(door);
    }
  });

  test(`${kind}: no cookie that was set before the second factor signs anybody in, alone or with others, nor does one that names a user (T018, T020)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    // Also a browser where Ada has been before.
    const before = door.browser();
    await signIn(door, before);
    before.cookies.forEach((_, key) => {
      if (key.startsWith('sallyport-session')) before.cookies.delete(key);
    });
    await door.db.change('UPDATE sessions SET ended_at = 1', []);
    nextStep(door);

    for (const browser of [door.browser(), before]) {
      browser.setCookies.length = 0;
      await passwordStep(browser);
      t.is(browser.heading, challengePage);
      const jar = [...browser.cookies];
      t.true(jar.length > 0);
      const names = new Set(browser.setCookies.map((header) => header.split('=')[0]));
      t.deepEqual(
        [...names].toSorted(),
        ['sallyport-interaction', 'sallyport-interaction.sig', 'sallyport-resume', 'sallyport-resume.sig'],
        'and nothing else is set',
      );
      const id = await userId(door, 'ada');
      t.false(browser.setCookies.some((header) => header.includes(id) || header.includes('ada')));
      for (const part of [...jar.map((one) => [one]), jar]) {
        const thief = door.browser();
        for (const [key, cookie] of part) {
          thief.cookies.set(key, cookie);
          // A server that reads a cookie under another name or path would find it here.
          const [name = ''] = key.split(';');
          thief.cookies.set(`${name};/`, { ...cookie, path: '/' });
          const value = cookie.value.slice(cookie.value.indexOf('=') + 1);
          thief.cookies.set('sallyport-session;/', {
            value: `sallyport-session${name.endsWith('.sig') ? '.sig' : ''}=${value}`,
            path: '/',
            attributes: '',
          });
        }
        for (const client_id of ['app', 'other']) {
          t.is(await silently(thief, { client_id }), 'login_required', part.map(([key]) => key).join());
        }
      }
    }
    t.is(await signedInSessions(door), 0);
  });

  test(`${kind}: two tabs in which two people sign in end in one person’s session, never in a mixture of both (T008, T015)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const first = door.browser();
    await first.authorize();
    const [ada, cyd] = [await userId(door, 'ada'), await userId(door, 'cyd')];
    // The second tab of the same browser: one jar of cookies.
    const second = first.copy();
    await second.authorize({ client_id: 'other' });
    for (const [key, cookie] of second.cookies) first.cookies.set(key, cookie);
    await second.press('Sign in', { email: 'ada@acme.test', password });
    await second.press('Verify', { code: door.code() });
    t.is((await redeem(door, second)).claims.sub, ada);
    for (const [key, cookie] of second.cookies) first.cookies.set(key, cookie);

    await first.press('Sign in', { email: 'cyd@acme.test', password });
    t.is(
      first.callback?.has('code'),
      true,
      `works without scripts: ${first.status} ${first.text.slice(0, 400)}`,
    );
    const { claims } = await redeem(door, first);
    t.is(claims.sub, cyd);
    t.deepEqual(claims.amr, ['pwd']);
    t.is(await silently(second), 'login_required', 'Ada’s session is over');
    t.is(await silently(first, { client_id: 'other' }), 'code');
    t.is((await redeem(door, first)).claims.sub, cyd);
  });

  test(`${kind}: a person who has a session and leaves a step-up, or somebody else’s sign-in, half-way keeps the session as it was (T001, T005)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const browser = await halfWay(door, 'cyd');
    t.is((await redeem(door, browser)).claims.acr, 'urn:sallyport:acr:1fa');
    await browser.authorize({ acr_values: 'urn:sallyport:acr:2fa' });
    t.is(browser.heading, setUpPage);
    t.is(await silently(browser, { client_id: 'other' }), 'code');
    t.is((await redeem(door, browser)).claims.acr, 'urn:sallyport:acr:1fa');
    t.is(await silently(browser, { acr_values: 'urn:sallyport:acr:2fa' }), 'interaction_required');

    await browser.authorize({ prompt: 'login' });
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, challengePage);
    t.is(await silently(browser), 'code');
    const { claims } = await redeem(door, browser);
    t.is(claims.sub, await userId(door, 'cyd'));
    t.deepEqual(claims.amr, ['pwd']);
  });

  test(`${kind}: an old page of a finished sign-in, and the way back to it, do nothing (T005)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const browser = await halfWay(door);
    const page = browser.copy();
    const uid = interactionOf(browser);
    await browser.press('Verify', { code: door.code() });
    const { claims } = await redeem(door, browser);
    for (const [key, cookie] of browser.cookies) page.cookies.set(key, cookie);
    nextStep(door);
    await page.press('Verify', { code: door.code() });
    t.is(page.status, 400);
    for (const path of [`/interaction/${uid}`, `/auth/${uid}`]) {
      await page.open(`${door.issuer}${path}`);
      t.is(page.status, 400, path);
    }
    await send(page, `/interaction/${uid}/login`, {
      email: 'cyd@acme.test',
      password,
      _csrf: csrf(await halfWay(door)),
    });
    t.is(page.status, 400);
    t.is(await silently(browser), 'code');
    t.is((await redeem(door, browser)).claims.sub, claims.sub);
    t.is(await events(door, 'sign_in.succeeded'), 1);
  });

  test(`${kind}: a device’s code is not approved by a browser that stopped at the second factor (T013)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const { body } = await door.post('/device/auth', { scope: 'openid' }, { clientId: 'tv' });
    const poll = () =>
      door.post(
        '/token',
        { grant_type: deviceGrant, device_code: String(body.device_code) },
        { clientId: 'tv' },
      );
    const browser = door.browser();
    await browser.open(String(body.verification_uri));
    await browser.press('Continue', { user_code: String(body.user_code) });
    await browser.press(browser.buttons.find((label) => /connect|continue|allow/i.test(label)) ?? '', {});
    t.is(browser.heading, 'Sign in');
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, challengePage);
    t.is((await poll()).body.error, 'authorization_pending');
    const uid = interactionOf(browser);
    const resuming = browser.copy();
    await resuming.open(`${door.issuer}/auth/${uid}`);
    t.is((await poll()).body.error, 'authorization_pending');
    await stillOutside(t, door, resuming, 'resumed as another kind of request');
    await browser.press('Verify', { code: door.code() });
    const { claims, status, body: answer } = await poll();
    t.is(status, 200, `${JSON.stringify(answer)} ${browser.url} ${browser.heading}`);
    t.deepEqual(claims.amr, ['pwd', 'otp', 'mfa']);
  });

  test(`${kind}: time that passes at the second factor is not held against the person, and a clock that goes back does not let them in (T006)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people() });
    const browser = await halfWay(door);
    door.clock.forward(minutes(30));
    await browser.press('Verify', { code: door.code() });
    const { claims } = await redeem(door, browser);
    t.is(claims.auth_time, Math.floor(door.clock.now().getTime() / 1000));
    const late = await halfWay(door);
    door.clock.forward(-minutes(10));
    await late.press('Verify', { code: door.code() });
    t.is(late.status, 422, 'a code of an earlier time step');
    t.is(late.callback, null);
    t.true(late.visited.every((url) => !url.startsWith(redirectUri)));
  });
}
