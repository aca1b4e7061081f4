import { accessSync, constants, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot, readSettings, type Settings, SettingsError } from '../config/settings.ts';
import { type Database, openDatabase, pendingMigrations } from '../entities/database.ts';
import { readStoredPolicy } from '../entities/memberships.ts';
import { serverTime } from '../entities/mysql.ts';
import { instancePolicy } from '../entities/organizations.ts';
import { seconds } from '../lib/clock.ts';
import { openKeyRing } from '../lib/key-ring.ts';
import { migrations } from '../migrations/index.ts';
import { createMailTransport } from '../notifications/mail-transport.ts';
import { verifyAuditChains } from './chain-audit-events.ts';
import { keysOpen } from './check-keys.ts';
import { keysSeen } from './reseal-secrets.ts';

/** One thing that was looked at: what was found and, where it is not well, what to do. */
export interface HealthCheck {
  readonly name: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly message: string;
}

const patience = seconds(5);

const ok = (name: string, message: string): HealthCheck => ({ name, verdict: 'ok', message });
const warn = (name: string, message: string): HealthCheck => ({ name, verdict: 'warn', message });
const fail = (name: string, message: string): HealthCheck => ({ name, verdict: 'fail', message });

/** Looks at everything that a server needs. It changes nothing but, in development, the keys that a first start would make. */
export async function checkHealth(env: NodeJS.ProcessEnv): Promise<HealthCheck[]> {
  const settings = settingsOrProblems(env);
  if (Array.isArray(settings)) {
    return settings.map((problem) => fail('settings', problem));
  }
  const [database, mail, issuer] = await Promise.all([
    checkDatabase(settings),
    checkMail(settings),
    checkIssuer(settings),
  ]);
  return [
    ok('settings', settings.production ? 'complete for production' : 'complete for development'),
    checkDataDir(settings.dataDir),
    ...database,
    mail,
    issuer,
  ];
}

function settingsOrProblems(env: NodeJS.ProcessEnv): Settings | string[] {
  try {
    return readSettings(env);
  } catch (error) {
    if (error instanceof SettingsError) return [...error.problems];
    return [`cannot be read: ${reasonOf(error)}`];
  }
}

function checkDataDir(dataDir: string): HealthCheck {
  const file = path.join(dataDir, `.doctor-${process.pid}`);
  try {
    if (!existsSync(dataDir)) {
      mkdirSync(dataDir, { recursive: true });
    }
    accessSync(dataDir, constants.W_OK);
    writeFileSync(file, '');
    rmSync(file);
    return ok('data directory', `${dataDir} can be written`);
  } catch (error) {
    return fail(
      'data directory',
      `DATA_DIR ${dataDir} cannot be written (${reasonOf(error)}); set its owner or DATA_DIR`,
    );
  }
}

async function checkDatabase(settings: Settings): Promise<HealthCheck[]> {
  const { databaseUrl } = settings;
  if (isMissingFile(databaseUrl)) {
    return [
      warn(
        'database',
        `${databaseUrl} does not exist yet; "sallyport migrate" or "sallyport start" makes it`,
      ),
    ];
  }
  let db: Database;
  try {
    db = await openDatabase(databaseUrl, { tls: settings.databaseTls });
  } catch (error) {
    return [
      fail('database', `cannot be reached (${reasonOf(error)}); is it running, and is DATABASE_URL right?`),
    ];
  }
  try {
    return await questionsOf(db, settings);
  } catch (error) {
    return [fail('database', `does not answer as it should: ${reasonOf(error)}`)];
  } finally {
    await db.close();
  }
}

function isMissingFile(databaseUrl: string): boolean {
  if (!databaseUrl.startsWith('sqlite:')) return false;
  const file = databaseUrl.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  return !existsSync(path.resolve(projectRoot, file));
}

async function questionsOf(db: Database, settings: Settings): Promise<HealthCheck[]> {
  const checks = [await checkVersion(db), ...(await checkLine(db, settings))];
  const pending = await pendingMigrations(db);
  if (pending.length === migrations.length) {
    return [
      ...checks,
      warn('schema', 'has no tables yet; "sallyport migrate" or the first "sallyport start" makes them'),
    ];
  }
  if (pending.length > 0) {
    return [
      ...checks,
      fail('schema', `is not current; run "sallyport migrate" (pending: ${pending.join(', ')})`),
    ];
  }
  checks.push(ok('schema', 'is current'));
  if (db.dialect === 'mysql') {
    checks.push(await checkCollation(db), await checkClock(db));
  }
  return [
    ...checks,
    await checkSecretKeys(db, settings),
    await checkAudit(db, settings),
    ...(await checkPasskeyModels(db, settings)),
  ];
}

async function checkVersion(db: Database): Promise<HealthCheck> {
  if (db.dialect === 'sqlite') {
    const row = await db.row<{ version: string }>('SELECT sqlite_version() AS version');
    return ok('database', `SQLite ${row?.version}`);
  }
  const row = await db.row<{ version: string }>('SELECT VERSION() AS version');
  const version = row?.version ?? '';
  const isMariadb = /mariadb/i.test(version);
  const [major = 0, minor = 0] = version
    .replace(/^5\.5\.5-/, '')
    .split('.')
    .map(Number.parseFloat);
  const isNewEnough = isMariadb ? major > 10 || (major === 10 && minor >= 6) : major >= 8;
  const name = `${isMariadb ? 'MariaDB' : 'MySQL'} ${version}`;
  return isNewEnough
    ? ok('database', name)
    : fail('database', `${name} is too old: MySQL 8 or MariaDB 10.6 is needed`);
}

/** What the server itself says of the connection, and not what was asked for. */
async function checkLine(db: Database, { databaseUrl, databaseTls }: Settings): Promise<HealthCheck[]> {
  if (db.dialect === 'sqlite') return [];
  const status = await db.rows<{ Variable_name: string; Value: string }>(
    "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_version', 'Ssl_cipher')",
  );
  const said = (name: string) => status.find((one) => one.Variable_name === name)?.Value ?? '';
  const { hostname } = new URL(databaseUrl);
  if (databaseTls !== null) {
    const by = databaseTls.authorities === null ? 'authorities that Node trusts' : 'DATABASE_CA';
    const how = [said('Ssl_version') || 'TLS', said('Ssl_cipher')].filter(Boolean).join(', ');
    return [ok('database line', `${how}; the certificate is for ${hostname} and verified by ${by}`)];
  }
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname)
    ? [ok('database line', 'not encrypted; it does not leave this machine')]
    : [
        warn(
          'database line',
          `not encrypted: whoever listens between here and ${hostname} reads everything; set DATABASE_TLS=1 (and DATABASE_CA_FILE)`,
        ),
      ];
}

/** Tables that compare more than bytes would take codes and identifiers for equal that are not (security.md, trap F6). */
async function checkCollation(db: Database): Promise<HealthCheck> {
  const tables = await db.rows<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = DATABASE() AND table_name NOT IN ('migrations', 'typeorm_metadata')
       AND table_collation NOT IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') ORDER BY table_name`,
  );
  return tables.length === 0
    ? ok('collation', 'all tables compare bytes')
    : fail(
        'collation',
        `these tables do not compare bytes: ${tables.map(({ name }) => name).join(', ')}; convert them to utf8mb4_0900_bin (MariaDB: utf8mb4_nopad_bin)`,
      );
}

async function checkClock(db: Database): Promise<HealthCheck> {
  const before = Date.now();
  const row = await db.row<{ ms: number | string }>(serverTime);
  const off = Math.abs(Number(row?.ms) - (before + Date.now()) / 2);
  const text = `${(off / 1000).toFixed(1)} s apart from the database's`;
  return off > seconds(5)
    ? warn(
        'clock',
        `this machine's clock is ${text}; set both by NTP, or codes of authenticator apps will fail`,
      )
    : ok('clock', `this machine's clock is ${text}`);
}

async function checkSecretKeys(db: Database, settings: Settings): Promise<HealthCheck> {
  const found = await keysOpen(db, openKeyRing(settings.secretKeys));
  if (found === null) {
    return ok('secret keys', 'nothing has been sealed yet');
  }
  return found
    ? ok('secret keys', 'open what is stored')
    : fail(
        'secret keys',
        'SECRET_KEYS does not open what is stored; put the key ring back that sealed this database',
      );
}

/** Where a policy lists models, makers' certificates must be known, or nobody can set up a passkey. */
async function checkPasskeyModels(db: Database, { passkeyRoots }: Settings): Promise<HealthCheck[]> {
  const instance = await instancePolicy(db);
  const listing = [
    ...(instance?.passkeyModels ? ['the instance'] : []),
    ...(
      await db.rows<{ slug: string; policy: string }>('SELECT slug, policy FROM organizations ORDER BY slug')
    )
      .filter(({ policy }) => readStoredPolicy(policy).passkeyModels !== null)
      .map(({ slug }) => slug),
  ];
  if (listing.length === 0) return [];
  const named =
    listing.slice(0, 5).join(', ') + (listing.length > 5 ? ` and ${listing.length - 5} more` : '');
  return [
    passkeyRoots.length === 0
      ? warn(
          'passkey models',
          `are listed by ${named}, but PASSKEY_ROOTS names no maker's certificates: nobody there can set up a passkey`,
        )
      : ok(
          'passkey models',
          `are listed by ${named}; ${passkeyRoots.length} certificates of makers are known`,
        ),
  ];
}

/** The audit log's chains: an event that was changed, taken out or put in breaks one. */
async function checkAudit(db: Database, settings: Settings): Promise<HealthCheck> {
  const ring = openKeyRing(settings.secretKeys);
  const { links, head, problems } = await verifyAuditChains({ db, ring });
  const [problem] = problems;
  const gone = (await keysSeen(db)).filter((id) => !ring.ids.includes(id));
  if (problem?.what === 'changed' && gone.length > 0) {
    return fail(
      'audit log',
      `cannot be verified: it was tampered with, or written under a key that is not in SECRET_KEYS any more (${gone.join(', ')}); put that one back, behind the others`,
    );
  }
  if (problem) {
    const where = `${problem.chain === 'instance' ? 'the chain of all events' : `the chain of organization ${problem.chain}`}, link ${problem.position}`;
    const more = problems.length > 1 ? `, and ${problems.length - 1} more` : '';
    return fail(
      'audit log',
      `was tampered with: ${where} is ${problem.what}${more}; keep this database and compare it with a backup`,
    );
  }
  return ok(
    'audit log',
    head === null
      ? 'is empty'
      : `${links} links hold; the last one of all events is ${head.position} ${head.hash}`,
  );
}

async function checkMail({ mailUrl, mailFrom }: Settings): Promise<HealthCheck> {
  if (mailUrl === null) {
    return ok('mail', 'no MAIL_URL: mail goes to the development inbox at /dev/inbox');
  }
  const { host } = new URL(mailUrl);
  const tooLong = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('no answer in 5 seconds')), patience).unref();
  });
  try {
    const transport = createMailTransport({ mailUrl, mailFrom });
    await Promise.race([transport.check(), tooLong]).finally(() => transport.close());
    return ok('mail', `${host} takes mail`);
  } catch (error) {
    return fail('mail', `${host} does not take mail (${reasonOf(error)}); check MAIL_URL and MAIL_FROM`);
  }
}

async function checkIssuer({ issuer }: Settings): Promise<HealthCheck> {
  const address = `${issuer}/.well-known/openid-configuration`;
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(patience), redirect: 'error' });
    if (!answer.ok) {
      return warn('issuer', `${address} answered ${answer.status}; does ISSUER lead to this server?`);
    }
    const { issuer: found } = (await answer.json()) as { issuer?: unknown };
    return found === issuer
      ? ok('issuer', `${issuer} answers`)
      : fail('issuer', `${address} belongs to another issuer; does ISSUER lead to this server?`);
  } catch (error) {
    return warn(
      'issuer',
      `${address} is not reachable (${reasonOf(error)}); right where the server is not running`,
    );
  }
}

/** A reason without addresses that may hold a password. */
function reasonOf(error: unknown): string {
  const { message, code, cause } = error as {
    message?: string;
    code?: string;
    cause?: { code?: string; message?: string };
  };
  const reason = cause?.code || cause?.message || message || code || 'no reason was given';
  const isUnknown =
    /UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT)|SELF_SIGNED_CERT|self-signed certificate/.test(reason);
  return `${reason.replaceAll(/\/\/[^/\s@]*@/g, '//…@')}${isUnknown ? ': its certificate comes from an authority that Node does not know; NODE_EXTRA_CA_CERTS names one more' : ''}`;
}
