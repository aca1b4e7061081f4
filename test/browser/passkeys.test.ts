import { accessSync, constants, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';
import { count } from '../front-door/evidence.ts';
import { acme, application, type FrontDoor, frontDoor, password, pkce } from '../front-door/rig.ts';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';

/** Where there is no Chromium nothing is registered here: test/run.ts says so, by name. */
function hasChromium(): boolean {
  try {
    accessSync(executablePath, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

let browser: Browser;

interface World {
  readonly door: FrontDoor;
  readonly issuer: string;
  readonly redirectUri: string;
}

/** WebAuthn wants a secure context with a name, so the issuer is http://localhost; the application is a page that says what it got. */
async function world(t: ExecutionContext, policy: object, people = { ada: {} }): Promise<World> {
  let handle: RequestListener | undefined;
  const issuer = `http://localhost:${await listen(t, (req, res) => handle?.(req, res))}`;
  const port = await listen(t, (_, res) => res.end('<!doctype html><h1>The application</h1>'));
  const redirectUri = `http://127.0.0.1:${port}/cb`;
  const configuration = {
    ...acme(policy, people),
    applications: [application('app', { redirect_uris: [redirectUri] })],
  };
  const door = await frontDoor(t, 'SQLite', { configuration, settings: { issuer }, now: new Date() });
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
class Person {
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

  static async with(t: ExecutionContext, world: World): Promise<Person> {
    const context = await browser.newContext({ reducedMotion: 'reduce' });
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
    await this.page.goto('about:blank');
  }
}

const required = {
  requirement: 'required_for_all',
  graceDays: 0,
  methods: ['totp', 'passkey'],
  rememberDeviceDays: 30,
};
const alone = 'Sign in with a passkey';

if (hasChromium()) {
  test.before(async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });
  test.after.always(() => browser?.close());

  test.serial(
    'a passkey is set up, asked for after the password, and then is the whole sign-in',
    async (t) => {
      const ada = await Person.with(t, await world(t, required));
      await ada.authenticator({ ready: false });
      await ada.start();
      await ada.password();
      await ada.page.getByLabel('Passkey', { exact: true }).check();
      await ada.press('Continue');
      await ada.ready(true);
      await ada.press('Confirm setup');
      await ada.savesCodes();
      const first = await ada.arrives();
      t.is(first.acr, 'phr');
      t.deepEqual(first.amr, ['pwd', 'hwk', 'user', 'mfa']);

      await ada.forgets();
      await ada.ready(false);
      await ada.start();
      await ada.password();
      await ada.ready(true);
      await ada.press('Verify');
      t.deepEqual((await ada.arrives()).amr, ['pwd', 'hwk', 'user', 'mfa']);

      await ada.forgets();
      await ada.page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
      await ada.start();
      await ada.press(alone);
      const third = await ada.arrives();
      t.is(third.acr, 'phr');
      t.deepEqual(third.amr, ['hwk', 'user', 'mfa']);
      t.is(third.sub, first.sub);
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial(
    'a passkey that is synced is claimed as what it is, and is offered in the e-mail field',
    async (t) => {
      const ada = await Person.with(t, await world(t, required));
      await ada.authenticator({ synced: true });
      await ada.start();
      await ada.password();
      await ada.page.getByLabel('Passkey', { exact: true }).check();
      await ada.press('Continue');
      await ada.press('Confirm setup');
      await ada.savesCodes();
      t.deepEqual((await ada.arrives()).amr, ['pwd', 'swk', 'user', 'mfa']);

      await ada.forgets();
      const field = ada.page.getByLabel('Email', { exact: true });
      // The finger on the sensor chooses what the browser offers in the field: nothing is pressed.
      await ada.start();
      t.deepEqual((await ada.arrives()).amr, ['swk', 'user', 'mfa']);
      await ada.forgets();
      await ada.ready(false);
      await ada.start();
      t.is(await field.getAttribute('autocomplete'), 'username webauthn');
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial(
    'where nothing comes from the passkey, the page says so, and lets one try again or go another way',
    async (t) => {
      const ada = await Person.with(t, await world(t, required));
      await ada.authenticator();
      await ada.start();
      await ada.password();
      await ada.page.getByLabel('Passkey', { exact: true }).check();
      await ada.press('Continue');
      // A finger that is not known: the browser gives up by itself.
      await ada.knowsUser(false);
      const alert = ada.page.getByRole('alert');
      t.is(await alert.count(), 0);
      await ada.page.route('**/enrol/confirm', (route) => route.abort());
      await ada.page.evaluate(
        `navigator.credentials.create = () => Promise.reject(new DOMException('no', 'NotAllowedError'))`,
      );
      await ada.press('Confirm setup');
      await alert.getByText('Nothing came from your passkey').waitFor();
      t.is(await ada.page.getByRole('button', { name: 'Confirm setup' }).getAttribute('aria-busy'), null);
      await ada.page.unroute('**/enrol/confirm');
      await ada.page.reload();
      await ada.knowsUser(true);
      await ada.press('Confirm setup');
      await ada.savesCodes();
      await ada.arrives();

      await ada.forgets();
      await ada.ready(false);
      await ada.start();
      await ada.page.evaluate(
        `navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError'))`,
      );
      await ada.press(alone);
      await alert.getByText('Nothing came from your passkey').waitFor();
      await ada.password();
      await ada.page.getByRole('link', { name: 'Use a recovery code' }).waitFor();
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial(
    'while the browser asks, the button says so, and a second press asks nothing anew',
    async (t) => {
      const ada = await Person.with(t, await world(t, { ...required, methods: ['passkey'] }));
      await ada.authenticator();
      await ada.start();
      await ada.password();
      await ada.page.evaluate(`{
      const create = navigator.credentials.create.bind(navigator.credentials);
      navigator.credentials.create = (options) => new Promise((resolve) => {
        window.asked = (window.asked ?? 0) + 1;
        window.finger = () => resolve(create(options));
      });
    }`);
      const button = ada.page.getByRole('button', { name: 'Confirm setup' });
      await button.click();
      t.is(await button.getAttribute('aria-busy'), 'true');
      await button.click();
      t.is(await ada.page.evaluate('window.asked'), 1);
      t.is(await ada.page.getByRole('alert').count(), 0);
      await ada.page.evaluate('window.finger()');
      await ada.savesCodes();
      await ada.arrives();
      t.deepEqual(ada.complaints, []);
    },
  );

  test.serial('a passkey of another site, or of nobody here, is none', async (t) => {
    const there = await world(t, { ...required, methods: ['passkey'] });
    const ada = await Person.with(t, there);
    await ada.authenticator();
    await ada.start();
    await ada.password();
    await ada.press('Confirm setup');
    await ada.savesCodes();
    await ada.arrives();
    await ada.forgets();
    await there.door.db.change('DELETE FROM factors');
    // Offered in the e-mail field, chosen and refused; it is not offered by itself once more.
    const refused = ada.page.getByRole('alert').getByText('That passkey could not be used here');
    await ada.start();
    await refused.waitFor();
    await ada.page.waitForLoadState('networkidle');
    await ada.press(alone);
    await ada.page.waitForLoadState('networkidle');
    await refused.waitFor();
    await ada.heading('Sign in');
    t.is(await count(there.door, 'audit_events', "type = 'factor.failed'"), 2);
    t.deepEqual(ada.complaints, []);
  });

  test.serial('a browser that cannot use passkeys says so plainly, and offers the other ways', async (t) => {
    const there = await world(t, required);
    const ada = await Person.with(t, there);
    await ada.authenticator();
    await ada.start();
    await ada.password();
    await ada.page.getByLabel('Passkey', { exact: true }).check();
    await ada.press('Continue');
    await ada.press('Confirm setup');
    await ada.savesCodes();
    await ada.arrives();

    for (const without of [
      'delete window.PublicKeyCredential',
      `Object.defineProperty(navigator, 'credentials', { value: undefined })`,
    ]) {
      const old = await Person.with(t, there);
      await old.page.addInitScript(without);
      await old.start();
      await old.page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
      await old.page.getByRole('button', { name: alone }).waitFor({ state: 'detached' });
      await old.password();
      await old.page.getByRole('alert').getByText('This browser cannot use passkeys').waitFor();
      t.false(await old.page.getByRole('button', { name: 'Verify' }).isVisible());
      t.true(await old.page.getByRole('link', { name: 'Use a recovery code' }).isVisible());
      t.deepEqual(old.complaints, []);
    }
  });

  test.serial('the pages for passkeys pass axe, with an error on them too', async (t) => {
    const axe = readFileSync(
      path.join(import.meta.dirname, '../../node_modules/axe-core/axe.min.js'),
      'utf8',
    );
    const ada = await Person.with(t, await world(t, { ...required, methods: ['passkey'] }));
    const violations = async () => {
      await ada.page.evaluate(axe);
      return ada.page.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })
        .then(({ violations }) => violations.map(({ id }) => id))`);
    };
    await ada.authenticator({ ready: false });
    await ada.start();
    t.deepEqual(await violations(), []);
    await ada.password();
    t.deepEqual(await violations(), []);
    await ada.page.evaluate(`navigator.credentials.create = () => Promise.reject(new Error())`);
    await ada.press('Confirm setup');
    await ada.page.getByRole('alert').waitFor();
    t.deepEqual(await violations(), []);
  });
}
