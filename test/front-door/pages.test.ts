import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { createRouteList } from '../../http/route-list.ts';
import { interactionRoutes } from '../../interactions/routes.ts';
import { hours, minutes } from '../../lib/clock.ts';
import { Browser } from './browser.ts';
import {
  acme,
  application,
  atMost,
  type FrontDoor,
  frontDoor,
  kinds,
  password,
  passwordHash,
  passwordStep,
  redirectUri,
  secret,
} from './rig.ts';

const seat = atMost(4);
const open = async (...[t, kind, options]: Parameters<typeof frontDoor>): Promise<FrontDoor> => {
  await seat(t);
  return frontDoor(t, kind, options);
};

const requiredNow = { requirement: 'required_for_all', graceDays: 0 };
const third = application('third', { firstParty: false });

/** A request exactly as it is written here; what a browser would never send. */
function raw(door: FrontDoor, lines: readonly string[], body = ''): Promise<RawAnswer> {
  const { port } = new URL(door.apps[0] ? addressOf(door) : '');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', (error) => (text === '' ? reject(error) : resolve(parsed(text))));
    socket.on('close', () => resolve(parsed(text)));
    socket.write(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`);
  });
}

interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly text: string;
}

function parsed(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0),
    head: text.slice(0, end),
    text: text.slice(end + 4),
  };
}

const addressOf = (door: FrontDoor): string => door.browser().addresses[0] ?? '';

const cookiesOf = (browser: Browser): string =>
  [...browser.cookies.values()].map(({ value }) => value).join('; ');

const interactionPath = (browser: Browser): string =>
  /\/interaction\/[^/?]+/.exec(new URL(browser.url).pathname)?.[0] ?? '';

const csrfOf = (browser: Browser): string => /name="_csrf" value="([^"]*)"/.exec(browser.text)?.[1] ?? '';

const attribute = (tag: string, name: string): string | null =>
  new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? null;

const textOf = (html: string): string =>
  html
    .replace(/<[^>]*>/g, '')
    .replace(/\s+/g, ' ')
    .trim();

/** The control that a screen reader calls so. */
function field(browser: Browser, name: string): string {
  for (const [, id = '', label = ''] of browser.text.matchAll(/<label for="([^"]*)"[^>]*>(.*?)<\/label>/gs)) {
    if (textOf(label) === name) {
      return new RegExp(`<input[^>]*\\sid="${id}"[^>]*>`).exec(browser.text)?.[0] ?? '';
    }
  }
  return '';
}

const attributesOf = (tag: string, ...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, attribute(tag, name)]));

/** What holds for every page of ours. */
function checkPage(t: ExecutionContext, browser: Browser, what: string): void {
  const { text } = browser;
  t.is((text.match(/<h1[\s>]/g) ?? []).length, 1, `${what}: one h1`);
  t.not(browser.heading, '', `${what}: it says something`);
  t.regex(text, /<html lang="(?:en|de)">/, what);
  t.regex(text, /<title>[^<]+<\/title>/, what);
  t.regex(text, /<meta name="viewport"/, what);
  t.notRegex(text, /\son[a-z]+\s*=/i, `${what}: no handlers`);
  t.notRegex(text, /\sstyle\s*=/i, `${what}: no styles that the policy would refuse`);
  t.notRegex(text, /undefined|\[object |NaN/, `${what}: nothing that was forgotten`);
  checkScripts(t, browser, what);
  const ids = [...text.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
  t.deepEqual(ids, [...new Set(ids)], `${what}: ids are unique`);
  for (const [, list = ''] of text.matchAll(/\saria-(?:describedby|labelledby)="([^"]*)"/g)) {
    for (const id of list.split(' ')) t.true(ids.includes(id), `${what}: ${id} is there`);
  }
  for (const [input] of text.matchAll(/<input[^>]*>/g)) {
    if (attribute(input, 'type') === 'hidden') continue;
    const id = attribute(input, 'id');
    const named =
      (id !== null && text.includes(`<label for="${id}"`)) || attribute(input, 'aria-labelledby') !== null;
    t.true(named, `${what}: ${input} has a name`);
  }
  for (const [, attributes = ''] of text.matchAll(/<img([^>]*)>/g)) t.regex(attributes, /\salt="/, what);
  for (const [form, attributes = ''] of text.matchAll(/<form([^>]*)>.*?<\/form>/gs)) {
    t.regex(attributes, /method="post"/, `${what}: works without scripts`);
    const action = attribute(attributes, 'action') ?? '';
    t.true(
      /^\/[^/]/.test(action) || action.startsWith(`${browser.issuer}/`),
      `${what}: works without scripts`,
    );
    // "Not you?" stands above, and its form below, so that the first form is the one that goes on.
    const elsewhere = /<form id="([^"]+)"/.exec(form)?.[1];
    const buttons = elsewhere ? (new RegExp(`<button[^>]*form="${elsewhere}"`).exec(text)?.[0] ?? '') : form;
    t.regex(buttons, /<button[^>]*type="submit"/, `${what}: works without scripts`);
    t.regex(form, /name="(?:_csrf|xsrf)" value="[^"]{20,}"/, what);
  }
}

/** Each page of the sign-in, one after the other; what is done on the way belongs to no test. */
async function everyPage(
  door: FrontDoor,
  visit: (name: string, browser: Browser) => void | Promise<void>,
  prepare: (browser: Browser) => Promise<void> = async () => {},
): Promise<void> {
  const browser = door.browser();
  await prepare(browser);
  const forms = (n: number) => [...browser.text.matchAll(/<form[^>]*action="([^"]*)"/g)][n]?.[1] ?? '';
  const send = (path: string, fields: Record<string, string> = {}) =>
    browser.open(path, { fields: new URLSearchParams({ _csrf: csrfOf(browser), ...fields }) });
  const login = async (who: string, params: Record<string, string> = {}) => {
    for (const key of [...browser.cookies.keys()])
      if (key.startsWith('sallyport-session')) browser.cookies.delete(key);
    await browser.authorize(params);
    await send(forms(0), { email: `${who}@acme.test`, password });
  };
  await browser.authorize({ login_hint: 'ada@acme.test' });
  await visit('sign-in', browser);
  await send(forms(0), { email: 'ada@acme.test', password: 'no' });
  await visit('sign-in, wrong', browser);
  await login('ada');
  await visit('challenge', browser);
  await send(forms(0), { code: '12' });
  await visit('challenge, wrong', browser);
  await browser.open(`${interactionPath(browser)}/ways`);
  await visit('ways', browser);
  await login('new');
  await visit('set up', browser);
  await send(forms(0), { code: '12' });
  await visit('set up, wrong', browser);
  await send(`${interactionPath(browser)}/skip`);
  await visit('set up, chosen by method', browser);
  await browser.open(interactionPath(browser));
  await send(forms(0), { code: door.code(0, browser.totpSecret) });
  await visit('recovery codes', browser);
  const [code = ''] = browser.recoveryCodes;
  await send(`${interactionPath(browser)}/codes`);
  await visit('recovery codes, not saved', browser);
  await login('new');
  await browser.open(`${interactionPath(browser)}/recovery`);
  await visit('recovery code', browser);
  await send(forms(0), { code: 'nothing' });
  await visit('recovery code, wrong', browser);
  await send(forms(0), { code });
  await visit('recovery code used', browser);
  await login('reset');
  await visit('mailbox', browser);
  await send(forms(0), { code: '1' });
  await visit('mailbox, wrong', browser);
  await login('lost');
  await visit('refused', browser);
  await login('free', { client_id: 'third' });
  await visit('consent', browser);
  await browser.open('/interaction/nothing');
  await visit('ended', browser);
  await browser.open('/nothing');
  await visit('not found', browser);
  await browser.open('/auth?client_id=nobody');
  await visit('unknown application', browser);
  await browser.open('/auth?client_id=app&response_type=code&redirect_uri=https%3A%2F%2Fevil.test');
  await visit('unknown address', browser);
  await browser.open('/device');
  await visit('device', browser);
  await login('ada');
  await send(forms(0), { code: door.code() });
  await browser.open('/session/end');
  await visit('sign out', browser);
  await browser.open('/');
  await visit('home', browser);
  await browser.open('/dev/inbox');
  await visit('inbox', browser);
  await browser.open(/href="(\/dev\/inbox\/[^"/]+)"/.exec(browser.text)?.[1] ?? '/none');
  await visit('message', browser);
}

const noOrganization = (name: string, more: object = {}) => ({
  email: `${name}@acme.test`,
  name,
  passwordHash,
  emailVerified: true,
  memberships: [],
  ...more,
});

async function houseOfPages(
  t: ExecutionContext,
  kind: (typeof kinds)[number],
  settings = {},
): Promise<FrontDoor> {
  const door = await open(t, kind, {
    configuration: acme(
      requiredNow,
      { ada: { totp: secret }, new: {}, reset: {}, lost: { extra: { emailVerified: false } } },
      { applications: [third], users: [noOrganization('free')] },
    ),
    settings,
  });
  await door.db.change("UPDATE users SET reset_at = ? WHERE email IN ('reset@acme.test', 'lost@acme.test')", [
    door.clock.now().getTime(),
  ]);
  return door;
}

const evil = 'evil.test';

for (const kind of kinds) {
  test(`${kind}: every page has one h1, named controls, plain forms, and no script or style of its own`, async (t) => {
    const door = await houseOfPages(t, kind);
    const seen = new Map<string, number>();
    await everyPage(door, (name, browser) => {
      seen.set(name, browser.status);
      checkPage(t, browser, name);
      t.is(browser.headers.get('Content-Type'), 'text/html; charset=utf-8', name);
      if (name.endsWith(', wrong') || name.endsWith('not saved')) {
        t.is(browser.status, 422, name);
        t.not(browser.alert, '', `${name}: announced`);
        t.regex(browser.text, /aria-invalid="true"/, name);
        t.regex(browser.text, /<title>Error: /, name);
      }
    });
    t.deepEqual(Object.fromEntries([...seen].filter(([name]) => !/wrong|not saved/.test(name))), {
      'sign-in': 200,
      challenge: 200,
      ways: 200,
      'set up': 200,
      'set up, chosen by method': 422,
      'recovery codes': 200,
      'recovery code': 200,
      'recovery code used': 200,
      mailbox: 200,
      refused: 403,
      consent: 200,
      ended: 400,
      'not found': 404,
      'unknown application': 400,
      'unknown address': 400,
      device: 200,
      'sign out': 200,
      home: 200,
      inbox: 200,
      message: 200,
    });
  });

  test(`${kind}: controls have the names and tokens that password managers and people know`, async (t) => {
    const door = await houseOfPages(t, kind);
    const browser = door.browser();
    await browser.authorize({ login_hint: 'ada@acme.test' });
    t.deepEqual(attributesOf(field(browser, 'Email'), 'name', 'type', 'autocomplete', 'value'), {
      name: 'email',
      type: 'email',
      autocomplete: 'username webauthn',
      value: 'ada@acme.test',
    });
    t.deepEqual(attributesOf(field(browser, 'Password'), 'name', 'type', 'autocomplete', 'value'), {
      name: 'password',
      type: 'password',
      autocomplete: 'current-password',
      value: '',
    });
    t.true(browser.buttons.includes('Sign in'));
    await browser.press('Sign in', { email: 'ada@acme.test', password: 'wrong' });
    t.is(attribute(field(browser, 'Email'), 'value'), 'ada@acme.test', 'what was typed is kept');
    t.is(attribute(field(browser, 'Password'), 'value'), '', 'a password never');

    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, 'Two-factor authentication');
    t.deepEqual(attributesOf(field(browser, 'Code'), 'name', 'autocomplete', 'inputmode', 'type'), {
      name: 'code',
      autocomplete: 'one-time-code',
      inputmode: 'numeric',
      type: 'text',
    });
    t.regex(browser.text, /Enter the 6-digit code from your authenticator app/);
    t.is(attribute(field(browser, 'Remember this device for 30 days'), 'type'), 'checkbox');
    t.notRegex(field(browser, 'Remember this device for 30 days'), / checked/);
    t.true(browser.buttons.includes('Verify'));
    await browser.press('Verify', { code: '123 45', remember: '1' });
    t.is(attribute(field(browser, 'Code'), 'value'), '123 45');
    t.regex(field(browser, 'Remember this device for 30 days'), / checked/);

    const setup = door.browser();
    await passwordStep(setup, 'new');
    t.is(setup.heading, 'Set up two-factor authentication');
    t.deepEqual(attributesOf(field(setup, 'Code'), 'autocomplete', 'inputmode'), {
      autocomplete: 'one-time-code',
      inputmode: 'numeric',
    });
    t.true(setup.buttons.includes('Confirm setup'));
    t.regex(setup.totpSecret, /^[A-Z2-7]{32}$/);
    const uri = decodeURIComponent(/href="otpauth:([^"]*)"/.exec(setup.text)?.[1] ?? '');
    t.regex(uri, /^\/\/totp\/Acme Aviation:new@acme\.test\?/);
    t.true(uri.includes(`secret=${setup.totpSecret}`));
    t.regex(setup.text, /<img[^>]*src="data:image\/svg\+xml;base64,/);
    await setup.open(`${interactionPath(setup)}/skip`, {
      fields: new URLSearchParams({ _csrf: csrfOf(setup) }),
    });
    t.regex(setup.text, /<input type="radio" name="method" value="totp" aria-labelledby="totp-label"/);
    t.is(textOf(/<b id="totp-label">(.*?)<\/b>/.exec(setup.text)?.[1] ?? ''), 'Authenticator app');

    await setup.open(interactionPath(setup));
    await setup.press('Confirm setup', { code: door.code(0, setup.totpSecret) });
    t.is((setup.text.match(/data-recovery-codes/g) ?? []).length >= 1, true);
    t.is(new Set(setup.recoveryCodes).size, 8);
    for (const code of setup.recoveryCodes) t.regex(code, /^[0-9a-z]{4}(?:-[0-9a-z]{4}){3}$/);
    for (const button of ['Download', 'Print', 'Copy', 'Continue'])
      t.true(setup.buttons.includes(button), button);
    t.is(attribute(field(setup, 'I have saved these codes'), 'type'), 'checkbox');
    const codes = setup.recoveryCodes;
    await setup.press('Continue');
    t.is(setup.status, 422, 'without the tick the codes stay');
    t.deepEqual(setup.recoveryCodes, codes);
    await setup.press('Download');
    t.is(setup.headers.get('Content-Disposition'), 'attachment; filename="recovery-codes.txt"');
    t.regex(setup.headers.get('Content-Type') ?? '', /^text\/plain/);
    t.is(setup.headers.get('Cache-Control'), 'no-store');
    // Codes alone on their lines, below whose they are and what for.
    const [head, list = ''] = setup.text.trim().split('\n\n');
    t.deepEqual(list.split('\n'), codes);
    t.regex(
      head ?? '',
      /^Recovery codes of \S+@acme\.test for Acme Aviation\.\nSaved on 20\d\d-\d\d-\d\d\.\nEach one works once/,
    );

    const recovery = door.browser();
    await passwordStep(recovery, 'new');
    await recovery.follow('Use a recovery code');
    t.deepEqual(attributesOf(field(recovery, 'Recovery code'), 'autocomplete', 'name'), {
      autocomplete: 'off',
      name: 'code',
    });
    const mailbox = door.browser();
    await passwordStep(mailbox, 'reset');
    t.deepEqual(attributesOf(field(mailbox, 'Code'), 'autocomplete', 'inputmode'), {
      autocomplete: 'one-time-code',
      inputmode: 'numeric',
    });
  });

  test(`${kind}: who may skip or say "Not now" finds those very words`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        { requirement: 'required_for_all', graceDays: 7 },
        { ada: {} },
        {
          organizations: [{ slug: 'soft', policy: { requirement: 'recommended', methods: ['totp'] } }],
          users: [noOrganization('bob', { memberships: [{ organization: 'soft' }] })],
        },
      ),
    });
    const skip = door.browser();
    await passwordStep(skip);
    t.true(skip.buttons.includes('Skip for now'));
    t.regex(textOf(skip.text), /7 days left\. From 9 March you cannot sign in without it\./);
    checkPage(t, skip, 'skip');
    const dismiss = door.browser();
    await passwordStep(dismiss, 'bob');
    t.true(dismiss.buttons.includes('Not now'));
    t.is(attribute(field(dismiss, 'Do not ask again for 30 days'), 'type'), 'checkbox');
    checkPage(t, dismiss, 'dismiss');
  });

  test(`${kind}: every page speaks German when asked to, and remembers it`, async (t) => {
    const english = new Map<string, Set<string>>();
    const sentences = ({ text }: Browser) =>
      new Set(
        (/<main.*<\/main>/s.exec(text)?.[0] ?? '')
          .split(/<[^>]*>/)
          .map((part) => part.replace(/\s+/g, ' ').trim())
          .filter((part) => /[a-z]{3}/i.test(part) && part.includes(' ')),
      );
    await everyPage(await houseOfPages(t, kind), (name, browser) => {
      english.set(name, sentences(browser));
    });
    const same: string[] = [];
    await everyPage(
      await houseOfPages(t, kind),
      (name, browser) => {
        t.regex(browser.text, /<html lang="de">/, name);
        for (const sentence of sentences(browser)) {
          if (english.get(name)?.has(sentence)) same.push(`${name}: ${sentence}`);
        }
      },
      async (browser) => {
        await browser.open('/?lang=de');
        t.regex(browser.text, /<html lang="de">/);
      },
    );
    t.deepEqual(
      [...new Set(same)].filter((line) => !/^inbox|^message|acme\.test|[0-9A-Z]{4} [0-9A-Z]{4}/.test(line)),
      [],
    );
  });

  test(`${kind}: the language follows the choice, then ui_locales, then the browser, and nothing else`, async (t) => {
    const door = await open(t, kind, { configuration: acme({}) });
    const lang = (browser: Browser) => /<html lang="([^"]*)">/.exec(browser.text)?.[1];
    const browser = door.browser();
    await browser.authorize();
    t.is(lang(browser), 'en');
    await browser.authorize({ ui_locales: 'de-AT en' });
    t.is(lang(browser), 'de');
    await browser.authorize({ ui_locales: 'xx <script> de' });
    t.is(lang(browser), 'de');
    await browser.open('/?lang=en');
    await browser.authorize({ ui_locales: 'de' });
    t.is(lang(browser), 'en', 'the person’s own choice wins');
    for (const wrong of [
      'fr',
      '__proto__',
      'constructor',
      '../de',
      'de%0d%0aSet-Cookie:%20x=y',
      '<b>',
      'DE',
    ]) {
      await browser.open(`/?lang=${wrong}`);
      t.is(browser.status, 200, wrong);
      t.is(lang(browser), 'en', wrong);
    }
    await browser.open('/?lang=de&lang=en');
    t.is(browser.status, 200);
  });

  test(`${kind}: the other language is one click away on every page, also after a mistake (T005)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const missing: string[] = [];
    await everyPage(door, async (name, browser) => {
      const tab = browser.copy();
      await tab.follow('Deutsch');
      if (tab.status === 404 && name !== 'not found') missing.push(name);
      else t.regex(tab.text, /<html lang="de">/, name);
      if (!/wrong|not saved|method/.test(name)) t.is(tab.status, browser.status, name);
    });
    t.deepEqual(missing, []);
  });

  test(`${kind}: changing the language in mid-flow changes nothing else (T005)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const browser = door.browser();
    await passwordStep(browser, 'ada');
    await browser.follow('Deutsch');
    t.is(browser.heading, 'Zwei-Faktor-Authentifizierung');
    t.true(browser.buttons.includes('Bestätigen'));
    await browser.open(
      `${interactionPath(browser)}?lang=en&step=finish&user=new&mfaRequired=false&verified=1`,
    );
    t.is(browser.heading, 'Two-factor authentication');
    await browser.press('Verify', { code: door.code() });
    t.true(browser.callback?.has('code'));
  });

  test(`${kind}: sign-ins that are unknown, expired, finished or another browser’s end on one clear page (T006, T007)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const browser = door.browser();
    await passwordStep(browser, 'ada');
    const address = interactionPath(browser);
    const ended = async (what: string, other: Browser, path: string, form?: Record<string, string>) => {
      await other.open(path, form ? { fields: new URLSearchParams(form) } : undefined);
      t.is(other.status, 400, what);
      t.is(other.heading, 'This sign-in has ended', what);
      t.notRegex(other.text, /ada|Acme/, `${what}: says nothing about anybody`);
      t.is(other.callback, null, what);
    };
    const values = { _csrf: csrfOf(browser), code: door.code() };
    for (const path of [address, `${address}/ways`, `${address}/recovery`, `${address}?lang=en`]) {
      await ended('a stranger', door.browser(), path);
      const own = door.browser();
      await passwordStep(own, 'new');
      await ended('a stranger with a sign-in of their own', own, path);
    }
    await ended('a stranger’s form', door.browser(), `${address}/cancel`, values);
    for (const unknown of ['x', 'a'.repeat(300), '%00', '..%2f..', "'%20OR%201=1--", '__proto__', '0']) {
      await ended(`unknown ${unknown}`, door.browser(), `/interaction/${unknown}`);
    }
    const stolen = door.browser();
    for (const [key, cookie] of browser.cookies) stolen.cookies.set(key, { ...cookie, path: '/' });
    await ended('a cookie at another path', stolen, '/interaction/other');

    const challenge = browser.form('Verify').action;
    await browser.open(challenge, { fields: new URLSearchParams(values) });
    t.true(browser.callback?.has('code'), 'the victim’s sign-in is not hurt by any of it');
    await ended('a finished one', browser, address);
    t.regex(browser.text, /<a class="button primary" href="[^"]+">/, 'there is a way on');
    await ended('a form of a finished one', browser, challenge, values);

    const late = door.browser();
    await passwordStep(late, 'new');
    const form = late.form('Confirm setup');
    const code = door.code(0, late.totpSecret);
    door.clock.forward(hours(2));
    await ended('an expired one', late, interactionPath(late));
    form.fields.set('code', code);
    await late.open(form.action, { fields: form.fields });
    t.is(late.status, 400);
    t.is(late.heading, 'This sign-in has ended');
  });

  test(`${kind}: pages that do not exist say so, to people and to programs, and are never cached (T117)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const browser = door.browser();
    await passwordStep(browser, 'ada');
    const own = interactionPath(browser);
    for (const path of [
      '/nothing',
      '/interaction',
      '/interaction/',
      `${own}/a.css`,
      `${own}/a.png`,
      `${own}/login`,
      '/dev/inbox/none',
      '/assets/../server.ts',
      '/assets/%2e%2e%2fserver.ts',
      '/.env',
      '/%E0%A4%A',
      `${own}/%E0%A4%A`,
    ]) {
      const tab = browser.copy();
      await tab.open(path);
      t.true(tab.status === 404 || tab.status === 400, `${path}: ${tab.status}`);
      t.regex(tab.text, /<h1>/, path);
      t.is(tab.headers.get('Cache-Control'), 'no-store', path);
      t.notRegex(tab.text, /ada@acme\.test/, path);
    }
    const program = await fetch(`${door.issuer}/nothing`, { headers: { Accept: 'application/json' } });
    t.is(program.status, 404);
    t.is(program.headers.get('Content-Type'), 'application/problem+json');
    const problem = (await program.json()) as Record<string, unknown>;
    t.is(problem.status, 404);
    t.is(problem.code, 'not_found');
  });

  test(`${kind}: every answer carries the security headers, errors too, and none may stand in a frame (T108, T113)`, async (t) => {
    for (const https of [false, true]) {
      const settings = https ? { issuer: 'https://idp.test' } : {};
      const door = await open(t, kind, { configuration: acme({}, { ada: { totp: secret } }), settings });
      const address = addressOf(door);
      const issuer = https ? 'https://idp.test' : address;
      const browser = new Browser(issuer, [address]);
      await browser.authorize();
      const own = interactionPath(browser);
      const form = { method: 'POST', headers: { Origin: issuer, Cookie: cookiesOf(browser) } };
      const requests: readonly [string, RequestInit?][] = [
        ['/'],
        ['/nothing'],
        ['/healthz'],
        ['/readyz'],
        ['/favicon.ico'],
        ['/dev/gallery'],
        ['/dev/gallery/0'],
        ['/dev/gallery/100000'],
        ['/dev/inbox'],
        ['/dev/inbox/none'],
        ['/assets/none.css'],
        ['/assets/sallyport.css'],
        ['/.well-known/openid-configuration'],
        ['/jwks'],
        ['/me'],
        ['/device'],
        ['/session/end'],
        ['/auth'],
        ['/auth?client_id=nobody'],
        [`/auth?client_id=app&response_type=code&redirect_uri=https://${evil}`],
        [
          `/auth?client_id=app&response_type=code&scope=openid&redirect_uri=${encodeURIComponent(redirectUri)}&prompt=none`,
        ],
        ['/auth/none'],
        ['/account'],
        ['/account/approvals'],
        ['/organizations/acme'],
        ['/device'],
        ['/session/end'],
        ['/interaction/none'],
        [own, { headers: { Cookie: cookiesOf(browser) } }],
        [`${own}/restart`, { headers: { Cookie: cookiesOf(browser) } }],
        [`${own}/login`, form],
        [
          `${own}/login`,
          { ...form, body: new URLSearchParams({ _csrf: csrfOf(browser), email: 'x', password: 'y' }) },
        ],
        [`${own}/login`, { ...form, body: new URLSearchParams({ a: 'x'.repeat(70_000) }) }],
        [`${own}/login`, { method: 'POST', headers: { Origin: `https://${evil}` } }],
        [`${own}/login`, { method: 'PUT' }],
        ['/token', { method: 'POST', body: new URLSearchParams({ grant_type: 'password' }) }],
        ['/token', { method: 'GET' }],
        ['/', { method: 'DELETE' }],
        ['/nothing', { headers: { Accept: 'application/json' } }],
      ];
      for (const [path, init] of requests) {
        const { headers, status } = await fetch(`${address}${path}`, { redirect: 'manual', ...init });
        const what = `${init?.method ?? 'GET'} ${path} (${status})`;
        t.true(status < 500, what);
        const csp = headers.get('Content-Security-Policy') ?? '';
        for (const rule of [
          "default-src 'self'",
          "object-src 'none'",
          "base-uri 'none'",
          "frame-ancestors 'none'",
        ]) {
          t.true(csp.includes(rule), `${what}: ${rule}`);
        }
        t.notRegex(csp, /unsafe|\*|data:(?!;)[^;]*script/, what);
        t.is(headers.get('X-Content-Type-Options'), 'nosniff', what);
        t.is(headers.get('X-Frame-Options'), 'DENY', what);
        t.regex(headers.get('Referrer-Policy') ?? '', /^(?:no-referrer|same-origin)$/, what);
        t.is(headers.get('Cross-Origin-Opener-Policy'), 'same-origin', what);
        t.is(headers.get('X-Powered-By'), null, what);
        t.is(headers.get('Server'), null, what);
        if (path !== '/assets/sallyport.css') t.regex(headers.get('Cache-Control') ?? '', /no-store/, what);
        const hsts = Number(/max-age=(\d+)/.exec(headers.get('Strict-Transport-Security') ?? '')?.[1] ?? 0);
        t.is(hsts >= 31_536_000, https, what);
      }
      await browser.open(own);
      t.regex(
        browser.headers.get('Content-Security-Policy') ?? '',
        /; form-action 'self' http:\/\/127\.0\.0\.1:9$/,
      );
    }
  });

  test(`${kind}: the page that posts an answer to the application may run its own script and no other (T108)`, async (t) => {
    const door = await open(t, kind, { configuration: acme({}) });
    const state = '"><script>alert(1)</script>';
    const browser = door.browser();
    await passwordStep(browser, 'ada', { response_mode: 'form_post', state });
    t.is(browser.status, 200);
    t.regex(browser.text, /<form[^>]*action="http:\/\/127\.0\.0\.1:9\/cb"/);
    t.regex(browser.headers.get('Content-Security-Policy') ?? '', /script-src 'self';/);
    t.notRegex(browser.text, /<script(?![^>]* src="\/assets\/)/, 'and none of it stands in the page');
    t.notRegex(browser.headers.get('Content-Security-Policy') ?? '', /unsafe-inline/);
    t.false(browser.text.includes(state), 'the state is inert');
    t.regex(browser.headers.get('Cache-Control') ?? '', /no-store/);
  });

  test(`${kind}: no form of the sign-in is accepted without its token, from elsewhere, or in another form (T109)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const [app] = door.apps;
    if (!app) throw new Error('no server');
    const browser = door.browser();
    await passwordStep(browser, 'ada');
    const own = interactionPath(browser);
    const factor = browser.form('Verify').action.split('/').at(-1) ?? '';
    const token = csrfOf(browser);
    const other = door.browser();
    await passwordStep(other, 'ada');
    const cookie = cookiesOf(browser);

    // From the router, so that a new route is tried without anybody thinking of it.
    const routes = interactionRoutes({ services: app.services, routes: createRouteList() } as never)
      .stack.filter(({ methods }) => methods.includes('POST'))
      .map(({ path }) => String(path).replace('/interaction/:uid', own).replace(':factorId', factor));
    t.true(routes.length >= 14, routes.join(' '));

    const fields = (csrf: string | null, more: Record<string, string> = {}) =>
      new URLSearchParams({
        ...(csrf === null ? {} : { _csrf: csrf }),
        email: 'ada@acme.test',
        password,
        code: door.code(),
        remember: '1',
        method: 'totp',
        ...more,
      });
    const form = 'application/x-www-form-urlencoded';
    const same = { Origin: door.issuer, 'Content-Type': form };
    const { port } = new URL(door.issuer);
    const body = fields(token).toString();
    const tries: readonly [string, Record<string, string>, string][] = [
      ['no token', same, fields(null).toString()],
      ['an empty token', same, fields('').toString()],
      ['another sign-in’s token', same, fields(csrfOf(other)).toString()],
      ['a shortened token', same, fields(token.slice(0, -1)).toString()],
      ['a longer token', same, fields(`${token}A`).toString()],
      ['the token in other case', same, fields(token.toUpperCase()).toString()],
      ['a token twice', same, `${body}&_csrf=${token}`],
      ['a token in a list', same, fields(null, { '_csrf[]': token }).toString()],
      ['a token in an object', same, fields(null, { '_csrf[a]': token }).toString()],
      ['a foreign origin', { ...same, Origin: `https://${evil}` }, body],
      ['an opaque origin', { ...same, Origin: 'null' }, body],
      ['an origin that begins alike', { ...same, Origin: `${door.issuer}.${evil}` }, body],
      ['an origin with another port', { ...same, Origin: 'http://127.0.0.1:1' }, body],
      ['an origin with another scheme', { ...same, Origin: `https://127.0.0.1:${port}` }, body],
      ['two origins', { ...same, Origin: `${door.issuer}, https://${evil}` }, body],
      [
        'a foreign origin and our referrer',
        { ...same, Origin: `https://${evil}`, Referer: `${door.issuer}/` },
        body,
      ],
      ['neither origin nor referrer', { 'Content-Type': form }, body],
      ['a foreign referrer', { 'Content-Type': form, Referer: `https://${evil}/${door.issuer}/` }, body],
      ['us as the name in a referrer', { 'Content-Type': form, Referer: `${door.issuer}@${evil}/` }, body],
      ['a broken referrer', { 'Content-Type': form, Referer: 'x' }, body],
      ['plain text', { ...same, 'Content-Type': 'text/plain' }, body],
      [
        'JSON',
        { ...same, 'Content-Type': 'application/json' },
        JSON.stringify(Object.fromEntries(fields(token))),
      ],
      ['JSON as plain text', { ...same, 'Content-Type': 'text/plain' }, JSON.stringify({ _csrf: token })],
      ['no type', { Origin: door.issuer, 'Content-Type': '' }, body],
    ];
    for (const route of routes) {
      for (const [what, headers, sent] of tries) {
        const answer = await fetch(`${door.issuer}${route}`, {
          method: 'POST',
          redirect: 'manual',
          headers: { ...headers, Cookie: cookie },
          body: sent,
        });
        t.is(answer.status, 403, `${what} at ${route.slice(own.length)}`);
        await answer.arrayBuffer();
      }
      for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE']) {
        const answer = await fetch(`${door.issuer}${route}?${body}&_method=POST`, {
          method,
          redirect: 'manual',
          headers: { Cookie: cookie, Origin: door.issuer, 'X-HTTP-Method-Override': 'POST' },
        });
        await answer.arrayBuffer();
        t.true(answer.status < 500, `${method} ${route}`);
        t.is(answer.headers.get('Location'), null, `${method} ${route}`);
      }
      const upper = await fetch(`${door.issuer}${route.replace('/interaction/', '/INTERACTION/')}`, {
        method: 'POST',
        redirect: 'manual',
        headers: { Origin: `https://${evil}`, 'Content-Type': form, Cookie: cookie },
        body,
      });
      t.true([400, 403, 404].includes(upper.status), `in capitals: ${upper.status}`);
    }
    const effects = await door.db.rows<{ type: string }>(
      "SELECT type FROM audit_events WHERE type <> 'configuration.applied'",
    );
    t.deepEqual(effects, [], 'nothing was tried, sent, set up or finished');
    await browser.press('Verify', { code: door.code() });
    t.true(browser.callback?.has('code'), 'and the sign-in goes on where it was');

    const referred = door.browser();
    await referred.authorize();
    const { action, fields: filled } = referred.form('Sign in');
    filled.set('email', 'new@acme.test');
    filled.set('password', password);
    const answer = await fetch(`${door.issuer}${action}`, {
      method: 'POST',
      redirect: 'manual',
      headers: { Cookie: cookiesOf(referred), Referer: `${door.issuer}${action}` },
      body: filled,
    });
    t.is(answer.status, 303, 'our own referrer is enough');
  });

  test(`${kind}: nobody is signed out by a form from elsewhere (T109, T132)`, async (t) => {
    const door = await open(t, kind, { configuration: acme({}) });
    const browser = door.browser();
    await passwordStep(browser);
    const tries: readonly [string, Record<string, string>][] = [
      ['/session/end/confirm', { logout: 'yes' }],
      ['/session/end/confirm', { logout: 'yes', xsrf: '' }],
      ['/session/end/confirm', { logout: 'yes', xsrf: 'x' }],
      ['/session/end', { logout: 'yes' }],
    ];
    for (const [path, fields] of tries) {
      await fetch(`${door.issuer}${path}`, {
        method: 'POST',
        redirect: 'manual',
        headers: { Origin: `https://${evil}`, Cookie: cookiesOf(browser) },
        body: new URLSearchParams(fields),
      });
      await browser.authorize({ prompt: 'none' });
      t.true(browser.callback?.has('code'), `${path} ${JSON.stringify(fields)}`);
    }
    await browser.open('/session/end');
    t.is(browser.heading, 'Sign out?');
    const { action, fields } = browser.form('Sign out');
    fields.set('logout', 'yes');
    await browser.open(action, { fields });
    await browser.authorize({ prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required', 'our own page does');
  });

  test(`${kind}: whatever Host and forwarding headers say, addresses are the issuer’s (T112)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const { host } = new URL(door.issuer);
    const hosts: readonly (readonly string[])[] = [
      [`Host: ${evil}`],
      [`Host: ${evil}:x@${host}`],
      [`Host: ${host}@${evil}`],
      [`Host: ${host}`, `X-Forwarded-Host: ${evil}`],
      [`Host: ${host}`, `Forwarded: host=${evil};proto=https`],
      [`Host: ${host}`, 'X-Forwarded-Proto: https', 'X-Forwarded-Port: 1234', `X-Forwarded-Server: ${evil}`],
      [
        `Host: ${host}`,
        `X-Original-URL: http://${evil}/`,
        `X-Rewrite-URL: http://${evil}/`,
        `X-Forwarded-Prefix: //${evil}`,
      ],
      [`Host: ${host}`, `Host: ${evil}`],
      [`Host: ${evil}`, `Host: ${host}`],
      ['Host:'],
    ];
    const query = new URLSearchParams({
      client_id: 'app',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: redirectUri,
    });
    for (const lines of hosts) {
      const what = lines.join(' | ');
      const discovery = await raw(door, ['GET /.well-known/openid-configuration HTTP/1.1', ...lines]);
      if (discovery.status !== 400) {
        const found = JSON.parse(
          discovery.text.slice(discovery.text.indexOf('{'), discovery.text.lastIndexOf('}') + 1),
        ) as Record<string, unknown>;
        t.is(found.issuer, door.issuer, what);
        for (const [name, value] of Object.entries(found)) {
          if (/_endpoint$|_uri$/.test(name))
            t.true(String(value).startsWith(`${door.issuer}/`), `${what} ${name}`);
        }
      }
      for (const path of [`/auth?${query}`, '/', '/nothing', '/favicon.ico', '/session/end', '/device']) {
        const { head, text, status } = await raw(door, [
          `GET ${path} HTTP/1.1`,
          ...lines,
          'Accept: text/html',
        ]);
        t.true(status > 0 && status < 500, `${what} ${path}: ${status}`);
        t.false(`${head}${text}`.includes(evil), `${what} ${path}`);
        const location = /^location: (.*)$/im.exec(head)?.[1];
        if (location)
          t.true(location.startsWith('/') || location.startsWith(`${door.issuer}/`), `${what}: ${location}`);
        t.notRegex(head, /domain=/i, what);
      }
    }
    for (const target of [
      `http://${evil}/`,
      `http://${evil}/auth?${query}`,
      `//${evil}/`,
      `//${evil}/%2e%2e`,
      `/\\${evil}`,
      '*',
      `@${evil}/`,
    ]) {
      const { status, head, text } = await raw(door, [
        `GET ${target} HTTP/1.1`,
        `Host: ${host}`,
        'Accept: text/html',
      ]);
      t.true([400, 404].includes(status), `${target}: ${status}`);
      t.notRegex(head, /^location:/im, target);
      t.notRegex(text, new RegExp(`(?:href|action|src)="[^"]*//[^"]*${evil}`), target);
    }
  });

  test(`${kind}: mails lead to the issuer, whatever the request that sent them claimed (T112)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const lies = {
      'X-Forwarded-Host': evil,
      'X-Forwarded-Proto': 'https',
      Forwarded: `host=${evil};for=198.51.100.7`,
      'X-Forwarded-For': '198.51.100.7',
      'X-Original-Host': evil,
      Referer: `https://${evil}/`,
    };
    const browser = door.browser();
    await browser.authorize();
    await browser.press('Sign in', { email: 'reset@acme.test', password }, lies);
    t.is(browser.heading, 'Check your mail');
    door.clock.forward(minutes(1));
    await browser.press('Send a new code', {}, lies);
    const setup = door.browser();
    await passwordStep(setup, 'new');
    await setup.press('Confirm setup', { code: door.code(0, setup.totpSecret) }, lies);
    t.is(setup.recoveryCodes.length, 8);

    const inbox = door.browser();
    await inbox.open('/dev/inbox');
    const messages = [...inbox.text.matchAll(/href="(\/dev\/inbox\/[^"/]+)"/g)].map(([, url = '']) => url);
    t.is(messages.length, 3);
    for (const message of messages) {
      await inbox.open(message);
      t.true(inbox.text.includes(`${door.issuer}/`), message);
      for (const [url] of inbox.text.matchAll(/https?:\/\/[^\s<"]+/g)) {
        t.true(url.startsWith(door.issuer) || url.startsWith('http://www.w3.org'), url);
      }
      t.notRegex(inbox.text, /evil\.test|198\.51\.100\.7/, message);
      await inbox.open(`${message}/html`);
      t.notRegex(inbox.text, /evil\.test|198\.51\.100\.7/, message);
      for (const [, url = ''] of inbox.text.matchAll(/href="([^"]*)"/g))
        t.true(url.startsWith(door.issuer), url);
    }
    const origins = await door.db.rows<{ ip: string }>(
      'SELECT DISTINCT ip FROM audit_events WHERE ip IS NOT NULL',
    );
    t.deepEqual(
      origins.map(({ ip }) => ip),
      ['127.0.0.1'],
      'nor is a made-up address written down (T142)',
    );
  });

  test(`${kind}: behind one proxy its word about the client counts, and nobody else’s (T142)`, async (t) => {
    const door = await open(t, kind, { configuration: acme({}), settings: { trustProxy: 1 } });
    const rows: readonly [string, string][] = [
      ['203.0.113.7', '203.0.113.7'],
      ['198.51.100.1, 203.0.113.8', '203.0.113.8'],
      ['nonsense', '127.0.0.1'],
      ["203.0.113.9'; DROP TABLE users", '127.0.0.1'],
      ['::ffff:203.0.113.10', '203.0.113.10'],
    ];
    for (const [header, expected] of rows) {
      door.clock.forward(1000);
      const browser = door.browser();
      await browser.authorize();
      await browser.press(
        'Sign in',
        { email: 'ada@acme.test', password: 'no' },
        { 'X-Forwarded-For': header },
      );
      const last = await door.db.row<{ ip: string }>(
        'SELECT ip FROM audit_events ORDER BY at DESC, id DESC LIMIT 1',
      );
      t.is(last?.ip, expected, header);
    }
  });

  test(`${kind}: answers go to exactly the registered address, and errors about it are shown, not sent (T111)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        {},
        { ada: {} },
        {
          applications: [
            application('web', {
              redirect_uris: ['https://rp.test/cb'],
              post_logout_redirect_uris: ['https://rp.test/bye'],
            }),
          ],
        },
      ),
    });
    const wrong = [
      '',
      'https://rp.test',
      'https://rp.test/',
      'https://rp.test/cb/',
      'https://rp.test/cb?x=1',
      'https://rp.test/cb?',
      'https://rp.test/cb#x',
      'https://rp.test/cb#',
      'https://rp.test/cb/../cb',
      'https://rp.test/./cb',
      'https://rp.test//cb',
      'https://rp.test/CB',
      'https://RP.test/cb',
      'HTTPS://rp.test/cb',
      'http://rp.test/cb',
      'https://rp.test:443/cb',
      'https://rp.test:8443/cb',
      'https://rp.test./cb',
      'https://rp.test.evil.test/cb',
      'https://evil.test/https://rp.test/cb',
      'https://rp.test@evil.test/cb',
      'https://evil.test#@rp.test/cb',
      'https://evil.test\\@rp.test/cb',
      'https:\\\\rp.test\\cb',
      'https://rp.test%2fcb',
      'https://rp.test/%63b',
      'https://rp.test/cb%00',
      'https://rp.test/cb\n',
      ' https://rp.test/cb',
      '//rp.test/cb',
      '/cb',
      'https://[::1]/cb',
      'https://127.0.0.1/cb',
      'https://localhost.evil.test/cb',
      'https://rp。test/cb',
      'javascript:alert(1)//https://rp.test/cb',
      'data:text/html,x',
      redirectUri,
    ];
    const authorize = async (pairs: readonly [string, string][]) => {
      const query = new URLSearchParams([
        ['client_id', 'web'],
        ['response_type', 'code'],
        ['scope', 'openid'],
        ['state', 's'],
        ...pairs,
      ]);
      const answer = await fetch(`${door.issuer}/auth?${query}`, {
        redirect: 'manual',
        headers: { Accept: 'text/html' },
      });
      return { answer, text: await answer.text() };
    };
    for (const uri of wrong) {
      const extras: readonly (readonly [string, string][])[] = [
        [],
        [['prompt', 'none']],
        [['response_mode', 'form_post']],
        [['response_mode', 'fragment']],
      ];
      for (const extra of extras) {
        const { answer, text } = await authorize([['redirect_uri', uri], ...extra]);
        const what = `${JSON.stringify(uri)} ${extra}`;
        t.is(answer.status, 400, what);
        t.is(answer.headers.get('Location'), null, what);
        t.regex(text, /<h1>/, what);
        t.notRegex(text, /evil\.test|rp\.test|<form|http-equiv/i, what);
      }
    }
    const twice = await authorize([
      ['redirect_uri', 'https://rp.test/cb'],
      ['redirect_uri', 'https://evil.test/'],
    ]);
    t.is(twice.answer.status, 400);
    t.is(twice.answer.headers.get('Location'), null);
    const right = await authorize([
      ['redirect_uri', 'https://rp.test/cb'],
      ['prompt', 'none'],
    ]);
    t.regex(right.answer.headers.get('Location') ?? '', /^https:\/\/rp\.test\/cb\?error=login_required&/);

    const browser = door.browser();
    await passwordStep(browser);
    for (const uri of [
      'https://evil.test/',
      'https://rp.test/bye/',
      'https://rp.test/bye?x',
      'https://rp.test.evil.test/bye',
      '//evil.test',
      'javascript:alert(1)',
    ]) {
      const answer = await fetch(
        `${door.issuer}/session/end?${new URLSearchParams({ client_id: 'web', post_logout_redirect_uri: uri })}`,
        { redirect: 'manual', headers: { Accept: 'text/html', Cookie: cookiesOf(browser) } },
      );
      t.is(answer.status, 400, uri);
      t.is(answer.headers.get('Location'), null, uri);
      t.notRegex(await answer.text(), /evil\.test/, uri);
    }
    for (const name of ['returnTo', 'return_to', 'next', 'redirect', 'url', 'continue', 'goto']) {
      const tab = door.browser();
      await passwordStep(tab, 'ada', { [name]: 'https://evil.test/' });
      t.true(tab.callback?.has('code'), name);
      await tab.open(`/?${name}=https://evil.test/`);
      t.false(tab.text.includes('evil.test'), name);
    }
  });

  test(`${kind}: no cookie can be read by scripts, sent along from elsewhere, or says who somebody is (T114, T052)`, async (t) => {
    for (const https of [false, true]) {
      const issuer = 'https://idp.test';
      const door = await houseOfPages(t, kind, https ? { issuer } : {});
      const browser = new Browser(https ? issuer : door.issuer, [addressOf(door)]);
      await browser.open('/?lang=de');
      await browser.open('/?lang=en');
      await passwordStep(browser, 'ada');
      await browser.press('Verify', { code: door.code(), remember: '1' });
      t.true(browser.callback?.has('code'));
      await browser.authorize({ prompt: 'login' });
      await browser.press('Sign in', { email: 'new@acme.test', password });
      await browser.press('Confirm setup', { code: door.code(0, browser.totpSecret) });
      await browser.press('Continue', { saved: '1' });
      t.true(browser.callback?.has('code'));
      await browser.open('/session/end');
      const { action, fields } = browser.form('Sign out');
      fields.set('logout', 'yes');
      await browser.open(action, { fields });

      const people = await door.db.rows<{ id: string }>('SELECT id FROM users');
      const names = new Set<string>();
      for (const cookie of browser.setCookies) {
        const [pair = ''] = cookie.split(';');
        const [name = ''] = pair.split('=');
        names.add(name);
        t.regex(cookie, /; ?httponly/i, cookie);
        t.regex(cookie, /; ?samesite=(?:lax|strict)/i, cookie);
        t.notRegex(cookie, /; ?domain=/i, cookie);
        t.true(cookie.length <= 4096, cookie);
        t.notRegex(decodeURIComponent(pair), /acme|\bada\b|new@|Aviation|@/, cookie);
        for (const { id } of people) {
          t.false(
            pair.includes(id) || Buffer.from(pair.slice(name.length + 1), 'base64url').includes(id),
            cookie,
          );
        }
        if (https) {
          t.regex(cookie, /; ?secure/i, cookie);
        }
        if (name.startsWith('__Host-')) t.regex(cookie, /; ?path=\/(?:;|$)/i, cookie);
      }
      for (const part of ['session', 'interaction', 'resume', 'browser', 'language']) {
        t.true(
          [...names].some((name) => name.includes(part)),
          `${part} was seen`,
        );
      }
      const session = browser.setCookies.filter((cookie) => /sallyport-session=[^;]/.test(cookie));
      t.true(new Set(session.map((cookie) => cookie.split(';')[0])).size >= 2, 'a new one for each sign-in');
      if (https)
        t.deepEqual(
          [...names].filter((name) => !/^__(?:Host|Secure)-/.test(name)),
          [],
        );
    }
  });

  test(`${kind}: bodies that are too large or make no sense are refused fast, and the next request is served (T124)`, async (t) => {
    const door = await open(t, kind, { configuration: acme({}, { ada: { totp: secret } }) });
    const browser = door.browser();
    await browser.authorize();
    const own = interactionPath(browser);
    const csrf = csrfOf(browser);
    const form = 'application/x-www-form-urlencoded';
    const large = 'x'.repeat(10 * 1024 * 1024);
    const many = Array.from({ length: 100_000 }, (_, n) => `a${n}=1`).join('&');
    const bodies: readonly [string, Record<string, string>, string | Buffer][] = [
      ['10 MB of one field', { 'Content-Type': form }, `_csrf=${csrf}&email=${large}`],
      ['100 000 keys', { 'Content-Type': form }, `_csrf=${csrf}&${many}`],
      ['10 000 short keys', { 'Content-Type': form }, `_csrf=${csrf}&${'a&'.repeat(10_000)}`],
      ['deep brackets', { 'Content-Type': form }, `_csrf=${csrf}&a${'[a]'.repeat(15_000)}=1`],
      ['10 MB of JSON', { 'Content-Type': 'application/json' }, `{"a":"${large}"}`],
      ['deep JSON', { 'Content-Type': 'application/json' }, '['.repeat(100_000)],
      ['a compressed bomb', { 'Content-Type': form, 'Content-Encoding': 'gzip' }, gzipSync(`email=${large}`)],
      ['no gzip at all', { 'Content-Type': form, 'Content-Encoding': 'gzip' }, 'email=x'],
      ['an unknown encoding', { 'Content-Type': form, 'Content-Encoding': 'zzz' }, 'email=x'],
      [
        'an unknown charset',
        { 'Content-Type': `${form}; charset=nonsense` },
        `_csrf=${csrf}&email=x&password=y`,
      ],
      [
        'broken multipart',
        { 'Content-Type': 'multipart/form-data; boundary=x' },
        '--x\r\nContent-Disposition: form-',
      ],
      ['multipart without boundary', { 'Content-Type': 'multipart/form-data' }, 'x'],
      ['10 MB of multipart', { 'Content-Type': 'multipart/form-data; boundary=x' }, `--x\r\n\r\n${large}`],
      ['broken percent signs', { 'Content-Type': form }, `_csrf=${csrf}&email=%E0%A4%A&password=%zz`],
      [
        'prototype keys',
        { 'Content-Type': form },
        `_csrf=${csrf}&__proto__[email]=ada&constructor[prototype][a]=1&email=a&password=b`,
      ],
      ['NUL and lone surrogates', { 'Content-Type': form }, `_csrf=${csrf}&email=%00%ED%A0%80&password=%00`],
      ['bytes', { 'Content-Type': form }, Buffer.from(Array.from({ length: 4096 }, (_, n) => n % 256))],
    ];
    const wrong: string[] = [];
    for (const path of [
      `${own}/login`,
      '/token',
      '/auth',
      '/request',
      '/token/introspection',
      '/nothing',
      '/session/end/confirm',
      '/device',
    ]) {
      for (const [what, headers, body] of bodies) {
        const begun = performance.now();
        const status: number = await fetch(`${door.issuer}${path}`, {
          method: 'POST',
          redirect: 'manual',
          headers: { Origin: door.issuer, Cookie: cookiesOf(browser), ...headers },
          body,
        }).then(
          async (answer) => {
            await answer.arrayBuffer();
            return answer.status;
          },
          // The server may hang up on what it has refused already.
          (error: Error) =>
            /EPIPE|ECONNRESET|other side closed/.test(String((error.cause as Error)?.message ?? error.cause))
              ? 413
              : Promise.reject(error),
        );
        if (status < 400 || status >= 500) wrong.push(`${what} at ${path.replace(own, '')}: ${status}`);
        t.true(performance.now() - begun < 5000, `${what} at ${path}`);
      }
    }
    const heads: readonly [string, readonly string[]][] = [
      ['64 kB of cookies', ['GET / HTTP/1.1', 'Host: x', `Cookie: a=${'x'.repeat(65_536)}`]],
      ['a 64 kB address', [`GET /${'x'.repeat(65_536)} HTTP/1.1`, 'Host: x']],
      ['10 000 scopes', [`GET /auth?client_id=app&scope=${'a+'.repeat(10_000)} HTTP/1.1`, 'Host: x']],
      ['two lengths', [`POST ${own}/login HTTP/1.1`, 'Host: x', 'Content-Length: 1', 'Content-Length: 2']],
      [
        'length and chunks',
        [`POST ${own}/login HTTP/1.1`, 'Host: x', 'Content-Length: 4', 'Transfer-Encoding: chunked'],
      ],
      ['no HTTP', ['HELLO']],
    ];
    for (const [what, lines] of heads) {
      const { status } = await raw(door, lines, '');
      t.true(status >= 400 && status < 500, `${what}: ${status}`);
    }
    for (const claims of [
      '[',
      '{}',
      'null',
      '1',
      '"x"',
      '[]',
      '{"id_token":null}',
      '{"id_token":{"acr":{"values":1}}}',
      '{"id_token":{"acr":{"values":[{}]}}}',
      '{"__proto__":{"id_token":{}}}',
      `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`,
    ]) {
      const tab = door.browser();
      await tab.authorize({ claims });
      t.true(tab.callback !== null || tab.status < 500, `claims ${claims.slice(0, 40)}: ${tab.status}`);
      t.not(tab.callback?.get('error'), 'server_error', claims.slice(0, 40));
    }
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.is(browser.heading, 'Two-factor authentication', 'and the sign-in that all this was sent to goes on');
    t.deepEqual(wrong, []);
    t.false(
      door.log.some((line) => line.includes('"level":50')),
      door.log.find((line) => line.includes('"level":50')),
    );
  });

  test(`${kind}: what browsers, applications and requests say of themselves is rendered inert (T107)`, async (t) => {
    const payloads = [
      '"><script>alert(1)</script>',
      "'><img src=x onerror=alert(1)>",
      '</title><svg onload=alert(1)>',
      'javascript:alert(1)',
      '" autofocus onfocus="alert(1)',
      '<%= 7*7 %>$'.concat('{7*7}{{7*7}}'),
      '&lt;script&gt;',
    ];
    const inert = (browser: Browser, payload: string, what: string) => {
      if (/[<>"]/.test(payload)) t.false(browser.text.includes(payload), `${what}: ${payload}`);
      t.notRegex(browser.text, /<(?:img|svg)[^>]*(?:onerror|onload)/i, what);
      t.notRegex(browser.text, /(?:href|src|action)="\s*(?:javascript|data:text)/i, what);
      t.notRegex(textOf(browser.text), /\b49\b/, what);
      checkScripts(t, browser, what);
    };
    const door = await open(t, kind, {
      configuration: {
        instance: { policy: { methods: ['totp'] } },
        organizations: payloads.map((name, n) => ({ slug: `o${n}`, name, policy: requiredNow })),
        users: payloads.map((name, n) =>
          noOrganization(`u${n}`, { name, memberships: [{ organization: `o${n}` }] }),
        ),
        applications: [
          application('app'),
          ...payloads.map((name, n) =>
            application(`c${n}`, { name, organization: `o${n}`, firstParty: false }),
          ),
        ],
      },
    });
    for (const [n, payload] of payloads.entries()) {
      const agent = { 'User-Agent': payload };
      const browser = door.browser();
      const params = {
        client_id: `c${n}`,
        login_hint: payload,
        state: payload,
        ui_locales: payload,
        nonce: payload,
      };
      await browser.authorize(params);
      inert(browser, payload, 'sign-in');
      t.is(browser.form('Sign in').fields.get('email'), payload, 'the hint is shown as it is');
      await browser.press('Sign in', { email: payload, password: payload }, agent);
      t.is(browser.status, 422);
      inert(browser, payload, 'wrong password');
      await browser.press('Sign in', { email: `u${n}@acme.test`, password }, agent);
      t.is(browser.heading, 'Set up two-factor authentication');
      inert(browser, payload, 'set up');
      await browser.press('Confirm setup', { code: payload }, agent);
      inert(browser, payload, 'wrong code');
      await browser.press('Confirm setup', { code: door.code(0, browser.totpSecret) }, agent);
      inert(browser, payload, 'recovery codes');
      await browser.press('Continue', { saved: '1' }, agent);
      inert(browser, payload, 'consent');
      t.true(browser.buttons.includes('Allow'));
      await browser.press('Cancel');
      t.is(browser.callback?.get('state'), payload, 'the application gets its state back as it was');

      const query = (more: Record<string, string>) =>
        new URLSearchParams({ client_id: 'app', response_type: 'code', redirect_uri: redirectUri, ...more });
      for (const path of [
        `/auth?client_id=${encodeURIComponent(payload)}`,
        `/auth?${query({ redirect_uri: payload })}`,
        `/auth?${query({ id_token_hint: payload, redirect_uri: 'https://evil.test' })}`,
        `/session/end?id_token_hint=${encodeURIComponent(payload)}`,
        `/session/end?client_id=${encodeURIComponent(payload)}`,
        `/device?user_code=${encodeURIComponent(payload)}`,
        `/${encodeURIComponent(payload)}`,
        `/?lang=${encodeURIComponent(payload)}`,
        `/interaction/${encodeURIComponent(payload)}`,
      ]) {
        await browser.open(path);
        inert(browser, payload, path);
        t.true(browser.status < 500, path);
      }
    }
    const inbox = door.browser();
    await inbox.open('/dev/inbox');
    inert(inbox, payloads[0] ?? '', 'inbox');
    const messages = [...inbox.text.matchAll(/href="(\/dev\/inbox\/[^"/]+)"/g)].map(([, url = '']) => url);
    t.is(messages.length, payloads.length);
    for (const message of messages) {
      for (const path of [message, `${message}/html`]) {
        await inbox.open(path);
        for (const payload of payloads)
          if (/[<>"]/.test(payload)) t.false(inbox.text.includes(payload), path);
        t.notRegex(
          inbox.text,
          /<script(?! type="module" src="\/assets)|onerror=alert\(1\)>|<svg onload/,
          path,
        );
      }
      t.regex(inbox.headers.get('Content-Security-Policy') ?? '', /^sandbox .*default-src 'none'/);
    }
  });

  test(`${kind}: values with line breaks and NULs make no header and no second mail line (T115)`, async (t) => {
    const door = await houseOfPages(t, kind);
    const browser = door.browser();
    await browser.authorize({
      state: 'a\r\nSet-Cookie: x=y',
      login_hint: 'a\r\nb\0',
      ui_locales: 'en\r\nX: y',
    });
    t.is(browser.status, 200);
    t.is(browser.headers.get('X'), null);
    t.notRegex(browser.setCookies.join('\n'), /x=y/);
    await browser.press('Sign in', { email: 'ada@acme.test\r\nBcc: eve@evil.test', password });
    t.is(browser.status, 422);
    await browser.press('Cancel').catch(() => browser.press('Back to The app'));
    t.is(browser.callback?.get('state'), 'a\r\nSet-Cookie: x=y');
    for (const name of ['Ada\r\nBcc: eve@evil.test', 'Ada\u0000', 'Ada\u0085x', 'Ada\u2028x', '\u202EadA']) {
      await t.throwsAsync(
        door.apply({ users: [{ email: 'ada@acme.test', name }] }),
        undefined,
        JSON.stringify(name),
      );
    }
  });
}

/** No script but ours, and the one that the library's self-sending forms carry, by its digest. */
function checkScripts(t: ExecutionContext, { text, headers }: Browser, what: string): void {
  const csp = headers.get('Content-Security-Policy') ?? '';
  for (const [, attributes = '', content = ''] of text.matchAll(/<script([^>]*)>(.*?)<\/script>/gs)) {
    const digest = createHash('sha256').update(content).digest('base64');
    const ours = /src="\/assets\/[a-z.]+\?v=\w+"/.test(attributes) && content.trim() === '';
    t.true(ours || csp.includes(`'sha256-${digest}'`), `${what}: ${content}`);
  }
  t.true((text.match(/<h1[\s>]/g) ?? []).length <= 1, what);
}
