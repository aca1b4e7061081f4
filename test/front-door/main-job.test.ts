import test from 'ava';
import { acme, frontDoor, kinds, nextStep, passwordStep, redeem, secret, signIn } from './rig.ts';

const required = { requirement: 'required_for_all', graceDays: 0, rememberDeviceDays: 30 };

for (const kind of kinds) {
  test(`${kind}: password, set-up with an authenticator app, recovery codes, and back with acr 2fa; next time a challenge, then remembered`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme(required) });
    const browser = door.browser();

    await passwordStep(browser);
    t.is(browser.heading, 'Set up two-factor authentication');
    const mine = browser.totpSecret;
    await browser.press('Confirm setup', { code: '000000' });
    t.is(browser.status, 422);
    t.is(browser.totpSecret, mine, 'a wrong code keeps the same secret');
    await browser.press('Confirm setup', { code: door.code(0, mine) });
    t.is(browser.recoveryCodes.length, 8);
    await browser.press('Continue', { saved: '1' });
    const first = await redeem(door, browser);
    t.is(first.claims.acr, 'urn:sallyport:acr:2fa');
    t.deepEqual(first.claims.amr, ['pwd', 'otp', 'mfa']);

    nextStep(door);
    const second = door.browser();
    await passwordStep(second);
    t.is(second.heading, 'Two-factor authentication');
    await second.press('Verify', { code: door.code(0, mine), remember: '1' });
    t.deepEqual((await redeem(door, second)).claims.amr, ['pwd', 'otp', 'mfa']);

    second.cookies.forEach((_, key) => {
      if (key.startsWith('sallyport-session')) second.cookies.delete(key);
    });
    const third = await signIn(door, second);
    t.is(third.claims.acr, 'urn:sallyport:acr:remembered');
    t.deepEqual(third.claims.amr, ['pwd']);
    await second.authorize({ acr_values: 'urn:sallyport:acr:2fa' });
    t.is(second.heading, 'Two-factor authentication');
  });

  test(`${kind}: the same code is accepted once, one after the other and at once on two servers`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: { totp: secret } }),
      replicas: 2,
    });
    const browsers = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const browser = door.browser(n % 2);
        await passwordStep(browser);
        return browser;
      }),
    );
    const code = door.code();
    await Promise.all(browsers.map((browser) => browser.press('Verify', { code })));
    t.is(browsers.filter(({ callback }) => callback?.has('code')).length, 1);
    const late = door.browser();
    await passwordStep(late);
    await late.press('Verify', { code });
    t.true(late.status === 422 || late.status === 429);
  });
}
