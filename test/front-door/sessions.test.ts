import parallel, { type ExecutionContext } from 'ava';
import type { Database } from '../../entities/database.ts';
import { endSession } from '../../entities/sessions.ts';
import { userByEmail } from '../../entities/users.ts';
import { disconnectUser } from '../../flows/disconnect-user.ts';
import { hours, minutes, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  passwordStep,
  redeem,
  secret,
  signIn,
  type TokenAnswer,
} from './rig.ts';

const acr2fa = 'urn:sallyport:acr:2fa';
const replicas = 2;

/** Does the work on one server, and something else just before its n-th statement. False where it has fewer statements. */
async function interrupted(
  door: FrontDoor,
  n: number,
  work: () => Promise<unknown>,
  meanwhile: () => Promise<unknown>,
): Promise<boolean> {
  const db = door.apps[0]?.services.db as { -readonly [Name in keyof Database]: Database[Name] };
  const { rows, row, change, together } = db;
  let count = 0;
  let happened: Promise<unknown> = Promise.resolve();
  const before = async (sql = '') => {
    // Mail is delivered beside the requests.
    if (sql.includes('outbox')) return;
    count += 1;
    if (count !== n) return;
    happened = meanwhile();
    await happened;
  };
  Object.assign(db, {
    rows: async (...given: Parameters<Database['rows']>) => {
      await before(given[0]);
      return rows(...given);
    },
    row: async (...given: Parameters<Database['row']>) => {
      await before(given[0]);
      return row(...given);
    },
    change: async (...given: Parameters<Database['change']>) => {
      await before(given[0]);
      return change(...given);
    },
    together: async (...given: Parameters<Database['together']>) => {
      await before();
      return together(...given);
    },
  });
  try {
    await work();
    await happened;
  } finally {
    Object.assign(db, { rows, row, change, together });
  }
  return count >= n;
}

/** The same database by another server, whose statements are not counted. */
function elsewhere(door: FrontDoor): Database {
  const app = door.apps[1];
  if (!app) throw new Error('one server only');
  return app.services.db;
}

/** Every moment of a piece of work at which something else can happen; each with a fresh start. */
async function everyMoment(
  t: ExecutionContext,
  door: FrontDoor,
  { atLeast, stride = 1 }: { atLeast: number; stride?: number },
  one: (n: number) => Promise<{
    work: () => Promise<unknown>;
    meanwhile: () => Promise<unknown>;
    after: () => Promise<void>;
  }>,
): Promise<void> {
  let n = 1;
  for (; n < 80; n += stride) {
    const { work, meanwhile, after } = await one(n);
    if (!(await interrupted(door, n, work, meanwhile))) break;
    await after();
  }
  t.true(n > atLeast && n < 80, `${n - 1} moments`);
}

/** Another tab of the same browser: what one is given, the other has. */
const tabOf = (browser: Browser, replica: number): Browser =>
  Object.assign(browser.copy(), { cookies: browser.cookies, replica });

/** A copy of the cookies as they are now: a thief, or a tab that knows nothing of what follows. */
const copyOf = (browser: Browser, replica: number): Browser => Object.assign(browser.copy(), { replica });

async function silently(
  browser: Browser,
  replica: number,
  params: Readonly<Record<string, string>> = {},
): Promise<{ outcome: string; tab: Browser }> {
  const tab = copyOf(browser, replica);
  await tab.authorize({ prompt: 'none', ...params });
  const outcome = tab.callback?.has('code') ? 'code' : (tab.callback?.get('error') ?? `${tab.status}`);
  return { outcome, tab };
}

async function isOut(t: ExecutionContext, browser: Browser, what: string): Promise<void> {
  for (let replica = 0; replica < replicas; replica += 1) {
    t.is((await silently(browser, replica)).outcome, 'login_required', `${what}, server ${replica}`);
  }
}

/** A code that a tab came back with, if it did, gives nothing. */
async function redeemsNothing(
  t: ExecutionContext,
  door: FrontDoor,
  tab: Browser,
  what: string,
): Promise<void> {
  const code = tab.callback?.get('code');
  if (!code) return;
  const { status } = await door.tokens(code, tab.verifier, { clientId: tab.clientId, replica: 1 });
  t.is(status, 400, `${what}: a code from a request that was under way`);
}

async function tokensAreDead(t: ExecutionContext, door: FrontDoor, { body }: TokenAnswer, what: string) {
  for (let replica = 0; replica < replicas; replica += 1) {
    if (body.access_token !== undefined) {
      const bearer = String(body.access_token);
      t.is((await door.post('/me', {}, { bearer, replica })).status, 401, `${what}: userinfo`);
      const asked = await door.post('/token/introspection', { token: bearer }, { replica });
      t.is(asked.body.active, false, `${what}: introspection`);
    }
    if (body.refresh_token !== undefined) {
      const refreshed = await refresh(door, body.refresh_token, replica);
      t.is(refreshed.body.error, 'invalid_grant', `${what}: refresh`);
    }
  }
}

const refresh = (door: FrontDoor, token: unknown, replica = 0) =>
  door.post('/token', { grant_type: 'refresh_token', refresh_token: String(token) }, { replica });

async function idOf(door: FrontDoor, who: string): Promise<string> {
  const user = await userByEmail(elsewhere(door), `${who}@acme.test`);
  if (!user) throw new Error(`no ${who}`);
  return user.id;
}

const disconnect = async (door: FrontDoor, who = 'ada'): Promise<void> => {
  door.clock.forward(1);
  const services = door.apps.at(-1)?.services;
  if (!services) throw new Error('no server');
  await disconnectUser(services, {
    userId: await idOf(door, who),
    reason: 'test',
    scope: { kind: 'all' },
    forgetDevices: false,
    by: { organizationId: null, clientId: null, userId: null },
    origin: { ip: null, userAgent: null },
  });
};

const liveRows = async (door: FrontDoor, who = 'ada') =>
  elsewhere(door).rows<{ uid_digest: string }>(
    `SELECT s.uid_digest FROM sessions s JOIN users u ON u.id = s.account_id
     WHERE u.id = ? AND s.ended_at IS NULL AND s.expires_at > ? AND u.disabled_at IS NULL
       AND u.sessions_valid_after <= s.started_at`,
    [await idOf(door, who), door.clock.now().getTime()],
  );

/** The ways in which a session ends while requests are under way in it. */
const ends: Readonly<Record<string, (door: FrontDoor, browser: Browser) => Promise<void>>> = {
  'the session was ended': async (door) => {
    for (const { uid_digest } of await liveRows(door))
      await endSession(elsewhere(door), uid_digest, door.clock.now());
  },
  'the user was disconnected': (door) => disconnect(door),
  'the user signed out in another tab': async (_door, browser) => {
    const tab = copyOf(browser, 1);
    await tab.open('/session/end');
    await tab.press('Sign out', { logout: 'yes' });
  },
};

const people = { ada: {}, bea: {}, tom: { totp: secret } };
const configuration = acme({ rememberDeviceDays: 30 }, people, {
  applications: [application('fresh', { assurance: 'fresh_second_factor' })],
});

async function signedIn(door: FrontDoor, who = 'ada', replica = 0): Promise<Browser> {
  const browser = door.browser(replica);
  await passwordStep(browser, who);
  if (!browser.callback?.has('code'))
    throw new Error(`${browser.status} ${browser.heading} ${browser.alert}`);
  return browser;
}

/** Tom in a browser that is remembered: his session has proved the password alone, and can be stepped up. */
async function rememberedTom(door: FrontDoor): Promise<() => Promise<Browser>> {
  nextStep(door);
  const first = door.browser();
  await signIn(door, first, { who: 'tom', remember: true });
  for (const key of first.cookies.keys()) if (key.startsWith('sallyport-session')) first.cookies.delete(key);
  return async () => {
    nextStep(door);
    const browser = copyOf(first, 0);
    await passwordStep(browser, 'tom');
    if (!browser.callback?.has('code')) throw new Error(`${browser.status} ${browser.heading}`);
    door.clock.forward(seconds(1));
    return browser;
  };
}

async function stepUp(door: FrontDoor, tab: Browser): Promise<void> {
  await tab.authorize({ client_id: 'fresh' });
  await tab.press('Verify', { code: door.code() });
}

for (const kind of kinds) {
  // One server takes so many connections, and other files' tests want some too.
  const test = kind === 'MariaDB' ? parallel.serial : parallel;
  // Every moment on one database, every third of the long ones on the other: the statements are the same.
  const stride = kind === 'MariaDB' ? 3 : 1;

  for (const [what, end] of Object.entries(ends)) {
    test(`${kind}: where ${what} at any moment of a silent request, nobody is signed in by it afterwards (F13, T154)`, async (t) => {
      const door = await frontDoor(t, kind, { configuration, replicas });
      await everyMoment(t, door, { atLeast: 5 }, async (n) => {
        const browser = await signedIn(door);
        const tab = tabOf(browser, 0);
        const thief = copyOf(browser, 0);
        return {
          work: () => tab.authorize({ prompt: 'none' }),
          meanwhile: () => end(door, browser),
          after: async () => {
            const at = `${what} before statement ${n}`;
            t.true(tab.callback !== null || (tab.status >= 400 && tab.status < 500), `${at}: ${tab.status}`);
            await isOut(t, browser, at);
            await isOut(t, thief, `${at}, with the old cookie`);
            await redeemsNothing(t, door, tab, at);
            t.deepEqual(await liveRows(door), [], at);
          },
        };
      });
    });
  }

  test(`${kind}: a sign-in or step-up that was under way when its user was disconnected, or its session ended, signs nobody in (F13, T106, T154)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    await everyMoment(t, door, { atLeast: 8, stride }, async (n) => {
      nextStep(door);
      const browser = door.browser();
      await passwordStep(browser, 'tom');
      return {
        work: () => browser.press('Verify', { code: door.code() }),
        meanwhile: () => disconnect(door, 'tom'),
        after: async () => {
          const at = `disconnected before statement ${n} of the last step`;
          t.true(browser.callback !== null || browser.status < 500, `${at}: ${browser.status}`);
          await isOut(t, browser, at);
          await redeemsNothing(t, door, browser, at);
          t.deepEqual(await liveRows(door, 'tom'), [], at);
        },
      };
    });

    const again = await rememberedTom(door);
    await everyMoment(t, door, { atLeast: 8, stride }, async (n) => {
      const browser = await again();
      const tab = tabOf(browser, 0);
      await tab.authorize({ acr_values: acr2fa });
      return {
        work: () => tab.press('Verify', { code: door.code() }),
        meanwhile: async () => {
          for (const { uid_digest } of await liveRows(door, 'tom')) {
            await endSession(elsewhere(door), uid_digest, door.clock.now());
          }
        },
        after: async () => {
          const at = `ended before statement ${n} of a step-up`;
          t.true(tab.callback !== null || tab.status < 500, `${at}: ${tab.status}`);
          await isOut(t, browser, at);
          await redeemsNothing(t, door, tab, at);
        },
      };
    });
  });

  test(`${kind}: tokens that were being issued when their user was disconnected, or their session ended, are dead (T074, T106, T154)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const offline = { scope: 'openid offline_access', prompt: 'consent' };
    const cases = [
      ['a code', {}, 'the session was ended'],
      ['a code', {}, 'the user was disconnected'],
      ['a code for offline access', offline, 'the user was disconnected'],
    ] as const;
    for (const [what, params, how] of cases) {
      await everyMoment(t, door, { atLeast: 5 }, async (n) => {
        door.clock.forward(seconds(1));
        const browser = await signedIn(door);
        await browser.authorize(params);
        const code = browser.callback?.get('code') ?? '';
        let got: TokenAnswer = { status: 0, body: {}, claims: {} };
        return {
          work: async () => {
            got = await door.tokens(code, browser.verifier);
          },
          meanwhile: () => ends[how]?.(door, browser) ?? Promise.reject(new Error(how)),
          after: async () => {
            t.true(got.status === 200 || got.status === 400, `${got.status}`);
            await tokensAreDead(t, door, got, `${what}, ${how} before statement ${n}`);
          },
        };
      });
    }
    await everyMoment(t, door, { atLeast: 5 }, async (n) => {
      door.clock.forward(seconds(1));
      const browser = await signedIn(door);
      await browser.authorize(offline);
      const first = await redeem(door, browser);
      let got: TokenAnswer = { status: 0, body: {}, claims: {} };
      return {
        work: async () => {
          got = await refresh(door, first.body.refresh_token);
        },
        meanwhile: () => disconnect(door),
        after: async () => {
          await tokensAreDead(t, door, first, `disconnected before statement ${n} of a refresh`);
          await tokensAreDead(t, door, got, `the new ones, before statement ${n}`);
        },
      };
    });
  });

  test(`${kind}: fifty requests of all kinds under way on both servers when the user is disconnected leave nothing behind (T154, T106)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const browser = await signedIn(door);
    const tokens = await redeem(door, browser);
    const bea = await signedIn(door, 'bea', 1);
    const ofBea = await redeem(door, bea);
    const halfway = door.browser();
    await passwordStep(halfway, 'tom');
    const tabs = Array.from({ length: 40 }, (_, n) => copyOf(browser, n % 2));
    const underWay = tabs.map((tab, n) =>
      [
        () => tab.authorize({ prompt: 'none' }),
        () => tab.authorize(),
        () => tab.authorize({ client_id: 'other' }),
        () => tab.open('/session/end'),
      ][n % 4]?.(),
    );
    const calls = Array.from({ length: 10 }, (_, n) =>
      door.post('/me', {}, { bearer: String(tokens.body.access_token), replica: n % 2 }),
    );
    await new Promise((resolve) => setTimeout(resolve, 15));
    await disconnect(door);
    await Promise.all([...underWay, ...calls]);

    await isOut(t, browser, 'afterwards');
    for (const tab of tabs) {
      await isOut(t, tab, 'with what a tab was given last');
      await redeemsNothing(t, door, tab, 'afterwards');
      t.true(tab.callback !== null || tab.status < 500, `${tab.status}`);
    }
    await tokensAreDead(t, door, tokens, 'afterwards');
    t.deepEqual(await liveRows(door), []);

    t.is((await silently(bea, 0)).outcome, 'code', 'others go on');
    t.is((await refresh(door, ofBea.body.refresh_token)).status, 200);
    await halfway.press('Verify', { code: door.code() });
    t.truthy(halfway.callback?.get('code'), 'a sign-in of somebody else goes on');
    await disconnect(door);
    door.clock.forward(1);
    const anew = await signedIn(door);
    t.is((await silently(anew, 1)).outcome, 'code', 'a new sign-in holds');
    t.is((await redeem(door, anew)).status, 200);
  });

  test(`${kind}: whatever cookies somebody has planted before a sign-in, its session is another one, and theirs stay worth nothing (T110)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const attacker = door.browser();
    await attacker.authorize();
    await passwordStep(attacker, 'tom');
    const plant = (victim: Browser) => {
      for (const [key, cookie] of attacker.cookies) victim.cookies.set(key, cookie);
      for (const name of ['sallyport-session', 'sallyport-session.sig', 'sallyport-device']) {
        victim.cookies.set(`${name};/`, { value: `${name}=planted`, path: '/', attributes: '' });
      }
    };
    const values = (browser: Browser) =>
      [...browser.cookies].flatMap(([key, { value }]) =>
        key.startsWith('sallyport-session') ? [value] : [],
      );
    const victim = door.browser();
    plant(victim);
    const planted = values(victim);
    const thief = copyOf(victim, 1);
    await passwordStep(victim, 'ada');
    t.truthy(victim.callback?.get('code'));
    t.false(
      values(victim).some((value) => planted.includes(value)),
      'a new identifier',
    );
    t.is((await silently(victim, 1)).outcome, 'code');
    await isOut(t, thief, 'with what was planted');
    await isOut(t, attacker, 'with what was planted from');
    // What was begun elsewhere was not finished by the victim.
    await attacker.open(attacker.url);
    t.is(attacker.heading, 'Two-factor authentication', 'still waits for its own second step');
    await isOut(t, attacker, 'afterwards');
  });

  test(`${kind}: a sign-in that waits for its second step ends with its user's sessions, with a clean page (T106)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const waiting = door.browser();
    await passwordStep(waiting, 'tom');
    await disconnect(door, 'tom');
    const other = copyOf(waiting, 1);
    for (const tab of [waiting, other]) {
      await tab.press('Verify', { code: door.code() });
      t.is(tab.callback, null);
      t.is(tab.status, 400);
      t.is(tab.heading, 'This sign-in has ended');
      await isOut(t, tab, 'afterwards');
    }
  });

  test(`${kind}: what a step-up has proved is kept whatever a parallel silent request saves later, and the cookie from before it is dead (T155, T015)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const again = await rememberedTom(door);
    const check = async (browser: Browser, thief: Browser, at: string) => {
      const { outcome, tab } = await silently(browser, 1, { acr_values: acr2fa });
      t.is(outcome, 'code', `${at}: the person stays signed in with what was proved`);
      if (outcome === 'code') {
        const { claims } = await redeem(door, tab);
        t.is(claims.acr, acr2fa, at);
        t.deepEqual(claims.amr, ['pwd', 'otp', 'mfa'], at);
      }
      await isOut(t, thief, `${at}: the cookie from before the step-up`);
    };
    await everyMoment(t, door, { atLeast: 5 }, async (n) => {
      const browser = await again();
      const slow = copyOf(browser, 0);
      const thief = copyOf(browser, 0);
      return {
        work: () => slow.authorize({ prompt: 'none' }),
        meanwhile: () => stepUp(door, tabOf(browser, 1)),
        after: async () => {
          const at = `stepped up before statement ${n} of a silent request`;
          await check(browser, thief, at);
          await isOut(t, slow, `${at}: what the slow one was given`);
        },
      };
    });
    await everyMoment(t, door, { atLeast: 10, stride }, async (n) => {
      const browser = await again();
      const slow = tabOf(browser, 0);
      const thief = copyOf(browser, 0);
      await slow.authorize({ acr_values: acr2fa });
      return {
        work: () => slow.press('Verify', { code: door.code() }),
        meanwhile: () => copyOf(thief, 1).authorize({ prompt: 'none' }),
        after: () => check(browser, thief, `a silent request before statement ${n} of a step-up`),
      };
    });
  });

  test(`${kind}: where one tab changes to another person, the other tab's requests never mix the two (T155)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const ada = await idOf(door, 'ada');
    const bea = await idOf(door, 'bea');
    const change = async (tab: Browser) => {
      await tab.authorize({ prompt: 'login' });
      await tab.press('Sign in', { email: 'bea@acme.test', password: 'correct horse battery staple' });
    };
    const check = async (browser: Browser, thief: Browser, slow: Browser, quick: Browser, at: string) => {
      const { outcome, tab } = await silently(browser, 0);
      t.is(outcome, 'code', `${at}: somebody stays signed in`);
      if (outcome === 'code') t.is((await redeem(door, tab)).claims.sub, bea, at);
      await isOut(t, thief, `${at}: the cookie of the first person`);
      for (const { callback, verifier } of [slow, quick]) {
        const code = callback?.get('code');
        const answer = code ? await door.tokens(code, verifier, { replica: 1 }) : null;
        if (answer?.status === 200) t.is(answer.claims.sub, bea, `${at}: the first person's session is over`);
      }
      t.deepEqual(await liveRows(door, 'ada'), [], at);
      t.is(
        (await elsewhere(door).rows('SELECT 1 AS n FROM sessions WHERE account_id NOT IN (?, ?)', [ada, bea]))
          .length,
        0,
      );
    };
    await everyMoment(t, door, { atLeast: 5 }, async (n) => {
      const browser = await signedIn(door);
      const slow = copyOf(browser, 0);
      const quick = tabOf(browser, 1);
      const thief = copyOf(browser, 0);
      return {
        work: () => slow.authorize({ prompt: 'none' }),
        meanwhile: () => change(quick),
        after: () => check(browser, thief, slow, quick, `changed before statement ${n} of a silent request`),
      };
    });

    // Two tabs that both begin with nobody, and end with two people.
    const browser = door.browser();
    const one = tabOf(browser, 0);
    const two = tabOf(browser, 1);
    await one.authorize();
    const first = { form: one.form('Sign in'), cookies: [...browser.cookies] };
    await two.authorize();
    for (const [key, value] of first.cookies) browser.cookies.set(key, value);
    await one.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
    t.truthy(one.callback?.get('code'));
    await two.press('Sign in', { email: 'bea@acme.test', password: 'correct horse battery staple' });
    if (two.callback === null && two.status === 200) await two.press('Continue').catch(() => {});
    t.true(two.callback !== null || two.status < 500, `${two.status}`);
    if (two.callback?.has('code'))
      t.is((await redeem(door, two)).claims.sub, bea, 'the second tab is the second person');
    const { tab, outcome } = await silently(browser, 0);
    if (outcome === 'code') {
      t.is((await redeem(door, tab)).claims.sub, two.callback?.has('code') ? bea : ada);
    }
  });

  test(`${kind}: twenty tabs at once in one session all get their answer, on any number of servers (T155)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const browser = await signedIn(door);
    for (let round = 0; round < 2; round += 1) {
      const tabs = Array.from({ length: 20 }, (_, n) => copyOf(browser, n % 2));
      await Promise.all(
        tabs.map((tab, n) => tab.authorize({ prompt: 'none', client_id: n % 3 ? 'app' : 'other' })),
      );
      t.deepEqual(
        tabs.flatMap(({ callback, status }) =>
          callback?.has('code') ? [] : [callback?.get('error') ?? status],
        ),
        [],
      );
      const redeemed = await Promise.all(tabs.map((tab) => redeem(door, tab)));
      t.true(redeemed.every(({ status }) => status === 200));
    }
    t.is((await silently(browser, 1)).outcome, 'code');
  });

  test(`${kind}: a session ends after eight hours without use and after twenty-four in all, whatever keeps it busy (T074)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas });
    const browser = await signedIn(door);
    door.clock.forward(hours(8) - seconds(1));
    const { outcome, tab } = await silently(browser, 1);
    t.is(outcome, 'code', 'a second before');
    const tokens = await redeem(door, tab);
    door.clock.forward(hours(8) + seconds(1));
    await isOut(t, browser, 'eight hours without use');
    await tokensAreDead(t, door, tokens, 'eight hours without use');

    const busy = await signedIn(door);
    for (let hour = 0; hour < 23; hour += 1) {
      door.clock.forward(hours(1));
      t.is((await silently(busy, hour % 2)).outcome, 'code', `hour ${hour + 1}`);
    }
    door.clock.forward(hours(1) - seconds(1));
    t.is((await silently(busy, 0)).outcome, 'code', 'a second before');
    door.clock.forward(seconds(2));
    await isOut(t, busy, 'a day in all');

    // A step-up does not make the first factor younger.
    const again = await rememberedTom(door);
    const tom = await again();
    for (let hour = 0; hour < 23; hour += 1) {
      door.clock.forward(hours(1));
      if (hour % 4 === 0) await stepUp(door, tabOf(tom, hour % 2));
      t.is((await silently(tom, hour % 2, { acr_values: acr2fa })).outcome, 'code', `hour ${hour + 1}`);
    }
    door.clock.forward(hours(1) + seconds(1));
    await isOut(t, tom, 'a day after the password');

    // A sign-in that is not finished within the hour has ended.
    const left = door.browser();
    await passwordStep(left, 'tom');
    door.clock.forward(minutes(60) + seconds(1));
    await left.press('Verify', { code: door.code() });
    t.is(left.status, 400);
    await isOut(t, left, 'a sign-in that was left');
  });

  test(`${kind}: a refresh asks the policy anew: after grace is over, after a reset and for a disabled user it is refused (T074)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, people, {
        applications: [application('strict', { assurance: 'second_factor' })],
      }),
      replicas,
    });
    const browser = await signedIn(door);
    let tokens = await redeem(door, browser);
    const next = async (replica = 0) => {
      const answer = await refresh(door, tokens.body.refresh_token, replica);
      if (answer.status === 200) tokens = answer;
      return answer.status === 200 ? 'refreshed' : answer.body.error;
    };
    t.is(await next(), 'refreshed');
    await door.apply(acme({ requirement: 'required_for_all', graceDays: 7 }, people));
    door.clock.forward(minutes(1));
    t.is(await next(1), 'refreshed', 'within grace');
    await door.apply(acme({ requirement: 'required_for_all', graceDays: 0 }, people));
    t.is(await next(1), 'invalid_grant', 'after grace');
    await door.apply(acme({ requirement: 'optional' }, people));

    const fresh = async (who = 'ada') => {
      tokens = await redeem(door, await signedIn(door, who));
    };
    await fresh();
    await elsewhere(door).change('UPDATE users SET reset_at = ? WHERE id = ?', [
      door.clock.now().getTime(),
      await idOf(door, 'ada'),
    ]);
    t.is(await next(), 'invalid_grant', 'after an admin’s reset');
    await fresh('bea');
    await elsewhere(door).change('UPDATE users SET disabled_at = ? WHERE id = ?', [
      door.clock.now().getTime(),
      await idOf(door, 'bea'),
    ]);
    t.is(await next(1), 'invalid_grant', 'a disabled user');
    await tokensAreDead(t, door, tokens, 'a disabled user');

    // Somebody who has set up a factor since must have used it.
    const tom = door.browser();
    tokens = await signIn(door, tom, { who: 'tom' });
    t.is(await next(), 'refreshed');
    await elsewhere(door).change('UPDATE factors SET id = ? WHERE user_id = ?', [
      'another',
      await idOf(door, 'tom'),
    ]);
    t.is(await next(), 'invalid_grant', 'the factor that was proved is gone, another has come');
  });
}

for (const kind of kinds) {
  parallel(
    `${kind}: signing out, and ending all other sessions, end what waits with its last step too (T010)`,
    async (t) => {
      const door = await frontDoor(t, kind, {
        configuration: acme(
          {},
          { ada: { totp: secret } },
          { applications: [application('third', { firstParty: false })] },
        ),
      });
      // Somebody has proved everything and left the tab at "Allow".
      const parked = async (tab: Browser) => {
        door.clock.forward(seconds(30));
        await passwordStep(tab, 'ada', { client_id: 'third' });
        await tab.press('Verify', { code: door.code() });
        t.is(tab.heading, 'Share with The third?');
        return tab;
      };
      const comesIn = async (tab: Browser) => {
        await tab.press('Allow');
        return tab.callback?.get('code') ?? null;
      };

      const shared = door.browser();
      const left = await parked(shared);
      const tab = left.copy();
      door.clock.forward(seconds(30));
      await signIn(door, tab, { who: 'ada' });
      await tab.open('/account');
      await tab.press('Sign out');
      for (const [name, cookie] of tab.cookies) left.cookies.set(name, cookie);
      t.is(await comesIn(left), null, 'a tab of before the sign-out');

      const ada = door.browser();
      door.clock.forward(seconds(30));
      await signIn(door, ada, { who: 'ada' });
      await signIn(door, door.browser(), { who: 'ada', steps: 1 });
      door.clock.forward(minutes(1));
      const thief = await parked(door.browser());
      await ada.open('/account/sessions');
      await ada.press('End all other sessions');
      t.is(await comesIn(thief), null, 'a sign-in that is in no list');
      await ada.authorize({ prompt: 'none' });
      t.truthy(ada.callback?.get('code'), 'the one who pressed it stays');
    },
  );
}
