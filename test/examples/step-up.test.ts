import test from 'ava';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { readChallenge } from '../../examples/relying-party/provider.ts';
import { startRelyingParty } from '../../examples/relying-party/relying-party.ts';
import { startResourceServer } from '../../examples/resource-server/resource-server.ts';
import { seconds } from '../../lib/clock.ts';
import { acme, application, frontDoor, password, secret } from '../front-door/rig.ts';
import { Browser } from './browser.ts';

test('an API that wants a recent second factor gets it: the application sends the person to step up and goes on (T105, RFC 9470)', async (t) => {
  // The sign-in is six minutes old when the API is called; tokens are as old as they are.
  const door = await frontDoor(t, 'SQLite', {
    replicas: 1,
    configuration: acme({}, { ada: { totp: secret }, bea: {} }),
    now: new Date(Date.now() - seconds(360)),
  });
  const api = await startResourceServer({ issuer: door.issuer, resource: 'http://api.test', port: 0 });
  t.teardown(api.close);
  // The address of the API is its name: it is registered, and asked, by it.
  await api.close();
  const listening = await startResourceServer({
    issuer: door.issuer,
    resource: api.url,
    port: Number(new URL(api.url).port),
  });
  t.teardown(listening.close);
  const log: string[] = [];
  const relyingParty = await startRelyingParty({
    issuer: door.issuer,
    clientId: 'rp',
    clientSecret: 'rp-secret',
    port: 0,
    api: api.url,
    log: (line) => log.push(line),
  });
  t.teardown(() => relyingParty.close());
  await door.apply({
    applications: [
      application('rp', { redirect_uris: [`${relyingParty.url}/callback`] }),
      application('flights', {
        response_types: [],
        grant_types: [],
        redirect_uris: [],
        resource: api.url,
        resource_scopes: 'flights:read flights:write',
      }),
    ],
  });

  const browser = new Browser();
  await browser.open(relyingParty.url);
  await browser.press('Sign in');
  await browser.press('Sign in', { email: 'ada@acme.test', password });
  await browser.press('Verify', { code: door.code() });
  t.is(browser.heading, 'Signed in as ada');
  door.clock.forward(seconds(360));

  await browser.press('Book a flight');
  t.true(browser.url.startsWith(door.issuer), 'the person is asked again');
  const asked = new URL(browser.visited.findLast((url) => url.startsWith(`${door.issuer}/auth?`)) ?? '');
  t.is(asked.searchParams.get('acr_values'), 'urn:sallyport:acr:2fa phr');
  t.is(asked.searchParams.get('max_age'), '300');
  t.is(asked.searchParams.get('resource'), api.url);
  if (browser.heading.startsWith('Sign in')) {
    await browser.press('Sign in', { email: 'ada@acme.test', password });
  }
  await browser.press('Verify', { code: door.code() });
  t.is(browser.heading, 'Signed in as ada', `${browser.url} ${log}`);
  t.regex(browser.text, /<span id="flights">1<\/span>/);
  await browser.press('Book a flight');
  t.regex(browser.text, /<span id="flights">2<\/span>/, 'the recent one does for the next five minutes');

  // Somebody with a password alone is told to set a second factor up.
  const other = new Browser();
  await other.open(relyingParty.url);
  await other.press('Sign in');
  await other.press('Sign in', { email: 'bea@acme.test', password });
  t.is(other.heading, 'Signed in as bea');
  await other.press('Book a flight');
  t.is(other.heading, 'Set up two-factor authentication');
});

test('the resource server takes tokens that are meant for it and whole, and says what is missing by RFC 9470', async (t) => {
  const door = await frontDoor(t, 'SQLite', {
    replicas: 1,
    now: new Date(),
    configuration: acme(
      {},
      {},
      {
        applications: [
          application('flights', {
            response_types: [],
            grant_types: [],
            redirect_uris: [],
            resource: 'https://flights.test',
            resource_scopes: 'flights:read flights:write',
          }),
          application('program', {
            grant_types: ['client_credentials'],
            response_types: [],
            redirect_uris: [],
          }),
        ],
      },
    ),
  });
  const api = await startResourceServer({ issuer: door.issuer, resource: 'https://flights.test', port: 0 });
  t.teardown(api.close);
  const token = async (scope: string) => {
    const { body } = await door.post(
      '/token',
      { grant_type: 'client_credentials', scope, resource: 'https://flights.test' },
      { clientId: 'program' },
    );
    return String(body.access_token);
  };
  const call = (method: string, authorization?: string) =>
    fetch(`${api.url}/flights`, { method, headers: authorization ? { Authorization: authorization } : {} });
  const good = await token('flights:read');
  t.is(decodeProtectedHeader(good).typ, 'at+jwt');
  t.is(decodeJwt(good).aud, 'https://flights.test');
  const [head, payload] = good.split('.');
  for (const [authorization, status, challenge] of [
    [undefined, 401, /^Bearer$/],
    ['Bearer nonsense', 401, /error="invalid_token"/],
    [`Bearer ${head}.${payload}.AAAA`, 401, /error="invalid_token"/],
    [`Bearer ${good}`, 200, /^$/],
  ] as const) {
    const answer = await call('GET', authorization);
    t.is(answer.status, status, authorization);
    t.regex(answer.headers.get('WWW-Authenticate') ?? '', challenge);
  }
  t.is((await call('POST', `Bearer ${good}`)).status, 403, 'the scope is not enough');
  const answer = await call('POST', `Bearer ${await token('flights:write')}`);
  t.is(answer.status, 401, 'a program has not signed in by any factor');
  t.deepEqual(readChallenge(answer.headers.get('WWW-Authenticate') ?? ''), {
    acr_values: 'urn:sallyport:acr:2fa phr',
    max_age: '300',
  });
  t.is(readChallenge('Bearer error="invalid_token", acr_values="x"'), null);
});
