import test from 'ava';
import type { Browser } from './browser.ts';
import { acme, type FrontDoor, frontDoor, kinds, nextStep, password, secret } from './rig.ts';

async function signedIn(door: FrontDoor, who = 'ada', word = password): Promise<Browser> {
  const browser = door.browser();
  await browser.open('/account');
  await browser.press('Sign in', { email: `${who}@acme.test`, password: word });
  if (browser.buttons.includes('Verify')) {
    nextStep(door);
    await browser.press('Verify', { code: door.code() });
  }
  return browser;
}

/** The newest mail to this person with this in its text, and the links in it. */
async function mailTo(
  door: FrontDoor,
  who: string,
  about: RegExp,
): Promise<{ text: string; links: string[] }> {
  const browser = door.browser();
  await browser.open('/dev/inbox');
  for (const [, link = ''] of browser.text.matchAll(/href="(\/dev\/inbox\/[^"]+)"/g)) {
    await browser.open(link);
    const text = browser.text.replace(/<[^>]*>/g, ' ').replace(/&#34;/g, '"');
    if (text.includes(who) && about.test(text)) {
      return { text, links: [...text.matchAll(/https?:\/\/\S+/g)].map(([url]) => url) };
    }
  }
  throw new Error(`no mail to ${who} about ${about}`);
}

const next = 'seven otters juggle lanterns';

for (const kind of kinds) {
  test(`${kind}: a password is changed after a fresh proof; other sessions, remembered devices and what was begun end (T046)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ rememberDeviceDays: 30 }, { ada: { totp: secret } }),
    });
    const ada = await signedIn(door);
    const other = await signedIn(door);
    const begun = door.browser();
    await begun.open('/account');
    await begun.press('Sign in', { email: 'ada@acme.test', password });
    t.is(begun.heading, 'Two-factor authentication');

    await ada.follow('Change password');
    for (const [weak, why] of [
      ['short', /At least|at least 8/],
      ['password123', /guessers try first/],
      ['PASSWORD123', /guessers try first/],
      ['aaaaaaaaaaaa', /again and again/],
      ['acmeaviation1', /close to your name/],
      ['ada@acme.test', /close to your name/],
      ['x'.repeat(5000), /at most 1024/],
    ] as const) {
      await ada.press('Change password', { password: weak });
      t.is(ada.status, 422, weak.slice(0, 20));
      t.regex(ada.alert, why, weak.slice(0, 20));
      t.false(
        ada.text.includes(weak.slice(0, 40)) && weak !== 'ada@acme.test',
        'a password is never shown again',
      );
    }
    await ada.press('Change password', { password: next });
    t.is(ada.heading, 'Security');
    t.regex(ada.text, /Your password is changed/);

    await other.open('/account');
    t.is(other.heading, 'Sign in');
    nextStep(door);
    await begun.press('Verify', { code: door.code() });
    t.not(begun.heading, 'Security');
    await other.press('Sign in', { email: 'ada@acme.test', password });
    t.regex(other.alert, /not right/);
    await signedIn(door, 'ada', next);
    // With a second step nobody is told of another browser.
    await t.throwsAsync(mailTo(door, 'ada@acme.test', /was not used for it before/));
    t.regex((await mailTo(door, 'ada@acme.test', /password of your account/)).text, /Everywhere else/);
  });

  test(`${kind}: a password is all that was typed, however long and odd: nothing is cut off, composed letters are one whichever way they come (T122)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}, { ada: {} }) });
    const long = Array.from({ length: 1100 }, (_, n) => 'qwxzjkvbpf'[(n * n + n) % 10]).join('');
    let current = password;
    for (const [what, chosen, others] of [
      ['64', long.slice(0, 64), [long.slice(0, 63), long.slice(0, 65)]],
      ['73, which bcrypt would cut', long.slice(0, 73), [long.slice(0, 72), `${long.slice(0, 72)}y`]],
      ['128', long.slice(0, 128), [long.slice(0, 127)]],
      ['1024, the most', long.slice(0, 1024), [long.slice(0, 1023), long.slice(0, 1025), long]],
      ['NUL in the middle', 'seven\0otters juggle', ['seven', 'seven\0otters']],
      ['letters apart', 'Zu\u0308rich Cafe\u0301 lanterns', ['Zurich Cafe lanterns']],
      ['ligature and blanks', ' ﬁfteen otters  ', ['ﬁfteen otters', 'fifteen otters']],
    ] as const) {
      const ada = await signedIn(door, 'ada', current);
      await ada.follow('Change password');
      await ada.press('Change password', { password: chosen });
      t.regex(ada.text, /Your password is changed/, `${what}: ${ada.alert}`);
      current = chosen;
      for (const other of others) {
        const stranger = await signedIn(door, 'ada', other);
        t.regex(stranger.alert, /not right/, `${what}: ${other.length}`);
      }
      const same = chosen.normalize('NFC');
      t.is((await signedIn(door, 'ada', same)).status, 200, what);
      door.clock.forward(3_600_000);
    }
    const ada = await signedIn(door, 'ada', current);
    await ada.follow('Change password');
    await ada.press('Change password', { password: long });
    t.regex(ada.alert, /at most 1024/);
  });

  test(`${kind}: a forgotten password is reset by a link, once; nobody is signed in by it and the second step stays (T014)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ rememberDeviceDays: 30 }, { ada: { totp: secret }, ben: {} }),
      replicas: 2,
    });
    const before = await signedIn(door);
    const browser = door.browser();
    await browser.authorize();
    await browser.follow('Forgotten your password?');
    await browser.press('Send the link', { email: 'ada@acme.test' });
    // The way back is that of the sign-in which this began at; of what is no such number, the account's.
    const back = browser.copy();
    await back.follow('Back to sign in');
    t.regex(back.text, /to continue to/);
    await back.open('/forgotten-password?from=//evil.test/aaaaaaaaaaaaaaaaaaaa');
    t.regex(back.text, /href="\/account">Back to sign in/);
    const answerOf = () =>
      browser.text
        .replace(/name="_csrf" value="[^"]*"/, '')
        .replaceAll(/href="\/(?:interaction\/[\w-]+|account)"/g, 'the sign-in')
        .replaceAll(/\?from=[\w-]+/g, '');
    const answer = answerOf();
    const { links } = await mailTo(door, 'ada@acme.test', /asked for a new password/);
    const link = links.find((url) => url.includes('/reset-password/')) ?? '';

    // The same answer for everybody else.
    for (const email of ['nobody@acme.test', 'not an address', '', 'ada@acme.test, eve@evil.test']) {
      await browser.open('/forgotten-password');
      await browser.press('Send the link', { email });
      t.is(answerOf(), answer, email);
    }
    await browser.open(link);
    t.is(browser.heading, 'Choose a new password');
    await browser.press('Save the password', { password: 'password123' });
    t.regex(browser.alert, /guessers/);

    // Twenty at once over two servers: one is first (T130).
    const tries = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        const one = browser.copy();
        one.replica = n % 2;
        await one.press('Save the password', { password: `${next} ${n}` });
        return one;
      }),
    );
    const right = tries.filter(({ heading }) => heading === 'Your password is changed');
    t.is(right.length, 1);
    t.true(tries.filter((one) => !right.includes(one)).every(({ status }) => status === 410));
    const [winner] = right;
    const chosen = `${next} ${tries.indexOf(winner as Browser)}`;

    // It has signed in nobody, and ended what there was.
    await winner?.open('/account');
    t.is(winner?.heading, 'Sign in');
    await before.open('/account');
    t.is(before.heading, 'Sign in');
    await winner?.press('Sign in', { email: 'ada@acme.test', password: chosen });
    t.is(winner?.heading, 'Two-factor authentication');
    await browser.open(link);
    t.is(browser.status, 410);

    // It works for an hour, and only for its own purpose.
    await browser.open('/forgotten-password');
    await browser.press('Send the link', { email: 'ben@acme.test' });
    const late = (await mailTo(door, 'ben@acme.test', /asked for a new password/)).links[0] ?? '';
    await browser.open(late.replace('/reset-password/', '/not-me/'));
    t.is(browser.status, 410);
    door.clock.forward(61 * 60_000);
    await browser.open(late);
    t.is(browser.status, 410);
  });

  test(`${kind}: "this was not me" closes the account to whoever is in it, and signs nobody in (T146)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { rememberDeviceDays: 30 },
        { ada: { totp: secret }, ben: {}, cy: { role: 'owner' } },
      ),
    });
    const thief = door.browser();
    await thief.open('/account');
    await thief.press('Sign in', { email: 'ada@acme.test', password });
    await thief.press('Verify', { code: door.code(), remember: '1' });
    const { links, text } = await mailTo(door, 'ada@acme.test', /not be asked for a second step/);
    t.regex(text, /When:/);
    const link = links.find((url) => url.includes('/not-me/')) ?? '';
    const ada = door.browser();
    await ada.open(link);
    t.is(ada.heading, 'This was not you?');
    await thief.open('/account');
    t.is(thief.heading, 'Security', 'looking at the link does nothing');
    await ada.press('It was not me');
    t.is(ada.heading, 'Choose a new password');
    await thief.open('/account');
    t.is(thief.heading, 'Sign in');
    await thief.press('Sign in', { email: 'ada@acme.test', password });
    t.regex(thief.alert, /not right/);
    await ada.press('Save the password', { password: next });
    t.is(ada.heading, 'Your password is changed');
    await ada.open('/account');
    t.is(ada.heading, 'Sign in');
    await ada.press('Sign in', { email: 'ada@acme.test', password: next });
    t.is(ada.heading, 'Two-factor authentication');
    await ada.open(link);
    t.is(ada.status, 410);

    // What the mail tells of is undone: a thief's own factor and the codes that came with it are no way in any more.
    const stranger = await signedIn(door, 'ben');
    await t.throwsAsync(
      mailTo(door, 'ben@acme.test', /was not used for it before/),
      undefined,
      'the first one is expected',
    );
    const elsewhere = await signedIn(door, 'ben');
    t.regex(
      (await mailTo(door, 'ben@acme.test', /was not used for it before/)).text,
      /with the password alone.*\/not-me\//s,
    );
    await elsewhere.press('Sign out');
    await stranger.press('Enable');
    if (stranger.buttons.includes('Continue')) await stranger.press('Continue', { method: 'totp' });
    const typed = stranger.totpSecret;
    await stranger.press('Confirm setup', { code: door.code(0, typed) });
    t.is(stranger.recoveryCodes.length, 8);
    const added = await mailTo(door, 'ben@acme.test', /was set up for your account/);
    const ben = door.browser();
    await ben.open(added.links.find((url) => url.includes('/not-me/')) ?? '');
    t.regex(ben.text, /The way to sign in that the mail names is closed.*Your recovery codes stop working/s);
    await ben.press('It was not me');
    await ben.press('Save the password', { password: next });
    for (const [table, where] of [
      ['factors', 'disabled_at IS NULL AND'],
      ['recovery_codes', ''],
    ]) {
      const left = await door.db.rows(
        `SELECT id FROM ${table} WHERE ${where} user_id = (SELECT id FROM users WHERE email = 'ben@acme.test')`,
      );
      t.deepEqual(left, [], table);
    }
    // And no way round it for whoever reads Ben's mail: those who know him must help.
    nextStep(door);
    await ben.open('/account');
    await ben.press('Sign in', { email: 'ben@acme.test', password: next });
    t.is(ben.heading, 'You cannot sign in here now');
    await ben.follow('Ask for help');
    await ben.press('Ask them for help');
    t.regex(ben.text, /The owners and admins of Acme Aviation have a mail/);
  });
}
