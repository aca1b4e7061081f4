import test from 'ava';
import { openDatabase } from '../../entities/database.ts';
import { TooLate } from '../../entities/lateness.ts';
import { describeError } from '../../http/errors.ts';
import { duringRequest } from '../../lib/current-request.ts';
import { createLog } from '../../lib/log.ts';
import { kinds } from '../configuration/fresh-database.ts';
import { acme, passwordStep, secret } from '../front-door/rig.ts';
import { codeNow, type Line, lineTo, place, sleep, until } from './process-rig.ts';

const configuration = acme({}, { p1: { totp: secret }, p2: { totp: secret } });

/** A request that gets no answer at all is the worst one. */
const within = <T>(ms: number, work: Promise<T>): Promise<T> =>
  Promise.race([
    work,
    sleep(ms).then(() => {
      throw new Error(`no answer within ${ms / 1000} seconds`);
    }),
  ]);

const isAway = (status: number, headers: Headers): boolean =>
  status === 503 && Number(headers.get('Retry-After')) > 0;

if (kinds.includes('MariaDB')) {
  for (const how of ['cut', 'hang'] as const) {
    test.serial(
      `MariaDB: while the line to the database is ${how === 'cut' ? 'cut' : 'silent'}, pages and tokens answer 503 with Retry-After, nobody gets in, it recovers by itself within ten seconds, and it can be ended without it (T150)`,
      async (t) => {
        let line: Line | undefined;
        const at = await place(t, 'MariaDB', {
          databaseUrl: async (url) => {
            line = await lineTo(t, url);
            return line.url;
          },
        });
        await at.apply(configuration);
        const running = await at.start();
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
          });
        t.is((await get('/readyz')).status, 200);

        await (how === 'cut' ? line?.cut() : line?.hang());
        const began = performance.now();
        const authorize = at.browser();
        const silent = before.copy();
        const [ready, alive, token] = await within(
          20_000,
          Promise.all([
            get('/readyz'),
            get('/healthz'),
            at.post('/token', { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }),
            authorize.authorize(),
            silent.authorize({ prompt: 'none' }),
            halfway.press('Verify', { code: codeNow() }),
          ]),
        );
        const took = performance.now() - began;
        t.is(ready.status, 503);
        t.deepEqual(await ready.json(), {
          status: 'the database cannot be reached',
          reason: how === 'cut' ? 'ECONNREFUSED' : 'PROTOCOL_SEQUENCE_TIMEOUT',
        });
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
        if (how === 'cut') {
          // Each answer comes in its own time, and all of them together are too many to wait for.
          const db = await openDatabase(line?.url ?? '');
          line?.delay(900);
          let answers = 0;
          const asking = duringRequest({ request: 'slow', late: 0 }, async () => {
            for (; answers < 50; answers += 1) await db.row('SELECT 1 AS one');
          });
          const error = await t.throwsAsync(asking, { instanceOf: TooLate });
          t.true(answers > 5 && answers < 12, `${answers} answers`);
          t.like(describeError(error, createLog({ logLevel: 'silent' })), {
            status: 503,
            title: 'This takes too long at the moment',
          });
          await duringRequest({ request: 'next', late: 0 }, () => db.row('SELECT 1 AS one'));
          line?.delay(0);
          await db.close();

          // A connection that is silent from its first words on takes nobody's place.
          const narrow = await openDatabase(line?.url ?? '', { poolSize: 1 });
          await line?.cut();
          await t.throwsAsync(narrow.row('SELECT 1 AS one'));
          await line?.restore();
          line?.silenceAt('SET SESSION');
          await t.throwsAsync(narrow.row('SELECT 1 AS one'), { code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
          line?.silenceAt(null);
          await sleep(2_100);
          t.deepEqual(await narrow.row('SELECT 1 AS one'), { one: 1 });
          await narrow.close();
        }
        t.regex(running.output(), /errorId/, 'the log tells of it');
        t.notRegex(running.output(), new RegExp(String(body.refresh_token)));

        await (how === 'cut' ? line?.cut() : line?.hang());
        const last = at.browser().authorize();
        await sleep(100);
        const told = performance.now();
        running.signal('SIGTERM');
        const { code, signal } = await within(20_000, running.exited);
        t.deepEqual(
          { code, signal },
          { code: 0, signal: null },
          `it ends well without its database: ${running.output().slice(-2000)}`,
        );
        t.true(performance.now() - told < 12_000, `it ended after ${performance.now() - told} ms`);
        await last.catch(() => {});
      },
    );
  }
}
