import { asChosen, storedName } from './device-name.ts';
import type { GalleryPage } from './gallery.ts';
import type { Common, FramedPage, ListedFactor } from './pages.ts';
import { passwordWords } from './password-words.ts';
import { wrongSentCode } from './problems.ts';
import { codesHead } from './recovery-codes-file.ts';

/** The account's pages in their states, for the gallery. */
export function accountPages(framed: FramedPage, at: Date): readonly GalleryPage[] {
  const factor: ListedFactor = {
    method: 'totp',
    label: 'Authenticator app',
    name: null,
    to: null,
    addedAt: at,
    usedAt: at,
    isPreferred: true,
    isClosed: false,
    url: '#factor',
  };
  const overview = {
    ...framed,
    isOn: true,
    recovered: false,
    required: null,
    factors: [
      factor,
      {
        ...factor,
        method: 'passkey' as const,
        label: 'Passkey',
        name: asChosen('My blue security key, the one in the drawer'),
        isPreferred: false,
        isClosed: true,
        usedAt: null,
      },
    ],
    add: '#add',
    disable: '#disable',
    codesLeft: 8,
    showCodes: '#show',
    regenerate: '#regenerate',
    devices: [
      {
        name: storedName('Chrome on Linux'),
        from: '203.0.113.7',
        usedAt: at,
        until: at,
        isThis: true,
        forget: '#forget',
      },
      { name: null, from: null, usedAt: at, until: at, isThis: false, forget: '#forget' },
    ],
    forgetAll: '#forget-all',
    password: { url: '#password', isFirst: false },
    connections: [
      { name: 'Acme Keycloak', email: 'ada@acme.test', since: at, usedAt: at, remove: '#disconnect' },
    ],
    connectable: [{ name: 'Birch Keycloak', url: '#connect' }],
  };
  const one = {
    ...framed,
    method: 'totp' as const,
    label: 'Authenticator app',
    givenName: asChosen('My phone'),
    addedAt: at,
    usedAt: at,
    isPreferred: false,
    isClosed: false,
    action: '#rename',
    prefer: '#prefer',
    remove: '#remove',
    back: '/account',
  };
  const event = {
    text: 'Signed in',
    tone: 'ok' as const,
    at,
    how: [],
    applicationName: 'Flight Planner',
    place: { device: storedName('Chrome on Linux'), from: '203.0.113.7' },
  };
  const organization = {
    name: 'Acme Aviation',
    role: 'owner' as const,
    requirement: 'must' as const,
    isMet: true,
    until: null,
    methods: ['Authenticator app', 'Passkey'],
    rememberDays: 30,
    idle: { sentence: '{n} minute|{n} minutes', values: { n: 30 } },
    whole: { sentence: '{n} hour|{n} hours', values: { n: 24 } },
    isHome: true,
    url: '/organizations/acme',
  };
  const profile = {
    ...framed,
    givenName: 'Ada Lovelace',
    locale: 'de' as const,
    email: 'ada@acme.test',
    emailVerified: true,
    phone: '+1 555 555 0100',
    phoneVerified: true,
    action: '#save',
    changeEmail: '#email',
    verifyEmail: '#verify',
    phoneIsFactor: false,
    changePhone: '#phone',
    removePhone: '#remove-phone',
  };
  const phone = {
    ...framed,
    now: '+1 555 555 0100',
    phoneIsFactor: true,
    typed: '',
    action: '#phone',
    error: null,
    back: '#profile',
  };
  const phoneCode = {
    ...framed,
    number: '+49 1511 2345678',
    typed: '',
    action: '#code',
    resend: { action: '#send', after: 0, secondsLeft: 24 },
    error: null,
    another: '#phone',
    back: '#profile',
  };
  const email = {
    ...framed,
    now: 'ada@acme.test',
    typed: '',
    action: '#email',
    error: null,
    back: '#profile',
  };
  const password = { ...framed, isFirst: false, action: '#password', error: null, back: '/account' };
  return [
    { name: 'account/overview', state: 'on', locals: overview },
    {
      name: 'account/overview',
      state: 'off',
      locals: {
        ...overview,
        isOn: false,
        factors: [],
        disable: null,
        devices: [],
        password: { ...overview.password, isFirst: true },
      },
    },
    {
      name: 'account/overview',
      state: 'after a recovery code, and required',
      locals: {
        ...overview,
        recovered: true,
        required: {
          sentence: '{organizations} requires two-factor authentication, so it cannot be turned off.',
          values: { organizations: 'Acme Aviation' },
        },
        disable: null,
        showCodes: null,
        regenerate: null,
        codesLeft: 1,
        devices: [],
      },
    },
    {
      name: 'account/sessions',
      state: 'two',
      locals: {
        ...framed,
        sessions: [
          {
            name: storedName('Chrome on Linux'),
            from: '203.0.113.7',
            startedAt: at,
            seenAt: at,
            applications: ['Flight Planner', 'Crew Roster'],
            isThis: true,
            end: '#end',
          },
          { name: null, from: null, startedAt: at, seenAt: at, applications: [], isThis: false, end: '#end' },
        ],
        endOthers: '#end-others',
      },
    },
    {
      name: 'account/history',
      state: 'some',
      locals: {
        ...framed,
        showing: 'signIns',
        other: '#changes',
        events: [
          { ...event, text: 'Signed in', how: ['Password', 'Authenticator app'] },
          {
            ...event,
            text: 'Right password, wrong second step',
            tone: 'warn' as const,
            applicationName: null,
          },
          {
            ...event,
            text: 'Too many wrong passwords',
            tone: 'danger' as const,
            place: { device: null, from: null },
          },
          { ...event, text: 'Setting up was skipped', tone: 'info' as const },
        ],
        older: '#older',
      },
    },
    {
      name: 'account/history',
      state: 'empty',
      locals: { ...framed, showing: 'changes', other: '#sign-ins', events: [], older: null },
    },
    {
      name: 'account/applications',
      state: 'some',
      locals: {
        ...framed,
        applications: [
          {
            name: 'Flight Planner',
            organizationName: 'Acme Aviation',
            scopes: ['See your name and language', 'Stay connected while you are away'],
            since: at,
            revoke: '#revoke',
          },
        ],
      },
    },
    { name: 'account/applications', state: 'none', locals: { ...framed, applications: [] } },
    {
      name: 'account/organizations',
      state: 'several',
      locals: {
        ...framed,
        organizations: [
          { ...organization, until: at, isMet: false },
          {
            ...organization,
            name: 'Birch',
            role: 'member' as const,
            requirement: 'recommended' as const,
            url: null,
            isHome: false,
            rememberDays: 0,
            idle: { sentence: '{n} minute|{n} minutes', values: { n: 30 } },
            whole: { sentence: '{n} hour|{n} hours', values: { n: 24 } },
          },
          { ...organization, name: 'Cedar', role: 'admin' as const, requirement: 'none' as const },
        ],
      },
    },
    { name: 'account/organizations', state: 'none', locals: { ...framed, organizations: [] } },
    { name: 'account/profile', state: 'whole', locals: profile },
    {
      name: 'account/profile',
      state: 'address not proved',
      locals: { ...profile, emailVerified: false, phone: null, removePhone: null, locale: null },
    },
    {
      name: 'account/profile',
      state: 'codes go to the number',
      locals: { ...profile, phoneIsFactor: true, removePhone: null },
    },
    { name: 'account/phone', state: 'another', locals: phone },
    {
      name: 'account/phone',
      state: 'first, wrong',
      locals: {
        ...phone,
        now: null,
        phoneIsFactor: false,
        typed: '0151',
        error: 'Enter the whole number, with + and the country code in front.',
      },
    },
    { name: 'account/phone-code', state: 'first', locals: phoneCode },
    {
      name: 'account/phone-code',
      state: 'wrong',
      locals: { ...phoneCode, typed: '123456', error: wrongSentCode },
    },
    { name: 'account/email', state: 'first', locals: email },
    {
      name: 'account/email',
      state: 'wrong',
      locals: { ...email, typed: 'ada@', error: 'Enter one e-mail address, such as name@example.com.' },
    },
    { name: 'account/password', state: 'first', locals: password },
    { name: 'account/password', state: 'had none', locals: { ...password, isFirst: true } },
    {
      name: 'account/password',
      state: 'common',
      locals: { ...password, error: passwordWords.common },
    },
    { name: 'account/factor', state: 'one of several', locals: one },
    {
      name: 'account/factor',
      state: 'closed',
      locals: { ...one, givenName: null, usedAt: null, isPreferred: true, isClosed: true, prefer: null },
    },
    {
      name: 'account/recovery-codes',
      state: 'plain',
      locals: {
        ...framed,
        head: codesHead('ada@northwind.test', 'Northwind Charter', new Date('2026-11-22T09:30:00Z')),
        codes: ['K7QF-2MXW-9RTA-HZ', 'P4NC-8VJD-W6YE-3B', 'Z2HM-T9KX-4QRC-VA'],
        back: '/account',
      },
    },
  ];
}

/** Ways back into an account, in their states. */
export function wayBackPages(shared: Common): readonly GalleryPage[] {
  const forgotten = { ...shared, action: '#forgotten', sent: false, back: '/account' };
  const invitation = {
    ...shared,
    organizationName: 'Acme Aviation',
    email: 'tom@acme.test',
    givenName: 'Tom',
    join: null,
    action: '#join',
    error: null,
    done: false,
    signIn: '/account',
  };
  const confirm = { ...shared, email: 'ada@new.test', action: '#confirm', done: false, next: '/account' };
  const help = {
    ...shared,
    organizationName: 'Acme Aviation',
    useRecoveryCode: '#recovery',
    outcome: null,
    contact: null,
    action: '#help',
    back: '#back',
  };
  const register = {
    ...shared,
    email: 'eva@example.test',
    givenName: '',
    action: '#register',
    error: null,
    signIn: '/account',
  };
  const reset = { ...shared, action: '#reset', done: false, error: null, signIn: '/account' };
  return [
    { name: 'forgotten-password', state: 'first', locals: forgotten },
    { name: 'forgotten-password', state: 'sent', locals: { ...forgotten, sent: true } },
    { name: 'reset-password', state: 'first', locals: reset },
    { name: 'reset-password', state: 'about you', locals: { ...reset, error: passwordWords.about_you } },
    { name: 'reset-password', state: 'done', locals: { ...reset, done: true } },
    { name: 'invitation', state: 'new account', locals: invitation },
    {
      name: 'invitation',
      state: 'weak password',
      locals: { ...invitation, error: passwordWords.too_short },
    },
    { name: 'invitation', state: 'has an account', locals: { ...invitation, join: '/account/invitation/x' } },
    { name: 'invitation', state: 'done', locals: { ...invitation, done: true } },
    { name: 'confirm-email', state: 'first', locals: confirm },
    { name: 'confirm-email', state: 'done', locals: { ...confirm, done: true } },
    { name: 'help', state: 'first', locals: help },
    { name: 'help', state: 'asked', locals: { ...help, outcome: 'asked' } },
    {
      name: 'help',
      state: 'asked before',
      locals: { ...help, outcome: 'asked_before', useRecoveryCode: null },
    },
    {
      name: 'help',
      state: 'nobody',
      locals: { ...help, organizationName: null, outcome: 'nobody', useRecoveryCode: null },
    },
    {
      name: 'help',
      state: 'the people who run this site',
      locals: {
        ...help,
        organizationName: null,
        contact: { label: 'Ask the people who run this site', url: 'mailto:help@id.test' },
      },
    },
    ...(['address', 'sent', 'password', 'done'] as const).map(
      (step): GalleryPage => ({ name: 'register', state: step, locals: { ...register, step } }),
    ),
    {
      name: 'register',
      state: 'common password',
      locals: { ...register, step: 'password', error: passwordWords.common },
    },
    { name: 'not-me', state: 'first', locals: { ...shared, action: '#not-me', undoes: [], elsewhere: null } },
    {
      name: 'not-me',
      state: 'everything undone',
      locals: {
        ...shared,
        action: '#not-me',
        undoes: ['address', 'phone', 'factor', 'codes', 'connection'],
        elsewhere: null,
      },
    },
    {
      name: 'not-me',
      state: 'no password',
      locals: { ...shared, action: '#not-me', undoes: ['no phone'], elsewhere: 'Acme Keycloak' },
    },
  ];
}
