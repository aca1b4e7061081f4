import { createHash, randomBytes } from 'node:crypto';
import parallel, { type ExecutionContext } from 'ava';
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { days } from '../../lib/clock.ts';
import { issueRegistrationToken } from '../../provider/registration.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  passwordStep,
  pkce,
  redirectUri,
  secret,
} from './rig.ts';

const resource = 'https://flights.example.com/api';

/** A JSON answer of one endpoint, asked as a program asks. */
async function ask(
  door: FrontDoor,
  path: string,
  options: {
    method?: string;
    headers?: Record<string, string>;
    json?: unknown;
    form?: Record<string, string>;
  } = {},
) {
  const response = await fetch(`${door.issuer}${path}`, {
    method: options.method ?? (options.json || options.form ? 'POST' : 'GET'),
    headers: { ...(options.json ? { 'content-type': 'application/json' } : {}), ...options.headers },
    ...(options.json ? { body: JSON.stringify(options.json) } : {}),
    ...(options.form ? { body: new URLSearchParams(options.form) } : {}),
  });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: what comes back is what is tested
  const body: any = text.startsWith('{') ? JSON.parse(text) : { text };
  return { status: response.status, body, headers: response.headers };
}

/** What jose makes of a token with nothing but the published keys. */
async function verified(t: ExecutionContext, door: FrontDoor, token: unknown, options: object = {}) {
  const keys = createLocalJWKSet((await ask(door, '/jwks')).body);
  const { payload, protectedHeader } = await jwtVerify(String(token), keys, {
    issuer: door.issuer,
    ...options,
  });
  t.false('d' in (protectedHeader.jwk ?? {}));
  return { payload, header: protectedHeader };
}

const machine = application('machine', {
  grant_types: ['client_credentials'],
  response_types: [],
  redirect_uris: [],
  api_scopes: ['members:read', 'sessions:write'],
  organization: 'acme',
});
const flights = application('flights', {
  grant_types: [],
  response_types: [],
  redirect_uris: [],
  resource,
  resource_scopes: 'flights:read flights:write',
  organization: 'acme',
});

for (const kind of kinds) {
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: discovery says exactly what is on, and every address in it answers`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}) });
    const { body } = await ask(door, '/.well-known/openid-configuration');
    t.like(body, {
      issuer: door.issuer,
      response_types_supported: ['code', 'none'],
      code_challenge_methods_supported: ['S256'],
      subject_types_supported: ['public'],
      claims_parameter_supported: true,
      request_parameter_supported: true,
      request_uri_parameter_supported: false,
      authorization_response_iss_parameter_supported: true,
      backchannel_logout_supported: true,
      backchannel_logout_session_supported: true,
      id_token_signing_alg_values_supported: ['RS256', 'ES256'],
      acr_values_supported: [
        'urn:sallyport:acr:1fa',
        'urn:sallyport:acr:remembered',
        'urn:sallyport:acr:2sv',
        'urn:sallyport:acr:2fa',
        'phr',
      ],
    });
    t.deepEqual([...body.grant_types_supported].sort(), [
      'authorization_code',
      'client_credentials',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
    ]);
    t.deepEqual([...body.token_endpoint_auth_methods_supported].sort(), [
      'client_secret_basic',
      'client_secret_post',
      'none',
      'private_key_jwt',
    ]);
    t.deepEqual([...body.scopes_supported].sort(), [
      'amr_json',
      'email',
      'offline_access',
      'openid',
      'phone',
      'profile',
    ]);
    for (const [name, address] of Object.entries(body)) {
      if (typeof address !== 'string' || !/_endpoint$|_uri$/.test(name)) continue;
      t.true(address.startsWith(`${door.issuer}/`), name);
      const { status } = await ask(door, address.slice(door.issuer.length), {
        method:
          name.startsWith('jwks') || name.startsWith('auth') || name.startsWith('end_') ? 'GET' : 'POST',
      });
      t.true(status < 500 && status !== 404, `${name}: ${status}`);
    }
  });

  test(`${kind}: a program gets tokens for what it is registered for and nothing else, and a signed one for a resource server`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { totp: secret } },
        {
          organizations: [{ slug: 'birch', name: 'Birch' }],
          applications: [
            machine,
            flights,
            application('foreign', {
              grant_types: ['client_credentials'],
              response_types: [],
              redirect_uris: [],
              organization: 'birch',
            }),
            application('member', { organization: 'acme' }),
          ],
        },
      ),
    });
    const grant = (fields: Record<string, string>, clientId = 'machine') =>
      door.post('/token', { grant_type: 'client_credentials', ...fields }, { clientId });

    const api = await grant({ scope: 'members:read audit:read' });
    t.is(api.status, 200, JSON.stringify(api.body));
    t.is(api.body.scope, 'members:read', 'only what its registration lists');
    t.false('id_token' in api.body || 'refresh_token' in api.body);
    const seen = await door.post('/token/introspection', { token: String(api.body.access_token) });
    t.like(seen.body, {
      active: true,
      client_id: 'machine',
      aud: `${door.issuer}/api/v1`,
      scope: 'members:read',
    });
    t.is(
      (await door.post('/me', {}, { bearer: String(api.body.access_token) })).status,
      401,
      'no userinfo for programs',
    );
    t.is((await grant({}, 'app')).status, 400, 'who is not registered for the grant does not get it');

    const signed = await grant({ scope: 'flights:read members:read', resource });
    const { payload, header } = await verified(t, door, signed.body.access_token, {
      audience: resource,
      typ: 'at+jwt',
    });
    t.is(header.alg, 'RS256');
    t.like(payload, { sub: 'machine', client_id: 'machine', scope: 'flights:read' });
    t.is((payload.exp ?? 0) - (payload.iat ?? 0), 300);
    t.is((await grant({ resource: 'https://nobody.example.com' })).body.error, 'invalid_target');
    t.is(
      (await grant({ resource }, 'foreign')).body.error,
      'invalid_target',
      'another organization’s resource',
    );

    // A person's token for the resource server says how they signed in, and is worth nothing at userinfo.
    const browser = door.browser();
    await passwordStep(browser, 'ada', {
      client_id: 'member',
      scope: 'openid flights:write',
      resource,
      acr_values: 'urn:sallyport:acr:2fa',
    });
    await browser.press('Verify', { code: door.code() });
    const tokens = await door.post(
      '/token',
      {
        grant_type: 'authorization_code',
        code: browser.callback?.get('code') ?? '',
        redirect_uri: redirectUri,
        code_verifier: browser.verifier,
        resource,
      },
      { clientId: 'member' },
    );
    const person = await verified(t, door, tokens.body.access_token, { audience: resource, typ: 'at+jwt' });
    t.like(person.payload, {
      sub: tokens.claims.sub,
      client_id: 'member',
      scope: 'flights:write',
      acr: 'urn:sallyport:acr:2fa',
      amr: ['pwd', 'otp', 'mfa'],
      auth_time: tokens.claims.auth_time,
    });
    t.is((await door.post('/me', {}, { bearer: String(tokens.body.access_token) })).status, 401);
  });

  test(`${kind}: a request object, a key of the application's own and a proof of possession are checked, and none is used twice (T127, T130, T131)`, async (t) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {} },
        {
          applications: [
            application('signer', {
              client_secret: undefined,
              token_endpoint_auth_method: 'private_key_jwt',
              token_endpoint_auth_signing_alg: 'ES256',
              require_signed_request_object: true,
              request_object_signing_alg: 'ES256',
              id_token_signed_response_alg: 'ES256',
              dpop_bound_access_tokens: true,
              jwks: { keys: [jwk] },
            }),
          ],
        },
      ),
      now: new Date(),
    });
    const sign = (claims: Record<string, unknown>, audience = door.issuer) =>
      new SignJWT({ jti: randomBytes(16).toString('hex'), ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
        .setIssuer('signer')
        .setAudience(audience)
        .setIssuedAt()
        .setNotBefore('0s')
        .setExpirationTime('1m')
        .sign(privateKey);
    const { verifier, challenge } = pkce();
    const params = {
      client_id: 'signer',
      response_type: 'code',
      scope: 'openid email',
      redirect_uri: redirectUri,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state: 'inside',
    };
    const browser = door.browser();
    await passwordStep(browser);

    for (const [what, query] of Object.entries({
      'no object where one is required': params,
      'one for another server': { client_id: 'signer', request: await sign(params, 'https://other.test') },
      'one that is not signed': {
        client_id: 'signer',
        request: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(params)).toString('base64url')}.`,
      },
    })) {
      const tab = browser.copy();
      await tab.open(`/auth?${new URLSearchParams(query as Record<string, string>)}`);
      t.false(tab.callback?.has('code') ?? false, what);
    }
    await browser.open(
      `/auth?${new URLSearchParams({ client_id: 'signer', request: await sign(params), state: 'outside' })}`,
    );
    t.is(browser.callback?.get('state'), 'inside', 'what is signed holds, not what stands beside it');

    const proofKey = await generateKeyPair('ES256');
    const publicJwk = await exportJWK(proofKey.publicKey);
    const proof = (url: string, more: Record<string, unknown> = {}, method = 'POST') =>
      new SignJWT({ jti: randomBytes(16).toString('hex'), htm: method, htu: url, ...more })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: publicJwk })
        .setIssuedAt()
        .sign(proofKey.privateKey);
    const redeemed = async (headers: Record<string, string>) =>
      ask(door, '/token', {
        headers,
        form: {
          grant_type: 'authorization_code',
          code: browser.callback?.get('code') ?? '',
          redirect_uri: redirectUri,
          code_verifier: verifier,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await sign({ sub: 'signer' }),
        },
      });
    t.is((await redeemed({})).status, 400, 'no proof where tokens are bound');
    await browser.open(`/auth?${new URLSearchParams({ client_id: 'signer', request: await sign(params) })}`);
    const first = await proof(`${door.issuer}/token`);
    const tokens = await redeemed({ DPoP: first });
    t.is(tokens.status, 200, JSON.stringify(tokens.body));
    t.is(tokens.body.token_type, 'DPoP');
    const id = await verified(t, door, tokens.body.id_token, { audience: 'signer' });
    t.is(id.header.alg, 'ES256');

    const ath = createHash('sha256').update(tokens.body.access_token).digest('base64url');
    const me = (headers: Record<string, string>) => ask(door, '/me', { headers });
    const Authorization = `DPoP ${tokens.body.access_token}`;
    t.is(
      (await me({ Authorization: `Bearer ${tokens.body.access_token}` })).status,
      401,
      'not as a bearer token',
    );
    t.is((await me({ Authorization })).status, 400, 'not without a proof');
    const good = await proof(`${door.issuer}/me`, { ath }, 'GET');
    const seen = await me({ Authorization, DPoP: good });
    t.is(seen.status, 200, JSON.stringify([seen.body, seen.headers.get('www-authenticate')]));
    t.is((await me({ Authorization, DPoP: good })).status, 401, 'a proof works once');
  });

  test(`${kind}: an answer by form_post is a page that sends itself on under our policy, and has a button without scripts (T108)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {} },
        {
          applications: [
            application('device', {
              grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
              response_types: [],
              redirect_uris: [],
            }),
          ],
        },
      ),
    });
    const browser = door.browser();
    const state = `<"'&> ${'x'.repeat(10)}`;
    await passwordStep(browser, 'ada', { response_mode: 'form_post', state });
    t.is(browser.heading, 'One moment');
    const policy = browser.headers.get('Content-Security-Policy') ?? '';
    t.regex(policy, /script-src 'self';/);
    t.regex(policy, /form-action 'self' http:\/\/127\.0\.0\.1:9$/);
    t.notRegex(browser.text, /<script>|onload=/);
    const { action, fields } = browser.form('Continue');
    t.is(action, redirectUri);
    t.is(fields.get('state'), state);
    t.is(fields.get('iss'), door.issuer);
    const { verifier } = browser;
    t.is((await door.tokens(fields.get('code') ?? '', verifier)).status, 200);
    await browser.authorize({ response_mode: 'form_post', prompt: 'none', max_age: '0' });
    t.is(browser.form('Continue').fields.get('error'), 'login_required', browser.text);

    const stranger = door.browser();
    await stranger.open('/session/end');
    t.is(stranger.heading, 'One moment');
    await stranger.press('Continue');
    t.regex(stranger.heading, /signed out/i);
    const device = await door.post(
      '/device/auth',
      { client_id: 'device', scope: 'openid' },
      { clientId: 'device' },
    );
    t.is(device.status, 200, JSON.stringify(device.body));
    await browser.open(`/device?user_code=${device.body.user_code}`);
    t.is(browser.heading, 'One moment');
    await browser.press('Continue');
    t.is(browser.heading, 'Is this your device?', `${browser.alert} ${device.body.user_code}`);
  });

  test(`${kind}: answers, userinfo and introspection are signed where an application asks for it`, async (t) => {
    const door = await frontDoor(t, kind, {
      now: new Date(),
      configuration: acme(
        {},
        { ada: {} },
        {
          applications: [
            application('jarm', {
              authorization_signed_response_alg: 'ES256',
              userinfo_signed_response_alg: 'ES256',
              introspection_signed_response_alg: 'RS256',
            }),
            application('phone', {
              application_type: 'native',
              redirect_uris: ['com.example.app:/cb', 'http://localhost/cb'],
            }),
          ],
        },
      ),
    });
    // What an application in a browser may read, by its addresses; an app's own scheme opens nothing to pages of no origin.
    for (const [origin, allowed] of [
      ['http://localhost', 'http://localhost'],
      ['null', null],
      ['https://evil.test', null],
    ] as const) {
      const answer = await ask(door, '/token', {
        headers: { Origin: origin, Authorization: `Basic ${btoa('phone:phone-secret')}` },
        form: { grant_type: 'authorization_code', code: 'x' },
      });
      t.is(answer.headers.get('access-control-allow-origin'), allowed, origin);
    }
    const browser = door.browser();
    await passwordStep(browser, 'ada', { client_id: 'jarm', response_mode: 'query.jwt' });
    const { payload } = await verified(t, door, browser.callback?.get('response'), { audience: 'jarm' });
    const tokens = await door.tokens(String(payload.code), browser.verifier, { clientId: 'jarm' });
    const info = await door.post('/me', {}, { bearer: String(tokens.body.access_token) });
    t.is((await verified(t, door, info.body.text, { audience: 'jarm' })).payload.email, 'ada@acme.test');
    const response = await fetch(`${door.issuer}/token/introspection`, {
      method: 'POST',
      headers: {
        Authorization: `Basic ${Buffer.from('jarm:jarm-secret').toString('base64')}`,
        Accept: 'application/token-introspection+jwt',
      },
      body: new URLSearchParams({ token: String(tokens.body.access_token) }),
    });
    const seen = await verified(t, door, await response.text(), { audience: 'jarm' });
    t.like(seen.payload.token_introspection, {
      active: true,
      acr: 'urn:sallyport:acr:1fa',
      amr: ['pwd'],
      auth_time: tokens.claims.auth_time,
    } as object);
  });

  test(`${kind}: a program registers its own application with a token for it, and can claim nothing that others decide (T104)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}, { ada: { totp: secret } }) });
    const { services } = door.apps[0] as FrontDoor['apps'][number];
    const organization = await door.db.row<{ id: string }>(
      "SELECT id FROM organizations WHERE slug = 'acme'",
    );
    const { token } = await issueRegistrationToken(services, {
      organizationId: organization?.id ?? null,
      lifetime: days(1),
    });
    const register = (json: object, bearer = token) =>
      ask(door, '/reg', { json, headers: { Authorization: `Bearer ${bearer}` } });
    const metadata = {
      client_name: 'Robot',
      redirect_uris: [redirectUri],
      default_acr_values: ['urn:sallyport:acr:2fa'],
    };
    t.is((await register(metadata, 'x')).status, 401);
    t.is((await ask(door, '/reg', { json: metadata })).status, 401);
    for (const bad of [
      { api_scopes: ['members:write'] },
      { resource: 'https://flights.example.com' },
      { grant_types: ['implicit'] },
      { response_types: ['token'] },
      { redirect_uris: ['javascript:alert(1)'] },
      { jwks: { keys: [{ kty: 'EC', d: 'x' }] } },
      { token_endpoint_auth_method: 'tls_client_auth' },
    ]) {
      const { status, body } = await register({ ...metadata, ...bad });
      t.is(status, 400, JSON.stringify([bad, body]));
    }
    const made = await register({
      ...metadata,
      first_party: true,
      organization_id: 'other',
      assurance: 'none',
      organization_name: 'Evil',
    });
    t.is(made.status, 201, JSON.stringify(made.body));
    t.like(made.body, { client_name: 'Robot', first_party: false, organization_id: organization?.id });
    const stored = await door.db.row<{ first_party: number; organization_id: string; secret: string }>(
      'SELECT * FROM applications WHERE client_id = ?',
      [made.body.client_id],
    );
    t.like(stored, { first_party: 0, organization_id: organization?.id ?? '' });
    t.notRegex(stored?.secret ?? '', new RegExp(made.body.client_secret));

    // default_acr_values holds for it, and people are asked for consent.
    const browser = door.browser();
    await passwordStep(browser, 'ada', { client_id: made.body.client_id, scope: 'openid' });
    await browser.press('Verify', { code: door.code() });
    t.regex(browser.heading, /Share with Robot/);

    const manage = (method: string, bearer: string, json?: object) =>
      ask(door, `/reg/${made.body.client_id}`, {
        method,
        headers: { Authorization: `Bearer ${bearer}` },
        ...(json ? { json } : {}),
      });
    t.is((await manage('GET', token)).status, 401);
    t.is((await manage('GET', made.body.registration_access_token)).body.client_name, 'Robot');
    const changed = await manage('PUT', made.body.registration_access_token, {
      client_id: made.body.client_id,
      ...metadata,
      client_name: 'Robot II',
      first_party: true,
    });
    t.is(changed.status, 200, JSON.stringify(changed.body));
    t.like(changed.body, { client_name: 'Robot II', first_party: false, organization_id: organization?.id });
    t.is((await manage('GET', made.body.registration_access_token)).status, 401, 'the old token is dead');
    t.is((await manage('DELETE', changed.body.registration_access_token)).status, 204);
    await browser.authorize({ client_id: made.body.client_id });
    t.regex(browser.heading, /not known here/);

    door.clock.forward(days(2));
    t.is((await register(metadata)).status, 401, 'a token for registering ends');
  });

  test(`${kind}: what an application demands holds for refreshes too, from the moment on when it demands it (T074)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: { totp: secret }, bea: {} }),
    });
    const refreshed = async (who: string, assurance: string) => {
      await door.apply({ applications: [application('app', { assurance: 'none' })] });
      const browser = door.browser();
      await passwordStep(browser, who);
      if (browser.callback === null) await browser.press('Verify', { code: door.code() });
      door.clock.forward(30_000);
      const tokens = await door.tokens(browser.callback?.get('code') ?? '', browser.verifier);
      await door.apply({ applications: [application('app', { assurance })] });
      const answer = await door.post('/token', {
        grant_type: 'refresh_token',
        refresh_token: String(tokens.body.refresh_token),
      });
      return answer.status === 200 ? answer.claims.acr : answer.body.error;
    };
    for (const [who, assurance, outcome] of [
      ['bea', 'none', 'urn:sallyport:acr:1fa'],
      ['bea', 'second_factor', 'invalid_grant'],
      ['ada', 'second_factor', 'urn:sallyport:acr:2fa'],
      ['ada', 'fresh_second_factor', 'urn:sallyport:acr:2fa'],
      ['bea', 'fresh_second_factor', 'invalid_grant'],
      ['ada', 'passkey', 'invalid_grant'],
    ] as const) {
      t.is(await refreshed(who, assurance), outcome, `${who}, ${assurance}`);
    }
  });

  test(`${kind}: people are asked before a stranger’s application gets at a resource, once, and for each resource apart`, async (t) => {
    const server = (id: string, uri: string) =>
      application(id, {
        grant_types: [],
        response_types: [],
        redirect_uris: [],
        resource: uri,
        resource_scopes: 'things:read things:write',
      });
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: {} },
        {
          applications: [
            server('one', 'https://one.example.com'),
            server('two', 'https://two.example.com'),
            application('third', { firstParty: false, api_scopes: ['members:read'] }),
          ],
        },
      ),
    });
    const browser = door.browser();
    const ask = (uri: string, scope = 'openid things:read') =>
      browser.authorize({ client_id: 'third', scope, resource: uri });
    await passwordStep(browser, 'ada', {
      client_id: 'third',
      scope: 'openid things:read',
      resource: 'https://one.example.com',
    });
    t.regex(browser.heading, /^Share with/);
    t.regex(browser.text, /things:read \(https:\/\/one\.example\.com\)/);
    await browser.press('Allow');
    const tokens = await door.post(
      '/token',
      {
        grant_type: 'authorization_code',
        code: browser.callback?.get('code') ?? '',
        redirect_uri: redirectUri,
        code_verifier: browser.verifier,
        resource: 'https://one.example.com',
      },
      { clientId: 'third' },
    );
    t.is(tokens.body.scope, 'things:read', JSON.stringify(tokens.body));
    for (const [uri, scope, isAsked] of [
      ['https://one.example.com', 'openid things:read', false],
      ['https://two.example.com', 'openid things:read', true],
      ['https://one.example.com', 'openid things:write', true],
      [`${door.issuer}/api/v1`, 'openid members:read', true],
      [`${door.issuer}/api/v1`, 'openid members:read members:write', false],
    ] as const) {
      await ask(uri, scope);
      t.is(browser.callback === null, isAsked, `${uri} ${scope}: ${browser.callback ?? browser.heading}`);
      if (browser.callback === null) {
        if (scope.includes('members')) t.regex(browser.text, /See the members of your organizations/);
        await browser.press('Allow');
      }
      t.true(browser.callback?.has('code'), String(browser.callback));
      await browser.authorize({ client_id: 'third', scope, resource: uri, prompt: 'none' });
      t.true(browser.callback?.has('code'), `asked once: ${browser.callback}`);
    }
    await browser.authorize({ client_id: 'third', scope: 'openid', resource: 'https://nobody.example.com' });
    t.is(browser.callback?.get('error'), 'invalid_target');
  });
}
