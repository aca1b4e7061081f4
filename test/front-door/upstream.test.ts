import parallel from 'ava';
import type { Browser } from './browser.ts';
import { mails } from './evidence.ts';
import { fakeDns } from './fake-dns.ts';
import { fakeUpstream, type Lie, provider } from './fake-upstream.ts';
import {
  acme,
  application,
  frontDoor,
  kinds,
  nextStep,
  password,
  passwordHash,
  redeem,
  secret,
  type TokenAnswer,
} from './rig.ts';

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const zoe = { sub: 'zoe-1', email: 'zoe@acme.test', email_verified: true, name: 'Zoe <b>Hostile</b>' };

for (const kind of kinds) {
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: a provider that lies in any field gets nobody in, and says so on a page with other ways (T013, T116)`, async (t) => {
    const fake = await fakeUpstream(t);
    const door = await frontDoor(t, kind, {
      configuration: {
        ...acme({}),
        providers: [
          provider(fake, { createAccounts: true }),
          provider(fake, { slug: 'other', name: 'Other', createAccounts: true, clientId: 'other' }),
        ],
      },
    });
    fake.door = door;
    fake.person = zoe;
    const now = Math.floor(door.clock.now().getTime() / 1000);
    const lies: Readonly<Record<string, Lie>> = {
      'another issuer': { claims: { iss: 'https://evil.example' } },
      'another audience': { claims: { aud: 'somebody-else' } },
      'several audiences and no azp': { claims: { aud: ['sallyport', 'somebody-else'] } },
      'an azp that is another': { claims: { azp: 'somebody-else' } },
      'several audiences and an azp that is another': {
        claims: { aud: ['sallyport', 'somebody-else'], azp: 'somebody-else' },
      },
      'another nonce': { claims: { nonce: 'another' } },
      'no nonce': { without: ['nonce'] },
      expired: { claims: { exp: now - 120, iat: now - 600 } },
      'no exp': { without: ['exp'] },
      'from the future': { claims: { iat: now + 600, exp: now + 1200 } },
      'signed in in the future': { claims: { auth_time: now + 600 } },
      'no sub': { without: ['sub'] },
      'a sub that is too long': { claims: { sub: 'x'.repeat(256) } },
      'a sub that is empty': { claims: { sub: '' } },
      'a sub that is a number': { claims: { sub: 1 } },
      'a sub that is a list': { claims: { sub: ['zoe-1'] } },
      'an amr that is an object': { claims: { amr: { mfa: true } } },
      'another signature': { sign: 'stranger' },
      'no signature': { sign: 'none' },
      'signed with the shared secret': { sign: 'secret' },
      'a key that it does not publish': { header: { kid: 'unknown' } },
      'a header that must be understood': { header: { crit: ['exp'], exp: 1 } },
      'no ID token': { idToken: () => undefined },
      'an ID token that is none': { idToken: () => 'a.b' },
      'a changed ID token': {
        idToken: (token) =>
          token.replace(/\.[^.]+\./, (part) => `.${part.slice(1, -1).split('').reverse().join('')}.`),
      },
      'an iss of another': { back: { iss: 'https://evil.example' } },
      'no iss': { back: { iss: null } },
      'an error': {
        back: { code: null, error: 'access_denied', error_description: '<script>alert(1)</script>' },
      },
      'no code': { back: { code: null } },
      'a code that it never gave': { back: { code: 'made-up' } },
      'an address that is not verified': { claims: { email_verified: false } },
      'an address that is verified by a word': { claims: { email_verified: 'true' } },
      'no word about the address': { without: ['email_verified'] },
      'no address': { without: ['email'] },
      'an address that is two': { claims: { email: 'zoe@acme.test,eve@acme.test' } },
      'an address that is a list': { claims: { email: ['zoe@acme.test'] } },
    };
    for (const [name, lie] of Object.entries(lies)) {
      const browser = door.browser();
      await browser.authorize();
      await fake.signIn(browser, lie);
      t.is(browser.callback, null, name);
      t.is(browser.heading, 'Sign in', name);
      t.regex(browser.alert, /Fake/, `${name}: ${browser.alert}`);
      t.true(browser.buttons.includes('Sign in'), name);
      t.false(browser.text.includes('<script>alert'), name);
      await browser.authorize({ prompt: 'none' });
      t.is(browser.callback?.get('error'), 'login_required', name);
    }
    const refusals = await door.db.rows<{ data: string }>(
      "SELECT data FROM audit_events WHERE type = 'upstream.failed' ORDER BY id",
    );
    t.is(refusals.length, Object.keys(lies).length);
    t.is(
      refusals.filter(({ data }) => data.includes('invalid_grant')).length,
      1,
      'only the code that it never gave',
    );
    const rows = await door.db.rows('SELECT id FROM upstream_links');
    t.is(rows.length, 0);
    t.is((await door.db.rows("SELECT id FROM users WHERE email = 'zoe@acme.test'")).length, 0);

    // An address of one document, and the word that it is verified of another.
    fake.person = { sub: 'zoe-1', email: 'ceo@acme.test' };
    fake.userinfo = { sub: 'zoe-1', email: 'mallory@acme.test', email_verified: true, name: 'Zoe' };
    const mixed = door.browser();
    await mixed.authorize();
    await fake.signIn(mixed);
    t.is(mixed.heading, 'Sign in', 'two documents that contradict each other');
    t.is((await door.db.rows("SELECT id FROM users WHERE email = 'ceo@acme.test'")).length, 0);
    fake.person = zoe;
    fake.userinfo = null;

    // The state of another browser, of another provider, a second time, and none.
    const victim = door.browser();
    await victim.authorize();
    await victim.press('Sign in with Fake');
    const attacker = door.browser();
    await attacker.authorize();
    await attacker.press('Sign in with Fake');
    const planted = fake.answer(fake.asked(attacker));
    await victim.open(planted);
    t.is(victim.callback, null, 'the sign-in of another browser');
    t.is(victim.heading, 'This sign-in has ended');
    const other = door.browser();
    await other.authorize();
    await other.press('Sign in with Fake');
    await other.open(fake.answer(fake.asked(other)).replace('/upstream/fake/', '/upstream/other/'));
    t.is(other.heading, 'This sign-in has ended', 'the address of another provider');
    const twice = door.browser();
    await twice.authorize();
    await twice.press('Sign in with Fake');
    const back = fake.answer(fake.asked(twice));
    const stale = twice.copy();
    await twice.open(back);
    t.truthy(twice.callback?.get('code'), 'the truth gets in');
    await stale.open(back);
    t.is(stale.callback, null, 'the same answer twice');
    for (const path of ['', '?state=x', '?state=x&code=y', '?state[]=x&code=y']) {
      await stale.open(`${door.issuer}/upstream/fake/callback${path}`);
      t.is(stale.status, 400, path);
    }
    t.false(door.log.some((line) => line.includes('an-access-token') || line.includes('fake-secret')));
  });

  test(`${kind}: somebody new gets one account and one link, however often at once, and claims say what the provider is trusted with`, async (t) => {
    const fake = await fakeUpstream(t);
    const door = await frontDoor(t, kind, {
      configuration: {
        ...acme(
          {},
          { ada: { totp: secret } },
          {
            users: [
              { email: 'joy@acme.test', passwordHash, emailVerified: true, memberships: [] },
              { email: 'kim@xn--bcher-kva.example', passwordHash, emailVerified: true, memberships: [] },
            ],
            applications: [
              application('tv', {
                grant_types: [deviceGrant],
                response_types: [],
                redirect_uris: [],
                assurance: 'second_factor',
              }),
            ],
          },
        ),
        providers: [
          provider(fake, { createAccounts: true, trusted: { acr: ['gold'], amr: ['pwd', 'otp', 'hwk'] } }),
          provider(fake, {
            slug: 'office',
            name: 'Office',
            organization: 'acme',
            clientId: 'office',
            domains: ['acme.test'],
            createAccounts: true,
            button: false,
          }),
        ],
      },
    });
    fake.door = door;
    fake.person = zoe;
    const browsers = [door.browser(), door.browser(), door.browser(), door.browser()];
    const backs: string[] = [];
    for (const browser of browsers) {
      await browser.authorize();
      await browser.press('Sign in with Fake');
      // People take a while at the other provider; their account is younger than the sign-in that makes it.
      door.clock.forward(1000);
      backs.push(fake.answer(fake.asked(browser)));
    }
    await Promise.all(browsers.map((browser, index) => browser.open(String(backs[index]))));
    for (const browser of browsers) t.truthy(browser.callback?.get('code'), browser.alert || browser.heading);
    t.is((await door.db.rows('SELECT id FROM upstream_links')).length, 1);
    t.is((await door.db.rows("SELECT id FROM users WHERE email = 'zoe@acme.test'")).length, 1);

    const told: readonly (readonly [object, string, readonly string[]])[] = [
      [{}, 'urn:sallyport:acr:1fa', []],
      [{ amr: ['pwd'] }, 'urn:sallyport:acr:1fa', ['pwd']],
      [{ amr: ['pwd', 'otp', 'face'] }, 'urn:sallyport:acr:2fa', ['pwd', 'otp', 'mfa']],
      [{ amr: ['mfa', 'face'] }, 'urn:sallyport:acr:1fa', []],
      [{ acr: 'gold' }, 'urn:sallyport:acr:2fa', ['mfa']],
      [{ acr: 'silver', amr: 'hwk' }, 'urn:sallyport:acr:2fa', ['hwk', 'mfa']],
      [{ acr: 'phr', amr: [] }, 'urn:sallyport:acr:1fa', []],
    ];
    for (const [said, acr, amr] of told) {
      fake.person = { ...zoe, ...said };
      const browser = door.browser();
      await browser.authorize();
      await fake.signIn(browser);
      const { claims } = await redeem(door, browser);
      t.like(claims, { acr }, JSON.stringify(said));
      t.deepEqual(claims.amr, amr, JSON.stringify(said));
    }

    // Whoever has come in only by the provider gets no password by mail: it would let them in past the provider (T014).
    const mailbox = door.browser();
    await mailbox.open('/forgotten-password');
    await mailbox.press('Send the link', { email: 'zoe@acme.test' });
    t.regex(mailbox.text, /If there is an account with this address, a mail is on its way/);
    t.deepEqual(
      await door.db.rows("SELECT id_digest FROM one_time_links WHERE purpose = 'reset_password'"),
      [],
    );
    const instead = await mails(door, 'password-elsewhere');
    t.deepEqual(
      instead.map(({ to, values }) => [to, values.provider]),
      [['zoe@acme.test', 'Fake']],
    );

    // At a device, with the second factor that it demands: only where the provider says so, in a word that it is trusted with (T072).
    for (const [said, inside] of [
      [{}, false],
      [{ acr: 'gold' }, true],
    ] as const) {
      fake.person = { ...zoe, ...said };
      const { body } = await door.post('/device/auth', { scope: 'openid' }, { clientId: 'tv' });
      const browser = door.browser();
      await browser.open(String(body.verification_uri));
      await browser.press('Continue', { user_code: String(body.user_code) });
      await browser.press(browser.buttons.find((label) => /connect|continue|allow/i.test(label)) ?? '');
      await fake.signIn(browser);
      if (!inside) t.is(browser.heading, 'Set up two-factor authentication');
      const fields = { grant_type: deviceGrant, device_code: String(body.device_code) };
      const answer = await door.post('/token', fields, { clientId: 'tv' });
      t.is(answer.status, inside ? 200 : 400, JSON.stringify(answer.body));
      if (inside) t.like(answer.claims, { acr: 'urn:sallyport:acr:2fa' });
    }

    // Both spellings of an international domain are one address, so this is Kim's, and no second one.
    fake.person = { sub: 'kim-there', email: 'Kim@Bücher.example', email_verified: true };
    const kim = door.browser();
    await kim.authorize();
    await fake.signIn(kim);
    t.is(kim.heading, 'Connect your account', kim.alert);
    await kim.press('Sign in and connect', { password });
    t.truthy(kim.callback?.get('code'), kim.alert);
    const links = async () => (await door.db.rows('SELECT id FROM upstream_links')).length;
    t.is(await links(), 2);

    // Whoever has no password proves by the one provider that the other's account is theirs; as somebody else they prove nothing.
    await door.apply({ users: [{ email: 'zoe@acme.test', memberships: [{ organization: 'acme' }] }] });
    const there = { ...zoe, sub: 'zoe-at-the-office' };
    fake.person = there;
    const both = door.browser();
    await both.authorize();
    await both.press('Sign in', { email: 'zoe@acme.test', password: '' });
    await fake.comeBack(both);
    t.is(both.heading, 'Connect your account', both.alert);
    const thief = both.copy();
    await fake.signIn(both, { claims: { iss: 'https://evil.example' } });
    t.is(both.heading, 'Connect your account');
    t.regex(both.alert, /cannot be trusted/);
    fake.person = { sub: 'kim-there', email: 'Kim@Bücher.example', email_verified: true };
    await fake.signIn(both);
    t.truthy(both.callback?.get('code'), 'Kim is in, and nothing was joined');
    t.is(await links(), 2);
    await thief.press('Sign in with Fake').catch(() => undefined);
    t.is(thief.callback, null, 'that sign-in has ended');
    fake.person = there;
    const joins = door.browser();
    await joins.authorize();
    await joins.press('Sign in', { email: 'zoe@acme.test', password: '' });
    await fake.comeBack(joins);
    fake.person = zoe;
    await fake.signIn(joins);
    t.truthy(joins.callback?.get('code'), joins.alert || joins.heading);
    t.is(await links(), 3);
    await door.apply({ users: [{ email: 'zoe@acme.test', memberships: [] }] });

    // By the domain of an address; and an address alone is nobody's proof.
    fake.person = { sub: 'ada-there', email: 'ada@acme.test', email_verified: true };
    const ada = door.browser();
    await ada.authorize();
    await ada.press('Sign in', { email: 'Ada@ACME.test', password: '' });
    const { params } = fake.asked(ada);
    t.like(params, {
      client_id: 'office',
      login_hint: 'Ada@ACME.test',
      response_type: 'code',
      code_challenge_method: 'S256',
    });
    await fake.comeBack(ada);
    t.is(ada.heading, 'Connect your account', ada.alert);
    await ada.press('Sign in and connect', { password: 'wrong' });
    t.is(ada.heading, 'Connect your account', ada.alert);
    await ada.press('Sign in and connect', { password });
    t.is(ada.heading, 'Two-factor authentication');
    t.is(await links(), 3, 'not before the factor');
    await ada.press('Verify', { code: door.code() });
    t.like((await redeem(door, ada)).claims, { acr: 'urn:sallyport:acr:2fa', amr: ['pwd', 'otp', 'mfa'] });
    t.is(await links(), 4);

    const later = door.browser();
    await later.authorize();
    await later.press('Sign in', { email: 'ada@acme.test', password: '' });
    await fake.comeBack(later);
    t.is(later.heading, 'Two-factor authentication', 'her own factor is asked');

    // Codes are running out: new ones are for whoever has just used a factor, not for a remembered browser whose provider has a name.
    await door.db.change(
      `INSERT INTO recovery_codes (id, user_id, position, salt, digest, sealed, created_at, used_at)
       SELECT 'used', id, 0, '', '', NULL, 0, 0 FROM users WHERE email = 'ada@acme.test'`,
    );
    nextStep(door);
    await later.press('Verify', { code: door.code(), remember: '1' });
    t.is(later.heading, 'Few recovery codes are left');
    await later.press('Continue');
    t.truthy(later.callback?.get('code'));
    for (const key of later.cookies.keys()) {
      if (key.startsWith('sallyport-session')) later.cookies.delete(key);
    }
    await later.authorize();
    await later.press('Sign in', { email: 'ada@acme.test', password: '' });
    await fake.comeBack(later);
    t.is((await redeem(door, later)).claims.acr, 'urn:sallyport:acr:remembered', later.heading);

    // The same issuer behind another provider, with another trust: she has not joined that one.
    const elsewhere = door.browser();
    await elsewhere.authorize();
    await elsewhere.press('Sign in with Fake');
    await fake.comeBack(elsewhere);
    t.is(elsewhere.heading, 'Connect your account', elsewhere.alert);

    // Removed while the page that asks for the password is open.
    fake.person = { sub: 'joy-there', email: 'joy@acme.test', email_verified: true };
    const joy = door.browser();
    await joy.authorize();
    await joy.press('Sign in', { email: 'joy@acme.test', password: '' });
    await fake.comeBack(joy);
    t.is(joy.heading, 'Connect your account', joy.alert);
    const memberships = (listed: readonly object[]) =>
      door.apply({ users: [{ email: 'joy@acme.test', memberships: listed }] });
    await memberships([{ organization: 'acme' }]);
    await memberships([]);
    await joy.press('Sign in and connect', { password });
    t.is(joy.callback?.get('code') ?? null, null, joy.heading);
    const [row] = await door.db.rows<{ n: number }>(
      "SELECT COUNT(*) AS n FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = 'joy@acme.test' AND m.removed_at IS NULL",
    );
    t.is(Number(row?.n), 0, 'whoever was removed stays removed');
  });

  test(`${kind}: what an application demands is passed on, and only a true answer meets it; a provider that fails leaves other ways (T116)`, async (t) => {
    const fake = await fakeUpstream(t);
    const door = await frontDoor(t, kind, {
      configuration: {
        ...acme(
          {},
          { ada: {} },
          {
            applications: [
              application('fresh', { assurance: 'fresh_second_factor' }),
              application('keys', { assurance: 'passkey' }),
            ],
          },
        ),
        providers: [
          provider(fake, { createAccounts: true, trusted: { acr: ['gold'] } }),
          provider(fake, {
            slug: 'strict',
            name: 'Strict',
            createAccounts: true,
            secondFactor: 'required',
            trusted: { acr: ['gold'], amr: ['otp'] },
            authentication: 'client_secret_post',
          }),
          provider(fake, {
            slug: 'keyed',
            name: 'Keyed',
            createAccounts: true,
            clientSecret: undefined,
            authentication: 'private_key_jwt',
            secondFactor: 'never',
            trusted: { acr: ['gold'] },
          }),
        ],
      },
    });
    fake.door = door;
    fake.person = zoe;
    fake.metadata = { claims_parameter_supported: true };
    const now = () => Math.floor(door.clock.now().getTime() / 1000);
    const first = door.browser();
    await first.authorize();
    await fake.signIn(first);
    const { claims } = await redeem(door, first);
    t.like(claims, { acr: 'urn:sallyport:acr:1fa', auth_time: now() });

    // How old it is, is what the provider says.
    const hour = 3600;
    const rows: readonly (readonly [
      string,
      Record<string, string>,
      Lie,
      RegExp | null,
      Record<string, string>,
    ])[] = [
      ['max_age, recent', { max_age: '300' }, {}, null, { max_age: '300' }],
      [
        'max_age, old',
        { max_age: '300' },
        { claims: { auth_time: now() - hour } },
        /just now/,
        { max_age: '300' },
      ],
      ['max_age, unsaid', { max_age: '300' }, { without: ['auth_time'] }, /just now/, { max_age: '300' }],
      [
        'prompt=login, old',
        { prompt: 'login' },
        { claims: { auth_time: now() - hour } },
        /just now/,
        { prompt: 'login' },
      ],
      [
        'prompt=login, unsaid',
        { prompt: 'login' },
        { without: ['auth_time'] },
        /just now/,
        { prompt: 'login' },
      ],
      ['prompt=login, new', { prompt: 'login' }, {}, null, { prompt: 'login' }],
      ['a hint', { login_hint: 'zoe@acme.test' }, {}, null, { login_hint: 'zoe@acme.test' }],
      [
        'a second factor, trusted',
        { acr_values: 'urn:sallyport:acr:2fa' },
        { claims: { acr: 'gold' } },
        null,
        { acr_values: 'gold' },
      ],
    ];
    for (const [name, params, lie, refused, passedOn] of rows) {
      const browser = door.browser();
      await browser.authorize(params);
      const asked = await fake.signIn(browser, lie);
      t.like(asked.params, passedOn, name);
      if (refused) t.regex(browser.alert, refused, name);
      else t.truthy(browser.callback?.get('code'), `${name}: ${browser.heading} ${browser.alert}`);
    }
    const old = door.browser();
    await old.authorize();
    await fake.signIn(old, { claims: { auth_time: now() - hour, acr: 'gold' } });
    t.like((await redeem(door, old)).claims, { acr: 'urn:sallyport:acr:2fa', auth_time: now() - hour });
    for (const [params, error] of [
      [{ max_age: '7200' }, null],
      [{ max_age: '600' }, 'login_required'],
      [{ client_id: 'fresh' }, 'interaction_required'],
      [{ client_id: 'keys' }, 'interaction_required'],
    ] as const) {
      await old.authorize({ prompt: 'none', ...params });
      t.is(old.callback?.get('error') ?? null, error, JSON.stringify(params));
    }
    const unsaid = door.browser();
    await unsaid.authorize();
    await fake.signIn(unsaid, { without: ['auth_time'] });
    const ageless = await redeem(door, unsaid);
    t.is(ageless.status, 200);
    const { access_token: token } = ageless.body;
    for (const [where, said] of [
      ['ID token', ageless.claims],
      ['introspection', (await door.post('/token/introspection', { token: String(token) })).body],
      ['userinfo', (await door.post('/me', {}, { bearer: String(token) })).body],
    ] as const) {
      t.is(said.acr, 'urn:sallyport:acr:1fa', where);
      t.false('auth_time' in said, `${where}: nobody knows when, so nothing is claimed (T065)`);
    }
    await unsaid.authorize({ prompt: 'none', max_age: '7200' });
    t.is(unsaid.callback?.get('error'), 'login_required', 'nobody knows how old it is');
    await old.authorize({ client_id: 'keys' });
    t.is(old.heading, 'Set up two-factor authentication', 'a passkey is of ours');

    // Demanded there, or nobody comes in.
    fake.person = { ...zoe, sub: 'sam-1', email: 'sam@acme.test' };
    const strict = door.browser();
    await strict.authorize();
    const asked = await fake.signIn(strict, {}, 'Sign in with Strict');
    t.is(asked.params.acr_values, 'gold');
    t.deepEqual(JSON.parse(asked.params.claims ?? ''), {
      id_token: { acr: { essential: true, values: ['gold'] } },
    });
    t.regex(strict.alert, /second factor/);
    await fake.signIn(strict, { claims: { amr: ['pwd', 'otp'] } }, 'Sign in with Strict');
    t.deepEqual((await redeem(door, strict)).claims.amr, ['otp', 'mfa']);
    t.is(fake.tokenRequest?.body.get('client_secret'), 'fake-secret');

    // By a key, without a secret; and where it is never believed, its word is worth nothing.
    fake.person = { ...zoe, sub: 'kim-1', email: 'kim@acme.test' };
    const keyed = door.browser();
    await keyed.authorize();
    await fake.signIn(keyed, { claims: { acr: 'gold' } }, 'Sign in with Keyed');
    t.like((await redeem(door, keyed)).claims, { acr: 'urn:sallyport:acr:1fa' });
    t.is(fake.tokenRequest?.body.get('client_secret'), null);
    const { keys } = (await (await fetch(`${door.issuer}/upstream/keyed/jwks.json`)).json()) as {
      keys: object[];
    };
    t.deepEqual(
      keys.map((key) => 'd' in key),
      [false],
    );
    fake.person = zoe;

    // Down at the sign-in, then at the answer; and another key.
    const browser = door.browser();
    await browser.authorize();
    await browser.press('Sign in with Fake');
    const back = fake.answer(fake.asked(browser));
    fake.down = true;
    await browser.open(back);
    t.regex(browser.alert, /Fake cannot be reached/);
    await browser.press('Sign in', { email: 'ada@acme.test', password });
    t.truthy(browser.callback?.get('code'), 'by another way');
    await door.apply({ providers: [{ slug: 'fake', name: 'Fake there' }] });
    await browser.authorize({ prompt: 'login' });
    await browser.press('Sign in with Fake there');
    t.regex(browser.alert, /Fake there cannot be reached/);
    fake.down = false;
    for (const wrong of [
      { issuer: 'https://evil.example' },
      { token_endpoint: 'file:///etc/passwd' },
      { jwks_uri: undefined },
      { id_token_signing_alg_values_supported: ['none', 'HS256'] },
      { authorization_endpoint: 'javascript:alert(1)' },
    ]) {
      fake.metadata = wrong;
      await door.apply({ providers: [{ slug: 'fake', name: `Fake ${Object.keys(wrong)}` }] });
      const one = door.browser();
      await one.authorize();
      await one.press(`Sign in with Fake ${Object.keys(wrong)}`);
      t.regex(one.alert, /cannot be trusted/, JSON.stringify(wrong));
      await door.apply({ providers: [{ slug: 'fake', name: 'Fake' }] });
    }
    fake.metadata = {};
    // Other keys at a provider whose settings nobody has touched: from the next sign-in on, and asked for once.
    for (const [changes, asked] of [
      [false, 1],
      [false, 0],
      [true, 1],
      [false, 0],
    ] as const) {
      if (changes) await fake.newKey();
      door.clock.forward(15_000);
      fake.requests.length = 0;
      const one = door.browser();
      await one.authorize();
      await fake.signIn(one);
      t.truthy(one.callback?.get('code'), one.alert);
      t.is(fake.requests.filter((line) => line.endsWith('/jwks')).length, asked);
    }
    if (kind === 'SQLite') {
      const waits = door.browser();
      await waits.authorize();
      await waits.press('Sign in with Fake');
      const late = fake.answer(fake.asked(waits));
      fake.delay = 6000;
      await waits.open(late);
      t.regex(waits.alert, /Fake cannot be reached/, 'slow is away');
      fake.delay = 0;
    }
    await fake.newKey();
    await door.apply({ providers: [{ slug: 'fake', issuer: fake.issuer, scopes: ['openid', 'email'] }] });
    const after = door.browser();
    await after.authorize();
    t.is((await fake.signIn(after)).params.scope, 'openid email');
    t.truthy(after.callback?.get('code'), 'another key');
  });

  test(`${kind}: trust that is taken back, a link that is gone and a sign-out there end what rests on them; one organization's provider opens nothing of another's`, async (t) => {
    const fake = await fakeUpstream(t);
    const door = await frontDoor(t, kind, {
      configuration: {
        ...acme(
          {},
          { ada: {} },
          {
            organizations: [
              { slug: 'birch', name: 'Birch', policy: { requirement: 'optional', methods: ['totp'] } },
            ],
            applications: [
              application('ours', {
                organization: 'acme',
                grant_types: ['authorization_code', 'refresh_token'],
                assurance: 'second_factor',
                post_logout_redirect_uris: ['http://127.0.0.1:9/bye'],
              }),
              application('theirs', { organization: 'birch', assurance: 'second_factor' }),
            ],
          },
        ),
        providers: [
          provider(fake, {
            organization: 'acme',
            domains: ['acme.test'],
            createAccounts: true,
            signOut: true,
            trusted: { amr: ['otp'] },
          }),
        ],
      },
    });
    fake.door = door;
    fake.person = { ...zoe, amr: ['pwd', 'otp'], sid: 'there-1' };
    const enter = async () => {
      const browser = door.browser();
      await browser.authorize({ client_id: 'ours' });
      await fake.signIn(browser);
      const answer = await redeem(door, browser, 'ours');
      t.like(answer.claims, { acr: 'urn:sallyport:acr:2fa' });
      return { browser, answer };
    };
    const silent = async (browser: Browser, clientId = 'ours') => {
      await browser.authorize({ client_id: clientId, prompt: 'none' });
      return browser.callback?.get('error') ?? 'in';
    };
    const refresh = async (answer: TokenAnswer, clientId = 'ours') =>
      (
        await door.post(
          '/token',
          { grant_type: 'refresh_token', refresh_token: String(answer.body.refresh_token) },
          { clientId },
        )
      ).status;

    const { browser, answer } = await enter();
    t.is(await silent(browser), 'in');
    t.is(await silent(browser, 'app'), 'in');
    const undemanding = await redeem(door, browser, 'app');
    t.like(undemanding.claims, { acr: 'urn:sallyport:acr:2fa', amr: ['otp', 'mfa'] });
    const [member] = await door.db.rows<{ role: string }>(
      "SELECT m.role FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = 'zoe@acme.test'",
    );
    t.is(member?.role, 'member');
    t.is(
      await silent(browser, 'theirs'),
      'interaction_required',
      'its word for a second factor is for its own',
    );
    const buttons = door.browser();
    await buttons.authorize({ client_id: 'theirs' });
    t.false(buttons.text.includes('Sign in with Fake'));

    // Who belongs to others too is signed in by it only with an address of its own domains.
    const joinBirch = {
      users: [{ email: 'zoe@acme.test', memberships: [{ organization: 'acme' }, { organization: 'birch' }] }],
    };
    await door.apply(joinBirch);
    t.is(
      await silent(browser),
      'interaction_required',
      'what one organization trusts is not what another does',
    );
    t.is(await silent(browser, 'app'), 'in');
    await door.apply({ providers: [{ slug: 'fake', organization: 'acme', domains: [] }] });
    t.is(await silent(browser, 'app'), 'login_required', 'the address is nobody’s now');
    await door.apply({
      users: [{ email: 'zoe@acme.test', memberships: [{ organization: 'acme' }] }],
      providers: [{ slug: 'fake', organization: 'acme', domains: ['acme.test'] }],
    });
    t.is(await silent(browser), 'in');

    // Trust, mode, switch and link, each at the next request and refresh.
    await door.apply({ providers: [{ slug: 'fake', organization: 'acme', trusted: { amr: [] } }] });
    t.is(await silent(browser), 'interaction_required');
    t.is(await refresh(answer), 400);
    t.is(await refresh(undemanding, 'app'), 400, 'what is not believed any more is not said again (T074)');
    await door.apply({ providers: [{ slug: 'fake', organization: 'acme', trusted: { amr: ['otp'] } }] });
    t.is(await silent(browser), 'in');
    await door.apply({ providers: [{ slug: 'fake', organization: 'acme', enabled: false }] });
    t.is(await silent(browser), 'login_required');
    await door.apply({ providers: [{ slug: 'fake', organization: 'acme', enabled: true }] });
    t.is(await silent(browser), 'in');

    // After a disconnect a second factor of before is none: the provider is asked to sign in anew, and nothing less is taken.
    const since = door.clock.now().getTime();
    await door.db.change("UPDATE users SET fresh_factor_since = ? WHERE email = 'zoe@acme.test'", [since]);
    door.clock.forward(60_000);
    const old = { claims: { auth_time: Math.floor(since / 1000) - 3600 } };
    const anew = door.browser();
    await anew.authorize({ client_id: 'ours' });
    await fake.signIn(anew, old);
    t.is(anew.callback, null, 'an old sign-in there is not enough');
    t.is(fake.asked(anew).params.prompt, 'login');
    const stubborn = anew.copy();
    await fake.comeBack(anew);
    const { claims } = await redeem(door, anew, 'ours');
    t.is(claims.auth_time, Math.floor(door.clock.now().getTime() / 1000));
    const [{ fresh_factor_since: left } = { fresh_factor_since: 0 }] = await door.db.rows<{
      fresh_factor_since: number | null;
    }>("SELECT fresh_factor_since FROM users WHERE email = 'zoe@acme.test'");
    t.is(left, null);
    await door.db.change("UPDATE users SET fresh_factor_since = ? WHERE email = 'zoe@acme.test'", [
      door.clock.now().getTime(),
    ]);
    door.clock.forward(60_000);
    await stubborn.authorize({ client_id: 'ours' });
    await fake.signIn(stubborn, old);
    await fake.comeBack(stubborn, old);
    t.regex(stubborn.alert, /signed in there just now/);
    await door.db.change("UPDATE users SET fresh_factor_since = NULL WHERE email = 'zoe@acme.test'");

    // Signed out there.
    const again = await enter();
    const logout = (token: string) =>
      fetch(`${door.issuer}/upstream/acme.fake/backchannel-logout`, {
        method: 'POST',
        body: new URLSearchParams({ logout_token: token }),
      }).then(({ status }) => status);
    for (const [name, claims, lie] of [
      ['another audience', { sid: 'there-1', aud: 'other' }, {}],
      ['another issuer', { sid: 'there-1', iss: 'https://evil.example' }, {}],
      ['a nonce', { sid: 'there-1', nonce: 'x' }, {}],
      ['no event', { sid: 'there-1', events: {} }, {}],
      ['nobody', {}, {}],
      ['old', { sid: 'there-1', iat: 1000 }, {}],
      ['a stranger', { sid: 'there-1' }, { sign: 'stranger' }],
      ['unsigned', { sid: 'there-1' }, { sign: 'none' }],
      ['the secret', { sid: 'there-1' }, { sign: 'secret' }],
      ['no jti', { sid: 'there-1', jti: undefined }, {}],
    ] as const) {
      t.is(await logout(await fake.logoutToken(claims, lie)), 400, name);
    }
    t.is(await logout('x'), 400);
    t.is(await logout(await fake.logoutToken({ sid: 'another' })), 200, 'somebody else');
    t.is(await silent(again.browser), 'in');
    const token = await fake.logoutToken({ sid: 'there-1', sub: zoe.sub });
    const [one, two] = await Promise.all([logout(token), logout(token)]);
    t.deepEqual([one, two].toSorted(), [200, 400], 'once');
    t.is(await silent(again.browser), 'login_required');
    t.is(await refresh(again.answer), 400);
    t.is(await silent(browser), 'login_required');

    // Signed out here, and on to there and back.
    fake.person = { ...fake.person, sid: 'there-2' };
    const last = await enter();
    await last.browser.open(
      `${door.issuer}/session/end?${new URLSearchParams({
        id_token_hint: String(last.answer.body.id_token),
        post_logout_redirect_uri: 'http://127.0.0.1:9/bye',
        state: 'mine',
      })}`,
    );
    await last.browser.press('Sign out', { logout: 'yes' });
    const { url, params } = fake.asked(last.browser);
    t.is(url.pathname, '/logout');
    t.is(params.client_id, 'sallyport');
    t.truthy(params.id_token_hint);
    const response = await fetch(
      `${params.post_logout_redirect_uri}?state=${encodeURIComponent(params.state ?? '')}`,
      {
        redirect: 'manual',
      },
    );
    t.is(response.headers.get('location'), 'http://127.0.0.1:9/bye?state=mine');
    t.is(await silent(last.browser), 'login_required');
    const nowhere = await fetch(`${params.post_logout_redirect_uri}?state=https://evil.example`, {
      redirect: 'manual',
    });
    t.is(nowhere.status, 200);

    // Who was removed does not come back by themselves.
    await door.apply({ users: [{ email: 'zoe@acme.test', memberships: [] }] });
    const removed = door.browser();
    await removed.authorize({ client_id: 'ours' });
    await fake.signIn(removed);
    t.regex(removed.alert, /opens none here/);
  });

  test(`${kind}: whoever knew the password only does not get around a factor that is set up later by an account that they have connected`, async (t) => {
    const fake = await fakeUpstream(t);
    const door = await frontDoor(t, kind, {
      configuration: {
        ...acme({}, { cyd: {} }, { applications: [application('strict', { assurance: 'second_factor' })] }),
        providers: [provider(fake, { trusted: { amr: ['otp'] } })],
      },
    });
    fake.door = door;
    fake.person = { sub: 'cyd-there', amr: ['otp'] };
    const browser = door.browser();
    await browser.open('/account');
    await browser.press('Sign in', { email: 'cyd@acme.test', password });
    await browser.open('/account');
    await browser.follow('Connect Fake');
    await browser.press('Connect');
    await browser.open(fake.answer(fake.asked(browser)));
    t.regex(browser.text, /Fake is connected\./);
    const byFake = async (): Promise<Browser> => {
      const another = door.browser();
      await another.authorize({ client_id: 'strict' });
      await fake.signIn(another);
      return another;
    };
    t.like((await redeem(door, await byFake(), 'strict')).claims, {
      acr: 'urn:sallyport:acr:2fa',
      amr: ['otp', 'mfa'],
    });
    await door.apply({ users: [{ email: 'cyd@acme.test', factors: { totp: secret } }] });
    const asked = await byFake();
    t.is(asked.heading, 'Two-factor authentication');
    t.is((await byFake()).heading, 'Two-factor authentication', 'and again, until it is proved');
    await asked.press('Verify', { code: door.code() });
    t.like((await redeem(door, asked, 'strict')).claims, { acr: 'urn:sallyport:acr:2fa' });
    const proved = await redeem(door, await byFake(), 'strict');
    t.like(proved.claims, { acr: 'urn:sallyport:acr:2fa', amr: ['otp', 'mfa'] });
  });

  test(`${kind}: an owner adds, tests and removes a provider on a page, and nobody else; a domain leads to it once the DNS has proved it; an account is disconnected, but not from its only way in`, async (t) => {
    const fake = await fakeUpstream(t);
    const zones = new Map<string, string>();
    await fakeDns(t, zones);
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { olga: { role: 'owner', totp: secret }, adam: { role: 'admin', totp: secret }, bob: {} },
      ),
    });
    fake.door = door;
    const signedIn = async (who: string) => {
      const browser = door.browser();
      await browser.open('/account');
      await browser.press('Sign in', { email: `${who}@acme.test`, password });
      if (browser.heading === 'Two-factor authentication')
        await browser.press('Verify', { code: door.code() });
      nextStep(door);
      return browser;
    };
    for (const who of ['adam', 'bob']) {
      const browser = await signedIn(who);
      await browser.open('/organizations/acme/providers-new');
      t.is(browser.status, 404, who);
    }
    const olga = await signedIn('olga');
    await olga.open('/organizations/acme/providers-new');
    t.is(olga.heading, 'Add a provider');
    // What is wrong stands beside its field, in the language of the page, and not in the words of a file.
    olga.language = 'de';
    await olga.open('/organizations/acme/providers-new');
    await olga.press('Speichern', { name: '', slug: 'A', issuer: 'http://x', clientId: 'a b' });
    t.is(olga.status, 422);
    t.regex(olga.text, /Kleinbuchstaben[\s\S]*eine https-Adresse ohne[\s\S]*ohne Leerzeichen/);
    t.notRegex(olga.text, /must be|must not/);
    await olga.press('Speichern', { name: 'X', slug: 'x', issuer: 'https://x.test', clientId: 'a' });
    t.regex(olga.text, /id="clientSecret-error"/);
    olga.language = '';
    await olga.open('/organizations/acme/providers-new');
    const form = {
      name: 'Fake',
      slug: 'fake',
      issuer: fake.issuer,
      clientId: 'sallyport',
      clientSecret: 'fake-secret',
      authentication: 'client_secret_basic',
      secondFactor: 'required',
      acr: '',
      amr: '',
      domains: 'acme.test',
      createAccounts: '1',
    };
    for (const [wrong, sentence] of [
      [{}, /at least one word that you trust/],
      [{ amr: 'otp', issuer: 'http://evil.example' }, /https/],
      [{ amr: 'otp', domains: 'not a domain' }, /domain/],
      [{ amr: 'otp', clientSecret: '' }, /clientSecret/],
      [{ amr: 'otp', slug: 'A B' }, /small letters/],
    ] as const) {
      await olga.press('Save', { ...form, ...wrong });
      t.is(olga.status, 422, JSON.stringify(wrong));
      t.regex(olga.text, sentence);
      t.false(olga.text.includes('fake-secret'));
    }
    await olga.press('Save', { ...form, amr: 'pwd otp' });
    t.is(olga.heading, 'Fake', olga.alert);
    t.true(olga.text.includes('_sallyport.acme.test'));
    t.false(olga.text.includes('fake-secret'));

    const browser = door.browser();
    await browser.authorize();
    t.false(browser.text.includes('Sign in with your organization'), 'nothing is proved yet');
    await olga.press('Test');
    t.regex(olga.text, /The provider answers/);
    const value = /sallyport=[\w-]+/.exec(olga.text)?.[0] ?? '';
    zones.set('_sallyport.acme.test', 'sallyport=another');
    await olga.press('Test');
    t.false(olga.text.includes('Proved by the DNS'));
    zones.set('_sallyport.acme.test', value);
    await olga.press('Test');
    t.true(olga.text.includes('Proved by the DNS: acme.test'));
    fake.down = true;
    await olga.press('Test');
    t.regex(olga.alert, /cannot be used/);
    fake.down = false;
    await olga.press('Test');

    fake.person = { ...zoe, amr: ['pwd', 'otp'] };
    await browser.authorize();
    await browser.press('Sign in', { email: 'zoe@acme.test', password: '' });
    await fake.comeBack(browser);
    t.deepEqual((await redeem(door, browser)).claims.amr, ['pwd', 'otp', 'mfa']);
    await browser.open('/account');
    t.true(browser.text.includes('Connected accounts'));
    await browser.follow('Disconnect Fake');
    await browser.press('Disconnect');
    t.true(browser.text.includes('It is the only way into your account.'));
    t.regex(browser.text, /You have none: you sign in in another way/);

    // Bob joins, and disconnects again.
    fake.person = { sub: 'bob-there', email: 'bob@acme.test', email_verified: true, amr: ['otp'] };
    const bob = door.browser();
    await bob.authorize();
    await bob.press('Sign in', { email: 'bob@acme.test', password: '' });
    await fake.comeBack(bob);
    await bob.press('Sign in and connect', { password });
    t.truthy(bob.callback?.get('code'));
    await bob.open('/account');
    await bob.follow('Disconnect Fake');
    await bob.press('Disconnect');
    t.true(bob.text.includes('The account is disconnected.'));
    t.false(bob.text.includes('Disconnect Fake'));

    // And connects from his account page: with another address there, in the session that asked, once, and nobody else's account.
    const start = async (who: Browser) => {
      await who.open('/account');
      await who.follow('Connect Fake');
      await who.press('Connect');
      return fake.asked(who);
    };
    const stranger = await signedIn('bob');
    fake.person = { sub: 'bob-there', amr: ['otp'] };
    const asked = await start(bob);
    t.like(asked.params, { prompt: 'login', code_challenge_method: 'S256' });
    await stranger.open(fake.answer(asked));
    t.regex(stranger.text, /used already, or is too old/, 'another session of his');
    const back = fake.answer(asked);
    const tab = bob.copy();
    await Promise.all([bob.open(back), tab.open(back)]);
    t.is([bob, tab].filter(({ text }) => text.includes('Fake is connected.')).length, 1, bob.text);
    await bob.open(back);
    t.regex(bob.text, /used already, or is too old/);
    const linked = await door.db.rows<{ email: string }>(
      `SELECT u.email FROM upstream_links l JOIN users u ON u.id = l.user_id WHERE l.subject = 'bob-there'`,
    );
    t.deepEqual(linked, [{ email: 'bob@acme.test' }]);
    const adam = await signedIn('adam');
    for (const [person, lie, sentence] of [
      [{ sub: 'bob-there', amr: ['otp'] }, {}, /signs in somebody else here/],
      [{ sub: 'adam-there', amr: ['otp'] }, { sign: 'stranger' }, /cannot be trusted/],
      [{ sub: 'adam-there', amr: ['otp'] }, { claims: { nonce: 'x' } }, /cannot be trusted/],
      [{ sub: 'adam-there', amr: ['otp'] }, { claims: { auth_time: 1000 } }, /signed in there just now/],
      [{ sub: 'adam-there', amr: ['pwd'] }, {}, /second factor/],
    ] as const) {
      fake.person = person;
      const way = fake.answer(await start(adam), lie);
      await adam.open(way);
      t.regex(adam.text, sentence);
    }
    await adam.open('/account/connections/none/connect');
    t.is(adam.status, 404);
    // One account there, two people here, at once: it is one person's.
    fake.person = { sub: 'one-there', amr: ['otp'] };
    const [his, hers] = [fake.answer(await start(adam)), fake.answer(await start(olga))];
    await Promise.all([adam.open(his), olga.open(hers)]);
    t.is([adam, olga].filter(({ text }) => text.includes('Fake is connected.')).length, 1);
    t.is((await door.db.rows(`SELECT id FROM upstream_links WHERE subject = 'one-there'`)).length, 1);
    await door.db.change(`DELETE FROM upstream_links WHERE subject = 'one-there'`);
    fake.person = { sub: 'adam-there', amr: ['otp'] };
    const tooLate = fake.answer(await start(adam));
    door.clock.forward(660_000);
    await adam.open(tooLate);
    t.regex(adam.text, /used already, or is too old/);
    t.is((await door.db.rows(`SELECT id FROM upstream_links WHERE subject = 'adam-there'`)).length, 0);
    for (const path of ['', '?state=x', `?state=${encodeURIComponent(String(asked.params.state))}`]) {
      await adam.open(`/account/connections/acme.fake/connected${path}`);
      t.regex(adam.text, /used already, or is too old/);
    }

    const again = await signedIn('olga');
    await again.open('/organizations/acme/providers/fake');
    await again.press('Save', { issuer: 'http://127.0.0.1:9' });
    t.is(again.status, 422);
    t.regex(again.text, /Enter the secret as the provider shows it/, 'it is not sent to another issuer');
    await again.open('/organizations/acme/providers/fake');
    await again.follow('Remove');
    await again.press('Remove');
    t.is(again.heading, 'Sign-in providers');
    t.regex(again.text, /None yet/);
    await browser.authorize({ prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required');
    const kinds = (
      await door.db.rows<{ type: string }>(
        "SELECT type FROM audit_events WHERE type LIKE 'upstream%' ORDER BY id",
      )
    )
      .map(({ type }) => type)
      .toSorted();
    t.deepEqual(kinds, [
      ...Array.from({ length: 4 }, () => 'upstream.failed'),
      'upstream.linked',
      'upstream.linked',
      'upstream.linked',
      'upstream.unlinked',
      'upstream_provider.added',
      'upstream_provider.changed',
      'upstream_provider.removed',
    ]);
  });
}
