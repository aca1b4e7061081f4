import test from 'ava';
import { minutes, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { count, events, textedCode, texts, userId, waited } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextDay,
  passwordStep,
  redeem,
  secret,
} from './rig.ts';

const setUpPage = 'Set up two-factor authentication';
const challengePage = 'Two-factor authentication';
const number = '+4915112345678';
const required = { requirement: 'required_for_all', graceDays: 0, methods: ['sms'] };
const isIn = (browser: Browser): boolean => browser.callback?.has('code') === true;

/** A browser whose every page is kept, so that nothing secret can have stood on one. */
async function arrive(door: FrontDoor, who = 'ada', replica = 0): Promise<Browser> {
  door.clock.forward(seconds(1));
  const browser = door.browser(replica);
  await passwordStep(browser, who);
  return browser;
}

/** Types a number and the code that comes to it. */
async function enrol(door: FrontDoor, who = 'ada', phone = number): Promise<Browser> {
  const browser = await arrive(door, who);
  await browser.press('Send a code', { phone });
  await browser.press('Confirm setup', { code: await textedCode(door) });
  await browser.press('Continue', { saved: '1' });
  return browser;
}

async function rested(door: FrontDoor): Promise<void> {
  await door.db.change('DELETE FROM limits');
  door.clock.forward(minutes(15));
}

for (const kind of kinds) {
  test(`${kind}: a number is typed, proved by a code and asked for from then on, and no page ever says the code (T036, T065)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required),
      settings: { smsCountries: ['DE'] },
    });
    const pages: string[] = [];
    const browser = await arrive(door);
    const see = () => pages.push(browser.text, JSON.stringify([...browser.headers]), browser.url);
    see();
    t.is(browser.heading, setUpPage);
    t.regex(browser.text, /autocomplete="tel" inputmode="tel"/);
    for (const [typed, said] of [
      ['', /country code/],
      ['0151 12345678', /country code/],
      ['+49 151', /country code/],
      ['call +49 151 12345678', /country code/],
      ['+49 151 12345678 ext. 7', /country code/],
      ['+1 876 555 0100', /that country/],
      ['+882 1234567', /that country/],
    ] as const) {
      await browser.press('Send a code', { phone: typed });
      t.is(browser.status, 422, typed);
      t.regex(browser.alert, said, typed);
      t.true(browser.text.includes(`value="${typed}"`), 'what was typed is kept');
    }
    t.deepEqual(await texts(door), []);

    await browser.press('Send a code', { phone: ' 0049 (151) 123-45678 ' });
    see();
    t.true(browser.text.includes('+49 ••••• 78'));
    t.false(browser.text.includes('12345678'), 'a stranger with the password reads no number here');
    const [text] = await texts(door);
    t.is(text?.to, number);
    const code = await textedCode(door);
    t.is(
      text?.text,
      `${code} is your code for Acme Aviation. It works for 10 minutes. Give it to nobody.\n\n@127.0.0.1 #${code}`,
    );
    await browser.press('Confirm setup', { code: code === '000000' ? '111111' : '000000' });
    see();
    t.is(browser.status, 422);
    await browser.press('Confirm setup', { code });
    see();
    t.is(browser.recoveryCodes.length, 8);
    await browser.press('Continue', { saved: '1' });
    const { claims } = await redeem(door, browser);
    t.is(claims.acr, 'urn:sallyport:acr:2fa');
    t.deepEqual(claims.amr, ['pwd', 'sms', 'mfa']);
    const user = await door.db.row<object>('SELECT phone, phone_verified FROM users');
    t.deepEqual({ ...user }, { phone: number, phone_verified: 1 });

    await rested(door);
    const again = await arrive(door);
    t.is(again.heading, challengePage);
    t.regex(again.text, /autocomplete="one-time-code"/);
    t.true(again.text.includes('+49 ••••• 78'));
    pages.push(again.text, again.url);
    const next = await textedCode(door);
    t.not(next, code);
    await again.press('Verify', { code: `${next.slice(0, 3)} ${next.slice(3)}` });
    t.deepEqual((await redeem(door, again)).claims.amr, ['pwd', 'sms', 'mfa']);
    for (const secretCode of [code, next]) {
      t.false(pages.join('\n').includes(secretCode), 'on a page');
      t.false(door.log.join('\n').includes(secretCode), 'in the log');
      const stored = await door.db.rows('SELECT * FROM sign_ins');
      t.false(JSON.stringify(stored).includes(secretCode), 'in the table');
    }
  });

  test(`${kind}: a code works once, ten minutes, for the sign-in and the number that it was sent for (T032, T033, T034, T038)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {} }),
      replicas: 2,
    });
    await enrol(door);
    await rested(door);
    await enrol(door, 'bob', '+4915187654321');
    await rested(door);
    const bob = await arrive(door, 'bob');
    const ada = await arrive(door);
    const sent = (await texts(door)).slice(-2);
    t.deepEqual(
      sent.map(({ to }) => to),
      ['+4915187654321', number],
    );
    const code = await textedCode(door);
    await bob.press('Verify', { code });
    t.is(bob.status, 422, 'another person');
    const { action, fields } = ada.form('Send a new code');
    for (const name of ['to', 'phone', 'phone[]', 'number']) fields.append(name, '+4917000000000');
    door.clock.forward(seconds(1));
    await ada.open(action, { fields });
    t.is((await texts(door)).at(-1)?.to, number, 'whatever the request names (T038)');
    const bySecond = (await texts(door)).length;
    door.clock.forward(seconds(1));
    await ada.open(action, { fields });
    t.is((await texts(door)).length, bySecond, 'the same form once more sends nothing (T031)');
    t.true(ada.buttons.includes('Verify'), 'and shows the step');
    await ada.press('Verify', { code });
    t.is(ada.status, 422, 'a new one makes the old one worthless');
    const fresh = await textedCode(door);
    const before = await events(door, 'sign_in.succeeded');
    const tabs = Array.from({ length: 20 }, (_, n) => Object.assign(ada.copy(), { replica: n % 2 }));
    await Promise.all(tabs.map((one) => one.press('Verify', { code: fresh }).catch(() => {})));
    t.is(await events(door, 'sign_in.succeeded'), before + 1);
    t.true(tabs.filter(isIn).length <= 1);

    for (const [after, ok] of [
      [minutes(10) - seconds(1), true],
      [minutes(10), false],
    ] as const) {
      await rested(door);
      const browser = await arrive(door);
      const right = await textedCode(door);
      door.clock.forward(after);
      await browser.press('Verify', { code: right });
      t.is(isIn(browser), ok, `${after / 1000} seconds`);
    }
  });

  test(`${kind}: what is no code is wrong, is counted, and closes the factor after a hundred (T031, T140)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await enrol(door);
    await rested(door);
    const browser = await arrive(door);
    const code = await textedCode(door);
    const failed = await events(door, 'factor.failed');
    for (const [index, typed] of [
      '',
      code.slice(1),
      `${code}0`,
      '🛫',
      '１２３４５６',
      `${code}\0`,
    ].entries()) {
      await waited(door);
      await browser.press('Verify', { code: typed });
      t.is(browser.status, 422, typed);
      t.is(await events(door, 'factor.failed'), failed + index + 1);
    }
    await door.db.change('UPDATE factors SET failures = 99');
    await waited(door);
    await browser.press('Verify', { code: 'x' });
    t.is(await count(door, 'factors', 'disabled_at IS NOT NULL'), 1);
    await waited(door);
    await browser.open(browser.url);
    if (browser.buttons.includes('Verify')) await browser.press('Verify', { code });
    t.false(isIn(browser));
  });

  test(`${kind}: a number that an import says is verified is used at once, another one is asked for first, and none is a factor before its code (T039, T041)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { ...required, methods: ['totp', 'sms'] },
        {
          ada: { extra: { phone: '+15555550100', phoneVerified: true } },
          bob: { extra: { phone: '+15555550101' } },
        },
      ),
    });
    const ada = await arrive(door);
    await ada.press('Continue', { method: 'sms' });
    t.true(ada.text.includes('+1 ••••• 00'));
    t.is((await texts(door)).at(-1)?.to, '+15555550100');
    t.is(await count(door, 'factors'), 0);
    door.clock.forward(seconds(1));
    await ada.press('Use another number');
    await ada.press('Send a code', { phone: number });
    await ada.press('Confirm setup', { code: await textedCode(door) });
    t.is(await count(door, 'factors'), 1);
    const profile = await door.db.row<object>('SELECT phone FROM users WHERE email = ?', ['ada@acme.test']);
    t.deepEqual({ ...profile }, { phone: '+15555550100' }, 'the profile is as it was');

    const bob = await arrive(door, 'bob');
    await bob.press('Continue', { method: 'sms' });
    t.true(bob.buttons.includes('Send a code'));
    t.false(bob.text.includes('5555'), 'an unverified number is not even shown');
    await bob.press('Send a code', { phone: '+1 555 555 0101' });
    await bob.press('Confirm setup', { code: await textedCode(door) });
    const verified = await door.db.row<object>('SELECT phone_verified AS v FROM users WHERE email = ?', [
      'bob@acme.test',
    ]);
    t.deepEqual({ ...verified }, { v: 1 });

    await door.apply({ users: [{ email: 'ada@acme.test', phone: '+15555550199', phoneVerified: true }] });
    await rested(door);
    const again = await arrive(door);
    t.is(again.heading, challengePage);
    t.is((await texts(door)).at(-1)?.to, number, 'a new number in the profile is no factor');
  });

  test(`${kind}: text messages are limited per person, number, range of numbers, organization and day before any is sent (T037)`, async (t) => {
    const people = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`p${n}`, {}]));
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...required, sms: { countries: ['DE', 'AT'], perDay: 60 } }, people),
      settings: { smsPerDay: 62 },
    });
    const sent = async () => (await texts(door)).length;
    const ask = async (who: string, phone: string) => {
      const browser = await arrive(door, who);
      await browser.press('Send a code', { phone });
      return browser;
    };
    const first = await ask('p0', number);
    for (let n = 0; n < 2; n += 1) await first.press('Send a new code');
    t.is(await sent(), 3);
    await first.press('Send a new code');
    t.is(first.status, 429);
    t.regex(first.alert, /another code can be sent/);
    t.is(await sent(), 3, 'per person');
    await first.press('Use another number');
    await first.press('Send a code', { phone: '+4917099999999' });
    t.is(first.status, 429, 'whichever number');

    for (let n = 1; n < 20; n += 1) await ask(`p${n}`, number);
    t.is(await sent(), 20, 'twenty to one number');
    await rested(door);
    await door.db.change('DELETE FROM limits');
    for (let n = 0; n < 30; n += 1)
      await ask(`p${n}`, `+4366011110${String(n).padStart(2, '0')}0`.slice(0, 14));
    t.is(await sent(), 50);

    const foreign = await ask('p1', '+33612345678');
    t.regex(foreign.alert, /that country/);
    for (const dear of ['+43 900 123456', '+49 9003 123456', '+49 1805 123456']) {
      await foreign.press('Send a code', { phone: dear });
      t.regex(foreign.alert, /charges for them/, dear);
    }
    t.is(await sent(), 50);
    nextDay(door);
    await door.apply({
      organizations: [{ slug: 'acme', policy: { sms: { perDay: 2 } } }],
    });
    const before = await sent();
    await ask('p2', '+4915112340000');
    await ask('p3', '+4915112350000');
    const spent = await ask('p4', '+4915112360000');
    t.is(spent.status, 422);
    t.regex(spent.alert, /No more text messages can be sent today/);
    t.is(await sent(), before + 2, 'per organization');
    nextDay(door);
    await ask('p4', '+4915112360000');
    t.is(await sent(), before + 3, 'the next day');
  });

  test(`${kind}: many ranges from one network, and all organizations together, have an end too (T037)`, async (t) => {
    const people = Object.fromEntries(Array.from({ length: 4 }, (_, n) => [`p${n}`, {}]));
    const door = await frontDoor(t, kind, {
      configuration: acme(required, people),
      settings: { smsPerDay: 2 },
    });
    for (const [who, phone] of [
      ['p0', '+4915100000001'],
      ['p1', '+4915200000001'],
    ] as const) {
      await (await arrive(door, who)).press('Send a code', { phone });
    }
    const third = await arrive(door, 'p2');
    await third.press('Send a code', { phone: '+4915300000001' });
    t.regex(third.alert, /No more text messages/);
    t.is((await texts(door)).length, 2);

    nextDay(door);
    await door.db.change('DELETE FROM limits');
    await (await arrive(door, 'p0')).press('Send a code', { phone: '+4915100000001' });
    await door.db.change('UPDATE limits SET failures = 1000, blocked_until = ?', [
      door.clock.now().getTime() + minutes(5),
    ]);
    const held = await arrive(door, 'p3');
    await held.press('Send a code', { phone: '+4915400000001' });
    t.is(held.status, 429, 'the range of network addresses is shared by all of them');
  });

  test(`${kind}: without a gateway text messages are not offered, and who has nothing else is told so (T148)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { ...required, methods: ['totp', 'sms'] },
        { ada: {}, bob: { totp: secret } },
        { applications: [application('strict', { assurance: 'second_factor' })] },
      ),
    });
    const ada = await arrive(door);
    await ada.press('Continue', { method: 'sms' });
    await ada.press('Send a code', { phone: number });
    await ada.press('Confirm setup', { code: await textedCode(door) });
    const id = await userId(door, 'bob');
    const row = await door.db.row<Record<string, string | number | null>>(
      "SELECT * FROM factors WHERE method = 'sms'",
    );
    const insert = door.db.insert('factors', { ...row, id: 'bobs', user_id: id });
    await door.db.change(insert.sql, insert.values);
    const [app] = door.apps;
    (app?.services as { available: readonly string[] }).available = ['totp', 'passkey', 'email'];
    await rested(door);

    const bob = await arrive(door, 'bob');
    t.is(bob.heading, challengePage);
    t.false(bob.text.includes('Try another way'));
    await bob.press('Verify', { code: door.code() });
    t.true(isIn(bob));
    const only = await arrive(door);
    t.regex(only.alert, /cannot be sent here at the moment/);
    t.true(only.text.includes('Use a recovery code'));
    t.false(isIn(only));
  });
}
