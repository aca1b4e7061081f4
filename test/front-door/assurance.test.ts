import test, { type ExecutionContext } from 'ava';
import { importJWK, SignJWT } from 'jose';
import { disconnectUser } from '../../entities/users.ts';
import { loadSigningKeys } from '../../flows/signing-keys.ts';
import { days, hours, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { mailedCode, userId } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextDay,
  nextStep,
  password,
  passwordHash,
  passwordStep,
  pkce,
  redeem,
  redirectUri,
  secret,
  signIn,
  type TokenAnswer,
} from './rig.ts';

const acr1fa = 'urn:sallyport:acr:1fa';
const acrRemembered = 'urn:sallyport:acr:remembered';
const acr2sv = 'urn:sallyport:acr:2sv';
const acr2fa = 'urn:sallyport:acr:2fa';
const acrs = [acr1fa, acrRemembered, acr2sv, acr2fa, 'phr'];
const pwd = ['pwd'];
const pwdOtp = ['pwd', 'otp', 'mfa'];
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const challengePage = 'Two-factor authentication';
const setUpPage = 'Set up two-factor authentication';

const organization = (slug: string, policy: object): object => ({
  slug,
  name: slug,
  policy: { methods: ['totp'], ...policy },
});
const member = (name: string, organization: string | null, extra: object = {}): object => ({
  email: `${name}@acme.test`,
  name,
  passwordHash,
  emailVerified: true,
  memberships: organization === null ? [] : [{ organization, role: 'member' }],
  ...extra,
});

/** Ada has an authenticator app, the others nothing yet; their organizations ask for nothing, recommend, require later and now. */
const people = acme(
  { requirement: 'optional', rememberDeviceDays: 30 },
  { ada: { totp: secret }, cyd: {} },
  {
    organizations: [
      organization('recommends', { requirement: 'recommended' }),
      organization('requires', { requirement: 'required_for_all', graceDays: 7 }),
      organization('insists', { requirement: 'required_for_all', graceDays: 0 }),
      organization('mails', { requirement: 'required_for_all', graceDays: 0, methods: ['email'] }),
    ],
    users: [
      member('dan', 'recommends'),
      member('eve', 'requires'),
      member('fay', 'insists'),
      member('gus', null),
      member('hal', 'mails'),
    ],
    applications: [
      application('tv', { grant_types: ['authorization_code', 'refresh_token', deviceGrant] }),
      application('wants-2fa', { default_acr_values: [acr2fa] }),
      application('wants-recent', { default_max_age: 60 }),
      application('wants-now', { default_max_age: 0 }),
      application('second', { assurance: 'second_factor' }),
      application('fresh', { assurance: 'fresh_second_factor' }),
      application('key', { assurance: 'passkey' }),
    ],
  },
);

const now = (door: FrontDoor): number => Math.floor(door.clock.now().getTime() / 1000);
/** Where an authorization request led: `code`, the error's name, or the heading of the page. */
function led(browser: Browser): string {
  const { callback } = browser;
  return callback ? (callback.has('code') ? 'code' : (callback.get('error') ?? '')) : browser.heading;
}

async function silently(browser: Browser, params: Readonly<Record<string, string>> = {}): Promise<string> {
  await browser.authorize({ prompt: 'none', ...params });
  return led(browser);
}

interface How {
  readonly acr: string;
  readonly amr: readonly string[];
  readonly authTime: number;
}

/** What every place that an application can ask says about the sign-in; true claims are the same everywhere. */
async function tells(
  t: ExecutionContext,
  door: FrontDoor,
  answer: TokenAnswer,
  how: How,
  what: string,
  clientId = 'app',
): Promise<TokenAnswer> {
  t.is(answer.status, 200, `${what}: ${JSON.stringify(answer.body)}`);
  const expected = { acr: how.acr, amr: how.amr, auth_time: how.authTime };
  const said = ({ acr, amr, auth_time }: Record<string, unknown>) => ({ acr, amr, auth_time });
  t.deepEqual(said(answer.claims), expected, `${what}: ID token`);
  const bearer = String(answer.body.access_token);
  const userinfo = await door.post('/me', {}, { bearer });
  t.deepEqual(said(userinfo.body), expected, `${what}: userinfo`);
  const introspected = await door.post('/token/introspection', { token: bearer }, { clientId });
  t.true(introspected.body.active === true, `${what}: introspection`);
  t.deepEqual(said(introspected.body), expected, `${what}: introspection`);
  return answer;
}

const refresh = (door: FrontDoor, answer: TokenAnswer, clientId = 'app'): Promise<TokenAnswer> =>
  door.post(
    '/token',
    { grant_type: 'refresh_token', refresh_token: String(answer.body.refresh_token) },
    { clientId },
  );

/** In this application's tokens, in refreshed ones, and in those of a second application that the session lets in silently. */
async function tellsEverywhere(
  t: ExecutionContext,
  door: FrontDoor,
  browser: Browser,
  how: How,
  what: string,
): Promise<TokenAnswer> {
  const answer = await redeem(door, browser);
  await tells(t, door, answer, how, what);
  door.clock.forward(seconds(1));
  const refreshed = await refresh(door, answer);
  await tells(t, door, refreshed, how, `${what}, refreshed`);
  t.is(await silently(browser, { client_id: 'other' }), 'code', `${what}, other application`);
  const other = await redeem(door, browser);
  await tells(t, door, other, how, `${what}, other application`, 'other');
  await tells(t, door, await refresh(door, other, 'other'), how, `${what}, other, refreshed`, 'other');
  return refreshed;
}

/** The session ends; the browser stays known and remembered. */
function closeBrowser(browser: Browser): void {
  for (const key of [...browser.cookies.keys()]) {
    if (key.startsWith('sallyport-session')) browser.cookies.delete(key);
  }
}

/** A browser with a session that was begun with a remembered device. */
async function remembered(door: FrontDoor): Promise<Browser> {
  const browser = door.browser();
  await signIn(door, browser, { remember: true });
  nextStep(door);
  closeBrowser(browser);
  const { claims } = await signIn(door, browser);
  if (claims.acr !== acrRemembered) throw new Error(`not remembered, but ${claims.acr}`);
  return browser;
}

const acrClaim = (acr: unknown): string => JSON.stringify({ id_token: { acr } });

/** The device shows its code, and somebody types it here and confirms it. */
async function connectDevice(
  door: FrontDoor,
  browser: Browser,
  params: Readonly<Record<string, string>> = {},
): Promise<() => Promise<TokenAnswer>> {
  const { body } = await door.post('/device/auth', { scope: 'openid', ...params }, { clientId: 'tv' });
  await browser.open(String(body.verification_uri));
  await browser.press('Continue', { user_code: String(body.user_code) });
  const confirm = browser.buttons[0] ?? '';
  await browser.press(confirm);
  return () =>
    door.post(
      '/token',
      { grant_type: deviceGrant, device_code: String(body.device_code) },
      { clientId: 'tv' },
    );
}

for (const kind of kinds) {
  test(`${kind}: what the tokens say about a sign-in is what was done, in every place that tells of it (T065)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const fay = { secret: '', codes: [] as string[] };
    const ada = door.browser();
    const fays = door.browser();
    const rows: readonly (readonly [string, string, readonly string[], () => Promise<Browser>])[] = [
      [
        'password alone, not required',
        acr1fa,
        pwd,
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'cyd');
          return browser;
        },
      ],
      [
        'password alone, without an organization',
        acr1fa,
        pwd,
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'gus');
          return browser;
        },
      ],
      [
        'dismissed',
        acr1fa,
        pwd,
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'dan');
          await browser.press('Not now', { postpone: '1' });
          return browser;
        },
      ],
      [
        'postponed',
        acr1fa,
        pwd,
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'dan');
          return browser;
        },
      ],
      [
        'skipped within grace',
        acr1fa,
        pwd,
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'eve');
          await browser.press('Skip for now');
          return browser;
        },
      ],
      [
        'password and TOTP',
        acr2fa,
        pwdOtp,
        async () => {
          await passwordStep(ada);
          door.clock.forward(seconds(40));
          await ada.press('Verify', { code: door.code(), remember: '1' });
          return ada;
        },
      ],
      [
        'remembered',
        acrRemembered,
        pwd,
        async () => {
          closeBrowser(ada);
          await passwordStep(ada);
          return ada;
        },
      ],
      [
        'set up',
        acr2fa,
        pwdOtp,
        async () => {
          await passwordStep(fays, 'fay');
          fay.secret = fays.totpSecret;
          await fays.press('Confirm setup', { code: door.code(0, fay.secret) });
          fay.codes = fays.recoveryCodes;
          await fays.press('Continue', { saved: '1' });
          return fays;
        },
      ],
      [
        'recovery code',
        acr2fa,
        pwdOtp,
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'fay');
          await browser.follow('Use a recovery code');
          await browser.press('Verify', { code: fay.codes[0] ?? '' });
          await browser.press('Continue');
          return browser;
        },
      ],
      [
        'recovery code, and the factor set up again',
        acr2fa,
        pwdOtp,
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'fay');
          await browser.follow('Use a recovery code');
          await browser.press('Verify', { code: fay.codes[1] ?? '' });
          await browser.press(browser.buttons.find((label) => /set up/i.test(label)) ?? '');
          t.is(browser.heading, setUpPage, browser.text);
          await browser.press('Confirm setup', { code: door.code(0, browser.totpSecret) });
          if (browser.recoveryCodes.length > 0) await browser.press('Continue', { saved: '1' });
          return browser;
        },
      ],
      [
        'set up for codes by e-mail',
        acr2sv,
        ['pwd', 'otp'],
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'hal');
          await browser.press('Confirm setup', { code: await mailedCode(door) });
          await browser.press('Continue', { saved: '1' });
          return browser;
        },
      ],
      [
        'password and e-mail code',
        acr2sv,
        ['pwd', 'otp'],
        async () => {
          const browser = door.browser();
          await passwordStep(browser, 'hal');
          await browser.press('Verify', { code: await mailedCode(door) });
          return browser;
        },
      ],
    ];
    for (const [what, acr, amr, doing] of rows) {
      door.clock.forward(seconds(90));
      const browser = await doing();
      t.is(led(browser), 'code', what);
      await tellsEverywhere(t, door, browser, { acr, amr, authTime: now(door) }, what);
      for (const stronger of [acr1fa, acrRemembered, acr2sv, acr2fa, 'phr']) {
        const met = acrs.indexOf(acr) >= acrs.indexOf(stronger);
        const answer = await silently(browser, { acr_values: stronger });
        t.is(answer === 'code', met, `${what}, and ${stronger} asked for: ${answer}`);
      }
    }
  });

  test(`${kind}: a silent request is never answered with a code where anything must be shown, and says so to the application (T061, T062, T091)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const stranger = door.browser();
    t.is(await silently(stranger), 'login_required');
    await passwordStep(stranger);
    t.is(await silently(stranger), 'login_required', 'half-way');

    const cyd = door.browser();
    await passwordStep(cyd, 'cyd');
    const { claims } = await redeem(door, cyd);
    t.is(await silently(cyd), 'code');
    const eve = door.browser();
    await passwordStep(eve, 'eve');
    await eve.press('Skip for now');
    t.is(await silently(eve), 'code', 'skipped in this session');
    await door.apply({
      organizations: [{ slug: 'acme', policy: { requirement: 'required_for_all', graceDays: 0 } }],
    });
    for (const client_id of ['app', 'other']) {
      t.is(
        await silently(cyd, { client_id }),
        'interaction_required',
        'a second after the policy was turned on',
      );
      t.is(cyd.callback?.get('state'), 'state');
      t.is(cyd.callback?.get('iss'), door.issuer);
      t.false(cyd.callback?.has('code'));
    }
    await cyd.authorize();
    t.is(cyd.heading, setUpPage, 'the session goes on where it can');
    t.false(cyd.buttons.includes('Skip for now'));
    await cyd.press('Confirm setup', { code: door.code(0, cyd.totpSecret) });
    await cyd.press('Continue', { saved: '1' });
    const after = await redeem(door, cyd);
    t.deepEqual(after.claims.amr, pwdOtp);
    t.is(after.claims.sub, claims.sub);

    nextDay(door, 6);
    t.is(await silently(eve), 'login_required', 'her session has ended meanwhile');
    await passwordStep(eve, 'eve');
    await eve.press('Skip for now');
    t.is(await silently(eve), 'code');
    door.clock.forward(hours(23));
    await passwordStep(eve, 'eve', { prompt: 'login' });
    await eve.press('Skip for now');
    t.is(await silently(eve), 'code');
    door.clock.forward(hours(2));
    t.is(await silently(eve), 'interaction_required', 'grace ended in the middle of the session');
    await eve.authorize();
    t.is(eve.heading, setUpPage);
    t.false(eve.buttons.includes('Skip for now'));
  });

  test(`${kind}: a factor that was set up elsewhere is asked for in every session that lacks it (T062, T012)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const old = door.browser();
    await passwordStep(old, 'cyd');
    t.is(led(old), 'code');
    const before = await redeem(door, old);
    const elsewhere = door.browser();
    await passwordStep(elsewhere, 'cyd', { acr_values: acr2fa });
    const own = elsewhere.totpSecret;
    await elsewhere.press('Confirm setup', { code: door.code(0, own) });
    await elsewhere.press('Continue', { saved: '1' });
    t.is((await redeem(door, elsewhere)).claims.acr, acr2fa);

    t.is(await silently(old), 'interaction_required');
    t.is((await refresh(door, before)).body.error, 'invalid_grant');
    await old.authorize();
    t.is(old.heading, challengePage);
    nextStep(door);
    await old.press('Verify', { code: door.code(0, own) });
    t.deepEqual((await redeem(door, old)).claims.amr, pwdOtp);
  });

  test(`${kind}: however a second factor is asked for, a session without one steps up in its place, and silently is refused (T063, T070)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = await remembered(door);
    const signedInAt = now(door);
    const asking: readonly (readonly [string, Record<string, string>])[] = [
      ['acr_values', { acr_values: acr2fa }],
      ['another name', { acr_values: 'mfa' }],
      ['the PAPE name', { acr_values: 'http://schemas.openid.net/pape/policies/2007/06/multi-factor' }],
      ['with one that nobody knows', { acr_values: `urn:example:strong ${acr2fa}` }],
      ['the acr claim', { claims: acrClaim({ values: [acr2fa] }) }],
      ['the essential acr claim', { claims: acrClaim({ essential: true, value: acr2fa }) }],
      ['both', { acr_values: acr1fa, claims: acrClaim({ essential: true, values: ['mfa'] }) }],
      ['the application’s default', { client_id: 'wants-2fa' }],
      ['the application’s assurance', { client_id: 'second' }],
      ['the application’s fresh assurance', { client_id: 'fresh' }],
      ['at any age', { acr_values: acr2fa, max_age: '100000' }],
    ];
    for (const [what, params] of asking) {
      t.is(await silently(browser, params), 'interaction_required', what);
      await browser.authorize(params);
      t.is(browser.heading, challengePage, what);
      t.false(browser.text.includes('Remember this device'), what);
    }
    for (const params of [
      { acr_values: acr1fa },
      { acr_values: acrRemembered },
      { acr_values: `${acr1fa} ${acr2fa}` },
      { acr_values: 'urn:example:strong' },
    ]) {
      t.is(await silently(browser, params), 'code', JSON.stringify(params));
      t.is((await redeem(door, browser)).claims.acr, acrRemembered, 'and the claim says what was done');
    }

    // By a pushed request and by POST as well.
    const { challenge } = pkce();
    const pushed = await door.post('/request', {
      client_id: 'app',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: redirectUri,
      prompt: 'none',
      acr_values: acr2fa,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    const request_uri = String(pushed.body.request_uri);
    await browser.open(`${door.issuer}/auth?${new URLSearchParams({ client_id: 'app', request_uri })}`);
    t.is(led(browser), 'interaction_required', 'pushed');
    const fields = new URLSearchParams({
      client_id: 'app',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: redirectUri,
      prompt: 'none',
      acr_values: acr2fa,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    await browser.open(`${door.issuer}/auth?acr_values=${acr1fa}`, { fields });
    t.not(led(browser), 'code', 'posted');

    door.clock.forward(seconds(100));
    const cookie = [...browser.cookies].find(([key]) => key.startsWith('sallyport-session;'))?.[1].value;
    await browser.authorize({ acr_values: acr2fa });
    await browser.press('Verify', { code: door.code(), remember: '1' });
    const { claims } = await redeem(door, browser);
    t.deepEqual([claims.acr, claims.amr], [acr2fa, pwdOtp]);
    t.true(Number(claims.auth_time) === signedInAt + 100, 'the factor was proved now');
    t.not([...browser.cookies].find(([key]) => key.startsWith('sallyport-session;'))?.[1].value, cookie);
    const devices = await door.db.rows('SELECT id FROM remembered_devices');
    t.is(devices.length, 1, 'a box that was not offered is not ticked');
    door.clock.forward(seconds(1));
    for (const [what, params] of asking) {
      const fresh = params.client_id === 'fresh';
      t.is(await silently(browser, params), fresh ? 'interaction_required' : 'code', `${what}, stepped up`);
    }
    t.is(await silently(browser, { client_id: 'other' }), 'code');
    t.is((await redeem(door, browser)).claims.acr, acr2fa, 'the whole session has risen');
  });

  test(`${kind}: an essential acr is met, or ends in an error; no token ever carries less (T064)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const cyd = door.browser();
    await passwordStep(cyd, 'cyd');
    t.is(led(cyd), 'code');
    const unmet = 'unmet_authentication_requirements';
    const essential = (values: unknown) => ({ claims: acrClaim({ essential: true, values }) });

    for (const [what, params, silent] of [
      ['unreachable', essential(['phr']), unmet],
      ['unknown', essential(['urn:example:strong']), unmet],
      ['unknown, as one value', { claims: acrClaim({ essential: true, value: 'x' }) }, unmet],
      ['a passkey application', { client_id: 'key' }, unmet],
      ['reachable', essential([acr2fa]), 'interaction_required'],
      ['one of two reachable', essential(['phr', acr2fa]), 'interaction_required'],
    ] as const) {
      t.is(await silently(cyd, params), silent, what);
      await cyd.authorize(params);
      t.is(led(cyd), silent === unmet ? unmet : setUpPage, what);
      if (silent === unmet) {
        t.is(cyd.callback?.get('state'), 'state');
        t.is(cyd.callback?.get('iss'), door.issuer);
      }
    }
    // The set-up that a request asks for cannot be skipped, whatever form is sent.
    await cyd.authorize(essential([acr2fa]));
    const uid = /\/interaction\/([^/]+)/.exec(cyd.url)?.[1];
    const fields = new URLSearchParams(cyd.form('Confirm setup').fields);
    fields.set('postpone', '1');
    await cyd.open(`${door.issuer}/interaction/${uid}/skip`, { fields });
    t.not(led(cyd), 'code');
    await cyd.open(`${door.issuer}/interaction/${uid}`);
    await cyd.press('Confirm setup', { code: door.code(0, cyd.totpSecret) });
    await cyd.press('Continue', { saved: '1' });
    t.deepEqual((await redeem(door, cyd)).claims.amr, pwdOtp);
    t.is(await silently(cyd, essential(['phr', acr2fa])), 'code');
    t.is((await redeem(door, cyd)).claims.acr, acr2fa);

    // Who has no session hears the same, after the password at the latest.
    for (const who of ['cyd', 'ada', 'fay']) {
      const browser = door.browser();
      await browser.authorize(essential(['phr']));
      if (browser.callback === null) await browser.press('Sign in', { email: `${who}@acme.test`, password });
      t.not(led(browser), 'code', who);
      if (who === 'ada') await browser.press('Verify', { code: door.code() });
      t.not(led(browser), 'code', who);
      t.is((await silently(browser, essential(['phr']))) === 'code', false, who);
    }
  });

  test(`${kind}: a demand for an acr that is not well-formed is refused, never taken for none (T064)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    await passwordStep(browser, 'cyd');
    const { claims } = await redeem(door, browser);
    t.is(claims.acr, acr1fa);
    for (const acr of [
      { essential: true, values: acr2fa },
      { essential: true, values: [acr2fa, 1] },
      { essential: true, value: acr2fa, values: 'x' },
      { essential: true, value: [acr2fa] },
      { essential: true, values: [], value: acr2fa },
      { essential: true, values: [acr1fa], value: acr2fa },
      { essential: true, values: [] },
      { essential: true, values: { 0: acr2fa } },
      { essential: 'true', values: [acr2fa] },
      { essential: 1, value: acr2fa },
      [acr2fa],
      acr2fa,
    ]) {
      t.not(await silently(browser, { claims: acrClaim(acr) }), 'code', JSON.stringify(acr));
    }
    for (const text of ['{', 'null', '[]', '1', '{"id_token":[]}', '{"id_token":"acr"}']) {
      t.is(await silently(browser, { claims: text }), 'invalid_request', text);
    }
    t.is(await silently(browser, { claims: acrClaim(null) }), 'code', 'asked for as any other claim');
    const twice = `${door.issuer}/auth?${new URLSearchParams({
      client_id: 'app',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: redirectUri,
      prompt: 'none',
    })}&acr_values=${acr1fa}&acr_values=${acr2fa}&code_challenge=${pkce().challenge}&code_challenge_method=S256`;
    await browser.open(twice);
    t.is(led(browser), 'invalid_request', 'two of them');
  });

  test(`${kind}: max_age is kept with all factors that are required, counts from the last proof, and takes nothing but a number (T067, T070)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    const { claims } = await signIn(door, browser);
    const begun = now(door);
    t.is(claims.auth_time, begun);
    door.clock.forward(seconds(20));
    for (const [max_age, silent] of [
      ['20', 'code'],
      ['21', 'code'],
      ['100000', 'code'],
      ['19', 'login_required'],
      ['10', 'login_required'],
      ['1', 'login_required'],
      ['0', 'login_required'],
      ['-1', 'invalid_request'],
      ['-0.5', 'invalid_request'],
      ['1.5', 'invalid_request'],
      ['ten', 'invalid_request'],
      ['NaN', 'invalid_request'],
      ['Infinity', 'invalid_request'],
      ['99999999999999999999', 'invalid_request'],
      ['1e400', 'invalid_request'],
    ] as const) {
      t.is(await silently(browser, { max_age }), silent, max_age);
      if (silent === 'code') t.is((await redeem(door, browser)).claims.auth_time, begun);
    }

    nextStep(door);
    await browser.authorize({ max_age: '10' });
    t.is(browser.heading, 'Sign in');
    const uid = /\/interaction\/([^/]+)/.exec(browser.url)?.[1];
    // The factor alone is not enough where the password has to be given again.
    const rows = await door.db.rows<{ id: string }>('SELECT id FROM factors');
    const forged = new URLSearchParams(browser.form('Sign in').fields);
    forged.set('code', door.code());
    await browser.open(`${door.issuer}/interaction/${uid}/challenge/${rows[0]?.id}`, { fields: forged });
    t.is(browser.heading, 'Sign in');
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, challengePage, 'the earlier factor is too old as well');
    door.clock.forward(seconds(15));
    await browser.press('Verify', { code: door.code() });
    const again = await redeem(door, browser);
    t.is(again.claims.auth_time, now(door), 'and slow fingers are not asked twice');
    t.deepEqual(again.claims.amr, pwdOtp);

    for (const params of [{ max_age: '0' }, { client_id: 'wants-now' }]) {
      nextStep(door);
      await browser.authorize(params);
      t.is(browser.heading, 'Sign in', JSON.stringify(params));
      await browser.press('Sign in', { email: 'ada@acme.test', password });
      await browser.press('Verify', { code: door.code() });
      t.is((await redeem(door, browser)).claims.auth_time, now(door));
      t.is(await silently(browser, params), 'login_required', 'and again the next time');
    }

    t.is(await silently(browser, { client_id: 'wants-recent' }), 'code');
    door.clock.forward(seconds(61));
    t.is(await silently(browser, { client_id: 'wants-recent' }), 'login_required');
    t.is(
      await silently(browser, { client_id: 'wants-recent', max_age: '100' }),
      'code',
      'the request says otherwise',
    );
    t.is(await silently(browser), 'code');
  });

  test(`${kind}: a remembered browser answers a max_age with the password alone and says so, but not where a second factor is asked for too (T067)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = await remembered(door);
    door.clock.forward(seconds(30));
    await browser.authorize({ max_age: '10' });
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    const { claims } = await redeem(door, browser);
    t.deepEqual([claims.acr, claims.amr, claims.auth_time], [acrRemembered, pwd, now(door)]);

    door.clock.forward(seconds(30));
    await browser.authorize({ max_age: '10', acr_values: acr2fa });
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, challengePage);
    await browser.press('Verify', { code: door.code() });
    t.is((await redeem(door, browser)).claims.acr, acr2fa);
    // Where the organization does not accept it any more, it is no help.
    await door.apply({ organizations: [{ slug: 'acme', policy: { rememberDeviceDays: 0 } }] });
    nextStep(door);
    await browser.authorize({ max_age: '10' });
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, challengePage);
  });

  test(`${kind}: prompt=login asks for everything again; cancelling tells the application and leaves the session as it was (T068)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    const first = await signIn(door, browser);
    const begun = now(door);
    for (const prompt of ['login', 'login consent', 'consent login']) {
      nextStep(door);
      await browser.authorize({ prompt });
      t.is(browser.heading, 'Sign in', prompt);
      await browser.press('Sign in', { email: 'ada@acme.test', password });
      t.is(browser.heading, challengePage, prompt);
      t.is(await silently(browser), 'code');
      t.is((await redeem(door, browser)).claims.auth_time, begun, 'half-way, the session is not younger');
    }
    await browser.authorize({ prompt: 'login' });
    await browser.press(browser.buttons.find((label) => label.startsWith('Back to')) ?? '');
    t.is(led(browser), 'access_denied');
    t.is(browser.callback?.get('state'), 'state');
    t.is(browser.callback?.get('iss'), door.issuer);
    t.is(await silently(browser), 'code');
    const { claims } = await redeem(door, browser);
    t.deepEqual([claims.sub, claims.auth_time], [first.claims.sub, begun]);

    nextStep(door);
    await browser.authorize({ prompt: 'login' });
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    await browser.press('Verify', { code: door.code() });
    t.is((await redeem(door, browser)).claims.auth_time, now(door));

    for (const prompt of [
      'none login',
      'none consent',
      'select_account',
      'create',
      'second_factor',
      'LOGIN',
      'x',
    ]) {
      await browser.authorize({ prompt });
      t.is(led(browser), 'invalid_request', prompt);
    }
  });

  test(`${kind}: a password of somebody else at prompt=login gives their own session, never a better one to the first (T068)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    const first = await signIn(door, browser);
    const old = browser.copy();
    await browser.authorize({ prompt: 'login' });
    await browser.press('Sign in', { email: 'cyd@acme.test', password });
    t.is(led(browser), 'code');
    const code = browser.callback?.get('code');
    t.truthy(code);
    const { claims } = await redeem(door, browser);
    t.is(claims.sub, await userId(door, 'cyd'));
    t.deepEqual([claims.acr, claims.amr], [acr1fa, pwd], 'nothing of what Ada proved');
    t.is(await silently(old), 'login_required', 'Ada’s session is over');
    t.is((await refresh(door, first)).body.error, 'invalid_grant', 'and so is what it had given');
    const introspected = await door.post('/token/introspection', {
      token: String(first.body.access_token),
    });
    t.is(introspected.body.active, false);
    t.is(await silently(browser, { acr_values: acr2fa }), 'interaction_required');
    t.is(await silently(browser, { client_id: 'other' }), 'code');
    t.is((await redeem(door, browser)).claims.sub, claims.sub);

    // And back again, with the second factor that Ada has.
    nextStep(door);
    await passwordStep(browser, 'ada', { prompt: 'login' });
    t.is(browser.heading, challengePage);
    await browser.press('Verify', { code: door.code() });
    const back = await redeem(door, browser);
    t.deepEqual([back.claims.sub, back.claims.acr], [first.claims.sub, acr2fa]);
  });

  test(`${kind}: a code is worth nothing once somebody else has signed in in its browser (T068, T106)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    await passwordStep(browser);
    await browser.press('Verify', { code: door.code() });
    const code = browser.callback?.get('code') ?? '';
    const verifier = browser.verifier;
    await passwordStep(browser, 'cyd', { prompt: 'login' });
    const late = await door.tokens(code, verifier);
    t.is(late.body.error, 'invalid_grant');
  });

  test(`${kind}: an id_token_hint lets nobody in but the person that it names, and a bad one is an error (T069)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const ada = await signIn(door, door.browser());
    const hint = String(ada.body.id_token);
    const browser = door.browser();
    await passwordStep(browser, 'cyd');
    const cyd = await redeem(door, browser);
    t.is(await silently(browser, { id_token_hint: String(cyd.body.id_token) }), 'code');
    t.is(await silently(browser, { id_token_hint: hint }), 'login_required');
    const named = JSON.stringify({ id_token: { sub: { value: ada.claims.sub } } });
    t.is(await silently(browser, { claims: named }), 'login_required');

    for (const params of [{ id_token_hint: hint }, { claims: named }]) {
      await browser.authorize(params);
      t.is(browser.heading, 'Sign in');
      await browser.press('Sign in', { email: 'cyd@acme.test', password });
      t.is(led(browser), 'Sign in', `the wrong person, again: ${Object.keys(params)}`);
    }
    nextStep(door);
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, challengePage);
    await browser.press('Verify', { code: door.code() });
    t.is((await redeem(door, browser)).claims.sub, ada.claims.sub);

    const [header, payload, signature] = hint.split('.') as [string, string, string];
    const claimsOf = (change: object) =>
      Buffer.from(JSON.stringify({ ...ada.claims, ...change })).toString('base64url');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const { ring, db } = door.apps[0]?.services ?? {};
    if (!ring || !db) throw new Error('no server');
    const [jwk] = await loadSigningKeys(db, ring);
    const key = await importJWK({ ...jwk } as Parameters<typeof importJWK>[0], 'RS256');
    const signed = (change: object) =>
      new SignJWT({ ...ada.claims, ...change })
        .setProtectedHeader({ alg: 'RS256', kid: String(jwk?.kid) })
        .sign(key);
    const withSecret = new SignJWT({ ...ada.claims })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from('app-secret'));
    for (const [what, bad] of [
      ['garbage', 'x'],
      ['three parts of garbage', 'a.b.c'],
      ['another payload', `${header}.${claimsOf({ sub: cyd.claims.sub })}.${signature}`],
      ['no signature', `${none}.${payload}.`],
      ['the client’s secret as the key', await withSecret],
      ['another issuer', await signed({ iss: 'https://elsewhere.test' })],
      ['another audience', await signed({ aud: 'elsewhere' })],
      ['an access token', String(ada.body.access_token)],
    ] as const) {
      for (const who of [browser, door.browser()]) {
        t.is(await silently(who, { id_token_hint: bad }), 'invalid_request', what);
        t.true(who.status < 500);
      }
    }
    // An expired one still names a person, and still lets in nobody else.
    const expired = (who: unknown) => signed({ sub: who, iat: 1, exp: 2 });
    t.not(await silently(browser, { id_token_hint: await expired(cyd.claims.sub) }), 'code');
    t.not(await silently(door.browser(), { id_token_hint: await expired(ada.claims.sub) }), 'code');
  });

  test(`${kind}: a weaker sign-in after a stronger one takes back what the session was worth, and earlier tokens keep what was true of them (T065)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    const strong = await signIn(door, browser, { remember: true });
    const strongAt = now(door);
    t.is(strong.claims.acr, acr2fa);
    t.is(await silently(browser, { client_id: 'other' }), 'code');
    t.is((await redeem(door, browser)).claims.acr, acr2fa);

    door.clock.forward(seconds(120));
    await passwordStep(browser, 'ada', { prompt: 'login' });
    const weak = await redeem(door, browser);
    await tells(t, door, weak, { acr: acrRemembered, amr: pwd, authTime: now(door) }, 'the weaker one');
    t.is(await silently(browser, { client_id: 'other' }), 'code');
    t.is((await redeem(door, browser)).claims.acr, acrRemembered, 'in the other application too');
    for (const params of [{ acr_values: acr2fa }, { client_id: 'second' }, { client_id: 'wants-2fa' }]) {
      t.is(await silently(browser, params), 'interaction_required', JSON.stringify(params));
    }
    const kept = await refresh(door, strong);
    await tells(
      t,
      door,
      kept,
      { acr: acr2fa, amr: pwdOtp, authTime: strongAt },
      'refreshed from the stronger one',
    );
    await tells(
      t,
      door,
      await refresh(door, weak),
      { acr: acrRemembered, amr: pwd, authTime: strongAt + 120 },
      'refreshed from the weaker one',
    );
  });

  test(`${kind}: what an application demands holds for silent sign-on, and a fresh factor is fresh each time (T063, T067)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    const { claims } = await signIn(door, browser, { remember: true });
    t.is(await silently(browser, { client_id: 'second' }), 'code');
    t.is((await redeem(door, browser)).claims.auth_time, claims.auth_time);
    for (let round = 0; round < 2; round += 1) {
      nextStep(door);
      t.is(await silently(browser, { client_id: 'fresh' }), 'interaction_required');
      await browser.authorize({ client_id: 'fresh' });
      t.is(browser.heading, challengePage);
      await browser.press('Verify', { code: door.code() });
      const answer = await redeem(door, browser);
      t.deepEqual([answer.claims.acr, answer.claims.auth_time], [acr2fa, now(door)]);
    }
    // A code that was proved for an earlier request of the same application is not fresh for a later one.
    nextStep(door);
    const [one, two] = [browser, browser.copy()];
    await one.authorize({ client_id: 'fresh' });
    door.clock.forward(seconds(1));
    await two.authorize({ client_id: 'fresh' });
    await one.press('Verify', { code: door.code() });
    t.is(led(one), 'code');
    for (const [key, cookie] of one.cookies) two.cookies.set(key, cookie);
    await two.authorize({ client_id: 'fresh' });
    t.is(two.heading, challengePage);
    await browser.authorize({ client_id: 'key' });
    t.not(led(browser), 'code', 'there is no passkey');
  });

  test(`${kind}: a device is connected only by somebody who meets what its application, request and organization ask for (T072)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const ada = door.browser();
    const pollAda = await connectDevice(door, ada);
    t.is(ada.heading, 'Sign in');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    t.is(ada.heading, challengePage);
    t.is((await pollAda()).body.error, 'authorization_pending');
    await ada.press('Verify', { code: door.code() });
    const answer = await pollAda();
    await tells(t, door, answer, { acr: acr2fa, amr: pwdOtp, authTime: now(door) }, 'the device', 'tv');
    t.is((await pollAda()).body.error, 'invalid_grant', 'once');

    // With a session that is good enough nobody is asked, and with another one they are.
    t.is((await (await connectDevice(door, ada))()).status, 200);
    const cyd = door.browser();
    await passwordStep(cyd, 'cyd');
    const pollCyd = await connectDevice(door, cyd, { acr_values: acr2fa });
    t.is(cyd.heading, setUpPage);
    t.is((await pollCyd()).body.error, 'authorization_pending');
    const unmet = await connectDevice(door, cyd, { claims: acrClaim({ essential: true, value: 'phr' }) });
    t.is((await unmet()).body.error, 'unmet_authentication_requirements');
    await door.apply({
      organizations: [{ slug: 'acme', policy: { requirement: 'required_for_all', graceDays: 0 } }],
    });
    const required = await connectDevice(door, cyd);
    t.is(cyd.heading, setUpPage);
    t.is((await required()).body.error, 'authorization_pending');
  });

  test(`${kind}: a device’s application can ask for a recent sign-in, and for one that is made now (T067, T072)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const cyd = door.browser();
    await passwordStep(cyd, 'cyd');
    t.is(led(cyd), 'code');
    door.clock.forward(seconds(20));
    t.is((await (await connectDevice(door, cyd, { max_age: '20' }))()).status, 200);
    for (const max_age of ['10', '0']) {
      const poll = await connectDevice(door, cyd, { max_age });
      t.is(cyd.heading, 'Sign in', `max_age=${max_age}`);
      t.is((await poll()).body.error, 'authorization_pending', `max_age=${max_age}`);
    }
  });

  test(`${kind}: a connected device gets no tokens once its person is disabled or signed out, and no code is confirmed twice (T072)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const cyd = door.browser();
    await passwordStep(cyd, 'cyd');
    t.is(led(cyd), 'code');
    const { body } = await door.post('/device/auth', { scope: 'openid' }, { clientId: 'tv' });
    const type = async (browser: Browser) => {
      await browser.open(String(body.verification_uri));
      await browser.press('Continue', { user_code: String(body.user_code) });
    };
    await type(cyd);
    await cyd.press(cyd.buttons[0] ?? '');
    t.is(cyd.status, 200);
    const again = door.browser();
    await type(again);
    t.is(again.status, 422, 'used already');

    const required = await connectDevice(door, cyd);
    const policy = (requirement: string) =>
      door.apply({ organizations: [{ slug: 'acme', policy: { requirement, graceDays: 0 } }] });
    await policy('required_for_all');
    t.is((await required()).body.error, 'invalid_grant', 'a second factor is required since a second ago');
    await policy('optional');

    const switched = await connectDevice(door, cyd);
    await passwordStep(cyd, 'gus', { prompt: 'login' });
    t.is(led(cyd), 'code');
    t.is((await switched()).body.error, 'invalid_grant', 'the session that confirmed it is over');
    const disabled = await connectDevice(door, cyd);
    await door.apply({ users: [{ email: 'gus@acme.test', disabled: true }] });
    t.is((await disabled()).body.error, 'invalid_grant');
  });

  test(`${kind}: guessing the codes of devices is stopped before it is worth anything (T072)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = door.browser();
    await browser.open(`${door.issuer}/device`);
    const { action, fields } = browser.form('Continue');
    const answers: number[] = [];
    for (let n = 0; n < 120 && !answers.includes(429); n += 1) {
      fields.set(
        'user_code',
        `BCDF-${String(n)
          .padStart(4, 'G')
          .replace(/\d/g, (d) => 'GHJKLMNPQR'[Number(d)] ?? 'G')}`,
      );
      await browser.open(action, { fields });
      answers.push(browser.status);
    }
    t.true(answers.includes(429), `${answers.length} wrong codes were all looked at`);
  });

  test(`${kind}: there is no password grant, no token in the front channel, and no other grant than those (T073)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const credentials = { username: 'cyd@acme.test', email: 'cyd@acme.test', password, scope: 'openid' };
    for (const grant_type of [
      'password',
      'implicit',
      'urn:openid:params:grant-type:ciba',
      'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'urn:ietf:params:oauth:grant-type:saml2-bearer',
    ]) {
      const { status, body } = await door.post('/token', { grant_type, ...credentials });
      t.is(status, 400, grant_type);
      t.is(body.error, 'unsupported_grant_type', grant_type);
    }
    const browser = door.browser();
    await passwordStep(browser, 'cyd');
    t.is(led(browser), 'code');
    for (const response_type of [
      'token',
      'id_token',
      'id_token token',
      'code token',
      'code id_token',
      'code id_token token',
      'none token',
    ]) {
      for (const response_mode of ['', 'fragment', 'query', 'form_post']) {
        await browser.authorize({
          response_type,
          nonce: 'n',
          ...(response_mode ? { response_mode } : {}),
        });
        const where = `${browser.text}${browser.callback ?? ''}${browser.headers.get('Location')}`;
        t.notRegex(where, /access_token|id_token=|[?&#]code=|name="(code|id_token)"/, response_type);
        t.regex(where, /unsupported_response_type|invalid_request|cannot be served/, response_type);
      }
    }
  });

  test(`${kind}: a refresh asks the policy again: a new policy, the end of grace, a reset and a disabled account end it (T074)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const offline = { scope: 'openid offline_access', prompt: 'consent' };
    const tokensOf = async (who: string, press?: string): Promise<TokenAnswer> => {
      const browser = door.browser();
      await passwordStep(browser, who, offline);
      if (press) await browser.press(press);
      const answer = await redeem(door, browser);
      t.truthy(answer.body.refresh_token, who);
      return answer;
    };
    let cyd = await tokensOf('cyd');
    let eve = await tokensOf('eve', 'Skip for now');
    let gus = await tokensOf('gus');
    const adas = door.browser();
    await passwordStep(adas, 'ada', offline);
    await adas.press('Verify', { code: door.code() });
    let ada = await redeem(door, adas);

    nextDay(door, 3);
    cyd = await refresh(door, cyd);
    eve = await refresh(door, eve);
    gus = await refresh(door, gus);
    ada = await refresh(door, ada);
    t.deepEqual(
      [cyd.status, eve.status, gus.status, ada.status],
      [200, 200, 200, 200],
      'longer than the session',
    );
    t.is(eve.claims.acr, acr1fa);
    t.is(ada.claims.acr, acr2fa);

    await door.apply({
      organizations: [{ slug: 'acme', policy: { requirement: 'required_for_all', graceDays: 0 } }],
    });
    t.is((await refresh(door, cyd)).body.error, 'invalid_grant', 'required since a second ago');
    ada = await refresh(door, ada);
    t.is(ada.status, 200, 'who has proved it goes on');

    door.clock.forward(days(4) - seconds(10));
    eve = await refresh(door, eve);
    t.is(eve.status, 200, 'ten seconds before the end of grace');
    door.clock.forward(seconds(11));
    t.is((await refresh(door, eve)).body.error, 'invalid_grant', 'after grace');

    await door.db.change('UPDATE users SET reset_at = ? WHERE id = ?', [
      door.clock.now().getTime(),
      await userId(door, 'ada'),
    ]);
    t.is((await refresh(door, ada)).body.error, 'invalid_grant', 'after a reset');

    gus = await refresh(door, gus);
    t.is(gus.status, 200);
    await door.apply({ users: [{ email: 'gus@acme.test', disabled: true }] });
    t.is((await refresh(door, gus)).body.error, 'invalid_grant', 'disabled');
    const gone = await door.post('/token/introspection', { token: String(gus.body.access_token) });
    t.is(gone.body.active, false);
    t.is((await door.post('/me', {}, { bearer: String(gus.body.access_token) })).status, 401);
  });

  test(`${kind}: a disconnected person’s tokens are inactive, and do not come back with the next sign-in (T074)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people, replicas: 2 });
    const browser = door.browser();
    const before = await signIn(door, browser);
    door.clock.forward(seconds(1));
    const { sql, values } = disconnectUser(await userId(door, 'ada'), door.clock.now());
    await door.db.change(sql, values);
    const dead = async (what: string) => {
      for (const replica of [0, 1]) {
        for (const name of ['access_token', 'refresh_token'] as const) {
          const token = String(before.body[name]);
          const answer = await door.post('/token/introspection', { token }, { replica });
          t.deepEqual(answer.body, { active: false }, `${name} ${what}`);
        }
        const bearer = String(before.body.access_token);
        t.is((await door.post('/me', {}, { bearer, replica })).status, 401, what);
      }
      t.is((await refresh(door, before)).body.error, 'invalid_grant', what);
    };
    await dead('at once');
    t.is(await silently(browser), 'login_required');
    nextStep(door);
    const after = await signIn(door, browser);
    t.is(after.status, 200);
    await dead('after the next sign-in');
  });

  test(`${kind}: a session that was begun on a remembered device is worth no more than the device is now (T074, T046)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: people });
    const browser = await remembered(door);
    await browser.authorize();
    const answer = await redeem(door, browser);
    t.is(answer.claims.acr, acrRemembered);
    await door.db.change('UPDATE remembered_devices SET revoked_at = ?', [door.clock.now().getTime()]);
    t.is(await silently(browser), 'interaction_required');
    t.is((await refresh(door, answer)).body.error, 'invalid_grant');
    await browser.authorize();
    t.is(browser.heading, challengePage);
  });
}
