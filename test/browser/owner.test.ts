import test from 'ava';
import { chainAuditEvents } from '../../flows/chain-audit-events.ts';
import { remindMembers } from '../../flows/notify-members.ts';
import { minutes } from '../../lib/clock.ts';
import { servicesOf, takeMails } from '../front-door/organization-rig.ts';
import { nextDay, nextStep, password, secret } from '../front-door/rig.ts';
import { endBrowser, hasChromium, Person, startBrowser, type World, world } from './person.ts';

const people = {
  ada: { role: 'owner', totp: secret },
  chiara: { role: 'admin' },
  ben: { extra: { locale: 'de' } },
  dai: { totp: secret },
  gus: { extra: { disabled: true } },
};

/** Who was written to about the policy, and when they must have set up. */
async function told(place: World): Promise<string[]> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  return (await takeMails(place.door))
    .filter(({ template }) => template.startsWith('policy-'))
    .map(({ to, template, values, locale }) =>
      [to.split('@')[0], template, values.daysLeft, ...(locale ? [locale] : [])].join(' '),
    )
    .sort();
}

if (hasChromium()) {
  test.before(startBrowser);
  test.after.always(() => endBrowser());

  test.serial(
    'an owner goes from optional to required with 7 days by keyboard alone: preview, mails to whom it concerns, and a week later the overdue are stopped and seen (T086, T091, T099)',
    async (t) => {
      const place = await world(t, { requirement: 'optional', methods: ['totp'] }, people);
      const { door, issuer } = place;
      const arrive = async (path: string) => {
        const ada = await Person.with(t, place);
        await ada.page.goto(`${issuer}${path}`);
        await ada.page.getByLabel('Email', { exact: true }).fill('ada@acme.test');
        await ada.page.getByLabel('Password', { exact: true }).fill(password);
        await ada.page.keyboard.press('Enter');
        await ada.page.getByLabel('Code', { exact: false }).first().fill(door.code());
        await ada.page.keyboard.press('Enter');
        nextStep(door);
        return ada;
      };
      const ada = await arrive('/organizations/acme/two-factor');
      const { page } = ada;
      await page.getByRole('radio', { name: 'Optional', exact: true }).waitFor();
      // From the top of the page, by Tab and arrows only, as whoever has no mouse does.
      const tabTo = async (name: string) => {
        for (let n = 0; n < 80; n += 1) {
          await page.keyboard.press('Tab');
          const is = await page.evaluate<{ name: string; seen: boolean }>(`(() => {
            const at = document.activeElement;
            const labelled = (at.labels?.[0] ?? at).textContent.trim();
            const shows = (element) => {
              const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
              return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
            };
            return { name: (at.value ?? '') + ' ' + labelled, seen: shows(at) || shows(at.closest('label') ?? at) };
          })()`);
          if (is.name.includes(name)) {
            t.true(is.seen, `${name} shows that it has the focus`);
            return;
          }
        }
        t.fail(`${name} cannot be reached by Tab`);
      };
      await tabTo('optional');
      for (let n = 0; n < 3; n += 1) await page.keyboard.press('ArrowDown');
      t.true(await page.getByRole('radio', { name: 'Required for all', exact: true }).isChecked());
      await tabTo('Grace period');
      await page.keyboard.type('7');
      await tabTo('Save and notify');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { level: 2, name: 'What this changes' }).waitFor();
      t.is(await page.locator('[data-must-act]').textContent(), '2');
      t.is(await page.locator('[data-stopped]').textContent(), '0');
      t.regex((await page.locator('main').textContent()) ?? '', /Start with Required for admins/);
      t.deepEqual(await told(place), []);
      await ada.press('Save and notify');
      await page.getByText('2 people get a mail', { exact: false }).waitFor();
      t.deepEqual(await told(place), ['ben policy-announced 7 de', 'chiara policy-announced 7']);

      for (const [days, mails] of [
        [4, ['ben policy-reminder 3 de', 'chiara policy-reminder 3']],
        [2, ['ben policy-reminder 1 de', 'chiara policy-reminder 1']],
        [1, ['ben policy-reminder 0 de', 'chiara policy-reminder 0']],
      ] as const) {
        nextDay(door, days);
        await remindMembers(servicesOf(door));
        await remindMembers(servicesOf(door));
        t.deepEqual(await told(place), mails, `${days} days later`);
      }
      door.clock.forward(minutes(1));

      const ben = await Person.with(t, place);
      await ben.start();
      await ben.page.getByLabel('Email', { exact: true }).fill('ben@acme.test');
      await ben.page.getByLabel('Password', { exact: true }).fill(password);
      await ben.page.keyboard.press('Enter');
      await ben.page.locator('[data-totp-secret]').waitFor();
      t.is(await ben.page.getByRole('button', { name: /Skip for now|Jetzt überspringen/ }).count(), 0);
      await chainAuditEvents(servicesOf(door));

      const again = await arrive('/organizations/acme');
      await again.heading('Overview');
      const overview = await again.page.locator('main').textContent();
      t.regex(overview ?? '', /Overdue people[\s\S]*ben@acme\.test/);
      t.regex(overview ?? '', /chiara/);
      await again.page.goto(`${issuer}/organizations/acme/members?state=overdue`);
      const overdue = await again.page.locator('main').textContent();
      t.regex(overdue ?? '', /ben@acme\.test[\s\S]*chiara@acme\.test/);
      t.notRegex(overdue ?? '', /dai@acme\.test|gus@acme\.test/);
      // What is chosen for the look of the sign-in page is seen at once, and what is said of an older colour goes.
      await again.page.goto(`${issuer}/organizations/acme/branding`);
      await again.page.getByLabel('Colour', { exact: true }).fill('#c2410c');
      await again.page.getByLabel('Name', { exact: true }).fill('Acme Aviation');
      await again.page.getByLabel('Logo', { exact: true }).setInputFiles({
        name: 'logo.png',
        mimeType: 'image/png',
        buffer: Buffer.from(
          'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
          'base64',
        ),
      });
      await again.page.locator('.look.dark image[href^="data:image/png"]').waitFor();
      t.is(await again.page.locator('.look[color="#c2410c"]').count(), 2);
      t.is(await again.page.locator('.look.light [data-look-name]').textContent(), 'Acme Aviation');
      t.is(await again.page.getByLabel('Choose a colour', { exact: true }).inputValue(), '#c2410c');
      t.deepEqual([...ada.complaints, ...ben.complaints, ...again.complaints], []);
    },
  );
}
