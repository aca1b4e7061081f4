import test, { type ExecutionContext } from 'ava';
import { days, hours, minutes, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import {
  count,
  events,
  mailedCode,
  mails,
  resetByAdmin,
  setUp,
  setUpHere,
  userId,
  waited,
} from './evidence.ts';
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
  secret,
  signIn,
} from './rig.ts';

const optional = { requirement: 'optional' };
const required = { requirement: 'required_for_all', graceDays: 0 };

/** A browser that nobody has signed in from, at the page of the second factor. */
async function stranger(door: FrontDoor, who = 'ada', replica = 0): Promise<Browser> {
  const browser = door.browser(replica);
  await passwordStep(browser, who);
  return browser;
}

/** A code that is none of those which count now. */
function wrongCode(door: FrontDoor, of = secret): string {
  const right = [-1, 0, 1].map((steps) => door.code(steps, of));
  return ['000000', '111111', '222222', '333333'].find((code) => !right.includes(code)) ?? '';
}

/** The form of a page with a body of its own, several times at once if need be. */
async function send(
  browser: Browser,
  button: string,
  body: string | ((csrf: string) => string),
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const { action, fields } = browser.form(button);
  const csrf = fields.get('_csrf') ?? '';
  const response = await fetch(`${browser.addresses[browser.replica]}${action}`, {
    method: 'POST',
    redirect: 'manual',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      Origin: browser.issuer,
      Cookie: [...browser.cookies.values()].map(({ value }) => value).join('; '),
      ...headers,
    },
    body: typeof body === 'string' ? `_csrf=${csrf}&${body}` : body(csrf),
  });
  return { status: response.status, text: await response.text() };
}

/** The hundred wrong answers that end it: the first, the last two, and those between as they are counted. */
async function manyWrong(
  t: ExecutionContext,
  door: FrontDoor,
  browser: Browser,
  code: string,
): Promise<void> {
  for (let n = 0; n < 3; n += 1) {
    await waited(door);
    await browser.press('Verify', { code });
    t.is(browser.status, 422);
    if (n === 0) {
      await door.db.change('UPDATE limits SET failures = 98 WHERE failures = 1');
      await door.db.change('UPDATE factors SET failures = 98 WHERE failures = 1');
    }
  }
  await waited(door);
}

const isIn = (browser: Browser): boolean => browser.callback?.has('code') === true;

for (const kind of kinds) {
  test(`${kind}: a code of the authenticator app works once, and no older one works after it (T021, T023)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional, { ada: { totp: secret } }) });
    const code = door.code();
    await signIn(door, door.browser());

    const again = await stranger(door);
    await again.press('Verify', { code });
    t.is(again.status, 422);
    t.regex(again.alert, /used already/);
    nextStep(door);
    await again.press('Verify', { code });
    t.is(again.status, 422, 'one step later it is still the same code');
    await again.press('Verify', { code: door.code(1) });
    t.true(isIn(again));

    const older = await stranger(door);
    for (const steps of [0, -1, 1]) {
      await older.press('Verify', { code: door.code(steps) });
      t.is(older.status, 422, `after the code of the next step, that of ${steps}`);
    }
    nextStep(door);
    await older.press('Verify', { code: door.code(1) });
    t.true(isIn(older));
  });

  test(`${kind}: a code counts from one step before to one step after its own, at every second of a step (T025)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional, { ada: { totp: secret } }) });
    for (const [index, second] of [0, 1, 15, 29].entries()) {
      door.clock.set(new Date(Date.parse('2026-03-02T10:00:00Z') + minutes(10 * index) + seconds(second)));
      const outside = await stranger(door);
      for (const steps of [-3, -2, 2, 3]) {
        await outside.press('Verify', { code: door.code(steps) });
        t.is(outside.status, 422, `${steps} steps at second ${second}`);
      }
      for (const steps of [-1, 0, 1]) {
        await door.db.change('UPDATE factors SET high_water = -1');
        const inside = await stranger(door);
        await inside.press('Verify', { code: door.code(steps) });
        t.true(isIn(inside), `${steps} steps at second ${second}`);
      }
    }
  });

  test(`${kind}: the codes of RFC 6238, appendix B, let in, those with leading zeros too (T026)`, async (t) => {
    const rfc = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: rfc } }),
      now: new Date(seconds(59)),
    });
    for (const [at, code] of [
      [59, '287082'],
      [1_111_111_109, '081804'],
      [1_111_111_111, '050471'],
      [1_234_567_890, '005924'],
      [2_000_000_000, '279037'],
      [20_000_000_000, '353130'],
    ] as const) {
      door.clock.set(new Date(seconds(at)));
      const browser = await stranger(door);
      const shortened = String(Number(code));
      if (shortened !== code) {
        await browser.press('Verify', { code: shortened });
        t.is(browser.status, 422, `${shortened} for ${code}`);
      }
      // As people type it: in two groups.
      await browser.press('Verify', { code: `${code.slice(0, 3)} ${code.slice(3)} ` });
      t.true(isIn(browser), `${code} at ${at}`);
    }
  });

  test(`${kind}: whatever is not a code is a wrong answer that counts, on every form that takes one (T031)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {}, cyd: {} }),
    });
    const ada = await setUp(door, door.browser());
    const challenge = await stranger(door);
    const recovery = await stranger(door);
    await recovery.follow('Use a recovery code');
    const enrolment = await stranger(door, 'bob');
    await resetByAdmin(door, 'cyd');
    const mailbox = await stranger(door, 'cyd');

    const forms = [
      { browser: challenge, button: 'Verify', right: door.code(0, ada.secret), event: 'factor.failed' },
      { browser: recovery, button: 'Verify', right: ada.codes[0] ?? '', event: 'recovery_code.failed' },
      {
        browser: enrolment,
        button: 'Confirm setup',
        right: door.code(0, enrolment.totpSecret),
        event: 'factor.failed',
      },
      { browser: mailbox, button: 'Verify', right: await mailedCode(door), event: 'mailbox.failed' },
    ];
    const malformed: Record<string, (right: string) => string> = {
      nothing: () => '',
      'no field': (right) => `kode=${right}`,
      'an empty field': () => 'code=',
      'a blank': () => 'code=%20%09',
      '5 digits': () => 'code=12345',
      '7 digits': (right) => `code=${right}1`,
      '60 000 digits': () => `code=${'1'.repeat(60_000)}`,
      'full-width digits': (right) =>
        `code=${encodeURIComponent(right.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit))))}x`,
      'Arabic digits': () => `code=${encodeURIComponent('١٢٣٤٥٦')}`,
      'a list': (right) => `code[]=${right}`,
      'a list with an index': (right) => `code[0]=${right}`,
      'an object': (right) => `code[code]=${right}`,
      'the field twice': (right) => `code=${right}&code=${right}`,
      'the field twice, once as a list': (right) => `code=000000&code[]=${right}`,
      'a prototype': (right) => `__proto__[code]=${right}`,
      'a NUL after it': (right) => `code=${right}%00`,
      'a NUL inside': (right) => `code=${right.slice(0, 3)}%00${right.slice(3)}`,
      'bytes that are no text': () => 'code=%ff%fe%c3%28',
      'half an escape': (right) => `code=${right}%`,
      'an unpaired surrogate': (right) => `code=${right}%ed%a0%80`,
      'an emoji': () => `code=${encodeURIComponent('🔑🔑🔑')}`,
      'a number of another kind': () => 'code=1e5',
      null: () => 'code=null',
      true: () => 'code=true',
      'SQL of a kind': () => `code=${encodeURIComponent("' OR 1=1 -- ")}`,
      'a wildcard': () => 'code=%25%25%25%25%25%25',
    };
    for (const { browser, button, right, event } of forms) {
      for (const [name, body] of Object.entries(malformed)) {
        const label = `${name} at ${new URL(browser.url).pathname} (${event})`;
        const before = await events(door, event);
        const { status, text } = await send(browser, button, body(right));
        t.is(status, 422, label);
        t.is(await events(door, event), before + 1, `counted: ${label}`);
        t.notRegex(text, /at \S+ \(|node_modules|\.ts:\d/, `no stack: ${label}`);
        await waited(door);
        await door.db.change('UPDATE limits SET failures = 0');
      }
      const failures = await count(door, 'factors', 'failures >= 100 OR disabled_at IS NOT NULL');
      t.is(failures, 0);

      for (const [name, body, headers] of [
        ['a million digits', `code=${'1'.repeat(1_000_000)}`, {}],
        [
          'JSON',
          (csrf: string) => JSON.stringify({ _csrf: csrf, code: right }),
          { 'Content-Type': 'application/json' },
        ],
        [
          'JSON with a number',
          (csrf: string) => JSON.stringify({ _csrf: csrf, code: Number(right) }),
          { 'Content-Type': 'application/json' },
        ],
        ['plain text', `code=${right}`, { 'Content-Type': 'text/plain' }],
      ] as const) {
        const { status } = await send(browser, button, body, headers);
        t.true(status >= 400 && status < 500, `${name}: ${status}`);
      }
    }
    // None of it has let anybody in, and what is right still is.
    for (const { browser, button, right, event } of forms) {
      await browser.press(button, { code: right });
      t.true(isIn(browser) || !/^(Two-factor authentication|Check your mail)$/.test(browser.heading), event);
    }
    t.is(door.log.filter((line) => line.includes('errorId')).length, 0);
  });

  test(`${kind}: malformed e-mail addresses and passwords are wrong ones (T031)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional) });
    const browser = door.browser();
    await browser.authorize();
    const right = `email=ada%40acme.test&password=${encodeURIComponent(password)}`;
    for (const body of [
      '',
      'email=ada%40acme.test',
      right.replace('password', 'password[]'),
      right.replace('email', 'email[]'),
      `${right}&email=ada%40acme.test`,
      `${right}&password=${encodeURIComponent(password)}`,
      right.replace('ada', 'ada%00'),
      `${right}%00`,
      right.replace('email=ada', `email=${'a'.repeat(50_000)}`),
      right.replace('password=', `password=${'x'.repeat(50_000)}`),
      right.replace('ada', '%ff%fe'),
      right.replace('ada', encodeURIComponent('аda')),
      right.replace('ada', encodeURIComponent('ádá')),
      right.replace('ada%40acme.test', '0'),
      right.replace('ada%40acme.test', '%25'),
      right.replace('ada', "ada'%20OR%20'1'='1"),
    ]) {
      const before = await events(door, 'password.failed');
      const { status } = await send(browser, 'Sign in', body);
      t.is(status, 422, body.slice(0, 200));
      t.is(await events(door, 'password.failed'), before + 1, body.slice(0, 200));
    }
    t.is(await count(door, 'sign_ins'), 0);
  });

  test(`${kind}: a code is taken from the form of its own factor only: not from an address, another person or another page (T011, T031)`, async (t) => {
    const other = 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU';
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret }, eve: { totp: other } }),
    });
    const evesFactor = await door.db.row<{ id: string }>('SELECT id FROM factors WHERE user_id = ?', [
      await userId(door, 'eve'),
    ]);
    const browser = await stranger(door);
    const start = browser.url;
    const { action, fields } = browser.form('Verify');
    const csrf = fields.get('_csrf') ?? '';
    const code = door.code();

    await browser.open(`${action}?code=${code}&_csrf=${csrf}`);
    t.is(browser.status, 404);
    await browser.open(`${action}?code=${code}`, { fields: new URLSearchParams({ _csrf: csrf }) });
    t.is(browser.status, 422);
    for (const path of [
      `challenge/${evesFactor?.id}`,
      'challenge/constructor',
      'challenge/%00',
      'challenge/..%2frecovery',
    ]) {
      await browser.open(`${new URL(start).pathname}/${path}`, {
        fields: new URLSearchParams({ _csrf: csrf, code: door.code(0, other) }),
      });
      t.is(browser.callback, null, path);
      t.true(browser.status < 500, path);
    }
    await browser.open(`${new URL(start).pathname}/recovery`, {
      fields: new URLSearchParams({ _csrf: csrf, code }),
    });
    t.is(browser.callback, null);

    const early = door.browser();
    await early.authorize();
    const { fields: signInFields } = early.form('Sign in');
    for (const path of [
      action.replace(/.*(\/challenge\/.*)/, '$1'),
      '/recovery',
      '/mailbox',
      '/enrol/confirm',
    ]) {
      const before = early.url;
      await early.open(`${new URL(before).pathname.split('/').slice(0, 3).join('/')}${path}`, {
        fields: new URLSearchParams({ _csrf: signInFields.get('_csrf') ?? '', code }),
      });
      t.is(early.callback, null, path);
      t.is(early.heading, 'Sign in', path);
    }
    t.is(await count(door, 'factors', 'user_id = ? AND failures > 0', await userId(door, 'eve')), 0);
    await browser.open(start);
    await browser.press('Verify', { code });
    t.true(isIn(browser));
  });

  test(`${kind}: a recovery code works once, also when twelve browsers try at once; one fewer is left, and the person is told (T027, T028)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...required, recoveryCodes: { replaceUsed: false } }),
      replicas: 2,
    });
    const { codes } = await setUp(door, door.browser());
    const [first = '', second = '', third = ''] = codes;

    const browser = await stranger(door);
    await browser.follow('Use a recovery code');
    await browser.press('Verify', { code: first });
    t.is(browser.heading, 'You used a recovery code');
    t.regex(browser.text, /7 codes left/);
    await browser.press('Continue');
    t.deepEqual((await redeem(door, browser)).claims.amr, ['pwd', 'otp', 'mfa']);
    const told = await mails(door, 'recovery-code-used');
    t.deepEqual(
      told.map(({ to, values }) => [to, values.left]),
      [['ada@acme.test', 7]],
    );

    const again = await stranger(door, 'ada', 1);
    await again.follow('Use a recovery code');
    for (const spelling of [first, first.toUpperCase(), first.replaceAll('-', ' ')]) {
      await again.press('Verify', { code: spelling });
      t.is(again.status, 422, spelling);
    }

    await waited(door);
    await door.db.change('DELETE FROM limits');
    const spellings = [second, second.toUpperCase(), second.replaceAll('-', '')];
    const racers = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const racer = await stranger(door, 'ada', n % 2);
        await racer.follow('Use a recovery code');
        return racer;
      }),
    );
    await Promise.all(racers.map((racer, n) => racer.press('Verify', { code: spellings[n % 3] ?? '' })));
    t.is(racers.filter(({ heading }) => heading === 'You used a recovery code').length, 1);
    t.is(await count(door, 'recovery_codes', 'used_at IS NULL'), 6);
    t.is((await mails(door, 'recovery-code-used')).length, 2);

    await waited(door);
    const last = await stranger(door);
    await last.follow('Use a recovery code');
    await last.press('Verify', { code: third });
    t.regex(last.text, /5 codes left/);
  });

  test(`${kind}: whoever has few recovery codes left is told at an ordinary sign-in, and can have new ones there and then`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...required, rememberDeviceDays: 30, recoveryCodes: { replaceUsed: false } }),
    });
    const old = await setUp(door, door.browser());
    for (const code of old.codes.slice(0, 5)) {
      const lost = await stranger(door);
      await lost.follow('Use a recovery code');
      await lost.press('Verify', { code });
    }
    const signedIn = async (browser = door.browser()) => {
      nextStep(door);
      await passwordStep(browser);
      await browser.press('Verify', { code: door.code(0, old.secret), remember: '1' });
      return browser;
    };
    t.true((await signedIn()).callback?.has('code'), 'with three left nothing is said');
    const last = await stranger(door);
    await last.follow('Use a recovery code');
    await last.press('Verify', { code: old.codes[5] ?? '' });

    const told = await signedIn();
    t.is(told.heading, 'Few recovery codes are left');
    t.regex(told.text, /2 codes left/);
    await told.press('Continue');
    t.true(told.callback?.has('code'));

    const renewed = await signedIn();
    const twice = renewed.copy();
    await renewed.press('Make new codes');
    const codes = renewed.recoveryCodes;
    t.is(codes.length, 8);
    t.false(codes.some((code) => old.codes.includes(code)));
    await twice.press('Make new codes');
    t.deepEqual(twice.recoveryCodes, codes, 'pressed twice makes them once');
    await renewed.press('Continue', { saved: '1' });
    t.is((await redeem(door, renewed)).claims.acr, 'urn:sallyport:acr:2fa');
    t.is(await count(door, 'recovery_codes', 'used_at IS NULL'), 8);
    // The browser that asked to be remembered is; those from before are forgotten, as at every change.
    t.is(await count(door, 'remembered_devices', 'revoked_at IS NULL'), 1);
    t.true((await signedIn()).callback?.has('code'), 'and nothing is said any more');
  });

  test(`${kind}: eight recovery codes at least as strong as 64 bits; where used ones are replaced eight remain, and the used one is dead (T027, T040)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const { codes } = await setUp(door, door.browser());
    t.is(new Set(codes).size, 8);
    for (const code of codes) {
      t.regex(code, /^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$/, '16 letters of 32: 80 bits');
    }
    const browser = await stranger(door);
    await browser.follow('Use a recovery code');
    await browser.press('Verify', { code: codes[3] ?? '' });
    t.is(browser.heading, 'You used a recovery code');
    t.is(await count(door, 'recovery_codes', 'used_at IS NULL'), 8);

    const again = await stranger(door);
    await again.follow('Use a recovery code');
    await again.press('Verify', { code: codes[3] ?? '' });
    t.is(again.status, 422);
    await again.press('Verify', { code: codes[7] ?? '' });
    t.is(again.heading, 'You used a recovery code');
  });

  test(`${kind}: a set-up after an admin's reset kills the old recovery codes and the old secret, also in a tab that waits for one (T030)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const old = await setUp(door, door.browser());
    const tab = await stranger(door);
    await tab.follow('Use a recovery code');
    const codeTab = await stranger(door);

    door.clock.forward(seconds(1));
    await resetByAdmin(door);
    const browser = await stranger(door);
    t.is(browser.heading, 'Check your mail', 'the password alone binds nothing');
    await browser.press('Verify', { code: await mailedCode(door) });
    const fresh = await setUpHere(door, browser);
    t.is((await redeem(door, browser)).claims.acr, 'urn:sallyport:acr:2fa');
    t.is(fresh.codes.length, 8);
    t.deepEqual(
      fresh.codes.filter((code) => old.codes.includes(code)),
      [],
    );

    for (const [waiting, code] of [
      [tab, old.codes[0] ?? ''],
      [codeTab, door.code(0, old.secret)],
    ] as const) {
      await waiting.press('Verify', { code });
      t.is(waiting.callback, null);
      t.not(waiting.status, 200);
    }
    const late = await stranger(door);
    await late.press('Verify', { code: door.code(0, old.secret) });
    t.is(late.status, 422);
    await late.follow('Use a recovery code');
    await late.press('Verify', { code: old.codes[1] ?? '' });
    t.is(late.status, 422);
    await late.press('Verify', { code: fresh.codes[1] ?? '' });
    t.is(late.heading, 'You used a recovery code');
  });

  test(`${kind}: a mailed code lives ten minutes of the server's time, works once and only where it was asked for, and comes back in no answer (T032, T034, T036, T038)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {}, cyd: {}, eve: {} }),
    });
    const sent = async (who: string) => {
      nextStep(door);
      await resetByAdmin(door, who);
      nextStep(door);
      const browser = await stranger(door, who);
      t.is(browser.heading, 'Check your mail');
      const code = await mailedCode(door);
      t.regex(code, /^\d{6}$/);
      return { browser, code };
    };

    const inTime = await sent('ada');
    door.clock.forward(minutes(10) - seconds(1));
    await inTime.browser.press('Verify', { code: inTime.code });
    t.is(inTime.browser.heading, 'Set up two-factor authentication', '9:59');

    const tooLate = await sent('bob');
    door.clock.forward(minutes(10) + seconds(1));
    await tooLate.browser.press('Verify', { code: tooLate.code });
    t.is(tooLate.browser.status, 422, '10:01');
    await tooLate.browser.press('Send a new code');
    const second = await mailedCode(door);
    await tooLate.browser.press('Verify', { code: tooLate.code });
    t.is(tooLate.browser.status, 422, 'the one before is dead');
    await tooLate.browser.press('Verify', { code: second });
    t.is(tooLate.browser.heading, 'Set up two-factor authentication');

    // Only in the interaction that asked, and only to the verified address.
    const { browser, code } = await sent('cyd');
    nextStep(door);
    const elsewhere = await stranger(door, 'cyd');
    await elsewhere.press('Verify', { code });
    t.is(elsewhere.status, 422, 'another interaction of the same person');
    await elsewhere.press('Send a new code', {
      to: 'eve@acme.test',
      email: 'eve@acme.test',
      'to[]': 'eve@acme.test',
    });
    t.deepEqual([...new Set((await mails(door, 'code')).slice(-3).map(({ to }) => to))], ['cyd@acme.test']);

    // Twice at once: one goes on, the other finds it done, and nobody is two steps further.
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => send(browser, 'Verify', `code=${code}`)),
    );
    t.true(answers.some(({ status }) => status === 303));
    t.deepEqual(
      answers.map(({ status }) => status).filter((status) => ![200, 303, 409, 422, 429].includes(status)),
      [],
    );
    await browser.open(browser.url);
    t.is(browser.heading, 'Set up two-factor authentication');
    t.is(await count(door, 'factors'), 0);

    const shown = await sent('eve');
    const uid = new URL(shown.browser.url).pathname;
    const { fields } = shown.browser.form('Verify');
    const answersWithCode: string[] = [];
    for (const [path, method, accept] of [
      [uid, 'GET', 'text/html'],
      [uid, 'GET', 'application/json'],
      [`${uid}/mailbox`, 'POST', 'text/html'],
      [`${uid}/mailbox`, 'POST', 'application/json'],
    ] as const) {
      const response = await fetch(`${door.issuer}${path}`, {
        method,
        redirect: 'manual',
        headers: {
          Accept: accept,
          Origin: door.issuer,
          Cookie: [...shown.browser.cookies.values()].map(({ value }) => value).join('; '),
        },
        ...(method === 'POST'
          ? { body: new URLSearchParams({ _csrf: fields.get('_csrf') ?? '', code: 'x' }) }
          : {}),
      });
      answersWithCode.push(JSON.stringify([...response.headers]), await response.text());
    }
    await shown.browser.press('Send a new code');
    const codes = [shown.code, await mailedCode(door)];
    answersWithCode.push(shown.browser.text, JSON.stringify([...shown.browser.headers]));
    answersWithCode.push(...shown.browser.visited, ...shown.browser.setCookies);
    for (const answer of answersWithCode) {
      t.false(codes.some((secretCode) => answer.includes(secretCode)));
    }
  });

  test(`${kind}: a code by e-mail as the second step lives ten minutes, works once, where it was asked for, and is two steps, not two factors (T032, T034, T038, T039, T065)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...required, methods: ['email'] }, { ada: {}, eve: {} }),
      replicas: 2,
    });
    const first = door.browser();
    await passwordStep(first);
    const enrolling = await mailedCode(door);
    await first.press('Confirm setup', { code: enrolling });
    await first.press('Continue', { saved: '1' });
    t.deepEqual((await redeem(door, first)).claims.amr, ['pwd', 'otp']);

    const asked = async () => {
      door.clock.forward(minutes(20));
      const browser = await stranger(door);
      return { browser, code: await mailedCode(door) };
    };
    const { browser, code } = await asked();
    t.not(code, enrolling);
    await browser.press('Verify', { code: enrolling });
    t.is(browser.status, 422, 'the code of the set-up');
    const elsewhere = await stranger(door, 'ada', 1);
    await elsewhere.press('Verify', { code });
    t.is(elsewhere.status, 422, 'the code of another sign-in');
    door.clock.forward(minutes(10) - seconds(1));
    const answers = await Promise.all([
      browser.press('Verify', { code }),
      send(browser, 'Verify', `code=${code}`),
    ]);
    t.true(isIn(browser) || answers[1].status === 303, '9:59');
    t.is(await events(door, 'sign_in.succeeded'), 2, 'both at once are one sign-in');
    const again = await asked();
    await again.browser.press('Verify', { code: again.code });
    const { claims } = await redeem(door, again.browser);
    t.deepEqual([claims.acr, claims.amr], ['urn:sallyport:acr:2sv', ['pwd', 'otp']]);

    const late = await asked();
    door.clock.forward(minutes(10) + seconds(1));
    await late.browser.press('Verify', { code: late.code });
    t.is(late.browser.status, 422, '10:01');
    await waited(door);
    await late.browser.press('Send a new code', { to: 'eve@acme.test', email: 'eve@acme.test' });
    const fresh = await mailedCode(door);
    await late.browser.press('Verify', { code: late.code });
    t.is(late.browser.status, 422, 'the one before is dead');
    t.deepEqual([...new Set((await mails(door, 'code')).map(({ to }) => to))], ['ada@acme.test']);

    // New codes and new sign-ins do not begin the count anew.
    await waited(door);
    await late.browser.press('Verify', { code: fresh });
    t.true(isIn(late.browser));
    const guessing = await asked();
    for (let n = 0; n < 5; n += 1) {
      await guessing.browser.press('Verify', { code: guessing.code === '111111' ? '222222' : '111111' });
      t.is(guessing.browser.status, 422);
    }
    const next = await stranger(door);
    await next.press('Verify', { code: await mailedCode(door) });
    t.is(next.status, 429);

    // An address that is not verified any more answers for nobody.
    const unverified = await asked();
    await waited(door);
    await door.apply({ users: [{ email: 'ada@acme.test', emailVerified: false }] });
    const { status } = await send(unverified.browser, 'Verify', `code=${unverified.code}`);
    await unverified.browser.open(unverified.browser.url);
    t.is(unverified.browser.callback, null, `${status}`);
  });

  test(`${kind}: the page says that a code was sent only where one was sent (T036, T037)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await resetByAdmin(door);
    const mailed = () => mails(door, 'code').then((all) => all.length);
    for (let n = 1; n <= 3; n += 1) {
      t.regex((await stranger(door)).text, /We sent a 6-digit code/);
      t.is(await mailed(), n);
    }
    const browser = await stranger(door);
    t.is(await mailed(), 3, 'the fourth at once is one too many');
    t.notRegex(browser.text, /We sent a 6-digit code/);
    t.regex(browser.alert, /Try again in|wait/i);
    door.clock.forward(minutes(1));
    await browser.press('Send a new code');
    t.is(await mailed(), 4);
    await browser.press('Verify', { code: await mailedCode(door) });
    t.is(browser.heading, 'Set up two-factor authentication');
  });

  test(`${kind}: a set-up that was never confirmed is no factor, is not asked for, counts for nobody, and starts afresh (T041)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ requirement: 'recommended' }, { ada: {} }),
    });
    const left = door.browser();
    await passwordStep(left);
    const abandoned = left.totpSecret;
    t.regex(abandoned, /^[A-Z2-7]{32}$/);

    nextStep(door);
    const browser = await stranger(door);
    t.is(browser.heading, 'Set up two-factor authentication', 'not a challenge');
    t.not(browser.totpSecret, abandoned);
    await browser.press('Confirm setup', { code: door.code(0, abandoned) });
    t.is(browser.status, 422, 'the secret of another interaction confirms nothing');
    await browser.press('Not now');
    t.is((await redeem(door, browser)).claims.acr, 'urn:sallyport:acr:1fa');
    t.is(await count(door, 'factors'), 0);
    t.is(await count(door, 'recovery_codes'), 0);

    await door.apply({ organizations: [{ slug: 'acme', policy: required }] });
    const must = await stranger(door);
    t.is(must.heading, 'Set up two-factor authentication');
    t.false(must.buttons.includes('Not now'));
    t.is(await count(door, 'users', 'had_factor_at IS NOT NULL'), 0);
  });

  test(`${kind}: waits grow from thirty seconds to an hour, a right code within one is not even looked at, and a new sign-in does not end it (T140)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional, { ada: { totp: secret } }) });
    const guess = async (code: string) => {
      const browser = await stranger(door);
      await browser.press('Verify', { code });
      return browser;
    };
    for (let n = 1; n <= 5; n += 1) {
      t.is((await guess(wrongCode(door))).status, 422, `guess ${n}`);
    }
    for (const wait of [30, 60, 120, 300, 600, 1800, 3600, 3600]) {
      const blocked = await guess(door.code());
      t.is(blocked.status, 429, `a right code in a wait of ${wait} s`);
      t.is(blocked.headers.get('Retry-After'), String(wait));
      t.regex(blocked.alert, /Try again in/);
      door.clock.forward(seconds(wait - 1));
      t.is((await guess(door.code())).status, 429, `one second before the end of ${wait} s`);
      door.clock.forward(seconds(1));
      t.is((await guess(wrongCode(door))).status, 422, `after ${wait} s`);
    }
    door.clock.forward(hours(1));
    t.true(isIn(await guess(door.code())));
    t.is((await guess(wrongCode(door))).status, 422, 'after a success the count begins anew');
    t.is(await events(door, 'factor.failed'), 5 + 8 + 1);
    t.is(await events(door, 'factor.blocked'), 2 * 8);
  });

  test(`${kind}: guesses are counted before they are checked, whichever server, interaction, client, address or spelling they come by (T140, T142)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret } }),
      replicas: 2,
    });
    const browsers = await Promise.all(
      ['ada@acme.test', 'ADA@acme.test', ' Ada@Acme.Test ', 'aDa@acme.test'].map(async (email, n) => {
        const browser = door.browser(n % 2);
        await browser.authorize({ client_id: n > 1 ? 'other' : 'app' });
        await browser.press('Sign in', { email, password }, { 'X-Forwarded-For': `198.51.100.${n}` });
        t.is(browser.heading, 'Two-factor authentication', email);
        return browser;
      }),
    );
    const code = wrongCode(door);
    const statuses = await Promise.all(
      Array.from({ length: 32 }, async (_, n) => {
        const { status } = await send(browsers[n % 4] as Browser, 'Verify', `code=${code}`, {
          'X-Forwarded-For': `203.0.113.${n}, 2001:db8:${n}::1`,
          Forwarded: `for=203.0.113.${n}`,
          'X-Real-IP': `203.0.113.${n}`,
          'CF-Connecting-IP': `203.0.113.${n}`,
          'User-Agent': `guesser ${n}`,
        });
        return status;
      }),
    );
    t.is(statuses.filter((status) => status === 422).length, 5);
    t.deepEqual(
      statuses.filter((status) => status !== 422),
      Array<number>(27).fill(429),
    );
    t.is(await events(door, 'factor.failed'), 5);
    for (const browser of browsers) {
      t.is((await send(browser, 'Verify', `code=${door.code()}`)).status, 429);
    }
    t.is(await count(door, 'audit_events', "ip LIKE '203.%' OR ip LIKE '2001:%'"), 0);
  });

  test(`${kind}: guesses spread over fresh sign-ins, IPv6 addresses and methods have one count for each thing that is guessed (T140, T142)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required), settings: { trustProxy: 1 } });
    const { secret: own } = await setUp(door, door.browser());
    const audited = async (types: string) =>
      Number(
        (await door.db.row<{ n: number }>(`SELECT COUNT(*) AS n FROM audit_events WHERE type IN (${types})`))
          ?.n,
      );
    const looked: Record<string, number> = { app: 0, recovery: 0 };
    for (let n = 0; n < 16; n += 1) {
      const browser = door.browser();
      // Half of them hop within one /64, half from subscriber to subscriber.
      const from = { 'X-Forwarded-For': n % 2 === 0 ? `2001:db8:1:2::${n}` : `2001:db8:${n}::1` };
      await browser.authorize({ client_id: n % 3 === 0 ? 'other' : 'app' });
      await browser.press('Sign in', { email: 'ada@acme.test', password }, from);
      t.is(browser.heading, 'Two-factor authentication');
      const isApp = n % 2 === 0;
      if (!isApp) await browser.follow('Use a recovery code');
      const code = isApp ? wrongCode(door, own) : 'aaaa-bbbb-cccc-dddd';
      await browser.press('Verify', { code }, from);
      if (browser.status === 422)
        looked[isApp ? 'app' : 'recovery'] = (looked[isApp ? 'app' : 'recovery'] ?? 0) + 1;
      else t.is(browser.status, 429);
    }
    t.deepEqual(looked, { app: 5, recovery: 5 });
    t.is(await audited("'factor.failed', 'recovery_code.failed'"), 10);
    const last = door.browser();
    await passwordStep(last);
    await last.press('Verify', { code: door.code(0, own) }, { 'X-Forwarded-For': '2001:db8:ffff::1' });
    t.is(last.status, 429, 'not even a right one is looked at now');
  });

  test(`${kind}: whoever has signed in from a browser before is not locked out of it by a stranger, and a right answer resets its own count only (T140, T143)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: { totp: secret } }),
      replicas: 2,
    });
    const known = door.browser();
    const { secret: hers, codes } = await setUp(door, known);
    const thief = await stranger(door);
    for (let n = 0; n < 5; n += 1) {
      await thief.press('Verify', { code: wrongCode(door, hers) });
      t.is(thief.status, 422);
    }
    await thief.press('Verify', { code: door.code(0, hers) });
    t.is(thief.status, 429);
    await thief.follow('Use a recovery code');
    for (let n = 0; n < 5; n += 1) {
      await thief.press('Verify', { code: 'aaaa-bbbb-cccc-dddd' });
      t.is(thief.status, 422);
    }
    await thief.press('Verify', { code: codes[0] ?? '' });
    t.is(thief.status, 429, 'recovery codes are counted by themselves, and blocked by themselves');

    // She signs in as ever, on either server, by either way.
    known.replica = 1;
    await known.authorize({ prompt: 'login' });
    await known.press('Sign in', { email: 'ada@acme.test', password });
    await known.press('Verify', { code: door.code(0, hers) });
    t.true(isIn(known));
    await known.authorize({ prompt: 'login' });
    await known.press('Sign in', { email: 'ada@acme.test', password });
    await known.follow('Use a recovery code');
    await known.press('Verify', { code: codes[1] ?? '' });
    t.is(known.heading, 'You used a recovery code');

    nextStep(door);
    door.clock.forward(-seconds(30));
    const other = await stranger(door, 'ada', 1);
    await other.press('Verify', { code: door.code(1, hers) });
    t.is(other.status, 429, 'her success did not give the stranger new tries');
    await other.follow('Use a recovery code');
    await other.press('Verify', { code: codes[2] ?? '' });
    t.is(other.status, 429, 'nor with recovery codes');

    // A browser that is known for somebody else, or whose cookie was made up, is an unknown one.
    const bobs = door.browser();
    await signIn(door, bobs, { who: 'bob' });
    await bobs.authorize({ prompt: 'login' });
    await bobs.press('Sign in', { email: 'ada@acme.test', password });
    await bobs.press('Verify', { code: door.code(1, hers) });
    t.is(bobs.status, 429);

    const mail = await mails(door, 'sign-in-stopped');
    t.deepEqual(
      mail.map(({ to }) => to),
      ['ada@acme.test'],
      'she is told, once',
    );
  });

  test(`${kind}: somebody who guesses in parallel is told of like one who guesses one by one (T143, T146)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional, { ada: { totp: secret } }) });
    const thief = await stranger(door);
    const guesses = Array.from({ length: 12 }, () => send(thief, 'Verify', `code=${wrongCode(door)}`));
    await Promise.all(guesses);
    for (let n = 0; n < 3; n += 1) {
      await waited(door);
      await thief.press('Verify', { code: wrongCode(door) });
      t.is(thief.status, 422);
    }
    t.true((await events(door, 'factor.failed')) >= 8);
    t.is((await mails(door, 'sign-in-stopped')).length, 1);
  });

  test(`${kind}: after a hundred wrong answers in a row, over all browsers, a factor is closed for good; another way in sets it up anew (T140)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: {}, bob: { totp: secret } }),
    });
    await door.apply({ organizations: [{ slug: 'acme', policy: { requirement: 'recommended' } }] });
    const known = door.browser();
    const { secret: hers, codes } = await setUp(door, known);
    const fail = async (browser: Browser, times: number, code = wrongCode(door, hers)) => {
      for (let n = 0; n < times; n += 1) {
        await waited(door);
        await browser.press('Verify', { code });
        t.is(browser.status, 422, `${n}`);
      }
    };
    const thief = await stranger(door);
    await fail(thief, 59);
    await known.authorize({ prompt: 'login' });
    await known.press('Sign in', { email: 'ada@acme.test', password });
    await fail(known, 40);
    await waited(door);
    await known.press('Verify', { code: door.code(0, hers) });
    t.true(isIn(known), 'the hundredth was right');

    nextStep(door);
    await known.authorize({ prompt: 'login' });
    await known.press('Sign in', { email: 'ada@acme.test', password });
    await fail(known, 1);
    await door.db.change('UPDATE factors SET failures = 99 WHERE failures = 1');
    await fail(thief, 1);
    await waited(door);
    for (const browser of [known, thief, await stranger(door)]) {
      const page = browser.copy();
      await page.open(browser.url);
      if (page.heading === 'Two-factor authentication' && page.text.includes('one-time-code')) {
        await page.press('Verify', { code: door.code(0, hers) });
      }
      t.is(page.callback, null, 'the hundred-and-first');
    }
    t.is(await count(door, 'factors', 'disabled_at IS NOT NULL'), 1);
    const back = await stranger(door);
    t.true(back.text.includes('Recovery code'), 'only a recovery code is left');
    await back.press('Verify', { code: codes[0] ?? '' });
    await back.press('Set up again');
    const fresh = back.totpSecret;
    t.not(fresh, hers);
    await back.press('Confirm setup', { code: door.code(0, fresh) });
    t.true(isIn(back));
    nextStep(door);
    const after = await stranger(door);
    await after.press('Verify', { code: door.code(0, hers) });
    t.is(after.status, 422, 'the closed factor stays closed');
    await after.press('Verify', { code: door.code(0, fresh) });
    t.true(isIn(after));
  });

  test(`${kind}: a hundred wrong recovery codes close that set, not every later one (T140, T143)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const { codes } = await setUp(door, door.browser());
    const thief = await stranger(door);
    await thief.follow('Use a recovery code');
    await manyWrong(t, door, thief, 'wrong');
    await thief.press('Verify', { code: codes[0] ?? '' });
    t.is(thief.status, 429, 'the hundred-and-first is not looked at');

    door.clock.forward(days(2));
    await resetByAdmin(door);
    const ada = await stranger(door);
    await ada.press('Verify', { code: await mailedCode(door) });
    const fresh = await setUpHere(door, ada);
    const lost = await stranger(door);
    await lost.follow('Use a recovery code');
    await lost.press('Verify', { code: fresh.codes[0] ?? '' });
    t.is(lost.heading, 'You used a recovery code', lost.alert);
  });

  test(`${kind}: a hundred wrong mailed codes end with the admin's next reset (T140, T143)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await resetByAdmin(door);
    const thief = await stranger(door);
    await manyWrong(t, door, thief, 'wrong');
    await thief.press('Send a new code');
    await thief.press('Verify', { code: await mailedCode(door) });
    t.is(thief.status, 429, 'a new code does not begin the count anew');

    door.clock.forward(days(2));
    await resetByAdmin(door);
    const ada = await stranger(door);
    await ada.press('Verify', { code: await mailedCode(door) });
    t.is(ada.heading, 'Set up two-factor authentication', ada.alert);
  });

  test(`${kind}: an authenticator app that was imported again has a count of its own (T140)`, async (t) => {
    const other = 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU';
    const door = await frontDoor(t, kind, { configuration: acme(optional, { bob: { totp: secret } }) });
    const his = await stranger(door, 'bob');
    await manyWrong(t, door, his, wrongCode(door));
    await his.press('Verify', { code: door.code() });
    t.is(his.callback, null);
    // He has nothing else: that his factor is closed does not make him somebody without one.
    const refused = await stranger(door, 'bob');
    t.is(refused.callback, null);
    t.is(refused.status, 403);
    const silent = door.browser();
    await silent.authorize({ prompt: 'none' });
    t.is(silent.callback?.get('error'), 'login_required');

    door.clock.forward(minutes(1));
    await door.apply({ users: [{ email: 'bob@acme.test', factors: { totp: other } }] });
    const helped = await stranger(door, 'bob');
    await helped.press('Verify', { code: door.code(0, other) });
    t.true(isIn(helped), helped.alert);
  });

  test(`${kind}: a stranger's wrong passwords close the door to unknown browsers for a while, not to the person's own (T142, T143)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret } }, { applications: [application('third')] }),
      replicas: 2,
    });
    const known = door.browser();
    await signIn(door, known);
    nextStep(door);

    const clients = ['app', 'other', 'third'];
    const pages = await Promise.all(
      clients.map(async (client_id, n) => {
        const browser = door.browser(n % 2);
        await browser.authorize({ client_id });
        return browser;
      }),
    );
    const spell = ['ada@acme.test', 'ADA@ACME.TEST', '%20ada%40acme.test%09', 'Ada@acme.Test'];
    const guess = (n: number, email: string, typed: string) =>
      send(pages[n % 3] as Browser, 'Sign in', `email=${email}&password=${typed}`, {
        'X-Forwarded-For': `198.51.100.${n}`,
      });
    for (let n = 0; n < 50; n += 10) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, m) => guess(n + m, spell[m % 4] ?? '', `wrong${n}`)),
      );
      t.deepEqual([...new Set(answers.map(({ status }) => status))], [422], `${n}`);
    }
    for (const [n, email] of spell.entries()) {
      const { status } = await guess(n, email, encodeURIComponent(password));
      t.is(status, 429, email);
    }

    await known.authorize({ prompt: 'login' });
    await known.press('Sign in', { email: 'ada@acme.test', password });
    await known.press('Verify', { code: door.code() });
    t.true(isIn(known));
    t.is(
      (await guess(0, 'ada@acme.test', encodeURIComponent(password))).status,
      429,
      'hers is another count',
    );

    door.clock.forward(seconds(30));
    t.is((await guess(0, 'ada@acme.test', encodeURIComponent(password))).status, 303, 'it ends by itself');
  });

  test(`${kind}: known, unknown, disabled, locked, with and without a factor: before the password is right, all get the same answer (T144)`, async (t) => {
    const people = { ada: {}, bob: { totp: secret }, cyd: { extra: { disabled: true } }, dan: {} };
    const door = await frontDoor(t, kind, {
      configuration: acme(required, people, {
        users: [{ email: 'fay@acme.test', name: 'fay', emailVerified: true, memberships: [] }],
        organizations: [],
      }),
    });
    await resetByAdmin(door, 'dan');
    const answerTo = async (who: string, typed: string, before?: (browser: Browser) => Promise<void>) => {
      const browser = door.browser();
      await browser.authorize();
      await before?.(browser);
      const cookies = browser.setCookies.length;
      const { uid, csrf } = {
        uid: new URL(browser.url).pathname.split('/')[2] ?? '',
        csrf: browser.form('Sign in').fields.get('_csrf') ?? '',
      };
      await browser.press('Sign in', { email: `${who}@acme.test`, password: typed });
      const headers = [...browser.headers].filter(
        ([name]) => !['date', 'set-cookie', 'x-request-id'].includes(name),
      );
      const plain = (text: string) =>
        text.replaceAll(uid, 'UID').replaceAll(csrf, 'CSRF').replaceAll(`${who}@`, 'WHO@');
      return {
        status: browser.status,
        headers: plain(JSON.stringify(headers)),
        text: plain(browser.text),
        cookies: browser.setCookies.slice(cookies).map((cookie) => cookie.split('=')[0]),
      };
    };
    const wrong = await answerTo('ada', 'wrong');
    t.is(wrong.status, 422);
    for (const [who, typed] of [
      ['bob', 'wrong'],
      ['cyd', 'wrong'],
      ['cyd', password],
      ['dan', 'wrong'],
      ['eve', 'wrong'],
      ['eve', password],
      ['fay', 'wrong'],
      ['fay', password],
      ['eve', ''],
      ['ada', ''],
      ['ada', 'x'.repeat(5000)],
      ['eve', 'x'.repeat(5000)],
    ] as const) {
      t.deepEqual(await answerTo(who, typed), wrong, `${who} with ${typed.slice(0, 30)}`);
    }
    const [bobs, daves] = await Promise.all([
      door.db.row('SELECT 1 FROM users WHERE email = ?', ['bob@acme.test']),
      door.db.row('SELECT 1 FROM users WHERE email = ?', ['eve@acme.test']),
    ]);
    t.truthy(bobs);
    t.is(daves, null);

    // As many tries as it takes: the wait comes to everybody at the same try, and says the same.
    const tries = async (who: string) => {
      const browser = door.browser();
      await browser.authorize();
      const statuses: number[] = [];
      for (let n = 0; n < 60; n += 10) {
        const answers = await Promise.all(
          Array.from({ length: 10 }, () =>
            send(browser, 'Sign in', `email=${who}%40acme.test&password=wrong`),
          ),
        );
        statuses.push(...answers.map(({ status }) => status));
      }
      return statuses.filter((status) => status === 422).length;
    };
    await door.db.change('DELETE FROM limits');
    const tried = { bob: await tries('bob'), cyd: await tries('cyd'), eve: await tries('eve') };
    t.deepEqual(tried, { bob: 50, cyd: 50, eve: 50 });
    const stopped = await answerTo('bob', 'wrong');
    t.is(stopped.status, 429);
    t.deepEqual(await answerTo('eve', 'wrong'), stopped);
    t.deepEqual(await answerTo('cyd', password), stopped);
    t.deepEqual(await answerTo('bob', password), stopped, 'a right password does not show while it waits');
    t.is((await mails(door)).length, 0);
  });
}
