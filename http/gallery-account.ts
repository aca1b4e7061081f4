import type { GalleryPage } from './gallery.ts';
import type { Common, FramedPage, ListedFactor } from './pages.ts';
import { passwordWords } from './password-words.ts';

/** The account's pages in their states, for the gallery. */
export function accountPages(framed: FramedPage, at: Date): readonly GalleryPage[] {
  const factor: ListedFactor = {
    method: 'totp',
    label: 'Authenticator app',
    name: null,
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
        name: 'My blue security key, the one in the drawer',
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
        name: 'Chrome on Linux',
        from: '203.0.113.7',
        usedAt: at,
        until: at,
        isThis: true,
        forget: '#forget',
      },
      { name: null, from: null, usedAt: at, until: at, isThis: false, forget: '#forget' },
    ],
    forgetAll: '#forget-all',
    password: '#password',
  };
  const one = {
    ...framed,
    method: 'totp' as const,
    label: 'Authenticator app',
    givenName: 'My phone',
    addedAt: at,
    usedAt: at,
    isPreferred: false,
    isClosed: false,
    action: '#rename',
    prefer: '#prefer',
    remove: '#remove',
    back: '/account',
  };
  const password = { ...framed, action: '#password', error: null, back: '/account' };
  return [
    { name: 'account/overview', state: 'on', locals: overview },
    {
      name: 'account/overview',
      state: 'off',
      locals: { ...overview, isOn: false, factors: [], disable: null, devices: [] },
    },
    {
      name: 'account/overview',
      state: 'after a recovery code, and required',
      locals: {
        ...overview,
        recovered: true,
        required: {
          sentence:
            '{organizations} requires two-factor authentication, so this cannot be removed. Set up another way that it allows first.',
          values: { organizations: 'Acme Aviation' },
        },
        disable: null,
        showCodes: null,
        regenerate: null,
        codesLeft: 1,
        devices: [],
      },
    },
    { name: 'account/password', state: 'first', locals: password },
    {
      name: 'account/password',
      state: 'common',
      locals: { ...password, error: passwordWords.common },
    },
    { name: 'account/factor', state: 'one of several', locals: one },
    {
      name: 'account/factor',
      state: 'closed',
      locals: { ...one, givenName: '', usedAt: null, isPreferred: true, isClosed: true, prefer: null },
    },
    {
      name: 'account/recovery-codes',
      state: 'plain',
      locals: {
        ...framed,
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
    { name: 'not-me', state: 'first', locals: { ...shared, action: '#not-me' } },
  ];
}
