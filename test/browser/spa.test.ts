import { accessSync, constants, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { type Browser, chromium } from 'playwright-core';
import { acme, application, frontDoor, nextStep, password, secret } from '../front-door/rig.ts';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const library = readFileSync(
  path.resolve(import.meta.dirname, '../../node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js'),
  'utf8',
);

/** Where there is no Chromium nothing is registered here: test/run.ts says so, by name. */
function hasChromium(): boolean {
  try {
    accessSync(executablePath, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function listen(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** An application without a server: everything happens in the page. */
const page = (
  issuer: string,
) => `<!doctype html><title>The application</title><body></body><script src="/oidc-client-ts.js"></script>
<script>
const manager = new oidc.UserManager({
  authority: ${JSON.stringify(issuer)}, client_id: 'spa', redirect_uri: location.origin + '/cb',
  post_logout_redirect_uri: location.origin + '/bye', scope: 'openid email offline_access', prompt: 'consent',
});
const done = location.pathname === '/cb' ? manager.signinCallback() : Promise.resolve();
window.ready = done.then(async () => { document.body.innerHTML = '<h1>' + location.pathname + '</h1>'; return manager.getUser(); },
  (error) => { document.body.innerHTML = '<h1>failed</h1>'; return { failed: String(error) }; });
</script>`;

if (hasChromium()) {
  let browser: Browser;
  test.before(async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });
  test.after.always(() => browser?.close());

  test('oidc-client-ts in a browser signs in, steps up, refreshes and signs out', async (t) => {
    t.timeout(90_000);
    let handle: RequestListener | undefined;
    const issuer = await listen(t, (req, res) => handle?.(req, res));
    const app = await listen(t, (req, res) => {
      const isLibrary = req.url === '/oidc-client-ts.js';
      res.setHeader('Content-Type', isLibrary ? 'text/javascript' : 'text/html');
      res.end(isLibrary ? library : page(issuer));
    });
    const door = await frontDoor(t, 'SQLite', {
      replicas: 1,
      now: new Date(),
      settings: { issuer },
      configuration: {
        ...acme({}, { ada: { totp: secret } }),
        applications: [
          application('spa', {
            client_secret: undefined,
            token_endpoint_auth_method: 'none',
            redirect_uris: [`${app}/cb`],
            post_logout_redirect_uris: [`${app}/bye`],
          }),
        ],
      },
    });
    handle = door.apps[0]?.handle;
    const context = await browser.newContext();
    t.teardown(() => context.close());
    const tab = await context.newPage();
    tab.setDefaultTimeout(20_000);
    const complaints: string[] = [];
    tab.on('pageerror', (error) => complaints.push(String(error)));

    const run = (script: string) => tab.evaluate(script);
    const user = async () =>
      (await run('window.ready')) as {
        profile: Record<string, unknown>;
        id_token: string;
        refresh_token: string;
      } & Record<string, unknown>;
    const verified = async (idToken: string) => {
      const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
      return (await jwtVerify(idToken, keys, { issuer, audience: 'spa' })).payload;
    };

    await tab.goto(app);
    await run('void manager.signinRedirect()');
    await tab.getByLabel('Email').fill('ada@acme.test');
    await tab.getByLabel('Password', { exact: true }).fill(password);
    await tab.getByRole('button', { name: 'Sign in', exact: true }).click();
    await tab.locator('[autocomplete="one-time-code"]').fill(door.code());
    await tab.getByRole('button', { name: 'Verify' }).click();
    await tab.waitForURL(`${app}/cb?*`);
    const first = await user();
    t.is(first.profile.sub, (await verified(first.id_token)).sub);
    t.like(await verified(first.id_token), { acr: 'urn:sallyport:acr:2fa', amr: ['pwd', 'otp', 'mfa'] });

    nextStep(door);
    await run(
      "void manager.signinRedirect({ acr_values: 'urn:sallyport:acr:2fa', max_age: 0, prompt: 'login' })",
    );
    await tab.getByLabel('Email').fill('ada@acme.test');
    await tab.getByLabel('Password', { exact: true }).fill(password);
    await tab.getByRole('button', { name: 'Sign in', exact: true }).click();
    await tab.locator('[autocomplete="one-time-code"]').fill(door.code());
    await tab.getByRole('button', { name: 'Verify' }).click();
    await tab.waitForURL(`${app}/cb?*`);
    const fresh = await user();
    t.true(
      Number((await verified(fresh.id_token)).auth_time) > Number((await verified(first.id_token)).auth_time),
    );

    const renewed = (await run('manager.signinSilent()')) as typeof fresh;
    t.not(renewed.access_token, fresh.access_token);
    t.not(renewed.refresh_token, fresh.refresh_token);
    t.is((await verified(renewed.id_token)).sub, (await verified(first.id_token)).sub);

    await run('void manager.signoutRedirect()');
    await tab.getByRole('button', { name: 'Sign out', exact: true }).click();
    await tab.waitForURL(`${app}/bye*`);
    await tab.goto(`${issuer}/session/end`);
    await tab.waitForURL(`${issuer}/session/end/success*`);
    t.regex((await tab.locator('h1').textContent()) ?? '', /signed out/i);
    t.deepEqual(complaints, []);
  });
}
