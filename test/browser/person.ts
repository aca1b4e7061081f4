import { accessSync, constants } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type CDPSession,
  chromium,
  type Page,
} from 'playwright-core';
import { acme, application, type FrontDoor, frontDoor, password, pkce } from '../front-door/rig.ts';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';

/** Where there is no Chromium nothing is registered here: test/run.ts says so, by name. */
export function hasChromium(): boolean {
  try {
    accessSync(executablePath, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let browser: Browser;

export async function startBrowser(): Promise<void> {
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

export const endBrowser = (): Promise<void> | undefined => browser?.close();

export interface World {
  readonly door: FrontDoor;
  readonly issuer: string;
  readonly redirectUri: string;
}

/** WebAuthn wants a secure context with a name, so the issuer is http://localhost; the application is a page that says what it got. */
export async function world(
  t: ExecutionContext,
  policy: object,
  people: Parameters<typeof acme>[1] = { ada: {} },
  more: Parameters<typeof acme>[2] & { readonly providers?: readonly object[] } = {},
): Promise<World> {
  let handle: RequestListener | undefined;
  const issuer = `http://localhost:${await listen(t, (req, res) => handle?.(req, res))}`;
  const port = await listen(t, (_, res) => res.end('<!doctype html><h1>The application</h1>'));
  const redirectUri = `http://127.0.0.1:${port}/cb`;
  const configuration = {
    ...acme(policy, people, more),
    applications: [application('app', { redirect_uris: [redirectUri] }), ...(more.applications ?? [])],
    providers: more.providers ?? [],
  };
  const door = await frontDoor(t, 'SQLite', {
    replicas: 1,
    configuration,
    settings: { issuer },
    now: new Date(),
  });
  handle = door.apps[0]?.handle;
  return { door, issuer, redirectUri };
}

async function listen(t: ExecutionContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A browser of somebody's own, with an authenticator in it; what its pages complain about fails the test. */
export class Person {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly world: World;
  readonly complaints: string[] = [];
  cdp: CDPSession | null = null;
  authenticatorId = '';
  #verifier = '';

  private constructor(context: BrowserContext, page: Page, world: World) {
    this.context = context;
    this.page = page;
    this.world = world;
  }

  static async with(t: ExecutionContext, world: World, more: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...more });
    t.teardown(() => context.close());
    const person = new Person(context, await context.newPage(), world);
    person.page.setDefaultTimeout(15_000);
    person.page.on('pageerror', (error) => person.complaints.push(String(error)));
    person.page.on('console', (message) => {
      const refused = /status of 4\d\d/.test(message.text());
      if (message.type() === 'error' && !refused) person.complaints.push(message.text());
    });
    return person;
  }

  /** Of a telephone or laptop: it keeps passkeys, and knows its user. `ready` is a finger on it all the time. */
  async authenticator(more: { ready?: boolean; knowsUser?: boolean; synced?: boolean } = {}): Promise<void> {
    const { ready = true, knowsUser = true, synced = false } = more;
    this.cdp = await this.context.newCDPSession(this.page);
    await this.cdp.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await this.cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: knowsUser,
        automaticPresenceSimulation: ready,
        defaultBackupEligibility: synced,
        defaultBackupState: synced,
      },
    });
    this.authenticatorId = authenticatorId;
  }

  async ready(enabled: boolean): Promise<void> {
    const { authenticatorId } = this;
    await this.cdp?.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
  }

  async knowsUser(isUserVerified: boolean): Promise<void> {
    const { authenticatorId } = this;
    await this.cdp?.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
  }

  async start(params: Record<string, string> = {}): Promise<void> {
    const { verifier, challenge } = pkce();
    this.#verifier = verifier;
    const query = new URLSearchParams({
      client_id: 'app',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: this.world.redirectUri,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      ...params,
    });
    await this.page.goto(`${this.world.issuer}/auth?${query}`);
  }

  async password(who = 'ada'): Promise<void> {
    await this.page.getByLabel('Email', { exact: true }).fill(`${who}@acme.test`);
    await this.page.getByLabel('Password', { exact: true }).fill(password);
    await this.press('Sign in');
    await this.page.getByRole('heading', { level: 1, name: /two-factor authentication/i }).waitFor();
  }

  press(name: string): Promise<void> {
    return this.page.getByRole('button', { name, exact: true }).click();
  }

  heading(name: string): Promise<void> {
    return this.page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  }

  /** Waits for the application, and returns the claims that it gets. */
  async arrives(): Promise<Record<string, unknown>> {
    await this.heading('The application');
    const { searchParams } = new URL(this.page.url());
    const { claims } = await this.world.door.post('/token', {
      grant_type: 'authorization_code',
      code: searchParams.get('code') ?? '',
      redirect_uri: this.world.redirectUri,
      code_verifier: this.#verifier,
    });
    return claims;
  }

  async savesCodes(): Promise<void> {
    await this.page.getByLabel('I have saved these codes').check();
    await this.press('Continue');
  }

  /** Signs in again from nothing. */
  async forgets(): Promise<void> {
    await this.context.clearCookies();
    // A page that follows a request from afar may go somewhere by itself at this very moment.
    await this.page.goto('about:blank').catch(() => this.page.goto('about:blank'));
  }
}
