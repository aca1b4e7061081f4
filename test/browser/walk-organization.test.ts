import { chainAuditEvents } from '../../flows/chain-audit-events.ts';
import { changeBranding } from '../../flows/change-branding.ts';
import { changeOrganizationPolicy } from '../../flows/change-organization-policy.ts';
import { inviteMember } from '../../flows/invitations.ts';
import { remindNow } from '../../flows/notify-members.ts';
import { policyVersion } from '../../flows/preview-policy.ts';
import { mailedCode } from '../front-door/evidence.ts';
import { servicesOf, visitAs } from '../front-door/organization-rig.ts';
import { application, nextDay, passwordHash, secret } from '../front-door/rig.ts';
import { world } from './person.ts';
import { type Keys, type Walk, walkThrough } from './walk.ts';

const crowd = Object.fromEntries(
  Array.from({ length: 55 }, (_, n) => [
    `m${String(n).padStart(2, '0')}`,
    n % 3 === 0 ? { totp: secret } : {},
  ]),
);
const people = {
  ada: { role: 'owner', totp: secret },
  chiara: { role: 'admin' },
  ben: { extra: { locale: 'de' } },
  dai: { totp: secret },
  gus: { extra: { disabled: true } },
  ...crowd,
};
const owner = (name: string, more: object) => ({
  email: `${name}@acme.test`,
  name,
  passwordHash,
  emailVerified: true,
  memberships: [{ organization: 'birch', role: 'owner' }],
  ...more,
});
const more = {
  organizations: [{ slug: 'birch', name: 'Birch', policy: { requirement: 'optional', methods: ['totp'] } }],
  users: [owner('hal', { factors: { totp: secret } }), owner('ines', {})],
  applications: [
    application('crew', {
      name: 'Crew portal',
      organization: 'acme',
      redirect_uris: ['https://crew.acme.example/callback'],
    }),
  ],
  providers: [
    {
      slug: 'keycloak',
      name: 'Keycloak of Acme',
      organization: 'acme',
      issuer: 'https://sso.acme.example/realms/acme',
      clientId: 'sallyport',
      clientSecret: 'x',
      domains: ['acme.example'],
      trusted: { acr: [], amr: ['otp'] },
    },
  ],
};

const [acme, birch] = ['/organizations/acme', '/organizations/birch'];
const member = (name: string) => `${acme}/members?search=${name}`;
const toMember = (name: string, then?: (keys: Keys) => Promise<void>) => async (keys: Keys) => {
  await keys.go(name);
  await then?.(keys);
};
/** The radio button that is `n` below the one that is chosen. */
const lower = async (keys: Keys, chosen: string, n: number) => {
  await keys.to(chosen);
  await keys.press(...Array.from({ length: n }, () => 'ArrowDown'));
};

const walks: Walk[] = [
  { name: 'overview, empty', who: 'hal', path: birch, shows: /Nobody is overdue/ },
  { name: 'overview, full', who: 'ada', path: acme, shows: /Overdue people.*All \d+ people/, always: true },

  { name: 'policy, empty', who: 'hal', path: `${birch}/two-factor`, shows: /How it stands/ },
  { name: 'policy, full', who: 'ada', path: `${acme}/two-factor`, shows: /Crew portal/, always: true },
  {
    name: 'policy, preview',
    who: 'ada',
    path: `${acme}/two-factor`,
    does: async (keys) => {
      await keys.to('Grace period');
      await keys.type('30');
      await keys.go('Preview');
    },
    shows: /What this changes.*Must act/,
  },
  {
    name: 'policy, asked whether to save',
    who: 'ada',
    path: `${acme}/two-factor`,
    does: async (keys) => {
      await keys.to('Grace period');
      await keys.type('30');
      await keys.go('Save and notify');
    },
    shows: /This is what it changes/,
  },
  {
    name: 'policy, saved',
    who: 'ada',
    path: `${acme}/two-factor`,
    does: async (keys) => {
      await keys.to('Remember this device');
      await keys.type('For 7');
      await keys.go('Save and notify');
      await keys.go('Save and notify');
    },
    shows: /The policy is saved/,
  },
  {
    name: 'policy, a number that cannot be',
    who: 'ada',
    path: `${acme}/two-factor`,
    does: async (keys) => {
      await keys.to('Grace period');
      await keys.type('Another');
      await keys.fill('Days, where another number', '91');
      await keys.go('Save and notify');
    },
    shows: /Nothing was saved/,
    isError: true,
    always: true,
  },
  {
    name: 'policy, owners who lack a factor',
    who: 'hal',
    path: `${birch}/two-factor`,
    does: async (keys) => {
      await lower(keys, 'optional', 3);
      await keys.go('Save and notify');
    },
    shows: /These lack one: ines/,
    isError: true,
  },
  {
    name: 'policy, a code by mail is asked for',
    who: 'ines',
    path: `${birch}/two-factor`,
    does: async (keys) => {
      await lower(keys, 'optional', 1);
      await keys.go('Save and notify');
      await keys.go('Save and notify');
    },
    shows: /enter the 6-digit code that we sent to ines@acme\.test/,
  },
  {
    name: 'policy, the code is wrong',
    who: 'ines',
    path: `${birch}/two-factor`,
    does: async (keys) => {
      await lower(keys, 'optional', 1);
      await keys.go('Save and notify');
      await keys.go('Save and notify');
      await keys.type('000000');
      await keys.go('Save and notify');
    },
    shows: /That code is not right/,
    isError: true,
  },
  {
    name: 'policy, the code is right',
    who: 'ines',
    path: `${birch}/two-factor`,
    does: async (keys) => {
      // The newest of several codes is the one that is sent now.
      keys.person.world.door.clock.forward(1000);
      await keys.to('Remember this device');
      await keys.type('For 14');
      await keys.go('Save and notify');
      await keys.go('Save and notify');
      await keys.type(await mailedCode(keys.person.world.door));
      await keys.go('Save and notify');
    },
    shows: /The policy is saved/,
  },
  {
    name: 'policy, changed by somebody else meanwhile',
    who: 'hal',
    path: `${birch}/two-factor`,
    does: async (keys) => {
      await keys.to('Remember this device');
      await keys.type('Never');
      await keys.go('Save and notify');
      const { door } = keys.person.world;
      const there = await visitAs(door, 'ines', 'birch');
      await changeOrganizationPolicy(servicesOf(door), there, {
        change: { ...there.policy, graceDays: 9 },
        expectedVersion: policyVersion(there.organization.policy),
        notify: false,
        confirmedBy: 'factor',
      });
      await keys.go('Save and notify');
    },
    shows: /Somebody else has changed this policy/,
    isError: true,
  },
  { name: 'mails, none', who: 'hal', path: `${birch}/two-factor/mails`, shows: /No mail about the policy/ },
  { name: 'mails, full', who: 'ada', path: `${acme}/two-factor/mails`, shows: /Remind all.*ben@acme/ },

  {
    name: 'mails, what did not arrive',
    who: 'ada',
    path: `${acme}/two-factor/mails?state=failed`,
    shows: /Everything has arrived/,
  },

  { name: 'members, one page', who: 'hal', path: `${birch}/members`, shows: /Members 2/ },
  { name: 'members, full', who: 'ada', path: `${acme}/members`, shows: /Next page/, always: true },
  {
    name: 'members, filtered by keyboard',
    who: 'ada',
    path: `${acme}/members`,
    does: async (keys) => {
      await keys.to('Filter and order');
      await keys.press('Enter');
      await keys.to('Role');
      await keys.type('Adm');
      await keys.to('State');
      await keys.type('Over');
      await keys.go('Show');
    },
    shows: /Members 1 of 60.*chiara@acme/,
  },
  {
    name: 'members, the next page',
    who: 'ada',
    path: `${acme}/members`,
    does: (keys) => keys.go('Next page'),
    shows: /First page/,
  },
  { name: 'members, nobody fits', who: 'ada', path: `${acme}/members?search=nobody`, shows: /Nobody fits/ },
  {
    name: 'a member, overdue',
    who: 'ada',
    path: member('ben'),
    does: toMember('ben'),
    shows: /Overdue.*Nothing is set up/,
  },
  {
    name: 'a member with a factor',
    who: 'ada',
    path: member('dai'),
    does: toMember('dai'),
    shows: /Reset 2FA.*Change role/,
  },
  {
    name: 'oneself',
    who: 'ada',
    path: member('ada'),
    does: async (keys) => {
      await keys.to('ada');
      await keys.go('ada');
    },
    shows: /This is you/,
  },
  {
    name: 'a role, changed',
    who: 'ada',
    path: member('ben'),
    does: toMember('ben', async (keys) => {
      await keys.to('Role');
      await keys.type('Adm');
      await keys.go('Change role');
    }),
    shows: /The role is changed/,
  },
  {
    name: 'reset',
    who: 'ada',
    path: member('dai'),
    does: toMember('dai', (keys) => keys.go('Reset 2FA')),
    shows: /How did you make sure/,
  },
  {
    name: 'reset, without a real reason',
    who: 'ada',
    path: member('dai'),
    does: toMember('dai', async (keys) => {
      await keys.go('Reset 2FA');
      await keys.to('now');
      await keys.press('Space');
      await keys.to('How did you make sure who is asking?');
      await keys.type('In p');
      await keys.fill('Reason', 'x');
      await keys.go('Reset 2FA');
    }),
    shows: /Give a reason of 3 to 500/,
    isError: true,
  },
  {
    name: 'reset by mail, done',
    who: 'ada',
    path: member('m03'),
    does: toMember('m03', async (keys) => {
      await keys.go('Reset 2FA');
      await keys.to('now');
      await keys.press('ArrowDown');
      await keys.to('How did you make sure who is asking?');
      await keys.type('In p');
      await keys.fill('Reason', 'lost the phone');
      await keys.go('Reset 2FA');
    }),
    shows: /A mail with a link is on its way/,
  },
  {
    name: 'reset now, done',
    who: 'ada',
    path: member('m06'),
    does: toMember('m06', async (keys) => {
      await keys.go('Reset 2FA');
      await keys.to('now');
      await keys.press('Space');
      await keys.to('How did you make sure who is asking?');
      await keys.type('In p');
      await keys.fill('Reason', 'the phone was stolen');
      await keys.go('Reset 2FA');
    }),
    shows: /The second factor was reset/,
  },
  {
    name: 'removing a member, asked once more',
    who: 'ada',
    path: member('m10'),
    does: toMember('m10', (keys) => keys.go('Remove')),
    shows: /Remove m10\?/,
  },
  {
    name: 'a member, removed',
    who: 'ada',
    path: member('m10'),
    does: toMember('m10', async (keys) => {
      await keys.go('Remove');
      await keys.go('Remove');
    }),
    shows: /The person was removed/,
  },

  { name: 'invite, empty', who: 'hal', path: `${birch}/members-invite`, shows: /No invitation is open/ },
  {
    name: 'invite, full',
    who: 'ada',
    path: `${acme}/members-invite`,
    shows: /eva@elsewhere\.example/,
  },
  {
    name: 'invite, a member already',
    who: 'ada',
    path: `${acme}/members-invite`,
    does: async (keys) => {
      await keys.fill('Email', 'dai@acme.test');
      await keys.go('Send invitation');
    },
    shows: /is a member already/,
    isError: true,
  },
  {
    name: 'invite, sent',
    who: 'ada',
    path: `${acme}/members-invite`,
    does: async (keys) => {
      await keys.fill('Email', 'fay@elsewhere.example');
      await keys.to('Role');
      await keys.type('Adm');
      await keys.go('Send invitation');
    },
    shows: /The invitation is on its way/,
  },
  {
    name: 'invite, again',
    who: 'ada',
    path: `${acme}/members-invite`,
    does: async (keys) => {
      await keys.fill('Email', 'eva@elsewhere.example');
      await keys.go('Send invitation');
    },
    shows: /Send it again/,
    isError: true,
  },
  {
    name: 'invite, taken back',
    who: 'ada',
    path: `${acme}/members-invite`,
    does: (keys) => keys.go('Take back'),
    shows: /The invitation was taken back/,
  },
  {
    name: 'import, what it would do',
    who: 'ada',
    path: `${acme}/members-invite`,
    does: async (keys) => {
      await keys.to('Or paste it here');
      await keys.type(
        'email,name,role\ngil@elsewhere.example,Gil,member\nnobody,Nobody,member\ndai@acme.test,Dai,admin',
      );
      await keys.go('Check the list');
    },
    shows: /Invite 1 person/,
  },
  {
    name: 'import, done',
    who: 'ada',
    path: `${acme}/members-invite`,
    does: async (keys) => {
      await keys.to('Or paste it here');
      await keys.type('gil@elsewhere.example');
      await keys.go('Check the list');
      await keys.go('Invite 1 person');
    },
    shows: /1 person was invited/,
  },
  {
    name: 'import, nothing in it',
    who: 'ada',
    path: `${acme}/members-invite`,
    does: (keys) => keys.go('Check the list'),
    shows: /there is nothing in it yet/,
    isError: true,
  },

  { name: 'passkeys, none', who: 'hal', path: `${birch}/passkeys`, shows: /Nobody has set up a passkey/ },
  { name: 'passkeys, on', who: 'ada', path: `${acme}/passkeys`, shows: /Turn passkeys off/ },
  {
    name: 'passkeys, switched off',
    who: 'ada',
    path: `${acme}/passkeys`,
    does: (keys) => keys.go('Turn passkeys off'),
    shows: /Turn passkeys on/,
  },

  {
    name: 'applications, none of their own',
    who: 'hal',
    path: `${birch}/applications`,
    shows: /of the instance/,
  },
  { name: 'applications, full', who: 'ada', path: `${acme}/applications`, shows: /Crew portal/ },
  {
    name: 'an application',
    who: 'ada',
    path: `${acme}/applications/crew`,
    shows: /Settings to copy.*Make a new secret/,
  },
  {
    name: 'an application, changed',
    who: 'ada',
    path: `${acme}/applications/crew`,
    does: async (keys) => {
      await lower(keys, 'none', 1);
      await keys.go('Save');
    },
    shows: /The application is saved/,
  },
  {
    name: 'an application, an address that cannot be',
    who: 'ada',
    path: `${acme}/applications/crew`,
    does: async (keys) => {
      await keys.fill('Redirect addresses', 'callback');
      await keys.go('Save');
    },
    shows: /must be an absolute address/,
    isError: true,
  },
  {
    name: 'an application, registered',
    who: 'ada',
    path: `${acme}/applications-new`,
    does: async (keys) => {
      await keys.fill('Name', 'Roster');
      await keys.fill('Redirect addresses', 'https://roster.example/cb');
      await keys.go('Save');
    },
    shows: /The client secret/,
    always: true,
  },
  {
    name: 'an application, without an address',
    who: 'ada',
    path: `${acme}/applications-new`,
    does: async (keys) => {
      await keys.fill('Name', 'Roster');
      await keys.go('Save');
    },
    shows: /An address is missing/,
    isError: true,
  },
  {
    name: 'a new secret, asked once more',
    who: 'ada',
    path: `${acme}/applications/crew`,
    does: (keys) => keys.go('Make a new secret'),
    shows: /A new secret for Crew portal\?/,
  },
  {
    name: 'a new secret, shown',
    who: 'ada',
    path: `${acme}/applications/crew/secret`,
    does: (keys) => keys.go('Make a new secret'),
    shows: /Copy it now/,
  },
  {
    name: 'an application, asked whether to remove it',
    who: 'ada',
    path: `${acme}/applications/crew`,
    does: (keys) => keys.go('Remove'),
    shows: /Remove Crew portal\?/,
  },

  { name: 'API access, none', who: 'hal', path: `${birch}/api-access`, shows: /No program has access yet/ },
  {
    name: 'API access, given',
    who: 'ada',
    path: `${acme}/api-access-new`,
    does: async (keys) => {
      await keys.fill('Name', 'SIEM');
      await keys.to('audit:read');
      await keys.press('Space');
      await keys.go('Save');
    },
    shows: /The client secret.*How to use it/,
  },
  { name: 'API access, full', who: 'ada', path: `${acme}/api-access`, shows: /SIEM.*audit:read/ },
  {
    name: 'API access, for nothing',
    who: 'ada',
    path: `${acme}/api-access-new`,
    does: async (keys) => {
      await keys.fill('Name', 'SIEM');
      await keys.go('Save');
    },
    shows: /Choose at least one/,
    isError: true,
  },
  {
    name: 'a test sign-in, to its end',
    who: 'ada',
    path: `${acme}/applications/crew`,
    does: async (keys) => {
      await keys.go('Test sign-in');
    },
    shows: /Sign in.*Crew portal/,
  },

  { name: 'providers, none', who: 'hal', path: `${birch}/providers`, shows: /None yet/ },
  { name: 'providers, full', who: 'ada', path: `${acme}/providers`, shows: /Keycloak of Acme/ },
  {
    name: 'a provider',
    who: 'ada',
    path: `${acme}/providers/keycloak`,
    shows: /Register with the provider.*Proved:/,
  },
  {
    name: 'a provider, an issuer that cannot be',
    who: 'ada',
    path: `${acme}/providers/keycloak`,
    does: async (keys) => {
      await keys.fill('Issuer', 'keycloak');
      await keys.go('Save');
    },
    shows: /Enter the issuer as the provider writes it/,
    isError: true,
  },
  { name: 'a new provider', who: 'ada', path: `${acme}/providers-new`, shows: /Add a provider/ },
  {
    name: 'a provider, asked whether to remove it',
    who: 'ada',
    path: `${acme}/providers/keycloak`,
    does: (keys) => keys.go('Remove'),
    shows: /Remove Keycloak of Acme\?/,
  },

  { name: 'audit log, full', who: 'ada', path: `${acme}/audit`, shows: /Signed in/ },
  {
    name: 'audit log, filtered by keyboard',
    who: 'ada',
    path: `${acme}/audit`,
    does: async (keys) => {
      await keys.fill('Person', 'ada@acme.test');
      await keys.to('More filters');
      await keys.press('Enter');
      await keys.to('From');
      await keys.type('01012020');
      await keys.go('Show');
    },
    shows: /Show all/,
  },
  {
    name: 'audit log, nothing fits',
    who: 'hal',
    path: `${birch}/audit?person=nobody@acme.test`,
    shows: /Nothing fits/,
  },
  {
    name: 'audit log, a filter that means nothing',
    who: 'ada',
    path: `${acme}/audit?since=nonsense`,
    shows: /This filter cannot be read/,
    isError: true,
  },

  { name: 'branding, plain', who: 'hal', path: `${birch}/branding`, shows: /at most 200 kB/ },
  { name: 'branding, with a colour', who: 'ada', path: `${acme}/branding`, shows: /Contrast with white/ },
  {
    name: 'branding, a colour that is none',
    who: 'ada',
    path: `${acme}/branding`,
    does: async (keys) => {
      await keys.fill('Colour', 'blue');
      await keys.go('Save');
    },
    shows: /Enter a colour as #/,
    isError: true,
  },
  {
    name: 'a page that there is not',
    who: 'ada',
    path: `${acme}/members/nobody`,
    shows: /no such page|not exist/i,
  },
];

walkThrough(
  'every page of an organization, empty, full and wrong, by keyboard alone: no finding of axe, every control reached and seen, nothing wider than 320 pixels (T086, T099)',
  async (t) => {
    const place = await world(
      t,
      { requirement: 'required_for_all', graceDays: 7, methods: ['totp', 'passkey'] },
      people,
      more,
    );
    const { door } = place;
    const [services, there] = [servicesOf(door), await visitAs(door, 'ada')];
    nextDay(door, 8);
    await changeBranding(services, there, { name: 'Acme Aviation', accent: '#c2410c', logo: 'keep' });
    await inviteMember(services, there, { email: 'eva@elsewhere.example', role: 'member', again: false });
    await remindNow(services, there);
    await chainAuditEvents(services);
    return place;
  },
  walks,
);
