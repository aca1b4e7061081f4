import test from 'ava';
import { mailRenderer } from '../../http/mails.ts';
import { createRenderer } from '../../http/render.ts';
import { minutes, seconds } from '../../lib/clock.ts';
import { createInbox } from '../../notifications/inbox.ts';
import type { Browser } from './browser.ts';
import { count, events, mailedCode, mails, userId, waited, withoutSession } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextDay,
  nextStep,
  passwordStep,
  redeem,
  secret,
} from './rig.ts';

const challengePage = 'Two-factor authentication';
const setUpPage = 'Set up two-factor authentication';
const wrongCode = /not right, or has expired/;

const required = {
  requirement: 'required_for_all',
  graceDays: 0,
  methods: ['email'],
  rememberDeviceDays: 30,
};
const applications = [application('second', { assurance: 'second_factor' })];

const isIn = (browser: Browser): boolean => browser.callback?.has('code') === true;
const codes = async (door: FrontDoor): Promise<string[]> =>
  (await mails(door, 'code')).map(({ values }) => String(values.code));
const other = (code: string): string => (code === '000000' ? '111111' : '000000');

async function halfWay(door: FrontDoor, who = 'ada', params = {}, replica = 0): Promise<Browser> {
  // No two mails at one instant, so that there is a newest one.
  door.clock.forward(seconds(1));
  const browser = door.browser(replica);
  await passwordStep(browser, who, params);
  return browser;
}

/** Confirmed factors of the method, as rows: people who have it already. */
async function haveEmail(door: FrontDoor, ...who: string[]): Promise<void> {
  for (const name of who) {
    const browser = await halfWay(door, name);
    if (browser.heading !== setUpPage) throw new Error(`${name}: ${browser.heading}`);
    await browser.press('Confirm setup', { code: await mailedCode(door) });
    await browser.press('Continue', { saved: '1' });
  }
  await rested(door);
}

/** A day later nothing that was sent or tried before counts. */
async function rested(door: FrontDoor): Promise<void> {
  await door.db.change('DELETE FROM limits');
  door.clock.forward(minutes(15));
}

for (const kind of kinds) {
  test(`${kind}: somebody who knows only an address cannot use up the codes that its owner needs (T143)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {} }) });
    await haveEmail(door, 'ada');
    const stranger = door.browser();
    for (let n = 0; n < 6; n += 1) {
      await stranger.open('/forgotten-password');
      await stranger.press('Send the link', { email: 'ada@acme.test' });
      t.is(stranger.status, 200);
    }
    const before = (await codes(door)).length;
    const ada = await halfWay(door);
    t.is(ada.heading, challengePage);
    t.is((await codes(door)).length, before + 1, 'a code was sent');
    await ada.press('Verify', { code: await mailedCode(door) });
    t.true(isIn(ada));
  });

  test(`${kind}: a code by e-mail is set up and asked for, and is said to be two steps, not two factors (T065)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const first = await halfWay(door);
    t.is(first.heading, setUpPage, 'the only method is begun at once');
    t.regex(first.text, /a••@acme\.test/);
    await first.press('Confirm setup', { code: await mailedCode(door) });
    t.is(first.recoveryCodes.length, 8);
    await first.press('Continue', { saved: '1' });
    const { claims } = await redeem(door, first);
    t.is(claims.acr, 'urn:sallyport:acr:2sv');
    t.deepEqual(claims.amr, ['pwd', 'otp']);

    const second = await halfWay(door);
    t.is(second.heading, challengePage);
    t.regex(second.text, /autocomplete="one-time-code"/);
    const code = await mailedCode(door);
    await second.press('Verify', { code: ` ${code.slice(0, 3)}–${code.slice(3)} ` });
    const again = await redeem(door, second);
    t.is(again.claims.acr, 'urn:sallyport:acr:2sv');
    t.deepEqual(again.claims.amr, ['pwd', 'otp']);
    await second.authorize({ prompt: 'none', acr_values: 'urn:sallyport:acr:2sv' });
    t.true(isIn(second));
    for (const acr of ['urn:sallyport:acr:2fa', 'mfa', 'phr']) {
      await second.authorize({ prompt: 'none', acr_values: acr });
      t.false(isIn(second), acr);
    }

    const inbox = createInbox({
      db: door.db,
      ring: door.apps[0]?.services.ring as never,
      render: mailRenderer(createRenderer({ viewsDir: 'views', cache: true }), door.issuer),
      channels: ['email'],
    });
    const sent = (await inbox.list()).filter(({ text }) => text.includes(code));
    t.deepEqual(
      sent.map(({ to }) => to),
      ['ada@acme.test'],
    );
    t.false(sent[0]?.subject.includes(code), 'not where a locked screen shows it');
  });

  test(`${kind}: it is offered only where the address is verified (T039)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { ...required, methods: ['totp', 'email'] },
        { ada: { extra: { emailVerified: false } }, bob: {} },
      ),
    });
    const ada = await halfWay(door);
    t.is(ada.heading, setUpPage);
    t.truthy(ada.totpSecret, 'the app is all that is left');
    const { fields } = ada.form('Confirm setup');
    fields.set('method', 'email');
    await ada.open(`${new URL(ada.url).pathname}/enrol`, { fields });
    t.notRegex(ada.text, /a••@/);
    t.deepEqual(await codes(door), []);

    const bob = await halfWay(door, 'bob');
    t.regex(bob.text, /Email code/);
    await bob.press('Continue', { method: 'email' });
    t.is((await codes(door)).length, 1);
    await door.db.change('UPDATE users SET email_verified = 0');
    await bob.press('Confirm setup', { code: await mailedCode(door) });
    t.is(await count(door, 'factors'), 0, 'no longer verified when the answer came');

    await door.apply({ organizations: [{ slug: 'acme', name: 'Acme Aviation', policy: required }] });
    const nothing = await halfWay(door);
    t.is(nothing.status, 403);
    t.false(isIn(nothing));
  });

  test(`${kind}: an address that is verified no more, or was changed, answers nothing that was sent to it (T039)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...required, methods: ['totp', 'email'] }, { ada: {} }),
    });
    const setUp = await halfWay(door);
    await setUp.press('Continue', { method: 'email' });
    const sent = await mailedCode(door);
    await door.db.change("UPDATE users SET email = 'eve@acme.test'");
    await setUp.press('Confirm setup', { code: sent });
    t.is(await count(door, 'factors'), 0, 'in a set-up');
    await door.db.change("UPDATE users SET email = 'ada@acme.test'");
    await setUp.press('Confirm setup', { code: sent });
    await setUp.press('Continue', { saved: '1' });
    t.true(isIn(setUp));
    await rested(door);

    const changed = await halfWay(door);
    const code = await mailedCode(door);
    await door.db.change("UPDATE users SET email = 'eve@acme.test'");
    await changed.press('Verify', { code });
    t.false(isIn(changed));
    t.regex(changed.alert, wrongCode);
    await door.db.change("UPDATE users SET email = 'ada@acme.test', email_verified = 0");
    await changed.press('Verify', { code });
    t.false(isIn(changed));
    await door.db.change('UPDATE users SET email_verified = 1');
    await changed.press('Verify', { code });
    t.true(isIn(changed), 'the same code, to the same address');
  });

  test(`${kind}: a code is right once, in the sign-in it was sent for, and nowhere else (T032)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {} }),
      replicas: 2,
    });
    await haveEmail(door, 'ada', 'bob');
    const browser = await halfWay(door);
    const code = await mailedCode(door);
    const tab = browser.copy();
    const stranger = await halfWay(door);
    const strangers = await mailedCode(door);
    const bob = await halfWay(door, 'bob');
    for (const [who, one] of Object.entries({ 'another browser': stranger, 'another person': bob })) {
      await one.press('Verify', { code });
      t.is(one.status, 422, who);
      t.regex(one.alert, wrongCode);
    }
    await browser.press('Verify', { code: strangers });
    t.is(browser.status, 422, 'the code of another sign-in of mine');
    await browser.press('Verify', { code });
    t.true(isIn(browser));
    await tab.press('Verify', { code });
    t.false(isIn(tab));
    await stranger.press('Verify', { code });
    t.false(isIn(stranger));
    await rested(door);
    const next = await halfWay(door);
    await next.press('Verify', { code });
    t.is(next.status, 422, 'in the next sign-in');

    // The last byte of twenty requests, on two servers.
    await rested(door);
    const raced = await halfWay(door);
    const right = await mailedCode(door);
    const before = await events(door, 'sign_in.succeeded');
    const tabs = Array.from({ length: 20 }, (_, n) => Object.assign(raced.copy(), { replica: n % 2 }));
    await Promise.all(tabs.map((one) => one.press('Verify', { code: right }).catch(() => {})));
    t.is(await events(door, 'sign_in.succeeded'), before + 1);
    t.true(tabs.filter(isIn).length <= 1);
  });

  test(`${kind}: it lives ten minutes, by the clock of the server (T034)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const setUp = await halfWay(door);
    const first = await mailedCode(door);
    door.clock.forward(minutes(10) + seconds(1));
    await setUp.press('Confirm setup', { code: first });
    t.is(setUp.status, 422, 'in a set-up');
    door.clock.forward(seconds(1));
    await setUp.press('Send a new code');
    await setUp.press('Confirm setup', { code: await mailedCode(door) });
    await setUp.press('Continue', { saved: '1' });
    t.true(isIn(setUp));

    for (const [after, ok] of [
      [minutes(10) - seconds(1), true],
      [minutes(10), false],
      [minutes(10) + seconds(1), false],
    ] as const) {
      await rested(door);
      const browser = await halfWay(door);
      const code = await mailedCode(door);
      door.clock.forward(after);
      await browser.press('Verify', { code });
      t.is(isIn(browser), ok, `${after / 1000} seconds`);
      if (!ok) t.regex(browser.alert, wrongCode);
    }
  });

  test(`${kind}: what is no code is wrong, is counted, and never an error (T031)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await haveEmail(door, 'ada');
    const browser = await halfWay(door);
    const code = await mailedCode(door);
    const failed = await events(door, 'factor.failed');
    const wide = [...code].map((digit) => String.fromCharCode(0xff10 + Number(digit))).join('');
    const rubbish = [
      '',
      ' ',
      code.slice(1),
      `${code}0`,
      `${code}\0`,
      wide,
      '🛫',
      '1'.repeat(10_000),
      other(code),
      `+${code}`,
    ];
    for (const [index, typed] of rubbish.entries()) {
      await waited(door);
      await browser.press('Verify', { code: typed });
      t.is(browser.status, 422, JSON.stringify(typed.slice(0, 20)));
      t.is(await events(door, 'factor.failed'), failed + index + 1);
    }
    const { action, fields } = browser.form('Verify');
    for (const more of [`code[]=${code}`, `code=${code}&code=${code}`, `code[a]=${code}`, `email=${code}`]) {
      await waited(door);
      await browser.open(action, { fields: new URLSearchParams(`_csrf=${fields.get('_csrf')}&${more}`) });
      t.is(browser.status, 422, more);
    }
    t.notRegex(door.log.join(''), /"level":(50|60)/);
    await waited(door);
    await browser.press('Verify', { code });
    t.true(isIn(browser), 'the right one still is, after all that');
  });

  test(`${kind}: a new code makes the old one worthless, and does not begin the count of failures anew (T033, T140)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await haveEmail(door, 'ada');
    const browser = await halfWay(door);
    const old = await mailedCode(door);
    await browser.press('Verify', { code: other(old) });
    await browser.press('Verify', { code: other(old) });
    door.clock.forward(seconds(30));
    await browser.press('Send a new code');
    t.is(browser.heading, challengePage);
    const fresh = await mailedCode(door);
    t.not(fresh, old);
    await browser.press('Verify', { code: old });
    t.is(browser.status, 422);
    for (let n = 4; n <= 5; n += 1) {
      await browser.press('Verify', { code: other(fresh) });
      t.is(browser.status, 422, `${n} in all`);
    }
    await browser.press('Verify', { code: fresh });
    t.is(browser.status, 429, 'the sixth has to wait, whatever it is');
    await waited(door);
    await browser.press('Verify', { code: fresh });
    t.true(isIn(browser));
  });

  test(`${kind}: a hundred wrong codes in a row and the factor is closed for good (T140)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await haveEmail(door, 'ada');
    const browser = await halfWay(door);
    const code = await mailedCode(door);
    for (let n = 0; n < 100; n += 1) {
      await waited(door);
      await browser.press('Verify', { code: other(code) });
    }
    await waited(door);
    await browser.open(browser.url);
    if (browser.buttons.includes('Verify')) await browser.press('Verify', { code });
    t.false(isIn(browser));
    await rested(door);
    const next = await halfWay(door);
    t.false(isIn(next));
    t.is(await count(door, 'factors', 'disabled_at IS NOT NULL'), 1);
  });

  test(`${kind}: where a code by mail is the only method, setting it up cannot be guessed at leisure either (T140)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const browser = await halfWay(door);
    let checked = 0;
    // A day of a guesser who has the password, asks for a new code when the old one ends, and waits as told.
    for (let minute = 0; minute < 24 * 60 && checked <= 50; minute += 1) {
      door.clock.forward(minutes(1));
      const before = await events(door, 'factor.failed');
      if (browser.heading !== setUpPage) break;
      await browser.press('Confirm setup', { code: 'abcdef' });
      checked += (await events(door, 'factor.failed')) - before;
    }
    t.true(checked <= 50, `${checked} guesses within a day`);
  });

  test(`${kind}: codes are sent when they are asked for, not too many, and to one person as to another (T037)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {} }) });
    await haveEmail(door, 'ada', 'bob');
    const before = (await codes(door)).length;
    const browser = await halfWay(door);
    t.is((await codes(door)).length, before + 1);
    for (let n = 0; n < 5; n += 1) await browser.open(browser.url);
    t.is((await codes(door)).length, before + 1, 'opening the page again sends nothing');

    for (let n = 0; n < 100; n += 1) {
      t.true(browser.buttons.includes('Send a new code'), 'the button stays');
      await browser.press('Send a new code');
    }
    const sent = (await codes(door)).length - before;
    t.true(sent <= 5, `${sent} at once`);
    t.is(browser.status, 429);
    t.true(Number(browser.headers.get('Retry-After')) > 0);
    for (let n = 0; n < 20; n += 1) await halfWay(door);
    t.true((await codes(door)).length - before <= 5, 'nor by new sign-ins');
    const bob = await halfWay(door, 'bob');
    t.is(bob.status, 200);
    t.is((await mails(door, 'code')).at(-1)?.to, 'bob@acme.test', 'nobody else is kept waiting');

    door.clock.forward(minutes(16));
    const later = await halfWay(door);
    await later.press('Verify', { code: await mailedCode(door) });
    t.true(isIn(later), 'it ends by itself');
  });

  test(`${kind}: where no code may be sent now, the page says when, and shows no gaps (T037)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await haveEmail(door, 'ada');
    let browser = await halfWay(door);
    for (let n = 0; n < 10 && browser.status === 200; n += 1) browser = await halfWay(door);
    t.is(browser.status, 429);
    t.is(browser.heading, challengePage);
    t.notRegex(browser.text, /undefined|null|\{to\}/);
    t.notRegex(browser.text, /Enter the 6-digit code that we sent/, 'none was sent for this sign-in');
    t.notRegex(browser.alert, /wrong/i, 'nobody typed anything wrong');
    t.regex(browser.alert, /\d+ (second|minute)/);
    t.true(browser.text.includes('Use a recovery code'));
  });

  test(`${kind}: who signs in with it every day can still ask for a second one`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await haveEmail(door, 'ada');
    for (let day = 0; day < 6; day += 1) {
      nextDay(door, 0.9);
      const browser = await halfWay(door);
      await browser.press('Verify', { code: await mailedCode(door) });
      t.true(isIn(browser));
    }
    nextDay(door, 0.9);
    const browser = await halfWay(door);
    door.clock.forward(seconds(40));
    await browser.press('Send a new code');
    t.is(browser.status, 200, browser.alert);
  });

  test(`${kind}: the code stands in no answer, header, address or log; only in the mail (T036, T133)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const seen: string[] = [];
    const browser = door.browser();
    const note = () => {
      seen.push(browser.text, browser.url, ...browser.visited, ...browser.setCookies);
      seen.push(...[...browser.headers].map(([name, value]) => `${name}: ${value}`));
    };
    await passwordStep(browser);
    note();
    door.clock.forward(seconds(1));
    await browser.press('Send a new code');
    note();
    await browser.press('Confirm setup', { code: 'abcdef' });
    note();
    await browser.press('Confirm setup', { code: await mailedCode(door) });
    await browser.press('Continue', { saved: '1' });
    await rested(door);
    await passwordStep(withoutSession(browser));
    note();
    await browser.press('Send a new code');
    note();
    await browser.open(`${new URL(browser.url).pathname}/ways`);
    note();
    const stored = await Promise.all(
      ['sign_ins', 'outbox', 'audit_events', 'factors'].map((table) =>
        door.db.rows(`SELECT * FROM ${table}`),
      ),
    );
    const sent = await codes(door);
    t.is(sent.length, 4);
    // Six digits turn up by chance in long digests and numbers, so they are looked for as words.
    const words: readonly string[] =
      [...seen, ...door.log, JSON.stringify(stored)].join('\n').match(/(?<![\w-])\d{6}(?![\w-])/g) ?? [];
    for (const code of sent) t.false(words.includes(code));
  });

  test(`${kind}: nobody but the server says where a code goes (T038)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {} }) });
    const setUp = await halfWay(door);
    const lies =
      'email=eve@evil.test&email[]=eve@evil.test&to=eve@evil.test&address=eve@evil.test&method=email&phone=+15555550199';
    const sendFrom = async (browser: Browser, button: string, path?: string) => {
      const { action, fields } = browser.form(button);
      await browser.open(path ? `${new URL(browser.url).pathname}${path}` : action, {
        fields: new URLSearchParams(`_csrf=${fields.get('_csrf')}&${lies}`),
        headers: { 'X-Forwarded-Host': 'evil.test' },
      });
    };
    door.clock.forward(seconds(1));
    await sendFrom(setUp, 'Send a new code');
    await setUp.press('Confirm setup', { code: await mailedCode(door) });
    await setUp.press('Continue', { saved: '1' });
    await rested(door);
    await haveEmail(door, 'bob');
    const bobs = await door.db.row<{ id: string }>('SELECT id FROM factors WHERE user_id = ?', [
      await userId(door, 'bob'),
    ]);

    const browser = await halfWay(door);
    const before = (await mails(door, 'code')).length;
    await sendFrom(browser, 'Send a new code');
    await sendFrom(browser, 'Verify', `/challenge/${bobs?.id}/send`);
    await browser.open(`${new URL(browser.url).pathname}?with=${bobs?.id}`);
    const sent = (await mails(door, 'code')).slice(before);
    t.true(sent.length > 0);
    t.deepEqual([...new Set(sent.map(({ to }) => to))], ['ada@acme.test']);
    t.false((await mails(door)).some(({ to }) => to.includes('evil')));
  });

  test(`${kind}: an application or a request that wants a second factor gets one, not a code by mail (T063, T064)`, async (t) => {
    const both = { ...required, methods: ['totp', 'email'] };
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {}, cyd: { totp: secret } }, { applications }),
    });
    await haveEmail(door, 'ada', 'bob');
    const claims = JSON.stringify({
      id_token: { acr: { essential: true, values: ['urn:sallyport:acr:2fa'] } },
    });

    const refused = await halfWay(door, 'ada', { claims });
    await refused.press('Verify', { code: await mailedCode(door) });
    t.is(
      refused.callback?.get('error'),
      'unmet_authentication_requirements',
      'where nothing else is allowed',
    );
    const bob = await halfWay(door, 'bob', { client_id: 'second' });
    await bob.press('Verify', { code: await mailedCode(door) });
    t.false(isIn(bob));

    await rested(door);
    await door.apply({ organizations: [{ slug: 'acme', name: 'Acme Aviation', policy: both }] });
    const browser = await halfWay(door, 'ada', { client_id: 'second' });
    await browser.press('Verify', { code: await mailedCode(door) });
    t.is(browser.heading, setUpPage, 'where there is more to be had, it is set up');
    t.notRegex(browser.text, /Email code/);
    const mine = browser.totpSecret;
    await browser.press('Confirm setup', { code: door.code(0, mine) });
    t.deepEqual((await redeem(door, browser)).claims.amr, ['pwd', 'otp', 'mfa']);

    nextStep(door);
    const next = await halfWay(door, 'ada', { client_id: 'second' });
    t.notRegex(next.text, /a••@/, 'the app is asked at once');
    await next.press('Verify', { code: door.code(0, mine) });
    t.is((await redeem(door, next)).claims.acr, 'urn:sallyport:acr:2fa');
  });

  test(`${kind}: e-mail is no factor of an organization that does not allow it`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...required, methods: ['email'] }, { ada: {} }),
    });
    await haveEmail(door, 'ada');
    await door.apply({
      organizations: [{ slug: 'acme', name: 'Acme Aviation', policy: { ...required, methods: ['totp'] } }],
    });
    const browser = await halfWay(door);
    t.is(browser.heading, challengePage, 'what one has is asked for');
    await browser.press('Verify', { code: await mailedCode(door) });
    t.false(isIn(browser));
    t.truthy(browser.totpSecret, 'and what is required is set up');
  });

  test(`${kind}: a code that was sent to remember nobody by, and to no other purpose, opens nothing else (T011)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {} }) });
    await haveEmail(door, 'ada');
    const challenge = await halfWay(door);
    const code = await mailedCode(door);
    // Set-up of another, recovery code, before any password.
    const bob = await halfWay(door, 'bob');
    await bob.press('Confirm setup', { code });
    t.is(bob.status, 422);
    const { fields } = challenge.form('Verify');
    fields.set('code', code);
    const at = new URL(challenge.url).pathname;
    for (const path of ['/recovery', '/mailbox', '/enrol/confirm', '/login']) {
      const tab = challenge.copy();
      await tab.open(`${at}${path}`, { fields });
      t.false(isIn(tab), path);
    }
    const factor = await door.db.row<{ id: string }>('SELECT id FROM factors');
    const outside = door.browser();
    await outside.authorize();
    const form = outside.form('Sign in').fields;
    form.set('code', code);
    await outside.open(`${new URL(outside.url).pathname}/challenge/${factor?.id}`, { fields: form });
    t.is(outside.heading, 'Sign in');
    t.is(await events(door, 'sign_in.succeeded'), 1);
  });
}
