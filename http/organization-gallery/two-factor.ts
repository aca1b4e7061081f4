import type { GalleryPage } from '../gallery.ts';
import type { FramedPage } from '../pages.ts';
import { at, base, by, option, remind } from './samples.ts';

/** The policy, and the mails about it, in every state. */
export function twoFactorGallery(shared: FramedPage): readonly GalleryPage[] {
  const policy = {
    ...shared,
    action: `${base}/two-factor`,
    version: 'sample',
    previewed: '',
    previewAction: '#preview',
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
      option('other', 'Another number of days'),
    ],
    typed: { graceNumber: '7', passkeyModels: '', smsCountries: '', smsPerDay: '500' },
    problems: {},
    idleMinutes: [
      option('30', { sentence: '{n} minute|{n} minutes', values: { n: 30 } }),
      option('480', { sentence: '{n} hour|{n} hours', values: { n: 8 } }, true),
    ],
    absoluteMinutes: [option('1440', { sentence: '{n} hour|{n} hours', values: { n: 24 } }, true)],
    offlineDays: [
      option('0', 'No longer than the sign-in'),
      option('14', { sentence: '{n} day|{n} days', values: { n: 14 } }, true),
    ],
    modelsNeedRoots: false,
    hasTextMessages: true,
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
    isWeaker: false,
    owners: [],
    endsSessions: true,
    ownersCount: 2,
    hasNoMethod: false,
    list: {
      rows: [
        { name: 'Ben Okafor', email: 'ben@acme.test', role: 'Member', by },
        { name: 'Elif Demir', email: 'elif@acme.test', role: 'Admin', by: null },
      ],
      first: `${base}/two-factor?requirement=required_for_all`,
      next: `${base}/two-factor?requirement=required_for_all&after=x`,
    },
  } as const;

  const notice = {
    url: `${base}/members/u1`,
    name: 'Ben Okafor',
    email: 'ben@acme.test',
    at,
  };

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
          isWeaker: true,
          hasNoMethod: true,
        },
        coversAll: false,
      },
    },
    {
      name: 'organizations/two-factor',
      state: 'wrong fields',
      locals: {
        ...policy,
        graceDays: [
          option('7', { sentence: '{n} day|{n} days', values: { n: 7 } }),
          option('other', 'Another number of days', true),
        ],
        typed: { graceNumber: '91', passkeyModels: 'YubiKey', smsCountries: 'Germany', smsPerDay: 'many' },
        problems: {
          graceNumber: 'Enter a whole number from 0 to 90.',
          passkeyModels: 'Enter AAGUIDs, one on each line, such as cb69481e-8ff7-4039-93ec-0a2729a154a8.',
          smsCountries: 'Enter countries by their two letters, such as DE, AT.',
          smsPerDay: 'Enter a whole number from 0 to 1000000.',
        },
        modelsNeedRoots: true,
        note: { tone: 'danger', text: 'Nothing was saved: look at the fields below.' },
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
        isFiltered: false,
        other: `${base}/two-factor/mails?state=failed`,
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
      locals: { ...shared, failed: 0, isFiltered: false, other: null, rows: [], next: null, remind: null },
    },
  ];
}
