import test from 'ava';
import { minutes } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { events } from './evidence.ts';
import { acme, type FrontDoor, frontDoor, kinds, nextStep, password, redeem, secret } from './rig.ts';

/** Signs in on the account's own page; a code of the authenticator app where one is asked for. */
export async function account(door: FrontDoor, who = 'ada', path = '/account'): Promise<Browser> {
  const browser = door.browser();
  await browser.open(path);
  await browser.press('Sign in', { email: `${who}@acme.test`, password });
  if (browser.buttons.includes('Verify')) {
    nextStep(door);
    await browser.press('Verify', { code: door.code() });
  }
  return browser;
}

const flash = (browser: Browser): string =>
  (/role="status"[^>]*>[\s\S]*?<p>([\s\S]*?)<\/p>/.exec(browser.text)?.[1] ?? '')
    .replace(/<[^>]*>/g, '')
    .trim();

const mails = async (door: FrontDoor): Promise<number> =>
  (await door.db.rows<{ id: string }>("SELECT id FROM outbox WHERE channel = 'email'")).length;

for (const kind of kinds) {
  test(`${kind}: two-factor authentication is enabled, used, added to, renamed and disabled on the account page`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ methods: ['totp', 'email'] }, { ada: {}, ben: { totp: secret } }),
    });
    const ada = await account(door);
    const signedInAt = Math.floor(door.clock.now().getTime() / 1000);
    t.true(ada.buttons.includes('Enable'));
    t.false(ada.buttons.includes('Disable'));
    await ada.press('Enable');
    t.is(ada.heading, 'Set up two-factor authentication');
    await ada.press('Continue', { method: 'totp' });
    const typed = ada.totpSecret;
    t.true(typed.length >= 32);

    // Nothing is active before a code was right (T041), and a wrong one says so.
    await ada.press('Confirm setup', { code: '000000' });
    t.regex(ada.alert, /not right/);
    t.is(ada.totpSecret, typed);
    const elsewhere = await account(door);
    t.is(elsewhere.heading, 'Security');
    const before = [...ada.cookies].find(([key]) => key.startsWith('sallyport-session;'))?.[1].value;
    door.clock.forward(minutes(5));
    await ada.press('Confirm setup', { code: door.code(0, typed) });
    t.is(ada.recoveryCodes.length, 8);
    t.not([...ada.cookies].find(([key]) => key.startsWith('sallyport-session;'))?.[1].value, before, 'T015');
    const codes = ada.copy();
    const told = async (params: Record<string, string>) => {
      door.clock.forward(1_000);
      await ada.authorize({ prompt: 'none', ...params });
      const { acr, amr, auth_time } = (await redeem(door, ada)).claims;
      return { acr, amr, auth_time };
    };
    t.deepEqual(
      await told({ acr_values: 'urn:sallyport:acr:2fa', max_age: '60' }),
      { acr: 'urn:sallyport:acr:2fa', amr: ['pwd', 'otp', 'mfa'], auth_time: signedInAt + 300 },
      'recent enough for max_age, and auth_time says so (T067)',
    );
    await ada.open(codes.url);
    await ada.press('Continue');
    t.regex(ada.alert, /Save the codes first/);
    await ada.press('Continue', { saved: '1' });
    t.is(ada.heading, 'Security');
    t.regex(flash(ada), /recovery codes are ready/);
    t.true(ada.buttons.includes('Disable'));
    await elsewhere.open('/account');
    t.is(elsewhere.heading, 'Two-factor authentication', 'a session without the factor is asked for it');

    // The secret is shown once (T139).
    const [setUp = ''] = ada.visited.filter((url) => url.includes('/account/set-up/'));
    await ada.open(setUp);
    t.is(ada.heading, 'Security');

    await ada.follow('Manage Authenticator app');
    await ada.press('Save', { name: '  My   phone <b> ' });
    t.true(ada.text.includes('My phone &lt;b&gt;'));
    await ada.press('Add another way');
    await ada.press('Continue', { method: 'email' });
    const [code] = await codesIn(door);
    await ada.press('Confirm setup', { code: code ?? '' });
    t.regex(flash(ada), /set up/);
    await ada.follow('Manage Email code');
    await ada.press('Ask for it first');
    t.true(ada.text.includes('Asked for first'));

    const count = await mails(door);
    await ada.follow('Manage Email code');
    await ada.follow('Remove');
    t.is(ada.heading, 'Remove "Email code"?');
    await ada.press('Remove');
    t.regex(flash(ada), /^.+Email code.+ was removed\.$/);
    t.is(await mails(door), count + 1);

    // Somebody else's factor is not there.
    const [own] = await door.db.rows<{ id: string }>(
      "SELECT f.id FROM factors f JOIN users u ON u.id = f.user_id WHERE u.email = 'ben@acme.test'",
    );
    for (const path of ['', '/remove'] as const) {
      await ada.open(`/account/factors/${own?.id}${path}`);
      t.is(ada.status, 404, path);
    }
    await ada.open('/account');
    const { fields } = ada.form('Disable');
    fields.set('confirm', 'yes');
    await ada.open(`/account/factors/${own?.id}/remove`, { fields });
    t.is(ada.status, 404);

    await ada.open('/account');
    await ada.press('Disable');
    t.is(ada.heading, 'Disable two-factor authentication?');
    await ada.press('Disable');
    t.is(flash(ada), 'Two-factor authentication is off.');
    t.true(ada.buttons.includes('Enable'));
    t.deepEqual(
      await told({}),
      { acr: 'urn:sallyport:acr:1fa', amr: ['pwd'], auth_time: signedInAt },
      'what is left is the password, and its time (T065)',
    );
    const again = await account(door);
    t.is(again.heading, 'Security');
    const left = await door.db.rows(
      "SELECT id FROM recovery_codes WHERE user_id = (SELECT id FROM users WHERE email = 'ada@acme.test')",
    );
    t.deepEqual(left, []);
  });

  test(`${kind}: who has just turned it off by themselves is not recommended to turn it on`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ requirement: 'recommended' }, { ada: { totp: secret } }),
    });
    const ada = await account(door);
    await ada.press('Disable');
    await ada.press('Disable');
    t.is(flash(ada), 'Two-factor authentication is off.');
    t.is((await account(door)).heading, 'Security');
    door.clock.forward(31 * 24 * 60 * minutes(1));
    t.is((await account(door)).heading, 'Set up two-factor authentication');
  });

  test(`${kind}: the last factor stays where an organization requires one, which is named (T094)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'required_for_all', methods: ['totp', 'email'] },
        { ada: { totp: secret } },
      ),
    });
    const ada = await account(door);
    t.false(ada.buttons.includes('Disable'));
    t.true(ada.text.includes('Acme Aviation requires two-factor authentication'));
    const { fields } = ada.form('Add another way');
    fields.set('confirm', 'yes');
    await ada.open('/account/two-factor/disable', { fields });
    t.regex(flash(ada), /Acme Aviation requires/);
    await ada.press('Add another way');
    await ada.press('Continue', { method: 'email' });
    const [code] = await codesIn(door);
    await ada.press('Confirm setup', { code: code ?? '' });

    // Two at once: one is left.
    const factors = await door.db.rows<{ id: string }>('SELECT id FROM factors');
    t.is(factors.length, 2);
    await Promise.all(
      factors.map(({ id }) =>
        ada.copy().open(`/account/factors/${id}/remove`, { fields: new URLSearchParams(fields) }),
      ),
    );
    t.is((await door.db.rows('SELECT id FROM factors')).length, 1);
  });

  test(`${kind}: recovery codes are shown again after a fresh proof, and made anew; the old set is dead at once (T030)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}, { ada: {} }) });
    const ada = await account(door);
    await ada.press('Enable');
    if (ada.buttons.includes('Continue')) await ada.press('Continue', { method: 'totp' });
    const typed = ada.totpSecret;
    await ada.press('Confirm setup', { code: door.code(0, typed) });
    const first = ada.recoveryCodes;
    await ada.press('Continue', { saved: '1' });
    await ada.press('Show recovery codes');
    t.deepEqual(ada.recoveryCodes, first);

    // Looking at the address shows nothing and tells nobody; what was asked before a fresh proof is done after it, once.
    const shown = () => events(door, 'recovery_codes.shown');
    t.is(await shown(), 1);
    await ada.open('/account/recovery-codes');
    t.is(ada.heading, 'Show recovery codes?');
    await ada.open('/account/recovery-codes?held=x');
    t.deepEqual([ada.recoveryCodes, await shown()], [[], 1]);
    door.clock.forward(minutes(11));
    await ada.open('/account');
    await ada.press('Show recovery codes');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code(0, typed) });
    t.deepEqual([ada.recoveryCodes, await shown()], [first, 2]);
    await ada.open(ada.url);
    t.deepEqual([ada.heading, await shown()], ['Show recovery codes?', 2]);
    await ada.press('Show recovery codes');
    t.deepEqual([ada.recoveryCodes, await shown()], [first, 3]);

    door.clock.forward(minutes(11));
    await ada.open('/account');
    await ada.press('Regenerate recovery codes');
    t.is(ada.heading, 'Sign in');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code(0, typed) });
    t.is(ada.heading, 'Regenerate recovery codes?');
    await ada.press('Regenerate recovery codes');
    const second = ada.recoveryCodes;
    t.is(second.length, 8);
    t.is(new Set([...first, ...second]).size, 16);
    await ada.press('Continue', { saved: '1' });
    await ada.press('Show recovery codes');
    t.deepEqual(ada.recoveryCodes, second);

    const lost = door.browser();
    await lost.open('/account');
    await lost.press('Sign in', { email: 'ada@acme.test', password });
    await lost.follow('Use a recovery code');
    await lost.press('Verify', { code: first[0] ?? '' });
    t.regex(lost.alert, /not right/);
    await lost.press('Verify', { code: second[0] ?? '' });
    await lost.press('Continue');
    t.is(lost.heading, 'Security');

    // After a recovery code no new ones, until a factor was used; the password turns two-factor authentication off.
    t.false(lost.buttons.includes('Regenerate recovery codes'));
    await lost.open('/account/recovery-codes/regenerate');
    t.regex(flash(lost), /New codes can be made once/);
    t.false(lost.buttons.includes('Show recovery codes'), 'nor does one code show the seven others');
    const { fields } = lost.form('Sign out');
    fields.set('show', 'yes');
    await lost.open('/account/recovery-codes', { fields });
    t.deepEqual(lost.recoveryCodes, []);
    t.regex(flash(lost), /can be shown once/);
    door.clock.forward(minutes(11));
    await lost.press('Disable');
    t.is(lost.heading, 'Disable two-factor authentication?');
    await lost.press('Disable', { password: 'wrong' });
    t.regex(lost.alert, /not right/);
    await lost.press('Disable', { password });
    t.is(flash(lost), 'Two-factor authentication is off.');
  });

  test(`${kind}: remembered devices are listed, and forgotten one by one or all (T055)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ rememberDeviceDays: 30 }, { ada: { totp: secret }, ben: { totp: secret } }),
      replicas: 2,
    });
    const remembered = async (who: string): Promise<Browser> => {
      const browser = door.browser();
      await browser.open('/account');
      await browser.press('Sign in', { email: `${who}@acme.test`, password });
      nextStep(door);
      await browser.press('Verify', { code: door.code(), remember: '1' });
      return browser;
    };
    const one = await remembered('ada');
    const other = await remembered('ada');
    const ben = await remembered('ben');
    await one.open('/account');
    t.is(one.buttons.filter((button) => button === 'Forget this device').length, 2);
    t.is(one.text.match(/>This device</g)?.length, 1);

    const theirs = ben.form('Forget this device').action;
    const { fields } = one.form('Forget all devices');
    await one.open(theirs, { fields });
    t.is(one.status, 404);
    other.replica = 1;
    await other.open('/account');
    await other.press('Forget all devices');
    t.false(other.buttons.includes('Forget this device'));
    for (const browser of [one, other]) {
      browser.replica = 1;
      await browser.open('/account');
      await browser.press('Sign out');
      await browser.open('/account');
      await browser.press('Sign in', { email: 'ada@acme.test', password });
      t.is(browser.heading, 'Two-factor authentication');
    }
    await ben.open('/account');
    t.true(ben.buttons.includes('Forget this device'));
  });
}

/** The codes that were mailed, newest first. */
async function codesIn(door: FrontDoor): Promise<string[]> {
  const browser = door.browser();
  await browser.open('/dev/inbox');
  const codes: string[] = [];
  for (const [, link = ''] of browser.text.matchAll(/href="(\/dev\/inbox\/[^"]+)"/g)) {
    await browser.open(link);
    const code = /\b(\d{6})\b/.exec(browser.text.replace(/<[^>]*>/g, ' '))?.[1];
    if (code) codes.push(code);
  }
  return codes;
}
