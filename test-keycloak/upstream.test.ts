import test, { type ExecutionContext } from 'ava';
import { generateSync } from 'otplib';
import type { Page } from 'playwright-core';
import { codeNow, type Place, place, until } from '../test/processes/process-rig.ts';
import {
  admin,
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
  relyingParty,
  totpSecret,
  typeCode,
} from './stack.ts';

test.after.always(endBrowser);

interface World {
  readonly sallyport: Place;
  readonly realm: string;
  readonly app: RelyingParty;
}

/** Keycloak's secret is the text itself; an app is given it in base32. */
const keycloakSecret = { text: 'abcdefghijklmnopqrst', base32: 'MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U' };
const ofRealm = 'a password of the realm';

/** Keycloak says which steps were done only where its flow gives them names, and a mapper puts those into tokens. */
async function nameSteps(name: string): Promise<void> {
  const executions = await read<{ id: string; providerId?: string }[]>(
    `/${name}/authentication/flows/browser/executions`,
  );
  for (const [providerId, reference] of [
    ['auth-username-password-form', 'pwd'],
    ['auth-otp-form', 'otp'],
  ]) {
    const execution = executions.find((one) => one.providerId === providerId);
    await admin('POST', `/${name}/authentication/executions/${execution?.id}/config`, {
      alias: `reference ${reference}`,
      config: { 'default.reference.value': reference, 'default.reference.maxAge': '3600' },
    });
  }
}

/** Sallyport in front of a realm in which Kim has a second factor and Ada has none. */
async function world(t: ExecutionContext, provider: object): Promise<World> {
  const name = await realm(t);
  await nameSteps(name);
  const there = await place(t, 'SQLite');
  await admin('POST', `/${name}/clients`, {
    clientId: 'sallyport',
    secret: 'sallyport-secret',
    redirectUris: [`${there.issuer}/upstream/keycloak/callback`],
    attributes: {
      'post.logout.redirect.uris': `${there.issuer}/upstream/keycloak/signed-out`,
      'backchannel.logout.url': `${there.issuer}/upstream/keycloak/backchannel-logout`,
      'backchannel.logout.session.required': 'true',
    },
    protocolMappers: [
      {
        name: 'amr',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-amr-mapper',
        config: { 'id.token.claim': 'true', 'access.token.claim': 'true' },
      },
    ],
  });
  for (const who of ['kim', 'ada']) {
    await admin('POST', `/${name}/users`, {
      username: who,
      email: `${who}@acme.test`,
      emailVerified: true,
      firstName: who,
      lastName: 'Example',
      enabled: true,
      credentials: [
        { type: 'password', value: ofRealm, temporary: false },
        ...(who === 'kim'
          ? [
              {
                type: 'otp',
                secretData: JSON.stringify({ value: keycloakSecret.text }),
                credentialData: JSON.stringify({
                  subType: 'totp',
                  digits: 6,
                  counter: 0,
                  period: 30,
                  algorithm: 'HmacSHA1',
                }),
              },
            ]
          : []),
      ],
    });
  }
  await there.apply({
    users: [{ email: 'ada@acme.test', password, emailVerified: true, factors: { totp: totpSecret } }],
    providers: [
      {
        slug: 'keycloak',
        name: 'Keycloak',
        issuer: `${keycloakUrl}/realms/${name}`,
        clientId: 'sallyport',
        clientSecret: 'sallyport-secret',
        createAccounts: true,
        ...provider,
      },
    ],
  });
  await there.start();
  const app = await relyingParty(t, async ({ redirectUri, out, logout }) => {
    await there.apply({
      applications: [
        {
          client_id: 'app',
          client_secret: 'app-secret',
          redirect_uris: [redirectUri],
          post_logout_redirect_uris: [out],
          backchannel_logout_uri: logout,
          backchannel_logout_session_required: true,
          firstParty: true,
        },
      ],
    });
    return { issuer: there.issuer, clientId: 'app', clientSecret: 'app-secret' };
  });
  return { sallyport: there, realm: name, app };
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

async function signInAtKeycloak(page: Page, who: 'kim' | 'ada'): Promise<void> {
  await page.locator('#username').fill(who);
  await page.locator('#password').fill(ofRealm);
  await page.locator('#kc-login').click();
  if (who === 'kim') {
    await page.locator('#otp').fill(generateSync({ secret: keycloakSecret.base32 }));
    await page.locator('#kc-login').click();
  }
}

const strong = 'acr_values=urn:sallyport:acr:2fa';

test.serial(
  'a second factor that was used in Keycloak, and is trusted, is not asked for again (N)',
  async (t) => {
    const { app } = await world(t, { trusted: { amr: ['otp'] } });
    const { page } = await person(t);
    await page.goto(`${app.url}/?${strong}`);
    await press(page, 'Sign in with Keycloak');
    await signInAtKeycloak(page, 'kim');
    const { id } = await arrives(page, app);
    t.is(id.acr, 'urn:sallyport:acr:2fa');
    t.deepEqual(id.amr, ['otp', 'mfa']);
  },
);

test.serial(
  'a second factor that was used in Keycloak, and is not trusted, is asked for here (N)',
  async (t) => {
    const { app } = await world(t, {});
    const { page } = await person(t);
    await page.goto(app.url);
    await press(page, 'Sign in with Keycloak');
    await signInAtKeycloak(page, 'kim');
    const { id } = await arrives(page, app);
    t.is(id.acr, 'urn:sallyport:acr:1fa');
    t.deepEqual(id.amr, []);
    await page.goto(`${app.url}/?${strong}`);
    await page.getByRole('heading', { level: 1, name: 'Set up two-factor authentication' }).waitFor();
  },
);

test.serial(
  'an account that is here already is joined after its own password and factor, and asked for its factor from then on (N)',
  async (t) => {
    const { app, sallyport: there } = await world(t, {});
    const { page } = await person(t);
    await page.goto(app.url);
    await press(page, 'Sign in with Keycloak');
    await signInAtKeycloak(page, 'ada');
    await page.getByRole('button', { name: 'Sign in and connect', exact: true }).waitFor();
    await page.getByLabel('Password', { exact: true }).fill(password);
    await press(page, 'Sign in and connect');
    await typeCode(page, codeNow(totpSecret));
    const { id } = await arrives(page, app);
    t.is(id.acr, 'urn:sallyport:acr:2fa');
    const links = await there.look((db) => db.rows<Json>('SELECT * FROM upstream_links'));
    t.is(links.length, 1);

    await page.context().clearCookies();
    await page.goto(app.url);
    await press(page, 'Sign in with Keycloak');
    await signInAtKeycloak(page, 'ada');
    await page.getByRole('heading', { level: 1, name: 'Two-factor authentication' }).waitFor();
    t.is(await page.getByLabel('Password', { exact: true }).count(), 0);
  },
);

test.serial('signing out of the application ends the session here and in Keycloak (N)', async (t) => {
  const { app } = await world(t, { signOut: true });
  const { page } = await person(t);
  await page.goto(app.url);
  await press(page, 'Sign in with Keycloak');
  await signInAtKeycloak(page, 'kim');
  await arrives(page, app);
  await page.goto(`${app.url}/out`);
  await press(page, 'Sign out');
  await page.waitForURL((url) => url.href.startsWith(`${app.url}/bye`));
  await page.goto(app.url);
  await press(page, 'Sign in with Keycloak');
  // Neither session is left: Keycloak asks too.
  await page.locator('#password').waitFor();
  t.true(page.url().startsWith(keycloakUrl));
});

test.serial('signing out in Keycloak ends the session here, and the application is told (N)', async (t) => {
  const all = await world(t, {});
  const { app } = all;
  const { page } = await person(t);
  await page.goto(app.url);
  await press(page, 'Sign in with Keycloak');
  await signInAtKeycloak(page, 'kim');
  const { id } = await arrives(page, app);
  const [kim] = await read<{ id: string }[]>(`/${all.realm}/users?username=kim`);
  await admin('POST', `/${all.realm}/users/${kim?.id}/logout`);
  t.not(await until(async () => app.logouts.length > 0, 30_000), null);
  t.is(app.logouts[0]?.sid, id.sid);
  await page.goto(app.url);
  await page.getByLabel('Password', { exact: true }).waitFor();
  t.is(await heading(page), 'Sign in');
});

test.serial('what is wanted anew is asked for in Keycloak anew (N)', async (t) => {
  const { app } = await world(t, { trusted: { amr: ['otp'] } });
  const { page } = await person(t);
  await page.goto(app.url);
  await press(page, 'Sign in with Keycloak');
  await signInAtKeycloak(page, 'kim');
  await arrives(page, app);
  await page.goto(`${app.url}/?prompt=login`);
  await press(page, 'Sign in with Keycloak');
  // Keycloak's session lives, and does not answer.
  await page.locator('#password').waitFor();
  t.regex(page.url(), /^http:\/\/localhost/);
});
