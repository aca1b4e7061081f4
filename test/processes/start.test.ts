import { spawn } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { projectRoot } from '../../config/settings.ts';
import { newKey } from '../../lib/key-ring.ts';
import { freshDir, kinds } from '../configuration/fresh-database.ts';
import { Browser } from '../front-door/browser.ts';
import { acme, password } from '../front-door/rig.ts';
import { codeNow, ended, freePort, place, run } from './process-rig.ts';

const start = path.join(projectRoot, 'cli/sallyport.js');

test.serial('npm start is ready in under three seconds, says so in one line, and shows a page', async (t) => {
  const times: number[] = [];
  // The machine may be busy with other tests: one of three must do, and what waits for a processor is not counted.
  const busy = Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
  for (let attempt = 0; attempt < 3 && !times.some((time) => time < 3000 * busy); attempt += 1) {
    const dir = freshDir(t);
    const port = await freePort();
    const running = await run(
      t,
      'npm',
      ['start', '--silent'],
      {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '',
        PORT: String(port),
        ISSUER: `http://127.0.0.1:${port}`,
        DATABASE_URL: `sqlite:${dir}/demo.sqlite`,
        DATA_DIR: dir,
      },
      '',
      { cwd: projectRoot, group: true },
    );
    times.push(running.readyAfter);
    t.is(running.output().match(/^Sallyport ready at /gm)?.length, 1);
    t.regex(running.output(), new RegExp(`^Sallyport ready at http://127\\.0\\.0\\.1:${port}$`, 'm'));
    t.is((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
    t.is((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200);
    running.signal('SIGTERM');
    await running.exited;
  }
  t.true(Math.min(...times) < 3000 * busy, `ready after ${times.map(Math.round)} ms, load ${busy}`);
});

for (const kind of kinds) {
  test.serial(
    `${kind}: two that start at once on an empty database both get ready, with the same keys`,
    async (t) => {
      for (let round = 0; round < 2; round += 1) {
        const at = await place(t, kind, { empty: true });
        const both = await Promise.all([at.start(0), at.start(1)]);
        const keys = await Promise.all(both.map(async ({ url }) => (await fetch(`${url}/jwks`)).json()));
        t.deepEqual(keys[0], keys[1]);
        for (const { url } of both) t.is((await fetch(`${url}/readyz`)).status, 200);
        for (const running of both) await running.kill();
      }
    },
  );

  test.serial(
    `${kind}: with other keys than the database was sealed by, nothing starts, and the message names the setting (T153)`,
    async (t) => {
      const at = await place(t, kind);
      await at.apply(acme({}));
      const wrong = newKey();
      const { code, output } = await at.sallyport(['start'], {
        SECRET_KEYS: wrong,
        PORT: String(at.ports[0]),
      });
      t.is(code, 1);
      t.regex(output, /SECRET_KEYS/);
      t.notRegex(output, /\n\s+at /, 'no stack trace');
      t.false(output.includes(wrong));
      await t.throwsAsync(fetch(`http://127.0.0.1:${at.ports[0]}/`), undefined, 'nothing listens');

      const rotated = await at.start(0, { SECRET_KEYS: `${wrong},${at.env.SECRET_KEYS}` });
      t.is((await fetch(`${rotated.url}/readyz`)).status, 200, 'a new key in front of the old one is right');
    },
  );
}

const production = {
  NODE_ENV: 'production',
  ISSUER: 'https://id.example.test',
  DATABASE_URL: '',
  SECRET_KEYS: newKey(),
  MAIL_URL: 'smtp://127.0.0.1:9',
  MAIL_FROM: 'id@example.test',
};

const refusals: Readonly<Record<string, { env: Record<string, string>; names: RegExp }>> = {
  'an http issuer': { env: { ISSUER: 'http://id.example.test' }, names: /ISSUER must start with https/ },
  'no issuer': { env: { ISSUER: '' }, names: /ISSUER must be set/ },
  'no keys': { env: { SECRET_KEYS: '' }, names: /SECRET_KEYS must be set/ },
  'keys that are too short': {
    env: { SECRET_KEYS: 'c2hvcnQ' },
    names: /SECRET_KEYS: key 1 must be 32 bytes/,
  },
  'a key of zeros': {
    env: { SECRET_KEYS: Buffer.alloc(32).toString('base64url') },
    names: /SECRET_KEYS: key 1 is not random/,
  },
  'no mail': { env: { MAIL_URL: '' }, names: /MAIL_URL must be set/ },
  'no database': { env: { DATABASE_URL: '' }, names: /DATABASE_URL must be set/ },
  'a default database password': {
    env: { DATABASE_URL: 'mysql://root:root@127.0.0.1:1/x' },
    names: /DATABASE_URL has an empty or default password/,
  },
  'an unknown log level': { env: { LOG_LEVEL: 'loud' }, names: /LOG_LEVEL/ },
};

test.serial(
  'in production nothing starts with a development default, and all that is wrong is named at once (T153)',
  async (t) => {
    const dir = freshDir(t);
    const tried = async (env: Record<string, string>) =>
      ended(
        spawn(process.execPath, [start, 'start'], {
          cwd: dir,
          env: {
            PATH: process.env.PATH ?? '',
            PORT: '0',
            DATA_DIR: path.join(dir, 'data'),
            ...production,
            DATABASE_URL: `sqlite:${dir}/production.sqlite`,
            ...env,
          },
        }),
      );
    await Promise.all(
      Object.entries(refusals).map(async ([what, { env, names }]) => {
        const { code, output } = await tried(env);
        t.is(code, 1, `${what}: ${output}`);
        t.regex(output, names, what);
        t.notRegex(output, /\n\s+at /, `${what}: no stack trace`);
        t.notRegex(output, /Sallyport ready/, what);
        for (const value of [env.SECRET_KEYS, production.SECRET_KEYS]) {
          if (value) t.false(output.includes(value), `${what}: no secret is shown`);
        }
      }),
    );
    const all = await tried({ ISSUER: '', SECRET_KEYS: '', MAIL_URL: '', MAIL_FROM: '', DATABASE_URL: '' });
    for (const name of ['ISSUER', 'SECRET_KEYS', 'MAIL_URL', 'MAIL_FROM', 'DATABASE_URL']) {
      t.regex(all.output, new RegExp(`- ${name} `), name);
    }
  },
);

test.serial('in production there is no demo: no people, no inbox, no known password', async (t) => {
  const dir = freshDir(t);
  const port = await freePort();
  const running = await run(t, process.execPath, [start, 'start'], {
    PATH: process.env.PATH ?? '',
    PORT: String(port),
    DATA_DIR: path.join(dir, 'data'),
    ...production,
    DATABASE_URL: `sqlite:${dir}/production.sqlite`,
  });
  const url = `http://127.0.0.1:${port}`;
  for (const page of ['inbox', 'gallery', 'gallery/0']) t.is((await fetch(`${url}/dev/${page}`)).status, 404);
  t.notRegex(running.output(), /correct horse|inbox|password/i);
  const discovery = await (await fetch(`${url}/.well-known/openid-configuration`)).json();
  t.is((discovery as { issuer: string }).issuer, production.ISSUER);
});

test.serial(
  'a second start on the same data keeps the demo, its people, their factors, sessions and keys',
  async (t) => {
    const dir = freshDir(t);
    const port = await freePort();
    const env = {
      PATH: process.env.PATH ?? '',
      PORT: String(port),
      ISSUER: `http://127.0.0.1:${port}`,
      DATABASE_URL: `sqlite:${dir}/demo.sqlite`,
      DATA_DIR: path.join(dir, 'data'),
      DEMO: '1',
    };
    const first = await run(t, process.execPath, [start, 'start'], env);
    const application = /Demo application\s+(http:\S+)/.exec(first.output())?.[1] ?? '';
    t.is((await fetch(application)).status, 200);
    t.regex(first.output(), /ben@acme\.test +member, must set up, may still skip for 5 days/);
    t.regex(first.output(), /elif@acme\.test +member, overdue: must set up now/);
    const redirect = `${application}/callback`;
    const browser = new Browser(env.ISSUER, [env.ISSUER]);
    const demo = { client_id: 'demo', redirect_uri: redirect };
    await browser.authorize(demo);
    t.regex(browser.text, /Demo application/, 'it has one name everywhere');
    await browser.press('Sign in', { email: 'elif@acme.test', password });
    t.is(browser.heading, 'Set up two-factor authentication');
    if (browser.buttons.includes('Continue')) await browser.press('Continue', { method: 'totp' });
    const secret = browser.totpSecret;
    const code = codeNow(secret);
    await browser.press('Confirm setup', { code });
    const codes = browser.recoveryCodes;
    t.is(codes.length, 8);
    const keys = await (await fetch(`${env.ISSUER}/jwks`)).json();
    first.signal('SIGTERM');
    t.is((await first.exited).code, 0);

    const second = await run(t, process.execPath, [start, 'start'], env);
    t.deepEqual(await (await fetch(`${env.ISSUER}/jwks`)).json(), keys);
    t.is(/Demo application\s+(http:\S+)/.exec(second.output())?.[1], application);
    t.regex(second.output(), /elif@acme\.test +member, has an authenticator app/, 'as it is by now');
    await browser.open(browser.url);
    t.deepEqual(browser.recoveryCodes, codes, 'the page that was open shows what it showed');
    const again = new Browser(env.ISSUER, [env.ISSUER]);
    await again.authorize(demo);
    await again.press('Sign in', { email: 'elif@acme.test', password });
    t.is(again.heading, 'Two-factor authentication');
    await again.press('Verify', { code });
    t.is(again.status, 422, 'the code that confirmed the set-up was its first use');
    const ben = new Browser(env.ISSUER, [env.ISSUER]);
    await ben.authorize(demo);
    await ben.press('Sign in', { email: 'ben@acme.test', password });
    t.true(ben.buttons.includes('Skip for now'), 'who may still skip may still skip');
    second.signal('SIGINT');
    t.is((await second.exited).code, 0);
  },
);
