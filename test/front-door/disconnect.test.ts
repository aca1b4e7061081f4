import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import parallel, { type ExecutionContext } from 'ava';
import { seconds } from '../../lib/clock.ts';
import { apiClient, asker, tokenFor } from './api-rig.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  passwordStep,
  redeem,
  secret,
  signIn,
} from './rig.ts';

const idOf = async (door: FrontDoor, who: string): Promise<string> =>
  (await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [`${who}@acme.test`]))?.id ?? '';

async function logoutSink(t: ExecutionContext) {
  const tokens: string[] = [];
  let status = 200;
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (part: string) => {
      body += part;
    });
    req.on('end', () => {
      tokens.push(new URLSearchParams(body).get('logout_token') ?? '');
      res.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    tokens,
    answerWith: (next: number) => {
      status = next;
    },
  };
}

const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const deliver = (door: FrontDoor) => Promise.all(door.apps.map(({ courier }) => courier.deliverDue()));

for (const kind of kinds) {
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: who is disconnected is out at once on every server, must use a factor next, and applications are told (T106, T154)`, async (t) => {
    const sink = await logoutSink(t);
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { rememberDeviceDays: 30 },
        { ada: { totp: secret }, bea: { totp: secret }, owen: { role: 'owner', totp: secret } },
        {
          organizations: [{ slug: 'birch', name: 'Birch' }],
          applications: [
            apiClient('siem', 'acme'),
            apiClient('foreign', 'birch'),
            application('told', {
              backchannel_logout_uri: sink.url,
              backchannel_logout_session_required: true,
            }),
          ],
        },
      ),
      replicas: 2,
    });
    const ada = await idOf(door, 'ada');
    const siem = asker(door, await tokenFor(door, 'siem'), 1);
    const browser = door.browser();
    const first = await signIn(door, browser, { remember: true });
    await browser.authorize({ client_id: 'told' });
    const told = await redeem(door, browser, 'told');
    const waiting = door.browser(1);
    await passwordStep(waiting);
    t.is(waiting.heading, 'Two-factor authentication');
    const other = door.browser();
    nextStep(door);
    await signIn(door, other, { who: 'bea' });
    nextStep(door);

    const { body: before } = await siem('get', `/users/${ada}/sessions`);
    t.is(before.data.length, 1);
    t.deepEqual(before.data[0].applications.toSorted(), ['app', 'told']);
    for (const [who, status] of [
      ['foreign', 404],
      ['siem without the scope', 403],
    ] as const) {
      const [clientId = ''] = who.split(' ');
      const token = await tokenFor(door, clientId, status === 403 ? 'sessions:read' : undefined);
      const answer = await asker(door, token)('post', `/users/${ada}/disconnect`, { reason: 'no' });
      t.is(answer.status, status, who);
    }
    t.is((await siem('post', `/users/nobody/disconnect`, { reason: 'no' })).status, 404);
    t.is((await siem('post', `/users/${ada}/disconnect`, {})).status, 400, 'a reason is needed');
    t.is((await siem('get', `/users/${ada}/sessions`)).body.data.length, 1, 'nothing of that did anything');

    const key = { 'Idempotency-Key': 'incident-7' };
    const ask = () =>
      siem('post', `/users/${ada}/disconnect`, { reason: 'incident 7', forgetRememberedDevices: false }, key);
    const done = await ask();
    t.deepEqual(done.body, { endedSessions: 1, forgotRememberedDevices: false });
    for (const replica of [0, 1]) {
      const tab = browser.copy();
      tab.replica = replica;
      await tab.authorize({ prompt: 'none' });
      t.is(tab.callback?.get('error'), 'login_required', `server ${replica}`);
      for (const token of [first.body.access_token, told.body.access_token]) {
        t.is((await door.post('/me', {}, { bearer: String(token), replica })).status, 401);
      }
      const refresh = { grant_type: 'refresh_token', refresh_token: String(told.body.refresh_token) };
      t.is((await door.post('/token', refresh, { clientId: 'told', replica })).body.error, 'invalid_grant');
    }
    await waiting.press('Verify', { code: door.code() });
    t.is(waiting.status, 400, 'a sign-in under way ends with a clean page');
    t.is(waiting.heading, 'This sign-in has ended');
    await other.authorize({ prompt: 'none' });
    t.true(other.callback?.has('code'), 'somebody else goes on');

    const again = await ask();
    t.deepEqual([again.body, again.headers.get('Idempotency-Replayed')], [done.body, 'true']);
    t.is((await siem('post', `/users/${ada}/disconnect`, { reason: 'another' }, key)).status, 422);

    await deliver(door);
    t.is(sink.tokens.length, 1, 'told once');
    t.like(claimsOf(sink.tokens[0] ?? ''), { aud: 'told', sub: ada, sid: told.claims.sid });

    // The device is still remembered, and yet a factor is asked for, once.
    door.clock.forward(seconds(31));
    await passwordStep(browser);
    t.is(browser.heading, 'Two-factor authentication', 'a fresh factor on a remembered device');
    await browser.press('Verify', { code: door.code() });
    t.is((await redeem(door, browser)).claims.acr, 'urn:sallyport:acr:2fa');
    await browser.authorize({ prompt: 'login' });
    await browser.press('Sign in', { email: 'ada@acme.test', password: 'correct horse battery staple' });
    t.is(
      (await redeem(door, browser)).claims.acr,
      'urn:sallyport:acr:remembered',
      'then the device counts again',
    );

    // One session of two, and remembered devices forgotten.
    const second = door.browser();
    nextStep(door);
    await signIn(door, second, { remember: true });
    const { body: two } = await siem('get', `/users/${ada}/sessions`);
    t.is(two.data.length, 2);
    const { body: devices } = await siem('get', `/users/${ada}/remembered-devices`);
    t.is(devices.data.length, 2);
    const [newest] = two.data.toSorted((a: { startedAt: string }, b: { startedAt: string }) =>
      a.startedAt < b.startedAt ? 1 : -1,
    );
    t.is((await siem('post', `/users/${ada}/disconnect`, { reason: 'one', session: newest.id })).status, 200);
    await second.authorize({ prompt: 'none' });
    t.is(second.callback?.get('error'), 'login_required');
    t.deepEqual((await siem('get', `/users/${ada}/remembered-devices`)).body.data, []);
    t.is((await siem('post', `/users/${ada}/disconnect`, { reason: 'one', session: newest.id })).status, 404);
    const rest = (await siem('get', `/users/${ada}/sessions`)).body.data;
    t.is(rest.length, 1);
    t.is((await siem('delete', `/users/${ada}/sessions/${rest[0].id}`)).status, 204);
    await browser.authorize({ prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required');

    const events = await door.db.rows<{ data: string; client_id: string }>(
      "SELECT * FROM audit_events WHERE type = 'user.disconnected' ORDER BY id",
    );
    t.is(events.length, 3, 'what did nothing is no event');
    t.like(JSON.parse(events[0]?.data ?? ''), { reason: 'incident 7', scope: 'all', sessions: 1 });
    t.is(events[0]?.client_id, 'siem');
  });

  test(`${kind}: an application that is away when somebody is disconnected is told when it is back, and holds nobody up (T132)`, async (t) => {
    const sink = await logoutSink(t);
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { totp: secret } },
        {
          applications: [apiClient('siem'), application('told', { backchannel_logout_uri: sink.url })],
        },
      ),
    });
    const browser = door.browser();
    await signIn(door, browser, { params: { client_id: 'told' } });
    const siem = asker(door, await tokenFor(door, 'siem'));
    sink.answerWith(503);
    const ada = await idOf(door, 'ada');
    t.is((await siem('post', `/users/${ada}/disconnect`, { reason: 'x' })).status, 200);
    await deliver(door);
    t.is(sink.tokens.length, 1);
    door.clock.forward(seconds(11));
    sink.answerWith(200);
    await deliver(door);
    t.is(sink.tokens.length, 2);
    door.clock.forward(seconds(3600));
    await deliver(door);
    t.is(sink.tokens.length, 2, 'told once it was heard');
    t.deepEqual(claimsOf(sink.tokens[1] ?? '').events, {
      'http://schemas.openid.net/event/backchannel-logout': {},
    });
  });
}
