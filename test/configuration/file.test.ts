import test from 'ava';
import { ConfigurationError } from '../../config/configuration-document.ts';
import { applyConfiguration } from '../../flows/apply-configuration.ts';
import { freshWorld, type World } from './fresh-database.ts';

const problemsOf = async (world: World, text: string): Promise<readonly string[]> => {
  try {
    await applyConfiguration(world, { name: 'f.yaml', text });
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
};

const secret = 'hunter2-hunter2';

const app = (fields: string) =>
  `applications: [{ client_id: a, client_secret: s, redirect_uris: ['https://a.test/cb'], ${fields} }]`;
const user = (fields: string) => `users: [{ email: a@b.test, ${fields} }]`;

const wrong: readonly [string, string, readonly string[]][] = [
  ['nothing at all', '', ['f.yaml:1:1 must be a mapping (name: value), found nothing']],
  ['a text', 'hello', ['f.yaml:1:1 must be a mapping (name: value), found text']],
  [
    'no YAML',
    'users: [',
    ['f.yaml:1:9 is not indented as what it belongs to, or a bracket before it is not closed'],
  ],
  ['a key twice', 'users: []\nusers: []', ['f.yaml:2:1 has a key that stands here already']],
  ['two documents', 'users: []\n---\nusers: []', ['f.yaml:2:1 has more than one document (---)']],
  ['tabs', 'instance:\n\tpolicy: {}', ['f.yaml:2:1 is indented with tabs; YAML takes only spaces']],
  ['an unknown key', 'user: []', ['f.yaml:1:1 user is not known here; did you mean users?']],
  [
    'a foreign key',
    'instance: { polices: {}, nonsense: 1 }',
    [
      'f.yaml:1:13 instance.polices is not known here; did you mean policy?',
      'f.yaml:1:26 instance.nonsense is not known here; known: policy, registration',
    ],
  ],
  [
    'a role that does not exist',
    'organizations: [{ slug: acme }]\nusers:\n  - email: a@b.test\n    memberships:\n      - { organization: acme, role: boss }',
    ['f.yaml:5:37 users[0].memberships[0].role must be owner, admin or member, found "boss"'],
  ],
  [
    'an unknown organization',
    'organizations: [{ slug: acme }]\nusers: [{ email: a@b.test, memberships: [{ organization: acmee }] }]',
    [
      'f.yaml:2:58 users[0].memberships[0].organization names an organization that is neither in the file nor in the database: "acmee"; did you mean "acme"?',
    ],
  ],
  [
    'an unknown application',
    'organizations: [{ slug: acme, policy: { applications: [nobody] } }]',
    [
      'f.yaml:1:56 organizations[0].policy.applications[0] names an application that is neither in the file nor in the database: "nobody"',
    ],
  ],
  [
    'the same organization twice',
    'organizations:\n  - slug: acme\n  - slug: acme',
    ['f.yaml:3:11 organizations[1].slug stands here twice: "acme" is already in line 2'],
  ],
  [
    'the same address in another spelling',
    'users:\n  - email: ada@acme.test\n  - email: " ADA@Acme.test"',
    ['f.yaml:3:12 users[1].email stands here twice: "ada@acme.test" is already in line 2'],
  ],
  [
    'too many days of grace',
    'instance: { policy: { graceDays: 91 } }',
    ['f.yaml:1:34 instance.policy.graceDays must be a whole number from 0 to 90, found 91'],
  ],
  [
    'no method',
    'instance: { policy: { methods: [] } }',
    ['f.yaml:1:32 instance.policy.methods must name at least one method, found a list'],
  ],
  ['no slug', 'organizations: [{ name: Acme }]', ['f.yaml:1:17 organizations[0].slug is missing']],
  [
    'a slug with capitals',
    'organizations: [{ slug: Acme }]',
    [
      'f.yaml:1:25 organizations[0].slug must be 1 to 63 small letters, digits and inner hyphens, found "Acme"',
    ],
  ],
  [
    'a short password',
    user('password: short'),
    ['f.yaml:1:38 users[0].password must have at least 8 characters'],
  ],
  [
    'a password without quotes',
    user('password: 12345678'),
    ['f.yaml:1:38 users[0].password must be text (put it in quotes), found a number'],
  ],
  [
    'a password and a hash',
    user(`password: ${secret}, passwordHash: $2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy`),
    ['f.yaml:1:55 users[0].passwordHash must not stand beside password; keep one'],
  ],
  [
    'a hash that is none',
    user(`passwordHash: ${secret}`),
    ['f.yaml:1:42 users[0].passwordHash is no argon2, bcrypt or PBKDF2 hash in PHC form'],
  ],
  [
    'a credential that is none',
    user(`passwordHash: { secretData: ${secret} }`),
    [
      'f.yaml:1:42 users[0].passwordHash is no credential of Keycloak: secretData is not an object or its JSON',
    ],
  ],
  [
    'an authenticator secret that is none',
    user(`factors: { totp: ${secret} }`),
    [
      'f.yaml:1:45 users[0].factors.totp must be a base32 secret of 10 to 64 bytes, or { secret, name, algorithm, digits, period } with one, or a list of them',
    ],
  ],
  [
    'a phone without quotes',
    user('phone: +15555550100'),
    ['f.yaml:1:35 users[0].phone must be text (put it in quotes), found 15555550100'],
  ],
  [
    'a verified phone that is not there',
    user('phoneVerified: true'),
    ['f.yaml:1:43 users[0].phoneVerified must not be true without a phone'],
  ],
  [
    'a locale that is none',
    user('locale: "?"'),
    ['f.yaml:1:36 users[0].locale must be a language tag such as en or de-CH, found "?"'],
  ],
  [
    'no client secret',
    'applications: [{ client_id: a, redirect_uris: ["https://a.test/cb"] }]',
    [
      'f.yaml:1:16 applications[0].client_secret is missing, or token_endpoint_auth_method must be none or private_key_jwt',
    ],
  ],
  [
    'no redirect address',
    'applications: [{ client_id: a, client_secret: s }]',
    [
      'f.yaml:1:16 applications[0].redirect_uris is missing (an application without sign-in has response_types: [])',
    ],
  ],
  [
    'metadata in camel case',
    app('backchannelLogoutUri: x'),
    [
      'f.yaml:1:88 applications[0].backchannelLogoutUri is not known here; did you mean backchannel_logout_uri?',
    ],
  ],
  [
    'the name of the standard for our name',
    app('client_name: x'),
    ['f.yaml:1:88 applications[0].client_name is not known here; did you mean name?'],
  ],
  [
    'a script as an address',
    app("logo_uri: 'javascript:alert(1)'"),
    ['f.yaml:1:98 applications[0].logo_uri must be an http or https address, found "javascript:alert(1)"'],
  ],
  [
    'a password in an address',
    app(`tos_uri: 'https://me:${secret}@a.test/'`),
    [
      'f.yaml:1:97 applications[0].tos_uri must not contain a user name or password, found "https://…@a.test/"',
    ],
  ],
  [
    'a private key',
    app(`jwks: { keys: [{ kty: oct, k: ${secret} }] }`),
    ['f.yaml:1:94 applications[0].jwks must hold public keys only'],
  ],
  [
    'a secret of a public application',
    app('token_endpoint_auth_method: none'),
    ['f.yaml:1:32 applications[0].client_secret must not stand beside token_endpoint_auth_method none'],
  ],
  [
    'a custom scheme of a web application',
    "applications: [{ client_id: a, client_secret: s, redirect_uris: ['com.a:/cb'] }]",
    [
      'f.yaml:1:65 applications[0].redirect_uris must be http or https addresses; other schemes are for application_type native, found "com.a:/cb"',
    ],
  ],
  [
    'errors of every kind, all at once and in the order of the file',
    'organizations:\n  - slug: acme\n    polcy: {}\nusers:\n  - email: nobody\n    memberships: [{ organization: zeta }]\n  - name: 7\napplications:\n  - client_id: "a b"',
    [
      'f.yaml:3:5 organizations[0].polcy is not known here; did you mean policy?',
      'f.yaml:5:12 users[0].email must be one e-mail address, found "nobody"',
      'f.yaml:6:35 users[0].memberships[0].organization names an organization that is neither in the file nor in the database: "zeta"',
      'f.yaml:7:5 users[1].email is missing',
      'f.yaml:7:11 users[1].name must be text (put it in quotes), found 7',
      'f.yaml:9:5 applications[0].client_secret is missing, or token_endpoint_auth_method must be none or private_key_jwt',
      'f.yaml:9:5 applications[0].redirect_uris is missing (an application without sign-in has response_types: [])',
      'f.yaml:9:16 applications[0].client_id must be 1 to 191 ASCII characters without blanks, found "a b"',
    ],
  ],
];

test('every mistake in a file is named with line, column, path and what was found, and never with a secret', async (t) => {
  const world = await freshWorld(t, 'SQLite');
  for (const [what, text, expected] of wrong) {
    const problems = await problemsOf(world, text);
    t.deepEqual(problems, expected, what);
    t.false(problems.join('\n').includes(secret), what);
  }
  t.deepEqual(await world.db.rows('SELECT * FROM organizations'), []);
});

test('an e-mail address is one address and nothing else', async (t) => {
  const world = await freshWorld(t, 'SQLite');
  const hostile = [
    'a@b.test, c@d.test',
    'team: a@b.test;',
    'Ada <a@b.test>',
    'a@b.test\r\nBcc: c@d.test',
    'a@b.test\n',
    '"a b"@b.test',
    'a@@b.test',
    '@b.test',
    'a@',
    `${'a'.repeat(60)}@${'b.'.repeat(70)}test`,
  ];
  for (const email of hostile.filter((text) => text.trim() === text)) {
    const problems = await problemsOf(world, JSON.stringify({ users: [{ email }] }));
    t.regex(problems.join('\n'), /users\[0\]\.email must/, email);
  }
  t.deepEqual(await problemsOf(world, JSON.stringify({ users: [{ email: '  Zoe+tag@Bücher.test ' }] })), []);
  t.like(await world.db.row('SELECT email FROM users'), { email: 'zoe+tag@xn--bcher-kva.test' });
});

test('JSON has lines and columns too', async (t) => {
  const world = await freshWorld(t, 'SQLite');
  t.deepEqual(await problemsOf(world, '{\n  "users": [\n    { "email": 5 }\n  ]\n}'), [
    'f.yaml:3:16 users[0].email must be text (put it in quotes), found 5',
  ]);
});

test('of very many mistakes fifty are shown and the rest is counted', async (t) => {
  const world = await freshWorld(t, 'SQLite');
  const text = JSON.stringify({ users: Array.from({ length: 61 }, (_, n) => ({ email: `u${n}` })) });
  const error = await t.throwsAsync(applyConfiguration(world, { name: 'f.yaml', text }));
  const lines = error.message.split('\n');
  t.is(lines[0], 'f.yaml was not applied, nothing has been changed:');
  t.is(lines.length, 52);
  t.is(lines.at(-1), '  and 11 more');
});

test('a file that unfolds without end, or is nested too deeply, is refused', async (t) => {
  const world = await freshWorld(t, 'SQLite');
  const levels = Array.from(
    { length: 12 },
    (_, n) => `  l${n + 1}: &l${n + 1} [${`*l${n}, `.repeat(9)}*l${n}]`,
  );
  const bomb = `instance:\n  l0: &l0 [x]\n${levels.join('\n')}`;
  t.regex((await problemsOf(world, bomb)).join(), /nested too deeply, or its aliases unfold too far/);
  t.regex((await problemsOf(world, '['.repeat(100_000))).join(), /f\.yaml/);
});

test('names from the language itself are unknown keys like any other', async (t) => {
  const world = await freshWorld(t, 'SQLite');
  t.regex((await problemsOf(world, '{"__proto__": {"users": []}}')).join(), /__proto__ is not known here/);
  t.regex(
    (await problemsOf(world, '{"users": [{"email": "a@b.test", "constructor": 1}]}')).join(),
    /constructor is not known/,
  );
});
