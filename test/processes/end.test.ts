import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { kinds } from '../configuration/fresh-database.ts';
import type { Browser } from '../front-door/browser.ts';
import { acme, passwordStep, secret } from '../front-door/rig.ts';
import { codeNow, lineTo, type Place, place, type Running, sleep, until } from './process-rig.ts';

const people = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${n}`, { totp: secret }]));
const newcomers = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`n${n}`, {}]));
const configuration = acme(
  { requirement: 'required_for_all', graceDays: 0, methods: ['totp'] },
  { ...people, ...newcomers },
);

interface Errand {
  readonly who: string;
  readonly browser: Browser;
  /** The code that it sent last, by which secret. */
  code: string;
  secret: string;
  /** What the person was told, as far as an answer came. */
  told: 'nothing' | 'password' | 'codes' | 'signed in';
  codes: readonly string[];
}

const errand = (at: Place, who: string): Errand => ({
  who,
  browser: at.browser(),
  code: '',
  secret,
  told: 'nothing',
  codes: [],
});

/** One person signs in, or sets up and signs in; it goes as far as the server lives. */
async function goOn(one: Errand): Promise<void> {
  const { browser, who } = one;
  await passwordStep(browser, who);
  one.told = 'password';
  if (browser.heading === 'Set up two-factor authentication') {
    one.secret = browser.totpSecret;
    one.code = codeNow(one.secret);
    await browser.press('Confirm setup', { code: one.code });
    if (browser.recoveryCodes.length > 0) {
      one.codes = browser.recoveryCodes;
      one.told = 'codes';
      await browser.press('Continue', { saved: '1' });
    }
  } else {
    one.code = codeNow();
    await browser.press('Verify', { code: one.code });
  }
  if (browser.callback?.has('code')) one.told = 'signed in';
}

async function silently(browser: Browser): Promise<string> {
  const tab = browser.copy();
  await tab.authorize({ prompt: 'none' });
  return tab.callback?.has('code') ? 'code' : (tab.callback?.get('error') ?? `${tab.status}`);
}

/** What must hold of a person after the server has died under them and come back. */
async function isConsistent(t: ExecutionContext, at: Place, one: Errand, round: string): Promise<void> {
  const what = `${round}, ${one.who}, who was told: ${one.told}`;
  const state = await silently(one.browser);
  t.is(state, one.told === 'signed in' ? 'code' : 'login_required', what);

  // The code that was sent is used, or the sign-in it was for did not happen: never both.
  const again = at.browser();
  await passwordStep(again, one.who);
  if (one.told === 'codes')
    t.is(again.heading, 'Two-factor authentication', `${what}: what was confirmed is there`);
  if (again.heading === 'Two-factor authentication' && one.code !== '') {
    await again.press('Verify', { code: one.code });
    const accepted = again.callback?.has('code') === true;
    if (one.told === 'codes' || one.told === 'signed in')
      t.false(accepted, `${what}: a code that was used stays used`);
    if (accepted) {
      const tab = one.browser.copy();
      await tab.open(tab.url).catch(() => {});
      t.false(
        tab.callback?.has('code') === true,
        `${what}: the first sign-in does not live on the same code`,
      );
    }
  }
  const rows = await at.look(async (db) => {
    const of = `(SELECT id FROM users WHERE email = '${one.who}@acme.test')`;
    const count = async (table: string) =>
      Number((await db.row<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table} WHERE user_id = ${of}`))?.n);
    return { factors: await count('factors'), codes: await count('recovery_codes') };
  });
  if (one.who.startsWith('n')) {
    t.true(
      (rows.factors === 1 && rows.codes === 8) || (rows.factors === 0 && rows.codes === 0),
      `${what}: a set-up is there as a whole or not at all: ${JSON.stringify(rows)}`,
    );
    if (one.told === 'codes' || one.told === 'signed in') t.is(rows.factors, 1, what);
  }
}

for (const kind of kinds) {
  test.serial(
    `${kind}: killed at any moment under load and started again, it has kept what people were told, and nobody is in who did not finish (T149)`,
    async (t) => {
      const at = await place(t, kind);
      await at.apply(configuration);
      let running = await at.start();
      const told: Record<string, number> = {};
      for (const [round, moment] of [0.15, 0.4, 0.6, 0.8, 1].entries()) {
        const errands = Array.from({ length: 6 }, (_, n) =>
          errand(at, `${n % 2 ? 'p' : 'n'}${round * 6 + n}`),
        );
        const began = performance.now();
        const work = Promise.allSettled(errands.map(goOn));
        // Moments are measured in sign-ins, since machines differ: it dies when so many of the people have come so far.
        const wanted = Math.ceil(errands.length * moment);
        const steps = () => errands.filter((one) => one.told !== 'nothing').length;
        await until(async () => steps() >= wanted, 20_000);
        await sleep(Math.random() * Math.min(150, (performance.now() - began) / 4));
        await running.kill();
        await work;
        running = await at.start();
        for (const one of errands) {
          told[one.told] = (told[one.told] ?? 0) + 1;
          await isConsistent(t, at, one, `round ${round}`);
        }
      }
      t.log(JSON.stringify(told));
    },
  );

  test.serial(
    `${kind}: told to end under load it answers what is under way, takes nothing new, and ends well within ten seconds (T153)`,
    async (t) => {
      const at = await place(t, kind);
      await at.apply(configuration);
      for (const keepAlive of [false, true]) {
        const running = await at.start();
        const { port } = new URL(running.url);
        const agent = new Agent({ keepAlive, maxSockets: 50 });
        const forms: { path: string; body: string; cookie: string }[] = [];
        for (let n = 0; n < 12; n += 1) {
          const browser = at.browser();
          await browser.authorize();
          const { action, fields } = browser.form('Sign in');
          fields.set('email', `p${n + 40}@acme.test`);
          fields.set('password', 'correct horse battery staple');
          const cookie = [...browser.cookies.values()].map(({ value }) => value).join('; ');
          forms.push({ path: action, body: fields.toString(), cookie });
        }
        const answers = forms.map(
          ({ path, body, cookie }) =>
            new Promise<number | string>((resolve) => {
              const sent = request(
                {
                  host: '127.0.0.1',
                  port,
                  path,
                  method: 'POST',
                  agent,
                  headers: {
                    'Content-Type': 'application/x-www-form-urlencoded',
                    'Content-Length': Buffer.byteLength(body),
                    Cookie: cookie,
                    Origin: at.issuer,
                  },
                },
                (response) => {
                  response.resume();
                  response.once('end', () => resolve(response.statusCode ?? 0));
                },
              );
              sent.once('error', (error) => resolve(error.message));
              sent.end(body);
            }),
        );
        // All have arrived, and none can be done: a password takes its time.
        await sleep(60);
        const began = performance.now();
        running.signal('SIGTERM');
        const { code, signal } = await running.exited;
        const took = performance.now() - began;
        t.deepEqual({ code, signal }, { code: 0, signal: null }, `${running.output()}`);
        t.deepEqual(
          (await Promise.all(answers)).filter((status) => status !== 303),
          [],
          `all were answered, kept alive: ${keepAlive}`,
        );
        t.true(took < 10_000, `${took} ms`);
        await t.throwsAsync(fetch(running.url), undefined, 'nothing listens any more');
        agent.destroy();
      }
    },
  );
}

test.serial(
  'a client that never ends its request, or only keeps its connection, cannot keep it from ending',
  async (t) => {
    const at = await place(t, 'SQLite');
    const running = await at.start();
    const { port } = new URL(running.url);
    const sockets = ['', 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf'].map((text) => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(text);
      return socket;
    });
    await fetch(running.url);
    await sleep(200);
    const began = performance.now();
    running.signal('SIGTERM');
    const { code } = await running.exited;
    t.is(code, 0);
    t.true(performance.now() - began < 12_000, `${performance.now() - began} ms`);
    for (const socket of sockets) socket.destroy();
  },
);

const isAway = (status: number, headers: Headers): boolean =>
  status === 503 && Number(headers.get('Retry-After')) > 0;

if (kinds.includes('MariaDB')) {
  for (const how of ['cut', 'hang'] as const) {
    test.serial(
      `MariaDB: while the line to the database is ${how === 'cut' ? 'cut' : 'silent'}, pages and tokens answer 503 with Retry-After, nobody gets in, and it recovers by itself within ten seconds (T150)`,
      async (t) => {
        let line: Awaited<ReturnType<typeof lineTo>> | undefined;
        const at = await place(t, 'MariaDB', {
          databaseUrl: async (url) => {
            line = await lineTo(t, url);
            return line.url;
          },
        });
        await at.apply(configuration);
        const running: Running = await at.start();
        const halfway = at.browser();
        await passwordStep(halfway, 'p1');
        const before = at.browser();
        await passwordStep(before, 'p2');
        await before.press('Verify', { code: codeNow() });
        const { body } = await at.redeem(before);
        const get = (path: string) =>
          fetch(`${running.url}${path}`, {
            headers: { Accept: 'text/html' },
            redirect: 'manual',
            signal: AbortSignal.timeout(20_000),
          });
        t.is((await get('/readyz')).status, 200);

        await (how === 'cut' ? line?.cut() : line?.hang());
        const began = performance.now();
        const authorize = at.browser();
        const silent = before.copy();
        const [ready, alive, token] = await Promise.all([
          get('/readyz'),
          get('/healthz'),
          at.post('/token', { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }),
          authorize.authorize(),
          silent.authorize({ prompt: 'none' }),
          halfway.press('Verify', { code: codeNow() }),
        ]);
        const took = performance.now() - began;
        t.is(ready.status, 503);
        t.is(alive.status, 200, 'it lives: nobody is helped by a restart');
        t.true(isAway(token.status, token.headers), `/token: ${token.status} ${JSON.stringify(token.body)}`);
        t.is(token.body.access_token, undefined);
        for (const [what, browser] of Object.entries({ authorize, silent, halfway })) {
          t.is(browser.callback, null, `${what}: ${browser.callback}`);
          t.true(
            isAway(browser.status, browser.headers),
            `${what}: ${browser.status} ${browser.headers.get('Retry-After')}`,
          );
          t.is(browser.heading, 'Sign-in is not available for a moment', what);
          t.notRegex(browser.text, /\bat .*\.ts:|ECONN|mysql/i, what);
        }
        t.true(took < 15_000, `answers came after ${took} ms`);

        await line?.restore();
        const recovered = await until(async () => (await get('/readyz')).status === 200, 10_000);
        t.not(recovered, null, 'ready again within ten seconds');
        const after = before.copy();
        await after.authorize({ prompt: 'none' });
        t.truthy(after.callback?.get('code'), 'who was signed in still is');
        const again = await at.post('/token', {
          grant_type: 'refresh_token',
          refresh_token: String(body.refresh_token),
        });
        t.is(again.status, 200, 'a refresh token whose use failed is still good');
        const late = at.browser();
        await passwordStep(late, 'p1');
        await late.press('Verify', { code: codeNow() });
        t.truthy(late.callback?.get('code'), 'and a code that was refused was not used up');
        t.regex(running.output(), /errorId/, 'the log tells of it');
        t.notRegex(running.output(), new RegExp(String(body.refresh_token)));
      },
    );
  }
}
