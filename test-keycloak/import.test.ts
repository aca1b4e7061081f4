import { spawn } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { generateSync } from 'otplib';
import type { Page } from 'playwright-core';
import { freshDir } from '../test/configuration/fresh-database.ts';
import { codeNow, ended, freePort, place } from '../test/processes/process-rig.ts';
import {
  admin,
  appOf,
  arrives,
  endBrowser,
  type Json,
  password,
  person,
  read,
  realm,
  relyingParty,
  typeCode,
} from './stack.ts';

test.after.always(endBrowser);

const people = ['pia', 'paul', 'otto', 'argo', 'tom', 'wanda', 'uma', 'vera', 'dora'];
const email = (name: string): string => `${name}@acme.test`;

/** Keycloak hashes as the realm says at the moment, so each of these has another hash. */
const hashedBy: Readonly<Record<string, string>> = {
  pia: 'pbkdf2-sha256',
  paul: 'pbkdf2-sha512',
  otto: 'pbkdf2',
};

async function populate(name: string): Promise<void> {
  for (const one of people) {
    const algorithm = hashedBy[one];
    await admin('PUT', `/${name}`, { passwordPolicy: algorithm ? `hashAlgorithm(${algorithm})` : '' });
    await admin('POST', `/${name}/users`, {
      username: one,
      email: email(one),
      emailVerified: one !== 'vera',
      firstName: one.replace(/^./, (letter) => letter.toUpperCase()),
      lastName: 'Example',
      enabled: one !== 'dora',
      attributes: { locale: ['de'] },
      credentials: [{ type: 'password', value: password, temporary: one === 'uma' }],
      requiredActions: [
        ...(one === 'argo' || one === 'tom' ? ['CONFIGURE_TOTP'] : []),
        ...(one === 'wanda' ? ['webauthn-register'] : []),
        ...(one === 'uma' ? ['UPDATE_PASSWORD'] : []),
        ...(one === 'vera' ? ['VERIFY_EMAIL', 'CONFIGURE_TOTP'] : []),
      ],
    });
  }
  await admin('PUT', `/${name}`, { passwordPolicy: '' });
  await admin('POST', `/${name}/users`, { username: 'nobody', enabled: true });
  const users = await read<{ id: string; username: string }[]>(`/${name}/users?max=100`);
  const idOf = (who: string) => users.find(({ username }) => username === who)?.id ?? '';
  await admin('POST', `/${name}/groups`, { name: 'staff' });
  const [staff] = await read<{ id: string }[]>(`/${name}/groups`);
  await admin('POST', `/${name}/groups/${staff?.id}/children`, { name: 'admins' });
  const [admins] = await read<{ id: string }[]>(`/${name}/groups/${staff?.id}/children`);
  await admin('PUT', `/${name}/users/${idOf('argo')}/groups/${admins?.id}`);
  await admin('POST', `/${name}/organizations`, {
    name: 'Acme Aviation',
    alias: 'acme',
    domains: [{ name: 'acme.test', verified: true }],
  });
  const [acme] = await read<{ id: string }[]>(`/${name}/organizations`);
  for (const who of ['argo', 'wanda', 'pia']) {
    await admin('POST', `/${name}/organizations/${acme?.id}/members`, idOf(who));
  }
}

async function signInAtKeycloak(page: Page, address: string, who: string): Promise<void> {
  await page.context().clearCookies();
  await page.goto(address);
  await page.locator('#username').fill(who);
  // Where there are organizations, Keycloak asks for the name first.
  await page.locator('#kc-login').click();
  await page.locator('#password').fill(password);
  await page.locator('#kc-login').click();
}

/** The secret that Keycloak's page shows to whoever cannot scan, once a code of it was taken. */
async function setUpTotp(page: Page, options: object = {}): Promise<string> {
  await page.locator('#mode-manual').click();
  const secret = ((await page.locator('#kc-totp-secret-key').textContent()) ?? '').replaceAll(/\s/g, '');
  await page.locator('#totp').fill(generateSync({ secret, ...options }));
  await page.locator('#userLabel').fill('My phone');
  await page.locator('#saveTOTPBtn').click();
  return secret;
}

/** `kc.sh export`, of a copy: it would rebuild the server that runs under its feet. */
async function exported(t: ExecutionContext, name: string): Promise<string> {
  const dir = freshDir(t);
  const home = path.join(dir, 'keycloak');
  cpSync(process.env.KEYCLOAK_HOME ?? '', home, { recursive: true });
  const file = path.join(dir, 'realm.json');
  const { code, output } = await ended(
    spawn(
      'sh',
      [
        path.join(home, 'bin/kc.sh'),
        'export',
        `--realm=${name}`,
        '--users=same_file',
        `--file=${file}`,
        '--db=dev-file',
        `--db-url=${process.env.KEYCLOAK_DB_URL}`,
        `--http-management-port=${await freePort()}`,
      ],
      {
        cwd: dir,
        env: {
          PATH: process.env.PATH ?? '',
          HOME: dir,
          JAVA_HOME: process.env.JAVA_HOME ?? '',
          JAVA_OPTS_APPEND: '-Xmx512m',
        },
      },
    ),
  );
  t.is(code, 0, output.slice(-3000));
  return file;
}

/** What the tests of `npm test` read: people and organizations, and nothing of the realm's keys. */
function keepFixture(file: string): void {
  const to = process.env.KEYCLOAK_FIXTURE;
  if (!to) return;
  const { users, organizations, groups, webAuthnPolicyRpId, webAuthnPolicyPasswordlessRpId } = JSON.parse(
    readFileSync(file, 'utf8'),
  ) as Json;
  writeFileSync(
    to,
    `${JSON.stringify({ realm: 'moved', displayName: 'Moved', webAuthnPolicyRpId, webAuthnPolicyPasswordlessRpId, groups, organizations, users }, null, 2)}\n`,
  );
}

test.serial(
  'a realm that Keycloak exported is imported, and its people sign in with what they had (N)',
  async (t) => {
    t.timeout(600_000);
    const name = await realm(t, { organizationsEnabled: true, displayName: 'Moved' });
    const app = await appOf(t, name);
    await populate(name);
    const { page, context } = await person(t);

    await signInAtKeycloak(page, app.url, 'argo');
    const argoSecret = await setUpTotp(page);
    await arrives(page, app);
    const unusual = { algorithm: 'sha256', digits: 8, period: 60 } as const;
    await admin('PUT', `/${name}`, {
      otpPolicyType: 'totp',
      otpPolicyInitialCounter: 0,
      otpPolicyLookAheadWindow: 1,
      otpPolicyAlgorithm: 'HmacSHA256',
      otpPolicyDigits: 8,
      otpPolicyPeriod: 60,
    });
    await signInAtKeycloak(page, app.url, 'tom');
    const tomSecret = await setUpTotp(page, unusual);
    await arrives(page, app);

    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable', { enableUI: false });
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    page.on('dialog', (dialog) => void dialog.accept("Wanda's key"));
    await signInAtKeycloak(page, app.url, 'wanda');
    // Its button does nothing before its script is there.
    await page.waitForLoadState('networkidle');
    await page.locator('#registerWebAuthn').click();
    await arrives(page, app);

    const file = await exported(t, name);
    keepFixture(file);

    const there = await place(t, 'SQLite');
    // Passkeys are for a host name, and Keycloak's is localhost.
    const issuer = there.issuer.replace('127.0.0.1', 'localhost');
    const env = { ISSUER: issuer };
    const importing = [
      'import',
      'keycloak',
      file,
      '--admin',
      '/staff/admins',
      '--keycloak-host',
      'localhost',
    ];
    const dry = await there.sallyport([...importing, '--dry-run'], env);
    t.is(dry.code, 0, dry.output);
    t.regex(dry.output, /^= users: 9 created, 0 changed, 0 unchanged$/m);
    const imported = await there.sallyport(importing, env);
    t.log(imported.output);
    t.is(imported.code, 0);
    t.regex(imported.output, /^users: 9 created, 0 changed, 0 unchanged$/m);
    t.regex(imported.output, /Not taken: the account: has no e-mail address.* \(nobody\)/);
    t.regex(imported.output, /Not taken: the password: was to be changed.* \(uma\)/);
    await there.start(0, env);
    const here = await relyingParty(t, async ({ redirectUri }) => {
      await there.apply({
        applications: [
          {
            client_id: 'app',
            client_secret: 'app-secret',
            redirect_uris: [redirectUri],
            grant_types: ['authorization_code'],
            firstParty: true,
          },
        ],
      });
      return { issuer, clientId: 'app', clientSecret: 'app-secret' };
    });
    const begin = async (who: string) => {
      await context.clearCookies();
      // The passkey would answer the page by itself, before anything is typed.
      await page.addInitScript('PublicKeyCredential.isConditionalMediationAvailable = async () => false');
      await page.goto(here.url);
      await page.getByLabel('Email', { exact: true }).fill(email(who));
      await page.getByLabel('Password', { exact: true }).fill(password);
      await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    };
    for (const who of ['pia', 'paul', 'otto']) {
      await begin(who);
      t.deepEqual((await arrives(page, here)).id.amr, ['pwd'], who);
    }
    await begin('argo');
    await typeCode(page, codeNow(argoSecret));
    t.deepEqual((await arrives(page, here)).id.amr, ['pwd', 'otp', 'mfa']);
    await begin('tom');
    t.regex((await page.locator('main').textContent()) ?? '', /8-digit code/);
    await typeCode(page, generateSync({ secret: tomSecret, ...unusual }));
    t.deepEqual((await arrives(page, here)).id.amr, ['pwd', 'otp', 'mfa']);
    await begin('wanda');
    await page.getByRole('button', { name: 'Verify', exact: true }).click();
    const wanda = (await arrives(page, here)).id;
    t.is(wanda.acr, 'phr');
    t.deepEqual(wanda.amr, ['pwd', 'hwk', 'user', 'mfa']);
    await begin('dora');
    await page.getByRole('alert').waitFor();

    // What people did since is theirs: again, nothing is taken back.
    const again = await there.sallyport(importing, env);
    t.regex(again.output, /^users: 0 created, 0 changed, 9 unchanged$/m);
    await begin('pia');
    t.deepEqual((await arrives(page, here)).id.amr, ['pwd']);
  },
);
