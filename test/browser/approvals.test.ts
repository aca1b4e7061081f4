import test from 'ava';
import { count, mails } from '../front-door/evidence.ts';
import { endBrowser, hasChromium, Person, startBrowser, world } from './person.ts';

const required = {
  requirement: 'required_for_all',
  graceDays: 0,
  methods: ['device'],
  rememberDeviceDays: 0,
};

if (hasChromium()) {
  test.before(startBrowser);
  test.after.always(() => endBrowser());

  test.serial(
    'a browser becomes an approver with a key that cannot leave it, and says yes and no to sign-ins in another one (T057, T060)',
    async (t) => {
      const place = await world(t, required);
      const home = await Person.with(t, place);
      await home.start();
      await home.password();
      await home.press('Confirm setup');
      await home.savesCodes();
      t.deepEqual((await home.arrives()).amr, ['pwd', 'swk', 'mfa']);
      await home.page.goto(`${place.issuer}/account/approvals`);
      await home.heading('Approve a sign-in');
      const extractable = await home.page.evaluate(`new Promise((resolve) => {
        const opening = indexedDB.open('sallyport', 1);
        opening.onsuccess = () => {
          const all = opening.result.transaction('approver-keys').objectStore('approver-keys').getAll();
          all.onsuccess = () => resolve(all.result.map((key) => [key.type, key.extractable]));
        };
      })`);
      t.deepEqual(extractable, [['private', false]]);

      const away = await Person.with(t, place);
      await away.start();
      await away.password();
      const number = await away.page.locator('[data-approval-number]').textContent();
      // The page that was left open shows the request by itself.
      await home.heading('Is this you, signing in?');
      await home.page.getByText('Chrome on Linux').waitFor();
      t.is(await home.page.locator('.numbers button').count(), 3);
      await home.press(number ?? '');
      await home.page.getByText('Approved. The other device goes on by itself.').waitFor();
      const claims = await away.arrives();
      t.deepEqual(claims.amr, ['pwd', 'swk', 'mfa']);
      t.is(claims.acr, 'urn:sallyport:acr:2fa');

      await place.door.db.change('DELETE FROM limits');
      await away.forgets();
      await away.start();
      await away.password();
      await home.heading('Is this you, signing in?');
      await home.press('Another number, or it was not me');
      await home.page.getByText('somebody knows it').waitFor();
      await away.page.getByText('Your other device said no').waitFor();
      t.is((await mails(place.door, 'sign-in-denied')).length, 1);

      // Another browser of the same person, signed in: it sees the request, and cannot approve.
      await place.door.db.change('DELETE FROM limits');
      await away.press('Ask again');
      const keyless = await Person.with(t, place);
      await keyless.context.addCookies(await home.context.cookies());
      await keyless.page.goto(`${place.issuer}/account/approvals`);
      await keyless.page.getByText('This browser does not hold one of your keys').waitFor();
      t.true(await keyless.page.locator('.numbers button').first().isDisabled());

      // In its own browser the key answers at once.
      await place.door.db.change('UPDATE approvals SET open_for = NULL');
      await home.forgets();
      await home.start();
      await home.password();
      await home.press('Confirm with this browser');
      t.deepEqual((await home.arrives()).amr, ['pwd', 'swk', 'mfa']);
      t.is(await count(place.door, 'factors'), 1);
      for (const person of [home, away, keyless]) t.deepEqual(person.complaints, []);
    },
  );
}
