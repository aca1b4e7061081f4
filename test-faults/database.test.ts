import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createConnection } from 'mysql2/promise';
import { freshDir, kinds } from '../test/configuration/fresh-database.ts';
import { acme, passwordStep, secret } from '../test/front-door/rig.ts';
import { errand, goOn, silently } from '../test/processes/errands.ts';
import { type MariadbServer, mariadbServer } from '../test/processes/mariadb-server.ts';
import {
  codeNow,
  type Line,
  lineTo,
  type Place,
  place,
  type Running,
  sleep,
  until,
} from '../test/processes/process-rig.ts';

const crowd = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${n}`, { totp: secret }]));
const configuration = acme({ requirement: 'required_for_all', graceDays: 0, methods: ['totp'] }, crowd);

const ready = async ({ url }: Running): Promise<number> => (await fetch(`${url}/readyz`)).status;

/** Whole sign-ins of so many people at once: how many came through, and the answers of those who did not. */
async function signIns(at: Place, from: number, count: number): Promise<{ through: number; told: number[] }> {
  const told: number[] = [];
  const done = await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const one = errand(at, `p${from + n}`);
      await goOn(one, false).catch(() => {});
      if (one.told !== 'signed in') told.push(one.browser.status);
      return one.told === 'signed in';
    }),
  );
  return { through: done.filter(Boolean).length, told };
}

/** Ready again within ten seconds, and somebody gets in, without anybody having touched the server (T150). */
async function recovers(t: ExecutionContext, at: Place, running: Running, who: number): Promise<void> {
  t.not(await until(async () => (await ready(running)) === 200, 10_000), null, 'ready again in ten seconds');
  const within = await until(async () => (await signIns(at, who, 1)).through === 1, 10_000);
  t.not(within, null, 'and somebody gets in');
  t.deepEqual(surprises(running), [], 'nothing happened that nobody expected');
}

/** What the log calls an error, but for the outbox, which says once that it cannot be read. */
const surprises = ({ output }: Running): readonly string[] =>
  output()
    .split('\n')
    .filter((line) => line.includes('"level":50') && !line.includes('the outbox cannot be read'));

async function behindLine(t: ExecutionContext, options: readonly string[] = []) {
  const server = await mariadbServer(t, options);
  let line: Line | undefined;
  const at = await place(t, 'MariaDB', {
    own: server.url,
    databaseUrl: async (url) => {
      line = await lineTo(t, url);
      return line.url;
    },
  });
  await at.apply(configuration);
  return { server, line: line as Line, at, running: await at.start() };
}

if (kinds.includes('MariaDB')) {
  test('a database that is slow makes sign-ins slow, not wrong; where it takes too long the answer is 503, and health is answered all the while (T150)', async (t) => {
    const { line, at, running } = await behindLine(t);
    line.delay(100);
    const began = performance.now();
    const slow = await signIns(at, 0, 4);
    t.log(`100 ms for each statement: ${slow.through} of 4 in ${Math.round(performance.now() - began)} ms`);
    t.is(slow.through, 4);
    for (const [ms, from] of [
      [2000, 4],
      [6000, 8],
    ] as const) {
      line.delay(ms);
      const started = performance.now();
      let slowest = 0;
      const health = setInterval(() => {
        const asked = performance.now();
        void fetch(`${running.url}/healthz`).then(() => {
          slowest = Math.max(slowest, performance.now() - asked);
        });
      }, 250);
      const one = errand(at, `p${from}`);
      await goOn(one, false).catch(() => {});
      clearInterval(health);
      const took = performance.now() - started;
      // A page asks the database some twenty things: it is not waited for all of them.
      t.true(took < 2 * 15_000, `${ms}: ${took} ms for two pages`);
      t.log(
        `${ms} ms: ${one.told}, at last ${one.browser.status}, in ${Math.round(performance.now() - started)} ms; health in ${Math.round(slowest)} ms at most`,
      );
      t.true(one.told === 'signed in' || one.browser.status === 503, `${ms}: ${one.browser.status}`);
      t.true(slowest < 1000, `health took ${slowest} ms`);
      line.delay(0);
      await recovers(t, at, running, from + 1);
    }
  });

  test('a database that has no connection left answers nobody for a moment, and everybody again when there is one (T150)', async (t) => {
    const { server, line, at, running } = await behindLine(t);
    const held = [];
    await server.admin('SET GLOBAL max_connections = 10');
    const kill = async () => {
      const rows = (await server.admin(
        "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'sallyport'",
      )) as { id: number }[];
      for (const { id } of rows) await server.admin(`KILL ${id}`).catch(() => {});
    };
    await line.cut();
    await kill();
    const taken = { uri: server.url };
    for (let n = 0; n < 10; n += 1) held.push(await createConnection(taken));
    await line.restore();
    const { through, told } = await signIns(at, 0, 5);
    t.is(through, 0);
    t.deepEqual([...new Set(told)], [503]);
    for (const connection of held) await connection.end();
    await recovers(t, at, running, 10);
  });

  test('tables that somebody locks hold the whole pool up: everybody is told so in bounded time, and it goes on when they are free (T150)', async (t) => {
    const { server, at, running } = await behindLine(t);
    const other = await createConnection(server.url);
    await other.query('LOCK TABLES users WRITE, limits WRITE');
    const began = performance.now();
    const { through, told } = await signIns(at, 0, 40);
    const took = performance.now() - began;
    t.is(through, 0);
    t.deepEqual([...new Set(told)], [503]);
    t.true(took < 20_000, `${took} ms`);
    await other.query('UNLOCK TABLES');
    await recovers(t, at, running, 41);
    await other.end();
  });

  test("one person's row that is held for long is waited for, then refused, and nobody else notices; held for short it goes through (T150)", async (t) => {
    const { server, at, running } = await behindLine(t);
    const other = await createConnection(server.url);
    const hold = async (who: string) => {
      await other.query('START TRANSACTION');
      await other.query(
        `SELECT f.id FROM factors f JOIN users u ON u.id = f.user_id WHERE u.email = '${who}@acme.test' FOR UPDATE`,
      );
    };
    const held = at.browser();
    await passwordStep(held, 'p0');
    await hold('p0');
    const began = performance.now();
    const waiting = held.press('Verify', { code: codeNow() });
    await sleep(500);
    const others = await signIns(at, 1, 6);
    t.is(others.through, 6, `others go on: ${others.told}`);
    await waiting;
    t.log(`held for long: ${held.status} after ${Math.round(performance.now() - began)} ms`);
    t.is(held.status, 503);
    t.is(held.callback, null);
    t.true(performance.now() - began < 20_000);
    await other.query('ROLLBACK');

    const brief = at.browser();
    await passwordStep(brief, 'p10');
    await hold('p10');
    const going = brief.press('Verify', { code: codeNow() });
    await sleep(2500);
    await other.query('ROLLBACK');
    await going;
    t.truthy(brief.callback?.get('code'), `held for 2.5 seconds: ${brief.status}`);
    await recovers(t, at, running, 20);
    await other.end();
  });

  for (const how of ['told to', 'killed'] as const) {
    test(`the database fails over to its replica (${how}): 503 for a moment, then everybody gets in, and what was used stays used (T150)`, async (t) => {
      const log = ['--log-bin=b', '--log-slave-updates', '--gtid-strict-mode=1', '--sync-binlog=0'];
      const { server: first, line, at, running } = await behindLine(t, ['--server-id=1', ...log]);
      const second = await mariadbServer(t, ['--server-id=2', '--read-only=1', ...log]);
      await replicate(first, second);

      const before = errand(at, 'p0');
      await goOn(before, false);
      t.is(before.told, 'signed in');
      const { body } = await at.redeem(before.browser);
      const halfway = at.browser();
      await passwordStep(halfway, 'p1');
      let load = true;
      const seen = new Map<number, number>();
      const loading = (async () => {
        for (let n = 10; load; n = n === 55 ? 10 : n + 1) {
          const one = errand(at, `p${n}`);
          await goOn(one, false).catch(() => {});
          const status = one.told === 'signed in' ? 200 : one.browser.status;
          seen.set(status, (seen.get(status) ?? 0) + 1);
          await sleep(20);
        }
      })();
      await sleep(1000);
      if (how === 'told to') {
        await first.admin('SET GLOBAL read_only = 1');
        const refused = at.browser();
        await passwordStep(refused, 'p2').catch(() => {});
        t.is(refused.status, 503, 'a database that takes no writes lets nobody in');
      }
      await caughtUp(first, second);
      if (how === 'killed') await first.stop('SIGKILL');
      await second.admin('STOP SLAVE; SET GLOBAL read_only = 0');
      line.leadTo(second.url);
      // Connections to the first are left as they are: whoever finds that it takes no writes must see to it.
      const began = performance.now();
      const back = await until(async () => (await signIns(at, 56, 1)).through === 1, 10_000);
      t.not(back, null, 'within ten seconds');
      t.log(`in again after ${Math.round(performance.now() - began)} ms`);
      await sleep(1500);
      load = false;
      await loading;
      t.log(`under load: ${JSON.stringify([...seen])}`);
      t.true(
        [...seen.keys()].every((status) => [200, 503, 422, 400, 409].includes(status)),
        JSON.stringify([...seen]),
      );
      t.is(await silently(before.browser), 'code', 'who was signed in still is');
      const refreshed = await at.post('/token', {
        grant_type: 'refresh_token',
        refresh_token: String(body.refresh_token),
      });
      t.is(refreshed.status, 200, JSON.stringify(refreshed.body));
      const again = await at.post('/token', {
        grant_type: 'refresh_token',
        refresh_token: String(body.refresh_token),
      });
      t.is(again.status, 400, 'once');
      await halfway.press('Verify', { code: codeNow() });
      t.truthy(halfway.callback?.get('code'), `a sign-in that began before goes on: ${halfway.status}`);
      t.is(await ready(running), 200);
      t.deepEqual(surprises(running), []);
    });
  }
}

async function replicate(first: MariadbServer, second: MariadbServer): Promise<void> {
  await first.admin("CREATE USER repl@'%' IDENTIFIED BY 'repl'; GRANT REPLICATION SLAVE ON *.* TO repl@'%'");
  // All of it from the beginning: what the second has of its own is the same.
  await second.admin(
    `STOP SLAVE; RESET MASTER; DROP DATABASE sallyport; DROP USER sallyport@'%'; RESET MASTER; SET GLOBAL gtid_slave_pos = '';
     CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${first.port}, MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos;
     START SLAVE`,
  );
  await caughtUp(first, second);
}

async function caughtUp(first: MariadbServer, second: MariadbServer): Promise<void> {
  const [{ at: position }] = (await first.admin('SELECT @@gtid_binlog_pos AS at')) as [{ at: string }];
  const reached = await until(async () => {
    const [{ done }] = (await second.admin(`SELECT MASTER_GTID_WAIT('${position}', 1) AS done`)) as [
      { done: number },
    ];
    return Number(done) === 0;
  }, 20_000);
  if (reached === null) throw new Error(JSON.stringify(await second.admin('SHOW SLAVE STATUS')));
}

/** A file system of so many megabytes; null where there is no right to mount one. */
function smallDisk(t: ExecutionContext, megabytes: number): string | null {
  const mount = path.join(freshDir(t), 'small');
  mkdirSync(mount);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', mount]).status !== 0) {
    t.log('not tried: no right to mount a small file system');
    t.pass();
    return null;
  }
  t.teardown(() => spawnSync('umount', ['-l', mount]));
  return mount;
}

/** Not one byte more gets onto the disk. */
function fill(mount: string): string {
  const filler = path.join(mount, 'filler');
  for (const size of [1 << 20, 4096]) {
    try {
      for (;;) writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
    } catch {
      // Full.
    }
  }
  return filler;
}

if (kinds.includes('MariaDB')) {
  test('the database server is killed under load and started again: 503 for as long, then everybody gets in, and what was used stays used (T150)', async (t) => {
    // What is written is on the disk when it is said to be, as in production.
    const { server, at, running } = await behindLine(t, ['--innodb-flush-log-at-trx-commit=1']);
    const before = errand(at, 'p0');
    await goOn(before, false);
    const { body } = await at.redeem(before.browser);
    const halfway = at.browser();
    await passwordStep(halfway, 'p1');
    const loading = signIns(at, 2, 12);
    await sleep(400);
    await server.stop('SIGKILL');
    const { told } = await loading;
    t.true(
      told.every((status) => status === 503),
      `${told}`,
    );
    const away = at.browser();
    await away.authorize();
    t.is(away.status, 503);
    await server.start();
    await recovers(t, at, running, 20);
    t.is(await silently(before.browser), 'code');
    const refresh = () =>
      at.post('/token', { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) });
    t.is((await refresh()).status, 200);
    t.is((await refresh()).status, 400, 'once');
    await halfway.press('Verify', { code: codeNow() });
    t.truthy(halfway.callback?.get('code'), 'a sign-in that began before goes on');
  });

  test('a full disk under the database server: 503, nobody is let in, nothing is half done, and it goes on when there is room (T153)', async (t) => {
    const mount = smallDisk(t, 260);
    if (mount === null) return;
    const server = await mariadbServer(t, ['--innodb-fast-shutdown=0', '--tmpdir=/tmp'], mount);
    const at = await place(t, 'MariaDB', { own: server.url });
    await at.apply(configuration);
    const running = await at.start();
    const before = errand(at, 'p0');
    await goOn(before, false);
    const { body } = await at.redeem(before.browser);
    const halfway = at.browser();
    await passwordStep(halfway, 'p1');
    const filler = fill(mount);
    // What the server has room for in its files already, it takes: something large must want more.
    const greedy = await createConnection(server.url);
    await greedy.query('CREATE TABLE greedy (t LONGTEXT)').catch(() => {});
    const refused = await greedy
      .query("INSERT INTO greedy SELECT REPEAT('x', 30000000)")
      .then(() => null)
      .catch((error: { code: string }) => error.code);
    t.log(`the server says ${refused}`);
    const { through, told } = await signIns(at, 2, 8);
    t.log(`${through} of 8 came through, the others were told ${[...new Set(told)]}`);
    t.true(
      told.every((status) => status === 503),
      `${told}`,
    );
    t.is((await fetch(`${running.url}/healthz`)).status, 200);
    rmSync(filler);
    await greedy.query('DROP TABLE IF EXISTS greedy').catch(() => {});
    await greedy.end();
    await recovers(t, at, running, 20);
    t.is(await silently(before.browser), 'code');
    const again = await at.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(body.refresh_token),
    });
    t.is(again.status, 200);
    await halfway.press('Verify', { code: codeNow() });
    t.truthy(halfway.callback?.get('code'));
  });
}

test('a full disk under the embedded database: nobody is let in, nothing is lost, and it goes on when there is room (T153)', async (t) => {
  const mount = smallDisk(t, 24);
  if (mount === null) return;
  const file = path.join(mount, 'test.sqlite');
  const at = await place(t, 'SQLite', { own: `sqlite:${file}` });
  await at.apply(configuration);
  const running = await at.start();
  const before = errand(at, 'p0');
  await goOn(before, false);
  const { body } = await at.redeem(before.browser);
  const halfway = at.browser();
  await passwordStep(halfway, 'p1');

  const filler = fill(mount);
  // Pages that SQLite has already may take a few writes more.
  const refusals: number[] = [];
  for (let n = 2; n < 40 && refusals.length < 5; n += 1) {
    const { through, told } = await signIns(at, n, 1);
    if (through === 0) refusals.push(...told);
    fill(mount);
  }
  t.deepEqual([...new Set(refusals)], [503]);
  await halfway.press('Verify', { code: codeNow() }).catch(() => {});
  t.is(halfway.callback, null, 'nobody gets in');
  t.is(halfway.status, 503);
  t.is((await fetch(`${running.url}/healthz`)).status, 200);
  const refused = await at.post('/token', {
    grant_type: 'refresh_token',
    refresh_token: String(body.refresh_token),
  });
  t.is(refused.status, 503, JSON.stringify(refused.body));

  rmSync(filler);
  await recovers(t, at, running, 50);
  const again = await at.post('/token', {
    grant_type: 'refresh_token',
    refresh_token: String(body.refresh_token),
  });
  t.is(again.status, 200, 'a refresh that failed used nothing up');
  const late = at.browser();
  await passwordStep(late, 'p1');
  await late.press('Verify', { code: codeNow() });
  t.truthy(late.callback?.get('code'), 'and a code that was refused was not used up');
});
