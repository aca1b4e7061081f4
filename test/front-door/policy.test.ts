import test, { type ExecutionContext } from 'ava';
import { applyConfiguration } from '../../flows/apply-configuration.ts';
import { days, minutes } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import {
  acme,
  application,
  atMost,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  passwordHash,
  passwordStep,
  redeem,
  secret,
  signIn,
} from './rig.ts';

const seat = atMost(4);
const open = async (...[t, kind, options]: Parameters<typeof frontDoor>): Promise<FrontDoor> => {
  await seat(t);
  return frontDoor(t, kind, options);
};

const start = new Date('2026-03-02T09:00:05Z');
const at = (span: number): Date => new Date(start.getTime() + span);

const onlyPassword = { acr: 'urn:sallyport:acr:1fa', amr: ['pwd'] };
const bothSteps = { acr: 'urn:sallyport:acr:2fa', amr: ['pwd', 'otp', 'mfa'] };

// Rules of new organizations where they say nothing else: one method, so that its page comes at once.
const instance = { policy: { methods: ['totp'] } };

const requiredNow = { requirement: 'required_for_all', graceDays: 0 };
const requiredIn = (graceDays: number) => ({ requirement: 'required_for_all', graceDays });

/** Which page a browser stands at, in a few words. */
function pageOf(browser: Browser): string {
  if (browser.callback) return browser.callback.get('error') ?? 'in';
  switch (browser.heading) {
    case 'Set up two-factor authentication':
      return `set up, ${wayOut(browser)}`;
    case 'Two-factor authentication':
      return 'challenge';
    case 'You cannot sign in here now':
      return 'refused';
    case 'Check your mail':
      return 'mailbox';
    default:
      return browser.heading;
  }
}

function wayOut({ buttons, text }: Browser): string {
  const skip = buttons.includes('Skip for now');
  const dismiss = buttons.includes('Not now');
  const left = /(\d+) days? left/.exec(text)?.[1] ?? (text.includes('Last day.') ? 'last day' : 'unknown');
  if (skip && dismiss) return 'skip and not now';
  return skip ? `skip ${left}` : dismiss ? 'not now' : 'must';
}

async function pageFor(door: FrontDoor, who: string, params: Readonly<Record<string, string>> = {}) {
  const browser = door.browser();
  await passwordStep(browser, who, params);
  return pageOf(browser);
}

async function setUp(door: FrontDoor, browser: Browser): Promise<{ secret: string; codes: string[] }> {
  const mine = browser.totpSecret;
  await browser.press('Confirm setup', { code: door.code(0, mine) });
  const codes = browser.recoveryCodes;
  if (codes.length > 0) await browser.press('Continue', { saved: '1' });
  return { secret: mine, codes };
}

/** Does what the page asks for, the shortest way into the application. */
async function goOn(door: FrontDoor, browser: Browser): Promise<void> {
  const page = pageOf(browser);
  if (page === 'challenge') await browser.press('Verify', { code: door.code() });
  else if (page.startsWith('set up, skip')) await browser.press('Skip for now');
  else if (page === 'set up, not now') await browser.press('Not now');
  else if (page === 'set up, must') await setUp(door, browser);
}

const claimsOf = ({ acr, amr }: Record<string, unknown>) => ({ acr, amr });

const person = (name: string, memberships: readonly object[], more: object = {}) => ({
  email: `${name}@acme.test`,
  name,
  passwordHash,
  emailVerified: true,
  memberships,
  ...more,
});

/** What a thief or a stuck tab would send: one form, without following where it leads. */
async function postOnly(browser: Browser, button: string, values: Record<string, string> = {}) {
  const { action, fields } = browser.form(button);
  for (const [name, value] of Object.entries(values)) fields.set(name, value);
  const response = await fetch(`${browser.issuer}${action}`, {
    method: 'POST',
    redirect: 'manual',
    body: fields,
    headers: {
      Origin: browser.issuer,
      Cookie: [...browser.cookies.values()].map(({ value }) => value).join('; '),
    },
  });
  await response.arrayBuffer();
  return response;
}

const post = (browser: Browser, path: string, values: Record<string, string> = {}) => {
  const csrf = /name="_csrf" value="([^"]*)"/.exec(browser.text)?.[1] ?? '';
  return browser.open(path, { fields: new URLSearchParams({ _csrf: csrf, ...values }) });
};

const interactionPath = (browser: Browser): string =>
  /\/interaction\/[^/?]+/.exec(new URL(browser.url).pathname)?.[0] ?? '';

/** No session of anybody: neither here nor in the database. */
async function nobodySignedIn(t: ExecutionContext, door: FrontDoor, browser: Browser, message?: string) {
  const rows = await door.db.rows('SELECT uid_digest FROM sessions WHERE account_id IS NOT NULL');
  t.deepEqual(rows, [], message);
  const tab = browser.copy();
  await tab.authorize({ prompt: 'none' });
  t.is(tab.callback?.get('error'), 'login_required', message);
}

const reset = (door: FrontDoor, who: string) =>
  door.db
    .change('DELETE FROM factors WHERE user_id = (SELECT id FROM users WHERE email = ?)', [
      `${who}@acme.test`,
    ])
    .then(() =>
      door.db.change('UPDATE users SET reset_at = ? WHERE email = ?', [
        door.clock.now().getTime(),
        `${who}@acme.test`,
      ]),
    );

/** The newest mailbox code for somebody, as the development inbox shows it; null for none. */
async function mailedCode(door: FrontDoor, who = 'ada'): Promise<string | null> {
  const inbox = door.browser();
  await inbox.open('/dev/inbox');
  for (const [, url = ''] of [...inbox.text.matchAll(/href="(\/dev\/inbox\/[^"/]+)"/g)]) {
    await inbox.open(url);
    if (!inbox.text.includes(`<dd>${who}@acme.test</dd>`)) continue;
    const code = /^\s*(\d{3} ?\d{3})\s*$/m.exec(/<pre[^>]*>(.*?)<\/pre>/s.exec(inbox.text)?.[1] ?? '')?.[1];
    if (code) return code.replace(' ', '');
  }
  return null;
}

// What a policy asks of a role, before any factor, on the first day of seven.
const requirements: readonly [object, owner: string, admin: string, member: string][] = [
  [{ requirement: 'optional', others: 'recommended' }, 'in', 'in', 'in'],
  [
    { requirement: 'recommended', others: 'optional' },
    'set up, not now',
    'set up, not now',
    'set up, not now',
  ],
  [{ requirement: 'required_for_admins' }, 'set up, skip 7', 'set up, skip 7', 'in'],
  [
    { requirement: 'required_for_admins', others: 'recommended' },
    'set up, skip 7',
    'set up, skip 7',
    'set up, not now',
  ],
  [
    { requirement: 'required_for_all', others: 'optional' },
    'set up, skip 7',
    'set up, skip 7',
    'set up, skip 7',
  ],
];

// Days after the requirement began, and what is shown then.
const graces: readonly [days: number, moments: readonly [after: number, page: string][]][] = [
  [
    0,
    [
      [0, 'set up, must'],
      [days(1), 'set up, must'],
    ],
  ],
  [
    7,
    [
      [0, 'set up, skip 7'],
      [days(2), 'set up, skip 5'],
      [days(2) + 1, 'set up, skip 5'],
      [days(6) - 1, 'set up, skip 2'],
      [days(6), 'set up, skip last day'],
      [days(7) - 1, 'set up, skip last day'],
      [days(7), 'set up, must'],
      [days(700), 'set up, must'],
    ],
  ],
  [
    30,
    [
      [0, 'set up, skip 30'],
      [days(29), 'set up, skip last day'],
      [days(30) - 1, 'set up, skip last day'],
      [days(30), 'set up, must'],
    ],
  ],
  [
    90,
    [
      [0, 'set up, skip 90'],
      [days(90) - 1, 'set up, skip last day'],
      [days(90), 'set up, must'],
    ],
  ],
];

interface Combination {
  readonly policy: object;
  readonly factor: boolean;
  readonly covered: boolean;
  readonly client: string;
  readonly page: string;
  /** What the application gets after doing what the page asks; an error where it gets none. */
  readonly gets: object | string;
}

const combine = (
  policy: object,
  factor: 'factor' | 'none',
  covered: 'covered' | 'not covered',
  client: string,
  page: string,
  gets: object | string,
): Combination => ({
  policy,
  factor: factor === 'factor',
  covered: covered === 'covered',
  client,
  page,
  gets,
});

const optional = { requirement: 'optional' };
const recommended = { requirement: 'recommended' };
const unmet = 'unmet_authentication_requirements';

const combinations: readonly Combination[] = [
  combine(optional, 'none', 'covered', 'app', 'in', onlyPassword),
  combine(optional, 'factor', 'covered', 'app', 'challenge', bothSteps),
  combine(recommended, 'none', 'covered', 'app', 'set up, not now', onlyPassword),
  combine(recommended, 'factor', 'covered', 'app', 'challenge', bothSteps),
  combine(requiredNow, 'none', 'covered', 'app', 'set up, must', bothSteps),
  combine(requiredNow, 'factor', 'covered', 'app', 'challenge', bothSteps),
  combine(requiredIn(30), 'none', 'covered', 'app', 'set up, skip 30', onlyPassword),
  combine(requiredIn(30), 'factor', 'covered', 'app', 'challenge', bothSteps),
  combine(recommended, 'none', 'not covered', 'app', 'in', onlyPassword),
  combine(requiredNow, 'none', 'not covered', 'app', 'in', onlyPassword),
  combine(requiredNow, 'factor', 'not covered', 'app', 'challenge', bothSteps),
  combine(requiredIn(30), 'none', 'not covered', 'app', 'in', onlyPassword),
  combine(optional, 'none', 'covered', 'second', 'set up, must', bothSteps),
  combine(optional, 'factor', 'covered', 'second', 'challenge', bothSteps),
  combine(recommended, 'none', 'covered', 'second', 'set up, must', bothSteps),
  combine(requiredIn(90), 'none', 'covered', 'second', 'set up, must', bothSteps),
  combine(optional, 'none', 'not covered', 'second', 'set up, must', bothSteps),
  combine(requiredIn(30), 'none', 'not covered', 'fresh', 'set up, must', bothSteps),
  combine(optional, 'none', 'covered', 'fresh', 'set up, must', bothSteps),
  combine(optional, 'factor', 'covered', 'fresh', 'challenge', bothSteps),
  combine(optional, 'none', 'covered', 'key', unmet, unmet),
  combine(optional, 'factor', 'covered', 'key', 'challenge', unmet),
  combine(requiredNow, 'none', 'covered', 'key', unmet, unmet),
  combine(requiredIn(30), 'factor', 'not covered', 'key', 'challenge', unmet),
];

const assuring = [
  application('second', { assurance: 'second_factor' }),
  application('fresh', { assurance: 'fresh_second_factor' }),
  application('key', { assurance: 'passkey' }),
];

interface TwoOrganizations {
  readonly what: string;
  readonly a: object;
  readonly b: object;
  readonly owner?: 'a' | 'b';
  readonly page: string;
}

const totpOnly = ['totp'];
const passkeyOnly = ['passkey'];
/** Nobody whose address was never confirmed can have these codes. */
const emailOnly = ['email'];

const pairs: readonly TwoOrganizations[] = [
  { what: 'required and optional', a: requiredNow, b: optional, page: 'set up, must' },
  { what: 'optional and required', a: optional, b: requiredNow, page: 'set up, must' },
  { what: 'recommended and optional', a: optional, b: recommended, page: 'set up, not now' },
  { what: 'required and recommended', a: recommended, b: requiredIn(7), page: 'set up, skip 7' },
  { what: '30 and 7 days', a: requiredIn(30), b: requiredIn(7), page: 'set up, skip 7' },
  { what: '90 and 0 days', a: requiredNow, b: requiredIn(90), page: 'set up, must' },
  {
    what: 'one for its admins only, and one that recommends',
    a: { requirement: 'required_for_admins', graceDays: 0 },
    b: recommended,
    page: 'set up, not now',
  },
  {
    what: 'the stricter one does not cover the application',
    a: { ...requiredNow, applications: ['second'] },
    b: recommended,
    page: 'set up, not now',
  },
  {
    what: 'neither covers the application',
    a: { ...requiredNow, applications: ['second'] },
    b: { ...recommended, applications: ['fresh'] },
    page: 'in',
  },
  {
    what: 'methods overlap in one',
    a: { ...requiredNow, methods: ['passkey', 'totp'] },
    b: { ...optional, methods: ['totp', 'sms'] },
    page: 'set up, must',
  },
  {
    what: 'no common method: the one that requires',
    a: { ...optional, methods: emailOnly },
    b: { ...requiredNow, methods: totpOnly },
    page: 'set up, must',
  },
  {
    what: 'no common method, and the one that requires has none that can be had',
    a: { ...optional, methods: totpOnly },
    b: { ...requiredNow, methods: emailOnly },
    page: 'refused',
  },
  {
    what: 'no common method: the owner of the application',
    a: { ...optional, methods: totpOnly },
    b: { ...requiredNow, methods: emailOnly },
    owner: 'a',
    page: 'set up, must',
  },
  {
    what: 'no common method, and the owner of the application has none that can be had',
    a: { ...requiredNow, methods: totpOnly },
    b: { ...requiredNow, methods: emailOnly },
    owner: 'b',
    page: 'refused',
  },
];

for (const kind of kinds) {
  test(`${kind}: what a policy asks of owners, admins and members decides the page`, async (t) => {
    const roles = ['owner', 'admin', 'member'];
    const door = await open(t, kind, {
      configuration: {
        instance,
        organizations: requirements.map(([policy], n) => ({
          slug: `o${n}`,
          policy: { graceDays: 7, ...policy },
        })),
        users: requirements.flatMap((_, n) =>
          roles.map((role) => person(`${role}${n}`, [{ organization: `o${n}`, role }])),
        ),
        applications: [application('app')],
      },
    });
    for (const [n, [policy, ...pages]] of requirements.entries()) {
      for (const [index, role] of roles.entries()) {
        t.is(
          await pageFor(door, `${role}${n}`),
          pages[index] ?? '',
          `${role} under ${JSON.stringify(policy)}`,
        );
      }
    }
  });

  test(`${kind}: grace of 0, 7, 30 and 90 days says how many are left, and ends at its millisecond`, async (t) => {
    const door = await open(t, kind, {
      configuration: {
        instance,
        organizations: graces.map(([graceDays]) => ({
          slug: `g${graceDays}`,
          policy: requiredIn(graceDays),
        })),
        users: graces.map(([graceDays]) => person(`g${graceDays}`, [{ organization: `g${graceDays}` }])),
        applications: [application('app')],
      },
    });
    const moments = graces.flatMap(([graceDays, list]) =>
      list.map(([after, page]) => ({ graceDays, after, page })),
    );
    for (const { graceDays, after, page } of moments.toSorted((x, y) => x.after - y.after)) {
      door.clock.set(at(after));
      t.is(await pageFor(door, `g${graceDays}`), page, `${graceDays} days, ${after} ms later`);
    }
  });

  test(`${kind}: grace counts from the later of the requirement, joining, and becoming admin where only admins must`, async (t) => {
    const base = {
      instance,
      organizations: [
        { slug: 'all', policy: requiredIn(7) },
        { slug: 'admins', policy: { requirement: 'required_for_admins', graceDays: 7 } },
      ],
      applications: [application('app')],
    };
    const door = await open(t, kind, {
      configuration: {
        ...base,
        users: [
          person('early', [{ organization: 'all' }]),
          person('promoted', [{ organization: 'admins', role: 'member' }]),
          person('inall', [{ organization: 'all', role: 'member' }]),
        ],
      },
    });
    door.clock.set(at(days(5)));
    await door.apply({
      users: [
        person('late', [{ organization: 'all' }]),
        person('promoted', [{ organization: 'admins', role: 'admin' }]),
        person('inall', [{ organization: 'all', role: 'admin' }]),
      ],
    });
    t.is(await pageFor(door, 'early'), 'set up, skip 2');
    t.is(await pageFor(door, 'late'), 'set up, skip 7');
    t.is(await pageFor(door, 'promoted'), 'set up, skip 7');
    t.is(
      await pageFor(door, 'inall'),
      'set up, skip 2',
      'where everybody must, becoming admin gives no time',
    );
    door.clock.set(at(days(12)));
    for (const who of ['early', 'late', 'promoted', 'inall'])
      t.is(await pageFor(door, who), 'set up, must', who);
  });

  test(`${kind}: requirement, factor, coverage and what the application asks for decide page, acr and amr together`, async (t) => {
    const door = await open(t, kind, {
      configuration: {
        instance,
        organizations: combinations.map(({ policy, covered }, n) => ({
          slug: `o${n}`,
          policy: { ...policy, applications: covered ? 'all' : ['nothing'] },
        })),
        users: combinations.map(({ factor }, n) =>
          person(`u${n}`, [{ organization: `o${n}` }], factor ? { factors: { totp: secret } } : {}),
        ),
        applications: [application('app'), application('nothing'), ...assuring],
      },
    });
    for (const [n, { page, gets, client, ...rest }] of combinations.entries()) {
      const what = JSON.stringify({ ...rest, client });
      const browser = door.browser();
      await passwordStep(browser, `u${n}`, { client_id: client });
      t.is(pageOf(browser), page, what);
      await goOn(door, browser);
      if (typeof gets === 'string') t.is(pageOf(browser), gets, what);
      else t.deepEqual(claimsOf((await redeem(door, browser)).claims), gets as Record<string, unknown>, what);
    }
  });

  test(`${kind}: a fresh factor is asked for at every sign-in of the application that wants one, also in the same session`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(optional, { ada: { totp: secret } }, { applications: assuring }),
    });
    const browser = door.browser();
    await signIn(door, browser);
    await browser.authorize({ client_id: 'second' });
    t.deepEqual(
      claimsOf((await redeem(door, browser)).claims),
      bothSteps,
      'any factor of this session will do',
    );
    nextStep(door);
    await browser.authorize({ client_id: 'fresh' });
    t.is(pageOf(browser), 'challenge');
    await browser.press('Verify', { code: door.code() });
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), bothSteps);
    nextStep(door);
    await browser.authorize({ client_id: 'fresh', prompt: 'none' });
    t.is(pageOf(browser), 'interaction_required');
  });

  test(`${kind}: of two organizations the strictest rules hold, field by field (T092)`, async (t) => {
    const door = await open(t, kind, {
      configuration: {
        instance,
        organizations: pairs.flatMap(({ a, b }, n) => [
          { slug: `p${n}a`, policy: a },
          { slug: `p${n}b`, policy: b },
        ]),
        users: pairs.map((_, n) =>
          person(`u${n}`, [{ organization: `p${n}a` }, { organization: `p${n}b` }], { emailVerified: false }),
        ),
        applications: [
          application('app'),
          ...assuring,
          ...pairs.flatMap(({ owner }, n) =>
            owner ? [application(`own${n}`, { organization: `p${n}${owner}` })] : [],
          ),
        ],
      },
    });
    for (const [n, { what, owner, page }] of pairs.entries()) {
      t.is(await pageFor(door, `u${n}`, owner ? { client_id: `own${n}` } : {}), page, what);
    }
  });

  test(`${kind}: one organization that forbids remembered devices, or allows fewer days, is enough (T092)`, async (t) => {
    const organizations = [0, 7, 30].map((rememberDeviceDays) => ({
      slug: `r${rememberDeviceDays}`,
      policy: { rememberDeviceDays },
    }));
    const factors = { factors: { totp: secret } };
    const door = await open(t, kind, {
      configuration: {
        organizations,
        users: [
          person('none', [{ organization: 'r30' }, { organization: 'r0' }], factors),
          person('week', [{ organization: 'r30' }, { organization: 'r7' }], factors),
          person('month', [{ organization: 'r30' }], factors),
        ],
        applications: [application('app')],
      },
    });
    const offered = async (who: string) => {
      const browser = door.browser();
      await passwordStep(browser, who);
      t.is(pageOf(browser), 'challenge');
      return /Remember this device for \d+ days?/.exec(browser.text)?.[0] ?? null;
    };
    t.is(await offered('none'), null);
    t.is(await offered('week'), 'Remember this device for 7 days');
    t.is(await offered('month'), 'Remember this device for 30 days');

    const browser = door.browser();
    await signIn(door, browser, { who: 'none', remember: true });
    browser.cookies.forEach((_, key) => {
      if (key.startsWith('sallyport-session')) browser.cookies.delete(key);
    });
    await passwordStep(browser, 'none');
    t.is(pageOf(browser), 'challenge', 'a tick that was not offered is worth nothing');
  });

  test(`${kind}: people without an organization follow the instance’s rules, members only their organization’s`, async (t) => {
    const rows = [
      [{ requirement: 'optional' }, 'in'],
      [{ requirement: 'recommended' }, 'set up, not now'],
      [{ requirement: 'required_for_admins', graceDays: 0, others: 'optional' }, 'in'],
      [{ requirement: 'required_for_admins', graceDays: 0, others: 'recommended' }, 'set up, not now'],
      [requiredIn(30), 'set up, skip 30'],
      [requiredNow, 'set up, must'],
      [{ ...requiredNow, methods: emailOnly }, 'refused'],
    ] as const;
    const door = await open(t, kind, {
      configuration: {
        instance: { policy: optional },
        organizations: [{ slug: 'acme', policy: optional }],
        users: [person('alone', [], { emailVerified: false }), person('ada', [{ organization: 'acme' }])],
        applications: [application('app')],
      },
    });
    for (const [policy, page] of rows) {
      await door.apply({ instance: { policy: { methods: totpOnly, ...policy } } });
      t.is(await pageFor(door, 'alone'), page, JSON.stringify(policy));
    }
    t.is(await pageFor(door, 'ada'), 'in');
  });

  test(`${kind}: an organization that does not cover the application leaves it to the instance’s rules`, async (t) => {
    const door = await open(t, kind, {
      configuration: {
        ...acme({ ...requiredNow, applications: ['other'] }),
        instance: { policy: recommended },
      },
    });
    t.is(await pageFor(door, 'ada'), 'set up, not now');
    t.is(await pageFor(door, 'ada', { client_id: 'other' }), 'set up, must');
  });

  test(`${kind}: once grace is over nothing but the set-up is reachable, and nobody is signed in (T086)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        requiredNow,
        { ada: {} },
        { applications: [application('third', { firstParty: false })] },
      ),
    });
    const browser = door.browser();
    await passwordStep(browser);
    const page = interactionPath(browser);
    t.is(pageOf(browser), 'set up, must');

    const tries: readonly [string, Record<string, string>][] = [
      ['/skip', {}],
      ['/skip', { way: 'dismiss', postpone: '1' }],
      [
        '/skip',
        { way: 'skip', until: '2099-01-01', deadline: '4070908800000', graceDays: '90', daysLeft: '90' },
      ],
      ['/consent', {}],
      ['/codes', { saved: '1' }],
      ['/codes/download', {}],
      ['/recovery', { code: 'aaaa-aaaa-aaaa-aaaa' }],
      ['/recovery/continue', {}],
      ['/set-up-again', {}],
      ['/mailbox', { code: '000000' }],
      ['/mailbox/send', {}],
      ['/challenge/x', { code: '000000' }],
      ['/enrol', { method: 'passkey' }],
      ['/enrol', { method: 'email' }],
      ['/enrol', { method: '__proto__' }],
      ['/enrol/confirm', { code: '000000', method: 'none', verified: 'true' }],
    ];
    for (const [path, values] of tries) {
      await post(browser, `${page}${path}`, values);
      t.is(pageOf(browser), 'set up, must', `${path} ${JSON.stringify(values)}`);
    }
    for (const path of ['', '/ways', '/recovery', '/enrol', '?with=x', '?skip=1', '?prompt=none']) {
      await browser.open(`${page}${path}`);
      t.is(pageOf(browser), 'set up, must', `GET ${path}`);
    }
    await nobodySignedIn(t, door, browser);
    for (const client_id of ['app', 'other', 'third']) {
      const tab = browser.copy();
      await tab.authorize({ client_id });
      t.is(pageOf(tab), 'Sign in', `${client_id} begins with the password`);
      await tab.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
      t.is(pageOf(tab), 'set up, must', client_id);
    }
    const user = await door.db.row<{ postponed_until: number | null }>(
      'SELECT postponed_until FROM users WHERE email = ?',
      ['ada@acme.test'],
    );
    t.is(user?.postponed_until, null);
    const resuming = door.browser();
    await passwordStep(resuming);
    await resuming.open(interactionPath(resuming).replace('/interaction/', '/auth/'));
    t.is(pageOf(resuming), 'Sign in', 'the address that resumes the request begins anew');
    t.is((await setUp(door, browser)).codes.length, 8);
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), bothSteps, 'and the set-up still leads in');
  });

  test(`${kind}: "Skip for now" works until the deadline and not a millisecond longer, for sessions, refreshes and forms (T087)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(requiredIn(7), { ada: {}, bea: {}, cyd: {}, dan: {} }),
    });
    const deadline = days(7);
    door.clock.set(at(deadline - minutes(30)));
    const session = door.browser();
    await passwordStep(session, 'ada');
    await session.press('Skip for now');
    const first = await redeem(door, session);
    t.deepEqual(claimsOf(first.claims), onlyPassword);

    const cached = door.browser();
    await passwordStep(cached, 'bea');
    t.is(pageOf(cached), 'set up, skip last day');

    door.clock.set(at(deadline - 1));
    await session.authorize({ prompt: 'none' });
    t.deepEqual(
      claimsOf((await redeem(door, session)).claims),
      onlyPassword,
      'skipped once for this session',
    );
    const refresh = (token: unknown) =>
      door.post('/token', { grant_type: 'refresh_token', refresh_token: String(token) });
    const second = await refresh(first.body.refresh_token);
    t.is(second.status, 200);
    const late = door.browser();
    await passwordStep(late, 'dan');
    await late.press('Skip for now');
    t.is(pageOf(late), 'in');

    const between = door.browser();
    await passwordStep(between, 'cyd');
    const answered = await postOnly(between, 'Skip for now');
    t.is(answered.status, 303);

    door.clock.set(at(deadline));
    await between.open(answered.headers.get('Location') ?? '');
    t.is(pageOf(between), 'set up, must', 'skipped in time, but not in before the deadline');

    const lies = {
      until: '2099-01-01',
      deadline: '9999999999999',
      now: String(at(0).getTime()),
      tz: 'Pacific/Kiritimati',
      way: 'skip',
    };
    await cached.press('Skip for now', lies, { Date: at(0).toUTCString(), 'X-Timezone': 'Etc/GMT+12' });
    t.is(cached.status, 422);
    t.is(pageOf(cached), 'set up, must');
    t.not(cached.alert, '', 'and is told why');
    await notSignedIn(t, cached);

    await session.authorize();
    t.is(pageOf(session), 'set up, must');
    await session.authorize({ prompt: 'none' });
    t.is(pageOf(session), 'interaction_required');
    const third = await refresh(second.body.refresh_token);
    t.is(third.status, 400);
    t.is(third.body.error, 'invalid_grant');
  });

  test(`${kind}: shortening the grace shortens what is left at once, and lengthening counts from the same start`, async (t) => {
    const door = await open(t, kind, { configuration: acme(requiredIn(30)) });
    const apply = (policy: object) => door.apply({ organizations: [{ slug: 'acme', policy }] });
    const browser = door.browser();
    await passwordStep(browser);
    t.is(pageOf(browser), 'set up, skip 30');
    await browser.press('Skip for now');
    t.is(pageOf(browser), 'in');

    door.clock.set(at(days(3)));
    await apply({ graceDays: 7 });
    t.is(await pageFor(door, 'ada'), 'set up, skip 4');
    await apply({ graceDays: 3 });
    t.is(await pageFor(door, 'ada'), 'set up, must', 'three days are over at this very moment');
    await apply({ graceDays: 90 });
    t.is(await pageFor(door, 'ada'), 'set up, skip 87');
    await apply({ graceDays: 7, methods: ['totp'], rememberDeviceDays: 3 });
    t.is(await pageFor(door, 'ada'), 'set up, skip 4', 'other rules do not begin it anew');
    await apply({ applications: ['other'] });
    t.is(await pageFor(door, 'ada'), 'in');
    door.clock.set(at(days(5)));
    await apply({ applications: 'all' });
    t.is(await pageFor(door, 'ada'), 'set up, skip 2', 'nor does leaving the application out for a while');
  });

  test(`${kind}: leaving and rejoining, by way of apply, does not move the deadline (T089)`, async (t) => {
    const membership = (role = 'member') => [{ organization: 'acme', role }];
    const door = await open(t, kind, {
      configuration: {
        instance,
        organizations: [
          { slug: 'acme', policy: requiredIn(7) },
          { slug: 'wing', policy: { requirement: 'required_for_admins', graceDays: 7 } },
        ],
        users: [
          person('seen', membership()),
          person('unseen', membership()),
          person('other', membership()),
          person('flapper', [{ organization: 'wing', role: 'admin' }]),
          person('sleeper', [{ organization: 'wing', role: 'owner' }]),
        ],
        applications: [application('app')],
      },
    });
    t.is(await pageFor(door, 'seen'), 'set up, skip 7', 'grace has begun before their eyes');
    t.is(await pageFor(door, 'flapper'), 'set up, skip 7');

    door.clock.set(at(days(3)));
    const gone = ['seen', 'unseen', 'other', 'flapper', 'sleeper'];
    await door.apply({ users: gone.map((name) => person(name, [])) });
    for (const who of gone) t.is(await pageFor(door, who), 'in', `${who} has left`);

    door.clock.set(at(days(5)));
    await door.apply({
      users: [
        person('seen', membership()),
        person('unseen', membership()),
        person('other', membership('owner')),
        person('flapper', [{ organization: 'wing', role: 'member' }]),
        person('sleeper', [{ organization: 'wing', role: 'owner' }]),
      ],
    });
    t.is(await pageFor(door, 'seen'), 'set up, skip 2');
    t.is(await pageFor(door, 'unseen'), 'set up, skip 2', 'also for who never signed in before');
    t.is(await pageFor(door, 'other'), 'set up, skip 2', 'also in another role');
    t.is(await pageFor(door, 'sleeper'), 'set up, skip 2');
    t.is(await pageFor(door, 'flapper'), 'in', 'a plain member need not');
    await door.apply({ users: [person('flapper', [{ organization: 'wing', role: 'admin' }])] });
    t.is(await pageFor(door, 'flapper'), 'set up, skip 2', 'an admin again, with the old deadline');

    door.clock.set(at(days(7)));
    for (const who of gone) t.is(await pageFor(door, who), 'set up, must', who);
    await door.apply({ users: [person('seen', [])] });
    await door.apply({ users: [person('seen', membership())] });
    t.is(await pageFor(door, 'seen'), 'set up, must', 'nor after it is over');
  });

  test(`${kind}: an admin who had to before gains no time when everybody must`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        { requirement: 'required_for_admins', graceDays: 7 },
        { ada: { role: 'admin' }, bob: {} },
      ),
    });
    door.clock.set(at(days(5)));
    await door.apply({ organizations: [{ slug: 'acme', policy: requiredIn(7) }] });
    t.is(await pageFor(door, 'ada'), 'set up, skip 2');
    t.is(await pageFor(door, 'bob'), 'set up, skip 7');
  });

  test(`${kind}: who ever had a factor gets no grace after it was removed or reset (T090)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(requiredIn(90), { imported: { totp: secret }, own: {}, fresh: {} }),
    });
    const browser = door.browser();
    await passwordStep(browser, 'own');
    t.is(pageOf(browser), 'set up, skip 90');
    await setUp(door, browser);
    t.is(pageOf(browser), 'in');
    await door.db.change('DELETE FROM factors');
    t.is(await pageFor(door, 'own'), 'set up, must');
    t.is(await pageFor(door, 'imported'), 'set up, must');
    t.is(await pageFor(door, 'fresh'), 'set up, skip 90');
    await browser.authorize();
    t.is(pageOf(browser), 'set up, must', 'nor in the session in which it was proved');
    await browser.authorize({ prompt: 'none' });
    t.is(pageOf(browser), 'interaction_required');
  });

  test(`${kind}: "Not now" is asked again at the next sign-in, unless postponed for 30 days`, async (t) => {
    const door = await open(t, kind, { configuration: acme(recommended, { ada: {}, bob: {} }) });
    const browser = door.browser();
    await passwordStep(browser);
    t.is(pageOf(browser), 'set up, not now');
    await browser.press('Not now');
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), onlyPassword);
    await browser.authorize({ client_id: 'other', prompt: 'none' });
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), onlyPassword, 'once per session is enough');
    await browser.authorize({ acr_values: 'urn:sallyport:acr:2fa' });
    t.is(pageOf(browser), 'set up, must', 'but it is no answer to who asks for a factor');

    const postponing = door.browser();
    await passwordStep(postponing);
    t.is(pageOf(postponing), 'set up, not now', 'the next sign-in asks again');
    await postponing.press('Not now', { postpone: '1' });
    t.is(pageOf(postponing), 'in');
    t.is(await pageFor(door, 'ada'), 'in');
    t.is(await pageFor(door, 'bob'), 'set up, not now', 'one person’s choice is theirs alone');
    door.clock.set(at(days(30) - 1));
    t.is(await pageFor(door, 'ada'), 'in');
    door.clock.set(at(days(30)));
    t.is(await pageFor(door, 'ada'), 'set up, not now');
  });

  test(`${kind}: postponing a recommendation is worth nothing where it becomes a requirement, and skipping never postpones`, async (t) => {
    const door = await open(t, kind, { configuration: acme(recommended, { ada: {}, bob: {} }) });
    const browser = door.browser();
    await passwordStep(browser);
    await browser.press('Not now', { postpone: '1' });
    t.is(pageOf(browser), 'in');
    await door.apply({ organizations: [{ slug: 'acme', policy: requiredIn(7) }] });
    t.is(await pageFor(door, 'ada'), 'set up, skip 7');
    await browser.authorize();
    t.is(pageOf(browser), 'set up, skip 7', 'nor in the session in which it was chosen');

    const skipping = door.browser();
    await passwordStep(skipping, 'bob');
    await skipping.press('Skip for now', { postpone: '1', way: 'dismiss' });
    t.is(pageOf(skipping), 'in');
    await door.apply({ organizations: [{ slug: 'acme', policy: recommended }] });
    t.is(await pageFor(door, 'bob'), 'set up, not now');
  });

  test(`${kind}: a form of the recommendation that is posted after the requirement began does not lead in`, async (t) => {
    const door = await open(t, kind, { configuration: acme(recommended) });
    const browser = door.browser();
    await passwordStep(browser);
    await door.apply({ organizations: [{ slug: 'acme', policy: requiredNow }] });
    await browser.press('Not now', { postpone: '1' });
    t.is(pageOf(browser), 'set up, must');
    await nobodySignedIn(t, door, browser);
  });

  test(`${kind}: a policy that is turned on holds on the very next request of a running session (T091)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional) });
    const browser = door.browser();
    await passwordStep(browser);
    const first = await redeem(door, browser);
    t.deepEqual(claimsOf(first.claims), onlyPassword);
    const refresh = (token: unknown) =>
      door.post('/token', { grant_type: 'refresh_token', refresh_token: String(token) });
    const change = (policy: object) => door.apply({ organizations: [{ slug: 'acme', policy }] });

    await change(requiredIn(7));
    await browser.authorize({ prompt: 'none' });
    t.is(pageOf(browser), 'interaction_required');
    t.is(browser.callback?.get('state'), 'state');
    t.is(browser.callback?.get('iss'), door.issuer);
    const second = await refresh(first.body.refresh_token);
    t.is(second.status, 200, 'within grace it goes on');

    await change({ graceDays: 0 });
    for (const client_id of ['app', 'other']) {
      await browser.authorize({ client_id });
      t.is(pageOf(browser), 'set up, must', client_id);
      await browser.authorize({ client_id, prompt: 'none' });
      t.is(pageOf(browser), 'interaction_required', client_id);
      t.false(browser.callback?.has('code') ?? true);
    }
    const third = await refresh(second.body.refresh_token);
    t.is(third.body.error, 'invalid_grant');

    await browser.authorize();
    t.is(pageOf(browser), 'set up, must', 'without the password again');
    await setUp(door, browser);
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), bothSteps);
    await browser.authorize({ client_id: 'other', prompt: 'none' });
    t.deepEqual(claimsOf((await redeem(door, browser, 'other')).claims), bothSteps);
  });

  test(`${kind}: a policy that covers one application stops only that one, and one that is turned off lets go at once (T091)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional) });
    const browser = door.browser();
    await passwordStep(browser);
    t.is(pageOf(browser), 'in');
    await door.apply({
      organizations: [{ slug: 'acme', policy: { ...requiredNow, applications: ['other'] } }],
    });
    await browser.authorize();
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), onlyPassword);
    await browser.authorize({ client_id: 'other' });
    t.is(pageOf(browser), 'set up, must');
    await door.apply({ organizations: [{ slug: 'acme', policy: optional }] });
    await browser.open(browser.url);
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), onlyPassword);
  });

  test(`${kind}: a policy that is turned on between the password and the end of the sign-in holds (T091)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        optional,
        { ada: {} },
        { applications: [application('third', { firstParty: false })] },
      ),
    });
    const browser = door.browser();
    await passwordStep(browser, 'ada', { client_id: 'third' });
    t.is(browser.heading, 'Share with The third?');
    await door.apply({ organizations: [{ slug: 'acme', policy: requiredNow }] });
    await browser.press('Allow');
    t.is(pageOf(browser), 'set up, must');
    t.is((await door.db.rows('SELECT user_id FROM consents')).length, 0);
    await nobodySignedIn(t, door, browser);
  });

  test(`${kind}: an owner without a factor who requires one with apply is warned, and must set up (T098)`, async (t) => {
    const people = { olga: { role: 'owner' }, otto: { role: 'owner', totp: secret }, mia: {} };
    const door = await open(t, kind, { configuration: acme(optional, people) });
    const services = door.apps[0]?.services;
    if (!services) throw new Error('no server');
    const require = (dryRun: boolean, requirement: string) =>
      applyConfiguration(
        services,
        {
          name: 'test',
          text: JSON.stringify({
            organizations: [{ slug: 'acme', policy: { ...requiredNow, requirement } }],
          }),
        },
        { dryRun },
      );
    for (const requirement of ['required_for_admins', 'required_for_all']) {
      for (const dryRun of [true, false]) {
        const { warnings } = await require(dryRun, requirement);
        t.is(warnings.length, 1, requirement);
        t.regex(warnings[0] ?? '', /olga@acme\.test/);
        t.notRegex(warnings[0] ?? '', /otto|mia/);
      }
    }
    t.is(await pageFor(door, 'olga'), 'set up, must', 'not locked out');
    t.is(await pageFor(door, 'otto'), 'challenge');
    t.deepEqual((await require(true, 'optional')).warnings, []);
  });

  test(`${kind}: where only passkeys are allowed, a code of the app is asked for first and is not enough (T095)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme({ ...requiredNow, methods: passkeyOnly }, { ada: { totp: secret }, bob: {} }),
    });
    const browser = door.browser();
    await passwordStep(browser);
    t.is(pageOf(browser), 'challenge');
    t.notRegex(browser.text, /Remember this device/);
    await browser.press('Verify', { code: door.code(), remember: '1' });
    t.is(pageOf(browser), 'set up, must');
    t.is(browser.totpSecret, '', 'another app is not offered');
    nextStep(door);
    const page = interactionPath(browser);
    for (const [path, values] of [
      ['/enrol', { method: 'totp' }],
      ['/enrol/confirm', { code: door.code() }],
      ['/enrol/confirm', { credential: '{}' }],
      ['/skip', {}],
    ] as const) {
      await post(browser, `${page}${path}`, values);
      t.is(pageOf(browser), 'set up, must', path);
      t.is(browser.totpSecret, '', path);
    }
    await nobodySignedIn(t, door, browser);
    t.is(await pageFor(door, 'bob'), 'set up, must');
  });

  test(`${kind}: where none of the allowed methods can be had, a clear page says who can help (T095)`, async (t) => {
    const extra = { emailVerified: false };
    const door = await open(t, kind, {
      configuration: acme(
        { ...requiredNow, methods: emailOnly },
        { ada: { totp: secret, extra }, bob: { extra } },
      ),
    });
    const browser = door.browser();
    await passwordStep(browser);
    t.is(pageOf(browser), 'challenge');
    await browser.press('Verify', { code: door.code(), remember: '1' });
    t.is(pageOf(browser), 'refused');
    t.is(browser.status, 403);
    t.regex(browser.text, /An owner or admin of Acme Aviation can help/);
    await nobodySignedIn(t, door, browser);
    await browser.press('Back to The app');
    t.is(pageOf(browser), 'access_denied');
    t.is(await pageFor(door, 'bob'), 'refused');
  });

  test(`${kind}: within grace nobody is stopped, also where no allowed method can be set up yet (rule 6)`, async (t) => {
    const extra = { emailVerified: false };
    const door = await open(t, kind, {
      configuration: acme(
        { ...requiredIn(7), methods: emailOnly },
        { ada: { totp: secret, extra }, bob: { extra } },
      ),
    });
    const reached: Record<string, string> = {};
    for (const who of ['bob', 'ada']) {
      const browser = door.browser();
      await passwordStep(browser, who);
      await goOn(door, browser);
      if (browser.buttons.includes('Skip for now')) await browser.press('Skip for now');
      reached[who] = pageOf(browser);
    }
    t.deepEqual(reached, { bob: 'in', ada: 'in' });
    door.clock.set(at(days(7)));
    t.is(await pageFor(door, 'bob'), 'refused');
  });

  test(`${kind}: a recovery code satisfies no policy that does not allow the factor behind it (T095)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(requiredNow) });
    const first = door.browser();
    await passwordStep(first);
    const { codes } = await setUp(door, first);
    await door.apply({ organizations: [{ slug: 'acme', policy: { methods: passkeyOnly } }] });
    const browser = door.browser();
    await passwordStep(browser);
    await browser.follow('Use a recovery code');
    await browser.press('Verify', { code: codes[0] ?? '' });
    t.is(pageOf(browser), 'set up, must');
    await post(browser, `${interactionPath(browser)}/recovery/continue`);
    t.is(pageOf(browser), 'set up, must');
    await notSignedIn(t, browser);
  });

  test(`${kind}: after a reset a code from the mailbox comes before the set-up, and nothing goes around it (T103)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(requiredIn(30), { ada: { totp: secret } }),
    });
    const session = door.browser();
    const before = await signIn(door, session);
    nextStep(door);
    await reset(door, 'ada');

    await session.authorize({ prompt: 'none' });
    t.is(pageOf(session), 'interaction_required');
    await session.authorize();
    t.is(pageOf(session), 'mailbox', 'a session from before is no way around');
    const refreshed = await door.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(before.body.refresh_token),
    });
    t.is(refreshed.body.error, 'invalid_grant');

    nextStep(door);
    const browser = door.browser();
    await passwordStep(browser);
    const page = interactionPath(browser);
    t.is(pageOf(browser), 'mailbox');
    t.regex(browser.text, /ada@acme\.test/);
    const tries: readonly [string, Record<string, string>][] = [
      ['/enrol', { method: 'totp' }],
      ['/enrol/confirm', { code: door.code() }],
      ['/skip', { way: 'skip' }],
      ['/skip', { way: 'dismiss', postpone: '1' }],
      ['/challenge/x', { code: door.code() }],
      ['/consent', {}],
      ['/codes', { saved: '1' }],
      ['/set-up-again', {}],
      ['/recovery', { code: 'aaaa-aaaa-aaaa-aaaa' }],
      ['/mailbox', { code: '', verified: '1', emailVerified: 'true' }],
    ];
    for (const [path, values] of tries) {
      await post(browser, `${page}${path}`, values);
      t.is(pageOf(browser), 'mailbox', path);
      t.is(browser.totpSecret, '', path);
    }
    await browser.open(`${page}/enrol`);
    t.is(pageOf(browser), 'mailbox');
    t.notRegex(browser.text, /data-totp-secret/);
    const code = await mailedCode(door);
    t.regex(code ?? '', /^\d{6}$/);
    t.false(browser.text.includes(code ?? '?'), 'the code is in the mail only');

    await browser.press('Verify', { code: `${code?.slice(0, 3)} ${code?.slice(3)}` });
    t.is(pageOf(browser), 'set up, must', 'no grace after a reset');
    await notSignedIn(t, browser);
    const done = await setUp(door, browser);
    t.is(done.codes.length, 8);
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), bothSteps, 'the mailbox is no factor');
    nextStep(door);
    t.is(await pageFor(door, 'ada'), 'challenge', 'and the reset is answered');
  });

  test(`${kind}: a mailbox code that is wrong, expired, replaced, used or of another sign-in is refused (T034)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional, { ada: {}, bob: {} }) });
    await reset(door, 'ada');
    await reset(door, 'bob');
    const browser = door.browser();
    await passwordStep(browser);
    const code = (await mailedCode(door)) ?? '';
    const wrong = code === '123456' ? '654321' : '123456';
    await browser.press('Verify', { code: wrong });
    t.is(browser.status, 422);
    t.is(pageOf(browser), 'mailbox');
    t.not(browser.alert, '');

    const bob = door.browser();
    await passwordStep(bob, 'bob');
    await bob.press('Verify', { code });
    t.is(pageOf(bob), 'mailbox', 'somebody else’s code');

    door.clock.forward(1000);
    const second = door.browser();
    await passwordStep(second);
    const newer = (await mailedCode(door)) ?? '';
    if (newer !== code) {
      await second.press('Verify', { code });
      t.is(pageOf(second), 'mailbox', 'the code of the other sign-in');
      await browser.press('Verify', { code: newer });
      t.is(pageOf(browser), 'mailbox', 'and the reverse');
    }

    door.clock.forward(minutes(10) - 1000);
    await browser.press('Verify', { code });
    t.is(pageOf(browser), 'mailbox', 'ten minutes are over');
    t.is(browser.status, 422);
  });

  test(`${kind}: a mailbox code works to its last second, once, and a new one replaces it (T034)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional, { ada: {}, bob: {} }) });
    await reset(door, 'ada');
    await reset(door, 'bob');
    const browser = door.browser();
    await passwordStep(browser);
    const first = (await mailedCode(door)) ?? '';
    door.clock.forward(minutes(1));
    await browser.press('Send a new code');
    t.is(pageOf(browser), 'mailbox');
    const second = (await mailedCode(door)) ?? '';
    if (first !== second) {
      await browser.press('Verify', { code: first });
      t.is(pageOf(browser), 'mailbox', 'the first one is replaced');
    }
    const copies = Array.from({ length: 4 }, () => browser.copy());
    door.clock.forward(minutes(10) - 1);
    await Promise.all(copies.map((copy) => copy.press('Verify', { code: second })));
    t.true(copies.some((copy) => pageOf(copy) === 'set up, must'));
    t.true(copies.every(({ status }) => status < 500));
    door.clock.forward(1);
    const replay = door.browser();
    await passwordStep(replay);
    await replay.press('Verify', { code: second });
    t.is(pageOf(replay), 'mailbox');
  });

  test(`${kind}: guessing mailbox codes is stopped, and a new code or a new sign-in does not begin the count anew (T037)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional) });
    await reset(door, 'ada');
    const browser = door.browser();
    await passwordStep(browser);
    const code = (await mailedCode(door)) ?? '';
    const wrong = code === '123456' ? '654321' : '123456';
    for (let n = 0; n < 5; n += 1) await browser.press('Verify', { code: wrong });
    await browser.press('Verify', { code });
    t.is(browser.status, 429, 'the right one is not even looked at');
    t.truthy(browser.headers.get('Retry-After'));
    door.clock.forward(1000);
    await browser.press('Send a new code');
    const newer = (await mailedCode(door)) ?? '';
    await browser.press('Verify', { code: newer });
    t.is(browser.status, 429);
    const other = door.browser();
    await passwordStep(other);
    await other.press('Verify', { code: newer });
    t.is(other.status, 429);
    door.clock.forward(29_000);
    await browser.press('Verify', { code: newer });
    t.is(pageOf(browser), 'set up, must', 'and who waits may go on');
  });

  test(`${kind}: new mailbox codes are sent to the verified address only, and not without end (T037, T038)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional) });
    await reset(door, 'ada');
    const browser = door.browser();
    await passwordStep(browser);
    for (let n = 0; n < 20; n += 1) {
      door.clock.forward(1000);
      await browser.press('Send a new code', {
        to: 'eve@evil.test',
        email: 'eve@evil.test',
        'email[]': 'eve@evil.test',
      });
    }
    t.is(browser.status, 429);
    const inbox = door.browser();
    await inbox.open('/dev/inbox');
    const to = [...inbox.text.matchAll(/<small>([^ ]+) ·/g)].map(([, address]) => address);
    t.deepEqual([...new Set(to)], ['ada@acme.test']);
    t.true(to.length <= 3, `${to.length} mails within 20 seconds`);
  });

  test(`${kind}: a page that could not send a mailbox code does not say that it did (T037)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional) });
    await reset(door, 'ada');
    for (let n = 0; n < 3; n += 1) await passwordStep(door.browser());
    const sent = () => door.db.rows("SELECT id FROM audit_events WHERE type = 'mailbox.sent'");
    const before = (await sent()).length;
    const browser = door.browser();
    await passwordStep(browser);
    t.is((await sent()).length, before, 'there were too many already');
    t.is(pageOf(browser), 'mailbox');
    t.true(browser.alert !== '' || !/We sent a 6-digit code/.test(browser.text));
  });

  test(`${kind}: a reset of somebody whose address was never confirmed ends on a clear page, and in nobody’s session`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(optional, { ada: { extra: { emailVerified: false } } }),
    });
    await reset(door, 'ada');
    const browser = door.browser();
    await passwordStep(browser);
    t.is(pageOf(browser), 'refused');
    t.is(browser.status, 403);
    t.regex(browser.text, /never confirmed/);
    t.regex(browser.text, /An owner or admin of Acme Aviation can help/);
    const page = interactionPath(browser);
    for (const path of ['/mailbox', '/mailbox/send', '/enrol', '/enrol/confirm', '/skip', '/consent']) {
      await post(browser, `${page}${path}`, { code: '000000', method: 'totp' });
      t.is(pageOf(browser), 'refused', path);
    }
    t.is(await mailedCode(door), null);
    await nobodySignedIn(t, door, browser);
    await browser.press('Back to The app');
    t.is(pageOf(browser), 'access_denied');
  });

  test(`${kind}: after a recovery code the person is told what is left, and no used code is replaced where that is not wanted`, async (t) => {
    const policy = { ...requiredNow, recoveryCodes: { showAgain: true, replaceUsed: false } };
    const door = await open(t, kind, { configuration: acme(policy) });
    const first = door.browser();
    await passwordStep(first);
    const { codes, secret: mine } = await setUp(door, first);
    for (const [n, code] of codes.entries()) {
      door.clock.forward(minutes(1));
      const browser = door.browser();
      await passwordStep(browser);
      await browser.follow('Use a recovery code');
      await browser.press('Verify', { code: n % 2 ? code.toUpperCase().replaceAll('-', ' ') : code });
      t.is(browser.heading, 'You used a recovery code', `code ${n + 1}`);
      const left = 7 - n;
      t.true(
        browser.text.includes(
          left === 0 ? 'That was your last one.' : `${left} code${left === 1 ? '' : 's'} left.`,
        ),
        `${left} left`,
      );
      t.notRegex(browser.text, /new code has taken its place/);
      t.is(browser.callback, null, 'nobody is in before they have read it');
      await browser.press('Continue');
      t.deepEqual(claimsOf((await redeem(door, browser)).claims), bothSteps);
    }
    const last = door.browser();
    await passwordStep(last);
    t.notRegex(last.text, /Use a recovery code/, 'none is left to offer');
    await post(last, `${interactionPath(last)}/recovery`, { code: codes[0] ?? '' });
    t.is(pageOf(last), 'challenge');
    await last.press('Verify', { code: door.code(0, mine) });
    t.is(pageOf(last), 'Few recovery codes are left', 'the app still works, and says that none is left');
    await last.press('Continue');
    t.is(pageOf(last), 'in');
  });

  test(`${kind}: eight codes remain where used ones are replaced, and the used one is dead`, async (t) => {
    const policy = { ...requiredNow, recoveryCodes: { showAgain: true, replaceUsed: true } };
    const door = await open(t, kind, { configuration: acme(policy) });
    const first = door.browser();
    await passwordStep(first);
    const { codes } = await setUp(door, first);
    for (const code of codes.slice(0, 3)) {
      door.clock.forward(minutes(1));
      const browser = door.browser();
      await passwordStep(browser);
      await browser.follow('Use a recovery code');
      await browser.press('Verify', { code });
      t.regex(browser.text, /8 codes left\./);
      t.is(browser.recoveryCodes.length, 1, 'the new one is shown');
    }
    const again = door.browser();
    await passwordStep(again);
    await again.follow('Use a recovery code');
    await again.press('Verify', { code: codes[0] ?? '' });
    t.is(again.status, 422);
  });

  test(`${kind}: a replaced recovery code that is never shown again is shown then, or not promised`, async (t) => {
    const policy = { ...requiredNow, recoveryCodes: { showAgain: false, replaceUsed: true } };
    const door = await open(t, kind, { configuration: acme(policy) });
    const first = door.browser();
    await passwordStep(first);
    const { codes } = await setUp(door, first);
    const browser = door.browser();
    await passwordStep(browser);
    await browser.follow('Use a recovery code');
    await browser.press('Verify', { code: codes[0] ?? '' });
    t.true(browser.recoveryCodes.length === 1 || !/You find it on your account page/.test(browser.text));
    t.true(
      browser.recoveryCodes.length === 1 || /7 codes left\./.test(browser.text),
      'a code that nobody can ever see does not count as left',
    );
  });

  test(`${kind}: after a recovery code one may set up again: the new app replaces the old one, and one may change one’s mind`, async (t) => {
    const door = await open(t, kind, { configuration: acme(requiredNow) });
    const first = door.browser();
    await passwordStep(first);
    const { codes, secret: old } = await setUp(door, first);

    const hesitating = door.browser();
    await passwordStep(hesitating);
    await hesitating.follow('Use a recovery code');
    await hesitating.press('Verify', { code: codes[0] ?? '' });
    await hesitating.press('Set up again');
    t.is(pageOf(hesitating), 'set up, not now');
    t.regex(hesitating.text, /It replaces what you had of the same kind/);
    t.notRegex(hesitating.text, /Do not ask again/, 'nobody asks by itself here');
    await hesitating.press('Not now', { postpone: '1' });
    t.deepEqual(claimsOf((await redeem(door, hesitating)).claims), bothSteps);
    const user = await door.db.row<{ postponed_until: number | null }>('SELECT postponed_until FROM users');
    t.is(user?.postponed_until, null);

    door.clock.forward(minutes(1));
    const browser = door.browser();
    await passwordStep(browser);
    await browser.follow('Use a recovery code');
    await browser.press('Verify', { code: codes[1] ?? '' });
    await browser.press('Set up again');
    const fresh = browser.totpSecret;
    t.not(fresh, old);
    await browser.press('Confirm setup', { code: door.code(0, old) });
    t.is(browser.status, 422, 'the old app’s code confirms nothing');
    await browser.press('Confirm setup', { code: door.code(0, fresh) });
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), bothSteps);
    t.is((await door.db.rows('SELECT id FROM factors')).length, 1);

    door.clock.forward(minutes(1));
    const next = door.browser();
    await passwordStep(next);
    await next.press('Verify', { code: door.code(0, old) });
    t.is(next.status, 422, 'the lost app opens nothing');
    await next.press('Verify', { code: door.code(0, fresh) });
    t.is(pageOf(next), 'in');
  });

  test(`${kind}: one may not set up again before the recovery code was accepted (T080)`, async (t) => {
    const door = await open(t, kind, { configuration: acme(requiredNow, { ada: { totp: secret } }) });
    const browser = door.browser();
    await passwordStep(browser);
    const page = interactionPath(browser);
    for (const path of ['/set-up-again', '/enrol', '/enrol/confirm', '/recovery/continue', '/skip']) {
      await post(browser, `${page}${path}`, { method: 'totp', code: door.code() });
      t.is(pageOf(browser), 'challenge', path);
    }
    t.is((await door.db.rows('SELECT id FROM factors')).length, 1);
    await browser.press('Verify', { code: door.code() });
    t.is(pageOf(browser), 'in', 'and the code was not spent on any of them');
  });

  test(`${kind}: a disabled person is answered as if the password were wrong, wherever they stood`, async (t) => {
    const door = await open(t, kind, { configuration: acme(optional, { ada: {}, bob: { totp: secret } }) });
    const session = door.browser();
    await passwordStep(session);
    const before = await redeem(door, session);
    await session.authorize();
    const unredeemed = { code: session.callback?.get('code') ?? '', verifier: session.verifier };
    const half = door.browser();
    await passwordStep(half, 'bob');
    const wrong = door.browser();
    await wrong.authorize();
    await wrong.press('Sign in', { email: 'ada@acme.test', password: 'something else' });

    await door.apply({
      users: [
        { email: 'ada@acme.test', disabled: true },
        { email: 'bob@acme.test', disabled: true },
      ],
    });
    const browser = door.browser();
    await passwordStep(browser);
    t.is(browser.status, wrong.status);
    t.is(browser.alert, wrong.alert);
    await session.authorize({ prompt: 'none' });
    t.is(pageOf(session), 'login_required');
    const refreshed = await door.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(before.body.refresh_token),
    });
    t.is(refreshed.body.error, 'invalid_grant');
    t.is((await door.tokens(unredeemed.code, unredeemed.verifier)).body.error, 'invalid_grant');
    await half.press('Verify', { code: door.code() });
    t.is(half.callback, null);
    t.is(half.status, 400);

    await door.apply({ users: [{ email: 'ada@acme.test', disabled: false }] });
    await session.authorize({ prompt: 'none' });
    t.is(pageOf(session), 'login_required', 'the old session stays dead');
    t.is(await pageFor(door, 'ada'), 'in');
  });

  test(`${kind}: consent for an application of others is asked once, remembered, and asked again for more`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        optional,
        { ada: {}, bob: {} },
        {
          applications: [
            application('third', { firstParty: false, policy_uri: 'https://third.test/privacy' }),
            application('fourth', { firstParty: false }),
            application('theirs', { organization: 'birch' }),
          ],
          organizations: [{ slug: 'birch', name: 'Birch', policy: { methods: ['totp'] } }],
        },
      ),
    });
    const third = { client_id: 'third', scope: 'openid email' };
    const browser = door.browser();
    await browser.authorize({ ...third, prompt: 'none' });
    t.is(pageOf(browser), 'login_required');
    await passwordStep(browser, 'ada', third);
    t.is(browser.heading, 'Share with The third?');
    t.regex(browser.text, /See your e-mail address/);
    t.notRegex(browser.text, /See your name and language/);
    await browser.press('Cancel');
    t.is(pageOf(browser), 'access_denied');
    t.is(browser.callback?.get('state'), 'state');
    await nobodySignedIn(t, door, browser, 'who cancels is not signed in');

    await passwordStep(browser, 'ada', third);
    t.is(browser.heading, 'Share with The third?');
    await browser.press('Allow');
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), onlyPassword);
    await browser.authorize({ ...third, prompt: 'none' });
    t.is(pageOf(browser), 'in', 'asked once');
    t.is(await pageFor(door, 'ada', third), 'in', 'and remembered for the next sign-in');
    t.is(await pageFor(door, 'bob', third), 'Share with The third?', 'for this person only');
    t.is(
      await pageFor(door, 'ada', { client_id: 'fourth' }),
      'Share with The fourth?',
      'and this application only',
    );

    const more = { client_id: 'third', scope: 'openid profile' };
    await browser.authorize({ ...more, prompt: 'none' });
    t.true(['consent_required', 'interaction_required'].includes(pageOf(browser)));
    await browser.authorize(more);
    t.is(browser.heading, 'Share with The third?');
    t.regex(browser.text, /See your name and language/);
    await browser.press('Allow');
    t.is(pageOf(browser), 'in');
    t.is(await pageFor(door, 'ada', { client_id: 'third', scope: 'openid profile' }), 'in');

    await browser.authorize({ ...third, prompt: 'consent' });
    t.is(browser.heading, 'Share with The third?', 'the application may ask anew');

    // An organization's own application is everybody else's third party, from the moment on that they do not belong there.
    const theirs = { client_id: 'theirs', scope: 'openid email' };
    t.is(await pageFor(door, 'ada', theirs), 'Share with The theirs?', 'of an organization that is not hers');
    const belongs = (...slugs: string[]) =>
      door.apply({
        users: [{ email: 'ada@acme.test', memberships: slugs.map((organization) => ({ organization })) }],
      });
    await belongs('acme', 'birch');
    const member = door.browser();
    await passwordStep(member, 'ada', theirs);
    t.is(pageOf(member), 'in', 'to its members it is their own');
    await member.authorize({ ...theirs, prompt: 'none' });
    t.is(pageOf(member), 'in');
    await belongs('acme');
    await member.authorize({ ...theirs, prompt: 'none' });
    t.is(pageOf(member), 'consent_required', 'also in the session in which it was');
    await member.authorize(theirs);
    await member.press('Allow');
    t.is(pageOf(member), 'in');
    await member.authorize({ ...theirs, prompt: 'none' });
    t.is(pageOf(member), 'in', 'asked once');
  });

  test(`${kind}: an application of others that asks for single claims needs the same consent as for their scopes (T130)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        optional,
        { ada: { extra: { phone: '+4915112345678' } } },
        {
          applications: [
            application('third', { firstParty: false }),
            application('fourth', { firstParty: false }),
          ],
        },
      ),
    });
    const claims = JSON.stringify({
      userinfo: { email: { essential: true }, phone_number: null },
      id_token: { name: null },
    });
    const plain = { client_id: 'third', scope: 'openid' };
    const browser = door.browser();
    await passwordStep(browser, 'ada', plain);
    await browser.press('Allow');
    t.is(pageOf(browser), 'in');
    await browser.authorize({ ...plain, claims, prompt: 'none' });
    t.true(
      ['consent_required', 'interaction_required'].includes(pageOf(browser)),
      'what was allowed before does not cover them',
    );
    for (const client_id of ['third', 'fourth']) {
      await browser.authorize({ client_id, scope: 'openid', claims });
      t.regex(browser.heading, /^Share with The/);
      for (const sentence of [/See your e-mail address/, /See your name and language/, /phone number/i]) {
        t.regex(browser.text, sentence);
      }
      await browser.press('Cancel');
      t.is(pageOf(browser), 'access_denied');
      await browser.authorize({ client_id, scope: 'openid', claims });
      if (browser.heading === 'Sign in')
        await passwordStep(browser, 'ada', { client_id, scope: 'openid', claims });
      await browser.press('Allow');
      t.is((await redeem(door, browser)).claims.name, 'ada');
      await browser.authorize({ client_id, scope: 'openid', claims, prompt: 'none' });
      t.is(pageOf(browser), 'in', 'asked once');
    }
  });

  test(`${kind}: consent for something else takes back nothing that was granted before`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        optional,
        { ada: {} },
        { applications: [application('third', { firstParty: false })] },
      ),
    });
    const pages: string[] = [];
    for (const scope of [
      'openid email',
      'openid profile',
      'openid email',
      'openid',
      'openid profile email',
    ]) {
      const browser = door.browser();
      await passwordStep(browser, 'ada', { client_id: 'third', scope });
      pages.push(pageOf(browser));
      if (browser.callback === null) await browser.press('Allow');
    }
    t.deepEqual(pages, ['Share with The third?', 'Share with The third?', 'in', 'in', 'in']);
  });

  test(`${kind}: consent comes after every proof, and its form leads nowhere before (T003)`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        optional,
        { ada: { totp: secret } },
        { applications: [application('third', { firstParty: false })] },
      ),
    });
    const browser = door.browser();
    await browser.authorize({ client_id: 'third' });
    await post(browser, `${interactionPath(browser)}/consent`);
    t.is(pageOf(browser), 'Sign in');
    await browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
    await post(browser, `${interactionPath(browser)}/consent`);
    t.is(pageOf(browser), 'challenge');
    await browser.press('Verify', { code: door.code() });
    t.is(browser.heading, 'Share with The third?');
    t.is((await door.db.rows('SELECT user_id FROM consents')).length, 0);
    await browser.press('Allow');
    t.deepEqual(claimsOf((await redeem(door, browser)).claims), bothSteps);
  });

  test(`${kind}: words that are no scope of ours are not put to the person who is asked`, async (t) => {
    const door = await open(t, kind, {
      configuration: acme(
        optional,
        { ada: {} },
        { applications: [application('third', { firstParty: false })] },
      ),
    });
    const browser = door.browser();
    await passwordStep(browser, 'ada', {
      client_id: 'third',
      scope: 'openid email NOTHING-AT-ALL-JUST-PRESS-ALLOW',
    });
    t.is(browser.heading, 'Share with The third?');
    t.notRegex(browser.text, /NOTHING-AT-ALL/);
  });
}

/** This browser has no session; others may. */
async function notSignedIn(t: ExecutionContext, browser: Browser) {
  const tab = browser.copy();
  await tab.authorize({ prompt: 'none' });
  t.is(tab.callback?.get('error'), 'login_required');
}
