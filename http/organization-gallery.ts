import type { GalleryPage } from './gallery.ts';
import type { MemberRow, Option } from './organization-pages.ts';
import type { FramedPage, Sentence } from './pages.ts';

const option = (value: string, label: Sentence, chosen = false, hint: Sentence | null = null): Option => ({
  value,
  label,
  chosen,
  hint,
});

/** The pages of owners and admins with sample values, in every state. */
export function organizationGallery(framed: FramedPage): readonly GalleryPage[] {
  const base = '/organizations/acme';
  const shared: FramedPage = {
    ...framed,
    frame: {
      ...framed.frame,
      section: 'Organization',
      pages: [
        { label: 'Overview', url: base, current: null },
        { label: 'Two-factor authentication', url: `${base}/two-factor`, current: 'page' },
        { label: 'Members', url: `${base}/members`, current: null },
        { label: 'Passkeys', url: `${base}/passkeys`, current: null },
        { label: 'Applications', url: `${base}/applications`, current: null },
        { label: 'Audit log', url: `${base}/audit`, current: null },
        { label: 'Branding', url: `${base}/branding`, current: null },
      ],
    },
  };
  const at = new Date('2026-11-22T09:30:00Z');
  const by = new Date('2026-11-29T09:30:00Z');
  const policy = {
    ...shared,
    action: `${base}/two-factor`,
    version: 'sample',
    previewed: '',
    note: null,
    requirement: [
      option('optional', 'Optional', true, 'People may turn it on for themselves.'),
      option('recommended', 'Recommended', false, 'Everyone is asked at sign-in and may say "Not now".'),
      option(
        'required_for_admins',
        'Required for admins',
        false,
        'Owners and admins must. A good first step.',
      ),
      option('required_for_all', 'Required for all', false, 'Everyone must, to reach any application.'),
    ],
    others: [option('optional', 'Optional', true), option('recommended', 'Recommended')],
    graceDays: [
      option('0', 'None: at the next sign-in'),
      option('7', { sentence: '{n} day|{n} days', values: { n: 7 } }, true),
      option('30', { sentence: '{n} day|{n} days', values: { n: 30 } }),
    ],
    methods: [
      option('passkey', 'Passkey', true),
      option('totp', 'Authenticator app', true),
      option('sms', 'Text message', false, 'can be intercepted'),
      option('email', 'Email code', false, 'two steps, not two factors'),
    ],
    rememberDeviceDays: [
      option('0', 'Never'),
      option('30', { sentence: 'For {n} day|For {n} days', values: { n: 30 } }, true),
    ],
    applications: [option('demo', { sentence: '{application}', values: { application: 'Flight Planner' } })],
    coversAll: true,
    showAgain: true,
    replaceUsed: true,
    preview: null,
    now: { mustAct: 0, overdue: 0, of: 31 },
    code: null,
    notices: `${base}/two-factor/mails`,
  } as const;
  const preview = {
    mustAct: 14,
    of: 31,
    stopped: 0,
    until: by,
    adviseAdminsFirst: true,
    owners: [],
    ownersCount: 2,
    hasNoMethod: false,
    list: {
      rows: [
        { name: 'Ben Okafor', email: 'ben@acme.test', role: 'Member', by },
        { name: 'Elif Demir', email: 'elif@acme.test', role: 'Admin', by: null },
      ],
      more: 12,
    },
  } as const;
  const rows: readonly MemberRow[] = [
    {
      url: `${base}/members/1`,
      name: 'Ada Lindqvist',
      email: 'ada@acme.test',
      role: 'Owner',
      methods: ['Passkey', 'Authenticator app'],
      tag: { tone: 'ok', text: 'Set up' },
      lastSignIn: { at, how: 'with a passkey' },
    },
    {
      url: `${base}/members/2`,
      name: 'Ben Okafor',
      email: 'ben@acme.test',
      role: 'Member',
      methods: [],
      tag: { tone: 'warn', text: { sentence: '{n} day left|{n} days left', values: { n: 5 } } },
      lastSignIn: { at, how: 'password only' },
    },
    {
      url: `${base}/members/3`,
      name: 'elif-with-a-very-long-address@maintenance.acme-aviation.test',
      email: 'elif-with-a-very-long-address@maintenance.acme-aviation.test',
      role: 'Admin',
      methods: [],
      tag: { tone: 'danger', text: 'Overdue' },
      lastSignIn: null,
    },
  ];
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
    total: 31,
    rows,
    first: null,
    next: `${base}/members?after=x`,
    invite: `${base}/invitations`,
    importing: `${base}/members-import`,
    exporting: `${base}/members-export`,
  } as const;
  const member = {
    ...shared,
    name: 'Ben Okafor',
    email: 'ben@acme.test',
    role: 'Member',
    tag: { tone: 'ok', text: 'Set up' },
    joinedAt: at,
    lastSignIn: { at, how: 'with a second factor', application: 'Flight Planner' },
    factors: [
      { label: 'Authenticator app', name: 'Phone', addedAt: at, lastUsedAt: at, tag: null },
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
  const notice = { name: 'Ben Okafor', email: 'ben@acme.test', at };
  const remind = { action: `${base}/two-factor/remind`, people: 8 };
  return [
    { name: 'organizations/two-factor', state: 'as it stands', locals: policy },
    {
      name: 'organizations/two-factor',
      state: 'preview',
      locals: {
        ...policy,
        previewed: 'x',
        preview,
        note: { tone: 'info', text: 'This is what it changes. Look at it, then save.' },
      },
    },
    {
      name: 'organizations/two-factor',
      state: 'refused',
      locals: {
        ...policy,
        preview: {
          ...preview,
          stopped: 14,
          owners: ['Olga Ivanova (olga@acme.test)'],
          adviseAdminsFirst: false,
          hasNoMethod: true,
        },
        coversAll: false,
      },
    },
    {
      name: 'organizations/two-factor',
      state: 'changed by somebody else',
      locals: {
        ...policy,
        note: {
          tone: 'danger',
          text: 'Somebody else has changed this policy since you opened it. Nothing of yours was saved. This is how it is now.',
        },
      },
    },
    {
      name: 'organizations/two-factor',
      state: 'code by e-mail',
      locals: {
        ...policy,
        preview,
        code: {
          id: 'x',
          to: 'ada@acme.test',
          error: 'That code is not right. Enter the newest one that you got.',
        },
      },
    },
    {
      name: 'organizations/notices',
      state: 'some',
      locals: {
        ...shared,
        failed: 1,
        rows: [
          { ...notice, what: 'Policy saved', tag: { tone: 'ok', text: 'Sent' } },
          {
            ...notice,
            what: { sentence: 'Reminder {n} day before|Reminder {n} days before', values: { n: 3 } },
            tag: { tone: 'danger', text: 'Did not arrive' },
          },
          { ...notice, what: 'Reminder on the day', tag: { tone: 'plain', text: 'Waiting' } },
          { ...notice, what: 'Reminder by hand', tag: { tone: 'plain', text: 'Waiting' } },
        ],
        next: `${base}/two-factor/mails?after=1.x`,
        remind,
      },
    },
    {
      name: 'organizations/notices',
      state: 'none',
      locals: { ...shared, failed: 0, rows: [], next: null, remind: null },
    },
    { name: 'organizations/members', state: 'some', locals: members },
    {
      name: 'organizations/members',
      state: 'nobody fits',
      locals: {
        ...members,
        search: 'zz',
        isFiltered: true,
        rows: [],
        next: null,
        first: `${base}/members`,
        invite: null,
      },
    },
    { name: 'organizations/member', state: 'may be changed', locals: member },
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
        lastSignIn: { at, how: 'on a remembered device', application: null },
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
