import parallel from 'ava';
import { fakeUpstream, type Lie, provider } from './fake-upstream.ts';
import { acme, frontDoor, kinds, password, redeem, secret } from './rig.ts';

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
        ...acme({}, { ada: { totp: secret } }),
        providers: [
          provider(fake, { createAccounts: true, trusted: { acr: ['gold'], amr: ['pwd', 'otp', 'hwk'] } }),
          provider(fake, {
            slug: 'office',
            name: 'Office',
            organization: 'acme',
            clientId: 'office',
            domains: ['acme.test'],
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
    t.is((await door.db.rows('SELECT id FROM upstream_links')).length, 1, 'not before the factor');
    await ada.press('Verify', { code: door.code() });
    t.like((await redeem(door, ada)).claims, { acr: 'urn:sallyport:acr:2fa', amr: ['pwd', 'otp', 'mfa'] });
    t.is((await door.db.rows('SELECT id FROM upstream_links')).length, 2);

    const later = door.browser();
    await later.authorize();
    await later.press('Sign in', { email: 'ada@acme.test', password: '' });
    await fake.comeBack(later);
    t.is(later.heading, 'Two-factor authentication', 'her own factor is asked');
  });
}
