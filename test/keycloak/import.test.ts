import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { generateSync } from 'otplib';
import { projectRoot } from '../../config/settings.ts';
import type { FactorRow } from '../../entities/factors.ts';
import { userByEmail } from '../../entities/users.ts';
import { inBase32 } from '../../factors/totp.ts';
import { applyConfiguration } from '../../flows/apply-configuration.ts';
import { importKeycloak, readKeycloak } from '../../flows/import-keycloak.ts';
import { type LeftBehind, RealmError } from '../../flows/keycloak-realm.ts';
import { freshWorld, kinds, type World } from '../configuration/fresh-database.ts';
import { application, type FrontDoor, frontDoor, password, passwordHash, redeem } from '../front-door/rig.ts';

/** People and organizations as Keycloak 26.7.3 exported them; test-keycloak/import.test.ts makes it anew (KEYCLOAK_FIXTURE). */
const fixture = readFileSync(path.join(projectRoot, 'test/keycloak/realm.json'), 'utf8');

const options = {
  organization: null,
  owners: [],
  admins: ['staff/admins'],
  rpId: 'localhost',
  keycloakHost: 'localhost',
  realm: null,
};

type Fields = Record<string, unknown>;

const realmOf = (users: readonly object[], more: object = {}) => [
  { name: 'realm.json', text: JSON.stringify({ realm: 'moved', users, ...more }) },
];
const read = (users: readonly object[], more: object = {}, changed: object = {}) =>
  readKeycloak(realmOf(users, more), { ...options, ...changed });
const said = (left: readonly LeftBehind[]) => left.map(({ who, what, why }) => `${who}: ${what}: ${why}`);

const secretOf = (username: string): string => {
  const { users } = JSON.parse(fixture) as {
    users: { username: string; credentials: { type: string; secretData: string }[] }[];
  };
  const otp = users
    .find((user) => user.username === username)
    ?.credentials.find(({ type }) => type === 'otp');
  return inBase32(Buffer.from((JSON.parse(otp?.secretData ?? '{}') as { value: string }).value, 'utf8'));
};

async function signsIn(door: FrontDoor, who: string, code?: Parameters<typeof generateSync>[0]) {
  const browser = door.browser();
  await browser.authorize();
  await browser.press('Sign in', { email: `${who}@acme.test`, password });
  if (code) {
    t8(browser.text, code.digits);
    const epoch = Math.floor(door.clock.now().getTime() / 1000);
    await browser.press('Verify', { code: generateSync({ ...code, epoch }) });
  }
  return browser.callback === null ? browser.alert : (await redeem(door, browser)).claims.amr;
}

function t8(text: string, digits = 6): void {
  if (!text.includes(`Enter the ${digits}-digit code`))
    throw new Error(`the page does not say ${digits} digits`);
}

for (const kind of kinds) {
  test(`${kind}: people whom Keycloak exported sign in with what they had, and a second run takes nothing back (N)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: { applications: [application('app')] } });
    const services = door.apps[0]?.services as FrontDoor['apps'][0]['services'];
    const found = readKeycloak([{ name: 'realm.json', text: fixture }], options);
    const dry = await importKeycloak(services, found, { dryRun: true });
    t.is(dry.changes.length, 10);
    t.is(await userByEmail(door.db, 'pia@acme.test'), null);
    const { changes, left } = await importKeycloak(services, found);
    t.is(changes.length, 10);
    t.deepEqual(said(left).sort(), [
      'nobody: the account: has no e-mail address, by which people sign in here',
      'null: the domains of acme (acme.test): they are proved anew here',
      'uma: the password: was to be changed: a new one is chosen by "Forgotten your password?"',
      'vera: the required action CONFIGURE_TOTP: a policy asks people to set up here',
    ]);

    for (const who of ['pia', 'paul', 'otto']) t.deepEqual(await signsIn(door, who), ['pwd'], who);
    t.deepEqual(await signsIn(door, 'argo', { secret: secretOf('argo') }), ['pwd', 'otp', 'mfa']);
    t.deepEqual(
      await signsIn(door, 'tom', { secret: secretOf('tom'), algorithm: 'sha256', digits: 8, period: 60 }),
      ['pwd', 'otp', 'mfa'],
    );
    for (const who of ['uma', 'dora']) t.is(typeof (await signsIn(door, who)), 'string', who);

    const roles = await door.db.rows<Fields>(
      'SELECT u.email, m.role FROM memberships m JOIN users u ON u.id = m.user_id ORDER BY u.email',
    );
    t.deepEqual(
      roles.map(({ email, role }) => [email, role]),
      [
        ['argo@acme.test', 'admin'],
        ['pia@acme.test', 'member'],
        ['wanda@acme.test', 'member'],
      ],
    );
    const passkeys = await door.db.rows<FactorRow>("SELECT * FROM factors WHERE method = 'passkey'");
    t.is(passkeys.length, 1);
    t.truthy(passkeys[0]?.lookup);
    t.is((await userByEmail(door.db, 'vera@acme.test'))?.email_verified, 0);
    t.not((await userByEmail(door.db, 'dora@acme.test'))?.disabled_at, null);

    // Pia's hash is one of ours by now, and stays.
    const before = await userByEmail(door.db, 'pia@acme.test');
    t.regex(before?.password_hash ?? '', /^\$argon2id\$/);
    const again = await importKeycloak(services, found);
    t.deepEqual(again.changes, []);
    t.is(again.unchanged.users, 9);
    t.deepEqual(await userByEmail(door.db, 'pia@acme.test'), before);
    t.true(
      said(again.left).includes(
        'pia@acme.test: password, factors and profile: the person is here already, and keeps their own',
      ),
    );
  });

  test(`${kind}: an account that is here already is opened by nothing that another system says (N)`, async (t) => {
    const world = await freshWorld(t, kind);
    await applyConfiguration(world, {
      name: 'here',
      text: JSON.stringify({
        organizations: [{ slug: 'acme', name: 'Our own name' }, { slug: 'left' }],
        users: [
          {
            email: 'pia@acme.test',
            name: 'Pia Here',
            passwordHash,
            memberships: [{ organization: 'acme', role: 'owner' }, { organization: 'left' }],
          },
        ],
      }),
    });
    await applyConfiguration(world, {
      name: 'here',
      text: JSON.stringify({
        users: [{ email: 'pia@acme.test', memberships: [{ organization: 'acme', role: 'owner' }] }],
      }),
    });
    const before = await userByEmail(world.db, 'pia@acme.test');
    const found = readKeycloak([{ name: 'realm.json', text: fixture }], {
      ...options,
      organization: 'left',
      admins: [],
    });
    const { changes } = await importKeycloak(world, found);
    t.deepEqual(
      changes.filter(({ kind: how, what }) => how === 'changed' || what === 'organizations'),
      [],
    );
    t.deepEqual(await userByEmail(world.db, 'pia@acme.test'), before);
    const memberships = await world.db.rows<Fields>(
      `SELECT o.slug, o.name, m.role, m.removed_at FROM memberships m JOIN organizations o ON o.id = m.organization_id
       WHERE m.user_id = ? ORDER BY o.slug`,
      [before?.id ?? ''],
    );
    t.deepEqual(
      memberships.map(({ slug, name, role, removed_at }) => [slug, name, role, removed_at === null]),
      [
        ['acme', 'Our own name', 'owner', true],
        ['left', 'left', 'member', false],
      ],
    );
  });
}

test('10 000 people of a realm are there in under a minute (N)', async (t) => {
  const world: World = await freshWorld(t, 'SQLite');
  const [model] = (JSON.parse(fixture) as { users: Fields[] }).users.filter(
    ({ username }) => username === 'argo',
  );
  const users = Array.from({ length: 10_000 }, (_, n) => ({
    ...model,
    id: `id-${n}`,
    username: `user${n}`,
    email: `user${n}@acme.test`,
  }));
  const began = performance.now();
  const told: number[] = [];
  const found = read(users, {}, { organization: 'acme' });
  const { changes, left } = await importKeycloak(world, found, {
    onProgress: ({ stage, done }) => void (stage === 'users' && told.push(done)),
  });
  t.true(performance.now() - began < 60_000);
  t.is(changes.length, 10_001);
  t.is(told.at(-1), 10_000);
  t.deepEqual(left, []);
  t.is(Number((await world.db.row<{ n: number }>('SELECT COUNT(*) AS n FROM factors'))?.n), 10_000);
});

const ada = { id: 'f3', username: 'ada', email: 'Ada@Acme.test', emailVerified: true, enabled: true };
const otp = (data: object, value = 'abcdefghijklmnopqrst') => ({
  type: 'otp',
  secretData: JSON.stringify({ value }),
  credentialData: JSON.stringify({ subType: 'totp', digits: 6, period: 30, algorithm: 'HmacSHA1', ...data }),
});
const hashed = (data: object) => ({
  type: 'password',
  secretData: JSON.stringify({
    value: 'A'.repeat(44),
    salt: 'c2FsbHlwb3J0LXNhbHQtMTY=',
    additionalParameters: {},
  }),
  credentialData: JSON.stringify({
    hashIterations: 5,
    algorithm: 'argon2',
    additionalParameters: {},
    ...data,
  }),
});
const passkey = (JSON.parse(fixture) as { users: { username: string; credentials: Fields[] }[] }).users
  .find(({ username }) => username === 'wanda')
  ?.credentials.find(({ type }) => type === 'webauthn') as Fields;

for (const [title, user, more, expected] of [
  ['an app that counts uses', { credentials: [otp({ subType: 'hotp' })] }, {}, /counts uses instead of time/],
  ['an app with 7 digits', { credentials: [otp({ digits: 7 })] }, {}, /its codes have 7 digits/],
  [
    'an app with another algorithm',
    { credentials: [otp({ algorithm: 'HmacMD5' })] },
    {},
    /HmacMD5 is not known here/,
  ],
  ['an app that changes every second', { credentials: [otp({ period: 1 })] }, {}, /change every 1 seconds/],
  ['an app with a short secret', { credentials: [otp({}, 'short')] }, {}, /less than 10 bytes/],
  [
    'an app that is no JSON',
    { credentials: [{ type: 'otp', secretData: '{', credentialData: '{' }] },
    {},
    /authenticator app: cannot be read/,
  ],
  [
    'a hash of another kind',
    { credentials: [hashed({ algorithm: 'scrypt' })] },
    {},
    /neither argon2 nor PBKDF2; a new one is chosen/,
  ],
  [
    'a hash that would take a day',
    { credentials: [hashed({ algorithm: 'pbkdf2-sha512', hashIterations: 999_999_999 })] },
    {},
    /asks for more than 2000000 iterations/,
  ],
  [
    'a password that was to be changed',
    { credentials: [hashed({ algorithm: 'pbkdf2-sha512' })], requiredActions: ['UPDATE_PASSWORD'] },
    {},
    /was to be changed/,
  ],
  [
    'recovery codes',
    { credentials: [{ type: 'recovery-authn-codes', secretData: '{}', credentialData: '{}' }] },
    {},
    /the recovery codes: they are made for one system/,
  ],
  ['a credential that nobody knows', { credentials: [{ type: 'magic' }] }, {}, /a credential of type magic/],
  [
    'terms to be accepted',
    { requiredActions: ['TERMS_AND_CONDITIONS'] },
    {},
    /TERMS_AND_CONDITIONS: there is no such action here/,
  ],
  [
    'a passkey for another host',
    { credentials: [passkey] },
    { webAuthnPolicyRpId: 'sso.example.com' },
    /is for sso\.example\.com, and this server is localhost/,
  ],
  ['a password of a directory', { federationLink: 'ldap' }, {}, /Keycloak has none/],
  [
    'a link to another provider',
    { federatedIdentities: [{ identityProvider: 'google' }] },
    {},
    /the link to google/,
  ],
] as const) {
  test(`the person is taken and told what is not: ${title} (N)`, (t) => {
    const { configuration, left } = read([{ ...ada, ...user }], more);
    t.deepEqual(
      configuration.users.map(({ email, factors, passwordHash: hash }) => [email, factors, hash]),
      [['ada@acme.test', undefined, undefined]],
    );
    t.is(left.length, 1);
    t.is(left[0]?.who, 'ada');
    t.regex(`${left[0]?.what}: ${left[0]?.why}`, expected);
  });
}

test('accounts that nobody could sign in to stay behind, and each is named (N)', (t) => {
  const { configuration, left } = read([
    ada,
    { ...ada, username: 'ada2', email: 'ADA@acme.test ' },
    { username: 'robot', email: 'robot@acme.test', serviceAccountClientId: 'app' },
    { username: 'nameless' },
    { username: 'by.name@acme.test', emailVerified: true },
    { username: 7 },
  ]);
  t.deepEqual(
    configuration.users.map(({ email, emailVerified }) => [email, emailVerified]),
    [
      ['ada@acme.test', true],
      // An address that was only a name was never verified.
      ['by.name@acme.test', false],
    ],
  );
  t.deepEqual(said(left), [
    'ada2: the account: has the e-mail address of ada, which was taken',
    'robot: the account: belongs to a client, not to a person',
    'nameless: the account: has no e-mail address, by which people sign in here',
    'user 6 of the file: the account: cannot be read',
  ]);
});

test('a secret in base32, several apps and their names come along (N)', (t) => {
  const { configuration, left } = read([
    {
      ...ada,
      credentials: [
        { ...otp({ secretEncoding: 'BASE32' }, 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'), priority: 20 },
        { ...otp({ algorithm: 'HmacSHA512', digits: 8 }), priority: 10, userLabel: 'My\nphone' },
      ],
    },
  ]);
  t.deepEqual(left, []);
  t.deepEqual(configuration.users[0]?.factors, {
    totp: [
      {
        secret: 'MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U',
        name: 'My phone',
        algorithm: 'SHA512',
        digits: 8,
        period: 30,
      },
      { secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP', algorithm: 'SHA1', digits: 6, period: 30 },
    ],
  });
});

test('files that are no realm are refused as a whole (N)', (t) => {
  const from = (text: string, realm: string | null = null) =>
    readKeycloak([{ name: 'x.json', text }], { ...options, realm });
  t.throws(() => from('{'), { instanceOf: RealmError, message: /x\.json is no JSON/ });
  t.throws(() => from('{}'), { instanceOf: RealmError, message: /no export of a realm: realm/ });
  t.throws(() => from('[{"realm":"a"},{"realm":"b"}]'), {
    instanceOf: RealmError,
    message: /--realm: there are a, b/,
  });
  t.is(from('[{"realm":"a"},{"realm":"b"}]', 'b').name, 'b');
  t.throws(() => from('{"realm":"a"}', 'c'), { instanceOf: RealmError });
});
