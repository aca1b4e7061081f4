import test from 'ava';
import { days, hours, seconds } from '../../lib/clock.ts';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';
import { open, seal } from '../../lib/seal.ts';
import { Browser } from './browser.ts';
import { count, events, resetByAdmin, setUp, userId, withoutSession } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  password,
  passwordHash,
  passwordStep,
  redeem,
  redirectUri,
  secret,
  signIn,
} from './rig.ts';

const optional = { requirement: 'optional', rememberDeviceDays: 30 };
const remembered = 'urn:sallyport:acr:remembered';
const challengePage = 'Two-factor authentication';
const cookiePlace = { table: 'cookie', column: 'browser', row: '' };
const cookieKey = 'sallyport-browser;/';

/** A browser on which `who` has passed a challenge and asked not to be asked again; its session is gone. */
async function rememberedBrowser(door: FrontDoor, who = 'ada', replica = 0): Promise<Browser> {
  const browser = door.browser(replica);
  const { claims } = await signIn(door, browser, { who, remember: true });
  if (claims.acr !== 'urn:sallyport:acr:2fa') throw new Error(String(claims.acr));
  nextStep(door);
  return withoutSession(browser);
}

/** What a sign-in with the password leads to. */
async function asked(browser: Browser, who = 'ada', params = {}): Promise<boolean> {
  withoutSession(browser);
  await passwordStep(browser, who, params);
  return browser.callback === null && browser.heading === challengePage;
}

const cookieValue = (browser: Browser): string => {
  const value = browser.cookies.get(cookieKey)?.value ?? '';
  return value.slice(value.indexOf('=') + 1);
};

const setValue = (browser: Browser, value: string): void => {
  browser.cookies.set(cookieKey, { value: `sallyport-browser=${value}`, path: '/', attributes: '' });
};

const ringOf = (door: FrontDoor) => {
  const ring = door.apps[0]?.services.ring;
  if (!ring) throw new Error('no application');
  return ring;
};

interface Entry {
  user: string;
  bucket: string;
  device: { id: string; secret: string } | null;
}

const entriesOf = (door: FrontDoor, browser: Browser): Entry[] =>
  JSON.parse(open(ringOf(door), cookiePlace, cookieValue(browser))) as Entry[];

for (const kind of kinds) {
  test(`${kind}: a remembered browser is asked again after each event that forgets it, in new sign-ins, in its session and in its refresh tokens, on every server (T046)`, async (t) => {
    const other = 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU';
    const update = (who: string, more: object) => ({ users: [{ email: `${who}@acme.test`, ...more }] });
    const eventsThatForget: Record<string, (door: FrontDoor, who: string) => Promise<unknown>> = {
      recovery: async (door, who) => {
        const browser = door.browser();
        await passwordStep(browser, who);
        await browser.follow('Use a recovery code');
        await browser.press('Verify', { code: recoveryCodes[0] ?? '' });
        t.is(browser.heading, 'You used a recovery code');
      },
      reenrolled: (door, who) => door.apply(update(who, { factors: { totp: other } })),
      password: (door, who) => door.apply(update(who, { password: 'another horse battery staple' })),
      disabled: async (door, who) => {
        await door.apply(update(who, { disabled: true }));
        await door.apply(update(who, { disabled: false }));
      },
      phone: (door, who) => door.apply(update(who, { phone: '+15555550123' })),
      reset: (door, who) => resetByAdmin(door, who),
      version: async (door, who) =>
        door.db.change('UPDATE users SET security_version = security_version + 1 WHERE id = ?', [
          await userId(door, who),
        ]),
      forgotten: async (door, who) =>
        door.db.change('UPDATE remembered_devices SET revoked_at = 1 WHERE user_id = ?', [
          await userId(door, who),
        ]),
      gone: async (door, who) =>
        door.db.change('DELETE FROM remembered_devices WHERE user_id = ?', [await userId(door, who)]),
      removed: async (door, who) =>
        door.db.change('DELETE FROM factors WHERE user_id = ?', [await userId(door, who)]),
      closed: async (door, who) =>
        door.db.change('UPDATE factors SET disabled_at = 1, failures = 100 WHERE user_id = ?', [
          await userId(door, who),
        ]),
    };
    const names = Object.keys(eventsThatForget);
    const people = Object.fromEntries(
      names.map((name) => [name, name === 'recovery' ? {} : { totp: secret }]),
    );
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...optional, requirement: 'required_for_all', graceDays: 0 }, people),
      replicas: 2,
    });
    const first = door.browser();
    const { secret: own, codes: recoveryCodes } = await setUp(door, first, 'recovery');

    for (const name of names) {
      const browser = door.browser(1);
      await passwordStep(browser, name);
      await browser.press('Verify', {
        code: door.code(0, name === 'recovery' ? own : secret),
        remember: '1',
      });
      nextStep(door);
      withoutSession(browser);
      await passwordStep(browser, name);
      const tokens = await redeem(door, browser);
      t.is(tokens.claims.acr, remembered, `before: ${name}`);
      const session = browser.copy();
      await session.authorize({ prompt: 'none' });
      t.is((await redeem(door, session)).claims.acr, remembered);

      await eventsThatForget[name]?.(door, name);

      for (const replica of [0, 1]) {
        const silent = session.copy();
        silent.replica = replica;
        for (const client_id of ['app', 'other']) {
          await silent.authorize({ prompt: 'none', client_id });
          t.regex(silent.callback?.get('error') ?? '', /^(interaction|login)_required$/, `silent: ${name}`);
        }
        const visible = session.copy();
        visible.replica = replica;
        await visible.authorize();
        t.is(visible.callback, null, `in the session: ${name}`);

        const fresh = browser.copy();
        fresh.replica = replica;
        withoutSession(fresh);
        await fresh.authorize();
        await fresh.press('Sign in', {
          email: `${name}@acme.test`,
          password: name === 'password' ? 'another horse battery staple' : password,
        });
        t.is(fresh.callback, null, `anew: ${name}`);
        t.not(fresh.heading, 'Sign in');
        t.true(fresh.status < 500, name);
      }
      const { status, body } = await door.post('/token', {
        grant_type: 'refresh_token',
        refresh_token: String(tokens.body.refresh_token),
      });
      t.deepEqual([status, body.error], [400, 'invalid_grant'], `refresh: ${name}`);
    }
  });

  test(`${kind}: a change of the policy forgets what was remembered before it, a change of nothing does not (T046, T047)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        optional,
        { ada: { totp: secret } },
        {
          users: [
            {
              email: 'ida@acme.test',
              passwordHash,
              emailVerified: true,
              factors: { totp: secret },
            },
          ],
        },
      ),
    });
    const policies = [
      { graceDays: 3 },
      { rememberDeviceDays: 14 },
      { rememberDeviceDays: 60 },
      { methods: ['totp', 'passkey'] },
      { requirement: 'required_for_all' },
      { requirement: 'optional' },
      { applications: ['app', 'other'] },
      { recoveryCodes: { showAgain: false } },
    ];
    let last: object = optional;
    for (const policy of policies) {
      const browser = await rememberedBrowser(door);
      await passwordStep(browser);
      t.is((await redeem(door, browser)).claims.acr, remembered);
      door.clock.forward(seconds(1));
      await door.apply({ organizations: [{ slug: 'acme', policy: last }] });
      await browser.authorize({ prompt: 'none' });
      t.is((await redeem(door, browser)).claims.acr, remembered, 'applied again, nothing has changed');

      await door.apply({ organizations: [{ slug: 'acme', policy }] });
      await browser.authorize({ prompt: 'none' });
      t.is(browser.callback?.get('error'), 'interaction_required', JSON.stringify(policy));
      t.true(await asked(browser), JSON.stringify(policy));
      last = policy;
      nextStep(door);
    }
    // Somebody without an organization is held by the instance's rules.
    const ida = await rememberedBrowser(door, 'ida');
    t.false(await asked(ida, 'ida'));
    door.clock.forward(seconds(1));
    await door.apply({ instance: { policy: { rememberDeviceDays: 20 } } });
    t.true(await asked(ida, 'ida'));
    // Who comes into an organization that forbids it is asked from then on.
    const moved = await rememberedBrowser(door, 'ida');
    await door.apply({
      organizations: [{ slug: 'strict', name: 'Strict', policy: { rememberDeviceDays: 0 } }],
      users: [{ email: 'ida@acme.test', memberships: [{ organization: 'strict', role: 'member' }] }],
    });
    t.true(await asked(moved, 'ida'));
  });

  test(`${kind}: what was answered before an event that forgets does not make a remembered browser after it, however long a page stayed open (T046, T051)`, async (t) => {
    const people = { ada: {}, bob: { totp: secret } };
    const third = { ...application('third'), firstParty: false };
    const door = await frontDoor(t, kind, {
      configuration: acme({ ...optional, requirement: 'recommended' }, people, { applications: [third] }),
    });
    const again = await setUp(door, door.browser());
    const { secret: own, codes } = again;

    /** Has ticked the box with a right code, and stands before the consent page. */
    const waiting = async (who: string, of: string) => {
      const browser = door.browser();
      await passwordStep(browser, who, { client_id: 'third', prompt: 'consent' });
      await browser.press('Verify', { code: door.code(0, of), remember: '1' });
      t.true(browser.buttons.includes('Allow'), browser.heading);
      nextStep(door);
      return browser;
    };
    const control = await waiting('bob', secret);
    await control.press('Allow');
    t.false(await asked(control, 'bob'), 'without an event it is remembered');

    const stolen = await waiting('ada', own);
    const ada = door.browser();
    await passwordStep(ada);
    await ada.follow('Use a recovery code');
    await ada.press('Verify', { code: codes[0] ?? '' });
    t.is(ada.heading, 'You used a recovery code');
    await stolen.press('Allow');
    nextStep(door);
    t.true(await asked(stolen), 'a recovery code was used meanwhile');

    const bobs = await waiting('bob', secret);
    await door.apply({
      users: [{ email: 'bob@acme.test', factors: { totp: 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU' } }],
    });
    await bobs.open(bobs.url);
    if (bobs.buttons.includes('Allow')) await bobs.press('Allow');
    nextStep(door);
    t.true(await asked(bobs, 'bob'), 'the app was set up anew meanwhile');

    const changed = await waiting('ada', again.secret);
    await door.apply({ organizations: [{ slug: 'acme', policy: { rememberDeviceDays: 60 } }] });
    await changed.open(changed.url);
    await changed.press('Allow');
    nextStep(door);
    t.true(await asked(changed), 'the policy was changed meanwhile');

    const late = door.browser();
    await passwordStep(late, 'bob', { client_id: 'third', prompt: 'consent' });
    await late.press('Verify', { code: door.code(0, 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU'), remember: '1' });
    nextStep(door);
    await door.apply({ organizations: [{ slug: 'acme', policy: { rememberDeviceDays: 0 } }] });
    await late.open(late.url);
    await late.press('Allow');
    nextStep(door);
    t.true(await asked(late, 'bob'), 'it was forbidden meanwhile');
    await door.apply({ organizations: [{ slug: 'acme', policy: { rememberDeviceDays: 30 } }] });
    nextStep(door);
    t.true(await asked(late, 'bob'), 'and allowed again');
  });

  test(`${kind}: it ends after its days by the server's clock, whatever the browser keeps (T045)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret }, bob: { totp: secret } }),
    });
    const started = door.clock.now().getTime();
    const browser = await rememberedBrowser(door);
    const value = cookieValue(browser);
    const lasts = days(30);
    door.clock.set(new Date(started + lasts - seconds(1)));
    t.false(await asked(browser), 'one second before');
    t.is((await redeem(door, browser)).claims.acr, remembered);
    const session = browser.copy();
    door.clock.set(new Date(started + lasts + seconds(1)));
    await session.authorize({ prompt: 'none' });
    t.is(session.callback?.get('error'), 'interaction_required', 'also in a session that it began');

    setValue(browser, value);
    t.true(await asked(browser), 'one second after');
    const thief = door.browser();
    setValue(thief, value);
    t.true(await asked(thief));
    // Use does not make it last longer, and neither does a clock that goes back for somebody who comes later.
    t.is(await count(door, 'remembered_devices', 'expires_at > ?', started + lasts), 0);
    await browser.press('Verify', { code: door.code() });
    t.is((await redeem(door, browser)).claims.acr, 'urn:sallyport:acr:2fa');
    nextStep(door);
    t.true(await asked(browser), 'a challenge without the box remembers nothing');
  });

  test(`${kind}: it holds for the person who asked for it, in a browser that has the cookie, and for nobody else (T043)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret }, bob: { totp: secret } }),
    });
    const browser = await rememberedBrowser(door);
    t.true(await asked(browser, 'bob'), 'the other person in the same browser');
    t.false(await asked(browser, 'ada'), 'and the first one still is');

    const bobs = door.browser();
    setValue(bobs, cookieValue(browser));
    t.true(await asked(bobs, 'bob'), 'in another browser');
    nextStep(door);
    await bobs.press('Verify', { code: door.code(), remember: '1' });
    nextStep(door);
    const [adasEntry, bobsEntry] = ['ada', 'bob'].map(async (who) => {
      const id = await userId(door, who);
      return entriesOf(door, bobs).find(({ user }) => user === id) as Entry;
    });
    const [ada, bob] = [await adasEntry, await bobsEntry] as [Entry, Entry];
    t.truthy(ada.device);
    t.truthy(bob.device);

    // Even whoever could seal a cookie: records and secrets of others do not fit.
    for (const [name, entries] of Object.entries({
      'the record of the other': [{ ...bob, device: ada.device }],
      'the record of the other with the own secret': [
        { ...bob, device: { id: ada.device?.id ?? '', secret: bob.device?.secret ?? '' } },
      ],
      'the own record with the secret of the other': [
        { ...bob, device: { id: bob.device?.id ?? '', secret: ada.device?.secret ?? '' } },
      ],
      'no secret': [{ ...bob, device: { id: bob.device?.id ?? '', secret: '' } }],
      'the digest for the secret': [
        {
          ...bob,
          device: {
            id: bob.device?.id ?? '',
            secret:
              (
                await door.db.row<{ secret_digest: string }>(
                  'SELECT secret_digest FROM remembered_devices WHERE id = ?',
                  [bob.device?.id ?? ''],
                )
              )?.secret_digest ?? '',
          },
        },
      ],
    })) {
      const forged = door.browser();
      setValue(forged, seal(ringOf(door), cookiePlace, JSON.stringify(entries)));
      t.true(await asked(forged, 'bob'), name);
    }
    const whole = door.browser();
    setValue(whole, cookieValue(bobs));
    t.false(await asked(whole, 'bob'), 'the whole cookie is what a browser has');
  });

  test(`${kind}: a cookie that was changed is worth nothing, is taken away and stands in the audit log (T044)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional, { ada: { totp: secret } }) });
    const browser = await rememberedBrowser(door);
    const good = cookieValue(browser);
    const text = JSON.stringify(entriesOf(door, browser));
    const [version = '', keyId = '', body = ''] = good.split('.');
    const flip = (at: number) => `${body.slice(0, at)}${body[at] === 'A' ? 'B' : 'A'}${body.slice(at + 1)}`;
    const zero = Buffer.alloc(32).toString('base64url');
    const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const cases: Record<string, string> = {
      'one letter of the nonce': `${version}.${keyId}.${flip(3)}`,
      'one letter in the middle': `${version}.${keyId}.${flip(Math.floor(body.length / 2))}`,
      'the tag': `${version}.${keyId}.${flip(body.length - 6)}`,
      'cut short': good.slice(0, -20),
      'only its beginning': `${version}.${keyId}.`,
      'another version': `v2.${keyId}.${body}`,
      'an unknown key': `${version}.00000000.${body}`,
      'sealed by another key': seal(openKeyRing(newKey()), cookiePlace, text),
      'sealed by a key of zeros': seal(openKeyRing(zero), cookiePlace, text),
      'sealed by another key under our name': seal(openKeyRing(newKey()), cookiePlace, text).replace(
        /^v1\.[0-9a-f]{8}/,
        `v1.${keyId}`,
      ),
      'sealed for another place': seal(ringOf(door), { ...cookiePlace, column: 'session' }, text),
      'plain JSON': encodeURIComponent(text),
      'base64 of it': Buffer.from(text).toString('base64url'),
      'a JWT without a signature': `${b64({ alg: 'none' })}.${b64(entriesOf(door, browser))}.`,
      'no text at all': '%00%ff',
      'a list of nobody known': seal(ringOf(door), cookiePlace, '{"user":"x"}'),
    };
    for (const [name, value] of Object.entries(cases)) {
      const before = await events(door, 'device.rejected');
      const tampered = door.browser();
      setValue(tampered, value);
      await tampered.authorize();
      t.true((await events(door, 'device.rejected')) > before, `in the log: ${name}`);
      t.false(tampered.cookies.has(cookieKey), `taken away: ${name}`);
      setValue(tampered, value);
      await tampered.press('Sign in', { email: 'ada@acme.test', password });
      t.is(tampered.heading, challengePage, name);
      setValue(tampered, value);
      await tampered.open(tampered.url);
      t.is(tampered.heading, challengePage, name);
    }
    t.false(await asked(browser), 'as it was, it still is remembered');
    t.true(door.log.every((line) => !line.includes('errorId')));
  });

  test(`${kind}: where one of two organizations forbids it nothing is remembered; where one allows fewer days, they count (T048)`, async (t) => {
    const member = (...slugs: string[]) => ({
      totp: secret,
      extra: { memberships: slugs.map((organization) => ({ organization, role: 'member' })) },
    });
    const door = await frontDoor(t, kind, {
      configuration: acme(
        optional,
        {
          ada: member('acme', 'strict'),
          bob: member('acme', 'short'),
          cyd: member('acme', 'narrow'),
          dan: member('acme', 'brief'),
        },
        {
          organizations: [
            { slug: 'strict', name: 'Strict', policy: { rememberDeviceDays: 0 } },
            { slug: 'short', name: 'Short', policy: { rememberDeviceDays: 7 } },
            {
              slug: 'narrow',
              name: 'Narrow',
              policy: { rememberDeviceDays: 0, applications: ['other'], methods: ['totp'] },
            },
            {
              slug: 'brief',
              name: 'Brief',
              policy: { rememberDeviceDays: 7, applications: ['other'], methods: ['totp'] },
            },
          ],
        },
      ),
    });
    const never = door.browser();
    await passwordStep(never, 'ada');
    t.notRegex(never.text, /name="remember"/, 'it is not offered');
    await never.press('Verify', { code: door.code(), remember: '1' });
    t.true(never.callback?.has('code'));
    t.is(await count(door, 'remembered_devices'), 0, 'nor taken where it was not offered');
    nextStep(door);
    t.true(await asked(never, 'ada'));

    const start = door.clock.now().getTime();
    const short = door.browser();
    await passwordStep(short, 'bob');
    t.regex(short.text, /Remember this device for 7 days/);
    await short.press('Verify', { code: door.code(), remember: '1' });
    const narrow = await rememberedBrowser(door, 'cyd');
    t.false(await asked(narrow, 'cyd'), 'where only the one that allows it speaks');
    await narrow.authorize({ client_id: 'other' });
    t.is(narrow.callback, null, 'not from there by single sign-on into what the other one covers');
    t.is(narrow.heading, challengePage);
    t.true(await asked(narrow, 'cyd', { client_id: 'other' }));
    const brief = await rememberedBrowser(door, 'dan');

    door.clock.set(new Date(start + days(7) - hours(1)));
    t.false(await asked(short, 'bob'));
    t.false(await asked(brief, 'dan', { client_id: 'other' }));
    door.clock.set(new Date(start + days(7) + hours(1)));
    t.true(await asked(short, 'bob'));
    t.false(await asked(brief, 'dan'), 'thirty days for the one application');
    await brief.authorize({ client_id: 'other', prompt: 'none' });
    t.is(brief.callback?.get('error'), 'interaction_required', 'seven for the other');
    t.true(await asked(brief, 'dan', { client_id: 'other' }));
  });

  test(`${kind}: a remembered browser is no factor: the claims say so, and what asks for a factor gets one (T049)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        optional,
        { ada: { totp: secret } },
        {
          applications: [
            application('second', { assurance: 'second_factor' }),
            application('fresh', { assurance: 'fresh_second_factor' }),
            application('key', { assurance: 'passkey' }),
          ],
        },
      ),
    });
    const browser = await rememberedBrowser(door);
    t.false(await asked(browser));
    const { claims, body } = await redeem(door, browser);
    t.is(claims.acr, remembered);
    t.deepEqual(claims.amr, ['pwd']);
    for (const path of ['/me', '/token/introspection']) {
      const answer = await door.post(
        path,
        path === '/me' ? {} : { token: String(body.access_token) },
        path === '/me' ? { bearer: String(body.access_token) } : {},
      );
      t.notRegex(JSON.stringify(answer.body), /otp|mfa|acr:2fa/, path);
    }
    const refreshed = await door.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(body.refresh_token),
    });
    t.deepEqual([refreshed.claims.acr, refreshed.claims.amr], [remembered, ['pwd']]);

    const demands: Record<string, string>[] = [
      { acr_values: 'urn:sallyport:acr:2fa' },
      { acr_values: 'mfa' },
      { acr_values: 'urn:sallyport:acr:2sv' },
      {
        claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:sallyport:acr:2fa' } } }),
      },
      { client_id: 'second' },
      { client_id: 'fresh' },
    ];
    for (const demand of demands) {
      await browser.authorize({ ...demand, prompt: 'none' });
      t.is(browser.callback?.get('code') ?? null, null, JSON.stringify(demand));
      t.regex(
        browser.callback?.get('error') ?? '',
        /^(interaction_required|unmet_authentication_requirements)$/,
      );
      const again = browser.copy();
      t.true(await asked(again, 'ada', demand), JSON.stringify(demand));
      t.notRegex(again.text, /name="remember"/, 'nor is remembering offered for it');
    }
    await browser.authorize({ client_id: 'key' });
    t.is(browser.callback?.get('code') ?? null, null);
    await browser.authorize({ acr_values: 'urn:sallyport:acr:1fa' });
    t.deepEqual((await redeem(door, browser)).claims.amr, ['pwd']);
  });

  test(`${kind}: signing out ends the session and keeps what was remembered, which still asks for the password; an answer that was lost on its way locks nobody out (T054, T056)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ rememberDeviceDays: 30 }, { ada: { totp: secret } }),
    });
    const ada = door.browser();
    await signIn(door, ada, { remember: true });
    await ada.open('/account');
    await ada.press('Sign out');
    await ada.authorize({ prompt: 'none' });
    t.is(ada.callback?.get('error'), 'login_required');
    await passwordStep(ada);
    t.true(ada.callback?.has('code'), 'no second step in this browser');
    const other = door.browser();
    await passwordStep(other);
    t.is(other.heading, 'Two-factor authentication');

    // What the cookie proves stays the same, so the value from before an answer that never came is as good as the one in it.
    const lost = withoutSession(ada.copy());
    const [before] = entriesOf(door, lost);
    await passwordStep(withoutSession(ada));
    t.deepEqual(entriesOf(door, ada)[0]?.device, before?.device);
    await passwordStep(lost);
    t.true(lost.callback?.has('code'));
    // Forgotten, it is forgotten in every value that it ever had.
    await ada.open('/account');
    await ada.press('Forget this device');
    for (const browser of [withoutSession(ada), withoutSession(lost)]) {
      t.true(await asked(browser), 'asked again');
    }
  });

  test(`${kind}: it never stands for the password (T050)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(optional, { ada: { totp: secret } }) });
    const browser = await rememberedBrowser(door);
    await browser.authorize({ prompt: 'none', login_hint: 'ada@acme.test' });
    t.is(browser.callback?.get('error'), 'login_required');
    await browser.authorize({ login_hint: 'ada@acme.test' });
    t.is(browser.heading, 'Sign in');
    for (const typed of ['', 'wrong']) {
      const before = await events(door, 'password.failed');
      await browser.press('Sign in', { email: 'ada@acme.test', password: typed });
      t.is(browser.status, 422);
      t.is(browser.callback, null);
      t.is(await events(door, 'password.failed'), before + 1, 'counted as ever');
    }
    t.is(
      await count(door, 'sessions', 'account_id IS NOT NULL AND ended_at IS NULL AND id_digest IS NOT NULL'),
      1,
    );
  });

  test(`${kind}: only a right second factor makes one: no other form, no wrong code, no recovery code, no skipped set-up (T051)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { ...optional, requirement: 'required_for_all', graceDays: 7 },
        { ada: {}, bob: {} },
      ),
    });
    const box = { remember: '1' };
    const skipping = door.browser();
    await skipping.authorize();
    await skipping.press('Sign in', { email: 'bob@acme.test', password, ...box });
    await skipping.press('Skip for now', box);
    t.true(skipping.callback?.has('code'));

    const { secret: own, codes } = await setUp(door, door.browser());
    t.is(await count(door, 'remembered_devices'), 0);
    const browser = door.browser();
    await browser.authorize();
    await browser.press('Sign in', { email: 'ada@acme.test', password, ...box, 'remember[]': '1' });
    await browser.press('Verify', { code: '000000', ...box });
    t.is(browser.status, 422);
    t.regex(browser.text, /name="remember"[^>]* checked/, 'what was chosen is kept');
    t.is(await count(door, 'remembered_devices'), 0);
    await browser.press('Verify', { code: door.code(0, own) });
    t.true(browser.callback?.has('code'));
    t.is(await count(door, 'remembered_devices', 'revoked_at IS NULL'), 1);
    nextStep(door);

    const lost = door.browser();
    await lost.authorize({ prompt: 'login' });
    await lost.press('Sign in', { email: 'ada@acme.test', password, ...box });
    await lost.follow('Use a recovery code');
    t.notRegex(lost.text, /name="remember"/);
    await lost.press('Verify', { code: codes[0] ?? '', ...box });
    await lost.press('Continue', box);
    t.true(lost.callback?.has('code'));
    t.is(await count(door, 'remembered_devices', 'revoked_at IS NULL'), 0, 'and it forgets the others');
    nextStep(door);
    t.true(await asked(lost));
    t.true(await asked(browser));
    t.is(await count(door, 'remembered_devices'), 1);
  });

  test(`${kind}: the cookie is opaque, for this host and for HTTP alone; the database has a digest of it (T052)`, async (t) => {
    const issuer = 'https://id.acme.test';
    const door = await frontDoor(t, kind, {
      configuration: acme(optional, { ada: { totp: secret } }),
      settings: { issuer },
    });
    const browser = new Browser(issuer, [door.issuer]);
    await browser.authorize();
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    await browser.press('Verify', { code: door.code(), remember: '1' });
    t.true(browser.callback?.has('code'));
    const header = browser.setCookies.find((line) => line.startsWith('__Host-sallyport-browser=')) ?? '';
    const attributes = header
      .split(';')
      .slice(1)
      .map((part) => part.trim().toLowerCase());
    for (const attribute of ['path=/', 'secure', 'httponly', 'samesite=lax']) {
      t.true(attributes.includes(attribute), attribute);
    }
    t.false(attributes.some((attribute) => attribute.startsWith('domain')));
    t.true(header.length < 4096);
    for (const line of browser.setCookies) {
      t.regex(line, /; ?secure/i, 'every cookie');
      t.regex(line, /; ?httponly/i);
      t.regex(line, /; ?samesite=lax/i);
      t.notRegex(line, /; ?domain=/i);
      t.regex(line, /^__(Host|Secure)-/);
    }

    const value = header.split(';')[0]?.split('=').slice(1).join('=') ?? '';
    const id = await userId(door);
    const plain = Buffer.from(value.split('.')[2] ?? '', 'base64url').toString('latin1');
    for (const text of [id, 'ada', 'acme']) {
      t.false(header.includes(text) || plain.includes(text), text);
    }
    const [entry] = JSON.parse(open(ringOf(door), cookiePlace, value)) as Entry[];
    t.true(Buffer.from(entry?.device?.secret ?? '', 'base64url').length >= 16);
    const [row] = await door.db.rows('SELECT * FROM remembered_devices');
    t.false(JSON.stringify(row).includes(entry?.device?.secret ?? 'x'));
    t.false(JSON.stringify(row).includes(value));
    t.true(browser.callback !== null && redirectUri.startsWith('http'));
  });
}
