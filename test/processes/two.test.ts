import test, { type ExecutionContext } from 'ava';
import { decodeJwt } from 'jose';
import { kinds } from '../configuration/fresh-database.ts';
import { apiClient } from '../front-door/api-rig.ts';
import type { Browser } from '../front-door/browser.ts';
import { acme, password, passwordStep, secret } from '../front-door/rig.ts';
import { codeNow, type Place, place, sleep } from './process-rig.ts';

const configuration = acme(
  {},
  {
    ada: { totp: secret },
    bea: {},
    fay: { totp: secret },
    gil: {},
    eve: { extra: { memberships: [] } },
  },
  {
    organizations: [
      {
        slug: 'strict',
        name: 'Strict',
        policy: { requirement: 'required_for_all', graceDays: 0, methods: ['totp'] },
      },
    ],
    applications: [apiClient('siem', 'acme')],
  },
);

/** Twenty of the same, half of them at each process. */
const twenty = <T>(one: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: 20 }, (_, n) => one(n % 2)));

function exactlyOne(
  t: ExecutionContext,
  answers: readonly { status: number; body: Record<string, unknown> }[],
) {
  const seen = JSON.stringify(answers.map(({ status, body }) => [status, body.error]));
  t.is(answers.filter(({ status }) => status === 200).length, 1, seen);
  t.true(
    answers.every(({ status, body }) => status === 200 || (status === 400 && body.error === 'invalid_grant')),
    seen,
  );
}

/** Twenty browsers that have given the password and wait for what comes next. */
async function waiting(at: Place, who: string): Promise<Browser[]> {
  const browsers: Browser[] = [];
  for (let n = 0; n < 20; n += 1) {
    const browser = at.browser(n % 2);
    await passwordStep(browser, who);
    browsers.push(browser);
  }
  return browsers;
}

const subjectOf = (body: Readonly<Record<string, unknown>>) => decodeJwt(String(body.id_token));

/**
 * A step-up, and then a change of person, at one process, while twenty requests of the same browser come to both with what it had before:
 * what was proved last is kept, nobody is mixed with anybody, and what the late ones got is of the person whose session it was (T155).
 */
async function sessionAcross(t: ExecutionContext, at: Place): Promise<void> {
  const browser = at.browser(0);
  await passwordStep(browser, 'fay');
  await browser.press('Verify', { code: codeNow(secret, -1) });
  const before = subjectOf((await at.redeem(browser)).body);
  const late = (session: Browser) => {
    const old = session.copy();
    return twenty(async (index) => {
      const tab = old.copy();
      tab.replica = index;
      await tab.authorize({ prompt: 'none' });
      return tab;
    });
  };
  const stepUp = browser.copy();
  // Moments in tokens are whole seconds.
  await sleep(1100);
  await stepUp.authorize({ prompt: 'login', max_age: '0', acr_values: 'urn:sallyport:acr:2fa' });
  await stepUp.press('Sign in', { email: 'fay@acme.test', password });
  const [tabs] = await Promise.all([late(browser), stepUp.press('Verify', { code: codeNow() })]);
  const proved = subjectOf((await at.redeem(stepUp)).body);
  t.true(Number(proved.auth_time) > Number(before.auth_time));
  for (const index of [0, 1]) {
    const after = stepUp.copy();
    after.replica = index;
    await after.authorize({ prompt: 'none', acr_values: 'urn:sallyport:acr:2fa' });
    t.like(subjectOf((await at.redeem(after)).body), {
      sub: before.sub as string,
      acr: 'urn:sallyport:acr:2fa',
      auth_time: proved.auth_time as number,
    });
  }
  for (const { status, callback, heading } of tabs)
    t.true(callback !== null || status < 500, `${status} ${heading}`);

  const other = stepUp.copy();
  await other.authorize({ prompt: 'login' });
  const [strays] = await Promise.all([
    late(stepUp),
    other.press('Sign in', { email: 'gil@acme.test', password }),
  ]);
  const gil = subjectOf((await at.redeem(other)).body);
  t.not(gil.sub, before.sub);
  t.deepEqual(gil.amr, ['pwd'], "nobody's proof is another's");
  for (const stray of strays) {
    const { status, body } = await at.redeem(stray);
    if (status !== 200) continue;
    const { sub, amr } = subjectOf(body);
    t.deepEqual(amr, sub === gil.sub ? ['pwd'] : ['pwd', 'otp', 'mfa']);
  }
  for (const index of [0, 1]) {
    const after = other.copy();
    after.replica = index;
    await after.authorize({ prompt: 'none' });
    t.is(subjectOf((await at.redeem(after)).body).sub, gil.sub);
    const thief = stepUp.copy();
    thief.replica = index;
    await thief.authorize({ prompt: 'none' });
    t.is(thief.callback?.get('error'), 'login_required', 'what the browser had before is worth nothing');
  }
}

/** Disconnected at one process, out at the other; ten requests under one Idempotency-Key at both do it once (T106, T154). */
async function disconnectAcross(t: ExecutionContext, at: Place): Promise<void> {
  const call = async (index: number, path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${at.ports[index]}${path}`, init);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
    };
  };
  const browser = at.browser(1);
  await passwordStep(browser, 'bea');
  const tokens = await at.redeem(browser);
  const granted = await call(0, '/token', {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from('siem:siem-secret').toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'sessions:write' }),
  });
  const { sub } = decodeJwt(String(tokens.body.id_token));
  // Twenty silent requests are under way at both meanwhile, and none of them brings the session back.
  const underWay = twenty(async (index) => {
    const tab = browser.copy();
    tab.replica = index;
    await tab.authorize({ prompt: 'none' });
    return tab;
  });
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      call(n % 2, `/api/v1/users/${sub}/disconnect`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${granted.body.access_token}`,
          'Content-Type': 'application/json',
          'Idempotency-Key': 'incident',
        },
        body: JSON.stringify({ reason: 'two processes' }),
      }),
    ),
  );
  const seen = answers.map(({ status, headers }) => `${status} ${headers.get('Idempotency-Replayed') ?? ''}`);
  t.is(seen.filter((one) => one === '200 ').length, 1, String(seen));
  t.true(
    seen.every((one) => ['200 ', '200 true', '409 '].includes(one)),
    String(seen),
  );
  for (const tab of await underWay) {
    t.true(tab.callback !== null || tab.status < 500, `${tab.status} ${tab.heading}`);
    const { status, body } = await at.redeem(tab);
    t.deepEqual([status, body.error], [400, tab.callback?.has('code') ? 'invalid_grant' : body.error]);
  }
  for (const index of [0, 1]) {
    browser.replica = index;
    await browser.authorize({ prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required');
  }
  const refused = await at.post(
    '/token',
    { grant_type: 'refresh_token', refresh_token: String(tokens.body.refresh_token) },
    1,
  );
  t.is(refused.body.error, 'invalid_grant');
}

for (const kind of kinds) {
  test.serial(
    `${kind}: two processes on one database give one answer to twenty at once: for a code, a refresh token, a TOTP step and a recovery code; sessions are one for both (T022, T028, T106, T128, T129, T154, T155)`,
    async (t) => {
      const at = await place(t, kind);
      await at.apply({
        ...configuration,
        users: [
          ...(configuration as { users: object[] }).users.filter(
            (user) => (user as { name: string }).name !== 'eve',
          ),
          {
            ...(configuration as { users: object[] }).users.find(
              (user) => (user as { name: string }).name === 'eve',
            ),
            memberships: [{ organization: 'strict', role: 'member' }],
          },
        ],
      });
      const both = await Promise.all([at.start(0), at.start(1)]);

      const bea = at.browser(0);
      await passwordStep(bea, 'bea');
      t.truthy(bea.callback?.get('code'), bea.heading);
      exactlyOne(t, await twenty((index) => at.redeem(bea, index)));
      await bea.authorize({ prompt: 'none' });
      const { body } = await at.redeem(bea);
      exactlyOne(
        t,
        await twenty((index) =>
          at.post(
            '/token',
            { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) },
            index,
          ),
        ),
      );

      const ada = await waiting(at, 'ada');
      const code = codeNow();
      await Promise.all(ada.map((browser) => browser.press('Verify', { code })));
      t.is(ada.filter(({ callback }) => callback?.has('code')).length, 1, 'one TOTP step');
      t.true(ada.every(({ callback, status }) => callback !== null || status === 422 || status === 429));
      const signedIn = await Promise.all(
        ada.map(async (browser) => {
          const silent = browser.copy();
          await silent.authorize({ prompt: 'none' });
          return silent.callback?.has('code') === true;
        }),
      );
      t.is(signedIn.filter(Boolean).length, 1, 'one session');

      const eve = at.browser(1);
      await passwordStep(eve, 'eve');
      t.is(eve.heading, 'Set up two-factor authentication');
      const own = eve.totpSecret;
      await eve.press('Confirm setup', { code: codeNow(own) });
      const [recovery = ''] = eve.recoveryCodes;
      t.is(eve.recoveryCodes.length, 8);
      await eve.press('Continue', { saved: '1' });
      const lost = await waiting(at, 'eve');
      for (const browser of lost) await browser.follow('Use a recovery code');
      await Promise.all(lost.map((browser) => browser.press('Verify', { code: recovery })));
      const through = lost.filter(
        ({ heading, status }) => status === 200 && heading !== 'Two-factor authentication',
      );
      t.is(
        through.length,
        1,
        `one recovery code: ${lost.map(({ status, heading }) => `${status} ${heading}`)}`,
      );
      const used = await at.look((db) =>
        db.row<{ n: number }>('SELECT COUNT(*) AS n FROM recovery_codes WHERE used_at IS NOT NULL'),
      );
      t.is(Number(used?.n), 1);
      const told = await at.look((db) =>
        db.row<{ n: number }>("SELECT COUNT(*) AS n FROM audit_events WHERE type = 'recovery_code.used'"),
      );
      t.is(Number(told?.n), 1, 'one use, one event');
      await disconnectAcross(t, at);
      await sessionAcross(t, at);
      for (const { output } of both) t.notRegex(output(), /"level":50/);
    },
  );
}
