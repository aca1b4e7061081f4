import { asChosen, storedName } from '../device-name.ts';
import type { GalleryPage } from '../gallery.ts';
import type { FramedPage } from '../pages.ts';
import { at, base, option, rows } from './samples.ts';

/** Members: the list, one of them, a reset, in every state. */
export function membersGallery(shared: FramedPage): readonly GalleryPage[] {
  const members = {
    ...shared,
    action: `${base}/members`,
    search: '',
    twoFactor: [option('', 'On or off', true), option('on', 'On'), option('off', 'Off')],
    method: [option('', 'Any method', true), option('passkey', 'Passkey')],
    role: [
      option('', 'Any role', true),
      option('owner', 'Owner'),
      option('admin', 'Admin'),
      option('member', 'Member'),
    ],
    state: [
      option('', 'Any state', true),
      option('must_act', 'Must act'),
      option('overdue', 'Overdue'),
      option('in_grace', 'In grace'),
      option('never_signed_in', 'Never signed in'),
      option('disabled', 'Disabled'),
    ],
    isFiltered: false,
    chosen: [],
    count: { sentence: '{of}', values: { of: 31 } },
    sort: [option('email', 'E-mail address', true), option('name', 'Name')],
    rows,
    first: null,
    next: `${base}/members?after=x`,
    invite: `${base}/invitations`,
    importing: `${base}/members-import`,
    exporting: `${base}/members-export`,
  } as const;
  const member = {
    help: null,
    ...shared,
    name: 'Ben Okafor',
    email: 'ben@acme.test',
    role: 'Member',
    tag: { tone: 'ok', text: 'Set up' },
    joinedAt: at,
    lastSignIn: { at, how: 'with a second factor', application: 'Sallyport: account or organization pages' },
    factors: [
      { label: 'Authenticator app', name: asChosen('Phone'), addedAt: at, lastUsedAt: at, tag: null },
      {
        label: 'Text message',
        name: null,
        addedAt: at,
        lastUsedAt: null,
        tag: { tone: 'warn', text: 'Does not count here' },
      },
      {
        label: 'Email code',
        name: null,
        addedAt: at,
        lastUsedAt: null,
        tag: { tone: 'danger', text: 'Disabled after too many wrong answers' },
      },
    ],
    audit: `${base}/audit?person=ben@acme.test`,
    reset: `${base}/members/2/reset`,
    roles: {
      action: `${base}/members/2/role`,
      options: [option('owner', 'Owner'), option('admin', 'Admin'), option('member', 'Member', true)],
    },
    disconnect: `${base}/members/2/disconnect`,
    roleTable: {
      roles: ['Owner', 'Admin', 'Member'],
      rows: [
        { label: 'See the audit log', allowed: [true, true, false] },
        { label: 'Change sign-in providers', allowed: [true, false, false] },
      ],
    },
    remove: `${base}/members/2/remove`,
    why: null,
  } as const;
  const reset = {
    ...shared,
    name: 'Ben Okafor',
    email: 'ben@acme.test',
    action: `${base}/members/2/reset`,
    forms: [
      option(
        'now',
        'Now',
        false,
        'All factors, recovery codes and remembered devices go at once, and all sessions end. For a device that was stolen.',
      ),
      option(
        'mail',
        'By e-mail',
        true,
        'A link is sent to the verified address. What the person has now stays valid until a new factor has worked.',
      ),
    ],
    checks: [
      option('', 'Choose how', true),
      option('in_person', 'In person'),
      option('video_call', 'On a video call'),
      option('phone_call', 'By calling a number that we know'),
      option('id_document', 'By an identity document'),
      option('other', 'In another way, which the reason says'),
    ],
    reason: '',
    formError: null,
    checkError: null,
    reasonError: null,
    note: null,
    cancel: `${base}/members/2`,
  } as const;

  return [
    { name: 'organizations/members', state: 'some', locals: members },
    {
      name: 'organizations/members',
      state: 'nobody fits',
      locals: {
        ...members,
        search: 'zz',
        isFiltered: true,
        chosen: ['Two-factor off', 'Owner', 'Overdue'],
        count: { sentence: '{found} of {of}', values: { found: 0, of: 31 } },
        rows: [],
        next: null,
        first: `${base}/members`,
        invite: null,
      },
    },
    { name: 'organizations/member', state: 'may be changed', locals: member },
    {
      name: 'organizations/member',
      state: 'asks for help',
      locals: { ...member, help: { at, device: storedName('Chrome on Linux'), from: '203.0.113.7' } },
    },
    {
      name: 'organizations/member',
      state: 'an owner, for an admin',
      locals: {
        ...member,
        role: 'Owner',
        factors: [],
        lastSignIn: null,
        tag: { tone: 'plain', text: 'Not required' },
        reset: null,
        roles: null,
        disconnect: null,
        remove: null,
        why: 'Only an owner can change something about an owner.',
      },
    },
    {
      name: 'organizations/member',
      state: 'oneself, from elsewhere',
      locals: {
        ...member,
        tag: { tone: 'warn', text: 'Reset, sets up anew' },
        lastSignIn: { at, how: 'on a remembered device', application: 'one of another organization' },
        reset: null,
        why: 'This is you. Another owner or admin can change your role, or reset your second factor; your account page has the rest.',
      },
    },
    { name: 'organizations/reset', state: 'at first', locals: reset },
    {
      name: 'organizations/reset',
      state: 'wrong',
      locals: {
        ...reset,
        formError: 'Choose one of these ways.',
        checkError: 'Say how you made sure who it is.',
        reasonError: 'Give a reason of 3 to 500 characters, in one line.',
        note: {
          tone: 'danger',
          text: 'Only the organization that the account belongs to can reset at once. You can do it by e-mail.',
        },
      },
    },
  ];
}
