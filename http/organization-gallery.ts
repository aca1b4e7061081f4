import { eventGroups } from './event-words.ts';
import type { GalleryPage } from './gallery.ts';
import type { Chart, Drawing, MemberRow, Option, OrganizationPages } from './organization-pages.ts';
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
  const figures = [
    {
      value: '74 %',
      text: {
        sentence: 'has a second factor ({n} of {of})|have a second factor ({n} of {of})',
        values: { n: 23, of: 31 },
      },
      url: `${base}/members`,
    },
    {
      value: '8',
      text: { sentence: 'still to set up|still to set up', values: { n: 8 } },
      url: `${base}/members`,
    },
    { value: '96 %', text: "of last week's sign-ins used one", url: null },
  ] as const;
  const drawing: Drawing = {
    width: 720,
    height: 210,
    lines: [
      { kind: 'grid', d: 'M44 20H700M44 180H700' },
      { kind: 'area', d: 'M44 100 L300 60 L300 180 L44 180Z' },
      { kind: 'line', d: 'M44 100 L300 60' },
      { kind: 'ahead', d: 'M300 60 L660 20' },
      { kind: 'deadline', d: 'M660 12V180' },
    ],
    bars: [
      { x: 60, y: 120, width: 30, height: 60, kind: 'rest' },
      { x: 60, y: 150, width: 30, height: 30, kind: 'bar' },
    ],
    texts: [
      { x: 36, y: 24, anchor: 'end', kind: 'scale', text: '31' },
      { x: 44, y: 202, anchor: 'start', kind: 'scale', text: at },
      { x: 654, y: 172, anchor: 'end', kind: 'deadline', text: { sentence: 'deadline' } },
      { x: 300, y: 50, anchor: 'middle', kind: 'value', text: '23' },
    ],
  };
  const chart: Chart = {
    title: "Enrolment until the policy's deadline",
    label: {
      sentence: 'People with a second factor: {from} at first, {to} today, of {of}.',
      values: { from: 17, to: 23, of: 31 },
    },
    wide: drawing,
    narrow: drawing,
    head: ['Day', 'With a second factor', 'Members'],
    rows: [
      [at, 17, 31],
      [by, 23, ''],
    ],
  };
  const overview = {
    ...shared,
    status: { sentence: 'Required for all in {n} day|Required for all in {n} days', values: { n: 5 } },
    figures,
    charts: [chart],
    overdue: rows,
    overdueTotal: 12,
    overdueUrl: `${base}/members?state=overdue`,
    remind: { action: `${base}/two-factor/remind`, people: 8 },
  };
  const passkeys = {
    ...shared,
    action: `${base}/passkeys`,
    version: 'sample',
    isOn: true,
    isAvailable: true,
    isOnly: false,
    figures: [
      { value: '11', text: 'with a passkey', url: null },
      { value: '8', text: 'without any second factor', url: null },
      { value: '35 %', text: 'of all members have one', url: null },
    ],
    recent: [
      { url: `${base}/members/1`, name: 'Ada Lindqvist', email: 'ada@acme.test', passkey: 'Laptop', at },
      { url: `${base}/members/2`, name: 'Ben Okafor', email: 'ben@acme.test', passkey: null, at },
    ],
    note: null,
  } as const;
  const audit = {
    ...shared,
    action: `${base}/audit`,
    types: [option('', 'Everything', true)],
    typeGroups: Object.entries(eventGroups).map(([label, words]) => ({
      label,
      options: Object.entries(words).map(([value, word]) => option(value, word)),
    })),
    person: '',
    applications: [option('', 'Any application', true)],
    since: '',
    until: '',
    isFiltered: false,
    problems: {},
    rows: [
      {
        at,
        what: 'Second factor reset',
        type: 'two_factor.reset',
        who: 'ben@acme.test',
        by: 'ada@acme.test',
        application: null,
        from: '203.0.113.7',
        device: 'Chrome on Linux',
        facts: [{ name: 'reason', value: 'lost phone' }],
        position: 2,
      },
      {
        at,
        what: 'Signed in',
        type: 'sign_in.succeeded',
        who: null,
        by: null,
        application: 'Flight Planner',
        from: null,
        device: null,
        facts: [],
        position: 1,
      },
    ],
    first: null,
    next: `${base}/audit?before=1`,
    csv: `${base}/audit-export?format=csv`,
    jsonLines: `${base}/audit-export?format=jsonl`,
  } as const;
  const application = {
    ...shared,
    clientId: 'qL2bT0cVtQ',
    name: 'Flight Planner',
    action: `${base}/applications/qL2bT0cVtQ`,
    check: `${base}/applications-check`,
    form: {
      name: 'Flight Planner',
      redirectUris: 'https://planner.acme.test/callback',
      logoutUris: '',
      kind: [
        option('confidential', 'On a server', true, 'It can keep a secret.'),
        option(
          'public',
          'In a browser or on a device',
          false,
          'It cannot keep a secret, and uses PKCE alone.',
        ),
      ],
      assurance: [
        option('none', 'Nothing more', true, 'What the organization asks for is enough.'),
        option(
          'second_factor',
          'A second factor',
          false,
          'In this session, however long ago; a remembered device is not enough.',
        ),
        option(
          'fresh_second_factor',
          'A fresh second factor',
          false,
          'At every sign-in to this application.',
        ),
        option('passkey', 'A passkey', false, 'With fingerprint, face or PIN.'),
      ],
      isFirstParty: true,
      errors: { name: null, redirectUris: null, logoutUris: null },
    },
    secret: null,
    rotate: `${base}/applications/qL2bT0cVtQ/secret`,
    remove: `${base}/applications/qL2bT0cVtQ/remove`,
    test: 'https://id.acme.test/auth?client_id=qL2bT0cVtQ',
    settings: [
      { label: 'Client ID', value: 'qL2bT0cVtQ' },
      { label: 'Issuer', value: 'https://id.acme.test' },
      { label: 'Discovery document', value: 'https://id.acme.test/.well-known/openid-configuration' },
      { label: 'Authorization endpoint', value: 'https://id.acme.test/auth' },
      { label: 'Token endpoint', value: 'https://id.acme.test/token' },
      { label: 'Scopes', value: 'openid email profile' },
    ],
    recipes: [{ name: 'oauth2-proxy', lines: '--provider=oidc\n--oidc-issuer-url=https://id.acme.test' }],
    cancel: `${base}/applications`,
  } as const;
  const problem: Sentence = {
    sentence: '{problem}',
    values: { problem: 'https://planner.acme.test/#x: must have no fragment (#)' },
  };
  const invite = {
    ...shared,
    action: `${base}/members-invite`,
    email: '',
    name: '',
    emailError: null,
    again: null,
    waitingMore: 0,
    roles: [option('member', 'Member', true), option('admin', 'Admin'), option('owner', 'Owner')],
    importing: `${base}/members-import`,
    csv: '',
    csvError: null,
    plan: null,
    going: null,
    waiting: [
      { email: 'tom@acme.test', role: 'Member', until: by, revoke: `${base}/members-invite/1/revoke` },
    ],
    back: `${base}/members`,
  } as const;
  const branding = {
    ...shared,
    action: `${base}/branding`,
    name: 'Acme Aviation',
    accent: '#c2410c',
    hasLogo: true,
    nameError: null,
    accentError: null,
    logoError: null,
    contrast: {
      sentence: 'Contrast with white: {ratio} : 1. It reads well as it is.',
      values: { ratio: '5.2' },
    },
    note: null,
  } as const;
  const provider: OrganizationPages['organizations/provider'] = {
    ...shared,
    name: 'Acme Keycloak',
    action: '#save',
    form: {
      name: 'Acme Keycloak',
      slug: 'keycloak',
      issuer: 'https://sso.acme.example/realms/acme',
      clientId: 'sallyport',
      authentication: [
        {
          value: 'client_secret_basic',
          label: 'Secret, in a header',
          hint: 'What most providers expect.',
          chosen: true,
        },
        {
          value: 'client_secret_post',
          label: 'Secret, in the body',
          hint: 'As a field of the form.',
          chosen: false,
        },
        {
          value: 'private_key_jwt',
          label: 'Key',
          hint: 'Nothing secret is exchanged: the provider reads our public key.',
          chosen: false,
        },
      ],
      hasSecret: true,
      secondFactor: [
        {
          value: 'trusted',
          label: 'Believed where it says so',
          hint: 'With one of the words below; everybody else is asked here.',
          chosen: true,
        },
        {
          value: 'required',
          label: 'Demanded there',
          hint: 'Nobody comes in by it without one of the words below.',
          chosen: false,
        },
        {
          value: 'never',
          label: 'Never believed',
          hint: 'The second factor is always asked here.',
          chosen: false,
        },
      ],
      acr: '2',
      amr: 'otp hwk',
      domains: 'acme.example\nacme.test',
      createAccounts: true,
      button: true,
      signOut: true,
      enabled: true,
      errors: {
        name: null,
        slug: null,
        issuer: null,
        clientId: null,
        clientSecret: null,
        acr: null,
        amr: null,
        domains: null,
      },
    },
    note: null,
    proved: [],
    verified: ['acme.example'],
    waiting: [{ record: { name: '_sallyport.acme.test', value: 'sallyport=3XkFJw3W0mV0Jqk2Vt0cEg' } }],
    settings: [
      { label: 'Redirect address', value: 'https://id.acme.example/upstream/acme.keycloak/callback' },
      { label: 'Address after sign-out', value: 'https://id.acme.example/upstream/acme.keycloak/signed-out' },
      {
        label: 'Back-channel logout address',
        value: 'https://id.acme.example/upstream/acme.keycloak/backchannel-logout',
      },
      { label: 'Key set address', value: 'https://id.acme.example/upstream/acme.keycloak/jwks.json' },
    ],
    test: '#test',
    remove: '#remove',
    cancel: '#cancel',
  };

  return [
    { name: 'organizations/branding', state: 'chosen', locals: branding },
    {
      name: 'organizations/branding',
      state: 'wrong',
      locals: {
        ...branding,
        accent: 'red',
        hasLogo: false,
        nameError: 'Enter a name of at most 200 characters.',
        accentError: 'Enter a colour as # and six digits, like #2453cc.',
        logoError: 'This is no PNG, JPEG or WebP picture of at most 200 kB and 2048 pixels.',
        contrast: null,
      },
    },
    { name: 'organizations/invite', state: 'one waits', locals: invite },
    {
      name: 'organizations/invite',
      state: 'invited already',
      locals: {
        ...invite,
        email: 'tom@acme.test',
        emailError: 'An invitation to this address is open already.',
        again: 'tom@acme.test',
        waitingMore: 12,
      },
    },
    {
      name: 'organizations/invite',
      state: 'wrong',
      locals: {
        ...invite,
        email: 'tom',
        emailError: 'This is no e-mail address.',
        csvError:
          'No e-mail addresses were found. Put one on each line, or name the columns in the first line: email, name, role.',
        waiting: [],
      },
    },
    {
      name: 'organizations/invite',
      state: 'list with errors',
      locals: {
        ...invite,
        csv: 'email,name,role',
        plan: {
          count: 501,
          left: 3,
          fresh: [{ email: 'tom@acme.test', name: 'Tom Weiss', role: 'Member' }],
          wrong: [
            { line: 3, text: 'nonsense', why: 'This is no e-mail address.' },
            { line: 4, text: 'ada@acme.test', why: 'This person is a member already.' },
            { line: 4, text: 'uwe@acme.test', why: 'An invitation to this address is open already.' },
            { line: 5, text: 'tom@acme.test', why: 'This address stands here twice.' },
            { line: 6, text: 'eve@acme.test, Eve, king', why: 'The role must be owner, admin or member.' },
            { line: 7, text: 'eve@acme.test, Eve, owner', why: 'You cannot give a role above your own.' },
            {
              line: 8,
              text: 'kim@acme.test',
              why: 'This address has had several invitations. Wait a while.',
            },
            {
              line: 502,
              text: 'zoe@acme.test',
              why: 'At most 10000 people in one list. Import the rest afterwards.',
            },
          ],
        },
      },
    },
    {
      name: 'organizations/applications',
      state: 'some',
      locals: {
        ...shared,
        add: `${base}/applications-new`,
        rows: [
          {
            url: `${base}/applications/x`,
            name: 'Flight Planner',
            clientId: 'qL2bT0cVtQ',
            assurance: 'A passkey',
            isShared: false,
          },
          {
            url: `${base}/applications/y`,
            name: 'Mail',
            clientId: 'mail',
            assurance: 'Nothing more',
            isShared: true,
          },
        ],
      },
    },
    {
      name: 'organizations/applications',
      state: 'none',
      locals: { ...shared, add: `${base}/applications-new`, rows: [] },
    },
    { name: 'organizations/application', state: 'registered', locals: application },
    {
      name: 'organizations/application',
      state: 'new secret',
      locals: { ...application, secret: 'cHmNN0zvVw8rFHmQm3Cq6dYyNUXy2mCvZQ5t1l8kYJk' },
    },
    {
      name: 'organizations/application',
      state: 'new, wrong',
      locals: {
        ...application,
        clientId: null,
        name: '',
        form: {
          ...application.form,
          errors: {
            name: 'Enter a name of at most 200 characters.',
            redirectUris: problem,
            logoutUris: problem,
          },
        },
        rotate: null,
        remove: null,
        test: null,
        settings: [],
        recipes: [],
      },
    },
    {
      name: 'organizations/providers',
      state: 'some',
      locals: {
        ...shared,
        add: `${base}/providers-new`,
        rows: [
          {
            url: '#keycloak',
            name: 'Acme Keycloak',
            issuer: 'https://sso.acme.example/realms/acme',
            domains: ['acme.example'],
            tag: { tone: 'ok', text: 'On' },
          },
        ],
      },
    },
    { name: 'organizations/providers', state: 'none', locals: { ...shared, add: '#add', rows: [] } },
    { name: 'organizations/provider', state: 'first', locals: provider },
    {
      name: 'organizations/provider',
      state: 'tested',
      locals: {
        ...provider,
        note: { tone: 'ok', text: 'The provider answers, and what it says of itself is in order.' },
        proved: ['acme.example'],
      },
    },
    {
      name: 'organizations/provider',
      state: 'new, wrong',
      locals: {
        ...provider,
        name: null,
        note: {
          tone: 'danger',
          text: { sentence: 'The provider cannot be used: {detail}.', values: { detail: 'ENOTFOUND' } },
        },
        form: {
          ...provider.form,
          errors: {
            name: problem,
            slug: problem,
            issuer: problem,
            clientId: problem,
            clientSecret: problem,
            acr: problem,
            amr: problem,
            domains: problem,
          },
        },
        settings: [],
        verified: [],
        waiting: [],
        test: null,
        remove: null,
      },
    },
    { name: 'organizations/overview', state: 'on the way', locals: overview },
    {
      name: 'organizations/overview',
      state: 'nobody overdue',
      locals: { ...overview, status: 'Optional', overdue: [], overdueTotal: 0, remind: null },
    },
    { name: 'organizations/passkeys', state: 'on', locals: passkeys },
    {
      name: 'organizations/passkeys',
      state: 'off, nobody has one',
      locals: {
        ...passkeys,
        isOn: false,
        recent: [],
        note: {
          tone: 'danger',
          text: 'Somebody else has changed the policy since you opened this page. Nothing was saved.',
        },
      },
    },
    { name: 'organizations/passkeys', state: 'the only method', locals: { ...passkeys, isOnly: true } },
    { name: 'organizations/passkeys', state: 'not offered', locals: { ...passkeys, isAvailable: false } },
    { name: 'organizations/audit', state: 'some', locals: audit },
    {
      name: 'organizations/audit',
      state: 'wrong filter',
      locals: {
        ...audit,
        rows: [],
        isFiltered: true,
        since: '2026-99-99',
        problems: { since: 'This filter cannot be read, so nothing is shown. Choose another, or show all.' },
        first: `${base}/audit`,
        next: null,
      },
    },
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
      locals: { ...member, help: { at, device: 'Chrome on Linux', from: '203.0.113.7' } },
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
