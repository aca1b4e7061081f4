import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { decodeJwt } from 'jose';
import { minutes } from '../../lib/clock.ts';
import { kinds } from '../configuration/fresh-database.ts';
import { acme, passwordStep, secret } from '../front-door/rig.ts';
import { silently } from './errands.ts';
import { codeNow, place, sleep } from './process-rig.ts';

const preload = path.resolve(import.meta.dirname, 'skewed-clock.ts');

test('SQLite: two servers on a machine whose clock is set back by an hour and set right again: who is in stays in, and what was used stays used (T151)', async (t) => {
  const at = await place(t, 'SQLite');
  const policy = { requirement: 'required_for_all', graceDays: 0, methods: ['totp'] };
  await at.apply(acme(policy, { ada: { totp: secret }, dan: { totp: secret } }));
  const file = path.join(at.dir, 'skew');
  writeFileSync(file, '0');
  const env = { NODE_OPTIONS: `--import=${preload}`, SKEW_FILE: file };
  const servers = await Promise.all([at.start(0, env), at.start(1, env)]);
  const setBy = async (ms: number) => {
    writeFileSync(file, String(ms));
    for (const server of servers) server.signal('SIGUSR2');
    await sleep(100);
  };
  const ada = at.browser(0);
  await passwordStep(ada, 'ada');
  const code = codeNow();
  await ada.press('Verify', { code });
  const { body } = await at.redeem(ada, 1);
  const dan = at.browser(0);
  await passwordStep(dan, 'dan');

  await setBy(-minutes(60));
  dan.replica = 1;
  await dan.press('Verify', { code: codeNow(secret, -120) });
  t.truthy(dan.callback?.get('code'), `${dan.status} ${dan.heading} ${dan.alert}`);
  for (const index of [0, 1]) {
    for (const browser of [ada, dan]) {
      const tab = browser.copy();
      tab.replica = index;
      t.is(await silently(tab), 'code');
    }
    const thief = at.browser(index);
    await passwordStep(thief, 'ada');
    await thief.press('Verify', { code: codeNow(secret, -120) });
    t.is(thief.status, 422, 'a code that is older than the last one');
  }
  const refresh = (index: number) =>
    at.post('/token', { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) }, index);
  t.is((await refresh(1)).status, 200);

  await setBy(0);
  const again = at.browser(1);
  await passwordStep(again, 'ada');
  await again.press('Verify', { code });
  t.is(again.status, 422, 'the code that was used before');
  t.is((await refresh(0)).status, 400, 'the refresh token too');
  t.is(await silently(dan), 'code');
  for (const { output } of servers) t.notRegex(output(), /"level":50/);
});

if (kinds.includes('MariaDB')) {
  test('MariaDB: two servers whose clocks are six minutes apart judge codes, sessions, ages and tokens by the one of the database; a clock that is set back by an hour changes nothing (T151)', async (t) => {
    const at = await place(t, 'MariaDB');
    await at.apply(
      acme(
        { requirement: 'required_for_all', graceDays: 0, methods: ['totp'], rememberDeviceDays: 30 },
        {
          ada: { totp: secret },
          bea: { totp: secret },
          cyd: { totp: secret },
          dan: { totp: secret },
        },
      ),
    );
    const skew = (index: number, ms: number) => {
      const file = path.join(at.dir, `skew-${index}`);
      writeFileSync(file, String(ms));
      return { NODE_OPTIONS: `--import=${preload}`, SKEW_FILE: file };
    };
    const [late, early] = [-minutes(3), minutes(3)];
    const servers = [await at.start(0, skew(0, late)), await at.start(1, skew(1, early))];

    // The password here, the code there; and a code is good at the true time only, once.
    const ada = at.browser(0);
    await passwordStep(ada, 'ada');
    ada.replica = 1;
    for (const steps of [-6, 6]) {
      await ada.press('Verify', { code: codeNow(secret, steps) });
      t.is(ada.status, 422, `a code of ${steps} steps`);
    }
    const code = codeNow();
    await ada.press('Verify', { code, remember: '1' });
    t.truthy(ada.callback?.get('code'), `${ada.status} ${ada.heading} ${ada.alert}`);
    const again = at.browser(0);
    await passwordStep(again, 'ada');
    await again.press('Verify', { code });
    t.is(again.status, 422, 'the same code at the other');

    // What one gave, the other takes; nothing is expired or not yet there.
    const { status, body } = await at.redeem(ada, 0);
    t.is(status, 200, JSON.stringify(body));
    const { iat = 0 } = decodeJwt(String(body.id_token));
    t.true(
      Math.abs(iat * 1000 - Date.now() - late) < 5000,
      'the clock of the first is late, as its tokens say',
    );
    for (const server of servers) {
      const me = await fetch(`${server.url}/me`, {
        headers: { Authorization: `Bearer ${body.access_token}` },
      });
      t.is(me.status, 200, server.url);
    }
    let refresh = String(body.refresh_token);
    for (const index of [1, 0, 1]) {
      const next = await at.post('/token', { grant_type: 'refresh_token', refresh_token: refresh }, index);
      t.is(next.status, 200, `${index}: ${JSON.stringify(next.body)}`);
      t.true(Number(next.body.expires_in) > 0);
      refresh = String(next.body.refresh_token);
      const claims = decodeJwt(String(next.body.id_token));
      t.true(Number(claims.exp) > Number(claims.iat));
    }

    // How long ago somebody signed in is asked of the one clock, whichever server saw it.
    for (const [who, from, to] of [
      ['bea', 0, 1],
      ['cyd', 1, 0],
    ] as const) {
      const browser = at.browser(from);
      await passwordStep(browser, who);
      await browser.press('Verify', { code: codeNow() });
      t.truthy(browser.callback?.get('code'), `${who}: ${browser.alert}`);
      const asked = async (params: Readonly<Record<string, string>>) => {
        const tab = browser.copy();
        tab.replica = to;
        await tab.authorize({ prompt: 'none', ...params });
        return tab.callback?.get('error') ?? 'code';
      };
      t.is(await asked({ max_age: '60' }), 'code', `${who}: a moment ago is within a minute`);
      await sleep(2100);
      t.is(await asked({ max_age: '1' }), 'login_required', `${who}: and two seconds are more than one`);
    }
    const tab = ada.copy();
    tab.replica = 0;
    t.is(await silently(tab), 'code');
    const remembered = ada.copy();
    for (const name of [...remembered.cookies.keys()].filter((one) => one.includes('session'))) {
      remembered.cookies.delete(name);
    }
    remembered.replica = 0;
    await passwordStep(remembered, 'ada');
    t.truthy(remembered.callback?.get('code'), `a remembered device at the other: ${remembered.heading}`);

    // NTP sets the first one back by an hour, in the middle of a sign-in.
    const dan = at.browser(0);
    await passwordStep(dan, 'dan');
    skew(0, late - minutes(60));
    servers[0]?.signal('SIGUSR2');
    await sleep(100);
    await dan.press('Verify', { code: codeNow() });
    t.truthy(dan.callback?.get('code'), `${dan.status} ${dan.heading} ${dan.alert}`);
    t.is((await at.redeem(dan, 1)).status, 200);
    const after = dan.copy();
    t.is(await silently(after), 'code');
    for (const { output } of servers) t.notRegex(output(), /"level":50/);
  });
}
