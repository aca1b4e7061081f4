import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { createGuardrails, generateSync } from 'otplib';
import { applyFile, freshMysql } from '../bench/servers.ts';
import { table } from '../bench/table.ts';
import { type Database, openDatabase } from '../entities/database.ts';
import { newKey } from '../lib/key-ring.ts';
import { Browser } from '../test/front-door/browser.ts';
import { acme, password, redirectUri, secret } from '../test/front-door/rig.ts';
import { freePort, lineTo, run, sleep } from '../test/processes/process-rig.ts';
import { soakClock } from './soak-clock.ts';

/**
 * Mixed traffic for half an hour, in which weeks pass by the product's clock: what the server holds in memory and what it keeps in its
 * tables must be the same at the end as after the warm-up. `npm run test:soak`; SOAK_MINUTES, SOAK_RATE (errands a second),
 * SOAK_DATABASE=MariaDB (at TEST_MYSQL_URL, whose line is cut now and then), SOAK_JUMP_MINUTES (of the clock, each second).
 */
const minutes = Number(process.env.SOAK_MINUTES ?? 30);
const rate = Number(process.env.SOAK_RATE ?? 2);
const jump = Number(process.env.SOAK_JUMP_MINUTES ?? 40);
const isMariadb = process.env.SOAK_DATABASE === 'MariaDB';
/** Refresh tokens live longest of what every sign-in leaves: fourteen days. */
const warmUp = Math.min(minutes * 0.65, (15 * 24 * 60) / jump / 60);
/** Tables that only grow: the audit log is kept, and a day is a row of its statistics. */
const kept = new Set(['audit_events', 'audit_links', 'audit_heads', 'organization_days', 'migrations']);
const most = { rows: 1.2, rowsBeside: 60, memory: 1.15, memoryBeside: 16 };

const ends: (() => unknown)[] = [];
// The rig's functions want a test to tidy up after.
const t = { teardown: (end: () => unknown) => void ends.push(end) } as unknown as ExecutionContext;
const tidyUp = async () => {
  for (const end of ends.splice(0).toReversed()) await end();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void tidyUp().finally(() => process.exit(1)));
}

interface Sample {
  readonly minute: number;
  readonly day: number;
  readonly memory: number;
  readonly heap: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly done: Readonly<Record<string, number>>;
}

function sum(rows: Readonly<Record<string, number>>): number {
  return Object.entries(rows).reduce((all, [name, n]) => all + (kept.has(name) ? 0 : n), 0);
}

let code = 1;
try {
  code = await soak();
} finally {
  await tidyUp();
}
process.exit(code);

async function soak(): Promise<number> {
  const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-soak-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  const real = await database(dir);
  const line = isMariadb ? await lineTo(t, real) : null;
  const base = Date.now();
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const env = {
    PATH: process.env.PATH ?? '',
    ISSUER: issuer,
    PORT: String(port),
    DATABASE_URL: line?.url ?? real,
    DATA_DIR: path.join(dir, 'data'),
    SECRET_KEYS: newKey(),
    DEMO: '0',
    LOG_LEVEL: 'error',
    // Nobody listens there: all mails wait, are tried again and given up.
    MAIL_URL: 'smtp://127.0.0.1:9',
    MAIL_FROM: 'soak@sallyport.test',
    SOAK_BASE: String(base),
    SOAK_JUMP_MINUTES: String(jump),
  };
  const clock = soakClock(env);
  const server = await run(
    t,
    process.execPath,
    // As `sallyport start` has it on Linux.
    ['--max-semi-space-size=4', path.join(import.meta.dirname, 'soak-server.ts')],
    env,
    issuer,
  );
  const db = await openDatabase(real, { clock });
  ends.push(() => db.close());
  await apply(dir, env, real);

  const done: Record<string, number> = {};
  const samples: Sample[] = [];
  const end = base + minutes * 60_000;
  const traffic = createTraffic(issuer, clock, done);
  const every = Math.max(15_000, Math.min(60_000, (minutes * 60_000) / 40));
  let nextSample = Date.now() + every;
  let nextCut = Date.now() + 90_000;
  console.log(
    `${isMariadb ? 'MariaDB' : 'SQLite'}, ${minutes} minutes at ${rate} errands a second, ${((minutes * jump) / 24).toFixed(0)} days by the product's clock; warm-up ${warmUp.toFixed(1)} minutes`,
  );
  const under = new Set<Promise<void>>();
  while (Date.now() < end) {
    const one = traffic().finally(() => under.delete(one));
    under.add(one);
    if (line && Date.now() >= nextCut) {
      nextCut = Date.now() + 90_000;
      await line.cut();
      await sleep(2_000);
      await line.restore();
    }
    if (Date.now() >= nextSample) {
      nextSample += every;
      const sample = await look(db, server.pid, issuer, base, clock.now().getTime(), done);
      samples.push(sample);
      console.log(
        `minute ${sample.minute.toFixed(1)}, day ${sample.day.toFixed(1)}: ${sample.memory.toFixed(0)} MiB (heap ${sample.heap.toFixed(0)}), ${sum(sample.rows)} rows that end, ${sample.rows.audit_events} events, ${JSON.stringify(done)}`,
      );
    }
    await sleep(1000 / rate);
  }
  await Promise.all(under);
  const errors = server
    .output()
    .split('\n')
    .filter(
      (text) =>
        text.includes('"level":50') && !/the outbox cannot be read|a message was given up on/.test(text),
    );
  return judge(samples, errors);
}

async function database(dir: string): Promise<string> {
  if (!isMariadb) return `sqlite:${path.join(dir, 'soak.sqlite')}`;
  const mysql = await freshMysql(process.env.TEST_MYSQL_URL ?? '');
  ends.push(mysql.drop);
  return mysql.url;
}

async function apply(dir: string, env: Readonly<Record<string, string>>, databaseUrl: string): Promise<void> {
  const file = path.join(dir, 'soak.json');
  const people = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${n}`, { totp: secret }]));
  writeFileSync(
    file,
    JSON.stringify(
      acme(
        { requirement: 'required_for_all', graceDays: 0, methods: ['totp'], rememberDeviceDays: 5 },
        people,
      ),
    ),
  );
  await applyFile(file, { ...env, NODE_ENV: 'development', DATABASE_URL: databaseUrl });
}

/** One errand after the other, of all kinds, in the same order each time. */
function createTraffic(issuer: string, clock: ReturnType<typeof soakClock>, done: Record<string, number>) {
  const note = (what: string) => {
    done[what] = (done[what] ?? 0) + 1;
  };
  const codeNow = () =>
    generateSync({
      secret,
      epoch: Math.floor(clock.now().getTime() / 1000),
      guardrails: createGuardrails({ MIN_SECRET_BYTES: 10 }),
    });
  const token = async (fields: Readonly<Record<string, string>>) => {
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from('app:app-secret').toString('base64')}` },
      body: new URLSearchParams(fields),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  let turn = 0;
  const signedIn: Browser[] = [];

  const passwordOf = async (browser: Browser, who: number, text = password) => {
    await browser.authorize({ scope: 'openid offline_access', prompt: 'consent' });
    await browser.press('Sign in', { email: `p${who}@acme.test`, password: text });
  };
  const errands: Readonly<Record<string, (n: number) => Promise<void>>> = {
    'signed in': async (n) => {
      const browser = new Browser(issuer, [issuer]);
      await passwordOf(browser, n);
      if (browser.callback === null) await browser.press('Verify', { code: codeNow(), remember: '1' });
      const answer = await token({
        grant_type: 'authorization_code',
        code: browser.callback?.get('code') ?? '',
        redirect_uri: redirectUri,
        code_verifier: browser.verifier,
      });
      if (answer.status !== 200) throw new Error(`token ${answer.status}`);
      for (let again = 0, refresh = answer.body.refresh_token; again < 2 && refresh; again += 1) {
        const next = await token({ grant_type: 'refresh_token', refresh_token: String(refresh) });
        refresh = next.body.refresh_token;
      }
      await fetch(`${issuer}/me`, { headers: { Authorization: `Bearer ${answer.body.access_token}` } });
      signedIn.push(browser);
      if (signedIn.length > 20) signedIn.shift();
    },
    'signed in silently': async () => {
      const tab = signedIn[turn % Math.max(1, signedIn.length)]?.copy();
      await tab?.authorize({ prompt: 'none' });
    },
    'wrong password': (n) => passwordOf(new Browser(issuer, [issuer]), n, 'wrong horse'),
    'wrong code': async (n) => {
      const browser = new Browser(issuer, [issuer]);
      await passwordOf(browser, n);
      await browser.press('Verify', { code: '000000' });
    },
    'left half-way': (n) => passwordOf(new Browser(issuer, [issuer]), n),
    'broke off': async () => {
      const aborted = new AbortController();
      const going = fetch(`${issuer}/auth?client_id=app`, { signal: aborted.signal });
      aborted.abort();
      await going.catch(() => {});
    },
    'asked nonsense': async () => {
      await token({ grant_type: 'refresh_token', refresh_token: `none-${turn}` });
      await fetch(`${issuer}/nowhere/${turn}`);
    },
  };
  const order = [
    'signed in',
    'signed in silently',
    'signed in',
    'wrong password',
    'signed in',
    'left half-way',
    'wrong code',
    'signed in',
    'broke off',
    'asked nonsense',
  ];
  return async (): Promise<void> => {
    turn += 1;
    const what = order[turn % order.length] ?? 'signed in';
    try {
      await errands[what]?.(turn % 60);
      note(what);
    } catch {
      // Whoever had a wrong password or code too often is among them.
      note('refused or failed');
    }
  };
}

async function look(
  db: Database,
  pid: number,
  issuer: string,
  base: number,
  now: number,
  done: Readonly<Record<string, number>>,
): Promise<Sample> {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  const metrics = await fetch(`${issuer}/metrics`).then((answer) => answer.text());
  const heap = Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(metrics)?.[1] ?? Number.NaN);
  const names = (
    db.dialect === 'sqlite'
      ? await db.rows<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        )
      : await db.rows<{ name: string }>(
          "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
        )
  ).map(({ name }) => name);
  const rows: Record<string, number> = {};
  for (const name of names) {
    rows[name] = Number((await db.row<{ n: number }>(`SELECT COUNT(*) AS n FROM ${name}`))?.n);
  }
  return {
    minute: (Date.now() - base) / 60_000,
    day: (now - base) / 86_400_000,
    memory: Number(kib) / 1024,
    heap: heap / 2 ** 20,
    rows,
    done: { ...done },
  };
}

/** The greatest of the first third after the warm-up beside the greatest of the last third. */
function judge(samples: readonly Sample[], errors: readonly string[]): number {
  const warm = samples.filter(({ minute }) => minute >= warmUp);
  const third = Math.max(1, Math.floor(warm.length / 3));
  const greatest = (part: readonly Sample[], of: (sample: Sample) => number) => Math.max(...part.map(of));
  const rows: string[][] = [['', 'after the warm-up', 'at the end', 'at most', '']];
  let failed = false;
  const compare = (name: string, of: (sample: Sample) => number, factor: number, beside: number) => {
    const before = greatest(warm.slice(0, third), of);
    const after = greatest(warm.slice(-third), of);
    const bound = before * factor + beside;
    const isGrowing = !(after <= bound);
    failed ||= isGrowing;
    if (after > 0 || before > 0) {
      rows.push([name, before.toFixed(0), after.toFixed(0), bound.toFixed(0), isGrowing ? 'GROWS' : '']);
    }
  };
  compare('memory, MiB', ({ memory }) => memory, most.memory, most.memoryBeside);
  compare('heap in use, MiB', ({ heap }) => heap, most.memory, most.memoryBeside);
  for (const name of Object.keys(samples.at(-1)?.rows ?? {}).sort()) {
    if (!kept.has(name)) compare(`rows of ${name}`, (one) => one.rows[name] ?? 0, most.rows, most.rowsBeside);
  }
  console.log(`\n${table(rows)}\n`);
  const last = samples.at(-1);
  const signIns = last?.done['signed in'] ?? 0;
  console.log(
    `The audit log, which is kept: ${last?.rows.audit_events} events for ${signIns} sign-ins and what went wrong beside them.`,
  );
  for (const error of errors.slice(0, 5)) console.log(`unexpected: ${error.slice(0, 600)}`);
  if (warm.length < 3) console.log('too short to say anything: there are no three samples after the warm-up');
  if (signIns === 0) console.log('nobody signed in');
  const isFine = !failed && errors.length === 0 && warm.length >= 3 && signIns > 0;
  console.log(isFine ? 'flat' : 'NOT FLAT, or not right');
  return isFine ? 0 : 1;
}
