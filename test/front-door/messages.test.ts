import test from 'ava';
import { changeRole } from '../../flows/change-member.ts';
import { mailRenderer } from '../../http/mails.ts';
import { createRenderer } from '../../http/render.ts';
import { seconds } from '../../lib/clock.ts';
import { createInbox, type InboxMessage } from '../../notifications/inbox.ts';
import { mailedCode, textedCode } from './evidence.ts';
import { idOf, servicesOf, visitAs } from './organization-rig.ts';
import { acme, application, type FrontDoor, frontDoor, kinds, nextDay, password } from './rig.ts';

/** Messages as people get them, oldest first. */
async function received(door: FrontDoor): Promise<InboxMessage[]> {
  const { ring } = servicesOf(door);
  const render = mailRenderer(createRenderer({ viewsDir: 'views', cache: true }), door.issuer);
  const messages = await createInbox({ db: door.db, ring, render, channels: ['email', 'sms'] }).list();
  return messages.toReversed();
}

for (const kind of kinds) {
  test(`messages speak the language and the name of the page that asked for them, and no syntax of ours (T065) (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'required_for_all', graceDays: 0, methods: ['email', 'sms'] },
        { ada: {}, olga: { role: 'owner', totp: null } },
        {
          organizations: [{ slug: 'birch', name: 'Birch Studio', policy: {} }],
          applications: [application('birch', { organization: 'birch' })],
        },
      ),
    });
    const ada = door.browser();
    ada.language = 'de-DE,de;q=0.9';
    await ada.authorize();
    await ada.press('Anmelden', { email: 'ada@acme.test', password });
    await ada.press('Weiter', { method: 'email' });
    door.clock.forward(seconds(1));
    await ada.press('Einrichtung bestätigen', { code: await mailedCode(door) });
    await ada.press('Weiter', { saved: '1' });
    t.true(ada.callback?.has('code'));
    nextDay(door);

    // Of an organization's application, the organization's: also where the person belongs to another.
    const visitor = door.browser();
    visitor.language = 'de';
    await visitor.authorize({ client_id: 'birch' });
    await visitor.press('Anmelden', { email: 'ada@acme.test', password });
    t.regex(visitor.text, /Birch Studio/);

    door.clock.forward(seconds(1));
    // Nobody asked for it here: as they last signed in.
    await changeRole(servicesOf(door), await visitAs(door, 'olga'), {
      userId: await idOf(door, 'ada'),
      role: 'admin',
    });

    door.clock.forward(seconds(1));
    const olga = door.browser();
    olga.language = 'de';
    await olga.authorize();
    await olga.press('Anmelden', { email: 'olga@acme.test', password });
    await olga.press('Weiter', { method: 'sms' });
    await olga.press('Code senden', { phone: '+4915112345678' });
    t.regex(await textedCode(door), /^\d{6}$/);

    const messages = await received(door);
    const withoutDigits = messages.map(({ channel, subject }) =>
      channel === 'sms' ? 'SMS' : subject.replaceAll(/\d+/g, 'N'),
    );
    t.deepEqual(withoutDigits, [
      'Ihr Code für Acme Aviation',
      'Zwei-Faktor-Authentifizierung: Code per E-Mail wurde eingerichtet',
      'Ihr Code für Birch Studio',
      'Ihre Rolle bei Acme Aviation hat sich geändert',
      'SMS',
    ]);
    for (const { text, html, subject } of messages) {
      for (const said of [text, subject, (html ?? '').replace(/<style>.*<\/style>/s, '')]) {
        t.notRegex(said, /[{}|]/, subject);
        t.notRegex(said, /Sallyport|undefined|\bnull\b/, subject);
      }
      t.regex(text, /Acme Aviation|Birch Studio|Guten Tag/, subject);
    }
    t.regex(messages[0]?.text ?? '', /10 Minuten/);
    t.regex(messages.at(-1)?.text ?? '', /ist Ihr Code für Acme Aviation.*10 Minuten/);

    // What a person has chosen themselves goes before what their browser says.
    await door.db.change("UPDATE users SET locale = 'en' WHERE email = 'ada@acme.test'");
    door.clock.forward(seconds(1));
    await ada.open('/forgotten-password');
    const { action, fields } = ada.form(ada.buttons.at(-1) ?? '');
    fields.set('email', 'ada@acme.test');
    await ada.open(action, { fields });
    t.is((await received(door)).at(-1)?.subject, 'Choose a new password');
  });
}
