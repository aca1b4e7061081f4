import type { ExecutionContext } from 'ava';
import { inviteMember } from '../../flows/invitations.ts';
import { minutes } from '../../lib/clock.ts';
import { mailedCode, mails, textedCode, userId } from '../front-door/evidence.ts';
import { servicesOf, visitAs } from '../front-door/organization-rig.ts';
import { nextStep, password, secret } from '../front-door/rig.ts';
import { type World, world } from './person.ts';
import { type Keys, type Walk, walkThrough } from './walk.ts';

const words = 'seven otters juggle lanterns';

const doorOf = ({ person }: Keys) => person.world.door;

async function open({ person }: Keys, path: string): Promise<void> {
  await person.page.goto(new URL(path, person.world.issuer).href);
}

/** Nobody is signed in any more in this browser. */
async function out(keys: Keys, path = '/account'): Promise<void> {
  await keys.person.context.clearCookies();
  await open(keys, path);
}

async function first(keys: Keys, who = 'out', word = password): Promise<void> {
  await keys.fill('Email', `${who}@acme.test`);
  await keys.fill('Password', word);
  await keys.go('Sign in');
}

async function arrive(keys: Keys, who = 'out', path = '/account'): Promise<void> {
  await out(keys, path);
  await first(keys, who);
}

/** What an authenticator app shows now; each is used once. */
function code(keys: Keys, of = secret): string {
  nextStep(doorOf(keys));
  return doorOf(keys).code(0, of);
}

async function choose(keys: Keys, method: string): Promise<void> {
  const { page } = keys.person;
  await keys.to(await page.evaluate<string>(`document.querySelector('input[type=radio]:checked').value`));
  for (let n = 0; n < 6; n += 1) {
    if (await page.evaluate<boolean>(`document.activeElement.value === '${method}'`)) break;
    await keys.press('ArrowDown');
  }
  await keys.go('Continue');
}

async function typed(keys: Keys, name: string, wanted: string): Promise<void> {
  const value = await keys.person.page.getByLabel(name, { exact: true }).inputValue();
  if (value !== wanted) throw new Error(`${name} is "${value}", not "${wanted}"`);
}

const add = async (keys: Keys, method: string): Promise<void> => {
  // Of two mails of one moment nobody knows which is the newer one.
  doorOf(keys).clock.forward(1000);
  await keys.go('Add another way');
  await choose(keys, method);
};

const newestLink = async (keys: Keys, template: string, name = 'url'): Promise<string> =>
  String((await mails(doorOf(keys), template)).at(-1)?.values[name]);

/** A factor is closed, and no code is left: what a hundred wrong answers do. */
async function closeFactors(keys: Keys, who: string): Promise<void> {
  const { db, clock } = doorOf(keys);
  const id = await userId(doorOf(keys), who);
  await db.change('UPDATE factors SET disabled_at = ? WHERE user_id = ?', [clock.now().getTime(), id]);
}

/** In this order: what one does to the account the next one finds. */
const pages: Walk[] = [
  { name: 'two-factor is off', who: 'ben', path: '/account', shows: /Two-factor authentication Off/ },
  { name: 'no other session', who: 'ben', path: '/account/sessions', shows: /This session/ },
  { name: 'no applications', who: 'ben', path: '/account/applications', shows: /None at the moment/ },
  { name: 'two-factor is on', who: 'ada', path: '/account', shows: /No codes/ },
  {
    name: 'new recovery codes',
    who: 'ada',
    path: '/account',
    does: (keys) => keys.go('Regenerate recovery codes'),
    shows: /All codes that you have now stop working/,
  },
  {
    name: 'recovery codes that are to be saved',
    who: 'ada',
    path: '/account/recovery-codes/regenerate',
    does: (keys) => keys.go('Regenerate recovery codes'),
    shows: /I have saved these codes/,
  },
  {
    name: 'recovery codes are asked for',
    who: 'ada',
    path: '/account/recovery-codes',
    shows: /Whoever sees them can use them/,
  },
  {
    name: 'recovery codes once more',
    who: 'ada',
    path: '/account',
    does: (keys) => keys.go('Show recovery codes'),
    shows: /Each one works once/,
  },
  {
    name: 'one factor, renamed',
    who: 'ada',
    path: '/account',
    does: async (keys) => {
      await keys.go('Manage Authenticator app');
      await keys.fill('Name', 'My phone');
      await keys.go('Save');
      await keys.go('Manage My phone');
    },
    shows: /My phone Method Authenticator app/,
    always: true,
  },
  {
    name: 'a second way is chosen',
    who: 'ada',
    path: '/account',
    does: (keys) => keys.go('Add another way'),
    shows: /Set up two-factor authentication/,
  },
  {
    name: 'an authenticator app is set up, with a wrong code',
    who: 'ada',
    path: '/account',
    does: async (keys) => {
      await add(keys, 'totp');
      await keys.fill('Code', '000000');
      await keys.go('Confirm setup');
    },
    shows: /That code is not right/,
    isError: true,
  },
  {
    name: 'a mailed code is set up',
    who: 'ada',
    path: '/account',
    does: (keys) => add(keys, 'email'),
    shows: /sent a 6-digit code/,
  },
  {
    name: 'a number for text messages',
    who: 'ada',
    path: '/account',
    does: (keys) => add(keys, 'sms'),
    shows: /Set up two-factor authentication/,
  },
  {
    name: 'a passkey is set up',
    who: 'ada',
    path: '/account',
    does: async (keys) => {
      await keys.person.authenticator({ ready: false });
      await add(keys, 'passkey');
    },
    shows: /[Pp]asskey/,
  },
  {
    name: 'this browser becomes an approver',
    who: 'ada',
    path: '/account',
    does: (keys) => add(keys, 'device'),
    shows: /[Tt]his browser/,
  },
  {
    name: 'two factors, and which is asked for first',
    who: 'ada',
    path: '/account',
    does: async (keys) => {
      await add(keys, 'email');
      await keys.fill('Code', await mailedCode(doorOf(keys)));
      await keys.go('Confirm setup');
      await keys.go('Manage Email code');
      await keys.go('Ask for it first');
    },
    shows: /From now on it is asked for first/,
  },
  {
    name: 'one of two is to be removed',
    who: 'ada',
    path: '/account',
    does: async (keys) => {
      await keys.go('Manage Email code');
      await keys.go('Remove');
    },
    shows: /your other ways stay/,
  },
  {
    name: 'two-factor is to be disabled',
    who: 'ada',
    path: '/account',
    does: (keys) => keys.go('Disable'),
    shows: /From then on the password alone is enough/,
  },
  {
    name: 'another session, and a device that is remembered',
    who: 'ada',
    path: '/account/sessions',
    does: async (keys) => {
      await arrive(keys, 'ada', '/account/sessions');
      await keys.go('Try another way');
      // The rest of it says what it is.
      await keys.go('My');
      await keys.fill('Code', code(keys));
      await keys.to('1');
      await keys.press('Space');
      await keys.go('Verify');
    },
    shows: /End all other sessions/,
  },
  {
    name: 'a remembered device',
    who: 'ada',
    path: '/account',
    shows: /This device Forget this device Forget all devices/,
  },
  {
    name: 'other sessions are ended',
    who: 'ada',
    path: '/account/sessions',
    does: (keys) => keys.go('End all other sessions'),
    shows: /Everywhere else you are signed out/,
  },
  { name: 'history', who: 'ada', path: '/account/history', shows: /Signed in/ },
  {
    name: 'what was changed',
    who: 'ada',
    path: '/account/history',
    does: (keys) => keys.go('What was changed'),
    shows: /Recovery codes looked at/,
  },
  {
    name: 'an application with access',
    who: 'ada',
    path: '/account/applications',
    does: async (keys) => {
      await keys.person.start();
      await keys.person.arrives();
      await open(keys, '/account/applications');
    },
    shows: /Revoke access/,
  },
  { name: 'organizations', who: 'ada', path: '/account/organizations', shows: /Sign-ins last/ },
  {
    name: 'the profile, saved in another language',
    who: 'ben',
    path: '/account/profile',
    does: async (keys) => {
      await keys.fill('Name', 'Benjamin');
      await keys.to('Language');
      await keys.press('End');
      await keys.go('Save');
    },
    shows: /Ihre Änderungen sind gespeichert/,
  },
  {
    name: 'the profile, back in English',
    who: 'ben',
    path: '/account/profile',
    does: async (keys) => {
      await keys.to('Sprache');
      await keys.press('Home', 'ArrowDown');
      await keys.go('Speichern');
    },
    shows: /Your changes are saved/,
  },
  {
    name: 'an address that is one’s own already',
    who: 'ben',
    path: '/account/profile',
    does: async (keys) => {
      await keys.go('Change e-mail address');
      await keys.fill('New e-mail address', 'ben@acme.test');
      await keys.go('Send the link');
    },
    shows: /This is your address already/,
    isError: true,
  },
  {
    name: 'an address that was typed before a fresh proof is there after it',
    who: 'ben',
    path: '/account/email',
    does: async (keys) => {
      await keys.fill('New e-mail address', 'ben@new.test');
      doorOf(keys).clock.forward(minutes(11));
      await keys.go('Send the link');
      await keys.fill('Password', password);
      await keys.go('Sign in');
      await typed(keys, 'New e-mail address', 'ben@new.test');
    },
    shows: /Change e-mail address/,
  },
  {
    name: 'a link to a new address was sent',
    who: 'ben',
    path: '/account/email',
    does: async (keys) => {
      await keys.fill('New e-mail address', 'ben@new.test');
      await keys.go('Send the link');
    },
    shows: /A link is on its way to ben@new.test/,
  },
  {
    name: 'the link to a new address',
    who: 'ben',
    path: '/account/profile',
    does: async (keys) => open(keys, await newestLink(keys, 'confirm-email')),
    shows: /Is this your address/,
  },
  {
    name: 'a number without its country',
    who: 'ben',
    path: '/account/profile',
    does: async (keys) => {
      await keys.go('Add phone number');
      await keys.fill('Phone number', '0151');
      await keys.go('Send a code');
    },
    shows: /with \+ and the country code/,
    isError: true,
  },
  {
    name: 'a wrong code for a number',
    who: 'ben',
    path: '/account/phone',
    does: async (keys) => {
      await keys.fill('Phone number', '+49 151 12345678');
      await keys.go('Send a code');
      const wrong = (await textedCode(doorOf(keys))) === '000000' ? '111111' : '000000';
      await keys.fill('Code', wrong);
      await keys.go('Save this number');
    },
    shows: /That code is not right/,
    isError: true,
  },
  {
    name: 'a number that is to be removed',
    who: 'ben',
    path: '/account/phone',
    does: async (keys) => {
      doorOf(keys).clock.forward(minutes(5));
      await keys.fill('Phone number', '+49 151 12345678');
      await keys.go('Send a code');
      await keys.fill('Code', await textedCode(doorOf(keys)));
      await keys.go('Save this number');
      await keys.go('Remove Phone');
    },
    shows: /Applications do not see it any more/,
  },
  {
    name: 'a password that guessers try first',
    who: 'ben',
    path: '/account',
    does: async (keys) => {
      await keys.go('Change password');
      await keys.fill('New password', 'password123');
      await keys.go('Change password');
    },
    shows: /guessers try first/,
    isError: true,
  },
  {
    name: 'no approver yet',
    who: 'ada',
    path: '/account/approvals',
    shows: /Make this browser an approver/,
  },
  {
    name: 'whoever has no password',
    who: 'ben',
    path: '/account',
    does: async (keys) => {
      await doorOf(keys).db.change("UPDATE users SET password_hash = NULL WHERE email = 'ben@acme.test'");
      await open(keys, '/account');
      await keys.go('Set a password');
      await keys.fill('New password', words);
      await keys.go('Set the password');
    },
    shows: /Your password is set/,
  },
];

const ways: Walk[] = [
  {
    name: 'the sign-in',
    who: 'out',
    path: '/account',
    does: (keys) => out(keys),
    shows: /Forgotten your password/,
  },
  {
    name: 'a wrong password',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await out(keys);
      await first(keys, 'out', 'wrong');
    },
    shows: /not right/,
    isError: true,
    always: true,
  },
  {
    name: 'the second step',
    who: 'out',
    path: '/account',
    does: (keys) => arrive(keys),
    shows: /Enter the 6-digit code/,
  },
  {
    name: 'a wrong code',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await arrive(keys);
      await keys.fill('Code', '000000');
      await keys.go('Verify');
    },
    shows: /not right/,
    isError: true,
  },
  {
    name: 'help, asked for',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await arrive(keys);
      await keys.go('Lost your second step?');
      await keys.go('Ask them for help');
    },
    shows: /have a mail/,
  },
  {
    name: 'a wrong recovery code',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await arrive(keys);
      await keys.fill('Code', code(keys));
      await keys.go('Verify');
      await keys.go('Regenerate recovery codes');
      await keys.go('Regenerate recovery codes');
      const codes = await keys.person.page.locator('[data-recovery-codes] li').allTextContents();
      await keys.to('1');
      await keys.press('Space');
      await keys.go('Continue');
      recoveryCodes.push(...codes);
      await arrive(keys);
      await keys.go('Use a recovery code');
      await keys.fill('Recovery code', 'aaaa-bbbb-cccc-dddd');
      await keys.go('Verify');
    },
    shows: /not right/,
    isError: true,
  },
  {
    name: 'in by a recovery code',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await arrive(keys);
      await keys.go('Use a recovery code');
      await keys.fill('Recovery code', recoveryCodes.at(-1) ?? '');
      await keys.go('Verify');
    },
    shows: /[Cc]odes? (is|are) left|left/,
  },
  {
    name: 'in by a recovery code, and the password turns two-factor off',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await arrive(keys);
      await keys.go('Use a recovery code');
      await keys.fill('Recovery code', recoveryCodes.at(-2) ?? '');
      await keys.go('Verify');
      await keys.go('Continue');
      await keys.go('Disable');
      await keys.fill('Password', 'wrong');
      await keys.go('Disable');
    },
    shows: /not right/,
    isError: true,
  },
  {
    name: 'several ways',
    who: 'two',
    path: '/account',
    does: async (keys) => {
      await add(keys, 'email');
      await keys.fill('Code', await mailedCode(doorOf(keys)));
      await keys.go('Confirm setup');
      await arrive(keys, 'two');
      await keys.go('Try another way');
    },
    shows: /Email code/,
  },
  {
    name: 'a mailed code at the second step',
    who: 'two',
    path: '/account',
    does: async (keys) => {
      doorOf(keys).clock.forward(minutes(2));
      await arrive(keys, 'two');
      await keys.go('Try another way');
      await keys.go('Email');
    },
    shows: /that we sent/,
  },
  {
    name: 'a forgotten password',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await out(keys);
      await keys.go('Forgotten your password?');
      await keys.fill('Email', 'two@acme.test');
      await keys.go('Send the link');
    },
    shows: /If there is an account with this address/,
  },
  {
    name: 'a new password by the link',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await open(keys, await newestLink(keys, 'password-reset'));
      await keys.fill('New password', 'aaaaaaaaaaaa');
      await keys.go('Save the password');
    },
    shows: /again and again/,
    isError: true,
  },
  {
    name: 'this was not me',
    who: 'out',
    path: '/account',
    does: async (keys) => open(keys, await newestLink(keys, 'account-changed', 'notMeUrl')),
    shows: /Everybody who is signed in to your account is signed out/,
  },
  {
    name: 'a link that is over',
    who: 'out',
    path: '/account',
    does: (keys) => open(keys, '/reset-password/over'),
    shows: /This link does not work any more/,
  },
  {
    name: 'an account of one’s own',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await keys.person.world.door.apply({ instance: { registration: 'open' } });
      await out(keys);
      await keys.go('Create an account');
      await keys.fill('Email', 'nora@new.test');
      await keys.go('Send the link');
    },
    shows: /on its way|sent/,
  },
  {
    name: 'an account of one’s own, with a weak password',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      await open(keys, await newestLink(keys, 'register'));
      await keys.fill('New password', 'password123');
      await keys.go('Create account');
    },
    shows: /guessers try first/,
    isError: true,
  },
  {
    name: 'an invitation of somebody new',
    who: 'out',
    path: '/account',
    does: async (keys) => {
      const services = servicesOf(doorOf(keys));
      const visit = await visitAs(doorOf(keys), 'owner');
      await inviteMember(services, visit, {
        email: 'ivy@new.test',
        name: 'Ivy',
        role: 'member',
        again: false,
      });
      await out(keys, await newestLink(keys, 'invitation'));
    },
    shows: /Create account/,
  },
  {
    name: 'a set-up that is asked for at the sign-in',
    who: 'new',
    path: '/account',
    does: async (keys) => {
      await doorOf(keys).apply({
        organizations: [
          {
            slug: 'acme',
            policy: { requirement: 'required_for_all', graceDays: 7, methods: ['totp', 'passkey', 'email'] },
          },
        ],
      });
      await arrive(keys, 'new');
    },
    shows: /Skip for now/,
  },
  {
    name: 'an authenticator app is set up at the sign-in',
    who: 'new',
    path: '/account',
    does: async (keys) => {
      await arrive(keys, 'new');
      await choose(keys, 'totp');
    },
    shows: /Confirm setup/,
  },
  {
    name: 'a sign-out that an application asks for',
    who: 'two',
    path: '/account',
    does: (keys) => open(keys, '/session/end'),
    shows: /Sign out|signed out/,
  },
  {
    name: 'a factor that is closed',
    who: 'shut',
    path: '/account',
    does: async (keys) => {
      await closeFactors(keys, 'shut');
      await arrive(keys, 'shut');
    },
    shows: /yours is closed/,
  },
  {
    name: 'a code of a device',
    who: 'new',
    path: '/account',
    does: (keys) => open(keys, '/device'),
    shows: /code/,
  },
  {
    name: 'signed out',
    who: 'ada',
    path: '/account',
    does: (keys) => keys.go('Sign out'),
    shows: /You are signed out/,
  },
];

const recoveryCodes: string[] = [];

walkThrough(
  'every page of an account and every way in and out, empty, full and wrong, by keyboard alone: no finding of axe, every control reached and seen, nothing wider than 320 pixels (T013, T080)',
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
        ben: {},
        out: { totp: secret },
        two: { totp: secret },
        new: {},
        shut: { totp: secret },
      } as never,
    ),
  [...pages, ...ways],
);
