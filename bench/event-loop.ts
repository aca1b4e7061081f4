import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hash as bcryptHash } from 'bcryptjs';
import { insertMany } from '../entities/configuration.ts';
import { openDatabase } from '../entities/database.ts';
import { exchange } from './browser.ts';
import { contestant, signIns } from './measure.ts';
import { configurationFor, makePeople } from './people.ts';
import {
  applyFile,
  freshMysql,
  type Running,
  sallyportCommand,
  sallyportSettings,
  startServer,
} from './servers.ts';
import { fixed, table } from './table.ts';

/**
 * How long the main thread of a server works at most without looking after anybody else, while it hashes, imports and purges:
 * `npm run bench:loop`. By its own processor time, and in brackets by the clock, in which everything is that else runs on the same
 * processors. BENCH_EXPIRED is how many rows of each kind have expired. The aim is 50 ms.
 */
const expired = Number(process.env.BENCH_EXPIRED ?? 100_000);
const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-loop-'));
const ends: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
const rows: string[][] = [
  [
    'the longest stop, ms',
    'idle',
    'sign-ins, 16 at once',
    'bcrypt, 4 at once',
    `purge of 3 × ${expired}`,
    'first mail',
    'import of 500',
  ],
];

/** What the probe in the server's process has seen since it was asked last. */
async function longest(server: Running, file: string): Promise<{ own: number; wall: number }> {
  rmSync(file, { force: true });
  server.process.kill('SIGUSR2');
  for (;;) {
    await sleep(10);
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      // It is still being written.
    }
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function measure(name: string, databaseUrl: string): Promise<void> {
  const place = path.join(dir, name);
  mkdirSync(place);
  const probe = path.join(place, 'longest.json');
  const env = await sallyportSettings(place, databaseUrl);
  const during = async (work: () => Promise<unknown>): Promise<string> => {
    await longest(server, probe);
    await work();
    const { own, wall } = await longest(server, probe);
    return `${fixed(own, 0)} (${fixed(wall, 0)})`;
  };
  const people = await makePeople(200);
  const configuration = JSON.parse(configurationFor(people));
  const old = await bcryptHash(people.password, 10);
  for (const user of configuration.users.slice(0, 20)) user.passwordHash = old;
  configuration.applications.push({
    client_id: 'importer',
    client_secret: 'importer-secret',
    name: 'Importer',
    organization: 'bench',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    api_scopes: ['members:write', 'members:read'],
  });
  writeFileSync(path.join(place, 'apply.json'), JSON.stringify(configuration));
  await applyFile(path.join(place, 'apply.json'), env);
  const db = await openDatabase(databaseUrl);
  const counted = async () =>
    Number(
      (await db.row<{ n: number }>('SELECT COUNT(*) AS n FROM provider_records WHERE expires_at < 1000'))?.n,
    ) +
    Number((await db.row<{ n: number }>('SELECT COUNT(*) AS n FROM sessions WHERE expires_at < 1000'))?.n) +
    Number((await db.row<{ n: number }>('SELECT COUNT(*) AS n FROM limits WHERE expires_at < 1000'))?.n);
  const old64 = (n: number) => `${n.toString(16).padStart(10, '0')}${'x'.repeat(33)}`;
  for (let from = 0; from < expired; from += 5000) {
    const numbers = Array.from({ length: Math.min(5000, expired - from) }, (_, n) => from + n);
    await db.together([
      ...insertMany(
        'provider_records',
        numbers.map((n) => ({
          model: 'AccessToken',
          id_digest: old64(n),
          payload: 'x'.repeat(600),
          created_at: 0,
          expires_at: 1,
        })),
      ),
      ...insertMany(
        'sessions',
        numbers.map((n) => ({
          uid_digest: old64(n),
          version: 1,
          payload: 'x'.repeat(400),
          started_at: 0,
          seen_at: 0,
          expires_at: 1,
        })),
      ),
      ...insertMany(
        'limits',
        numbers.map((n) => ({ subject: old64(n), failures: 1, blocked_until: 0, expires_at: 1 })),
      ),
    ]);
  }
  const server = await startServer(
    name,
    ['--import', path.join(import.meta.dirname, 'loop-probe.ts'), sallyportCommand, 'start'],
    {
      ...env,
      LOOP_PROBE: probe,
    },
  );
  ends.push(server.stop);
  const purge = await during(async () => {
    while ((await counted()) > 0) await sleep(500);
  });
  await db.close();
  await sleep(1000);
  const idle = await during(() => sleep(3000));
  const modern = contestant(server, { ...people, list: people.list.slice(20) });
  await signIns(modern, people.password, { count: 16, browsers: 8, longest: 10_000 });
  const hashing = await during(() =>
    signIns(modern, people.password, { count: 100, browsers: 16, longest: 20_000 }),
  );
  const taken = contestant(server, { ...people, list: people.list.slice(0, 20) });
  const bcrypt = await during(() =>
    signIns(taken, people.password, { count: 18, browsers: 4, longest: 20_000 }),
  );
  const basic = `Basic ${Buffer.from('importer:importer-secret').toString('base64')}`;
  const granted = await exchange(
    server.address,
    'POST',
    '/token',
    { Authorization: basic },
    'grant_type=client_credentials&scope=members%3Awrite',
  );
  const importOf = async (count: number, name: string): Promise<void> => {
    const lines = Array.from({ length: count }, (_, n) => `${name}-${n}@bench.test,${name} ${n}`);
    const answer = await fetch(
      `http://127.0.0.1:${server.address.port}/api/v1/organizations/bench/members/import`,
      {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${JSON.parse(granted.text).access_token}`,
          'Content-Type': 'application/json',
          'X-Forwarded-Proto': 'https',
        },
        body: JSON.stringify({ csv: `email,name\n${lines.join('\n')}` }),
      },
    );
    if (!answer.ok) throw new Error(`the import answered ${answer.status}: ${await answer.text()}`);
  };
  // Once in its life a process loads what sends mails.
  const firstMail = await during(async () => {
    await importOf(1, 'first');
    await sleep(2000);
  });
  const importing = await during(() => importOf(500, 'new'));
  rows.push([name, idle, hashing, bcrypt, purge, firstMail, importing]);
  await server.stop();
}

try {
  await measure('SQLite', `sqlite:${dir}/sallyport.sqlite`);
  if (process.env.TEST_MYSQL_URL) {
    const mysql = await freshMysql(process.env.TEST_MYSQL_URL);
    ends.push(mysql.drop);
    await measure('MariaDB', mysql.url);
  }
  console.log(table(rows));
} finally {
  for (const end of ends.toReversed()) await end();
}
