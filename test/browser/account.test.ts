import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { minutes } from '../../lib/clock.ts';
import { count, textedCode } from '../front-door/evidence.ts';
import { password } from '../front-door/rig.ts';
import { endBrowser, hasChromium, Person, startBrowser, world } from './person.ts';

const axe = readFileSync(path.join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'), 'utf8');
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** What is wrong with the page that is shown: for assistive technology, or because it does not fit. */
async function problems({ page }: Person): Promise<string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate<string[]>(
    `axe.run(document, { runOnly: ${JSON.stringify(rules)} }).then(({ violations }) =>
       violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ' ' + target.join(' '))))`,
  );
  const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  return wide > 0 ? [...found, `${wide} pixels too wide`] : found;
}

if (hasChromium()) {
  test.before(startBrowser);
  test.after.always(() => endBrowser());

  test.serial(
    'on a phone, in German and by keyboard alone, somebody adds a passkey and a phone number on their own pages, which pass axe (T080, T109)',
    async (t) => {
      const place = await world(t, { methods: ['totp', 'passkey', 'sms'] });
      const ada = await Person.with(t, place, {
        viewport: { width: 360, height: 740 },
        locale: 'de-DE',
        colorScheme: 'dark',
      });
      const { page } = ada;
      await ada.authenticator();
      /** Tab until something has the focus that a selector finds, and shows that it has. */
      const tabTo = async (selector: string) => {
        for (let n = 0; n < 60; n += 1) {
          const is = await page.evaluate<{ here: boolean; seen: boolean }>(`(() => {
            const at = document.activeElement;
            const shows = (element) => {
              const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
              return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
            };
            return {
              here: at.matches(${JSON.stringify(selector)}),
              seen: shows(at) || (at.closest('label') !== null && shows(at.closest('label'))),
            };
          })()`);
          if (is.here) {
            t.true(is.seen, `${selector} shows that it has the focus`);
            return;
          }
          await page.keyboard.press('Tab');
        }
        t.fail(`nothing like ${selector} is reached at ${page.url()}`);
      };
      const enter = async (heading: string) => {
        await page.keyboard.press('Enter');
        await ada.heading(heading);
        t.deepEqual(await problems(ada), [], heading);
      };

      await page.goto(`${place.issuer}/account`);
      await ada.heading('Anmelden');
      await tabTo('#email');
      await page.keyboard.type('ada@acme.test');
      await tabTo('#password');
      await page.keyboard.type(password);
      await enter('Sicherheit');
      await tabTo('form[action="/account/two-factor/add"] button');
      await enter('Zwei-Faktor-Authentifizierung einrichten');
      await tabTo('input[type=radio]');
      for (let n = 0; n < 5 && !(await page.evaluate(`document.activeElement.value === 'passkey'`)); n += 1) {
        await page.keyboard.press('ArrowDown');
      }
      await page.keyboard.press('Enter');
      await page.waitForURL(/\/account\/set-up\//);
      t.deepEqual(await problems(ada), [], 'set-up of a passkey');
      await tabTo('form.stack button[type=submit]');
      await page.keyboard.press('Enter');
      await page.locator('[data-recovery-codes] li').first().waitFor();
      t.deepEqual(await problems(ada), [], 'recovery codes');
      await tabTo('input[name=saved]');
      await page.keyboard.press('Space');
      await tabTo('form.stack button[type=submit]');
      await page.keyboard.press('Enter');
      await ada.heading('Sicherheit');
      t.is(await count(place.door, 'factors', "method = 'passkey'"), 1);

      await page.goto(`${place.issuer}/account/profile`);
      await tabTo('a[href="/account/phone"]');
      await enter('Telefonnummer hinzufügen');
      await page.keyboard.type('0151');
      await enter('Telefonnummer hinzufügen');
      t.regex(
        (await page.getByRole('alert').textContent()) ?? '',
        /Ländervorwahl|Landesvorwahl|vollständige Nummer/,
      );
      await tabTo('#phone');
      await page.keyboard.press('Control+A');
      await page.keyboard.type('+49 151 12345678');
      await enter('Code eingeben');
      await page.keyboard.type(await textedCode(place.door));
      await enter('Profil');
      t.regex((await page.locator('main').textContent()) ?? '', /\+49 1511 2345678/);

      for (const where of [
        '',
        '/approvals',
        '/sessions',
        '/history',
        '/applications',
        '/organizations',
        '/profile',
        '/email',
        '/phone',
        '/phone/remove',
        '/password',
        '/two-factor/disable',
        '/recovery-codes',
      ]) {
        await page.goto(`${place.issuer}/account${where}`);
        t.is(new URL(page.url()).pathname, `/account${where}`);
        t.is(await page.locator('html').getAttribute('lang'), 'de', where);
        t.deepEqual(await problems(ada), [], where);
        const text = (await page.locator('main').textContent()) ?? '';
        t.notRegex(text, /Chrome on/, where);
        if (['', '/sessions', '/history'].includes(where)) t.regex(text, /Chrome unter Linux/, where);
      }

      // An old proof is not enough: the passkey is asked for, and the page that was wanted comes then.
      await ada.ready(false);
      place.door.clock.forward(minutes(11));
      await page.goto(`${place.issuer}/account/password`);
      t.regex(page.url(), /\/interaction\//);
      t.deepEqual(await problems(ada), [], 'fresh proof');
      t.deepEqual(ada.complaints, []);
    },
  );
}
