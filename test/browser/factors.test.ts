import test from 'ava';
import { generateSync } from 'otplib';
import { mailedCode, textedCode } from '../front-door/evidence.ts';
import { nextStep } from '../front-door/rig.ts';
import { endBrowser, hasChromium, Person, startBrowser, world } from './person.ts';

if (hasChromium()) {
  test.before(startBrowser);
  test.after.always(() => endBrowser());

  test.serial(
    'every way is set up, named and removed, and each with a code asked for and claimed as what it is; the last one stays where a policy needs it',
    async (t) => {
      const place = await world(
        t,
        { requirement: 'required_for_all', methods: ['totp', 'email', 'sms', 'passkey', 'device'] },
        { ada: { extra: { emailVerified: true, phone: '+4915112345678', phoneVerified: true } } },
      );
      const ada = await Person.with(t, place);
      await ada.authenticator();
      const { page } = ada;
      const { door } = place;
      let totp = '';
      const appCode = () =>
        generateSync({ secret: totp, epoch: Math.floor(door.clock.now().getTime() / 1000) });
      const ways = [
        {
          label: 'Authenticator app',
          name: 'My phone',
          amr: ['pwd', 'otp', 'mfa'],
          code: async () => appCode(),
        },
        { label: 'Email code', name: 'My mailbox', amr: ['pwd', 'otp'], code: () => mailedCode(door) },
        {
          label: 'Text message',
          name: 'My number',
          amr: ['pwd', 'sms', 'mfa'],
          code: () => textedCode(door),
        },
      ] as const;
      // How these two answer is told by the tests of their own.
      const signing = [
        { label: 'Passkey', name: 'My laptop' },
        { label: 'Another device', name: 'My tablet' },
      ] as const;
      const rename = async (label: string, name: string) => {
        await page.getByRole('link', { name: `Manage ${label}` }).click();
        await page.getByLabel('Name').fill(name);
        await ada.press('Save');
        await ada.heading('Security');
        t.regex((await page.locator('main').textContent()) ?? '', new RegExp(name));
      };
      const type = async (code: string, button: string) => {
        await page.getByLabel('Code', { exact: true }).fill(code);
        await ada.press(button);
      };
      const choose = async (label: string) => {
        await page.getByLabel(label).check();
        await ada.press('Continue');
      };

      await ada.start();
      await ada.password();
      await choose('Authenticator app');
      totp = ((await page.locator('[data-totp-secret]').textContent()) ?? '').replaceAll(' ', '');
      await type('123', 'Confirm setup');
      await page.getByRole('alert').waitFor();
      await type(appCode(), 'Confirm setup');
      await ada.savesCodes();
      t.deepEqual((await ada.arrives()).amr, ['pwd', 'otp', 'mfa']);

      for (const { label, name, code } of ways) {
        await page.goto(`${place.issuer}/account`);
        await ada.heading('Security');
        if (label !== 'Authenticator app') {
          await ada.press('Add another way');
          await choose(label);
          await type(await code(), 'Confirm setup');
          await ada.heading('Security');
        }
        await rename(label, name);
      }
      for (const { label, name } of signing) {
        await ada.press('Add another way');
        await choose(label);
        await page.locator('form.stack button[type=submit]').click();
        await ada.heading('Security');
        await rename('Chrome on Linux', name);
      }

      await ada.ready(false);

      for (const { name, amr, code } of ways) {
        nextStep(door);
        nextStep(door);
        await ada.forgets();
        await ada.start();
        await ada.password();
        await page.getByRole('link', { name: 'Try another way' }).click();
        await page.getByRole('link', { name: new RegExp(name) }).click();
        await type('000000', 'Verify');
        await page.getByRole('alert').waitFor();
        await type(await code(), 'Verify');
        t.deepEqual((await ada.arrives()).amr, [...amr], name);
      }

      const all = [...signing, ...ways];
      for (const [index, { name }] of all.entries()) {
        await page.goto(`${place.issuer}/account`);
        await page.getByRole('link', { name: `Manage ${name}` }).click();
        await page.getByRole('link', { name: 'Remove', exact: true }).click();
        if (index < all.length - 1) {
          await ada.heading(`Remove "${name}"?`);
          await ada.press('Remove');
        }
        await ada.heading('Security');
        t.is(
          await page.getByRole('link', { name: `Manage ${name}` }).count(),
          index === all.length - 1 ? 1 : 0,
          name,
        );
      }
      t.deepEqual(ada.complaints, []);
    },
  );
}
