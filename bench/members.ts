import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateSync } from 'otplib';
import { pino } from 'pino';
import { readSettings } from '../config/settings.ts';
import { insertMany } from '../entities/configuration.ts';
import { type Database, migrate, openDatabase } from '../entities/database.ts';
import { refreshMany } from '../entities/member-directory.ts';
import { applyConfiguration } from '../flows/apply-configuration.ts';
import { chainAuditEvents } from '../flows/chain-audit-events.ts';
import { days } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { newKey } from '../lib/key-ring.ts';
import { createApp } from '../server.ts';
import { Browser } from '../test/front-door/browser.ts';
import { freshMysql } from './servers.ts';
import { table } from './table.ts';

/**
 * Server time of every admin page with a thousand and with a hundred thousand members: `npm run bench:members`. MariaDB takes part where
 * TEST_MYSQL_URL names a server. The pages are fetched from the real application over loopback; the median of nine is told.
 */
const sizes = (process.env.BENCH_MEMBERS ?? '1000,100000').split(',').map(Number);
const rounds = 9;
const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
const password = 'correct horse battery staple';
const slug = 'acme';

const pages: readonly [string, string][] = [
  ['overview', ''],
  ['two-factor authentication', '/two-factor'],
  ['the same, preview', '/two-factor?requirement=required_for_all&graceDays=0&methods=totp&coverage=all'],
  ['mails that were sent', '/two-factor/mails'],
  ['members', '/members'],
  [
    'members, page in the middle',
    `/members?after=${Buffer.from('["email","user050000@bench.test","x"]').toString('base64url')}`,
  ],
  ['members without 2FA', '/members?twoFactor=off'],
  ['members with a passkey', '/members?method=passkey'],
  ['admins without 2FA', '/members?role=admin&twoFactor=off'],
  ['overdue', '/members?state=overdue'],
  ['in grace', '/members?state=in_grace'],
  ['never signed in', '/members?state=never_signed_in'],
  ['by last name, overdue admins', '/members?sort=surname&role=admin&state=overdue'],
  ['search by address', '/members?search=user0999'],
  ['search by name', '/members?search=Person%204'],
  ['search, nobody', '/members?search=zzz'],
  ['passkeys', '/passkeys'],
  ['applications', '/applications'],
  ['API access', '/api-access'],
  ['providers', '/providers'],
  ['invitations', '/members-invite'],
  ['branding', '/branding'],
  ['audit log', '/audit'],
  ['audit log, one kind', '/audit?type=factor.added'],
  ['audit log, one person', '/audit?person=user000001%40bench.test'],
];

const results = new Map<string, Record<string, number>>();
for (const [database, open] of databases()) {
  for (const size of sizes) {
    const { url, end } = await open();
    const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-members-'));
    try {
      await measure(`${database} ${size}`, url, dir, size);
    } finally {
      rmSync(dir, { recursive: true, force: true });
      await end();
    }
  }
}
const columns = [...results.keys()];
console.log('Server time in ms, median of nine\n');
console.log(
  table([
    ['page', ...columns],
    ...pages.map(([name]) => [
      name,
      ...columns.map((column) => (results.get(column)?.[name] ?? 0).toFixed(1)),
    ]),
  ]),
);
process.exit(0);

function databases(): [string, () => Promise<{ url: string; end(): Promise<void> }>][] {
  const list: [string, () => Promise<{ url: string; end(): Promise<void> }>][] = [
    [
      'SQLite',
      async () => {
        const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-members-'));
        return {
          url: `sqlite:${path.join(dir, 'members.sqlite')}`,
          end: async () => rmSync(dir, { recursive: true, force: true }),
        };
      },
    ],
  ];
  if (process.env.TEST_MYSQL_URL) {
    list.push([
      'MariaDB',
      async () => {
        const { url, drop } = await freshMysql(process.env.TEST_MYSQL_URL ?? '');
        return { url, end: async () => void (await drop()) };
      },
    ]);
  }
  return list;
}

async function measure(column: string, databaseUrl: string, dir: string, size: number): Promise<void> {
  const db = await openDatabase(databaseUrl);
  await migrate(db);
  const server = createServer((req, res) => app?.handle?.(req, res));
  let app: Awaited<ReturnType<typeof createApp>> | undefined;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = {
    ...readSettings({
      DATA_DIR: dir,
      SECRET_KEYS: newKey(),
      DATABASE_URL: databaseUrl,
      ISSUER: issuer,
      LOG_LEVEL: 'silent',
    }),
    issuer,
  };
  app = await createApp(settings, db, pino({ level: 'silent' }));
  await applyConfiguration(app.services, {
    name: 'bench',
    text: JSON.stringify({
      organizations: [{ slug, name: 'Acme', policy: { requirement: 'required_for_all', graceDays: 30 } }],
      users: [
        {
          email: 'ada@bench.test',
          password,
          emailVerified: true,
          factors: { totp: secret },
          memberships: [{ organization: slug, role: 'owner' }],
        },
      ],
    }),
  });
  await fill(db, size);
  await chainAuditEvents(app.services);

  const browser = new Browser(issuer, [issuer]);
  await browser.open(`/organizations/${slug}`);
  await browser.press('Sign in', { email: 'ada@bench.test', password });
  await browser.press('Verify', { code: generateSync({ secret }) });
  if (browser.heading !== 'Overview') throw new Error(`not signed in: ${browser.heading}`);
  const times: Record<string, number> = {};
  for (const [name, address] of pages) {
    const all: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const begun = performance.now();
      await browser.open(`/organizations/${slug}${address}`);
      if (browser.status !== 200) throw new Error(`${name}: ${browser.status}`);
      // The first one compiles the view.
      if (round > 0) all.push(performance.now() - begun);
    }
    times[name] = all.sort((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0;
  }
  results.set(column, times);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await app.courier.stop();
  await db.close();
}

/** Members as a company has them: most set up, some in grace, some overdue, few admins; and an event for each. */
async function fill(db: Database, size: number): Promise<void> {
  const now = db.clock.now();
  const organization = await db.row<{ id: string; policy: string }>('SELECT id, policy FROM organizations');
  if (!organization) throw new Error('no organization');
  const since = now.getTime() - days(60);
  const policy = { ...JSON.parse(organization.policy), adminsRequiredSince: since, allRequiredSince: since };
  await db.change('UPDATE organizations SET policy = ?', [JSON.stringify(policy)]);
  for (let start = 0; start < size; start += 1000) {
    const people = Array.from({ length: Math.min(1000, size - start) }, (_, n) => ({
      n: start + n,
      id: newId(now),
    }));
    const statements = [
      ...insertMany(
        'users',
        people.map(({ n, id }) => ({
          id,
          email: `user${String(n).padStart(6, '0')}@bench.test`,
          email_verified: 1,
          name: `Person ${n}`,
          phone_verified: 0,
          home_organization_id: organization.id,
          security_version: 1,
          had_factor_at: n % 5 < 3 ? since : null,
          sessions_valid_after: 0,
          last_sign_in_at: n % 7 === 0 ? null : now.getTime() - days(n % 30),
          last_sign_in_acr: n % 5 < 3 ? 'urn:sallyport:acr:2fa' : 'urn:sallyport:acr:1fa',
          created_at: since,
          updated_at: since,
        })),
      ),
      ...insertMany(
        'memberships',
        people.map(({ n, id }) => ({
          user_id: id,
          organization_id: organization.id,
          role: n % 500 === 0 ? 'admin' : 'member',
          // A tenth joined lately and is in grace.
          joined_at: n % 10 === 3 ? now.getTime() - days(5) : since,
          admin_since: n % 500 === 0 ? since : null,
        })),
      ),
      ...insertMany(
        'factors',
        people
          .filter(({ n }) => n % 5 < 3)
          .map(({ n, id }) => ({
            id: newId(now),
            user_id: id,
            method: n % 50 === 0 ? 'passkey' : 'totp',
            data: 'none',
            lookup: randomBytes(8).toString('hex'),
            high_water: 0,
            failures: 0,
            confirmed_at: since + n,
          })),
      ),
      ...insertMany(
        'audit_events',
        people.map(({ n, id }) => ({
          id: newId(now),
          at: now.getTime() - n,
          type: n % 100 === 0 ? 'factor.added' : 'sign_in.succeeded',
          user_id: id,
          data: '{"acr":"urn:sallyport:acr:2fa"}',
        })),
      ),
      ...refreshMany(people.map(({ id }) => id)),
    ];
    await db.together(statements);
  }
}
