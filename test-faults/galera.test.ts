import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { freshDir, kinds } from '../test/configuration/fresh-database.ts';
import type { Browser } from '../test/front-door/browser.ts';
import { acme, passwordStep, secret } from '../test/front-door/rig.ts';
import { errand, goOn } from '../test/processes/errands.ts';
import { type MariadbServer, mariadbServer } from '../test/processes/mariadb-server.ts';
import { codeNow, freePort, place, until } from '../test/processes/process-rig.ts';

const library = '/usr/lib/galera/libgalera_smm.so';

/**
 * One node on loopback; the first makes the cluster, and others join it at the first one's group port. What is copied to whoever joins
 * goes by rsync, which does nothing as root.
 */
async function node(
  t: ExecutionContext,
  first: number | null,
): Promise<{ server: MariadbServer; group: number }> {
  const [group, ist, sst] = [await freePort(), await freePort(), await freePort()];
  const dir = freshDir(t);
  const own = userInfo().username;
  const user = own === 'root' ? 'mysql' : own;
  if (own === 'root') spawnSync('chown', [user, dir]);
  const options = [
    ...[
      '--binlog-format=ROW',
      '--innodb-autoinc-lock-mode=2',
      '--wsrep-on=ON',
      `--wsrep-provider=${library}`,
    ],
    ...['--wsrep-cluster-name=sallyport', `--wsrep-node-address=127.0.0.1:${group}`, '--wsrep-sync-wait=1'],
    ...['--wsrep-sst-method=rsync', `--wsrep-sst-receive-address=127.0.0.1:${sst}`],
    `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${group};ist.recv_addr=127.0.0.1:${ist}`,
    ...(first === null
      ? ['--wsrep-new-cluster', '--wsrep-cluster-address=gcomm://']
      : [`--wsrep-cluster-address=gcomm://127.0.0.1:${first}`]),
  ];
  return { server: await mariadbServer(t, options, dir, user), group };
}

const twenty = <T>(one: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: 20 }, (_, n) => one(n % 2)));

if (kinds.includes('MariaDB')) {
  test('two nodes of a Galera cluster, a server at each, both begun on the empty database: of twenty at once one gets through, guesses have one count, and without a majority everybody is told to wait (T022, T128, T129, T140, T150)', async (t) => {
    if (!existsSync(library) || spawnSync('rsync', ['--version']).status !== 0) {
      t.log('not tried: galera-4 or rsync is not there');
      t.pass();
      return;
    }
    const one = await node(t, null);
    const two = await node(t, one.group);
    const at = await place(t, 'MariaDB', { own: one.server.url });
    const servers = await Promise.all([at.start(0), at.start(1, { DATABASE_URL: two.server.url })]);
    const people = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`p${n}`, { totp: secret }]));
    await at.apply(acme({ requirement: 'required_for_all', graceDays: 0, methods: ['totp'] }, people));

    const waiting = async (who: string) => {
      const browsers: Browser[] = [];
      for (let n = 0; n < 20; n += 1) {
        const browser = at.browser(n % 2);
        await passwordStep(browser, who);
        browsers.push(browser);
      }
      return browsers;
    };
    const racing = await waiting('p0');
    const code = codeNow();
    await Promise.all(racing.map((browser) => browser.press('Verify', { code })));
    const [winner, ...others] = racing.filter(({ callback }) => callback?.has('code'));
    t.deepEqual(others, [], 'a code of the authenticator app');
    if (!winner) return t.fail('nobody got in');
    const answers = async (ask: (index: number) => Promise<{ status: number }>) =>
      (await twenty(ask)).filter(({ status }) => status === 200).length;
    t.is(await answers((index) => at.redeem(winner, index)), 1, 'an authorization code');
    const tab = winner.copy();
    await tab.authorize({ prompt: 'none' });
    const { body } = await at.redeem(tab);
    const fields = { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) };
    t.is(await answers((index) => at.post('/token', fields, index)), 1, 'a refresh token');

    const guessing = await waiting('p1');
    await Promise.all(guessing.map((browser) => browser.press('Verify', { code: '000000' })));
    const told = guessing.map(({ status }) => status);
    // One whose write met another's three times is told to come again, and has not been looked at.
    t.true(told.filter((status) => status === 422).length <= 5, `guesses that were looked at: ${told}`);
    t.true(
      told.every((status) => [422, 429, 503].includes(status)),
      `${told}`,
    );
    for (let n = 2; n < 10; n += 1) {
      const going = errand(at, `p${n}`);
      going.browser.replica = n % 2;
      await goOn(going, false);
      t.is(going.told, 'signed in', `${going.browser.status} ${going.browser.heading}`);
    }

    await two.server.stop('SIGKILL');
    const ready = async () => (await fetch(`${servers[0].url}/readyz`)).status;
    const isAlone = async () => {
      const [status] = (await one.server.admin("SHOW STATUS LIKE 'wsrep_cluster_status'")) as [
        { Value: string },
      ];
      return status.Value !== 'Primary';
    };
    t.not(await until(isAlone, 20_000), null, 'a node without the majority');
    t.is(await ready(), 503, 'takes nothing');
    const refused = at.browser();
    await refused.authorize();
    t.is(refused.status, 503);
    await one.server.admin("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'");
    t.not(
      await until(async () => (await ready()) === 200, 10_000),
      null,
      'and goes on as soon as it has one',
    );
    const last = errand(at, 'p10');
    await goOn(last, false);
    t.is(last.told, 'signed in');
    for (const { output } of servers) {
      t.notRegex(output().replaceAll(/.*the outbox cannot be read.*/g, ''), /"level":50/);
    }
  });
}
