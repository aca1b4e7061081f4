import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { type ParsedMail, simpleParser } from 'mailparser';
import mysql from 'mysql2/promise';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { type Database, migrate, openDatabase, type Statement } from '../../entities/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';
import { type CourierOptions, createCourier } from '../../notifications/deliver.ts';
import type { RenderMail } from '../../notifications/gateway.ts';
import { createMailTransport } from '../../notifications/mail-transport.ts';
import { createNotify } from '../../notifications/outbox.ts';

const mysqlUrl = process.env.TEST_MYSQL_URL;

/** Every kind of database that this machine has. */
export const kinds: readonly ('sqlite' | 'mysql')[] = mysqlUrl ? ['sqlite', 'mysql'] : ['sqlite'];

/** An address of a new, empty database; dropped after the test. */
export async function newDatabaseUrl(t: ExecutionContext, kind: 'sqlite' | 'mysql'): Promise<string> {
  if (kind === 'sqlite') {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'sallyport-outbox-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    return `sqlite:${path.join(folder, 'test.sqlite')}`;
  }
  const url = new URL(mysqlUrl ?? '');
  const name = `outbox_${randomBytes(6).toString('hex')}`;
  const admin = async (sql: string) => {
    const connection = await mysql.createConnection(url.href);
    await connection.query(sql);
    await connection.end();
  };
  await admin(`CREATE DATABASE ${name}`);
  t.teardown(() => admin(`DROP DATABASE ${name}`));
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

export async function openTestDatabase(t: ExecutionContext, url: string, clock?: Clock): Promise<Database> {
  const db = await openDatabase(url, clock ? { clock } : {});
  t.teardown(() => db.close());
  await migrate(db);
  return db;
}

/** A clock that stands still until somebody moves it. */
export function handClock(start = new Date('2030-01-02T03:04:05Z')) {
  let at = start.getTime();
  return {
    now: () => new Date(at),
    forward(span: number) {
      at += span;
    },
  };
}

export const write = async (db: Database, statement: Statement) =>
  db.change(statement.sql, [...statement.values]);

export interface Received {
  readonly envelope: readonly string[];
  readonly raw: string;
  readonly mail: ParsedMail;
}

/** A mail server that keeps what it gets. With a port, it comes up where another one was. */
export async function mailSink(t: ExecutionContext, options: SMTPServerOptions = {}, port = 0) {
  const received: Received[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 200,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString('utf8');
        void simpleParser(raw).then((mail) => {
          received.push({ envelope: session.envelope.rcptTo.map((to) => to.address), raw, mail });
          done();
        }, done);
      });
    },
    ...options,
  });
  server.on('error', () => {});
  const listening = await new Promise<number>((resolve) => {
    const http = server.listen(port, '127.0.0.1', () => resolve((http.address() as AddressInfo).port));
  });
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  t.teardown(close);
  return { received, port: listening, url: `smtp://127.0.0.1:${listening}`, close };
}

export interface Requested {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A web server that keeps what it gets and answers as it is told. With a port, it comes up where another one was. */
export async function httpSink(
  t: ExecutionContext,
  answer: (request: Requested) => { status: number; body?: string; location?: string } | null = () => ({
    status: 200,
  }),
  at = 0,
) {
  const received: Requested[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const asked = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
      received.push(asked);
      const said = answer(asked);
      if (said === null) return;
      response.writeHead(said.status, said.location ? { location: said.location } : {});
      response.end(said.body ?? '');
    });
  });
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.teardown(close);
  const { port } = server.address() as AddressInfo;
  return { received, port, url: `http://127.0.0.1:${port}`, close };
}

/** A log that keeps every line as it would be written. */
export function captureLog() {
  const lines: string[] = [];
  const line = (level: string) => (fields: object, text: string) => {
    lines.push(JSON.stringify({ level, ...fields, msg: text }));
  };
  return { lines, info: line('info'), warn: line('warn'), error: line('error') };
}

/** Puts every value into subject and body, as the worst template would. */
export const render: RenderMail = (template, values, locale, { name, logo }) => {
  const said = Object.values(values).join(' ');
  return {
    subject: `${template} ${name ?? ''} ${said}`,
    text: `${said}\n`,
    logo,
    html: `<p lang="${locale ?? 'en'}">${said.replaceAll('<', '&lt;')}</p>`,
  };
};

/** All that one server process has for sending. */
export function createPost(
  t: ExecutionContext,
  db: Database,
  options: Partial<CourierOptions> & { mailUrl?: string } = {},
) {
  const log = captureLog();
  const ring = options.ring ?? openKeyRing(newKey());
  const transport = options.mailUrl
    ? createMailTransport({ mailUrl: options.mailUrl, mailFrom: 'Sallyport <no-reply@sallyport.test>' })
    : null;
  const courier = createCourier({
    db,
    ring,
    render,
    transport,
    sms: null,
    logout: async () => {},
    signal: async () => {},
    log,
    ...options,
  });
  t.teardown(() => courier.stop());
  return { ring, log, courier, notify: createNotify({ db, ring }) };
}

export const codeMail = (to: string, code: string) => ({
  to,
  locale: 'en',
  template: 'code',
  values: { code },
});
