import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { createGuardrails, generateSync } from 'otplib';
import { pino } from 'pino';
import type { Settings } from '../../config/settings.ts';
import { openDatabase } from '../../entities/database.ts';
import { applyConfiguration } from '../../flows/apply-configuration.ts';
import { loadSigningKeys, newSigningKey } from '../../flows/signing-keys.ts';
import { days } from '../../lib/clock.ts';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';
import { type App, createApp } from '../../server.ts';
import { freshDir, type Kind, migratedUrl } from '../configuration/fresh-database.ts';
import { Browser } from './browser.ts';

export { type Kind, kinds } from '../configuration/fresh-database.ts';

export const password = 'correct horse battery staple';
/** Thousands of sign-ins are no test of the hash, which has its own (test/lib/password-hash.test.ts). */
const hashCost = { memory: 64, passes: 1, parallelism: 1 };
/** Of `password`, at that cost, so that no sign-in hashes it again. */
export const passwordHash =
  '$argon2id$v=19$m=64,t=1,p=1$c2FsbHlwb3J0LXRlc3QtMQ$IbCDLm62hnRy6Wv/JfwX7Q1Idkqlrg1Q/MDfvoqWMqg';
export const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
export const redirectUri = 'http://127.0.0.1:9/cb';

export interface FrontDoorOptions {
  /** What `sallyport apply` would be given; see `acme` for a start. */
  readonly configuration: object;
  /**
   * Servers over the same database; a browser's `replica` says which one it talks to. Where a test does not say how many, there are two,
   * and every request goes to the one that did not have the last: nothing may need the same server twice.
   */
  readonly replicas?: number;
  readonly now?: Date;
  readonly settings?: Partial<Settings>;
}

/** Two organizations' worth of configuration is rarely needed: people `who`, in one organization with `policy`, and two applications. */
export function acme(
  policy: object,
  people: Readonly<Record<string, { role?: string; totp?: string | null; extra?: object }>> = { ada: {} },
  more: {
    applications?: readonly object[];
    organizations?: readonly object[];
    users?: readonly object[];
  } = {},
): object {
  return {
    organizations: [
      { slug: 'acme', name: 'Acme Aviation', policy: { methods: ['totp'], ...policy } },
      ...(more.organizations ?? []),
    ],
    users: [
      ...Object.entries(people).map(([name, { role = 'member', totp = null, extra = {} }]) => ({
        email: `${name}@acme.test`,
        name,
        passwordHash,
        emailVerified: true,
        memberships: [{ organization: 'acme', role }],
        ...(totp === null ? {} : { factors: { totp } }),
        ...extra,
      })),
      ...(more.users ?? []),
    ],
    applications: [application('app'), application('other'), ...(more.applications ?? [])],
  };
}

export const application = (clientId: string, more: object = {}): object => ({
  client_id: clientId,
  client_secret: `${clientId}-secret`,
  name: `The ${clientId}`,
  redirect_uris: [redirectUri],
  firstParty: true,
  ...more,
});

export interface FrontDoor {
  readonly issuer: string;
  readonly apps: readonly App[];
  readonly db: App['services']['db'];
  readonly clock: { now(): Date; set(moment: Date): void; forward(span: number): void };
  readonly log: readonly string[];
  browser(replica?: number): Browser;
  apply(configuration: object): Promise<void>;
  /** The code that an authenticator app shows now, or `steps` time steps later. */
  code(steps?: number, of?: string): string;
  /** Redeems an authorization code as the client does. */
  tokens(
    code: string,
    verifier: string,
    options?: { clientId?: string; replica?: number },
  ): Promise<TokenAnswer>;
  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    options?: { clientId?: string; replica?: number; bearer?: string },
  ): Promise<TokenAnswer>;
}

export interface TokenAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  /** The claims of the ID token, where there is one. */
  readonly claims: Record<string, unknown>;
}

const seat = atMost(4);

/** To find the primes of an RSA key takes longer than most tests; those of one file that have the first key have the same. */
const sameKeys = new Map<string, ReturnType<typeof newSigningKey>>();
const sameKey: typeof newSigningKey = (algorithm) => {
  const made = sameKeys.get(algorithm) ?? newSigningKey(algorithm);
  sameKeys.set(algorithm, made);
  return made;
};

/** The real application on loopback, over a database of its own, with a clock that moves by hand. */
export async function frontDoor(
  t: ExecutionContext,
  kind: Kind,
  options: FrontDoorOptions,
): Promise<FrontDoor> {
  await seat(t);
  const dir = freshDir(t);
  const databaseUrl = await migratedUrl(t, kind, dir);
  let moment = options.now ?? new Date('2026-03-02T09:00:05Z');
  const clock = {
    now: () => moment,
    set: (next: Date) => {
      moment = next;
    },
    forward: (span: number) => {
      moment = new Date(moment.getTime() + span);
    },
  };
  const log: string[] = [];
  const secretKeys = newKey();
  const ring = openKeyRing(secretKeys);
  const apps: App[] = [];
  const addresses: string[] = [];
  let issuer = '';
  const replicas = options.replicas ?? 2;
  let turn = 0;
  const next = () => {
    turn += 1;
    return options.replicas === undefined ? turn % replicas : 0;
  };
  for (let index = 0; index < replicas; index += 1) {
    const db = await openDatabase(databaseUrl, { clock });
    await loadSigningKeys(db, ring, sameKey);
    let app: App | undefined;
    const server = createServer((req, res) => app?.handle?.(req, res));
    // Many front doors in one process stall each other; a connection that is kept is not closed under a request.
    server.keepAliveTimeout = 120_000;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    issuer ||= address;
    app = await createApp(
      settingsFor(issuer, databaseUrl, dir, secretKeys, options.settings),
      db,
      pino({ level: 'debug' }, { write: (line: string) => void log.push(line) }),
      { hashCost },
    );
    apps.push(app);
    addresses.push(address);
    t.teardown(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await app?.courier.stop();
      await db.close();
    });
  }
  const first = apps[0] as App;
  const { services } = first;
  const apply = async (configuration: object) => {
    await applyConfiguration(services, { name: 'test', text: JSON.stringify(configuration) });
  };
  await apply(options.configuration);
  const post: FrontDoor['post'] = async (path, fields, how = {}) => {
    const { clientId = 'app', replica = next(), bearer } = how;
    const response = await fetch(`${addresses[replica]}${path}`, {
      method: 'POST',
      headers: {
        Authorization: bearer
          ? `Bearer ${bearer}`
          : `Basic ${Buffer.from(`${clientId}:${clientId}-secret`).toString('base64')}`,
      },
      body: new URLSearchParams(fields),
    });
    const text = await response.text();
    const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text };
    return { status: response.status, body, claims: claimsIn(body.id_token) };
  };
  return {
    issuer,
    apps,
    db: services.db,
    clock,
    log,
    apply,
    post,
    browser: (replica) =>
      new Browser(issuer, addresses, replica ?? (options.replicas === undefined ? null : 0)),
    code: (steps = 0, of = secret) =>
      generateSync({
        secret: of,
        epoch: Math.floor(clock.now().getTime() / 1000) + 30 * steps,
        guardrails: createGuardrails({ MIN_SECRET_BYTES: 10 }),
      }),
    tokens: (code, verifier, { clientId = 'app', replica = next() } = {}) =>
      post(
        '/token',
        { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier },
        { clientId, replica },
      ),
  };
}

function claimsIn(token: unknown): Record<string, unknown> {
  const [, payload] = typeof token === 'string' ? token.split('.') : [];
  return payload ? (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>) : {};
}

const settingsFor = (
  issuer: string,
  databaseUrl: string,
  dataDir: string,
  secretKeys: string,
  more: Partial<Settings> = {},
): Settings => ({
  production: false,
  issuer,
  host: '127.0.0.1',
  port: 0,
  databaseUrl,
  databaseTls: null,
  demo: true,
  mailUrl: null,
  mailFrom: 'Sallyport <sallyport@localhost>',
  contact: null,
  smsUrl: null,
  outboundAllow: ['127.0.0.0/8', '::1'],
  smsCountries: 'all',
  smsPerDay: 1000,
  passkeyRoots: [],
  dataDir,
  secretKeys,
  trustProxy: 0,
  workers: 1,
  drain: 0,
  metricsToken: null,
  logLevel: 'debug',
  traces: null,
  ...more,
});

export const pkce = () => {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
};

/** Signs in with e-mail and password, as far as that leads. */
export async function passwordStep(
  browser: Browser,
  who = 'ada',
  params: Readonly<Record<string, string>> = {},
): Promise<void> {
  await browser.authorize(params);
  await browser.press('Sign in', { email: `${who}@acme.test`, password });
}

/** A whole sign-in with a code of the authenticator app; returns what the application gets. */
export async function signIn(
  door: FrontDoor,
  browser: Browser,
  options: {
    who?: string;
    params?: Readonly<Record<string, string>>;
    remember?: boolean;
    steps?: number;
  } = {},
): Promise<TokenAnswer> {
  await passwordStep(browser, options.who, options.params);
  if (browser.callback === null) {
    await browser.press('Verify', {
      code: door.code(options.steps),
      ...(options.remember ? { remember: '1' } : {}),
    });
  }
  return redeem(door, browser);
}

/** What the application gets for the code that the browser came back with. */
export async function redeem(
  door: FrontDoor,
  browser: Browser,
  clientId = browser.clientId,
): Promise<TokenAnswer> {
  const code = browser.callback?.get('code');
  if (!code) {
    throw new Error(
      `no code, but: ${browser.callback ?? `${browser.status} ${browser.heading} ${browser.alert}`}`,
    );
  }
  return door.tokens(code, browser.verifier, { clientId, replica: browser.replica });
}

export const nextStep = (door: FrontDoor): void => door.clock.forward(30_000);
export const nextDay = (door: FrontDoor, n = 1): void => door.clock.forward(days(n));

/**
 * At most `n` tests of a file at once: each takes its seat until it ends. Forty front doors in one process make each other wait for so
 * long that idle connections close under the feet of the next request.
 */
export function atMost(n: number): (t: ExecutionContext) => Promise<void> {
  const seated = new WeakSet<ExecutionContext>();
  const waiting: (() => void)[] = [];
  let free = n;
  return async (t) => {
    if (seated.has(t)) return;
    seated.add(t);
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    t.teardown(() => {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    });
  };
}
