import test from 'ava';
import { addFactor } from '../../entities/factors.ts';
import { factorConfirmed, userByEmail } from '../../entities/users.ts';
import { passkey } from '../../factors/passkey.ts';
import { notMe } from '../../flows/not-me.ts';
import { findLink, makeLink } from '../../flows/one-time-link.ts';
import { factorDataPlace, subjectFor } from '../../flows/subject.ts';
import { minutes, seconds } from '../../lib/clock.ts';
import { digest } from '../../lib/digest.ts';
import { newId } from '../../lib/id.ts';
import { seal } from '../../lib/seal.ts';
import { Authenticator, type Lies } from '../factors/authenticator.ts';
import { attester, falseAttester, model, root } from '../factors/maker.ts';
import type { Browser } from './browser.ts';
import { count, events, mails, userId, waited, withoutSession } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  passwordStep,
  redeem,
  secret,
  type TokenAnswer,
} from './rig.ts';

const challengePage = 'Two-factor authentication';
const setUpPage = 'Set up two-factor authentication';
const wrongPasskey = /passkey could not be used/;
const alone = 'Sign in with a passkey';

const required = {
  requirement: 'required_for_all',
  graceDays: 0,
  methods: ['passkey'],
  rememberDeviceDays: 30,
};
const optional = { requirement: 'optional', methods: ['totp', 'passkey'] };
const either = { ...required, methods: ['totp', 'passkey'] };

const applications = [
  application('passkeys', { assurance: 'passkey' }),
  application('second', { assurance: 'second_factor' }),
];

const isIn = (browser: Browser): boolean => browser.callback?.has('code') === true;

/** What the page asks the browser's authenticator. */
function asked(browser: Browser): string {
  const found = /data-options="([^"]*)"/.exec(browser.text)?.[1];
  if (!found) throw new Error(`no question at ${browser.url} (${browser.status} ${browser.heading})`);
  return found.replaceAll('&#34;', '"').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}

/** The page of a challenge for a passkey is answered. */
const answer = (browser: Browser, key: Authenticator, lies: Lies = {}): Promise<void> =>
  browser.press('Verify', { credential: key.get(asked(browser), lies) });

/** At the page of a set-up: a passkey, the recovery codes, and back. */
async function setUpHere(browser: Browser, key: Authenticator, lies: Lies = {}): Promise<void> {
  if (browser.buttons.includes('Continue')) await browser.press('Continue', { method: 'passkey' });
  await browser.press('Confirm setup', { credential: key.create(asked(browser), lies) });
  if (browser.recoveryCodes.length > 0) await browser.press('Continue', { saved: '1' });
}

/** A person has one more passkey, in an authenticator of its own: written as a set-up writes it, without the pages. */
async function withPasskey(
  door: FrontDoor,
  who = 'ada',
  how: ConstructorParameters<typeof Authenticator>[1] = {},
): Promise<Authenticator> {
  const { services } = door.apps[0] ?? missing();
  const { db, ring } = services;
  const user = (await userByEmail(db, `${who}@acme.test`)) ?? missing();
  const key = new Authenticator(door.issuer, how);
  const step = await passkey.startEnrolment(subjectFor(services, user, [], 'passkey', 'Acme Aviation'));
  const { options } = step.show as { options: string };
  const enrolled = await passkey.finishEnrolment(
    subjectFor(services, user, [], 'passkey', 'Acme Aviation'),
    step.keep,
    { credential: key.create(options) },
  );
  if (!enrolled.ok) throw new Error('no passkey');
  const now = db.clock.now();
  const id = newId(now);
  await db.together([
    addFactor(db, {
      id,
      userId: user.id,
      method: 'passkey',
      name: null,
      data: seal(ring, factorDataPlace(user.id, id), JSON.stringify(enrolled.data)),
      lookup: digest(enrolled.lookup ?? ''),
      highWater: enrolled.highWater,
      now,
    }),
    factorConfirmed(user.id, user.security_version, now),
  ]);
  return key;
}

const missing = (): never => {
  throw new Error('not there');
};

/** What the script of the sign-in page asks for; only the newest counts. */
async function question(browser: Browser): Promise<string> {
  const page = browser.copy();
  const action = /data-passkey="([^"]*)"/.exec(browser.text)?.[1] ?? '';
  await page.open(action, { fields: browser.form(alone).fields });
  return (JSON.parse(page.text) as { options: string }).options;
}

/** A passkey as the whole sign-in. */
async function signInAlone(
  browser: Browser,
  key: Authenticator,
  lies: Lies = {},
  params: Readonly<Record<string, string>> = {},
): Promise<void> {
  await browser.authorize(params);
  await browser.press(alone, { credential: key.get(await question(browser), lies) });
}

async function halfWay(door: FrontDoor, who = 'ada', params = {}): Promise<Browser> {
  const browser = door.browser();
  await passwordStep(browser, who, params);
  return browser;
}

async function counter(door: FrontDoor): Promise<number> {
  const row = await door.db.row<{ n: number }>(
    "SELECT MAX(high_water) AS n FROM factors WHERE method = 'passkey'",
  );
  return Number(row?.n);
}

const told = ({ claims }: TokenAnswer) => ({ acr: claims.acr, amr: claims.amr });

for (const kind of kinds) {
  test(`${kind}: a passkey is set up where it is required, then asked for, and the claims say what it was (T065, T081)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {}, cyd: {}, dan: {} }),
    });
    for (const [who, synced, verifies, amr] of [
      ['ada', false, false, ['pwd', 'hwk', 'mfa']],
      ['bob', false, true, ['pwd', 'hwk', 'user', 'mfa']],
      ['cyd', true, false, ['pwd', 'swk', 'mfa']],
      ['dan', true, true, ['pwd', 'swk', 'user', 'mfa']],
    ] as const) {
      const key = new Authenticator(door.issuer, { synced, verifies });
      const first = await halfWay(door, who);
      t.is(first.heading, setUpPage, 'the only method is begun at once');
      await setUpHere(first, key);
      t.deepEqual(told(await redeem(door, first)), { acr: 'phr', amr });

      const second = await halfWay(door, who);
      t.is(second.heading, challengePage);
      await answer(second, key);
      t.deepEqual(told(await redeem(door, second)), { acr: 'phr', amr });
    }
    t.is(await counter(door), 1);
    t.is(await events(door, 'sign_in.succeeded'), 8);
  });

  test(`${kind}: where an organization lists models, only one that its maker attests is set up and counts (T085)`, async (t) => {
    const strict = { ...either, passkeyModels: [model] };
    const door = await frontDoor(t, kind, {
      configuration: acme(strict, { ada: {}, bob: { totp: secret } }),
      settings: { passkeyRoots: [root] },
      now: new Date(),
    });
    const ada = await halfWay(door);
    await ada.press('Continue', { method: 'passkey' });
    for (const attestation of [undefined, 'self', falseAttester] as const) {
      await ada.press('Confirm setup', {
        credential: new Authenticator(door.issuer).create(asked(ada), attestation ? { attestation } : {}),
      });
      t.is(ada.status, 422);
      t.is(await count(door, 'factors', "method = 'passkey'"), 0);
    }
    t.regex(ada.alert, /Only certain models of passkeys/);
    const key = new Authenticator(door.issuer);
    await setUpHere(ada, key, { attestation: attester });
    t.is((await redeem(door, ada)).claims.acr, 'phr');
    const again = await halfWay(door);
    await answer(again, key);
    t.true(isIn(again));

    // One from before the list does not count: its owner is asked for it, and sets up what does.
    await withPasskey(door, 'bob');
    await door.db.change("DELETE FROM factors WHERE method = 'totp'");
    const bob = await halfWay(door, 'bob');
    t.is(bob.heading, challengePage);
    const old = await withPasskey(door, 'bob');
    const fresh = await halfWay(door, 'bob');
    await answer(fresh, old);
    t.is(fresh.heading, setUpPage);
    t.false(isIn(fresh));

    const wrong = { organizations: [{ slug: 'acme', policy: { passkeyModels: ['YubiKey'] } }] };
    const refused = await t.throwsAsync(door.apply(wrong));
    t.regex(String(refused?.message), /must be an AAGUID/);
  });

  test(`${kind}: a passkey alone is the whole sign-in where it verified its user, and nothing where it did not (T081)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {} }) });
    for (const [who, synced] of [
      ['ada', false],
      ['bob', true],
    ] as const) {
      const key = await withPasskey(door, who, { synced });

      const browser = door.browser();
      await signInAlone(browser, key, { uv: false });
      t.is(browser.status, 422);
      t.regex(browser.alert, wrongPasskey);
      t.true(browser.buttons.includes('Sign in'), 'the password is still a way');
      await browser.press(alone, { credential: key.get(await question(browser)) });
      t.deepEqual(told(await redeem(door, browser)), {
        acr: 'phr',
        amr: [synced ? 'swk' : 'hwk', 'user', 'mfa'],
      });
      await browser.authorize({ prompt: 'none' });
      t.true(isIn(browser), 'and a session that is as good as any');
      await browser.authorize({ prompt: 'none', acr_values: 'phr' });
      t.true(isIn(browser));
      await browser.authorize({ prompt: 'login' });
      t.is(browser.heading, 'Sign in');
    }
  });

  test(`${kind}: the browser is asked to verify the user where the passkey is the whole sign-in, and is told of nobody's passkeys`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    await withPasskey(door);
    const browser = door.browser();
    await browser.authorize({ login_hint: 'ada@acme.test' });
    const options = JSON.parse(await question(browser)) as Record<string, unknown>;
    t.is(options.userVerification, 'required');
    t.is(options.allowCredentials, undefined);
    t.is(options.rpId, new URL(door.issuer).hostname);
  });

  test(`${kind}: an answer counts once, for its own challenge, in its own sign-in, within five minutes, on any server (T075)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required), replicas: 2 });
    const key = await withPasskey(door, 'ada', { counts: false });
    const browser = await halfWay(door);
    const credential = key.get(asked(browser));
    const tabs = [browser.copy(), browser.copy()];
    const [sameTab, otherServer] = tabs as [Browser, Browser];
    otherServer.replica = 1;

    const stranger = door.browser(1);
    await passwordStep(stranger);
    await stranger.press('Verify', { credential });
    t.is(stranger.status, 422, 'in another sign-in');
    await browser.press('Verify', { credential });
    t.true(isIn(browser));
    for (const tab of [sameTab, otherServer, await halfWay(door)]) {
      await tab.press('Verify', { credential });
      t.false(isIn(tab));
    }
    await withoutSession(browser).authorize();
    await browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
    await browser.press('Verify', { credential });
    t.is(browser.status, 422, 'in the next sign-in of the same browser');

    const late = await halfWay(door);
    const inTime = key.get(asked(late));
    door.clock.forward(minutes(5));
    await late.press('Verify', { credential: inTime });
    t.is(late.status, 422);
    await answer(late, key);
    t.true(isIn(late), 'the page that says so has a new challenge on it');
  });

  test(`${kind}: a challenge takes one answer: after a wrong one, the right one to it comes too late (T075)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const key = await withPasskey(door);
    const browser = await halfWay(door);
    const before = asked(browser);
    await browser.press('Verify', { credential: key.get(before, { rpId: 'evil.test' }) });
    t.is(browser.status, 422);
    t.regex(browser.alert, wrongPasskey);
    t.not(asked(browser), before);
    await browser.press('Verify', { credential: key.get(before) });
    t.is(browser.status, 422);
    await answer(browser, key);
    t.true(isIn(browser));

    const other = door.browser();
    await other.authorize();
    const first = await question(other);
    const second = await question(other);
    await other.press(alone, { credential: key.get(first) });
    t.is(other.status, 422, 'only the newest question counts');
    await other.press(alone, { credential: key.get(second) });
    t.is(other.status, 422, 'and the answer to the first has used it up');
    await other.press(alone, { credential: key.get(await question(other)) });
    t.true(isIn(other));
  });

  test(`${kind}: twenty answers at once to one challenge are one sign-in (T016, T075)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required), replicas: 2 });
    const key = await withPasskey(door, 'ada', { counts: false });
    const tabs = async (browser: Browser, button: string, credential: string) => {
      const all = Array.from({ length: 20 }, (_, n) => Object.assign(browser.copy(), { replica: n % 2 }));
      await Promise.all(all.map((tab) => tab.press(button, { credential }).catch(() => {})));
      return all;
    };
    const browser = await halfWay(door);
    const outcome = (all: readonly Browser[]) =>
      all.map(({ status, alert }) => `${status} ${alert}`).join(', ');
    const second = await tabs(browser, 'Verify', key.get(asked(browser)));
    t.is(await events(door, 'sign_in.succeeded'), 1, outcome(second));
    const other = door.browser();
    await other.authorize();
    const first = await tabs(other, alone, key.get(await question(other)));
    t.is(await events(door, 'sign_in.succeeded'), 2, outcome(first));
  });

  test(`${kind}: what was asked for one purpose is answered for no other (T079)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...optional, methods: ['passkey'] }, { ada: {}, bob: {} }, { applications }),
    });
    const key = await withPasskey(door);
    const [{ id } = { id: '' }] = key.credentials;

    // A question of the sign-in page, answered at the second door; and the reverse.
    const browser = door.browser();
    await browser.authorize();
    const ofSignIn = await question(browser);
    const first = browser.copy();
    await browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
    await browser.press('Verify', { credential: key.get(ofSignIn) });
    t.is(browser.status, 422);
    await first.press(alone, { credential: key.get(asked(browser), { credentialId: id }) });
    t.false(isIn(first));
    t.is(first.status, 422);

    // A set-up's challenge, answered as a sign-in, in every place; and a set-up confirmed with an answer.
    const bob = await halfWay(door, 'bob', { client_id: 'passkeys' });
    t.is(bob.heading, setUpPage);
    const ofSetUp = JSON.stringify({ ...JSON.parse(asked(bob)), rpId: new URL(door.issuer).hostname });
    await bob.press('Confirm setup', { credential: key.get(ofSetUp, { credentialId: id }) });
    t.is(bob.status, 422);
    await bob.press('Confirm setup', {
      credential: key.get(ofSetUp, { credentialId: id, clientData: { type: 'webauthn.create' } }),
    });
    t.is(bob.status, 422);
    t.is(await count(door, 'factors'), 1);
    const started = door.browser();
    await started.authorize();
    await question(started);
    await started.press(alone, { credential: key.get(ofSetUp, { credentialId: id }) });
    t.is(started.status, 422);
    const ada = await halfWay(door);
    await ada.press('Verify', {
      credential: new Authenticator(door.issuer).create(
        JSON.stringify({
          ...JSON.parse(asked(ada)),
          rp: { id: new URL(door.issuer).hostname },
          user: { id: '' },
        }),
        { clientData: { type: 'webauthn.get' } },
      ),
    });
    t.is(ada.status, 422);
  });

  test(`${kind}: the passkey of one person opens nothing of another (T076, T083)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {} }),
    });
    const [adas, bobs] = [await withPasskey(door), await withPasskey(door, 'bob')];
    const [mine, other] = [adas.credentials[0]?.id ?? '', bobs.credentials[0]?.id ?? ''];
    const ada = await userId(door);
    const lies: readonly Lies[] = [
      { credentialId: other },
      { credentialId: other, userHandle: ada },
      { credentialId: other, userHandle: null },
      { credentialId: other, id: mine },
      { credentialId: other, id: mine, userHandle: ada },
      { credentialId: other, id: mine, userHandle: null },
      { credentialId: other, id: mine, rawId: other },
      { credentialId: other, id: other, rawId: mine },
    ];
    const browser = await halfWay(door);
    for (const lie of lies) {
      await answer(browser, bobs, lie);
      t.is(browser.status, 422, JSON.stringify(lie));
      t.is(browser.heading, challengePage);
      await waited(door);
    }
    await answer(browser, adas, { userHandle: await userId(door, 'bob') });
    t.is(browser.status, 422, 'her own, in his name');
    await waited(door);
    await answer(browser, adas);
    t.true(isIn(browser));

    // Alone, the credential says who it is; whoever else it names, it is not.
    for (const lie of lies.slice(1).filter(({ userHandle, id }) => userHandle !== null || id !== undefined)) {
      const thief = door.browser();
      await signInAlone(thief, bobs, lie);
      t.is(thief.status, 422, JSON.stringify(lie));
    }
    const bob = door.browser();
    await signInAlone(bob, bobs);
    t.is((await redeem(door, bob)).claims.sub, await userId(door, 'bob'));
    t.is(await count(door, 'sessions', 'account_id = ?', ada), 1, 'only that of her own answer');
  });

  test(`${kind}: half a sign-in of one person is never finished by the passkey of another (T008, T076)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {} }) });
    await withPasskey(door);
    const bobs = await withPasskey(door, 'bob');
    const browser = door.browser();
    await browser.authorize();
    const start = browser.copy();
    await browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
    t.is(browser.heading, challengePage);
    await start.press(alone, { credential: bobs.get(await question(start)) });
    const { claims } = await redeem(door, start);
    t.is(claims.sub, await userId(door, 'bob'));
    t.deepEqual(claims.amr, ['hwk', 'user', 'mfa'], "nothing of Ada's password is in it");
  });

  test(`${kind}: lies about place, person and bytes are refused, counted, and leave the passkey as it was (T077, T078)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const key = await withPasskey(door);
    await answer(await halfWay(door), key, { counter: 10 });
    const before = await door.db.row('SELECT data, high_water, last_used_at FROM factors');
    const { port } = new URL(door.issuer);
    const lies: Readonly<Record<string, Lies>> = {
      'another port': { clientData: { origin: 'http://127.0.0.1:1' } },
      'https instead of http': { clientData: { origin: `https://127.0.0.1:${port}` } },
      'another host': { clientData: { origin: `http://localhost:${port}` } },
      'the origin null': { clientData: { origin: 'null' } },
      'another rpId': { rpId: 'evil.test' },
      'a frame': { clientData: { crossOrigin: true, topOrigin: 'https://evil.test' } },
      'a frame that does not say whose': { clientData: { crossOrigin: true } },
      'nobody there': { up: false },
      'a set-up': { clientData: { type: 'webauthn.create' } },
      'a signature that is cut': {
        after: (one) => ({ ...one, signature: String(one.signature).slice(0, -8) }),
      },
      'data that are cut': { authData: (honest) => honest.subarray(0, 20) },
      'a counter that stands still': { counter: 10 },
      'a counter that goes back': { counter: 5 },
      'a counter that is no more': { counter: 0 },
    };
    const browser = await halfWay(door);
    for (const [index, [what, lie]] of Object.entries(lies).entries()) {
      await waited(door);
      await answer(browser, key, { counter: 100, ...lie });
      t.is(browser.status, 422, what);
      t.is(await events(door, 'factor.failed'), index + 1, what);
      t.deepEqual(await door.db.row('SELECT data, high_water, last_used_at FROM factors'), before, what);
    }
    t.is(await events(door, 'factor.copied'), 3, 'a counter that does not grow may be a copy’s');
    const told = (await mails(door, 'account-changed')).filter(
      ({ values }) => values.change === 'passkey_copied',
    );
    t.is(told.length, 1, 'said once');
    await waited(door);
    await answer(browser, key, { counter: 11 });
    t.true(isIn(browser));
    t.is(await counter(door), 11);
  });

  test(`${kind}: what is no answer of a passkey is wrong, whatever it is, and never an error (T031, T077)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const key = await withPasskey(door);
    const good = await halfWay(door);
    const honest = key.get(asked(good));
    const rubbish = [
      '',
      'null',
      '7',
      '[]',
      '{}',
      '"x"',
      '{"id":1}',
      '\0',
      '🛫',
      '123456',
      '[['.repeat(10_000),
      '{"__proto__":{"id":"x"}}',
      honest.slice(0, -1),
      honest.replace('public-key', 'password'),
      JSON.stringify({ ...JSON.parse(honest), response: null }),
      JSON.stringify({ ...JSON.parse(honest), response: [] }),
      JSON.stringify({ ...JSON.parse(honest), id: [JSON.parse(honest).id] }),
      `${honest.slice(0, -1)},"x":"${'A'.repeat(60_000)}"}`,
    ];
    const browser = await halfWay(door);
    const other = door.browser();
    await other.authorize();
    for (const credential of rubbish) {
      await waited(door);
      await browser.press('Verify', { credential });
      t.is(browser.status, 422, credential.slice(0, 40));
      await question(other);
      await other.press(alone, { credential });
      t.is(other.status, 422, credential.slice(0, 40));
    }
    await waited(door);
    await browser.press('Verify', { code: '123456' });
    t.is(browser.status, 422, 'no credential at all');
    await other.press(alone, { credential: honest });
    t.is(other.status, 422, 'nothing was asked');
    await waited(door);
    const giant = browser.copy();
    await giant.press('Verify', { credential: 'A'.repeat(1_000_000) });
    t.is(giant.status, 413);
    await answer(browser, key);
    t.true(isIn(browser), 'and the right one is still right');
    t.notRegex(door.log.join(''), /"level":(50|60)/);
  });

  test(`${kind}: wrong answers of a passkey never lock its owner out: they cannot be guessed (T143)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const key = await withPasskey(door);
    const guesser = await halfWay(door);
    for (let n = 0; n < 105; n += 1) {
      await waited(door);
      await guesser.press('Verify', { credential: '{}' });
    }
    const browser = await halfWay(door);
    await answer(browser, key);
    t.true(isIn(browser), `${browser.status} ${browser.alert}`);
  });

  test(`${kind}: two answers at once leave the counter at the higher one, and one that does not count goes on (T082)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(required, { ada: {}, bob: {} }),
      replicas: 2,
    });
    const key = await withPasskey(door);
    const [first, second] = [await halfWay(door), await halfWay(door)];
    second.replica = 1;
    await Promise.all([answer(first, key, { counter: 11 }), answer(second, key, { counter: 12 })]);
    t.true(isIn(first) || isIn(second));
    t.is(await counter(door), isIn(second) ? 12 : 11);
    const clone = await halfWay(door);
    await answer(clone, key, { counter: 11 });
    t.false(isIn(clone));
    const next = await halfWay(door);
    await answer(next, key, { counter: 13 });
    t.true(isIn(next));

    const still = await withPasskey(door, 'bob', { counts: false });
    for (const _ of [1, 2, 3]) {
      const browser = await halfWay(door, 'bob');
      await answer(browser, still);
      t.true(isIn(browser));
    }
  });

  test(`${kind}: nothing is set up by a password alone where there is a factor to ask for (T080)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(either, { ada: { totp: secret } }, { applications }),
    });
    const before = await door.db.rows('SELECT * FROM factors');
    for (const params of [{}, { client_id: 'passkeys' }, { acr_values: 'phr' }]) {
      const browser = await halfWay(door, 'ada', params);
      t.is(browser.heading, challengePage);
      const { fields } = browser.form('Verify');
      const at = new URL(browser.url).pathname;
      const forged = JSON.stringify({
        challenge: Buffer.alloc(32).toString('base64url'),
        rp: { id: new URL(door.issuer).hostname },
        user: { id: Buffer.from(await userId(door)).toString('base64url') },
      });
      for (const [path, more] of [
        ['/enrol', { method: 'passkey' }],
        ['/enrol/send', {}],
        ['/enrol/confirm', { credential: new Authenticator(door.issuer).create(forged) }],
        ['/skip', {}],
        ['/set-up-again', {}],
      ] as const) {
        await browser.open(`${at}${path}`, {
          fields: new URLSearchParams([...fields, ...Object.entries(more)]),
        });
        t.is(browser.heading, challengePage, path);
        t.notRegex(browser.text, /data-credential="create"/, path);
      }
      await browser.open(`${at}/enrol`);
      t.is(browser.heading, challengePage);
      t.false(isIn(browser));
    }
    t.deepEqual(await door.db.rows('SELECT * FROM factors'), before);
  });

  test(`${kind}: where only passkeys count, who has another factor is asked for that first, then sets one up (T080)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: { totp: secret } }) });
    const browser = await halfWay(door);
    t.is(browser.heading, challengePage);
    await browser.press('Verify', { code: door.code() });
    t.is(browser.heading, setUpPage);
    const key = new Authenticator(door.issuer);
    await setUpHere(browser, key);
    t.deepEqual((await redeem(door, browser)).claims.amr, ['pwd', 'otp', 'hwk', 'user', 'mfa']);

    const next = await halfWay(door);
    t.regex(next.text, /data-credential="get"/, 'from now on, the passkey');
    await answer(next, key);
    t.deepEqual(told(await redeem(door, next)), { acr: 'phr', amr: ['pwd', 'hwk', 'user', 'mfa'] });
  });

  test(`${kind}: a passkey alone is enough only where the organization counts passkeys (T013)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(either, { ada: { totp: secret }, bob: {} }, { applications }),
    });
    const key = await withPasskey(door);
    const bobs = await withPasskey(door, 'bob');
    await door.apply({
      organizations: [{ slug: 'acme', name: 'Acme Aviation', policy: { ...either, methods: ['totp'] } }],
    });
    door.clock.forward(minutes(1));

    const challenged = door.browser();
    await signInAlone(challenged, key);
    t.is(challenged.heading, challengePage);
    await challenged.press('Verify', { code: door.code() });
    t.deepEqual((await redeem(door, challenged)).claims.amr, ['hwk', 'otp', 'user', 'mfa']);
    const mustSetUp = door.browser();
    await signInAlone(mustSetUp, bobs);
    t.is(mustSetUp.heading, setUpPage);
    t.regex(mustSetUp.text, /data-totp-secret/);
  });

  test(`${kind}: an application that wants a passkey is content with nothing less (T063, T064)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret } }, { applications }),
    });
    const browser = await halfWay(door, 'ada', { client_id: 'passkeys' });
    await browser.press('Verify', { code: door.code() });
    t.is(browser.heading, setUpPage, 'the app on the phone will not do');
    const key = new Authenticator(door.issuer);
    await setUpHere(browser, key);
    t.is((await redeem(door, browser)).claims.acr, 'phr');

    const next = await halfWay(door, 'ada', { client_id: 'passkeys' });
    t.is((JSON.parse(asked(next)) as { userVerification: string }).userVerification, 'required');
    await answer(next, key, { uv: false });
    t.false(isIn(next), 'nor a passkey that did not verify its user');
    t.is(next.heading, challengePage);
    t.not(next.alert, '', 'and the page says so');
    await answer(next, key);
    t.deepEqual(told(await redeem(door, next)), { acr: 'phr', amr: ['pwd', 'hwk', 'user', 'mfa'] });
  });

  test(`${kind}: phr can be asked for by a request, also in a session without it, and is never said of less (T063, T064)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret }, bob: {} }),
    });
    const claims = JSON.stringify({ id_token: { acr: { essential: true, values: ['phr'] } } });
    const browser = await halfWay(door);
    await browser.press('Verify', { code: door.code() });
    t.is((await redeem(door, browser)).claims.acr, 'urn:sallyport:acr:2fa');
    await browser.authorize({ acr_values: 'phr', prompt: 'none' });
    t.regex(browser.callback?.get('error') ?? '', /required|unmet/);
    await browser.authorize({ claims, prompt: 'none' });
    t.regex(browser.callback?.get('error') ?? '', /required|unmet/);

    await browser.authorize({ acr_values: 'phr' });
    t.is(browser.heading, setUpPage, 'in the session, a passkey is what is missing');
    const key = new Authenticator(door.issuer);
    await setUpHere(browser, key);
    t.is((await redeem(door, browser)).claims.acr, 'phr');
    door.clock.forward(seconds(30));
    const stepUp = await halfWay(door);
    const app = await door.db.row<{ id: string }>("SELECT id FROM factors WHERE method = 'totp'");
    await stepUp.open(`${stepUp.url}?with=${app?.id}`);
    await stepUp.press('Verify', { code: door.code() });
    t.is((await redeem(door, stepUp)).claims.acr, 'urn:sallyport:acr:2fa');
    await stepUp.authorize({ claims });
    t.is(stepUp.heading, challengePage);
    await answer(stepUp, key);
    t.deepEqual(told(await redeem(door, stepUp)).acr, 'phr');

    // Where passkeys are not allowed, an essential phr ends in the error that says so.
    await door.apply({
      organizations: [{ slug: 'acme', name: 'Acme Aviation', policy: { ...optional, methods: ['totp'] } }],
    });
    const bob = await halfWay(door, 'bob', { claims });
    t.is(bob.callback?.get('error'), 'unmet_authentication_requirements');
  });

  test(`${kind}: a passkey, its person or both are gone: the answer is the same as to one that nobody knows (T083)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {} }) });
    const key = await withPasskey(door);
    const refusal = async (one: Authenticator, lies: Lies = {}) => {
      const browser = door.browser();
      await signInAlone(browser, one, lies);
      const page = browser.text
        .replaceAll(/(?:\/interaction\/|\?from=)[^/"?]+/g, '')
        .replaceAll(/name="_csrf" value="[^"]*"/g, '');
      return { in: isIn(browser), status: browser.status, page };
    };
    const stranger = new Authenticator(door.issuer);
    stranger.create(JSON.stringify({ challenge: '', rp: { id: '127.0.0.1' }, user: { id: 'AAAA' } }));
    const unknown = await refusal(stranger);
    t.deepEqual({ in: unknown.in, status: unknown.status }, { in: false, status: 422 });

    t.deepEqual(await refusal(key, { userHandle: 'nobody' }), unknown);
    t.deepEqual(await refusal(key, { rpId: 'evil.test' }), unknown);
    const half = await halfWay(door);
    await door.db.change('UPDATE factors SET disabled_at = 1');
    t.deepEqual(await refusal(key), unknown);
    await answer(half, key);
    t.false(isIn(half), 'disabled while its challenge was on the screen');
    await door.db.change('UPDATE factors SET disabled_at = NULL');
    await door.db.change('UPDATE users SET disabled_at = 1');
    t.deepEqual(await refusal(key), unknown);
    await door.db.change('UPDATE users SET disabled_at = NULL');
    const other = door.browser();
    await signInAlone(other, key);
    t.true(isIn(other));

    const pending = await halfWay(door);
    await door.db.change('DELETE FROM factors');
    t.deepEqual(await refusal(key), unknown);
    await answer(pending, key);
    t.false(isIn(pending), 'deleted while its challenge was on the screen');
    await other.authorize({ prompt: 'none', acr_values: 'phr' });
    t.false(isIn(other), 'and what it proved counts no more');
  });

  test(`${kind}: one passkey opens one account (T076)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {}, cyd: {} }) });
    const key = await withPasskey(door);
    const [mine] = key.credentials;
    const thief = await halfWay(door, 'bob');
    const copied = new Authenticator(door.issuer);
    const again = { credentialId: mine?.id ?? '', ...(mine ? { key: mine.key } : {}) };
    await thief.press('Confirm setup', { credential: copied.create(asked(thief), again) });
    t.is(thief.status, 422);
    t.regex(thief.alert, wrongPasskey);
    await thief.press('Confirm setup', {
      credential: copied.create(asked(thief), { credentialId: mine?.id ?? '' }),
    });
    t.is(thief.status, 422, 'nor the same name with another key');
    t.is(await count(door, 'factors'), 1);
    const owner = door.browser();
    await signInAlone(owner, key);
    t.is((await redeem(door, owner)).claims.sub, await userId(door));

    // At the same moment, on two accounts.
    const shared = new Authenticator(door.issuer);
    const [bob, cyd] = [await halfWay(door, 'bob'), await halfWay(door, 'cyd')];
    const first = shared.create(asked(bob));
    const [one] = shared.credentials;
    const second = shared.create(asked(cyd), {
      credentialId: one?.id ?? '',
      ...(one ? { key: one.key } : {}),
    });
    await Promise.all([
      bob.press('Confirm setup', { credential: first }),
      cyd.press('Confirm setup', { credential: second }),
    ]);
    t.is(await count(door, 'factors'), 2);
    t.deepEqual([bob.status, cyd.status].sort(), [200, 422]);
  });

  test(`${kind}: a set-up is confirmed once, for the person and the question it was made for (T075, T077, T085)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {}, bob: {} }) });
    const [ada, bob] = [await halfWay(door), await halfWay(door, 'bob')];
    const key = new Authenticator(door.issuer);
    for (const [what, credential] of Object.entries({
      "the answer to Bob's question": key.create(asked(bob)),
      'another origin': key.create(asked(ada), { clientData: { origin: 'https://evil.test' } }),
      'another rpId': key.create(asked(ada), { rpId: 'evil.test' }),
      'nobody there': key.create(asked(ada), { up: false }),
      'CBOR that is cut': key.create(asked(ada), {
        after: (one) => ({ ...one, attestationObject: String(one.attestationObject).slice(0, -20) }),
      }),
      'a giant certificate': key.create(asked(ada), {
        attestation: { fmt: 'packed', attStmt: new Map([['x5c', [new Uint8Array(40_000)]]]) as never },
      }),
      'many small ones': key.create(asked(ada), {
        attestation: {
          fmt: 'packed',
          attStmt: new Map([['x5c', Array.from({ length: 200 }, () => new Uint8Array(50))]]) as never,
        },
      }),
      nothing: '',
    })) {
      await ada.press('Confirm setup', { credential });
      t.is(ada.status, 422, what);
      t.is(ada.heading, setUpPage, what);
    }
    const credential = key.create(asked(ada));
    const tabs = Array.from({ length: 8 }, () => ada.copy());
    await Promise.all(tabs.map((tab) => tab.press('Confirm setup', { credential })));
    t.is(await count(door, 'factors'), 1);
    await bob.press('Confirm setup', { credential });
    t.is(bob.status, 422, "another's set-up");
    t.is(await count(door, 'factors'), 1);
    t.is(await count(door, 'recovery_codes'), 8);
    t.notRegex(door.log.join(''), /"level":(50|60)/);
  });

  test(`${kind}: a set-up that was left for ten minutes can be gone on with`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const browser = await halfWay(door);
    const key = new Authenticator(door.issuer);
    const old = key.create(asked(browser));
    door.clock.forward(minutes(10));
    await browser.press('Confirm setup', { credential: old });
    t.is(browser.status, 422);
    await setUpHere(browser, key);
    t.true(isIn(browser), `${browser.status} ${browser.heading} ${browser.alert}`);

    await door.db.change('DELETE FROM factors');
    const again = await halfWay(door, 'ada');
    door.clock.forward(minutes(6));
    await again.open(again.url);
    await setUpHere(again, new Authenticator(door.issuer));
    t.true(isIn(again), 'also where the page was only opened again');
  });

  test(`${kind}: of several passkeys any may answer, and they are one way among others`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(either, { ada: { totp: secret } }, { applications }),
    });
    const first = await withPasskey(door);
    const second = await withPasskey(door);
    for (const key of [first, second]) {
      const next = await halfWay(door);
      await answer(next, key);
      t.true(isIn(next));
    }
    const ways = await halfWay(door);
    await ways.follow('Try another way');
    t.is((ways.text.match(/<b>Passkey<\/b>/g) ?? []).length, 1);
    t.is((ways.text.match(/<b>Authenticator app<\/b>/g) ?? []).length, 1);
  });

  test(`${kind}: a browser that had a passkey asked for may be remembered, and is not a passkey then (T049)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required, { ada: {} }, { applications }) });
    const key = await withPasskey(door);
    const browser = await halfWay(door);
    await browser.press('Verify', { credential: key.get(asked(browser)), remember: '1' });
    t.true(isIn(browser));
    await passwordStep(withoutSession(browser));
    t.deepEqual(told(await redeem(door, browser)), { acr: 'urn:sallyport:acr:remembered', amr: ['pwd'] });
    await browser.authorize({ client_id: 'passkeys' });
    t.is(browser.heading, challengePage);
    await browser.authorize({ acr_values: 'phr' });
    t.is(browser.heading, challengePage);
  });

  test(`${kind}: a right password is never lost to a question for a passkey at the same moment`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(either, { ada: { totp: secret } }),
      replicas: 2,
    });
    for (let n = 0; n < 6; n += 1) {
      const browser = door.browser();
      await browser.authorize();
      const script = Object.assign(browser.copy(), { replica: 1 });
      // As the page does when it has been loaded, while a password manager fills it in and sends it.
      await Promise.all([
        browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' }),
        new Promise((resolve) => setTimeout(resolve, 5 * n)).then(() => question(script).catch(() => {})),
      ]);
      t.is(browser.heading, challengePage, `question ${5 * n} ms after the password`);
    }
  });
}

for (const kind of kinds)
  test(`${kind}: a passkey that its owner closes while it signs somebody in stays closed, and lets nobody in (T083, T154)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional), replicas: 2 });
    const key = await withPasskey(door);
    const { services } = door.apps[1] ?? missing();
    const { id } = (await door.db.row<{ id: string }>('SELECT id FROM factors')) ?? missing();
    const thief = door.browser();
    await thief.authorize();
    const credential = key.get(await question(thief));
    const together = door.db.together.bind(door.db);
    let go = () => {};
    const until = new Promise<void>((resolve) => {
      go = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      door.db.together = async (batch) => {
        if (batch.some(({ sql }) => /^UPDATE factors SET failures = 0/.test(sql))) {
          door.db.together = together;
          resolve();
          await until;
        }
        return together(batch);
      };
    });
    const made = makeLink(services, 'not_me', await userId(door, 'ada'), { closeFactors: id });
    await services.db.together([made.statement]);
    const link = (await findLink(services, 'not_me', made.url.split('/').at(-1))) ?? missing();
    const entering = thief.press(alone, { credential });
    await reached;
    t.truthy(await notMe(services, { link, origin: { ip: null, userAgent: null } }));
    go();
    await entering;
    t.false(isIn(thief));
    const row = await door.db.row<{ disabled_at: number | null }>('SELECT disabled_at FROM factors');
    t.not(row?.disabled_at, null, 'it opens doors again');

    // What is set up while the address is being put back is the other person's too.
    await door.db.change("UPDATE users SET email = 'eve@acme.test' WHERE email = 'ada@acme.test'");
    const back = makeLink(services, 'not_me', await userId(door, 'eve'), { restoreEmail: 'ada@acme.test' });
    await services.db.together([back.statement]);
    const way = (await findLink(services, 'not_me', back.url.split('/').at(-1))) ?? missing();
    door.db.together = async (batch) => {
      door.db.together = together;
      door.clock.forward(5);
      await withPasskey(door, 'eve');
      return together(batch);
    };
    const own = door.apps[0]?.services ?? missing();
    t.truthy(await notMe(own, { link: way, origin: { ip: null, userAgent: null } }));
    t.is(await count(door, 'factors', 'disabled_at IS NULL'), 0);
  });
