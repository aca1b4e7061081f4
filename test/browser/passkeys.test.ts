import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { count } from '../front-door/evidence.ts';
import { endBrowser, hasChromium, Person, startBrowser, world } from './person.ts';

const required = {
  requirement: 'required_for_all',
  graceDays: 0,
  methods: ['totp', 'passkey'],
  rememberDeviceDays: 30,
};
const alone = 'Sign in with a passkey';

if (hasChromium()) {
  test.before(startBrowser);
  test.after.always(() => endBrowser());

  test.serial(
    'a passkey is set up, asked for after the password, and then is the whole sign-in',
    async (t) => {
      const ada = await Person.with(t, await world(t, required));
      await ada.authenticator({ ready: false });
      await ada.start();
      await ada.password();
      await ada.page.getByLabel('Passkey', { exact: true }).check();
      await ada.press('Continue');
      await ada.ready(true);
      await ada.press('Confirm setup');
      await ada.savesCodes();
      const first = await ada.arrives();
      t.is(first.acr, 'phr');
      t.deepEqual(first.amr, ['pwd', 'hwk', 'user', 'mfa']);

      await ada.forgets();
      await ada.ready(false);
      await ada.start();
      await ada.password();
      await ada.ready(true);
      await ada.press('Verify');
      t.deepEqual((await ada.arrives()).amr, ['pwd', 'hwk', 'user', 'mfa']);

      await ada.forgets();
      await ada.page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
      await ada.start();
      await ada.press(alone);
      const third = await ada.arrives();
      t.is(third.acr, 'phr');
      t.deepEqual(third.amr, ['hwk', 'user', 'mfa']);
      t.is(third.sub, first.sub);
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial(
    'a passkey that is synced is claimed as what it is, and is offered in the e-mail field',
    async (t) => {
      const ada = await Person.with(t, await world(t, required));
      await ada.authenticator({ synced: true });
      await ada.start();
      await ada.password();
      await ada.page.getByLabel('Passkey', { exact: true }).check();
      await ada.press('Continue');
      await ada.press('Confirm setup');
      await ada.savesCodes();
      t.deepEqual((await ada.arrives()).amr, ['pwd', 'swk', 'user', 'mfa']);

      await ada.forgets();
      const field = ada.page.getByLabel('Email', { exact: true });
      // The finger on the sensor chooses what the browser offers in the field: nothing is pressed.
      await ada.start();
      t.deepEqual((await ada.arrives()).amr, ['swk', 'user', 'mfa']);
      await ada.forgets();
      await ada.ready(false);
      await ada.start();
      t.is(await field.getAttribute('autocomplete'), 'username webauthn');
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial(
    'where nothing comes from the passkey, the page says so, and lets one try again or go another way',
    async (t) => {
      const ada = await Person.with(t, await world(t, required));
      await ada.authenticator();
      await ada.start();
      await ada.password();
      await ada.page.getByLabel('Passkey', { exact: true }).check();
      await ada.press('Continue');
      // A finger that is not known: the browser gives up by itself.
      await ada.knowsUser(false);
      const alert = ada.page.getByRole('alert');
      t.is(await alert.count(), 0);
      await ada.page.route('**/enrol/confirm', (route) => route.abort());
      await ada.page.evaluate(
        `navigator.credentials.create = () => Promise.reject(new DOMException('no', 'NotAllowedError'))`,
      );
      await ada.press('Confirm setup');
      await alert.getByText('Your passkey did not answer').waitFor();
      t.is(await ada.page.getByRole('button', { name: 'Confirm setup' }).getAttribute('aria-busy'), null);
      await ada.page.unroute('**/enrol/confirm');
      await ada.page.reload();
      await ada.knowsUser(true);
      await ada.press('Confirm setup');
      await ada.savesCodes();
      await ada.arrives();

      await ada.forgets();
      await ada.ready(false);
      await ada.start();
      await ada.page.evaluate(
        `navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError'))`,
      );
      await ada.press(alone);
      await alert.getByText('Your passkey did not answer').waitFor();
      await ada.password();
      await ada.page.getByRole('link', { name: 'Use a recovery code' }).waitFor();
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial(
    'while the browser asks, the button says so, and a second press asks nothing anew',
    async (t) => {
      const ada = await Person.with(t, await world(t, { ...required, methods: ['passkey'] }));
      await ada.authenticator();
      await ada.start();
      await ada.password();
      await ada.page.evaluate(`{
      const create = navigator.credentials.create.bind(navigator.credentials);
      navigator.credentials.create = (options) => new Promise((resolve) => {
        window.asked = (window.asked ?? 0) + 1;
        window.finger = () => resolve(create(options));
      });
    }`);
      const button = ada.page.getByRole('button', { name: 'Confirm setup' });
      await button.click();
      t.is(await button.getAttribute('aria-busy'), 'true');
      await button.click();
      t.is(await ada.page.evaluate('window.asked'), 1);
      t.is(await ada.page.getByRole('alert').count(), 0);
      await ada.page.evaluate('window.finger()');
      await ada.savesCodes();
      await ada.arrives();
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial('a passkey of another site, or of nobody here, is none', async (t) => {
    const there = await world(t, { ...required, methods: ['passkey'] });
    const ada = await Person.with(t, there);
    await ada.authenticator();
    await ada.start();
    await ada.password();
    await ada.press('Confirm setup');
    await ada.savesCodes();
    await ada.arrives();
    await ada.forgets();
    await there.door.db.change('DELETE FROM factors');
    // Offered in the e-mail field, chosen and refused; it is not offered by itself once more.
    const refused = ada.page.getByRole('alert').getByText('That passkey could not be used here');
    await ada.start();
    await refused.waitFor();
    await ada.page.waitForLoadState('networkidle');
    await ada.press(alone);
    await ada.page.waitForLoadState('networkidle');
    await refused.waitFor();
    await ada.heading('Sign in');
    t.is(await count(there.door, 'audit_events', "type = 'factor.failed'"), 2);
    t.deepEqual(ada.complaints, []);
  });

  test.serial('a browser that cannot use passkeys says so plainly, and offers the other ways', async (t) => {
    const there = await world(t, required);
    const ada = await Person.with(t, there);
    await ada.authenticator();
    await ada.start();
    await ada.password();
    await ada.page.getByLabel('Passkey', { exact: true }).check();
    await ada.press('Continue');
    await ada.press('Confirm setup');
    await ada.savesCodes();
    await ada.arrives();

    for (const without of [
      'delete window.PublicKeyCredential',
      `Object.defineProperty(navigator, 'credentials', { value: undefined })`,
    ]) {
      const old = await Person.with(t, there);
      await old.page.addInitScript(without);
      await old.start();
      await old.page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
      await old.page.getByRole('button', { name: alone }).waitFor({ state: 'detached' });
      await old.password();
      await old.page.getByRole('alert').getByText('This browser cannot use passkeys').waitFor();
      t.false(await old.page.getByRole('button', { name: 'Verify' }).isVisible());
      t.true(await old.page.getByRole('link', { name: 'Use a recovery code' }).isVisible());
      t.deepEqual(old.complaints, []);
    }
  });

  test.serial('the pages for passkeys pass axe, with an error on them too', async (t) => {
    const axe = readFileSync(
      path.join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'),
      'utf8',
    );
    const ada = await Person.with(t, await world(t, { ...required, methods: ['passkey'] }));
    const violations = async () => {
      await ada.page.evaluate(axe);
      return ada.page.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
        .then(({ violations }) => violations.map(({ id }) => id))`);
    };
    await ada.authenticator({ ready: false });
    await ada.start();
    t.deepEqual(await violations(), []);
    await ada.password();
    t.deepEqual(await violations(), []);
    await ada.page.evaluate(`navigator.credentials.create = () => Promise.reject(new Error())`);
    await ada.press('Confirm setup');
    await ada.page.getByRole('alert').waitFor();
    t.deepEqual(await violations(), []);
  });
}
