import { spawn, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { projectRoot } from '../../config/settings.ts';
import { newKey } from '../../lib/key-ring.ts';
import { freshDir, freshUrl, type Kind, kinds } from '../configuration/fresh-database.ts';
import { attester, model, root } from '../factors/maker.ts';
import { mailSink } from '../notifications/support.ts';
import { compileCache } from '../processes/process-rig.ts';

const bin = path.join(projectRoot, 'cli/sallyport.js');
const acme = path.join(projectRoot, 'examples/configuration/acme.yaml');

interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

interface Desk {
  readonly dir: string;
  readonly env: Record<string, string>;
  sallyport(
    args: readonly string[],
    more?: { input?: string; env?: Record<string, string> },
  ): Promise<Outcome>;
}

async function desk(t: ExecutionContext, kind: Kind = 'SQLite'): Promise<Desk> {
  const dir = freshDir(t);
  const env = {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: await freshUrl(t, kind, dir),
    SECRET_KEYS: newKey(),
    DATA_DIR: path.join(dir, 'data'),
    ISSUER: 'http://127.0.0.1:9',
    ...compileCache,
  };
  return {
    dir,
    env,
    // Another working directory than the project's: nothing may depend on it.
    sallyport: (args, { input = '', env: more = {} } = {}) =>
      run(process.execPath, [bin, ...args], { ...env, ...more }, input),
  };
}

function run(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  input = '',
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, cwd: tmpdir() });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, out, err }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

for (const kind of kinds) {
  test(`${kind}: on a fresh database apply migrates, applies and repeats itself without change`, async (t) => {
    const { sallyport } = await desk(t, kind);
    const check = await sallyport(['migrate', '--check']);
    t.is(check.code, 1);
    t.regex(check.err, /not current[\s\S]*FirstSchema/);

    const dry = await sallyport(['apply', '-f', acme, '--dry-run']);
    t.is(dry.code, 0, dry.err);
    t.regex(dry.out, /^\+ user ada@acme\.test$/m);
    t.regex(dry.out, /^= users: 2 created, 0 changed, 0 unchanged$/m);
    t.regex(dry.out, /Nothing was changed/);
    t.notRegex(dry.out + dry.err, /correct horse|JBSWY3DPEHPK3PXP|bench-secret/);
    t.is((await sallyport(['migrate', '--check'])).code, 1, 'a dry run makes no schema');

    const first = await sallyport(['apply', '-f', acme]);
    t.is(first.code, 0, first.err);
    t.regex(first.err, /schema was brought up to date first/);
    t.regex(first.out, /^users: 2 created, 0 changed, 0 unchanged$/m);
    t.is((await sallyport(['migrate', '--check'])).code, 0);

    const again = await sallyport(['apply', '-f', acme]);
    t.regex(again.out, /users: 0 created, 0 changed, 2 unchanged[\s\S]*Nothing had to be changed/);
    t.is(again.err, '');

    for (const args of [
      ['export'],
      ['export', '--with-secrets'],
      ['export', '--format', 'json'],
      ['export', '--organization', 'acme'],
    ]) {
      const exported = await sallyport(args);
      t.is(exported.code, 0, exported.err);
      const applied = await sallyport(['apply', '-f', '-'], { input: exported.out });
      t.is(applied.code, 0, applied.err);
      t.regex(applied.out, /Nothing had to be changed/, args.join(' '));
    }
  });

  test(`${kind}: doctor says of each thing whether it is well`, async (t) => {
    const { sallyport } = await desk(t, kind);
    await sallyport(['apply', '-f', acme]);
    const { code, out } = await sallyport(['doctor']);
    t.is(code, 0, out);
    for (const line of [
      /^ok {4}settings/m,
      /^ok {4}database +(SQLite|MariaDB|MySQL)/m,
      /^ok {4}schema/m,
      /^ok {4}secret keys/m,
      /^ok {4}mail/m,
      /^warn {2}issuer/m,
    ]) {
      t.regex(out, line);
    }
    t.notRegex(out, /passkey models/);
    const models = { organizations: [{ slug: 'acme', policy: { passkeyModels: [model] } }] };
    const applied = await sallyport(['apply', '-f', '-'], { input: JSON.stringify(models) });
    t.is(applied.code, 0, applied.err);
    t.regex(applied.err, /Warning: acme: .* nobody can set up a passkey/);
    t.regex(
      (await sallyport(['doctor'])).out,
      /^warn {2}passkey models +are listed by acme, but PASSKEY_ROOTS/m,
    );
    const known = await sallyport(['doctor'], { env: { PASSKEY_ROOTS: root } });
    t.regex(known.out, /^ok {4}passkey models/m);
    if (kind === 'MariaDB') {
      t.regex(out, /^ok {4}collation/m);
      t.regex(out, /^ok {4}clock/m);
    }
  });
}

test('nothing starts with keys that do not open what is stored', async (t) => {
  const { sallyport } = await desk(t);
  await sallyport(['apply', '-f', acme]);
  const other = { env: { SECRET_KEYS: newKey() } };
  for (const args of [['apply', '-f', acme], ['apply', '-f', acme, '--dry-run'], ['export'], ['start']]) {
    const { code, err } = await sallyport(args, other);
    t.is(code, 1, args.join(' '));
    t.regex(err, /^SECRET_KEYS does not open what is stored in this database/, args.join(' '));
    t.notRegex(err, /^ {4}at /m);
  }
  const { code, out } = await sallyport(['doctor'], other);
  t.is(code, 1);
  t.regex(out, /^fail {2}secret keys/m);
});

test('doctor finds a database and a mail server that are away, and every wrong setting', async (t) => {
  const { sallyport } = await desk(t);
  const away = await sallyport(['doctor'], {
    env: { DATABASE_URL: 'mysql://me:tops3cret@127.0.0.1:9/db', MAIL_URL: 'smtp://me:tops3cret@127.0.0.1:9' },
  });
  t.is(away.code, 1);
  t.regex(away.out, /^fail {2}database .*ECONNREFUSED/m);
  t.regex(away.out, /^fail {2}mail/m);
  t.notRegex(away.out + away.err, /tops3cret/);

  const [certificate = new Uint8Array()] = attester.certificates;
  const { url } = await mailSink(t, {
    disabledCommands: [],
    cert: new X509Certificate(certificate).toString(),
    key: attester.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  const unknown = await sallyport(['doctor'], { env: { MAIL_URL: `${url}?tls.rejectUnauthorized=true` } });
  t.regex(unknown.out, /^fail {2}mail .*authority that Node does not know; NODE_EXTRA_CA_CERTS names one/m);

  const wrong = await sallyport(['doctor'], { env: { PORT: 'x', ISSUER: 'y' } });
  t.is(wrong.code, 1);
  t.regex(wrong.out, /PORT must be a whole number/);
  t.regex(wrong.out, /ISSUER must be an address/);
});

test('a mail server that says nothing is given up after five seconds', async (t) => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const { port } = silent.address() as { port: number };
  const { sallyport } = await desk(t);
  const { code, out } = await sallyport(['doctor'], { env: { MAIL_URL: `smtp://127.0.0.1:${port}` } });
  t.is(code, 1);
  t.regex(out, /^fail {2}mail .*no answer in 5 seconds/m);
});

test('what went wrong is said in words, with exit code 1 and without a stack', async (t) => {
  const { sallyport, dir } = await desk(t);
  const file = path.join(dir, 'wrong.yaml');
  writeFileSync(file, 'users:\n  - email: ada@acme.test\n    password: short\n    role: boss\n');
  const cases: readonly [readonly string[], Record<string, string>, RegExp][] = [
    [
      ['apply', '-f', file],
      {},
      /wrong\.yaml:3:15 users\[0\]\.password must have at least 8 characters\n.*wrong\.yaml:4:5 users\[0\]\.role is not known here/,
    ],
    [['apply', '-f', `${file}.not`], {}, /there is no such file/],
    [['apply', '-f', dir], {}, /cannot be read/],
    [['apply'], {}, /required option '-f, --file <file>'/],
    [['aply'], {}, /unknown command 'aply'[\s\S]*Did you mean apply[\s\S]*Usage: sallyport/],
    [['apply', '-f', file, '--dry'], {}, /unknown option '--dry'/],
    [['export', '--format', 'xml'], {}, /--format must be yaml or json, found "xml"/],
    [['export'], {}, /schema is not current/],
    [
      ['migrate'],
      { PORT: 'x', SECRET_KEYS: 'short' },
      /PORT must be[\s\S]*SECRET_KEYS: key 1 must be 32 bytes/,
    ],
    [
      ['migrate'],
      { DATABASE_URL: 'mysql://me:tops3cret@127.0.0.1:9/db' },
      /mysql:\/\/me:\*\*\*@127\.0\.0\.1:9\/db cannot be opened: .*ECONNREFUSED/,
    ],
  ];
  for (const [args, env, message] of cases) {
    const { code, err } = await sallyport(args, { env });
    t.is(code, 1, args.join(' '));
    t.regex(err, message);
    t.notRegex(err, /^ {4}at |tops3cret/m);
  }
});

test('a mistake in the file leaves not even a database behind that was not there', async (t) => {
  const { sallyport, dir } = await desk(t);
  await sallyport(['apply', '-f', acme, '--dry-run']);
  await sallyport(['migrate', '--check']);
  await sallyport(['export']);
  const { err } = await sallyport(['apply', '-f', '-'], { input: 'users: [{ email: nobody }]' });
  t.regex(err, /standard input was not applied/);
  t.false(existsSync(path.join(dir, 'test.sqlite')));
});

const older = ['/usr/bin/node', '/usr/local/bin/node'].find((file) => {
  const version = existsSync(file) ? spawnSync(file, ['-p', 'process.versions.node']).stdout.toString() : '';
  return version !== '' && Number.parseInt(version, 10) < 24;
});

(older ? test : test.skip)('an older Node hands over to the one that npm brought along', async (t) => {
  const { env, dir } = await desk(t);
  const handed = await run(older ?? '', [bin, 'apply', '-f', acme], env);
  t.is(handed.code, 0, handed.err);
  t.is((await run(older ?? '', [bin, 'nothing'], env)).code, 1);

  const alone = path.join(dir, 'alone/cli');
  mkdirSync(alone, { recursive: true });
  copyFileSync(bin, path.join(alone, 'sallyport.js'));
  writeFileSync(path.join(dir, 'alone/package.json'), '{"type":"module"}');
  const { code, err } = await run(older ?? '', [path.join(alone, 'sallyport.js'), 'doctor'], env);
  t.is(code, 1);
  t.regex(
    err,
    /^Sallyport needs Node 24 or later; this is \d+\.[\d.]+, and npm has not installed one beside it/,
  );
});

test('what goes wrong at a first start is said in a sentence that names the setting, without a stack', async (t) => {
  const { dir, sallyport } = await desk(t);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const noDatabase = path.join(dir, 'letter.txt');
  writeFileSync(noDatabase, 'Dear Sir or Madam, this is no database at all.\n'.repeat(50));
  for (const [what, args, env, expected] of [
    [
      'a taken port',
      ['start'],
      { PORT: String(port), DEMO: '0' },
      /something else listens at 127\.0\.0\.1:\d+\. End it, or choose another PORT/,
    ],
    [
      'a file that is no database',
      ['migrate'],
      { DATABASE_URL: `sqlite:${noDatabase}` },
      /letter\.txt \(DATABASE_URL\) cannot be opened: file is not a database/,
    ],
    [
      'a database that is not there',
      ['migrate'],
      { DATABASE_URL: 'mysql://somebody:a-secret@127.0.0.1:9/x' },
      /The database at 127\.0\.0\.1:9 \(DATABASE_URL\) cannot be opened: .*ECONNREFUSED/,
    ],
    ['a secret that is none', ['code', 'nonsense!'], {}, /this is no authenticator secret/],
  ] as const) {
    const { code, err } = await sallyport(args, { env });
    t.is(code, 1, what);
    t.regex(err, expected, what);
    t.notRegex(err, /\n\s+at |a-secret/, what);
  }
});
