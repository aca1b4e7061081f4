import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { codeNow, ended, freePort, until } from '../test/processes/process-rig.ts';
import { endBrowser, heading, press, sallyportFor, signIn, totpSecret, typeCode, visitor } from './stack.ts';

/** What docs/other-stacks.md says of oauth2-proxy; OAUTH2_PROXY names the program where it is not in the path. */
const program = process.env.OAUTH2_PROXY || 'oauth2-proxy';

test.after.always(endBrowser);

/** A page that shows what it was told of who came. */
async function upstream(t: ExecutionContext): Promise<string> {
  const server = createServer((req, res) => {
    const seen = [req.headers['x-forwarded-email'], req.headers['x-forwarded-user']].map(String).join(' ');
    res.setHeader('Content-Type', 'text/html');
    res.end(
      `<!doctype html><title>Dashboard</title><h1>${req.url === '/bye' ? 'Bye' : 'Dashboard'}</h1><p id="seen">${seen}</p>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startProxy(t: ExecutionContext, issuer: string, url: string, more: readonly string[]) {
  const child = spawn(
    program,
    [
      '--provider=oidc',
      `--oidc-issuer-url=${issuer}`,
      '--client-id=oauth2-proxy',
      '--client-secret=proxy-secret-of-32-letters-000000',
      `--redirect-url=${url}/oauth2/callback`,
      '--scope=openid email profile',
      '--code-challenge-method=S256',
      '--skip-provider-button',
      '--pass-user-headers',
      '--skip-auth-route=^/bye$',
      `--whitelist-domain=${new URL(issuer).host}`,
      '--cookie-refresh=5m',
      '--cookie-expire=1h',
      '--cookie-secret=0123456789abcdef0123456789abcdef',
      '--cookie-secure=false',
      '--email-domain=*',
      `--http-address=${new URL(url).host}`,
      `--upstream=${await upstream(t)}`,
      ...more,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const end = ended(child);
  t.teardown(async () => {
    child.kill('SIGTERM');
    await end;
  });
  const isUp = async () => (await fetch(`${url}/bye`).catch(() => null))?.ok === true;
  if ((await until(isUp, 20_000)) === null) {
    child.kill('SIGTERM');
    throw new Error(`oauth2-proxy did not start: ${(await end).output}`);
  }
}

function isThere(): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const run = isThere() ? test : test.skip;

run(
  'behind oauth2-proxy: who came is told, nobody gets through without the second factor that is asked for, and signing out ends both',
  async (t) => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const sallyport = await sallyportFor(t, {
      client_id: 'oauth2-proxy',
      client_secret: 'proxy-secret-of-32-letters-000000',
      name: 'Dashboard',
      redirect_uris: [`${url}/oauth2/callback`],
      post_logout_redirect_uris: [`${url}/bye`],
    });
    await startProxy(t, sallyport.issuer, url, ['--acr-values=urn:sallyport:acr:2fa']);
    const ada = await visitor(t);
    await ada.goto(url);
    await signIn(ada, 'ada');
    await typeCode(ada, codeNow(totpSecret));
    await heading(ada, 'Dashboard');
    t.regex((await ada.locator('#seen').textContent()) ?? '', /^ada@acme\.test [0-9a-f]{32}$/);

    const ben = await visitor(t);
    await ben.goto(url);
    await signIn(ben, 'ben');
    await heading(ben, 'Set up two-factor authentication');
    await ben.goto(url);
    t.true(ben.url().startsWith(sallyport.issuer), 'not in');

    const out = `${sallyport.issuer}/session/end?${new URLSearchParams({
      client_id: 'oauth2-proxy',
      post_logout_redirect_uri: `${url}/bye`,
    })}`;
    await ada.goto(`${url}/oauth2/sign_out?rd=${encodeURIComponent(out)}`);
    await heading(ada, 'Sign out?');
    await press(ada, 'Sign out');
    await heading(ada, 'Bye');
    await ada.goto(url);
    await heading(ada, 'Sign in');
  },
);
