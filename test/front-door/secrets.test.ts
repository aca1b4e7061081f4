import { createHmac, hash } from 'node:crypto';
import test from 'ava';
import { minutes, seconds } from '../../lib/clock.ts';
import { open } from '../../lib/seal.ts';
import type { Browser } from './browser.ts';
import { count, mailedCode, resetByAdmin, setUp, setUpHere, userId, withoutSession } from './evidence.ts';
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
  type TokenAnswer,
} from './rig.ts';

const required = { requirement: 'required_for_all', graceDays: 0, rememberDeviceDays: 30 };
const other = 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU';

/** Every row of every table, as somebody sees it who has stolen the database. */
async function dump(door: FrontDoor): Promise<Map<string, string[]>> {
  const { dialect } = door.db;
  const tables = await door.db.rows<{ name: string }>(
    dialect === 'sqlite'
      ? "SELECT name FROM sqlite_master WHERE type = 'table'"
      : 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  const rows = new Map<string, string[]>();
  for (const { name } of tables) {
    const found = await door.db.rows<object>(`SELECT * FROM ${name}`);
    rows.set(
      name,
      found.map((row) => JSON.stringify(row)),
    );
  }
  return rows;
}

/** Secrets that the rig has seen, by what they are. Codes of six digits are looked for as a whole word only. */
class Canaries {
  readonly seen = new Map<string, string>();

  add(what: string, ...values: readonly unknown[]): void {
    for (const value of values) {
      if (typeof value === 'string' && value.length >= 6) this.seen.set(value, what);
    }
  }

  browser(browser: Browser): void {
    for (const line of browser.setCookies) {
      const [pair = ''] = line.split(';');
      const [name = '', ...rest] = pair.split('=');
      this.add(`cookie ${name}`, rest.join('='));
    }
    this.add('code verifier', browser.verifier);
    for (const [, token] of browser.text.matchAll(/name="_csrf" value="([^"]+)"/g)) this.add('csrf', token);
  }

  tokens({ body }: TokenAnswer): void {
    this.add('access token', body.access_token);
    this.add('refresh token', body.refresh_token);
    this.add('ID token', body.id_token);
  }

  /** What of all that stands in a text. */
  in(text: string, but: readonly string[] = []): string[] {
    return [...this.seen].flatMap(([value, what]) => {
      if (but.some((allowed) => what.startsWith(allowed))) return [];
      const found = /^\d{6}$/.test(value)
        ? new RegExp(`(?<![\\w.-])${value}(?![\\w.-])`).test(text)
        : text.includes(value);
      return found ? [`${what}: ${value}`] : [];
    });
  }
}

/** All ways to sign in that leave secrets behind, with everything secret that was seen on the way. */
async function manySignIns(door: FrontDoor): Promise<{ canaries: Canaries; browsers: Browser[] }> {
  const canaries = new Canaries();
  canaries.add('password', password, 'a wrong password of somebody', 'Bearer', 'an unknown password');
  canaries.seen.delete('Bearer');
  canaries.add('seed', secret, other);
  for (const id of ['app', 'other', 'third']) {
    canaries.add('client secret', `${id}-secret`, Buffer.from(`${id}:${id}-secret`).toString('base64'));
  }
  const browsers: Browser[] = [];
  const take = (browser: Browser) => {
    browsers.push(browser);
    return browser;
  };
  const code = (of = secret) => {
    const shown = door.code(0, of);
    canaries.add('code', shown);
    return shown;
  };
  const gone = async (browser: Browser) => {
    canaries.add('authorization code', browser.callback?.get('code'));
    const answer = await redeem(door, browser);
    canaries.tokens(answer);
    canaries.browser(browser);
    return answer;
  };

  // Set-up, recovery codes, a remembered browser, a wrong code and a wrong password.
  const ada = take(door.browser());
  await ada.authorize();
  canaries.browser(ada);
  await ada.press('Sign in', { email: 'ada@acme.test', password: 'a wrong password of somebody' });
  await ada.press('Sign in', { email: 'nobody@acme.test', password: 'an unknown password' });
  await ada.press('Sign in', { email: 'ada@acme.test', password });
  const seed = ada.totpSecret;
  canaries.add('seed', seed, seed.match(/.{1,4}/g)?.join(' '));
  canaries.browser(ada);
  await ada.press('Confirm setup', { code: '918273' });
  canaries.add('code', '918273');
  await ada.press('Confirm setup', { code: code(seed) });
  const codes = ada.recoveryCodes;
  canaries.add('recovery code', ...codes, ...codes.map((one) => one.replaceAll('-', '')));
  await ada.press('Continue', { saved: '1' });
  const tokens = await gone(ada);
  nextStep(door);
  withoutSession(ada);
  await passwordStep(ada);
  await ada.press('Verify', { code: '564738' });
  canaries.add('code', '564738');
  await ada.press('Verify', { code: code(seed), remember: '1' });
  await gone(ada);
  withoutSession(ada);
  await passwordStep(ada);
  await gone(ada);

  // What an application does with its tokens.
  const { body } = tokens;
  await door.post('/me', {}, { bearer: String(body.access_token) });
  await door.post('/token/introspection', { token: String(body.access_token) });
  canaries.tokens(
    await door.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(body.refresh_token),
    }),
  );
  await door.post('/token', { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) });
  await door.post('/token', {
    grant_type: 'authorization_code',
    code: 'not-a-code-but-secret-enough',
    redirect_uri: redirectUri,
    code_verifier: ada.verifier,
  });
  canaries.add('authorization code', 'not-a-code-but-secret-enough');

  // A recovery code, with consent, and a set-up again.
  nextStep(door);
  const lost = take(door.browser());
  await passwordStep(lost, 'ada', { client_id: 'third' });
  await lost.follow('Use a recovery code');
  await lost.press('Verify', { code: 'zzzz-yyyy-xxxx-wwww' });
  canaries.add('recovery code', 'zzzz-yyyy-xxxx-wwww');
  await lost.press('Verify', { code: codes[0] ?? '' });
  await lost.press('Set up again');
  const again = lost.totpSecret;
  canaries.add('seed', again, again.match(/.{1,4}/g)?.join(' '));
  await lost.press('Confirm setup', { code: code(again) });
  await lost.press('Allow');
  await gone(lost);

  // A reset, and the code in the mail.
  nextStep(door);
  await resetByAdmin(door, 'bob');
  nextStep(door);
  const bob = take(door.browser());
  await passwordStep(bob, 'bob');
  const mailed = await mailedCode(door);
  canaries.add('mailed code', mailed);
  await bob.press('Verify', { code: '102938' });
  canaries.add('code', '102938');
  await bob.press('Verify', { code: mailed });
  canaries.add('seed', bob.totpSecret);
  const fresh = await setUpHere(door, bob);
  canaries.add('recovery code', ...fresh.codes);
  await gone(bob);

  // One that is left half-way, with all that it knows.
  const left = take(door.browser());
  await passwordStep(left, 'cyd');
  canaries.add('seed', left.totpSecret);
  canaries.browser(left);
  return { canaries, browsers };
}

const people = { ada: {}, bob: { totp: secret }, cyd: {}, dan: { totp: other } };
const third = { ...application('third'), firstParty: false };

for (const kind of kinds) {
  test(`${kind}: no password, code, seed, cookie or token stands in the log at debug level, in the database or in an address (T133, T134, T135, T136, T137)`, async (t) => {
    const addresses: string[] = [];
    const referrers = new Set<string | null>();
    const door = await frontDoor(t, kind, {
      configuration: acme(required, people, { applications: [third] }),
      settings: { mailUrl: 'smtp://127.0.0.1:1' },
    });
    const { canaries, browsers } = await manySignIns(door);
    t.true(canaries.seen.size > 80, `${canaries.seen.size} canaries`);

    // While they are at work: the courier meets a mail server that is not there, and the database fails.
    await door.apps[0]?.courier.deliverDue();
    await door.db.change('ALTER TABLE audit_events RENAME TO audit_events_away');
    const failing = door.browser();
    await failing.authorize();
    await failing.press('Sign in', { email: 'ada@acme.test', password: 'a wrong password of somebody' });
    t.true(failing.status >= 500, 'the database failed');
    t.deepEqual(canaries.in(failing.text, ['csrf', 'cookie sallyport-interaction']), []);
    await door.db.change('ALTER TABLE audit_events_away RENAME TO audit_events');
    await door.db.change('ALTER TABLE limits RENAME TO limits_away');
    const dan = door.browser();
    await dan.authorize();
    await dan.press('Sign in', { email: 'dan@acme.test', password });
    t.true(dan.status >= 500);
    await door.db.change('ALTER TABLE limits_away RENAME TO limits');

    const log = door.log.join('');
    t.true(door.log.filter((line) => line.includes('errorId')).length >= 2, 'there is a log to look at');
    t.true(door.log.length > 2, 'and the courier writes to it too');
    t.deepEqual(canaries.in(log), []);
    for (const mailOrHash of ['argon2id', 'Hello', 'BEGIN PRIVATE', '"d":"']) {
      t.false(log.includes(mailOrHash), mailOrHash);
    }

    const tables = await dump(door);
    for (const [table, atLeast] of Object.entries({
      users: 4,
      factors: 3,
      recovery_codes: 16,
      remembered_devices: 1,
      sessions: 3,
      sign_ins: 6,
      provider_records: 10,
      audit_events: 10,
      outbox: 3,
      applications: 3,
      signing_keys: 2,
      limits: 4,
    })) {
      t.true((tables.get(table)?.length ?? 0) >= atLeast, `${table}: ${tables.get(table)?.length}`);
    }
    for (const [table, rows] of tables) {
      t.deepEqual(canaries.in(rows.join('\n')), [], table);
    }
    const keys = (tables.get('signing_keys') ?? []).join('');
    t.notRegex(keys, /\\"(d|p|q|n|kty)\\"/, 'nor do private keys');

    for (const browser of [...browsers, failing, dan]) {
      addresses.push(...browser.visited);
      referrers.add(browser.headers.get('Referrer-Policy'));
    }
    for (const address of addresses) {
      // The interaction is named in its address; what makes its cookie worth something is the signature beside it.
      t.deepEqual(
        canaries.in(address, ['cookie sallyport-interaction', 'cookie sallyport-resume']),
        [],
        address,
      );
    }
    const signatures = [...canaries.seen].filter(([, what]) => what.endsWith('.sig'));
    t.true(signatures.length > 0);
    for (const [signature] of signatures) t.false(addresses.some((address) => address.includes(signature)));
    t.deepEqual([...referrers], ['same-origin']);
    for (const { callback } of browsers) {
      const names = [...(callback?.keys() ?? [])].toSorted();
      t.deepEqual(callback === null ? [] : names, callback === null ? [] : ['code', 'iss', 'state']);
    }
  });

  test(`${kind}: what a pending sign-in keeps holds no password, and what a finished one leaves no seed, code or recovery code, even for whoever has the keys (T136, T139)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, people, { applications: [third] }),
    });
    const { canaries } = await manySignIns(door);
    const ring = door.apps[0]?.services.ring as never;
    const rows = await door.db.rows<{ uid_digest: string; state: string; finished_at: number | null }>(
      'SELECT * FROM sign_ins',
    );
    t.true(rows.length >= 6);
    t.true(rows.some((row) => row.finished_at === null));
    for (const row of rows) {
      const state = open(ring, { table: 'sign_ins', column: 'state', row: row.uid_digest }, row.state);
      const pending = row.finished_at === null ? ['seed'] : [];
      t.deepEqual(canaries.in(state, pending), []);
    }
    const records = await door.db.rows<{ model: string; id_digest: string; payload: string }>(
      'SELECT * FROM provider_records',
    );
    t.true(records.length >= 10);
    for (const row of records) {
      const place = { table: 'provider_records', column: 'payload', row: `${row.model} ${row.id_digest}` };
      const payload = open(ring, place, row.payload);
      t.deepEqual(
        canaries.in(payload, ['cookie sallyport-interaction', 'cookie sallyport-resume']),
        [],
        row.model,
      );
    }
    const sessions = await door.db.rows<{ uid_digest: string; payload: string }>('SELECT * FROM sessions');
    for (const row of sessions) {
      const place = { table: 'sessions', column: 'payload', row: row.uid_digest };
      t.deepEqual(canaries.in(open(ring, place, row.payload)), [], 'session');
    }
  });

  test(`${kind}: what is sealed for one person opens for nobody else: swapped seeds, factors and recovery codes let nobody in (T135)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { ...required, methods: ['totp'] },
        { ada: {}, eve: {}, dan: { totp: secret }, eva: { totp: other } },
      ),
    });
    const [dan, eva] = [await userId(door, 'dan'), await userId(door, 'eva')];
    const factorOf = async (user: string) => {
      const row = await door.db.row<{ id: string; data: string }>(
        'SELECT id, data FROM factors WHERE user_id = ?',
        [user],
      );
      return row as { id: string; data: string };
    };
    const tries = async (who: string, codes: readonly string[]) => {
      for (const code of codes) {
        const browser = door.browser();
        await passwordStep(browser, who);
        // What cannot be opened may end on the page before.
        if (browser.status === 200) await browser.press('Verify', { code });
        t.is(browser.callback, null, `${who} with ${code}`);
        t.true(browser.status >= 400, `${who} with ${code}`);
        t.notRegex(browser.text, /\.ts:\d|SealBroken|v1\.[0-9a-f]{8}/, 'nothing is told of the inside');
      }
    };
    const [his, hers] = [await factorOf(dan), await factorOf(eva)];

    // The sealed seeds change places.
    const put = (id: string, data: string) =>
      door.db.change('UPDATE factors SET data = ? WHERE id = ?', [data, id]);
    await put(his.id, hers.data);
    await put(hers.id, his.data);
    await tries('dan', [door.code(0, other), door.code()]);
    await tries('eva', [door.code()]);
    await put(his.id, his.data);
    await put(hers.id, hers.data);
    await door.db.change('DELETE FROM limits');
    // The rows change owners: Eva's app, which shows her own codes, is now Dan's.
    const give = (id: string, user: string) =>
      door.db.change('UPDATE factors SET user_id = ? WHERE id = ?', [user, id]);
    await give(his.id, eva);
    await give(hers.id, dan);
    await tries('dan', [door.code(0, other)]);
    await give(his.id, dan);
    await give(hers.id, eva);
    // A row of one's own beside the other's.
    await door.db.change('DELETE FROM limits');
    await give(hers.id, dan);
    await tries('dan', [door.code(0, other)]);
    await give(hers.id, eva);

    await door.db.change('DELETE FROM limits');
    await door.db.change('UPDATE factors SET failures = 0, disabled_at = NULL');
    for (const [who, of] of [
      ['dan', secret],
      ['eva', other],
    ] as const) {
      const browser = door.browser();
      await passwordStep(browser, who);
      await browser.press('Verify', { code: door.code(0, of) });
      t.true(browser.callback?.has('code'), `all is as it was: ${who}`);
    }
  });

  test(`${kind}: recovery codes that were moved to another person's account do not open it (T135)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, eve: {} }),
    });
    await setUp(door, door.browser(), 'ada');
    const { codes } = await setUp(door, door.browser(), 'eve');
    const [ada, eve] = [await userId(door, 'ada'), await userId(door, 'eve')];
    await door.db.change('DELETE FROM recovery_codes WHERE user_id = ?', [ada]);
    await door.db.change('UPDATE recovery_codes SET user_id = ? WHERE user_id = ?', [ada, eve]);
    const browser = door.browser();
    await passwordStep(browser, 'ada');
    await browser.follow('Use a recovery code');
    await browser.press('Verify', { code: codes[0] ?? '' });
    t.is(browser.status, 422, browser.heading);
    t.is(await count(door, 'recovery_codes', 'used_at IS NOT NULL'), 0);
    await door.db.change('UPDATE recovery_codes SET user_id = ?', [eve]);
    const own = door.browser();
    await passwordStep(own, 'eve');
    await own.follow('Use a recovery code');
    await own.press('Verify', { code: codes[0] ?? '' });
    t.is(own.heading, 'You used a recovery code', 'back at their own place they are good');
  });

  test(`${kind}: sealed values of sign-ins, sessions and codes open only where they were written (T135, T137)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: { totp: secret }, eve: { totp: other } }),
    });
    // Eve, all done but the last click, gives her state to a sign-in that knows only Ada's password.
    const eve = door.browser();
    await passwordStep(eve, 'eve');
    const ada = door.browser();
    await passwordStep(ada, 'ada');
    const states = await door.db.rows<{ uid_digest: string; account_id: string; state: string }>(
      'SELECT * FROM sign_ins',
    );
    const [one, two] = states;
    await door.db.change('UPDATE sign_ins SET state = ? WHERE uid_digest = ?', [
      one?.state ?? '',
      two?.uid_digest ?? '',
    ]);
    await door.db.change('UPDATE sign_ins SET state = ? WHERE uid_digest = ?', [
      two?.state ?? '',
      one?.uid_digest ?? '',
    ]);
    for (const browser of [eve, ada]) {
      await browser.press('Verify', { code: door.code(0, browser === eve ? other : secret) });
      t.is(browser.callback, null);
      t.true(browser.status >= 400);
      t.notRegex(browser.text, /SealBroken|\.ts:\d/);
    }

    const in1 = door.browser();
    await signIn(door, in1);
    const in2 = door.browser();
    await passwordStep(in2, 'eve');
    await in2.press('Verify', { code: door.code(0, other) });
    await redeem(door, in2);
    const sessions = await door.db.rows<{ uid_digest: string; payload: string }>(
      'SELECT * FROM sessions WHERE account_id IS NOT NULL',
    );
    t.is(sessions.length, 2);
    for (const [index, row] of sessions.entries()) {
      await door.db.change('UPDATE sessions SET payload = ? WHERE uid_digest = ?', [
        sessions[1 - index]?.payload ?? '',
        row.uid_digest,
      ]);
    }
    for (const browser of [in1, in2]) {
      await browser.authorize({ prompt: 'none' });
      t.is(browser.callback?.get('code') ?? null, null);
    }
  });

  test(`${kind}: nothing that stands in the database is worth anything at the door (T137)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: { totp: secret } }),
    });
    const browser = door.browser();
    const tokens = await signIn(door, browser, { remember: true });
    await browser.authorize({ prompt: 'none' });
    t.true(browser.callback?.has('code'));
    const stored = [...(await dump(door)).values()]
      .flat()
      .flatMap((row) => Object.values(JSON.parse(row) as Record<string, unknown>))
      .filter(
        (value): value is string => typeof value === 'string' && value.length >= 20 && value.length < 200,
      );
    const values = [...new Set(stored)];
    t.true(values.length > 15);
    const sessionKey = [...browser.cookies.keys()].find((key) => key.startsWith('sallyport-session;')) ?? '';
    t.not(sessionKey, '');
    for (const value of values) {
      const thief = door.browser();
      thief.cookies.set(sessionKey, { value: `sallyport-session=${value}`, path: '/', attributes: '' });
      await thief.authorize({ prompt: 'none' });
      t.is(thief.callback?.get('error'), 'login_required', value);
    }
    for (const value of values) {
      const [me, refresh, code] = await Promise.all([
        door.post('/me', {}, { bearer: value }),
        door.post('/token', { grant_type: 'refresh_token', refresh_token: value }),
        door.tokens(value, browser.verifier),
      ]);
      t.deepEqual([me.status, refresh.status, code.status], [401, 400, 400], value);
    }
    t.is((await door.post('/me', {}, { bearer: String(tokens.body.access_token) })).status, 200);
    t.is((await redeem(door, browser)).status, 200);
  });

  test(`${kind}: the secret of a set-up is on its own page until it is confirmed, then nowhere; recovery codes until they are saved; no page is stored by anybody (T139)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const browser = door.browser();
    const pages: [string, string | null][] = [];
    const note = () => pages.push([browser.heading || browser.url, browser.headers.get('Cache-Control')]);
    await browser.authorize();
    note();
    await browser.press('Sign in', { email: 'ada@acme.test', password: 'wrong' });
    note();
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    note();
    const start = new URL(browser.url).pathname.replace(/\/enrol.*/, '');
    const seed = browser.totpSecret;
    const spaced = seed.match(/.{1,4}/g)?.join(' ') ?? '';
    const qr = /src="(data:image\/svg[^"]+)"/.exec(browser.text)?.[1] ?? '';
    t.true(qr.length > 100);
    await browser.press('Confirm setup', { code: '000000' });
    note();
    await browser.press('Confirm setup', { code: door.code(0, seed) });
    note();
    const { recoveryCodes } = browser;
    t.is(recoveryCodes.length, 8);
    const form = browser.form('Download');
    await browser.open(form.action, form);
    t.deepEqual(browser.text.trim().split('\n').slice(-8), recoveryCodes);
    t.is(browser.headers.get('Cache-Control'), 'no-store');

    const shows = (text: string) => [seed, spaced, qr].some((value) => text.includes(value));
    for (const path of ['', '/enrol', '/ways', '/recovery', '?with=totp', '/codes', '/codes/download']) {
      await browser.open(`${start}${path}`);
      t.false(shows(browser.text), path);
      note();
    }
    await browser.open(start);
    await browser.press('Continue', { saved: '1' });
    t.true(browser.callback?.has('code'));
    for (const path of ['', '/enrol', '/codes', '/codes/download']) {
      await browser.open(`${start}${path}`);
      t.true(browser.status >= 400, path);
      t.false(
        recoveryCodes.some((code) => browser.text.includes(code)),
        path,
      );
      note();
    }
    await browser.open(form.action, form);
    t.false(
      recoveryCodes.some((code) => browser.text.includes(code)),
      'the form that was open before',
    );

    nextStep(door);
    withoutSession(browser);
    await passwordStep(browser);
    note();
    t.false(shows(browser.text));
    await browser.follow('Use a recovery code');
    note();
    await browser.press('Verify', { code: recoveryCodes[0] ?? '' });
    note();
    t.regex(browser.text, /You used a recovery code/);
    t.false(
      recoveryCodes.some((code) => browser.text.includes(code)),
      'a page tells how many are left, not which',
    );
    for (const [page, cache] of pages) t.is(cache, 'no-store', page);
    for (const path of ['/', '/nowhere', '/dev/inbox', '/interaction/none', '/session/end', '/healthz']) {
      await browser.open(`${door.issuer}${path}`);
      t.is(browser.headers.get('Cache-Control'), 'no-store', path);
    }
    const audit = await door.db.rows<{ data: string }>('SELECT * FROM audit_events');
    t.true(audit.length > 0);
    t.false(shows(JSON.stringify(audit)));

    // Answers with tokens are not stored either (OpenID Connect Core 1.0, 3.1.3.3).
    door.clock.forward(minutes(1) + seconds(1));
    const response = await fetch(`${door.issuer}/token`, {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from('app:app-secret').toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'x' }),
    });
    t.is(response.headers.get('Cache-Control'), 'no-store');
  });

  test(`${kind}: recovery codes are stored as digests that are salted for each person and not those of any fast hash (T135)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, eve: {} }) });
    const { codes } = await setUp(door, door.browser());
    await setUp(door, door.browser(), 'eve');
    const rows = await door.db.rows<{ user_id: string; salt: string; digest: string }>(
      'SELECT * FROM recovery_codes ORDER BY user_id, position',
    );
    t.is(rows.length, 16);
    t.is(new Set(rows.map(({ digest }) => digest)).size, 16);
    t.is(new Set(rows.map(({ salt }) => salt)).size, 2);
    t.is(new Set(rows.map(({ salt, user_id }) => `${salt} ${user_id}`)).size, 2);
    const ada = await userId(door);
    for (const [index, { salt, digest }] of rows.filter(({ user_id }) => user_id === ada).entries()) {
      t.true(Buffer.from(salt, 'base64url').length >= 16);
      const code = codes[index] ?? '';
      for (const text of [code, code.replaceAll('-', '')]) {
        for (const salted of [text, salt + text, text + salt]) {
          for (const algorithm of ['sha1', 'sha256', 'sha512']) {
            const bytes = hash(algorithm, salted, 'buffer');
            t.false([bytes.toString('hex'), bytes.toString('base64url')].includes(digest));
          }
          const keyed = createHmac('sha256', salt).update(text).digest('base64url');
          t.not(keyed, digest);
        }
      }
    }
  });
}
