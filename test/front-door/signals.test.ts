import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import parallel, { type ExecutionContext } from 'ava';
import { createLocalJWKSet, generateKeyPair, type JSONWebKeySet, jwtVerify, SignJWT } from 'jose';
import { days, hours, seconds } from '../../lib/clock.ts';
import { apiScopes } from '../../policy/api-scopes.ts';
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

const caep = 'https://schemas.openid.net/secevent/caep/event-type';
const push = 'urn:ietf:rfc:8935';
const poll = 'urn:ietf:rfc:8936';

const idOf = async (door: FrontDoor, email: string): Promise<string> =>
  (await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [email]))?.id ?? '';
const deliver = (door: FrontDoor) => Promise.all(door.apps.map(({ courier }) => courier.deliverDue()));

/** A receiver of pushed signals, that can be away. */
async function receiver(t: ExecutionContext) {
  const taken: { token: string; headers: Record<string, unknown> }[] = [];
  let status = 202;
  let tries = 0;
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (part: string) => {
      body += part;
    });
    req.on('end', () => {
      tries += 1;
      if (status === 202) taken.push({ token: body, headers: req.headers });
      res.writeHead(status, status === 307 ? { Location: 'http://127.0.0.1:1/' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`,
    taken,
    tries: () => tries,
    answerWith: (next: number) => {
      status = next;
    },
  };
}

for (const kind of kinds) {
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: receivers are told of ended sessions, changed credentials and changed assurance, by push and by poll, each thing once`, async (t) => {
    const sink = await receiver(t);
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'optional' },
        { ada: { totp: secret }, bea: {} },
        {
          organizations: [{ slug: 'birch', name: 'Birch' }],
          users: [],
          applications: [apiClient('siem', 'acme'), apiClient('foreign', 'birch'), apiClient('whole')],
        },
      ),
      replicas: 2,
    });
    const ssf = async (clientId: string, verb: string, path: string, json?: object, token?: string) => {
      const response = await fetch(`${door.issuer}/ssf${path}`, {
        method: verb,
        headers: {
          Authorization: `Bearer ${token ?? (await tokenFor(door, clientId, 'ssf.manage ssf.read'))}`,
          ...(json ? { 'Content-Type': 'application/json' } : {}),
        },
        ...(json ? { body: JSON.stringify(json) } : {}),
      });
      const text = await response.text();
      // biome-ignore lint/suspicious/noExplicitAny: what comes back is what is tested
      return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as any };
    };
    const keys = createLocalJWKSet((await (await fetch(`${door.issuer}/jwks`)).json()) as JSONWebKeySet);
    const verified = async (token: string, audience: string) => {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer: door.issuer,
        audience,
        typ: 'secevent+jwt',
        currentDate: door.clock.now(),
      });
      t.is(protectedHeader.alg, 'RS256');
      t.false('exp' in payload || 'sub' in payload);
      return payload as {
        jti: string;
        sub_id: { sub: string };
        events: Record<string, Record<string, unknown>>;
      };
    };

    const metadata = (await (await fetch(`${door.issuer}/.well-known/ssf-configuration`)).json()) as Record<
      string,
      unknown
    >;
    t.like(metadata, {
      issuer: door.issuer,
      jwks_uri: `${door.issuer}/jwks`,
      delivery_methods_supported: [push, poll],
    });

    const wish = {
      delivery: { method: push, endpoint_url: sink.url, authorization_header: 'Bearer of-the-receiver' },
      events_requested: [
        `${caep}/session-revoked`,
        `${caep}/assurance-level-change`,
        'https://example.com/unknown',
      ],
      description: 'ours',
    };
    const made = await ssf('siem', 'POST', '/stream', wish);
    t.is(made.status, 201, JSON.stringify(made.body));
    t.like(made.body, {
      iss: door.issuer,
      aud: 'siem',
      events_delivered: [`${caep}/session-revoked`, `${caep}/assurance-level-change`],
    });
    t.notRegex(JSON.stringify(made.body), /of-the-receiver/);
    const stream = made.body.stream_id;
    const whole = (await ssf('whole', 'POST', '/stream', {})).body;
    const foreign = (await ssf('foreign', 'POST', '/stream', { delivery: { method: poll } })).body;
    t.is(whole.delivery.endpoint_url, `${door.issuer}/ssf/poll/${whole.stream_id}`);

    // Nobody else's stream is there, and a token without the scope does nothing.
    for (const [verb, path, json] of [
      ['GET', `/stream?stream_id=${stream}`],
      ['PATCH', '/stream', { stream_id: stream, description: 'mine' }],
      ['PUT', '/stream', { ...wish, stream_id: stream }],
      ['DELETE', `/stream?stream_id=${stream}`],
      ['GET', `/status?stream_id=${stream}`],
      ['POST', '/status', { stream_id: stream, status: 'disabled' }],
      ['POST', '/verify', { stream_id: stream }],
      ['POST', `/poll/${whole.stream_id}`, { returnImmediately: true }],
    ] as [string, string, object?][]) {
      t.is((await ssf('foreign', verb, path, json)).status, 404, `${verb} ${path}`);
      t.is((await ssf('siem', verb, path, json, 'nonsense')).status, 401, `${verb} ${path}`);
      const other = await tokenFor(door, 'siem', 'members:read');
      t.is((await ssf('siem', verb, path, json, other)).status, 403, `${verb} ${path}`);
    }
    for (const bad of [
      { delivery: { method: push } },
      { delivery: { method: push, endpoint_url: 'file:///etc/passwd' } },
      { delivery: { method: push, endpoint_url: 'https://a:b@example.com' } },
      { delivery: { method: push, endpoint_url: sink.url, authorization_header: 'Bearer ключ' } },
      { delivery: { method: push, endpoint_url: sink.url, authorization_header: 'x\r\nHost: y' } },
      { delivery: { method: 'mail' } },
      { events_requested: 'all' },
    ]) {
      t.is((await ssf('siem', 'POST', '/stream', bad)).status, 400, JSON.stringify(bad));
    }

    t.is((await ssf('siem', 'POST', '/verify', { stream_id: stream, state: 'hello' })).status, 204);
    t.is((await ssf('siem', 'POST', '/verify', { stream_id: stream })).status, 429);
    await deliver(door);
    t.is(sink.taken.length, 1);
    t.is(sink.taken[0]?.headers.authorization, 'Bearer of-the-receiver');
    t.is(sink.taken[0]?.headers['content-type'], 'application/secevent+jwt');
    const [verification] = sink.taken;
    t.deepEqual((await verified(verification?.token ?? '', 'siem')).events, {
      'https://schemas.openid.net/secevent/ssf/event-type/verification': { state: 'hello' },
    });
    sink.taken.length = 0;

    // Bea sets up a factor: her assurance rises. Ada is disconnected while the receiver is away.
    const bea = await idOf(door, 'bea@acme.test');
    const ada = await idOf(door, 'ada@acme.test');
    const browser = door.browser();
    await passwordStep(browser, 'bea');
    await redeem(door, browser);
    nextStep(door);
    await browser.authorize({ acr_values: 'urn:sallyport:acr:2fa' });
    if (browser.buttons.includes('Continue')) await browser.press('Continue').catch(() => {});
    sink.answerWith(503);
    const theirs = door.browser();
    await signIn(door, theirs);
    const disconnect = async (user: string) =>
      t.like(
        await asker(door, await tokenFor(door, 'siem'))('post', `/users/${user}/disconnect`, {
          reason: 'incident',
        }),
        {
          status: 200,
          body: { endedSessions: 1 },
        },
      );
    await disconnect(ada);
    await deliver(door);
    t.true(sink.tries() >= 2);
    t.is(sink.taken.length, 0);
    door.clock.forward(days(3));
    await deliver(door);
    sink.answerWith(202);
    door.clock.forward(hours(2));
    await deliver(door);
    await deliver(door);
    const heard = await Promise.all(sink.taken.map(({ token }) => verified(token, 'siem')));
    const revoked = heard.filter(({ events }) => `${caep}/session-revoked` in events);
    t.is(revoked.length, 1, 'told once, after days');
    t.like(revoked[0], { sub_id: { format: 'iss_sub', iss: door.issuer, sub: ada } } as object);
    t.like(revoked[0]?.events[`${caep}/session-revoked`], { initiating_entity: 'admin' });
    t.is(new Set(heard.map(({ jti }) => jti)).size, heard.length);

    // Poll: the same for the whole instance, acknowledged once; nothing for another organization.
    const fetched = async (clientId: string, streamId: string, json: object) =>
      (await ssf(clientId, 'POST', `/poll/${streamId}`, { returnImmediately: true, ...json })).body;
    t.deepEqual(await fetched('foreign', foreign.stream_id, {}), { sets: {}, moreAvailable: false });
    const first = await fetched('whole', whole.stream_id, { maxEvents: 1 });
    t.is(Object.keys(first.sets).length, 1);
    const seen = new Map<string, string>();
    let ack = Object.keys(first.sets);
    for (const [jti, token] of Object.entries(first.sets)) seen.set(jti, String(token));
    for (let round = 0; round < 20 && ack.length > 0; round += 1) {
      const next = await fetched('whole', whole.stream_id, { maxEvents: 2, ack });
      for (const [jti, token] of Object.entries(next.sets)) {
        t.false(seen.has(jti), 'what was acknowledged does not come again');
        seen.set(jti, String(token));
      }
      ack = Object.keys(next.sets);
    }
    const all = await Promise.all([...seen.values()].map((token) => verified(token, 'whole')));
    t.true(all.some(({ events, sub_id }) => `${caep}/session-revoked` in events && sub_id.sub === ada));
    for (const { jti } of all) t.true(seen.has(jti));

    // Somebody who was taken out is not told of; a paused stream holds, a disabled one forgets.
    t.is(
      (
        await ssf('siem', 'POST', '/subjects/remove', {
          stream_id: stream,
          subject: { format: 'iss_sub', iss: door.issuer, sub: ada },
        })
      ).status,
      204,
    );
    t.is(
      (
        await ssf('siem', 'POST', '/subjects/add', {
          stream_id: stream,
          subject: { format: 'iss_sub', iss: door.issuer, sub: 'nobody' },
        })
      ).status,
      404,
    );
    sink.taken.length = 0;
    nextStep(door);
    await signIn(door, theirs);
    await disconnect(ada);
    await deliver(door);
    t.is(sink.taken.length, 0);
    // A minute is looked back on, so that nothing that was written late is lost.
    door.clock.forward(seconds(120));
    await deliver(door);
    t.is(
      (
        await ssf('siem', 'POST', '/subjects/add', {
          stream_id: stream,
          subject: { format: 'iss_sub', iss: door.issuer, sub: ada },
        })
      ).status,
      200,
    );
    t.is(
      (await ssf('siem', 'POST', '/status', { stream_id: stream, status: 'paused', reason: 'holiday' })).body
        .status,
      'paused',
    );
    await browser.authorize();
    if (browser.callback === null) await passwordStep(browser, 'bea');
    await disconnect(bea);
    await deliver(door);
    t.is(sink.taken.length, 0);
    await ssf('siem', 'POST', '/status', { stream_id: stream, status: 'enabled' });
    await deliver(door);
    t.deepEqual(
      (await Promise.all(sink.taken.map(({ token }) => verified(token, 'siem')))).map(
        ({ sub_id }) => sub_id.sub,
      ),
      [bea],
    );
    // Without its scopes an application hears nothing, and nothing later of what happened meanwhile.
    const scopes = (list: readonly string[]) =>
      door.apply({ applications: [apiClient('siem', 'acme', { api_scopes: list })] });
    await scopes(['sessions:write']);
    sink.taken.length = 0;
    door.clock.forward(seconds(120));
    nextStep(door);
    await signIn(door, theirs);
    const otherwise = await asker(door, await tokenFor(door, 'siem', 'sessions:write'))(
      'post',
      `/users/${ada}/disconnect`,
      { reason: 'incident' },
    );
    t.is(otherwise.status, 200);
    await deliver(door);
    await scopes([...apiScopes]);
    await deliver(door);
    t.is(sink.taken.length, 0);
    t.like((await ssf('siem', 'GET', `/status?stream_id=${stream}`)).body, {
      status: 'disabled',
      reason: 'the application may not listen any more',
    });
    door.clock.forward(seconds(1));
    await ssf('siem', 'POST', '/status', { stream_id: stream, status: 'enabled' });
    await deliver(door);
    t.is(sink.taken.length, 0, 'it begins anew');

    t.is((await ssf('siem', 'DELETE', `/stream?stream_id=${stream}`)).status, 204);
    t.deepEqual((await ssf('siem', 'GET', '/stream')).body, []);
    t.is((await door.db.rows('SELECT id FROM outbox WHERE recipient = ?', [stream])).length, 0);
  });

  test(`${kind}: pushes never follow a redirect nor reach a private address that no setting allows (T147)`, async (t) => {
    const sink = await receiver(t);
    sink.answerWith(307);
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { totp: secret } },
        {
          applications: [
            apiClient('siem', 'acme'),
            application('told', { backchannel_logout_uri: sink.url }),
            application('signer', {
              client_secret: undefined,
              token_endpoint_auth_method: 'private_key_jwt',
              jwks_uri: sink.url,
            }),
          ],
        },
      ),
      settings: { outboundAllow: [] },
    });
    await door.apply({
      providers: [
        {
          slug: 'inside',
          name: 'Inside',
          issuer: new URL(sink.url).origin,
          clientId: 'sallyport',
          clientSecret: 'x',
        },
      ],
    });
    const token = await tokenFor(door, 'siem');
    const call = async (path: string, json: object) =>
      (
        await fetch(`${door.issuer}/ssf${path}`, {
          method: 'POST',
          headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
          body: JSON.stringify(json),
        })
      )
        .json()
        .catch(() => null);
    for (const host of ['127.0.0.1', 'localhost', '0x7f000001', '[::ffff:127.0.0.1]']) {
      const { port } = new URL(sink.url);
      const { stream_id } = (await call('/stream', {
        delivery: { method: push, endpoint_url: `http://${host}:${port}/` },
      })) as {
        stream_id: string;
      };
      await call('/verify', { stream_id });
    }
    // What a provider says of itself, logout tokens and applications' keys go the same way.
    const there = door.browser();
    await there.authorize();
    await there.press('Sign in with Inside');
    t.regex(there.alert, /cannot be reached/);
    const told = await fetch(`${door.issuer}/upstream/inside/backchannel-logout`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: 'a.b.c' }),
    });
    t.is(told.status, 400);
    const browser = door.browser();
    await signIn(door, browser, { params: { client_id: 'told' } });
    await browser.open('/session/end');
    await browser.press('Sign out', { logout: 'yes' });
    const assertion = await new SignJWT({ jti: 'one' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer('signer')
      .setSubject('signer')
      .setAudience(door.issuer)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign((await generateKeyPair('ES256')).privateKey);
    const refused = await fetch(`${door.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: 'signer',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    });
    t.is(refused.status, 401);
    await deliver(door);
    t.is(sink.tries(), 0);
    t.true(door.log.some((line) => line.includes('private address')));
  });
}
