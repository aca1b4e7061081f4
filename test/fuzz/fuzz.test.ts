import parallel, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { openapi } from '../../api/openapi.ts';
import { operations } from '../../api/operations.ts';
import { apiClient, check, operationOf, tokenFor } from '../front-door/api-rig.ts';
import type { Browser } from '../front-door/browser.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  password,
  passwordHash,
  passwordStep,
  pkce,
  redirectUri,
  secret,
  signIn,
} from '../front-door/rig.ts';
import { fitting, nastyHeader, nastyJson, nastySegment, nastyText, type Schema } from './values.ts';
import { encoded, type Got, type Sent, send, strangeHeaders } from './wire.ts';

/**
 * Whatever is sent, nothing answers 5xx: the API by its own document, the endpoints of OpenID Connect by their parameters, and every route
 * and form of the pages. A few seconds with the same seed in `npm test`; `npm run test:fuzz` goes on with others and prints them.
 */
const seed = Number(process.env.FUZZ_SEED ?? 20260302);
const seconds = Number(process.env.FUZZ_SECONDS ?? 0);

/** One round, or as many as there is time for. What fails names the seed that it fails with again. */
async function rounds(
  t: ExecutionContext,
  once: (seed: number, size: number) => Promise<void>,
): Promise<void> {
  const until = Date.now() + seconds * 1000;
  t.timeout(seconds * 1000 + 300_000);
  let round = seed;
  try {
    do {
      await once(round, seconds > 0 ? 8 : 1);
      round += 1;
    } while (Date.now() < until);
  } catch (error) {
    const { message, cause } = error as Error;
    const what = cause instanceof Error ? cause.message : '';
    throw new Error(`FUZZ_SEED=${round}\n${message}\n${what}`, { cause: error });
  }
  if (seconds > 0) t.log(`${round - seed} rounds, seeds ${seed} to ${round - 1}`);
}

const assertAll = <Value>(
  arbitrary: fc.Arbitrary<Value>,
  holds: (value: Value) => Promise<void>,
  options: { readonly seed: number; readonly numRuns: number },
): Promise<void> =>
  fc.assert(fc.asyncProperty(arbitrary, holds), {
    ...options,
    ...(seconds > 0 ? {} : { endOnFailure: true }),
  });

/** Asks, and looks at what comes back; every so often what is counted is forgotten, so that the limits do not answer for all the rest. */
function asking(door: FrontDoor) {
  let asked = 0;
  return async (sent: Sent): Promise<Got> => {
    asked += 1;
    if (asked % 25 === 0) await door.db.change('DELETE FROM limits');
    const before = door.log.length;
    const got = await send(door.issuer, sent);
    const bugs = door.log.slice(before).filter((line) => line.includes('request failed'));
    if (got.status >= 500 || bugs.length > 0 || /\n\s+at .*\.[jt]s:\d/.test(got.text)) {
      throw new Error(
        `${sent.method} ${sent.path} → ${got.status}\n${bugs.join('\n')}\n${got.text.slice(0, 300)}`,
      );
    }
    return got;
  };
}

const person = (name: string): object => ({
  email: `${name}@acme.test`,
  name,
  passwordHash,
  emailVerified: true,
  memberships: [{ organization: 'acme', role: 'owner' }],
  factors: { totp: secret },
});

const configuration = acme(
  { rememberDeviceDays: 30 },
  { ada: { role: 'owner', totp: secret }, bea: { totp: secret }, cyd: {} },
  {
    organizations: [{ slug: 'birch', name: 'Birch', policy: { methods: ['totp'] } }],
    applications: [
      apiClient('acme-api', 'acme'),
      apiClient('instance-api'),
      application('acme-app', { organization: 'acme', firstParty: false }),
      application('spa', { client_secret: undefined, token_endpoint_auth_method: 'none' }),
      application('tv', {
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      }),
    ],
  },
);

const keycloak = {
  issuer: 'http://127.0.0.1:9/realms/acme',
  clientId: 'sallyport',
  clientSecret: 'a-secret',
};
const everything = {
  ...configuration,
  providers: [
    { slug: 'keycloak', organization: 'acme', ...keycloak, domains: ['acme.test'] },
    { slug: 'fake', name: 'Fake', ...keycloak },
  ],
};

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly schema: Schema;
}

interface Described {
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly 'application/json': { readonly schema: Schema } } };
}

const inAddress = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value) : String(value);

const pairs = (names: readonly Parameter[], known: (name: string) => fc.Arbitrary<unknown>) =>
  fc.tuple(
    ...names.map(({ name, schema }) =>
      fc.option(
        fc
          .array(fc.oneof(fitting(schema), known(name)), { minLength: 1, maxLength: 2, size: 'xsmall' })
          .map((values) => values.map((value): [string, string] => [name, inAddress(value)])),
        { nil: [] },
      ),
    ),
  );

/** Requests to one operation, from its own description. */
function toOperation(
  verb: string,
  path: string,
  { parameters, requestBody }: Described,
  known: (name: string) => fc.Arbitrary<string>,
  token: string,
): fc.Arbitrary<Sent> {
  const segments = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) =>
    fc.oneof({ weight: 5, arbitrary: known(name) }, { weight: 1, arbitrary: nastySegment }),
  );
  const of = (where: string) => parameters.filter((one) => one.in === where);
  const schema = requestBody?.content['application/json'].schema;
  const body = schema
    ? fc.oneof({ weight: 8, arbitrary: fitting(schema, 14) }, { weight: 1, arbitrary: nastyJson })
    : null;
  return fc
    .record({
      ids: fc.tuple(...segments),
      query: pairs(of('query'), known),
      strange: fc.option(fc.tuple(nastyText, nastyText), { freq: 8 }),
      named: fc.tuple(
        ...of('header').map(({ name }) =>
          fc.option(nastyHeader, { nil: null }).map((value): [string, string | null] => [name, value]),
        ),
      ),
      headers: strangeHeaders,
      body: body ?? fc.option(nastyJson, { freq: 8 }),
    })
    .chain(({ ids, query, strange, named, headers, body: value }): fc.Arbitrary<Sent> => {
      let index = 0;
      const search = new URLSearchParams(query.flat());
      if (strange) search.append(strange[0].toWellFormed(), strange[1].toWellFormed());
      const address = path.replace(/\{\w+\}/g, () => String(ids[index++]));
      const common = {
        method: verb.toUpperCase(),
        path: `/api/v1${address}${search.size > 0 ? `?${search}` : ''}`,
      };
      const all = {
        Authorization: `Bearer ${token}`,
        ...headers,
        ...Object.fromEntries(named.flatMap(([name, one]) => (one === null ? [] : [[name, one]]))),
      };
      if (value === undefined || value === null) return fc.constant({ ...common, headers: all, body: null });
      return encoded(JSON.stringify(value), 'application/json').map((wire) => ({
        ...common,
        headers: { ...wire.headers, ...all },
        body: wire.body,
      }));
    });
}

/** The parameters that each endpoint of the protocol reads, and others that it may be sent. */
const protocol: Readonly<Record<string, readonly string[]>> = {
  '/auth':
    'client_id response_type scope redirect_uri state nonce code_challenge code_challenge_method prompt max_age acr_values claims request request_uri id_token_hint login_hint ui_locales display response_mode resource dpop_jkt registration claims_locales'.split(
      ' ',
    ),
  '/request':
    'client_id client_secret response_type scope redirect_uri state nonce code_challenge code_challenge_method prompt max_age acr_values claims request request_uri id_token_hint resource dpop_jkt client_assertion client_assertion_type'.split(
      ' ',
    ),
  '/token':
    'grant_type code redirect_uri code_verifier refresh_token device_code scope resource client_id client_secret client_assertion client_assertion_type username password audience'.split(
      ' ',
    ),
  '/device/auth': 'client_id client_secret scope claims acr_values max_age prompt resource'.split(' '),
  '/device': 'user_code xsrf confirm abort'.split(' '),
  '/token/introspection': 'token token_type_hint client_id client_secret'.split(' '),
  '/token/revocation': 'token token_type_hint client_id client_secret'.split(' '),
  '/me': 'access_token'.split(' '),
  '/session/end': 'id_token_hint post_logout_redirect_uri state client_id logout_hint ui_locales'.split(' '),
  '/session/end/confirm': 'xsrf logout'.split(' '),
  '/session/end/success': 'client_id'.split(' '),
  '/reg': ['x'],
  '/reg/app': ['x'],
  '/jwks': ['x'],
  '/.well-known/openid-configuration': ['x'],
  '/.well-known/oauth-protected-resource/api/v1': ['x'],
  '/upstream/fake/callback': 'state code iss error error_description'.split(' '),
  '/upstream/acme.keycloak/signed-out': ['state'],
  '/upstream/fake/backchannel-logout': ['logout_token'],
  '/ssf/stream': ['stream_id'],
  '/ssf/status': ['stream_id'],
  '/ssf/verify': ['stream_id'],
  '/ssf/subjects/add': ['stream_id'],
  '/forgotten-password': 'email _csrf'.split(' '),
  '/register': 'email name password _csrf'.split(' '),
};

/** Bodies that are JSON where the endpoint takes them. */
const jsonBodies: fc.Arbitrary<unknown> = fc.oneof(
  fc.record(
    {
      redirect_uris: fc.oneof(fc.constant([redirectUri]), fc.array(nastyText, { maxLength: 2 }), nastyJson),
      client_name: nastyJson,
      grant_types: fc.oneof(fc.constant(['authorization_code']), nastyJson),
      response_types: nastyJson,
      token_endpoint_auth_method: fc.oneof(
        fc.constantFrom('none', 'private_key_jwt', 'client_secret_basic'),
        nastyJson,
      ),
      jwks: nastyJson,
      jwks_uri: nastyJson,
      sector_identifier_uri: nastyJson,
      backchannel_logout_uri: nastyJson,
      default_max_age: nastyJson,
      default_acr_values: nastyJson,
      subject_type: nastyJson,
      id_token_signed_response_alg: nastyJson,
      scope: nastyJson,
      stream_id: nastyJson,
      delivery: nastyJson,
      events_requested: nastyJson,
      subject: nastyJson,
      status: nastyJson,
      state: nastyJson,
    },
    { requiredKeys: [] },
  ),
  nastyJson,
);

const many = (names: readonly string[], good: Readonly<Record<string, readonly string[]>>) =>
  fc
    .subarray([...names])
    .chain((chosen) =>
      fc.tuple(
        ...chosen.map((name) =>
          fc
            .tuple(
              fc.oneof(
                { weight: 6, arbitrary: fc.constantFrom(...(good[name] ?? ['x'])) },
                { weight: 1, arbitrary: nastyText },
              ),
              fc.oneof(
                { weight: 20, arbitrary: fc.constant('') },
                { weight: 1, arbitrary: fc.constantFrom('[]', '[a]', '.x') },
              ),
              fc.oneof({ weight: 15, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(2) }),
            )
            .map(([value, suffix, times]) =>
              Array.from({ length: times }, (): [string, string] => [
                `${name}${suffix}`,
                value.toWellFormed(),
              ]),
            ),
        ),
      ),
    )
    .map((list) => new URLSearchParams(list.flat()).toString());

const methods = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('GET', 'POST') },
  { weight: 1, arbitrary: fc.constantFrom('PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD') },
);

const cookiesOf = (browser: Browser): string =>
  [...browser.cookies.values()].map(({ value }) => value).join('; ');

/** What really works at the protocol's endpoints, so that what is wrong gets as deep as it can. */
async function goodValues(door: FrontDoor): Promise<Record<string, string[]>> {
  const browser = door.browser();
  const { body } = await signIn(door, browser, {
    params: { scope: 'openid offline_access', prompt: 'consent' },
  });
  nextStep(door);
  const codes: string[] = [];
  for (let n = 0; n < 4; n += 1) {
    await browser.authorize({ prompt: 'none' });
    codes.push(browser.callback?.get('code') ?? '');
  }
  const device = await door.post('/device/auth', { scope: 'openid' }, { clientId: 'tv' });
  const pushed = await door.post('/request', {
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'openid',
    code_challenge: pkce().challenge,
    code_challenge_method: 'S256',
  });
  const { challenge, verifier } = pkce();
  const idToken = String(body.id_token);
  return {
    client_id: ['app', 'spa', 'tv', 'acme-app', 'none'],
    client_secret: ['app-secret', 'tv-secret', 'wrong'],
    response_type: ['code', 'none', 'id_token', 'code id_token', 'token'],
    response_mode: ['query', 'fragment', 'form_post', 'jwt', 'query.jwt', 'web_message'],
    scope: ['openid', 'openid email profile', 'openid offline_access', 'organizations:read', ' '],
    redirect_uri: [redirectUri, 'http://127.0.0.1:9/other'],
    code_challenge: [challenge],
    code_verifier: [verifier],
    code_challenge_method: ['S256', 'plain'],
    prompt: ['none', 'login', 'consent', 'login consent', 'select_account', 'none login'],
    max_age: ['0', '1', '300', '-1', '1.5', '99999999999999999999'],
    acr_values: ['urn:sallyport:acr:2fa', 'phr', 'mfa', 'x y z'],
    claims: [
      '{}',
      '{"id_token":{"acr":{"essential":true,"values":["phr"]}}}',
      '{"userinfo":{"email":null,"__proto__":1}}',
      '{"id_token":{"acr":{"value":1}}}',
      '{"id_token":[]}',
      '[]',
      'null',
      '{"id_token":{"sub":{"value":"x"}}}',
    ],
    request: ['eyJhbGciOiJub25lIn0.e30.', idToken, 'a.b.c'],
    request_uri: [
      String(pushed.body.request_uri),
      'urn:ietf:params:oauth:request_uri:x',
      'https://evil.example/',
    ],
    id_token_hint: [idToken, `${idToken.slice(0, -4)}AAAA`, 'eyJhbGciOiJub25lIn0.e30.'],
    login_hint: ['ada@acme.test'],
    ui_locales: ['de', 'en de', 'x-klingon', 'de_DE.UTF-8'],
    resource: [`${door.issuer}/api/v1`, 'https://none.example', 'urn:x', '/relative'],
    dpop_jkt: ['x'.repeat(43)],
    grant_type: [
      'authorization_code',
      'refresh_token',
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:device_code',
      'password',
    ],
    code: codes,
    refresh_token: [String(body.refresh_token)],
    device_code: [String(device.body.device_code)],
    user_code: [String(device.body.user_code), 'BBBB-BBBB'],
    client_assertion_type: ['urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
    client_assertion: [idToken, 'eyJhbGciOiJub25lIn0.e30.', 'a.b.c'],
    token: [String(body.access_token), String(body.refresh_token), idToken],
    token_type_hint: ['access_token', 'refresh_token', 'x'],
    access_token: [String(body.access_token)],
    post_logout_redirect_uri: ['http://127.0.0.1:9/bye', redirectUri],
    logout: ['yes'],
    logout_token: [idToken, 'eyJhbGciOiJub25lIn0.e30.'],
    email: ['ada@acme.test', 'new@acme.test'],
    password: [password],
    xsrf: ['x'],
    bearer: [String(body.access_token), 'x'.repeat(43)],
    cookies: [cookiesOf(browser), 'sallyport-session=x; sallyport-session.sig=y', ''],
  };
}

interface Form {
  readonly path: string;
  readonly fields: readonly (readonly [string, string])[];
}

/** Every form on a page, with what it would send. */
function formsOf(browser: Browser): Form[] {
  const labels = new Set(browser.buttons);
  return [...labels].flatMap((label) => {
    try {
      const { action, fields } = browser.form(label);
      return [{ path: action || new URL(browser.url).pathname, fields: [...fields] }];
    } catch {
      return [];
    }
  });
}

const addressOf = (path: string, known: Readonly<Record<string, string>>): string =>
  path.replace(/:(\w+)/g, (_, name: string) => known[name] ?? 'x');

for (const kind of kinds) {
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: whatever is sent to the API, it answers as its document says and never fails (T119, T120, T123, T124)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: everything });
    const ask = asking(door);
    const token = await tokenFor(door, 'acme-api');
    const ids = (await door.db.rows<{ id: string }>('SELECT id FROM users')).map(({ id }) => id);
    const known = (name: string): fc.Arbitrary<string> =>
      fc.constantFrom(
        ...({ organization: ['acme'], client: ['acme-api', 'acme-app'], provider: ['keycloak'] }[name] ??
          ids),
      );
    const document = openapi(door.issuer, operations) as {
      paths: Record<string, Record<string, Described>>;
    };
    await rounds(t, async (round, size) => {
      for (const [path, verbs] of Object.entries(document.paths)) {
        for (const [verb, described] of Object.entries(verbs)) {
          await assertAll(
            toOperation(verb, path, described, known, token),
            async (sent) => {
              const got = await ask(sent);
              const bare = sent.path.slice('/api/v1'.length);
              const operation = got.status === 404 ? undefined : operationOf(verb, bare);
              const type = got.headers.get('content-type')?.split(';')[0] ?? '';
              const isFile = operation?.files?.includes(type) === true;
              if (operation)
                check(
                  operation,
                  bare,
                  got,
                  isFile || got.text === '' ? got.text || null : JSON.parse(got.text),
                );
            },
            { seed: round, numRuns: (kind === 'SQLite' ? 3 : 2) * size },
          );
        }
      }
    });
    t.pass();
  });

  test(`${kind}: whatever is sent to the protocol's endpoints, pages and forms, nothing fails (T031, T119, T120, T123, T124)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: everything });
    const ask = asking(door);
    const routes = (door.apps[0]?.routes.all ?? []).filter(({ path }) => !path.startsWith('/api/'));
    let people = 0;
    await rounds(t, async (round, size) => {
      const good = await goodValues(door);
      const { bearer = [], cookies = [] } = good;
      const basic = ['app:app-secret', 'tv:tv-secret', 'app:', ':', 'app:%zz', 'spa:'].map(
        (pair) => `Basic ${Buffer.from(pair).toString('base64')}`,
      );
      const authorization = fc.option(
        fc.oneof(
          fc.constantFrom(...basic, ...bearer.map((token) => `Bearer ${token}`), 'DPoP x'),
          nastyHeader,
        ),
      );
      await assertAll(
        fc
          .record({
            path: fc.constantFrom(...Object.keys(protocol)),
            method: methods,
            authorization,
            cookie: fc.constantFrom(...cookies),
            headers: strangeHeaders,
            isJson: fc.integer({ min: 0, max: 7 }),
          })
          .chain(({ path, method, authorization: given, cookie, headers, isJson }) =>
            fc
              .tuple(many(protocol[path] ?? [], good), jsonBodies)
              .chain(([text, value]): fc.Arbitrary<Sent> => {
                const takesJson = path.startsWith('/reg') || path.startsWith('/ssf');
                const all = {
                  ...(cookie === '' ? {} : { Cookie: cookie }),
                  ...(given === null ? {} : { Authorization: given }),
                  Origin: door.issuer,
                  ...headers,
                };
                if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') {
                  return fc.constant({ method, path: `${path}?${text}`, headers: all, body: null });
                }
                return (
                  takesJson === isJson > 0
                    ? encoded(JSON.stringify(value), 'application/json')
                    : encoded(text, 'application/x-www-form-urlencoded')
                ).map((wire) => ({ method, path, headers: { ...wire.headers, ...all }, body: wire.body }));
              }),
          ),
        async (sent: Sent) => void (await ask(sent)),
        { seed: round, numRuns: (kind === 'SQLite' ? 120 : 60) * size },
      );

      // Somebody of this round's own, since much of what follows changes or ends what they have.
      people += 1;
      const who = `p${people}`;
      await door.apply({ users: [person(who)] });
      const inside = door.browser();
      await inside.open('/account');
      await inside.press('Sign in', { email: `${who}@acme.test`, password });
      await inside.press('Verify', { code: door.code() });
      nextStep(door);
      const half = door.browser();
      await passwordStep(half, 'bea');
      const outside = door.browser();
      await outside.authorize();
      const uid = /interaction\/([^/?]+)/.exec(half.url)?.[1] ?? '';
      const [user] = await door.db.rows<{ id: string; factor: string }>(
        'SELECT u.id, f.id AS factor FROM users u JOIN factors f ON f.user_id = u.id WHERE u.email = ?',
        [`${who}@acme.test`],
      );
      const known = {
        uid,
        slug: 'acme',
        key: 'fake',
        id: user?.factor ?? '',
        factorId: user?.factor ?? '',
        user: user?.id ?? '',
        method: 'totp',
        client: 'acme-app',
        provider: 'keycloak',
      };
      const forms: { form: Form; cookie: string }[] = [];
      for (const browser of [half, outside]) {
        forms.push(...formsOf(browser).map((form) => ({ form, cookie: cookiesOf(browser) })));
      }
      for (const { path } of routes.filter(({ method }) => method === 'GET')) {
        if (/sign-out|\.|:uid|export|events|\/auth|\/session|\/dev\//.test(path)) continue;
        await inside.open(addressOf(path, known));
        forms.push(...formsOf(inside).map((form) => ({ form, cookie: cookiesOf(inside) })));
      }
      t.true(forms.length > 20, String(forms.length));
      const field = ([name, value]: readonly [string, string]) =>
        fc.oneof(
          { weight: 6, arbitrary: fc.constant([[name, value]]) },
          { weight: 3, arbitrary: nastyText.map((text) => [[name, text.toWellFormed()]]) },
          {
            weight: 1,
            arbitrary: fc.constantFrom(
              [],
              [[`${name}[]`, value]],
              [[`${name}[a]`, value]],
              [
                [name, value],
                [name, 'x'],
              ],
            ),
          },
        );
      const ofForms = fc.constantFrom(...forms).chain(({ form, cookie }) =>
        fc.tuple(fc.tuple(...form.fields.map(field)), strangeHeaders).chain(([fields, headers]) =>
          encoded(
            new URLSearchParams(fields.flat() as [string, string][]).toString(),
            'application/x-www-form-urlencoded',
          ).map(
            (wire): Sent => ({
              method: 'POST',
              path: form.path,
              headers: { ...wire.headers, Cookie: cookie, Origin: door.issuer, ...headers },
              body: wire.body,
            }),
          ),
        ),
      );
      const jars = [inside, half, outside].map(cookiesOf);
      const ofRoutes = fc
        .record({
          route: fc.constantFrom(...routes),
          jar: fc.constantFrom(...jars, ''),
          headers: strangeHeaders,
          query: fc.option(nastyText),
          ids: fc.infiniteStream(fc.option(nastySegment, { freq: 2 })),
          wire: nastyText.chain((text) =>
            encoded(`a=${encodeURIComponent(text.toWellFormed())}`, 'application/x-www-form-urlencoded'),
          ),
        })
        .map(({ route, jar, headers, query, ids, wire }): Sent => {
          const path = route.path.replace(/:(\w+)/g, (_, name: string) => {
            const { value } = ids.next();
            return value ?? (known as Record<string, string>)[name] ?? 'x';
          });
          const isRead = route.method === 'GET';
          return {
            method: route.method,
            path: `${path}${query === null ? '' : `?${encodeURIComponent(query.toWellFormed())}=1`}`,
            headers: {
              ...(isRead ? {} : wire.headers),
              ...(jar === '' ? {} : { Cookie: jar }),
              Origin: door.issuer,
              ...headers,
            },
            body: isRead ? null : wire.body,
          };
        });
      await assertAll(fc.oneof(ofForms, ofRoutes), async (sent) => void (await ask(sent)), {
        seed: round,
        numRuns: (kind === 'SQLite' ? 150 : 70) * size,
      });
    });
    t.pass();
  });
}
