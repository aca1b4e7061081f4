import { accountChanges } from './account-changes.ts';
import { asChosen, storedName } from './device-name.ts';
import { accountPages, wayBackPages } from './gallery-account.ts';
import { organizationGallery } from './organization-gallery.ts';
import type { Common, ConfirmPage, Frame, Language, Mails, MethodChoice, Pages, Sentence } from './pages.ts';
import { codesHead } from './recovery-codes-file.ts';

/** One view in one state, with sample values: for the development page that shows them all, and for the tests. */
export type GalleryPage = {
  readonly [Name in keyof Pages]: {
    readonly name: Name;
    readonly state: string;
    readonly locals: Pages[Name];
  };
}[keyof Pages];

export type GalleryMail = {
  readonly [Name in keyof Mails]: { readonly name: Name; readonly locals: Mails[Name] };
}[keyof Mails];

const qr =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACkAAAApCAYAAACoYAD2AAAAAklEQVR4AewaftIAAAPcSURBVNXBUYrkVhAAwUyh+1853QVd8BCa8dpfdoR98B938T9w86XykwqVCpUKlQqViqFSoVKhsipOKhUqP6kYN4eKJ5VRoTJUVsUblQqVoVLxpuJJZd08qKyKpbIqTipL5alCRaXijcqqOF38Syoqo+JUsSpOKioVf+riH6ioUBkVQ6WiYqgMFZVVsVT+1M1DxZuKoTIqhspQqahQGRWrQqViqJwqfnJzUPmJSsWoUKkYFSpDpUJlqFSoVKhUnFR+c/NV8ZuKJ5WKUbFUnipGhUrFqPg7F18qKioqS2WoLJVRcVKpWCpLRUVlqSwVFZWhsm6+KlRGhcqoWCqjQmWoVJwqhkqFSsVTxVCpWCoV6+JLpeJUoTIqRoXKUKlQGRVDZVQslaHyRmVVnOyDg8qqOKmMiqEyKoZKxVJZFSoVKhUqFUPlVLHsgw+V31ScVCqGylOFSsVQWRVLpULlqWJc/KCioqJCZakslVGxKlQqThVDRUVlqIyKUXG6OVQMlaEyKoZKxahQqThVqFSojIqhUrFUKobKUqlYF18VQ+VUoTIqVFbFk8qbigqVoTJURoVKxVBZ9sGXyqhQWRVPKhUqq+KksipUKlQqVCqWyqpY9sGHyqhQGRVD5VRxUjlVLJVThUqFyqh4UqkYN18Vq0JFZVQMlZPKqFgqQ6WiYqkslQoVlQqVN/bBh0rFG5VRMVQqVEbFUFkVKhU/URkVKhVDpWLdHFRWhcqbiieViieVCpUKlVUxVCpWxeniq2JUVKhUVFRUqJwqKkaFylBZFSoVKhUVQ+VJReV08aVS8aSiMiqeVFaFSoVKxVKpWBVPKqPidPFVobIqRsVSGSoqKktFpUKlQuWkorIqRoVKxZubL5UKlVWhsipURsUblTcVKkPlVDFUhsqoGBdfFauiYlQMFZWTyqoYFUOlQqViVDxVPFWcLg4qFSeVUTEqKlQqVFbFqlCpWCqjoqJiqFSMCpWKdfGlUqEyVEZFxag4qVSoDBWVVaGyKobKUFGpGBVvbr4qnlSeKlQqTioVJ5WhcqpQWSqnCpWKcfNQMSpOKkOlQmVUVKgMlQqViqEyKk4VS+UnN18qP6moWCqjYlUslQqVUTFURsVSqVgVKqeLQ0VFRUXFk0rFSeVUoVJxqhgqq+JNxbp4UFFReVKpUBkqo2KoVCyVpbIqhoqKyqh4c/GHVIZKxVJRGRVD5aRScap4o/J08Q9VqKyKk0rFqKgYKqNiqFScVN7cPFT8RqXiSWVUqFSsChWVilGhUqFSoTIqTjcHld9ULJUKlZPKb1QqRsWpQkVlVAz74D/u4n/gL0YiqX0fZzK/AAAAAElFTkSuQmCC';

const wrongCode =
  'That code is not right, or was used already. Codes change every 30 seconds; enter the one shown now.';
const wrongPasskey = 'That passkey could not be used here. Try again, or use another way.';
const wrongRecoveryCode = 'That recovery code is not right, or was used already.';

const methods: readonly MethodChoice[] = [
  {
    method: 'passkey',
    needsScript: true,
    label: 'Passkey',
    description: 'Fingerprint, face or security key. Safest, and quickest from then on.',
  },
  {
    method: 'totp',
    needsScript: false,
    label: 'Authenticator app',
    description: 'A code from Google Authenticator, 1Password, Authy or another app.',
  },
  {
    method: 'device',
    needsScript: true,
    label: 'Another device',
    description: 'Approve on a browser where you are signed in already.',
  },
  {
    method: 'sms',
    needsScript: false,
    label: 'Text message',
    description: 'A code to your phone. Use it where nothing else works.',
  },
  { method: 'email', needsScript: false, label: 'Email code', description: 'A code to your e-mail address.' },
];

const codes = [
  'K7QF-2MXW-9RTA-HZ',
  'P4NC-8VJD-W6YE-3B',
  'Z2HM-T9KX-4QRC-VA',
  'B8WY-5DFN-J3PG-7K',
  'R6XA-M2TQ-8ZCV-NE',
  'H9JD-K4WB-P7MY-2F',
  'V3TC-Q8NE-6XHR-5Z',
  'D5GP-Y7AK-2WJM-9X',
];

function common(lang: Language): Common {
  return {
    lang,
    brand: { name: 'Acme Aviation', initial: 'A', logoUrl: null, stylesheet: null },
    applicationName: 'Flight Planner',
    account: 'ada@acme.test',
    csrf: 'sample',
    languages: [
      { lang: 'en', label: 'English', url: '?ui_locales=en' },
      { lang: 'de', label: 'Deutsch', url: '?ui_locales=de' },
    ],
    notYou: '#not-you',
    links: [
      { label: 'Help', url: '/help' },
      { label: 'Privacy', url: '/privacy' },
    ],
  };
}

/** What stands around the pages of somebody who is signed in. */
function frame(): Frame {
  return {
    section: 'Your account',
    pages: [
      { label: 'Security', url: '/account', current: 'page' },
      { label: 'Sessions', url: '/account/sessions', current: null },
      { label: 'Applications', url: '/account/applications', current: null },
      { label: 'Profile', url: '/account/profile', current: null },
    ],
    person: 'Ada Lovelace',
    account: '/account',
    organizations: [{ name: 'Acme Aviation', url: '/organizations/acme' }],
    signOut: '/account/sign-out',
    flash: { tone: 'ok', text: 'Your changes are saved.' },
  };
}

/** Every view in every state. */
export function galleryPages(lang: Language = 'en'): readonly GalleryPage[] {
  const shared = common(lang);
  const at = new Date('2026-11-22T09:30:00Z');
  const until = new Date('2026-11-27T09:30:00Z');
  const reason = { kind: 'organization', organizationName: 'Acme Aviation', who: 'everyone' } as const;
  const skip = { kind: 'skip', action: '#skip', until, daysLeft: 5 } as const;
  const none = { kind: 'none' } as const;
  const dismiss = { kind: 'dismiss', action: '#not-now', canPostpone: true } as const;
  const nobody = { ...shared, account: null, notYou: null };

  const framed = { ...shared, applicationName: null, notYou: null, frame: frame() };
  const confirm: ConfirmPage = {
    ...framed,
    title: 'Remove this authenticator app?',
    consequences: ['Codes from it no longer work.', 'Devices that you asked us to remember are forgotten.'],
    action: '#remove',
    hidden: [],
    button: 'Remove',
    tone: 'danger',
    password: false,
    passwordError: null,
    cancel: '/account',
  };

  const signIn = {
    ...nobody,
    action: '#sign-in',
    email: '',
    emailError: null,
    passwordError: null,
    note: null,
    upstreamError: null,
    upstreams: [],
    discover: null,
    passkey: null,
    forgotten: '/forgotten-password',
    register: null,
    cancel: '#cancel',
  };
  const challenge = {
    ...shared,
    action: '#verify',
    factor: { method: 'totp' },
    resend: null,
    typed: '',
    error: null,
    note: null,
    rememberDays: 30,
    rememberChecked: false,
    tryAnotherWay: '#ways',
    useRecoveryCode: '#recovery',
    help: '#help',
  } as const;
  const recovery = {
    ...shared,
    action: '#verify',
    typed: '',
    error: null,
    back: { label: 'Use your authenticator app instead', url: '#totp' },
    help: '#help',
  };
  const enrol = {
    ...shared,
    action: '#method',
    why: reason,
    methods,
    chosen: 'totp' as const,
    preferred: 'passkey' as const,
    error: null,
    wayOut: skip,
  };
  const totp = {
    ...shared,
    action: '#confirm',
    why: null,
    factor: {
      method: 'totp' as const,
      secret: 'JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP',
      uri: 'otpauth://totp/Acme%20Aviation:ada@acme.test?secret=JBSWY3DPEHPK3PXP&issuer=Acme%20Aviation',
      qr,
    },
    resend: null,
    typed: '',
    error: null,
    wayOut: none,
    back: null,
  };
  const mailbox = {
    ...shared,
    action: '#verify',
    sent: true,
    to: 'ada@acme.test',
    minutes: 10,
    typed: '',
    error: null,
    note: null,
    resend: { action: '#resend', after: 0, secondsLeft: 27 },
  };
  const recoveryCodes = {
    ...shared,
    action: '#saved',
    head: codesHead('ada@northwind.test', 'Northwind Charter', new Date('2026-11-22T09:30:00Z')),
    codes,
    download: '#download',
    error: null,
  };
  const used = { ...shared, left: 5, replacement: null, setUpAgain: '#again', action: '#continue' };
  const consent = {
    ...shared,
    applicationName: 'Flight Planner',
    organizationName: 'Northwind Charter',
    applicationLogoUrl: null,
    scopes: ['See your name and language', 'See your e-mail address', 'Stay connected while you are away'],
    policyUrl: 'https://northwind.test/privacy',
    termsUrl: 'https://northwind.test/terms',
    action: '#allow',
    cancel: '#cancel',
  };
  const deviceCode = { ...shared, action: '#code', hidden: [], typed: '', error: null };
  const error = { ...nobody, errorId: null, waitSeconds: null, actions: [] };
  const back = [{ label: 'Go to the start page', url: '/' }];
  const refused = {
    ...shared,
    why: 'no_usable_factor',
    organizationName: 'Acme Aviation',
    help: '#help',
    contact: { label: 'Ask the people who run this site', url: 'mailto:it@acme.test' },
    cancel: '#cancel',
  } as const;
  const approvals = {
    ...framed,
    account: 'ada@acme.test',
    request: null,
    hasApprovers: true,
    add: '#add',
    events: '#events',
    again: '#again',
  };
  const waiting = {
    method: 'device' as const,
    number: 47,
    toSign: '[]',
    keys: '[]',
    secondsLeft: 97,
    events: '#events',
    address: 'https://id.acme.test/account/approvals',
  };
  const home = {
    ...nobody,
    applicationName: null,
    accountPage: '/account',
    demo: '/demo',
    inbox: '/dev/inbox',
    gallery: '/dev/gallery',
  };

  return [
    { name: 'sign-in', state: 'first', locals: signIn },
    {
      name: 'sign-in',
      state: 'wrong password',
      locals: {
        ...signIn,
        email: 'ada@acme.test',
        passwordError: 'That e-mail address or password is not right.',
      },
    },
    {
      name: 'sign-in',
      state: 'bad address',
      locals: { ...signIn, email: 'ada', emailError: 'Enter your e-mail address, like name@example.com.' },
    },
    {
      name: 'sign-in',
      state: 'signed out',
      locals: { ...signIn, note: { tone: 'ok', text: 'You were signed out.' } },
    },
    {
      name: 'sign-in',
      state: 'again',
      locals: {
        ...signIn,
        email: 'ada@acme.test',
        cancel: null,
        note: { tone: 'info', text: 'Sign in again to continue.' },
      },
    },

    {
      name: 'sign-in',
      state: 'with a passkey',
      locals: { ...signIn, passkey: { question: '#question', action: '#passkey', error: null } },
    },

    {
      name: 'sign-in',
      state: 'with other providers',
      locals: {
        ...signIn,
        passkey: { question: '#question', action: '#passkey', error: null },
        upstreams: [
          { name: 'Acme Keycloak', action: '#keycloak' },
          { name: 'Acme Google Workspace', action: '#google' },
        ],
        discover: '#discover',
      },
    },
    {
      name: 'sign-in',
      state: 'another provider away',
      locals: {
        ...signIn,
        upstreams: [{ name: 'Acme Keycloak', action: '#keycloak' }],
        upstreamError: {
          sentence: '{name} cannot be reached at the moment. Try again in a minute, or use another way.',
          values: { name: 'Acme Keycloak' },
        },
      },
    },
    {
      name: 'go-on',
      state: 'first',
      locals: {
        ...common(lang),
        account: null,
        notYou: null,
        to: 'Acme Keycloak',
        url: '#keycloak',
        why: 'sign_in',
      },
    },
    {
      name: 'go-on',
      state: 'connect',
      locals: {
        ...common(lang),
        account: null,
        notYou: null,
        to: 'Acme Keycloak',
        url: '#keycloak',
        why: 'connect',
      },
    },
    {
      name: 'go-on',
      state: 'sign-out',
      locals: {
        ...common(lang),
        account: null,
        notYou: null,
        to: 'Acme Keycloak',
        url: '#keycloak',
        why: 'sign_out',
      },
    },
    ...([null, 'The password is not right.'] as const).map(
      (passwordError) =>
        ({
          name: 'connect-account',
          state: passwordError === null ? 'first' : 'wrong password',
          locals: {
            ...common(lang),
            account: null,
            notYou: null,
            providerName: 'Acme Keycloak',
            action: '#login',
            email: 'ada@acme.test',
            passwordError,
            upstreamError: null,
            upstreams: passwordError === null ? [{ name: 'Birch Keycloak', action: '#upstream' }] : [],
            passkey: { question: '#question', action: '#passkey', error: null },
            forgotten: '#forgotten',
            leave: '#leave',
            cancel: '#cancel',
          },
        }) as const,
    ),

    { name: 'challenge', state: 'first', locals: challenge },
    {
      name: 'challenge',
      state: 'eight digits',
      locals: { ...challenge, factor: { method: 'totp' as const, digits: 8 } },
    },
    {
      name: 'challenge',
      state: 'wrong',
      locals: { ...challenge, typed: '482 910', error: wrongCode, rememberChecked: true },
    },
    {
      name: 'challenge',
      state: 'only this',
      locals: { ...challenge, rememberDays: null, tryAnotherWay: null, useRecoveryCode: null },
    },
    {
      name: 'challenge',
      state: 'email',
      locals: {
        ...challenge,
        rememberDays: 1,
        factor: { method: 'email', to: 'a••@acme.test' },
        resend: { action: '#resend', after: 0, secondsLeft: 27 },
      },
    },
    {
      name: 'challenge',
      state: 'text message',
      locals: {
        ...challenge,
        factor: { method: 'sms', to: '+49 ••••• 78' },
        resend: { action: '#resend', after: 0, secondsLeft: 0 },
        note: { tone: 'ok', text: 'A new code is on its way.' },
      },
    },

    {
      name: 'challenge',
      state: 'passkey',
      locals: { ...challenge, factor: { method: 'passkey' as const, options: '{}' } },
    },

    {
      name: 'challenge',
      state: 'another device',
      locals: { ...challenge, factor: { ...waiting, word: 'waiting' } },
    },
    {
      name: 'challenge',
      state: 'another device: answered',
      locals: { ...challenge, factor: { ...waiting, word: 'approved' } },
    },
    {
      name: 'challenge',
      state: 'another device: declined',
      locals: {
        ...challenge,
        factor: { ...waiting, word: 'denied' },
        resend: { action: '#resend', after: 0, secondsLeft: 0 },
      },
    },
    {
      name: 'challenge',
      state: 'another device: ended',
      locals: {
        ...challenge,
        factor: { ...waiting, word: 'ended' },
        resend: { action: '#resend', after: 0, secondsLeft: 0 },
      },
    },
    { name: 'challenge-recovery', state: 'first', locals: recovery },
    {
      name: 'challenge-recovery',
      state: 'wrong',
      locals: { ...recovery, typed: 'K7QF-2MXW-9RTA-HX', error: wrongRecoveryCode },
    },
    { name: 'challenge-recovery', state: 'only this', locals: { ...recovery, back: null } },

    {
      name: 'choose-factor',
      state: 'several',
      locals: {
        ...shared,
        factors: methods.map((choice) => ({ ...choice, url: `#${choice.method}` })),
        useRecoveryCode: '#recovery',
        help: '#help',
        back: '#back',
      },
    },

    { name: 'enrol', state: 'grace', locals: enrol },
    { name: 'enrol', state: 'two days', locals: { ...enrol, wayOut: { ...skip, daysLeft: 2 } } },
    { name: 'enrol', state: 'last day', locals: { ...enrol, wayOut: { ...skip, daysLeft: 1 } } },
    {
      name: 'enrol',
      state: 'recommended',
      locals: {
        ...enrol,
        why: { kind: 'recommended', organizationName: 'Acme Aviation' },
        chosen: 'totp',
        preferred: null,
        wayOut: dismiss,
      },
    },
    {
      name: 'enrol',
      state: 'recommended by nobody',
      locals: { ...enrol, why: { kind: 'recommended', organizationName: null }, wayOut: dismiss },
    },
    {
      name: 'enrol',
      state: 'required for admins',
      locals: { ...enrol, why: { ...reason, who: 'admins' }, wayOut: none },
    },
    {
      name: 'enrol',
      state: 'application, nothing chosen',
      locals: { ...enrol, why: { kind: 'application' }, wayOut: none, error: 'Choose one of these.' },
    },
    { name: 'enrol', state: 'instance', locals: { ...enrol, why: { kind: 'instance' }, wayOut: none } },
    {
      name: 'enrol',
      state: 'anew',
      locals: { ...enrol, why: { kind: 'anew' }, wayOut: { ...dismiss, canPostpone: false } },
    },
    { name: 'enrol', state: 'a second way', locals: { ...enrol, why: { kind: 'another' }, wayOut: none } },
    { name: 'enrol', state: 'after a reset', locals: { ...enrol, why: { kind: 'reset' }, wayOut: none } },

    { name: 'set-up', state: 'first', locals: totp },
    {
      name: 'set-up',
      state: 'wrong',
      locals: { ...totp, typed: '000000', error: wrongCode, wayOut: skip, back: '#methods' },
    },
    { name: 'set-up', state: 'recommended', locals: { ...totp, wayOut: dismiss, back: '#methods' } },

    {
      name: 'set-up',
      state: 'text message: number',
      locals: { ...totp, factor: { method: 'sms' as const, to: null }, back: '#methods' },
    },
    {
      name: 'set-up',
      state: 'text message: no number',
      locals: {
        ...totp,
        factor: { method: 'sms' as const, to: null },
        typed: '0151 23456789',
        error: 'Enter the whole number, with + and the country code in front.',
      },
    },
    {
      name: 'set-up',
      state: 'text message: code',
      locals: {
        ...totp,
        factor: { method: 'sms' as const, to: '+49 ••••• 78', another: 'Use another number' },
        resend: { action: '#resend', after: 0, secondsLeft: 27 },
      },
    },
    {
      name: 'set-up',
      state: 'another device',
      locals: {
        ...totp,
        factor: {
          method: 'device' as const,
          toSign: '[]',
          address: 'https://id.acme.test/account/approvals',
        },
        back: '#methods',
      },
    },
    {
      name: 'set-up',
      state: 'passkey, and nothing else',
      locals: {
        ...totp,
        why: { kind: 'organization', organizationName: 'Acme Aviation', who: 'everyone' },
        factor: { method: 'passkey' as const, options: '{}' },
      },
    },
    {
      name: 'set-up',
      state: 'passkey',
      locals: { ...totp, factor: { method: 'passkey' as const, options: '{}' }, back: '#methods' },
    },
    {
      name: 'set-up',
      state: 'passkey, wrong',
      locals: {
        ...totp,
        factor: { method: 'passkey' as const, options: '{}' },
        error: wrongPasskey,
        back: '#methods',
      },
    },
    {
      name: 'set-up',
      state: 'email',
      locals: {
        ...totp,
        factor: { method: 'email' as const, to: 'a••@acme.test' },
        resend: { action: '#resend', after: 0, secondsLeft: 27 },
        back: '#methods',
      },
    },

    { name: 'mailbox', state: 'first', locals: mailbox },
    {
      name: 'mailbox',
      state: 'wrong',
      locals: {
        ...mailbox,
        typed: '123456',
        error: 'That code is not right, or is too old. Enter the newest one, or ask for another.',
        note: { tone: 'ok', text: 'A new code is on its way.' },
        resend: { action: '#resend', after: 0, secondsLeft: 0 },
      },
    },

    { name: 'recovery-codes', state: 'first', locals: recoveryCodes },
    {
      name: 'recovery-codes',
      state: 'not saved',
      locals: { ...recoveryCodes, download: null, error: 'Save the codes first, then tick this box.' },
    },

    { name: 'recovery-used', state: 'some left', locals: used },
    {
      name: 'recovery-used',
      state: 'replaced',
      locals: { ...used, left: 8, replacement: 'k7qf-2mxw-9rta-hx3v' },
    },
    { name: 'recovery-used', state: 'one left', locals: { ...used, left: 1, setUpAgain: null } },
    { name: 'recovery-used', state: 'none left', locals: { ...used, left: 0 } },
    {
      name: 'recovery-low',
      state: 'two left',
      locals: { ...shared, left: 2, makeNew: '#new', action: '#continue' },
    },
    {
      name: 'recovery-low',
      state: 'none left',
      locals: { ...shared, left: 0, makeNew: '#new', action: '#continue' },
    },

    { name: 'consent', state: 'organization', locals: consent },
    {
      name: 'consent',
      state: 'plain',
      locals: { ...consent, organizationName: null, policyUrl: null, termsUrl: null },
    },

    { name: 'continue', state: 'plain', locals: { ...shared, action: '#on', hidden: [], atOnce: false } },
    { name: 'confirm-sign-out', state: 'application', locals: { ...shared, action: '#out', hidden: [] } },
    {
      name: 'reset-link',
      state: 'asked by an organization',
      locals: { ...nobody, action: '#', until: new Date('2026-11-23T09:30:00Z') },
    },
    {
      name: 'confirm-sign-out',
      state: 'plain',
      locals: {
        ...shared,
        applicationName: null,
        action: '#out',
        hidden: [{ name: 'xsrf', value: 'sample' }],
      },
    },
    { name: 'signed-out', state: 'plain', locals: { ...nobody, applicationName: null, signIn: '/account' } },

    { name: 'device-code', state: 'first', locals: deviceCode },
    {
      name: 'device-code',
      state: 'wrong',
      locals: {
        ...deviceCode,
        typed: 'WXYZ-1234',
        error: 'That code is not right, or is too old. Look at your device for the one shown now.',
      },
    },
    {
      name: 'device-confirm',
      state: 'plain',
      locals: {
        ...shared,
        applicationName: 'Flight Planner',
        userCode: 'WDJB-MJHT',
        from: [storedName('Chrome on Linux'), '203.0.113.7'],
        action: '#confirm',
        hidden: [
          { name: 'user_code', value: 'WDJB-MJHT' },
          { name: 'confirm', value: 'yes' },
        ],
      },
    },
    { name: 'device-done', state: 'plain', locals: { ...shared, applicationName: 'Flight Planner' } },

    {
      name: 'error',
      state: 'not found',
      locals: {
        ...error,
        title: 'This page does not exist',
        advice: 'The address may be old or mistyped.',
        actions: back,
      },
    },
    {
      name: 'error',
      state: 'too many',
      locals: {
        ...error,
        title: 'Too many tries',
        advice: 'To keep your account safe, wait a little before the next one.',
        waitSeconds: 95,
        actions: [{ label: 'Try again', url: '#again' }],
      },
    },
    {
      name: 'error',
      state: 'unavailable',
      locals: {
        ...error,
        title: 'We cannot do this right now',
        advice: 'Something on our side is not working. Nothing of yours is lost; try again in a minute.',
        errorId: '7f3c-91ae',
        actions: [{ label: 'Try again', url: '#again' }, ...back],
      },
    },
    {
      name: 'error',
      state: 'sign-in gone',
      locals: {
        ...error,
        title: 'This sign-in has ended',
        advice:
          'It was left for too long, or was started in another browser. Start again from the application.',
        errorId: '7f3c-91ae',
      },
    },

    {
      name: 'test-sign-in',
      state: 'signed in',
      locals: {
        ...error,
        name: 'Flight Planner',
        result: {
          kind: 'signed_in',
          email: 'ada@acme.test',
          acr: 'urn:sallyport:acr:2fa',
          meaning: 'Two factors.',
          amr: 'pwd otp mfa',
          idToken: '{\n  "iss": "https://id.acme.test",\n  "acr": "urn:sallyport:acr:2fa"\n}',
          userinfo: '{\n  "email": "ada@acme.test"\n}',
        },
        again: '#again',
        back: '#back',
      },
    },
    {
      name: 'test-sign-in',
      state: 'refused',
      locals: {
        ...error,
        name: 'Flight Planner',
        result: { kind: 'refused', code: 'access_denied', told: 'End-User aborted interaction' },
        again: '#again',
        back: '#back',
      },
    },

    { name: 'refused', state: 'no usable factor', locals: refused },
    {
      name: 'refused',
      state: 'no method',
      locals: { ...refused, why: 'no_method_available', contact: null },
    },
    { name: 'refused', state: 'no verified address', locals: { ...refused, why: 'no_verified_email' } },
    {
      name: 'refused',
      state: 'unknown demand',
      locals: { ...refused, why: 'unknown_acr', contact: null, applicationName: null },
    },
    {
      name: 'refused',
      state: 'no organization',
      locals: { ...refused, organizationName: null },
    },

    ...accountPages(framed, at),
    ...organizationGallery(framed),
    {
      name: 'account/approvals',
      state: 'a request',
      locals: {
        ...approvals,
        request: {
          id: 'request',
          applicationName: 'Flight Planner',
          browser: storedName('Firefox on Windows'),
          ip: '203.0.113.7',
          askedAt: new Date('2026-11-22T09:30:00Z'),
          secondsLeft: 97,
          choices: [47, 12, 83],
          toSign: '[]',
          keys: '[]',
          approve: '#approve',
          deny: '#deny',
        },
      },
    },
    { name: 'account/approvals', state: 'nothing', locals: approvals },
    { name: 'account/approvals', state: 'no approver', locals: { ...approvals, hasApprovers: false } },
    {
      name: 'account/approvals',
      state: 'no approver, and none allowed',
      locals: { ...approvals, hasApprovers: false, add: null },
    },
    { name: 'confirm', state: 'danger', locals: confirm },
    {
      name: 'confirm',
      state: 'wrong password',
      locals: {
        ...confirm,
        frame: { ...framed.frame, flash: null, organizations: [] },
        password: true,
        passwordError: 'That password is not right.',
      },
    },

    ...wayBackPages({ ...nobody, applicationName: null }),

    { name: 'home', state: 'development', locals: home },
    {
      name: 'home',
      state: 'production',
      locals: { ...home, accountPage: null, demo: null, inbox: null, gallery: null },
    },

    {
      name: 'gallery',
      state: 'some',
      locals: {
        ...nobody,
        applicationName: null,
        views: [
          {
            name: 'sign-in',
            states: ['first', 'wrong password'].map((state) => ({ state, url: `#${state}` })),
          },
          { name: 'mail/code', states: [{ state: '1', url: '#mail' }] },
        ],
      },
    },
    { name: 'inbox', state: 'empty', locals: { ...nobody, applicationName: null, messages: [] } },
    {
      name: 'inbox',
      state: 'some',
      locals: {
        ...nobody,
        applicationName: null,
        messages: [
          { url: '#2', by: 'email', to: 'ada@acme.test', subject: 'Your code for Acme Aviation', at },
          {
            url: '#1',
            by: 'sms',
            to: '+15555550100',
            subject: '482910 is your code for Acme Aviation.',
            at: new Date(at.getTime() - 90_000),
          },
        ],
      },
    },
    {
      name: 'inbox-message',
      state: 'mail',
      locals: {
        ...nobody,
        applicationName: null,
        by: 'email',
        from: 'Acme Aviation <no-reply@acme.test>',
        to: 'ada@acme.test',
        subject: 'Your code for Acme Aviation',
        at,
        text: 'Hello Ada,\n\nHere is your code to continue to Flight Planner:\n\n482910\n',
        htmlUrl: '#html',
        inbox: '/dev/inbox',
      },
    },
  ];
}

/** Every mail with sample values. */
export function galleryMails(lang: Language = 'en'): readonly GalleryMail[] {
  const { brand } = common(lang);
  const look = { line: '#c2410c', light: '#c2410c', dark: '#e9965f', hasLogo: false };
  const shared = { lang, brand, look, name: 'Ada', accountUrl: 'https://id.acme.test/account' };
  const happening = {
    at: new Date('2026-11-22T09:30:00Z'),
    device: storedName('Chrome on Linux'),
    from: '203.0.113.7',
    notMeUrl: 'https://id.acme.test/not-me/sample',
  };
  const factor: Sentence = 'Authenticator app';
  return [
    {
      name: 'code',
      locals: { ...shared, ...happening, code: '482910', minutes: 10, applicationName: 'Flight Planner' },
    },
    {
      name: 'code',
      locals: { ...shared, ...happening, name: null, code: '482910', minutes: 1, applicationName: null },
    },
    { name: 'recovery-code-used', locals: { ...shared, ...happening, left: 7 } },
    { name: 'recovery-code-used', locals: { ...shared, ...happening, left: 1 } },
    { name: 'factor-added', locals: { ...shared, ...happening, factor } },
    { name: 'two-factor-reset', locals: { ...shared, ...happening, organizationName: 'Acme Aviation' } },
    {
      name: 'sign-in-stopped',
      locals: { ...shared, ...happening, device: null, from: null, applicationName: 'Flight Planner' },
    },
    { name: 'sign-in-stopped', locals: { ...shared, ...happening, applicationName: null } },
    {
      name: 'account-changed',
      locals: {
        ...shared,
        ...happening,
        ...accountChanges.factor_removed,
        what: asChosen('My phone'),
        notMeUrl: 'https://id.acme.test/not-me/sample',
      },
    },
    {
      name: 'invitation',
      locals: {
        ...shared,
        inviter: 'Ada Lovelace',
        until: happening.at,
        url: 'https://id.acme.test/invitation/sample',
      },
    },
    {
      name: 'register',
      locals: { ...shared, name: null, known: 0, url: 'https://id.acme.test/register/confirm/x' },
    },
    { name: 'register', locals: { ...shared, known: 1, url: 'https://id.acme.test/forgotten-password' } },
    {
      name: 'help-asked',
      locals: {
        ...shared,
        ...happening,
        person: 'Dai Evans',
        email: 'dai@acme.test',
        url: 'https://id.acme.test/organizations/acme/members/1',
      },
    },
    {
      name: 'confirm-email',
      locals: { ...shared, email: 'ada@new.test', url: 'https://id.acme.test/confirm-email/sample' },
    },
    {
      name: 'password-reset',
      locals: { ...shared, ...happening, url: 'https://id.acme.test/reset-password/sample', minutes: 60 },
    },
    {
      name: 'password-elsewhere',
      locals: {
        ...shared,
        ...happening,
        provider: 'Acme Keycloak',
        accountUrl: 'https://id.acme.test/account',
      },
    },
    { name: 'new-device', locals: { ...shared, ...happening, days: 30 } },
    {
      name: 'two-factor-reset-link',
      locals: {
        ...shared,
        ...happening,
        organizationName: 'Acme Aviation',
        link: 'https://id.acme.test/reset-two-factor/qL2bT0cVtQ',
        until: new Date('2026-11-23T09:30:00Z'),
      },
    },
    { name: 'membership-changed', locals: { ...shared, ...happening, role: 'admin' } },
    { name: 'membership-changed', locals: { ...shared, ...happening, role: null } },
    { name: 'sign-in-denied', locals: { ...shared, ...happening } },
    ...[
      { who: 'everyone' as const, until: new Date('2026-11-29T09:30:00Z'), daysLeft: 7, hasOther: false },
      { who: 'admins' as const, until: null, daysLeft: 0, hasOther: true },
    ].flatMap((policy) => {
      const locals = { ...shared, ...policy, methods: ['Passkey', factor] };
      return [
        { name: 'policy-announced' as const, locals },
        { name: 'policy-reminder' as const, locals },
      ];
    }),
  ];
}
