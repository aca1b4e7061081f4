import type { ExecutionContext } from 'ava';
import { inviteMember } from '../../flows/invitations.ts';
import { minutes } from '../../lib/clock.ts';
import { mailedCode, mails, textedCode } from '../front-door/evidence.ts';
import { servicesOf, visitAs } from '../front-door/organization-rig.ts';
import { nextStep, password, secret } from '../front-door/rig.ts';
import { type World, world } from './person.ts';
import { type Keys, type Walk, walkThrough } from './walk.ts';

const words = 'seven otters juggle lanterns';

const doorOf = ({ person }: Keys) => person.world.door;
const open = ({ person }: Keys, path: string) =>
  person.page.goto(new URL(path, person.world.issuer).href).then(() => undefined);

/** What an authenticator app shows now; each is used once. */
function code(keys: Keys, of = secret): string {
  nextStep(doorOf(keys));
  return doorOf(keys).code(0, of);
}

/** Nobody is signed in any more in this browser. */
async function out(keys: Keys, path = '/account'): Promise<void> {
  await keys.person.context.clearCookies();
  await open(keys, path);
}

async function first(keys: Keys, email: string, word = password): Promise<void> {
  await keys.fill('E-Mail-Adresse', email);
  await keys.fill('Passwort', word);
  await keys.go('Anmelden');
}

async function second(keys: Keys, of = secret): Promise<void> {
  await keys.fill('Code', code(keys, of));
  await keys.go('Bestätigen');
}

async function choose(keys: Keys, method: string): Promise<void> {
  const { page } = keys.person;
  await keys.to(await page.evaluate<string>(`document.querySelector('input[type=radio]:checked').value`));
  for (let n = 0; n < 6; n += 1) {
    if (await page.evaluate<boolean>(`document.activeElement.value === '${method}'`)) break;
    await keys.press('ArrowDown');
  }
  await keys.go('Weiter');
}

/** An authenticator app with the secret that the page shows. */
async function setUpApp(keys: Keys): Promise<void> {
  await choose(keys, 'totp');
  const shown = (await keys.person.page.locator('[data-totp-secret]').textContent()) ?? '';
  nextStep(doorOf(keys));
  await keys.fill('Code', doorOf(keys).code(0, shown.replaceAll(' ', '')));
  await keys.go('Einrichtung bestätigen');
}

async function saved(keys: Keys): Promise<void> {
  recoveryCodes.push(...(await keys.person.page.locator('[data-recovery-codes] li').allTextContents()));
  await keys.to('1');
  await keys.press('Space');
  await keys.go('Weiter');
}

async function typed(keys: Keys, name: string, wanted: string): Promise<void> {
  const value = await keys.person.page.getByLabel(name, { exact: true }).inputValue();
  if (value !== wanted) throw new Error(`${name} is "${value}", not "${wanted}"`);
}

const newestLink = async (keys: Keys, template: string, name = 'url'): Promise<string> =>
  String((await mails(doorOf(keys), template)).at(-1)?.values[name]);

async function invited(keys: Keys, email: string): Promise<string> {
  const visit = await visitAs(doorOf(keys), 'owner');
  await inviteMember(servicesOf(doorOf(keys)), visit, { email, name: 'Ivy', role: 'member', again: false });
  return newestLink(keys, 'invitation');
}

const recoveryCodes: string[] = [];

/** In this order: what one does to the account the next one finds. */
const walks: Walk[] = [
  {
    name: 'de-01 a fresh proof is asked for in the middle of a change',
    who: 'ada',
    path: '/account/email',
    does: async (keys) => {
      await keys.fill('Neue E-Mail-Adresse', 'ada@new.test');
      doorOf(keys).clock.forward(minutes(11));
      await keys.go('Link senden');
    },
    shows: /Melden Sie sich noch einmal an, um fortzufahren/,
    always: true,
  },
  {
    name: 'de-02 what was typed before the fresh proof is there after it',
    who: 'ada',
    path: null,
    does: async (keys) => {
      await keys.fill('Passwort', password);
      await keys.go('Anmelden');
      await second(keys);
      await typed(keys, 'Neue E-Mail-Adresse', 'ada@new.test');
    },
    shows: /E-Mail-Adresse ändern.*Zurzeit ist es ada@acme\.test/,
    always: true,
  },
  {
    name: 'de-03 a link to the new address was sent',
    who: 'ada',
    path: null,
    does: async (keys) => keys.go('Link senden'),
    shows: /Ein Link an ada@new\.test ist unterwegs/,
  },
  {
    name: 'de-04 the link to the new address',
    who: 'ada',
    path: null,
    does: async (keys) => open(keys, await newestLink(keys, 'confirm-email')),
    shows: /Ist das Ihre Adresse\?/,
  },
  {
    name: 'de-05 the new address holds',
    who: 'ada',
    path: null,
    does: (keys) => keys.go('Ja, diese Adresse benutzen'),
    shows: /Ihre Adresse ist bestätigt/,
  },
  {
    name: 'de-06 a phone number is added',
    who: 'ada',
    path: '/account/profile',
    does: async (keys) => {
      await keys.go('Telefonnummer hinzufügen');
      await keys.fill('Telefonnummer', '+49 151 12345678');
      await keys.go('Code senden');
    },
    shows: /6-stelligen Code an .* gesendet/,
  },
  {
    name: 'de-07 the phone number is saved',
    who: 'ada',
    path: null,
    does: async (keys) => {
      await keys.fill('Code', await textedCode(doorOf(keys)));
      await keys.go('Diese Nummer speichern');
    },
    shows: /Ihre Telefonnummer ist gespeichert/,
  },
  {
    name: 'de-08 the phone number is changed',
    who: 'ada',
    path: '/account/profile',
    does: async (keys) => {
      doorOf(keys).clock.forward(minutes(2));
      await keys.go('Telefonnummer ändern');
      await keys.fill('Telefonnummer', '0171');
      await keys.go('Code senden');
    },
    shows: /Ländervorwahl/,
    isError: true,
  },
  {
    name: 'de-09 the other number is saved',
    who: 'ada',
    path: null,
    does: async (keys) => {
      await keys.fill('Telefonnummer', '+49 171 12345678');
      await keys.go('Code senden');
      await keys.fill('Code', await textedCode(doorOf(keys)));
      await keys.go('Diese Nummer speichern');
    },
    shows: /Ihre Telefonnummer ist gespeichert/,
  },
  {
    name: 'de-10 this browser is to become an approver',
    who: 'ada',
    path: '/account',
    does: async (keys) => {
      await keys.go('Weiteren Weg hinzufügen');
      await choose(keys, 'device');
    },
    shows: /Dieser Browser erhält einen Schlüssel/,
  },
  {
    name: 'de-11 this browser is an approver',
    who: 'ada',
    path: null,
    does: (keys) => keys.go('Einrichtung bestätigen'),
    shows: /Der neue Weg ist eingerichtet.*Chrome unter Linux/,
  },
  {
    name: 'de-12 the approver, with its name',
    who: 'ada',
    path: null,
    does: async (keys) => {
      await keys.go('Verwalten Chrome unter Linux');
      await typed(keys, 'Name', 'Chrome unter Linux');
      await keys.go('Speichern');
    },
    shows: /Der Name ist gespeichert.*Chrome unter Linux/,
  },
  {
    name: 'de-13 the approver is to be removed',
    who: 'ada',
    path: null,
    does: async (keys) => {
      await keys.go('Verwalten Chrome unter Linux');
      await keys.go('Entfernen');
    },
    shows: /„Chrome unter Linux“ entfernen\?/,
  },
  {
    name: 'de-14 the approver is removed',
    who: 'ada',
    path: null,
    does: (keys) => keys.go('Entfernen'),
    shows: /„Chrome unter Linux“ wurde entfernt/,
  },
  {
    name: 'de-15 an account of one’s own is asked for',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await doorOf(keys).apply({ instance: { registration: 'open' } });
      await out(keys);
      await keys.go('Konto anlegen');
      await keys.fill('E-Mail-Adresse', 'nora@new.test');
      await keys.go('Link senden');
    },
    shows: /Eine E-Mail ist unterwegs/,
  },
  {
    name: 'de-16 the link of the registration, and a password that guessers try first',
    who: 'out',
    path: null,
    does: async (keys) => {
      await open(keys, await newestLink(keys, 'register'));
      await keys.fill('Neues Passwort', 'password123');
      await keys.go('Konto anlegen');
    },
    shows: /steht auf Listen, die zuerst durchprobiert werden/,
    isError: true,
  },
  {
    name: 'de-17 the account is there',
    who: 'out',
    path: null,
    does: async (keys) => {
      await keys.fill('Neues Passwort', words);
      await keys.go('Konto anlegen');
    },
    shows: /Ihr Konto ist bereit/,
  },
  {
    name: 'de-18 the new account, signed in',
    who: 'out',
    path: null,
    does: async (keys) => {
      await keys.go('Anmelden');
      await first(keys, 'nora@new.test', words);
    },
    shows: /Zwei-Faktor-Authentifizierung Aus/,
  },
  {
    name: 'de-19 an invitation of somebody new',
    who: 'out',
    path: null,
    does: async (keys) => out(keys, await invited(keys, 'ivy@new.test')),
    shows: /Acme Aviation beitreten.*Wählen Sie ein Passwort für ivy@new\.test/,
  },
  {
    name: 'de-20 the invitation is accepted',
    who: 'out',
    path: null,
    does: async (keys) => {
      await keys.fill('Neues Passwort', words);
      await keys.go('Konto anlegen');
    },
    shows: /Ihr Konto ist bereit/,
  },
  {
    name: 'de-21 an invitation of somebody who has an account',
    who: 'out',
    path: null,
    does: async (keys) => out(keys, await invited(keys, 'nora@new.test')),
    shows: /Sie haben mit nora@new\.test schon ein Konto/,
  },
  {
    name: 'de-22 after signing in, whether to join',
    who: 'out',
    path: null,
    does: async (keys) => {
      await keys.go('Anmelden und beitreten');
      await first(keys, 'nora@new.test', words);
    },
    shows: /Acme Aviation beitreten\?.*Eigentümer und Administratoren der Organisation/,
  },
  {
    name: 'de-23 joined',
    who: 'out',
    path: null,
    does: (keys) => keys.go('Beitreten'),
    shows: /Sie gehören jetzt zu Acme Aviation/,
  },
  {
    name: 'de-24 the second step is lost',
    who: 'lost',
    path: '/account',
    does: async (keys) => {
      await out(keys);
      await first(keys, 'lost@acme.test');
      await keys.go('Zweiten Schritt verloren?');
    },
    shows: /kann Ihren zweiten Schritt zurücksetzen/,
  },
  {
    name: 'de-25 help is asked for',
    who: 'lost',
    path: null,
    does: (keys) => keys.go('Um Hilfe bitten'),
    shows: /setzen dann Ihren zweiten Schritt zurück/,
  },
  {
    name: 'de-26 an owner reads of it, and where from',
    who: 'owner',
    path: '/account',
    does: async (keys) => open(keys, await newestLink(keys, 'help-asked')),
    shows: /Bittet um Hilfe bei der Anmeldung.*Chrome unter Linux/,
  },
  {
    name: 'de-27 an owner is to say how',
    who: 'owner',
    path: null,
    does: async (keys) => {
      await keys.go('2FA zurücksetzen');
    },
    shows: /Wie haben Sie geprüft, wer fragt\?/,
  },
  {
    name: 'de-28 an owner has reset it',
    who: 'owner',
    path: null,
    does: async (keys) => {
      await keys.to('now');
      await keys.press('Space');
      await keys.to('Wie haben Sie geprüft, wer fragt?');
      await keys.type('Persönlich');
      await keys.fill('Grund', 'Telefon verloren');
      await keys.go('2FA zurücksetzen');
    },
    shows: /Der zweite Faktor wurde zurückgesetzt/,
  },
  {
    name: 'de-29 whoever was reset proves the mailbox',
    who: 'lost',
    path: '/account',
    does: async (keys) => {
      await out(keys);
      await first(keys, 'lost@acme.test');
    },
    shows: /zeigen Sie, dass dieses Postfach Ihnen gehört/,
  },
  {
    name: 'de-30 and is to set up again',
    who: 'lost',
    path: null,
    does: async (keys) => {
      await keys.fill('Code', await mailedCode(doorOf(keys)));
      await keys.go('Bestätigen');
    },
    shows: /Ihre Zwei-Faktor-Authentifizierung wurde zurückgesetzt\. Richten Sie sie neu ein/,
  },
  {
    name: 'de-31 recovery codes are to be saved',
    who: 'lost',
    path: null,
    does: setUpApp,
    shows: /Ich habe diese Codes gespeichert/,
  },
  {
    name: 'de-32 the account after it',
    who: 'lost',
    path: null,
    does: saved,
    shows: /Zwei-Faktor-Authentifizierung Ein/,
  },
  {
    name: 'de-33 in by a recovery code',
    who: 'lost',
    path: null,
    does: async (keys) => {
      doorOf(keys).clock.forward(minutes(5));
      await out(keys);
      await first(keys, 'lost@acme.test');
      await keys.go('Wiederherstellungscode verwenden');
      await keys.fill('Wiederherstellungscode', recoveryCodes.at(-1) ?? '');
      await keys.go('Bestätigen');
    },
    shows: /Sie haben einen Wiederherstellungscode benutzt.*Noch 8 Codes.*Dieser neue Code/,
  },
  {
    name: 'de-34 set up anew',
    who: 'lost',
    path: null,
    does: (keys) => keys.go('Neu einrichten'),
    shows: /Es ersetzt, was Sie von derselben Art hatten.*Nicht jetzt English/,
  },
  {
    name: 'de-35 set up anew, and done',
    who: 'lost',
    path: null,
    does: setUpApp,
    shows: /Authenticator-App/,
  },
];

walkThrough(
  'in German: a change in the middle of which a fresh proof is asked for, ways in, an approver, and a lost factor until it is set up again, by keyboard alone and at 320 pixels (T013, T080)',
  (t: ExecutionContext): Promise<World> =>
    world(
      t,
      {
        requirement: 'optional',
        methods: ['totp', 'passkey', 'email', 'sms', 'device'],
        rememberDeviceDays: 30,
      },
      {
        owner: { role: 'owner', totp: secret },
        ada: { totp: secret },
        out: {},
        lost: { totp: secret },
      } as never,
    ),
  walks,
  'de',
);
