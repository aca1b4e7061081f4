import test from 'ava';
import { acme, frontDoor, kinds, password } from './rig.ts';

for (const kind of kinds) {
  test(`${kind}: an account is made openly only where the instance says so, after its address was proved, and signs nobody in (T013, T144)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}) });
    const eva = door.browser();
    await eva.open('/register');
    t.is(eva.status, 404);
    await eva.open('/account');
    t.false(eva.text.includes('Create an account'));

    await door.apply({ instance: { registration: 'open' } });
    await eva.open('/account');
    await eva.follow('Create an account');
    await eva.press('Send the link', { email: 'Eva@Example.test' });
    const answer = eva.text.replace(/name="_csrf" value="[^"]*"/, '');
    for (const email of ['ada@acme.test', 'nonsense', '']) {
      await eva.open('/register');
      await eva.press('Send the link', { email });
      t.is(eva.text.replace(/name="_csrf" value="[^"]*"/, ''), answer, email);
    }
    const inbox = door.browser();
    await inbox.open('/dev/inbox');
    const mails = [...inbox.text.matchAll(/href="(\/dev\/inbox\/[^"]+)"/g)].map(([, url = '']) => url);
    t.is(mails.length, 2);
    let link = '';
    for (const mail of mails) {
      await inbox.open(mail);
      link ||= /https?:\/\/[^\s"<]*\/register\/confirm\/[\w-]+/.exec(inbox.text)?.[0] ?? '';
      if (inbox.text.includes('ada@acme.test')) t.true(inbox.text.includes('there is one already'));
    }
    t.is((await door.db.rows("SELECT id FROM users WHERE email LIKE 'eva%'")).length, 0);
    await eva.open(link);
    await eva.press('Create account', { name: 'Eva', password: 'password123' });
    t.regex(eva.alert, /guessers/);
    await eva.press('Create account', { name: 'Eva', password, email: 'ada@acme.test', role: 'owner' });
    t.is(eva.heading, 'Your account is ready');
    await eva.open('/account');
    t.is(eva.heading, 'Sign in');
    await eva.press('Sign in', { email: 'eva@example.test', password });
    t.is(eva.heading, 'Security');
    await eva.open(link);
    t.is(eva.status, 410);

    // Nobody's mailbox is filled by a stranger (T037).
    await eva.open('/register');
    const tries = Array.from({ length: 6 }, async () =>
      eva.copy().press('Send the link', { email: 'zoe@example.test' }),
    );
    await Promise.all(tries);
    await inbox.open('/dev/inbox');
    t.is(inbox.text.match(/zoe@example\.test/g)?.length, 3);

    await door.apply({ instance: { registration: 'closed' } });
    await eva.open('/register');
    t.is(eva.status, 404);
  });
}
