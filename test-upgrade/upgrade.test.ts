import test from 'ava';
import type { Database } from '../entities/database.ts';
import { kinds } from '../test/configuration/fresh-database.ts';
import type { Browser } from '../test/front-door/browser.ts';
import { acme, passwordStep, secret } from '../test/front-door/rig.ts';
import { silently } from '../test/processes/errands.ts';
import { codeNow, type Place, place, type Running, run, sleep } from '../test/processes/process-rig.ts';
import { versionBefore } from './version-before.ts';

/**
 * The version before and this one on one database, as they are while servers are replaced one by one: whoever began at the one goes on
 * at the other, in both directions, and going back is starting the one before.
 */
const before = versionBefore();
test.after.always(() => before.remove());

const offline = { scope: 'openid offline_access', prompt: 'consent' };
const people = Object.fromEntries([
  ...Array.from({ length: 30 }, (_, n) => [`p${n}`, { totp: secret }]),
  ...Array.from({ length: 4 }, (_, n) => [`n${n}`, {}]),
]);
const configuration = acme(
  { requirement: 'required_for_all', graceDays: 0, methods: ['totp'], rememberDeviceDays: 30 },
  people,
);

const columns = (db: Database) =>
  db.dialect === 'sqlite'
    ? db.rows<object>(
        "SELECT m.name AS t, p.name AS c FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2",
      )
    : db.rows<object>(
        'SELECT table_name AS t, column_name AS c FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY 1, 2',
      );

for (const kind of kinds) {
  test(`${kind}: people go on from ${before.name} to this version and back, one server after the other, and nobody notices (T153)`, async (t) => {
    const startOld = (at: Place): Promise<Running> =>
      run(
        t,
        process.execPath,
        [before.bin, 'start'],
        { ...at.env, PORT: String(at.ports[0]) },
        `http://127.0.0.1:${at.ports[0]}`,
      );
    const newest = await place(t, kind, { empty: true });
    await newest.sallyport(['migrate']);
    const shape = await newest.look(columns);

    let at = await place(t, kind, { empty: true });
    let old = await startOld(at);
    const migrated = await at.sallyport(['migrate']);
    t.is(migrated.code, 0, migrated.output);
    t.log(migrated.output.trim());
    if (JSON.stringify(await at.look(columns)) !== JSON.stringify(shape)) {
      t.false(before.isReleased, 'a schema that was released is changed by migrations, and by nothing else');
      t.log(
        `the schema of ${before.name} was never released, and is another: both run on that of this version`,
      );
      await old.kill();
      at = await place(t, kind, { empty: true });
      await at.sallyport(['migrate']);
      old = await startOld(at);
    }
    await at.apply(configuration);

    // All of it begins at the version before.
    const signedIn: { who: number; browser: Browser; refresh: string }[] = [];
    const enter = async (who: number, index: number, other = index) => {
      const browser = at.browser(index);
      await passwordStep(browser, `p${who}`, offline);
      browser.replica = other;
      if (browser.callback === null) await browser.press('Verify', { code: codeNow(), remember: '1' });
      t.truthy(
        browser.callback?.get('code'),
        `p${who}: ${browser.status} ${browser.heading} ${browser.alert}`,
      );
      const { status, body } = await at.redeem(browser, index);
      t.is(status, 200, JSON.stringify(body));
      signedIn.push({ who, browser, refresh: String(body.refresh_token) });
      const access = `Bearer ${body.access_token}`;
      for (const port of at.ports.slice(0, index === other ? 1 : 2)) {
        const me = await fetch(`http://127.0.0.1:${port}/me`, { headers: { Authorization: access } });
        t.is(me.status, 200);
      }
    };
    for (let n = 0; n < 4; n += 1) await enter(n, 0);
    const halfway = at.browser(0);
    await passwordStep(halfway, 'p4', offline);
    const settingUp = at.browser(0);
    await passwordStep(settingUp, 'n0');
    const seen = settingUp.totpSecret;

    // This version starts beside it.
    const now = await at.start(1);
    t.deepEqual(
      [(await fetch(`${now.url}/readyz`)).status, (await fetch(`${old.url}/readyz`)).status],
      [200, 200],
    );
    halfway.replica = 1;
    await halfway.press('Verify', { code: codeNow() });
    t.truthy(halfway.callback?.get('code'), `${halfway.status} ${halfway.alert}`);
    t.is((await at.redeem(halfway, 0)).status, 200, 'a code of this version at the one before');
    settingUp.replica = 1;
    await settingUp.press('Confirm setup', { code: codeNow(seen) });
    t.is(settingUp.recoveryCodes.length, 8);
    const [recovery = ''] = settingUp.recoveryCodes;
    settingUp.replica = 0;
    await settingUp.press('Continue', { saved: '1' });
    t.truthy(settingUp.callback?.get('code'));
    for (let n = 5; n < 13; n += 1) await enter(n, n % 2, (n + 1) % 2);

    for (let round = 0; round < 4; round += 1) {
      for (const one of signedIn) {
        one.browser.replica = round % 2;
        t.is(await silently(one.browser), 'code', `p${one.who} at ${round % 2}`);
        const { status, body } = await at.post(
          '/token',
          { grant_type: 'refresh_token', refresh_token: one.refresh },
          (round + one.who) % 2,
        );
        t.is(status, 200, `p${one.who}: ${JSON.stringify(body)}`);
        one.refresh = String(body.refresh_token);
      }
    }
    // What was used at the one is used at the other, and what is remembered by the one is by the other.
    const lost = at.browser(1);
    await passwordStep(lost, 'n0');
    await lost.follow('Use a recovery code');
    await lost.press('Verify', { code: recovery });
    t.not(lost.heading, 'Two-factor authentication');
    const again = at.browser(0);
    await passwordStep(again, 'n0');
    await again.follow('Use a recovery code');
    await again.press('Verify', { code: recovery });
    t.is(again.callback, null);
    const [known] = signedIn;
    if (known) {
      known.browser.replica = 1;
      await known.browser.open('/session/end');
      await known.browser.press('Sign out', { logout: 'yes' });
      known.browser.replica = 0;
      t.is(await silently(known.browser), 'login_required', 'out at both');
      await passwordStep(known.browser, `p${known.who}`);
      t.truthy(known.browser.callback?.get('code'), 'and the device is remembered');
    }

    // The one before goes, and comes back: that is going back.
    old.signal('SIGTERM');
    t.is((await old.exited).code, 0);
    for (const one of signedIn.slice(1)) {
      one.browser.replica = 1;
      t.is(await silently(one.browser), 'code');
    }
    old = await startOld(at);
    now.signal('SIGTERM');
    t.is((await now.exited).code, 0);
    for (const one of signedIn.slice(1)) {
      one.browser.replica = 0;
      t.is(await silently(one.browser), 'code');
      t.is(
        (await at.post('/token', { grant_type: 'refresh_token', refresh_token: one.refresh }, 0)).status,
        200,
      );
    }
    await sleep(3000);
    for (const { output } of [old, now]) t.notRegex(output(), /"level":50/);
  });
}
