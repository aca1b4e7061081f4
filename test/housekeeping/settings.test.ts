import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { definitions, readSettings, type Settings, SettingsError } from '../../config/settings.ts';
import { plain, section, tableRows, textOf } from './checkout.ts';

const key = randomBytes(32).toString('base64url');
const production = {
  NODE_ENV: 'production',
  ISSUER: 'https://id.example.com',
  DATABASE_URL: 'mysql://sallyport:long-and-random@db.example.com:3306/sallyport',
  MAIL_URL: 'smtps://user:secret@mail.example.com',
  MAIL_FROM: 'Example <id@example.com>',
  SECRET_KEYS: key,
};

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-settings-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fileIn(folder: string, text: string, name = 'setting'): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readSettings(env);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

test('the table in the README names every setting, its defaults and what it means', (t) => {
  const rows = tableRows(section(textOf('README.md'), 'Settings')).map((cells) => cells.map(plain));
  const expected = Object.entries(definitions).map(([name, { development, production, means }]) => ({
    name,
    development,
    production,
    means,
  }));
  const inWords = (cell: string | undefined) =>
    cell === 'none' || cell === 'made at first start' ? null : cell;
  t.deepEqual(
    rows.map(([name, development, production, means]) => ({
      name,
      development: inWords(development),
      production: inWords(production),
      means,
    })),
    expected,
  );
});

test('with nothing set a development server has all that it needs, and keys of its own that it finds again', (t) => {
  const folder = folderOf(t);
  const first = readSettings({ DATA_DIR: folder });
  t.like(first, {
    production: false,
    issuer: 'http://localhost:3000',
    host: '127.0.0.1',
    port: 3000,
    databaseUrl: `sqlite:${folder}/sallyport.sqlite`,
    demo: true,
    mailUrl: null,
    smsUrl: null,
    trustProxy: 0,
    workers: 1,
    drain: 0,
    metricsToken: null,
    logLevel: 'info',
  } satisfies Partial<Settings>);
  t.is(Buffer.from(first.secretKeys, 'base64url').length, 32);
  t.is(readSettings({ DATA_DIR: folder }).secretKeys, first.secretKeys);
  t.is(statSync(path.join(folder, 'secret-keys')).mode & 0o077, 0, 'nobody else may read the keys');
});

test('who runs the site is named by a mail address or a page, and by nothing that a browser would run', (t) => {
  const contact = (CONTACT: string) => readSettings({ DATA_DIR: folderOf(t), CONTACT }).contact;
  t.is(contact('help@id.test'), 'mailto:help@id.test');
  t.is(contact('https://id.test/help?a=b'), 'https://id.test/help?a=b');
  for (const bad of [
    'javascript:alert(1)',
    'http://id.test',
    'a@b.test,c@d.test',
    'a@b.test?bcc=c@d.test',
    'us',
  ]) {
    t.is(problemsOf({ DATA_DIR: folderOf(t), CONTACT: bad }).length, 1, bad);
  }
});

test('all problems are told at once, each with its setting, its rule and what was found', (t) => {
  const problems = problemsOf({
    PORT: '99999',
    ISSUER: 'ftp://id.example.com',
    DATABASE_URL: 'postgres://db',
    DEMO: 'maybe',
    MAIL_URL_FILE: '/nowhere/mail-url',
    LOG_LEVEL: 'loud',
    TRUST_PROXY: '-1',
  });
  t.is(problems.length, 7);
  const all = problems.join('\n');
  t.regex(all, /^PORT must be a whole number from 0 to 65535, found "99999"$/m);
  t.regex(
    all,
    /^ISSUER must be an address that starts with http:\/\/ or https:\/\/.*, found "ftp:\/\/id.example.com"$/m,
  );
  t.regex(all, /^DATABASE_URL must be sqlite:<path> or mysql:\/\//m);
  t.regex(all, /^DEMO must be 1 or 0, found "maybe"$/m);
  t.regex(all, /^MAIL_URL_FILE names a file that cannot be read: \/nowhere\/mail-url \(ENOENT\)$/m);
  t.regex(all, /^LOG_LEVEL .*found "loud"$/m);
  t.regex(all, /^TRUST_PROXY .*found "-1"$/m);
});

for (const issuer of [
  'http://localhost:3000/path',
  'https://id.example.com?x=1',
  'https://id.example.com/#x',
  'https://user@id.example.com',
  'id.example.com',
]) {
  test(`ISSUER ${issuer} is refused: the whole host is Sallyport's`, (t) => {
    t.regex(problemsOf({ ISSUER: issuer, SECRET_KEYS: key }).join('\n'), /^ISSUER must /);
  });
}

test('a setting can stand in a file of its own, with a line break at its end', (t) => {
  const folder = folderOf(t);
  const settings = readSettings({
    PORT_FILE: fileIn(folder, '4000\n', 'port'),
    SECRET_KEYS_FILE: fileIn(folder, `${key}\n`, 'keys'),
  });
  t.is(settings.port, 4000);
  t.is(settings.secretKeys, key);
});

test('a setting that is given twice is a mistake, and an empty one is not given', (t) => {
  const folder = folderOf(t);
  const PORT_FILE = fileIn(folder, '4000');
  t.deepEqual(problemsOf({ PORT: '3000', PORT_FILE, SECRET_KEYS: key }), [
    'PORT and PORT_FILE are both set; keep one',
  ]);
  t.is(readSettings({ PORT: '', PORT_FILE, SECRET_KEYS: key }).port, 4000);
});

test('one file can hold all settings; the environment comes before it', (t) => {
  const folder = folderOf(t);
  const SETTINGS_FILE = fileIn(
    folder,
    `# ours\nPORT=4000\nWORKERS=2\nMAIL_FROM="Us <us@x.test>"\nSECRET_KEYS=${key}\n`,
  );
  const settings = readSettings({ SETTINGS_FILE, WORKERS: '3' });
  t.is(settings.port, 4000);
  t.is(settings.workers, 3);
  t.is(settings.mailFrom, 'Us <us@x.test>');
  t.is(settings.secretKeys, key);
});

test('the file of settings may name a file for one of them, as for a certificate; twice is a mistake', (t) => {
  const folder = folderOf(t);
  const port = fileIn(folder, '4000\n', 'port');
  const lines = `SECRET_KEYS=${key}\nPORT_FILE=${port}\n`;
  t.is(readSettings({ SETTINGS_FILE: fileIn(folder, lines, 'one') }).port, 4000);
  t.is(readSettings({ SETTINGS_FILE: fileIn(folder, lines, 'two'), PORT: '5000' }).port, 5000);
  const SETTINGS_FILE = fileIn(folder, `${lines}PORT=4001\n`, 'three');
  t.deepEqual(problemsOf({ SETTINGS_FILE }), ['SETTINGS_FILE has PORT and PORT_FILE; keep one']);
});

test('a settings file with a name that is no setting, or that is not there, is refused', (t) => {
  const folder = folderOf(t);
  const SETTINGS_FILE = fileIn(folder, 'PROT=4000\n');
  t.regex(
    problemsOf({ SETTINGS_FILE, SECRET_KEYS: key }).join('\n'),
    /^SETTINGS_FILE has PROT, which is no setting/,
  );
  t.regex(
    problemsOf({ SETTINGS_FILE: path.join(folder, 'none'), SECRET_KEYS: key }).join('\n'),
    /^SETTINGS_FILE names a file that cannot be read/,
  );
});

test('in development whoever moves the port or the data need not say twice what follows', (t) => {
  const folder = folderOf(t);
  t.like(readSettings({ SECRET_KEYS: key }), {
    issuer: 'http://localhost:3000',
    databaseUrl: 'sqlite:data/sallyport.sqlite',
  });
  t.like(readSettings({ PORT: '4484', DATA_DIR: folder }), {
    issuer: 'http://localhost:4484',
    databaseUrl: `sqlite:${folder}/sallyport.sqlite`,
  });
  const given = {
    PORT: '4484',
    DATA_DIR: folder,
    ISSUER: 'https://id.acme.test',
    DATABASE_URL: 'sqlite:/elsewhere.sqlite',
  };
  t.like(readSettings(given), { issuer: given.ISSUER, databaseUrl: given.DATABASE_URL });
});

for (const [why, env, expected] of [
  [
    'a NODE_ENV that is a slip',
    { NODE_ENV: 'prod' },
    /^NODE_ENV must be production, development or test, found "prod"/,
  ],
  ['a sender that is no address', { MAIL_FROM: 'nobody' }, /^MAIL_FROM must be one address/],
  ['a log level that there is not', { LOG_LEVEL: 'loud' }, /^LOG_LEVEL must be fatal, error, /],
  [
    'a database address with parameters of another program',
    { DATABASE_URL: 'mysql://u:long-and-random@db.example.com/x?ssl-mode=REQUIRED' },
    /^DATABASE_URL must have nothing after a "\?": TLS is asked for by DATABASE_TLS and DATABASE_CA$/,
  ],
  [
    'TLS that is off and wanted',
    {
      DATABASE_URL: 'mysql://u:p@db/x',
      DATABASE_TLS: '0',
      DATABASE_CERTIFICATE: '-----BEGIN CERTIFICATE-----',
      DATABASE_KEY: '-----BEGIN EC PRIVATE KEY-----',
    },
    /^DATABASE_TLS is 0, but /,
  ],
  [
    'a certificate without its key',
    { DATABASE_URL: 'mysql://u:p@db/x', DATABASE_CERTIFICATE: '-----BEGIN CERTIFICATE-----' },
    /^DATABASE_CERTIFICATE and DATABASE_KEY belong together/,
  ],
  ['TLS to no server', { DATABASE_TLS: '1' }, /^DATABASE_TLS is for MySQL and MariaDB/],
  ['an authority that is none', { DATABASE_CA: 'ca.pem' }, /^DATABASE_CA must be certificates/],
  [
    'a folder that is a file',
    { DATA_DIR: `${import.meta.filename}/data`, SECRET_KEYS: '' },
    /^DATA_DIR names a folder that cannot/,
  ],
] as const) {
  test(`${why} stops the start, and the message names the setting`, (t) => {
    const problems = problemsOf({ SECRET_KEYS: key, ...env });
    t.is(problems.length, 1, problems.join('\n'));
    t.regex(problems[0] ?? '', expected);
  });
}

test('the file of settings may say NODE_ENV too; the environment comes before it', (t) => {
  const lines = Object.entries(production).map(([name, value]) => `${name}=${value}`);
  const SETTINGS_FILE = fileIn(folderOf(t), `${lines.join('\n')}\n`);
  t.true(readSettings({ SETTINGS_FILE }).production);
  t.false(readSettings({ SETTINGS_FILE, NODE_ENV: 'development' }).production);
});

test('a line of the settings file without = is told, with its number', (t) => {
  const SETTINGS_FILE = fileIn(folderOf(t), '# ours\n\nPORT 4470\nWORKERS=2\nHOST\n');
  const problems = problemsOf({ SETTINGS_FILE, SECRET_KEYS: key });
  t.deepEqual(problems, [
    'SETTINGS_FILE line 3 has no =; each line is NAME=value',
    'SETTINGS_FILE line 5 has no =; each line is NAME=value',
  ]);
});

test('a production server with everything set starts, without the demo', (t) => {
  const settings = readSettings(production);
  t.true(settings.production);
  t.false(settings.demo);
});

test('in production no default of development holds: what is missing is named, all of it', (t) => {
  const problems = problemsOf({ NODE_ENV: 'production' });
  const named = problems.map((problem) => /^([A-Z_]+) must be set in production/.exec(problem)?.[1]);
  const required = Object.entries(definitions).filter(
    ([, definition]) => definition.production === 'required',
  );
  t.deepEqual(
    named,
    required.map(([name]) => name),
  );
});

for (const [why, change, expected] of [
  ['an http issuer', { ISSUER: 'http://id.example.com' }, /^ISSUER must start with https:\/\//],
  [
    'a database without a password',
    { DATABASE_URL: 'mysql://root@db/x' },
    /^DATABASE_URL .*default password/,
  ],
  ['a default password', { DATABASE_URL: 'mysql://root:password@db/x' }, /^DATABASE_URL .*default password/],
  [
    'a text-message gateway over http',
    { SMS_URL: 'http://sms.example.com' },
    /^SMS_URL must start with https/,
  ],
  ['the same in capitals', { SMS_URL: 'HTTP://sms.example.com' }, /^SMS_URL must start with https/],
  [
    'a password that is not written as in an address',
    { DATABASE_URL: 'mysql://u:100%@db/x' },
    /^DATABASE_URL has a "%"/,
  ],
  [
    'a key that nobody drew',
    { SECRET_KEYS: Buffer.alloc(32).toString('base64') },
    /^SECRET_KEYS: key 1 is not random/,
  ],
  ['a short key', { SECRET_KEYS: `${key},c2hvcnQ` }, /^SECRET_KEYS: key 2 must be 32 bytes/],
] as const) {
  test(`in production ${why} stops the start`, (t) => {
    const problems = problemsOf({ ...production, ...change });
    t.is(problems.length, 1);
    t.regex(problems[0] ?? '', expected);
  });
}

test('what is wrong with a secret is told without the secret', (t) => {
  const canary = 'canary7f3a';
  const folder = folderOf(t);
  const broken = {
    DATABASE_URL: `postgres://user:${canary}@db/x`,
    MAIL_URL: `http://user:${canary}@mail`,
    SMS_URL: `ftp://user:${canary}@sms`,
    SECRET_KEYS: `${canary},${canary}`,
  };
  for (const env of [
    broken,
    { ...broken, NODE_ENV: 'production' },
    Object.fromEntries(
      Object.entries(broken).map(([name, value]) => [`${name}_FILE`, fileIn(folder, value, name)]),
    ),
    {
      SETTINGS_FILE: fileIn(
        folder,
        Object.entries(broken)
          .map((pair) => pair.join('='))
          .join('\n'),
        'all',
      ),
    },
    { ...production, DATABASE_URL: `mysql://root:changeme@db/${canary}` },
  ]) {
    const problems = problemsOf(env);
    t.true(problems.length > 0);
    t.false(problems.join('\n').includes(canary), problems.join('\n'));
  }
});
