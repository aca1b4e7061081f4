import test from 'ava';
import { audit } from '../../audit/audit.ts';
import { minutes, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { count, events, mails, textedCode, texts, userId } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  password,
  passwordHash,
  redeem,
  redirectUri,
  secret,
} from './rig.ts';

const oldNumber = '+4915198765432';
const newNumber = '+4915112345678';
const thirdNumber = '+4917612345678';

async function signedIn(door: FrontDoor, who = 'ada'): Promise<Browser> {
  const browser = door.browser();
  await browser.open('/account');
  await browser.press('Sign in', { email: `${who}@acme.test`, password });
  if (browser.buttons.includes('Verify')) {
    nextStep(door);
    await browser.press('Verify', { code: door.code() });
  }
  return browser;
}

const linkIn = async (door: FrontDoor, path: string): Promise<{ url: string; mail: string }> => {
  const browser = door.browser();
  await browser.open('/dev/inbox');
  for (const [, message = ''] of browser.text.matchAll(/href="(\/dev\/inbox\/[^"]+)"/g)) {
    await browser.open(message);
    const url = new RegExp(`https?://[^\\s"<]*${path}[\\w-]+`).exec(browser.text)?.[0];
    if (url) return { url, mail: browser.text };
  }
  return { url: 'no link', mail: '' };
};

for (const kind of kinds) {
  test(`${kind}: sessions are listed and ended, at once and for good, and nobody else's (T154)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: { totp: secret }, ben: {} }),
      replicas: 2,
    });
    const ada = await signedIn(door);
    const other = await signedIn(door);
    await other.authorize();
    t.truthy(other.callback);
    const tokens = await redeem(door, other);
    const third = await signedIn(door);
    const ben = await signedIn(door, 'ben');
    await ada.open('/account/sessions');
    t.is(ada.buttons.filter((button) => button === 'End').length, 2);
    t.true(ada.text.includes('Used for: The app'));

    await ben.open('/account/sessions');
    t.false(ben.buttons.includes('End'));
    const theirs = [...ada.text.matchAll(/action="(\/account\/sessions\/[^"]+\/end)"/g)].map(
      ([, url = '']) => url,
    );
    for (const url of theirs) {
      await ben.open(url, { fields: ben.form('Sign out').fields });
      t.is(ben.status, 404);
      await ben.open('/account/sessions');
    }

    await ada.press('End all other sessions');
    t.regex(ada.text, /Everywhere else you are signed out/);
    for (const browser of [other, third]) {
      browser.replica = 1;
      await browser.authorize({ prompt: 'none' });
      t.is(browser.callback?.get('error'), 'login_required');
    }
    t.is((await door.post('/me', {}, { bearer: String(tokens.body.access_token) })).status, 401);
    await ada.open('/account');
    t.is(ada.heading, 'Security');
    await ben.open('/account');
    t.is(ben.heading, 'Security');
  });

  test(`${kind}: the history says what was proved; access of applications is taken back; organizations say what they require`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'required_for_all', graceDays: 7 },
        { ada: { totp: secret, role: 'owner' }, ben: {} },
        { applications: [application('third', { firstParty: false, name: 'Third party' })] },
      ),
    });
    const wrong = door.browser();
    await wrong.open('/account');
    await wrong.press('Sign in', { email: 'ada@acme.test', password: 'wrong' });
    await wrong.press('Sign in', { email: 'ada@acme.test', password });
    await wrong.press('Verify', { code: '000000' });
    const ada = await signedIn(door);
    await ada.open('/account/history');
    for (const words of [
      'Wrong password',
      'Right password, wrong second step',
      'Password + Authenticator app',
    ]) {
      t.true(ada.text.includes(words), words);
    }
    // What was changed beside it; where an administrator was is theirs.
    const by = { type: 'two_factor.reset', userId: await userId(door), organizationId: 'acme' } as const;
    await audit(door.db, { ip: '203.0.113.99', userAgent: null }, { ...by, data: { by: 'somebody' } });
    door.clock.forward(seconds(1));
    await audit(
      door.db,
      { ip: '203.0.113.7', userAgent: null },
      { type: 'password.changed', userId: by.userId },
    );
    await ada.follow('What was changed');
    t.regex(ada.text, /Password changed.*Second factor reset.*By an administrator/s);
    t.deepEqual([ada.text.includes('203.0.113.99'), ada.text.includes('203.0.113.7')], [false, true]);
    t.false(ada.text.includes('Wrong password'));
    const ben = await signedIn(door, 'ben');
    await ben.press('Skip for now');
    await ben.open('/account/history?show=changes');
    t.true(ben.text.includes('Nothing yet'));
    await ben.open('/account/history');
    t.false(ben.text.includes('second factor'));
    await ben.open('/account/organizations');
    t.regex(ben.text, /You can skip setting it up until 9 March 2026/);
    await ada.open('/account/organizations');
    t.regex(ada.text, /requires two-factor authentication, and you have it/);

    await ada.authorize({ client_id: 'third', scope: 'openid email' });
    await ada.press('Allow');
    const tokens = await redeem(door, ada, 'third');
    t.is((await door.post('/me', {}, { bearer: String(tokens.body.access_token) })).status, 200);
    await ada.open('/account/applications');
    t.true(ada.text.includes('Third party'));
    t.false(ada.text.includes('>Sallyport<'));
    const { action } = ada.form('Revoke access Third party');
    await ben.open('/account/applications');
    const { fields } = ben.form('Sign out');
    await ben.open(action, { fields });
    t.is(ben.status, 404);
    await ada.press('Revoke access Third party');
    t.is((await door.post('/me', {}, { bearer: String(tokens.body.access_token) })).status, 401);
    await ada.authorize({ client_id: 'third', scope: 'openid email' });
    t.true(ada.buttons.includes('Allow'), 'it asks again');
    t.is(redirectUri, 'http://127.0.0.1:9/cb');
  });

  test(`${kind}: an address is changed by a link at the new one, told to the old one, and can be taken back (T039)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: { totp: secret, extra: { phone: oldNumber } }, ben: {} }),
    });
    const ada = await signedIn(door);
    await ada.open('/account/profile');
    await ada.press('Save', {
      name: ' Ada  L. ',
      locale: 'de',
      email: 'x@y.test',
      role: 'owner',
      email_verified: '0',
    });
    t.is(ada.heading, 'Profil');
    const [row] = await door.db.rows<{ name: string; locale: string; email: string }>(
      "SELECT name, locale, email FROM users WHERE email = 'ada@acme.test'",
    );
    t.deepEqual({ ...row }, { name: 'Ada L.', locale: 'de', email: 'ada@acme.test' });
    await ada.open('/account/profile?lang=en');
    await ada.press('Save', { name: 'Ada', locale: 'en' });

    await ada.follow('Change e-mail address');
    await ada.press('Send the link', { email: 'a@b.test, c@d.test' });
    t.regex(ada.alert, /Enter one e-mail address/);
    // Somebody else's address gets no mail, and the same answer.
    await ada.press('Send the link', { email: 'ben@acme.test' });
    t.regex(ada.text, /on its way to ben@acme\.test/);
    t.is((await linkIn(door, '/confirm-email/')).url, 'no link');
    await ada.open('/account/email');
    await ada.press('Send the link', { email: 'Ada@New.test' });
    const { url } = await linkIn(door, '/confirm-email/');
    const reader = door.browser();
    await reader.open(url);
    t.is(reader.heading, 'Is this your address?');
    await ada.open('/account/profile');
    t.true(ada.text.includes('ada@acme.test'));
    await reader.press('Yes, use this address');
    t.is(reader.heading, 'Your address is verified');
    await reader.open(url);
    t.is(reader.status, 410);
    await ada.open('/account/profile');
    t.true(ada.text.includes('ada@new.test'));

    const told = await linkIn(door, '/not-me/');
    t.true(told.mail.includes('ada@new.test'));
    // Whoever has it moves it on: what they are told of that is theirs, and no way back in.
    door.clock.forward(1000);
    await ada.open('/account/email');
    await ada.press('Send the link', { email: 'ada@third.test' });
    await reader.open((await linkIn(door, '/confirm-email/')).url);
    await reader.press('Yes, use this address');
    const [own] = await door.db.rows<Record<string, string | number | null>>('SELECT * FROM factors');
    await door.db.together([
      door.db.insert('factors', { ...own, id: 'theirs', confirmed_at: door.clock.now().getTime() }),
    ]);
    const theirs = await linkIn(door, '/not-me/');
    t.true(theirs.mail.includes('ada@third.test'));
    await reader.open(told.url);
    t.notRegex(reader.text, /phone number/);
    await door.db.change("UPDATE users SET phone = '+4915112345678' WHERE name = 'Ada'");
    await reader.open(told.url);
    t.regex(reader.text, /Your old phone number is put back/);
    await reader.press('It was not me');
    t.is(reader.heading, 'Choose a new password');
    const other = door.browser();
    await other.open(theirs.url);
    t.is(other.status, 410);
    t.deepEqual(
      (await door.db.rows<{ id: string }>('SELECT id FROM factors WHERE disabled_at IS NULL')).map(
        ({ id }) => id,
      ),
      [String(own?.id)],
      'what was set up meanwhile is closed',
    );
    const [back] = await door.db.rows<{ email: string; phone: string }>(
      "SELECT email, phone FROM users WHERE name = 'Ada'",
    );
    t.is(back?.email, 'ada@acme.test');
    t.is(back?.phone, oldNumber, 'and so is a number that somebody has put in since');
    await ada.open('/account');
    t.is(ada.heading, 'Sign in');

    // What somebody asked for with the password alone is nothing once there is a factor.
    nextStep(door);
    const thief = await signedIn(door, 'ben');
    await thief.open('/account/email');
    await thief.press('Send the link', { email: 'eve@evil.test' });
    const stale = await linkIn(door, '/confirm-email/');
    t.not(stale.url, url);
    const ben = await signedIn(door, 'ben');
    await ben.open('/account');
    await ben.press('Enable');
    if (ben.totpSecret === '') await ben.press('Continue', { method: 'totp' });
    await ben.press('Confirm setup', { code: door.code(0, ben.totpSecret) });
    await reader.open(stale.url);
    if (reader.buttons.includes('Yes, use this address')) await reader.press('Yes, use this address');
    t.is(reader.status, 410);
    t.is(await count(door, 'users', "email = 'ben@acme.test'"), 1);
  });

  test(`${kind}: a phone number is proved by a code at the new one, told to the old one and by mail, moves the codes for signing in, and is removed (T032, T039, T109)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { methods: ['totp', 'sms'] },
        { ada: { extra: { phone: oldNumber } }, ben: { totp: secret } },
      ),
      settings: { smsCountries: ['DE'] },
      replicas: 2,
    });
    const ada = await signedIn(door);
    const phoneOf = async (who = 'ada') => {
      const row = await door.db.row<{ phone: string | null; phone_verified: number }>(
        'SELECT phone, phone_verified FROM users WHERE email = ?',
        [`${who}@acme.test`],
      );
      return { ...row };
    };
    await ada.open('/account/profile');
    t.true(ada.text.includes('+49 1519 8765432'));
    await ada.follow('Change phone number');
    for (const [typed, said] of [
      ['0151 12345678', /country code/],
      ['+1 876 555 0100', /that country/],
    ] as const) {
      await ada.press('Send a code', { phone: typed, phone_verified: '1', user: await userId(door, 'ben') });
      t.is(ada.status, 422, typed);
      t.regex(ada.alert, said, typed);
      t.true(ada.text.includes(`value="${typed}"`), 'what was typed is kept');
    }
    t.deepEqual(await texts(door), []);

    await ada.press('Send a code', { phone: '0049 151 123 456 78' });
    t.is(ada.heading, 'Enter the code');
    t.deepEqual(
      (await texts(door)).map(({ to }) => to),
      [newNumber],
      'to the new one only',
    );
    t.deepEqual(await phoneOf(), { phone: oldNumber, phone_verified: 0 }, 'nothing changes before');
    const code = await textedCode(door);
    t.false(ada.text.includes(code));
    // Nobody else's session, and nobody else, can answer for it.
    const ben = await signedIn(door, 'ben');
    await ben.open('/account');
    await ben.open(ada.form('Save this number').action, {
      fields: new URLSearchParams({ _csrf: ben.form('Sign out').fields.get('_csrf') ?? '', code }),
    });
    t.regex(ben.text, /was used or has expired/);
    for (const wrong of ['', code === '000000' ? '111111' : '000000']) {
      await ada.press('Save this number', { code: wrong });
      t.is(ada.status, 422, wrong);
    }
    // Of two answers at once on two servers, one is first.
    const tab = ada.copy();
    tab.replica = 1;
    await Promise.all([ada, tab].map((one) => one.press('Save this number', { code })));
    const said = [ada.text, tab.text].join();
    t.regex(said, /Your phone number is saved/);
    t.is(await events(door, 'phone.changed'), 1);
    t.deepEqual(await phoneOf(), { phone: newNumber, phone_verified: 1 });
    t.deepEqual(
      (await texts(door)).map(({ to }) => to),
      [newNumber],
      'a number that nobody proved is told nothing',
    );
    const told = await linkIn(door, '/not-me/');
    t.regex(told.mail, /\+49 ••••• 78/);

    // As a second step it moves along: the next sign-in sends its code to the number of now.
    await ada.open('/account/two-factor/add');
    door.clock.forward(seconds(1));
    await ada.press('Continue', { method: 'sms' });
    await ada.press('Confirm setup', { code: await textedCode(door) });
    await ada.press('Continue', { saved: '1' });
    await door.db.change('DELETE FROM limits');
    await ada.open('/account/phone');
    door.clock.forward(seconds(1));
    await ada.press('Send a code', { phone: thirdNumber });
    const last = await textedCode(door);
    door.clock.forward(seconds(1));
    await ada.press('Save this number', { code: last });
    t.is(ada.heading, 'Profile');
    t.is((await texts(door)).at(-1)?.to, newNumber, 'the old number is told');
    t.regex((await texts(door)).at(-1)?.text ?? '', /another phone number now/);
    await door.db.change('DELETE FROM limits');
    door.clock.forward(seconds(1));
    const later = door.browser();
    await later.open('/account');
    await later.press('Sign in', { email: 'ada@acme.test', password });
    t.is((await texts(door)).at(-1)?.to, thirdNumber);
    await later.press('Verify', { code: await textedCode(door) });
    t.is(later.heading, 'Security');
    await later.open('/account/phone/remove');
    await later.press('Remove', {});
    t.regex(later.text, /Remove text messages from your second steps first/);
    t.is((await phoneOf()).phone, thirdNumber);

    // "This was not me" puts the number of before back, and closes codes to the one that came: also where they moved on again.
    const undo = (await mails(door, 'account-changed')).findLast(
      ({ values }) => values.change === 'phone_changed',
    );
    await later.open('/account/phone');
    door.clock.forward(seconds(1));
    await later.press('Send a code', { phone: '+4917698765432' });
    await later.press('Save this number', { code: await textedCode(door) });
    t.is(later.heading, 'Profile');
    const reader = door.browser();
    await reader.open(String(undo?.values.notMeUrl));
    t.regex(reader.text, /Your old phone number is put back/);
    await reader.press('It was not me');
    t.deepEqual(await phoneOf(), { phone: newNumber, phone_verified: 1 });
    t.is(await count(door, 'factors', "method = 'sms' AND disabled_at IS NULL"), 0);

    // Ben's own: removed after a question, and told.
    await door.db.change('DELETE FROM limits');
    await ben.open('/account/phone');
    door.clock.forward(seconds(1));
    await ben.press('Send a code', { phone: oldNumber });
    await ben.press('Save this number', { code: await textedCode(door) });
    door.clock.forward(seconds(1));
    await ben.follow('Remove Phone');
    await ben.press('Remove');
    t.deepEqual(await phoneOf('ben'), { phone: null, phone_verified: 0 });
    const gone = (await mails(door, 'account-changed')).at(-1)?.values;
    t.is(gone?.change, 'phone_removed');

    // An old proof is none.
    door.clock.forward(minutes(11));
    await ben.open('/account/phone');
    t.is(ben.heading, 'Sign in');
    await reader.open(String(gone?.notMeUrl));
    await reader.press('It was not me');
    t.deepEqual(await phoneOf('ben'), { phone: oldNumber, phone_verified: 1 });
  });

  test(`${kind}: whoever has lost every second step can ask the owners and admins of their organization, once a day`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { role: 'owner' }, chiara: { role: 'admin' }, dai: { totp: secret } },
        {
          users: [
            {
              email: 'solo@acme.test',
              name: 'Solo',
              passwordHash,
              emailVerified: true,
              factors: { totp: secret },
            },
          ],
        },
      ),
      settings: { contact: 'mailto:help@id.test' },
    });
    // Whoever belongs to no organization is told who runs the site, also where their only way is closed.
    const solo = door.browser();
    await solo.authorize();
    await solo.press('Sign in', { email: 'solo@acme.test', password });
    await solo.follow('Lost your second step?');
    t.regex(solo.text, /href="mailto:help@id.test".*Ask the people who run this site/);
    t.deepEqual(
      solo.buttons.filter((button) => button.includes('help')),
      [],
    );
    await door.db.change('UPDATE factors SET disabled_at = 1 WHERE user_id = ?', [
      await userId(door, 'solo'),
    ]);
    await solo.follow('Go back');
    t.is(solo.heading, 'You cannot sign in here now');
    t.regex(solo.text, /href="mailto:help@id.test"/);
    t.false(solo.text.includes('Ask for help'));
    const dai = door.browser();
    await dai.authorize();
    await dai.press('Sign in', { email: 'dai@acme.test', password });
    await dai.follow('Lost your second step?');
    await dai.press('Ask them for help');
    t.regex(dai.text, /The owners and admins of Acme Aviation have a mail/);
    t.is((await mails(door, 'help-asked')).length, 2);
    const told = (await mails(door, 'account-changed')).at(-1);
    t.like(told, { to: 'dai@acme.test' });
    t.like(told?.values, { change: 'help_asked' });
    await dai.follow('Go back');
    t.is(dai.heading, 'Two-factor authentication', 'nobody is let in by it');
    await dai.follow('Lost your second step?');
    await dai.press('Ask them for help');
    t.regex(dai.text, /told within the last day/);
    t.is((await mails(door, 'help-asked')).length, 2);
    const asked = await door.db.rows<{ organization_id: string | null }>(
      "SELECT organization_id FROM audit_events WHERE type = 'help.asked'",
    );
    t.is(asked.length, 1);
    t.truthy(asked[0]?.organization_id);

    // Who can help sees it on the person's page, with what to do; it is done when it was done.
    door.clock.forward(seconds(2));
    const chiara = await signedIn(door, 'chiara');
    const page = `/organizations/acme/members/${await userId(door, 'dai')}`;
    await chiara.open(page);
    t.regex(chiara.text, /Asks for help to sign in/);
    t.regex(chiara.text, /Reset 2FA/);
    await chiara.open(`/organizations/acme/members/${await userId(door, 'ada')}`);
    t.notRegex(chiara.text, /Asks for help to sign in/);
    const found = door.browser();
    await found.open('/account');
    await found.press('Sign in', { email: 'dai@acme.test', password });
    nextStep(door);
    await found.press('Verify', { code: door.code() });
    t.is(found.heading, 'Security');
    await chiara.open(page);
    t.notRegex(chiara.text, /Asks for help to sign in/, 'they got in after all');
  });
}
