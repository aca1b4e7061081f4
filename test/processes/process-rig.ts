import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { createGuardrails, generateSync } from 'otplib';
import { projectRoot } from '../../config/settings.ts';
import { type Database, openDatabase } from '../../entities/database.ts';
import { newKey } from '../../lib/key-ring.ts';
import { freshDir, freshUrl, type Kind, migratedUrl } from '../configuration/fresh-database.ts';
import { Browser } from '../front-door/browser.ts';
import { redirectUri, secret } from '../front-door/rig.ts';

const bin = path.join(projectRoot, 'cli/sallyport.js');

/** For processes of the product: what another one has compiled before (test/one-run.js). */
export const compileCache: Readonly<Record<string, string>> = process.env.NODE_COMPILE_CACHE
  ? { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }
  : {};

export interface Running {
  readonly url: string;
  readonly pid: number;
  /** Milliseconds from the start to the line that says that it is ready. */
  readonly readyAfter: number;
  readonly output: () => string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** To this very process and no other. */
  signal(signal: NodeJS.Signals): void;
  /** The process goes without any notice; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface Place {
  readonly dir: string;
  readonly databaseUrl: string;
  readonly issuer: string;
  readonly ports: readonly number[];
  readonly env: Readonly<Record<string, string>>;
  /** `sallyport start` on the port with this index; rejects with what it said where it ends before it is ready. */
  start(index?: number, env?: Readonly<Record<string, string>>): Promise<Running>;
  sallyport(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  apply(configuration: object): Promise<void>;
  browser(index?: number): Browser;
  /** The database by a connection of the test's own. */
  look<Result>(question: (db: Database) => Promise<Result>): Promise<Result>;
  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    index?: number,
  ): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }>;
  redeem(
    browser: Browser,
    index?: number,
  ): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Two ports, one database and one key ring: where real processes of the product run. */
export async function place(
  t: ExecutionContext,
  kind: Kind,
  options: {
    /** What the servers are told in place of the database's own address. */
    databaseUrl?: (url: string) => Promise<string>;
    /** A database of the test's own. */
    own?: string;
    /** Where the first start is to make the tables. */
    empty?: boolean;
  } = {},
): Promise<Place> {
  const dir = freshDir(t);
  const real = options.own ?? (await (options.empty ? freshUrl : migratedUrl)(t, kind, dir));
  const databaseUrl = (await options.databaseUrl?.(real)) ?? real;
  const ports = [await freePort(), await freePort()];
  const issuer = `http://127.0.0.1:${ports[0]}`;
  const env = {
    PATH: process.env.PATH ?? '',
    ISSUER: issuer,
    DATABASE_URL: databaseUrl,
    DATA_DIR: path.join(dir, 'data'),
    SECRET_KEYS: newKey(),
    DEMO: '0',
    LOG_LEVEL: 'warn',
    ...compileCache,
  };
  const addresses = ports.map((port) => `http://127.0.0.1:${port}`);
  const sallyport: Place['sallyport'] = (args, more = {}) =>
    ended(spawn(process.execPath, [bin, ...args], { cwd: tmpdir(), env: { ...env, ...more } }));
  const post: Place['post'] = async (at, fields, index = 0) => {
    const response = await fetch(`${addresses[index]}${at}`, {
      method: 'POST',
      headers: { Authorization: `Basic ${Buffer.from('app:app-secret').toString('base64')}` },
      body: new URLSearchParams(fields),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text.startsWith('{') ? JSON.parse(text) : { text },
    };
  };
  return {
    dir,
    databaseUrl,
    issuer,
    ports,
    env,
    sallyport,
    post,
    start: (index = 0, more = {}) =>
      run(
        t,
        process.execPath,
        [bin, 'start'],
        { ...env, PORT: String(ports[index]), ...more },
        addresses[index],
      ),
    apply: async (configuration) => {
      const file = path.join(dir, 'configuration.json');
      writeFileSync(file, JSON.stringify(configuration));
      const { code, output } = await sallyport(['apply', '-f', file], { DATABASE_URL: real });
      if (code !== 0) throw new Error(output);
    },
    browser: (index = 0) => new Browser(issuer, addresses, index),
    look: async (question) => {
      const db = await openDatabase(real);
      try {
        return await question(db);
      } finally {
        await db.close();
      }
    },
    redeem: (browser, index = browser.replica) =>
      post(
        '/token',
        {
          grant_type: 'authorization_code',
          code: browser.callback?.get('code') ?? '',
          redirect_uri: redirectUri,
          code_verifier: browser.verifier,
        },
        index,
      ),
  };
}

/** Starts a server and waits until it says that it is ready; it does not outlive the test. */
export async function run(
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  url = '',
  options: { cwd?: string; group?: boolean } = {},
): Promise<Running> {
  const { cwd = tmpdir(), group = false } = options;
  const started = performance.now();
  // npm leaves its child alone when it is told to end, so the two are told together.
  const child = spawn(command, args, { cwd, env, detached: group });
  const tell = (signal: NodeJS.Signals) => {
    if (group && child.pid !== undefined && !gone) process.kill(-child.pid, signal);
    else child.kill(signal);
  };
  let output = '';
  let gone = false;
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  void exited.then(() => {
    gone = true;
  });
  t.teardown(async () => {
    if (!gone) tell('SIGKILL');
    await exited;
  });
  const readyAfter = await new Promise<number>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (/^Sallyport ready at /m.test(output)) resolve(performance.now() - started);
      });
    }
    child.once('error', reject);
    void exited.then(({ code, signal }) => reject(new Error(`it ended with ${code ?? signal}: ${output}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    readyAfter,
    output: () => output,
    exited,
    signal: tell,
    kill: async () => {
      tell('SIGKILL');
      await exited;
    },
  };
}

export function ended(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, output }));
  });
}

export async function freePort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The code that an authenticator app shows now. */
export const codeNow = (of = secret, steps = 0): string =>
  generateSync({
    secret: of,
    epoch: Math.floor(Date.now() / 1000) + 30 * steps,
    guardrails: createGuardrails({ MIN_SECRET_BYTES: 10 }),
  });

export interface Line {
  /** The address of the database through this line. */
  readonly url: string;
  /** Connections break, and new ones are refused. */
  cut(): Promise<void>;
  /** Connections stay and new ones are taken, but nothing gets through. */
  hang(): void;
  /** Whatever is said takes so many milliseconds to arrive, each way of a question once. */
  delay(ms: number): void;
  /** A connection on which these words are said gets no answer to them, and none after; null ends that for new ones. */
  silenceAt(words: string | null): void;
  /** New connections go to another server; those that are there stay where they are. */
  leadTo(databaseUrl: string): void;
  restore(): Promise<void>;
}

/** A line between the product and its database server, that can be cut, silenced and restored. */
export async function lineTo(t: ExecutionContext, databaseUrl: string): Promise<Line> {
  let target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let silent = false;
  let late = 0;
  let fatal: string | null = null;
  const server = createNetServer((near) => {
    let isDead = false;
    const far = connect(Number(target.port || 3306), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        if (fatal !== null && bytes.includes(fatal)) isDead = true;
        if (silent || isDead) return;
        if (from === near && late > 0) setTimeout(() => to.write(bytes), late);
        else to.write(bytes);
      });
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const breakAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const cut = async () => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    breakAll();
    await closed;
  };
  t.teardown(cut);
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    cut,
    hang: () => {
      silent = true;
    },
    silenceAt: (words) => {
      fatal = words;
    },
    delay: (ms) => {
      late = ms;
    },
    leadTo: (other) => {
      target = new URL(other);
    },
    restore: async () => {
      late = 0;
      // What was swallowed cannot be given back: those connections are of no more use.
      if (silent) breakAll();
      silent = false;
      if (!server.listening) await listen(port);
    },
  };
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks again until it is so; how long that took in milliseconds, or null after `within`. */
export async function until(is: () => Promise<boolean>, within: number): Promise<number | null> {
  const began = performance.now();
  while (performance.now() - began < within) {
    if (await is()) return performance.now() - began;
    await sleep(50);
  }
  return null;
}
