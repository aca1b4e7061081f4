import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import path from 'node:path';
import { createConnection } from 'mysql2/promise';
import { projectRoot } from '../config/settings.ts';
import { newKey } from '../lib/key-ring.ts';
import type { Address } from './browser.ts';

/** A server in a process of its own. */
export interface Running {
  readonly name: string;
  readonly address: Address;
  readonly process: ChildProcess;
  /** Processor time that it has had so far, all threads, in milliseconds. */
  cpu(): number;
  /** The part of it that its main thread has had. */
  mainCpu(): number;
  /** Resident memory in MiB. */
  memory(): number;
  stop(): Promise<void>;
}

export type Environment = Readonly<Record<string, string>>;

/** Starts a program under this Node; ready when it says so. */
export async function startServer(name: string, args: readonly string[], env: Environment): Promise<Running> {
  const child = spawn(process.execPath, args, {
    cwd: projectRoot,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  try {
    await ready(name, child);
  } catch (error) {
    await stopped(child);
    throw error;
  }
  return {
    name,
    address: { port: Number(env.PORT), issuer: env.ISSUER ?? '' },
    process: child,
    cpu: () => cpuIn(`/proc/${child.pid}/stat`),
    mainCpu: () => cpuIn(`/proc/${child.pid}/task/${child.pid}/stat`),
    memory: () => memoryOf(child.pid),
    stop: () => stopped(child),
  };
}

/** What a Sallyport of the bench is told: as in production, behind a proxy that ends TLS. */
export const sallyportSettings = async (dir: string, databaseUrl: string): Promise<Environment> => ({
  ISSUER: 'https://sallyport.bench.test',
  PORT: String(await freePort()),
  DATABASE_URL: databaseUrl,
  DATA_DIR: dir,
  SECRET_KEYS: newKey(),
  MAIL_URL: 'smtp://127.0.0.1:9',
  MAIL_FROM: 'bench@sallyport.bench.test',
  DEMO: '0',
});

export const sallyportCommand = path.join(projectRoot, 'cli/sallyport.js');

/** `sallyport apply -f FILE` */
export async function applyFile(file: string, env: Environment): Promise<void> {
  const child = spawn(process.execPath, [sallyportCommand, 'apply', '-f', file], {
    cwd: projectRoot,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said = collect(child);
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`sallyport apply ended with ${code}:\n${said()}`);
}

/** Milliseconds from `npm start` on an empty directory until Sallyport says that it is ready, demo and all. */
export async function startTime(dir: string): Promise<number> {
  const port = await freePort();
  const begun = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: projectRoot,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: String(port),
      ISSUER: `http://localhost:${port}`,
      DATA_DIR: dir,
      DATABASE_URL: `sqlite:${dir}/start.sqlite`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: npm and its shell do not hand on what ends them.
    detached: true,
  });
  try {
    await ready('npm start', child);
    return performance.now() - begun;
  } finally {
    const closed = new Promise((resolve) => child.once('close', resolve));
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
    await closed;
  }
}

/** A new database on the server that an address names, and how to drop it. */
export async function freshMysql(serverUrl: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `sp_bench_${randomBytes(6).toString('hex')}`;
  const ask = async (sql: string) => {
    const connection = await createConnection(serverUrl);
    await connection.query(sql);
    await connection.end();
  };
  await ask(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => ask(`DROP DATABASE ${name}`) };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function ready(name: string, child: ChildProcess): Promise<void> {
  const said = collect(child);
  return new Promise((resolve, reject) => {
    const patience = setTimeout(
      () => reject(new Error(`${name} is not ready after 30 s:\n${said()}`)),
      30_000,
    );
    child.stdout?.on('data', () => {
      if (said().includes(' ready at ')) {
        clearTimeout(patience);
        resolve();
      }
    });
    child.once('exit', (code) => {
      clearTimeout(patience);
      reject(new Error(`${name} ended with ${code}:\n${said()}`));
    });
  });
}

/** The last of what a process has said. */
function collect(child: ChildProcess): () => string {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-8_000);
    });
  }
  return () => said;
}

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

/** proc(5): the fields after the name, which may hold blanks, are counted from its closing bracket. Ticks are 10 ms on Linux. */
function cpuIn(file: string): number {
  const fields = readFileSync(file, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function memoryOf(pid: number | undefined): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}
