import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { freshDir } from '../test/configuration/fresh-database.ts';
import { codeNow, ended, freePort, until } from '../test/processes/process-rig.ts';
import { endBrowser, heading, press, sallyportFor, signIn, totpSecret, typeCode, visitor } from './stack.ts';

/** `npm run test:stacks`: what docs/other-stacks.md says of Apache with mod_auth_openidc, as Debian has them. */
const modules = '/usr/lib/apache2/modules';
const apache = '/usr/sbin/apache2';

test.after.always(endBrowser);

/** Apache with a page that shows who came and how, by the very lines that the documentation has. */
async function startApache(t: ExecutionContext, issuer: string, url: string): Promise<void> {
  const dir = freshDir(t);
  // Its processes are somebody else's where we are root.
  chmodSync(dir, 0o755);
  const root = path.join(dir, 'www');
  const seen = ['REMOTE_USER', 'OIDC_CLAIM_acr', 'OIDC_CLAIM_amr'];
  const page = (heading: string) =>
    `<!doctype html><title>Intranet</title><h1>${heading}</h1><p id="seen">${seen.map((name) => `<!--#echo var="${name}" -->`).join(' ')}</p>`;
  for (const [name, heading] of [
    ['', 'Intranet'],
    ['strong', 'Strong'],
  ] as const) {
    mkdirSync(path.join(root, name), { recursive: true });
    writeFileSync(path.join(root, name, 'index.html'), page(heading));
  }
  writeFileSync(path.join(root, 'bye.html'), '<!doctype html><title>Bye</title><h1>Bye</h1>');
  const load = [
    'mpm_event',
    'authn_core',
    'authz_core',
    'authz_user',
    'dir',
    'mime',
    'include',
    'auth_openidc',
  ].map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`);
  const file = path.join(dir, 'httpd.conf');
  writeFileSync(
    file,
    `${load.join('\n')}
ServerRoot ${dir}
ServerName 127.0.0.1
Listen ${new URL(url).host}
PidFile ${dir}/httpd.pid
ErrorLog ${dir}/error.log
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
TypesConfig /etc/mime.types
DocumentRoot ${root}
DirectoryIndex index.html
<Directory ${root}>
  Options +Includes
  SetOutputFilter INCLUDES
</Directory>

OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret apache-secret-of-32-letters-00000
OIDCRedirectURI ${url}/oidc/callback
OIDCCryptoPassphrase another-32-random-bytes
OIDCPKCEMethod S256
OIDCScope "openid email profile"
OIDCRemoteUserClaim email
OIDCSessionType server-cache:persistent
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
<Location /strong>
  AuthType openid-connect
  OIDCPathAuthRequestParams acr_values=urn%3Asallyport%3Aacr%3A2fa
  OIDCUnAutzAction auth
  <RequireAny>
    Require claim acr:urn:sallyport:acr:2fa
    Require claim acr:phr
  </RequireAny>
</Location>
<Location /bye.html>
  AuthType None
  Require all granted
</Location>
`,
  );
  const child = spawn(apache, ['-f', file, '-DFOREGROUND'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = ended(child);
  t.teardown(async () => {
    child.kill('SIGTERM');
    await end;
  });
  const isUp = async () => (await fetch(`${url}/bye.html`).catch(() => null))?.ok === true;
  if ((await until(isUp, 20_000)) === null) {
    child.kill('SIGTERM');
    throw new Error(`Apache did not start: ${(await end).output}`);
  }
}

const run = existsSync(apache) && existsSync(`${modules}/mod_auth_openidc.so`) ? test : test.skip;

run(
  'behind Apache: who came and how is told, a page for second factors gets one, and signing out on either side ends both',
  async (t) => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const sallyport = await sallyportFor(t, {
      client_id: 'apache',
      client_secret: 'apache-secret-of-32-letters-00000',
      name: 'Intranet',
      redirect_uris: [`${url}/oidc/callback`],
      post_logout_redirect_uris: [`${url}/bye.html`],
      backchannel_logout_uri: `${url}/oidc/callback?logout=backchannel`,
      backchannel_logout_session_required: true,
    });
    await startApache(t, sallyport.issuer, url);
    const ada = await visitor(t);
    await ada.goto(url);
    await signIn(ada, 'ada');
    await typeCode(ada, codeNow(totpSecret));
    await heading(ada, 'Intranet');
    t.is(await ada.locator('#seen').textContent(), 'ada@acme.test urn:sallyport:acr:2fa pwd,otp,mfa');
    await ada.goto(`${url}/strong/`);
    await heading(ada, 'Strong');

    const ben = await visitor(t);
    await ben.goto(url);
    await signIn(ben, 'ben');
    await heading(ben, 'Intranet');
    t.is(await ben.locator('#seen').textContent(), 'ben@acme.test urn:sallyport:acr:1fa pwd');
    await ben.goto(`${url}/strong/`);
    await heading(ben, 'Set up two-factor authentication');
    t.true(ben.url().startsWith(sallyport.issuer));

    await ada.goto(`${url}/oidc/callback?logout=${encodeURIComponent(`${url}/bye.html`)}`);
    await heading(ada, 'Sign out?');
    await press(ada, 'Sign out');
    await heading(ada, 'Bye');
    await ada.goto(url);
    await heading(ada, 'Sign in');

    await ben.goto(url);
    await heading(ben, 'Intranet');
    await ben.goto(`${sallyport.issuer}/account`);
    await press(ben, 'Sign out');
    const isOut = async () => {
      await ben.goto(url);
      return ben.url().startsWith(sallyport.issuer);
    };
    t.not(await until(isOut, 20_000), null, 'the logout token has ended the session of Apache');
  },
);
