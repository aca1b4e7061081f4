import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { parse } from 'yaml';
import { codeNow, type Place, until } from '../test/processes/process-rig.ts';
import {
  addScope,
  admin,
  alwaysThrough,
  appOf,
  arrives,
  endBrowser,
  heading,
  type Json,
  keycloakUrl,
  password,
  person,
  type RelyingParty,
  read,
  realm,
  realmName,
  sallyport,
  signInAtSallyport,
  totpSecret,
  typeCode,
} from './stack.ts';

test.after.always(endBrowser);

interface World {
  readonly sallyport: Place;
  readonly realm: string;
  readonly app: RelyingParty;
}

const acme = (policy: object = {}) => ({
  organizations: [{ slug: 'acme', name: 'Acme Aviation', policy: { methods: ['totp'], ...policy } }],
});

/** A realm whose people sign in at Sallyport, made of nothing but what `sallyport keycloak broker-config` prints. */
async function world(
  t: ExecutionContext,
  { through = true, isNew = false, secret }: { through?: boolean; isNew?: boolean; secret?: string } = {},
): Promise<World> {
  const there = await sallyport(t, {
    ...acme(),
    users: [
      { email: 'ada@acme.test', name: 'Ada Lovelace', factors: { totp: totpSecret } },
      { email: 'ben@acme.test', name: 'Ben Franklin' },
    ].map((one) => ({
      ...one,
      password,
      emailVerified: true,
      memberships: [{ organization: 'acme', role: 'member' }],
    })),
  });
  const name = isNew ? realmName(t) : await realm(t);
  const secretFile = path.join(there.dir, 'client-secret');
  if (secret) writeFileSync(secretFile, `${secret}\n`);
  const print = async (side: string) => {
    const printed = await there.sallyport([
      'keycloak',
      'broker-config',
      '--realm',
      name,
      '--keycloak',
      keycloakUrl,
      '--for',
      side,
      ...(secret ? ['--client-secret-file', secretFile] : []),
    ]);
    t.is(printed.code, 0, printed.output);
    return printed.output;
  };
  const part = JSON.parse((await print('keycloak')).replace(/^For Keycloak:[\s\S]*$/m, '')) as Json;
  if (isNew) await admin('POST', '', part);
  else await admin('POST', `/${name}/partialImport`, { ...part, ifResourceExists: 'FAIL' });
  await addScope(name, JSON.parse(await print('scope')) as Json);
  await there.apply(parse(await print('sallyport')) as object);
  if (through) await alwaysThrough(name, 'sallyport');
  return { sallyport: there, realm: name, app: await appOf(t, name) };
}

/** Where the browser was sent, in order. */
function visits(page: Page): URL[] {
  const seen: URL[] = [];
  page.on('request', (request) => {
    if (request.isNavigationRequest()) seen.push(new URL(request.url()));
  });
  return seen;
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

const isAtSallyport = (page: Page, { sallyport: there }: World) =>
  page.waitForURL((url) => url.href.startsWith(there.issuer));

test.serial(
  'somebody new signs in through Keycloak, and the second factor that was done here stands in its tokens (N)',
  async (t) => {
    const all = await world(t);
    const { app } = all;
    const { page } = await person(t);
    const seen = visits(page);
    await page.goto(`${app.url}/?acr_values=urn:sallyport:acr:2fa&max_age=600&login_hint=ada@acme.test`);
    await isAtSallyport(page, all);
    const request = seen.find(({ href }) => href.startsWith(`${all.sallyport.issuer}/auth?`))?.searchParams;
    t.like(Object.fromEntries(request ?? []), {
      acr_values: 'urn:sallyport:acr:2fa',
      max_age: '600',
      login_hint: 'ada@acme.test',
      code_challenge_method: 'S256',
      scope: 'openid email profile amr_json',
    });
    t.truthy(request?.get('nonce'));
    await signInAtSallyport(page, 'ada@acme.test');
    await typeCode(page, codeNow(totpSecret));
    const { id, access } = await arrives(page, app);
    for (const claims of [id, access, await app.refresh()]) {
      t.is(claims.acr, 'urn:sallyport:acr:2fa');
      t.deepEqual(claims.amr, ['pwd', 'otp', 'mfa']);
    }
    t.like(id, { name: 'Ada Lovelace', email: 'ada@acme.test', email_verified: true });
    const users = await read<Json[]>(`/${all.realm}/users`);
    t.deepEqual(
      users.map(({ username, emailVerified, enabled }) => ({ username, emailVerified, enabled })),
      [{ username: 'ada@acme.test', emailVerified: true, enabled: true }],
    );

    // Known now, and signed in at Sallyport: nothing is asked, and there is still one of them.
    await page.goto(app.url);
    t.is((await arrives(page, app)).id.sub, id.sub);
    t.is((await read<Json[]>(`/${all.realm}/users`)).length, 1);

    // What the application wants anew is asked for anew.
    await page.goto(`${app.url}/?prompt=login`);
    await isAtSallyport(page, all);
    await page.getByLabel('Password', { exact: true }).waitFor();

    // A silent request cannot go by way of another server, and says so.
    await page.goto(`${app.url}/?prompt=none`);
    await t.throwsAsync(arrives(page, app), { message: /login_required/ });
  },
);

test.serial(
  'an account that Keycloak has already is joined after its own password, and known from then on (N)',
  async (t) => {
    const all = await world(t);
    const { app } = all;
    await admin('POST', `/${all.realm}/users`, {
      username: 'ada',
      email: 'ada@acme.test',
      firstName: 'Ada',
      lastName: 'Lovelace',
      enabled: true,
      credentials: [{ type: 'password', value: 'of the realm', temporary: false }],
    });
    const [known] = await read<Json[]>(`/${all.realm}/users`);
    const { page } = await person(t);
    await page.goto(app.url);
    await signInAtSallyport(page, 'ada@acme.test');
    await typeCode(page, codeNow(totpSecret));
    await page.waitForURL((url) => url.href.startsWith(keycloakUrl));
    t.regex((await page.locator('body').textContent()) ?? '', /already exists/i);
    await page.getByRole('button', { name: /add to existing account/i }).click();
    await page.locator('#password').fill('of the realm');
    await page.locator('#kc-login').click();
    t.is((await arrives(page, app)).id.sub, known?.id);

    await page.context().clearCookies();
    await page.goto(app.url);
    await signInAtSallyport(page, 'ada@acme.test');
    await page.getByRole('heading', { level: 1, name: 'Two-factor authentication' }).waitFor();
    const links = await read<Json[]>(`/${all.realm}/users/${String(known?.id)}/federated-identity`);
    t.like(links[0], { identityProvider: 'sallyport', userName: 'ada@acme.test' });
  },
);

const demand = { ...acme({ requirement: 'required_for_all', graceDays: 0 }) };

test.serial(
  'a policy that is turned on in the middle of a session stops the next brokered sign-in (N)',
  async (t) => {
    const all = await world(t);
    const { app } = all;
    const { page } = await person(t);
    await page.goto(app.url);
    await signInAtSallyport(page, 'ben@acme.test');
    const { id } = await arrives(page, app);
    t.is(id.acr, 'urn:sallyport:acr:1fa');
    t.deepEqual(id.amr, ['pwd']);
    await page.goto(app.url);
    t.is((await arrives(page, app)).id.sub, id.sub);

    await all.sallyport.apply(demand);
    await page.goto(app.url);
    await isAtSallyport(page, all);
    t.is(await heading(page), 'Set up two-factor authentication');
    t.is(await page.getByRole('button', { name: 'Skip for now' }).count(), 0);
  },
);

test.serial(
  "where Keycloak's own session may answer, only prompt=login and max_age ask Sallyport (N)",
  async (t) => {
    const all = await world(t, { through: false });
    const { app } = all;
    const { page } = await person(t);
    await page.goto(`${app.url}/?kc_idp_hint=sallyport`);
    await signInAtSallyport(page, 'ben@acme.test');
    await arrives(page, app);
    await all.sallyport.apply(demand);
    // This is why docs/keycloak.md takes the cookie out of the flow.
    await page.goto(`${app.url}/?kc_idp_hint=sallyport`);
    await arrives(page, app);
    for (const query of ['prompt=login', 'max_age=0']) {
      await page.goto(`${app.url}/?kc_idp_hint=sallyport&${query}`);
      await isAtSallyport(page, all);
      await page.getByLabel('Password', { exact: true }).waitFor();
    }
  },
);

test.serial('signing out of the application ends the session in Keycloak and at Sallyport (N)', async (t) => {
  const all = await world(t);
  const { app } = all;
  const { page } = await person(t);
  await page.goto(app.url);
  await signInAtSallyport(page, 'ben@acme.test');
  await arrives(page, app);
  await page.goto(`${app.url}/out`);
  await isAtSallyport(page, all);
  t.is(await heading(page), 'Sign out?');
  await press(page, 'Sign out');
  await page.waitForURL((url) => url.href.startsWith(`${app.url}/bye`));
  t.is((await app.refresh()).error, 'invalid_grant');
  await page.goto(app.url);
  await isAtSallyport(page, all);
  await page.getByLabel('Password', { exact: true }).waitFor();
});

test.serial(
  'signing out at Sallyport ends the session in Keycloak, and its application is told (N)',
  async (t) => {
    const all = await world(t);
    const { app } = all;
    const { page } = await person(t);
    await page.goto(app.url);
    await signInAtSallyport(page, 'ben@acme.test');
    const { id } = await arrives(page, app);
    await page.goto(`${all.sallyport.issuer}/account`);
    await press(page, 'Sign out');
    const told = await until(async () => app.logouts.length > 0, 30_000);
    t.not(told, null);
    t.is(app.logouts[0]?.sid, id.sid);
    t.is((await app.refresh()).error, 'invalid_grant');
  },
);

test.serial('with a shared secret, and in a realm that is made of it, it is the same (N)', async (t) => {
  const all = await world(t, { isNew: true, secret: 'of-32-letters-and-more-0123456789' });
  const { app } = all;
  const { page } = await person(t);
  await page.goto(app.url);
  await signInAtSallyport(page, 'ben@acme.test');
  t.is((await arrives(page, app)).id.acr, 'urn:sallyport:acr:1fa');
});
