import { createHash } from 'node:crypto';
import parallel from 'ava';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { OpenAPIClientAxios, type Document as OpenAPIDocument } from 'openapi-client-axios';
import { openapi } from '../../api/openapi.ts';
import { operations } from '../../api/operations.ts';
import { addFactor } from '../../entities/factors.ts';
import { holdKey } from '../../entities/idempotency-keys.ts';
import { apiScopes } from '../../policy/api-scopes.ts';
import { type Ask, answeredWell, apiClient, asker, tokenFor } from './api-rig.ts';
import { mails } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  passwordHash,
  passwordStep,
  secret,
  signIn,
} from './rig.ts';

const idOf = async (door: FrontDoor, email: string): Promise<string> =>
  (await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [email]))?.id ?? '';

const person = (email: string, organization: string, role = 'member', more: object = {}) => ({
  email,
  name: email.split('@')[0],
  passwordHash,
  emailVerified: true,
  memberships: [{ organization, role }],
  ...more,
});

const keycloak = {
  issuer: 'http://127.0.0.1:9/realms/acme',
  clientId: 'sallyport',
  clientSecret: 'a-secret',
};

const configuration = {
  providers: [{ slug: 'keycloak', organization: 'acme', ...keycloak }],
  ...acme(
    { rememberDeviceDays: 30 },
    {
      ada: { totp: secret },
      bea: { totp: secret },
      cyd: {},
      olga: { role: 'owner', totp: secret },
      adam: { role: 'admin', totp: secret },
    },
    {
      organizations: [{ slug: 'birch', name: 'Birch Studio', policy: { methods: ['totp'] } }],
      users: [
        person('gus@birch.test', 'birch', 'owner', { factors: { totp: secret } }),
        person('hal@birch.test', 'birch'),
      ],
      applications: [
        apiClient('acme-api', 'acme'),
        apiClient('birch-api', 'birch'),
        apiClient('instance-api'),
        application('console', { organization: 'acme', api_scopes: [...apiScopes] }),
        application('acme-app', { organization: 'acme' }),
        application('birch-app', { organization: 'birch' }),
      ],
    },
  ),
};

/** What only an owner may, a person with a second factor: no program does. */
const ownersOnly = ['createProvider', 'changeProvider', 'testProvider', 'removeProvider'];

/** Whatever an operation needs, for one tenant. */
interface Tenant {
  readonly organization: string;
  readonly user: string;
  readonly session: string;
  readonly device: string;
  readonly factor: string;
  readonly client: string;
  readonly invitation: string;
  readonly provider: string;
}

const addressOf = (path: string, tenant: Tenant): string =>
  path.replace(
    /\{(\w+)\}/g,
    (_, name: string) => (tenant as unknown as Record<string, string>)[name] ?? 'none',
  ) + (path.endsWith('/export') ? '?format=csv' : '');

/** A body that fits, for operations that want one. */
const bodies: Readonly<Record<string, object>> = {
  previewPolicy: { requirement: 'required_for_all', graceDays: 7 },
  changePolicy: { graceDays: 9 },
  createOrganization: { slug: 'cedar', name: 'Cedar' },
  renameOrganization: { name: 'New name' },
  issueRegistrationToken: { days: 2 },
  changeMemberRole: { role: 'admin' },
  resetTwoFactor: { how: 'by_mail', identityCheck: 'video_call', reason: 'lost phone' },
  disconnect: { reason: 'test' },
  changeBranding: { accent: '#2453CC' },
  importMembers: { csv: 'email\nlist@acme.test' },
  removeMemberFactor: { identityCheck: 'video_call', reason: 'lost phone' },
  invite: { email: 'new@acme.test', role: 'admin' },
  createApplication: { name: 'New', redirectUris: ['https://new.example.com/cb'] },
  changeApplication: { assurance: 'second_factor' },
  createProvider: { slug: 'second', ...keycloak, domains: ['acme.example'] },
  changeProvider: { name: 'Our Keycloak', trusted: { amr: ['otp'] } },
};

const fingerprint = async (door: FrontDoor): Promise<string> => {
  const tables = [
    'organizations',
    'users',
    'memberships',
    'factors',
    'remembered_devices',
    'sessions',
    'applications',
  ];
  const rows = [];
  for (const table of tables) rows.push(await door.db.rows(`SELECT * FROM ${table} ORDER BY 1, 2`));
  return JSON.stringify(rows);
};

/** A person's token for the API, after a second factor. */
async function personToken(door: FrontDoor, who: string): Promise<string> {
  const browser = door.browser();
  await passwordStep(browser, who, {
    client_id: 'console',
    scope: `openid ${apiScopes.join(' ')}`,
    resource: `${door.issuer}/api/v1`,
  });
  await browser.press('Verify', { code: door.code() });
  nextStep(door);
  const { body } = await door.post(
    '/token',
    {
      grant_type: 'authorization_code',
      code: browser.callback?.get('code') ?? '',
      redirect_uri: 'http://127.0.0.1:9/cb',
      code_verifier: browser.verifier,
      resource: `${door.issuer}/api/v1`,
    },
    { clientId: 'console' },
  );
  return String(body.access_token);
}

for (const kind of kinds) {
  const test = kind === 'MariaDB' ? parallel.serial : parallel;

  test(`${kind}: every operation does what its document says, for its own tenant and for nobody else, and tells no field beside it (T100, T104, T138)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas: 2 });
    const ada = await idOf(door, 'ada@acme.test');
    await signIn(door, door.browser(), { remember: true });
    nextStep(door);
    await signIn(door, door.browser(), { remember: true });
    nextStep(door);
    const tokens = {
      acme: await tokenFor(door, 'acme-api'),
      birch: await tokenFor(door, 'birch-api'),
      instance: await tokenFor(door, 'instance-api'),
    };
    const api = asker(door, tokens.acme, 1);
    const owner = asker(door, await personToken(door, 'olga'));
    const sessions = (await api('get', `/users/${ada}/sessions`)).body.data;
    const devices = (await api('get', `/users/${ada}/remembered-devices`)).body.data;
    t.deepEqual([sessions.length, devices.length], [2, 2]);
    const spare = addFactor(door.db, {
      id: 'spare',
      userId: ada,
      method: 'email',
      name: 'Mailbox',
      data: '',
      lookup: null,
      highWater: null,
      now: door.clock.now(),
    });
    await door.db.change(spare.sql, spare.values);
    const tenant: Tenant = {
      organization: 'acme',
      user: ada,
      session: sessions[0].id,
      device: devices[0].id,
      factor: 'spare',
      client: 'acme-app',
      provider: 'keycloak',
      invitation: (await api('post', '/organizations/acme/invitations', { email: 'first@acme.test' })).body
        .id,
    };
    const ifMatch = {
      'If-Match': (await api('get', '/organizations/acme/policy')).headers.get('ETag') ?? '',
    };

    // First everybody who may not: another tenant, no token, too little scope, somebody else's id beside one's own.
    const before = await fingerprint(door);
    const foreign = asker(door, tokens.birch);
    const gus = await idOf(door, 'gus@birch.test');
    for (const operation of operations) {
      const body = bodies[operation.id];
      const path = addressOf(operation.path, tenant);
      const isTheirs = operation.path.includes('{');
      if (isTheirs) {
        const answer = await foreign(operation.verb, path, body, ifMatch);
        t.is(answer.status, 404, `${operation.id}: another tenant's`);
        t.notRegex(JSON.stringify(answer.body), /ada|Acme/);
        // Their own organization's name in the path with our person's id, and the other way round.
        if (operation.path.includes('{user}')) {
          for (const [asked, part] of [
            [foreign, { organization: 'birch' }],
            [api, { user: gus }],
          ] as const) {
            const mixed = addressOf(operation.path, { ...tenant, ...part });
            t.is(
              (await asked(operation.verb, mixed, body, ifMatch)).status,
              404,
              `${operation.id}: ${mixed}`,
            );
          }
        }
      }
      for (const [what, token, status] of [
        ['no token', '', 401],
        ['a wrong token', 'x'.repeat(43), 401],
      ] as const) {
        const answer = await asker(door, token)(operation.verb, path, body, ifMatch);
        t.is(answer.status, status, `${operation.id}: ${what}`);
        t.regex(answer.headers.get('WWW-Authenticate') ?? '', /^Bearer/);
      }
    }
    const scoped = new Map<string, Ask>();
    for (const scope of apiScopes) scoped.set(scope, asker(door, await tokenFor(door, 'acme-api', scope)));
    for (const operation of operations) {
      const other = apiScopes.find((scope) => scope !== operation.scope) ?? '';
      const answer = await scoped.get(other)?.(
        operation.verb,
        addressOf(operation.path, tenant),
        bodies[operation.id],
        ifMatch,
      );
      t.is(answer?.status, 403, `${operation.id} with ${other}`);
      t.regex(
        answer?.headers.get('WWW-Authenticate') ?? '',
        new RegExp(`insufficient_scope.*scope="${operation.scope}"`),
      );
    }
    t.true((await fingerprint(door)) === before, 'nothing of that did anything');

    // Then whoever may, the readers first, what ends things last.
    const order = ['get', 'patch', 'put', 'post', 'delete'];
    const late = [
      'removeApplication',
      'removeMember',
      'forgetRememberedDevices',
      'removeMemberFactor',
      'disconnect',
      'resetTwoFactor',
    ];
    const inOrder = operations.toSorted(
      (a, b) => late.indexOf(a.id) - late.indexOf(b.id) || order.indexOf(a.verb) - order.indexOf(b.verb),
    );
    for (const operation of inOrder.filter(({ id }) => id !== 'removeMember')) {
      const address = addressOf(operation.path, tenant);
      if (ownersOnly.includes(operation.id)) {
        const program = await api(operation.verb, address, bodies[operation.id]);
        t.is(program.status, 403, `${operation.id} by a program`);
      }
      const asked = ownersOnly.includes(operation.id)
        ? owner
        : operation.id === 'createOrganization'
          ? asker(door, tokens.instance)
          : api;
      const answer = await asked(
        operation.verb,
        addressOf(operation.path, tenant),
        bodies[operation.id],
        operation.id === 'changePolicy' ? ifMatch : {},
      );
      t.is(answer.status, operation.status, `${operation.id}: ${JSON.stringify(answer.body)}`);
    }
    t.is(
      (await api('delete', `/organizations/acme/members/${await idOf(door, 'cyd@acme.test')}`)).status,
      204,
    );
    // A key to the API is not to be had by changing the application that has it.
    for (const [verb, path, body] of [
      ['post', 'acme-api/rotate-secret'],
      ['patch', 'console', { redirectUris: ['https://evil.example.com/'] }],
      ['delete', 'acme-api'],
      ['post', 'console/rotate-secret'],
    ] as [string, string, object?][]) {
      t.is((await api(verb, `/organizations/acme/applications/${path}`, body)).status, 403, path);
    }
    for (const path of ['birch-app', 'app', 'none']) {
      t.is((await api('delete', `/organizations/acme/applications/${path}`)).status, 404, path);
    }
    t.deepEqual(
      operations.map(({ id }) => id).filter((id) => !answeredWell().has(id)),
      [],
    );
  });

  test(`${kind}: a policy is changed only as it was seen, lists go on where they stopped, and a request counts once (ETag, keyset, Idempotency-Key)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const api = asker(door, await tokenFor(door, 'acme-api'));
    const path = '/organizations/acme/policy';
    const first = await api('get', path);
    const etag = first.headers.get('ETag') ?? '';
    t.is((await api('patch', path, { graceDays: 3 })).status, 428);
    t.is((await api('patch', path, { graceDays: 3 }, { 'If-Match': '"old"' })).status, 412);
    const raced = await Promise.all(
      [3, 4, 5].map((graceDays) => api('patch', path, { graceDays }, { 'If-Match': etag })),
    );
    t.deepEqual(raced.map(({ status }) => status).toSorted(), [200, 412, 412]);
    const now = await api('get', path);
    t.not(now.headers.get('ETag'), etag);
    t.is(now.body.graceDays, raced.find(({ status }) => status === 200)?.body.graceDays);
    const required = await api(
      'patch',
      path,
      { requirement: 'required_for_all' },
      { 'If-Match': now.headers.get('ETag') ?? '' },
    );
    t.is(required.status, 200, 'all owners have a factor');

    // An application likewise, where the request says what it saw; of two at once none undoes the other.
    const at = '/organizations/acme/applications/acme-app';
    const tag = { 'If-Match': (await api('get', at)).headers.get('ETag') ?? '' };
    const twice = await Promise.all(
      ['second_factor', 'passkey'].map((assurance) => api('patch', at, { assurance }, tag)),
    );
    t.deepEqual(twice.map(({ status }) => status).toSorted(), [200, 412]);
    t.is((await api('patch', at, { name: 'Late' }, tag)).status, 412);
    const beside = await Promise.all([
      api('patch', at, { name: 'New name' }),
      api('patch', at, { firstParty: false }),
    ]);
    const { body: kept } = await api('get', at);
    t.deepEqual(
      [kept.name === 'New name', kept.firstParty === false],
      beside.map(({ status }) => status === 200),
    );

    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const page = await api(
        'get',
        `/organizations/acme/members?limit=2${next === '' ? '' : `&cursor=${next}`}`,
      );
      t.true(page.body.data.length <= 2);
      seen.push(...page.body.data.map(({ email }: { email: string }) => email));
      next = page.body.next;
    }
    t.deepEqual(
      seen,
      ['ada', 'adam', 'bea', 'cyd', 'olga'].map((name) => `${name}@acme.test`),
    );
    const overdue = await api('get', '/organizations/acme/members?twoFactor=off');
    t.deepEqual(
      overdue.body.data.map(({ email }: { email: string }) => email),
      ['cyd@acme.test'],
    );

    const instance = asker(door, await tokenFor(door, 'instance-api'));
    const make = (name: string) =>
      instance('post', '/organizations', { slug: 'cedar', name }, { 'Idempotency-Key': 'once' });
    const made = await Promise.all([make('Cedar'), make('Cedar'), make('Cedar')]);
    t.deepEqual(
      made.map(({ status }) => status).filter((status) => status !== 409),
      made.map(({ status }) => status).filter((status) => status === 201),
    );
    t.true(made.some(({ status }) => status === 201));
    t.is((await make('Cedar')).headers.get('Idempotency-Replayed'), 'true');
    t.is((await make('Other')).status, 422);
    // A server that took the key and died before it wrote anything: its row stays as it was when the request was under way.
    await door.db.change("UPDATE idempotency_keys SET answer = NULL, holder = 'died', written_at = NULL");
    t.is((await make('Cedar')).body.code, 'idempotency_in_progress');
    door.clock.forward(59_000);
    t.is((await make('Cedar')).body.code, 'idempotency_in_progress');
    const [held] = await door.db.rows<{ key_digest: string }>('SELECT key_digest FROM idempotency_keys');
    const died = { keyDigest: held?.key_digest ?? '', holder: 'died' };
    t.true(await holdKey(door.db, died, door.clock.now()), 'who is slow and not dead says so');
    door.clock.forward(59_000);
    t.is((await make('Cedar')).body.code, 'idempotency_in_progress');
    door.clock.forward(2_000);
    t.is((await make('Cedar')).body.code, 'conflict', 'it is tried again, and finds what the first one did');
    t.false(await holdKey(door.db, died, door.clock.now()));

    // The work is done and its answer cannot be kept: it is done once all the same, and whoever did not hear of it is told to look.
    await door.db.change(
      door.db.dialect === 'sqlite'
        ? "CREATE TRIGGER no_answers BEFORE UPDATE OF answer ON idempotency_keys BEGIN SELECT RAISE(ABORT, 'full'); END"
        : "CREATE TRIGGER no_answers BEFORE UPDATE ON idempotency_keys FOR EACH ROW IF NEW.answer IS NOT NULL THEN SIGNAL SQLSTATE '45000'; END IF",
    );
    const larch = () =>
      instance('post', '/organizations', { slug: 'larch', name: 'Larch' }, { 'Idempotency-Key': 'lost' });
    t.is((await larch()).status, 201, 'it was done, and whoever asked hears so');
    await door.db.change('DROP TRIGGER no_answers');
    for (const later of [0, 61_000]) {
      door.clock.forward(later);
      t.is((await larch()).body.code, 'idempotency_answer_lost');
    }
    // So where the server died after it had written, and before it had an answer.
    await door.db.change(
      "UPDATE idempotency_keys SET answer = NULL, holder = 'died' WHERE written_at IS NOT NULL",
    );
    door.clock.forward(61_000);
    t.is((await larch()).body.code, 'idempotency_answer_lost');
    await door.db.change("DELETE FROM organizations WHERE slug = 'larch'");
    t.is((await larch()).body.code, 'idempotency_answer_lost');
    t.deepEqual(await door.db.rows("SELECT slug FROM organizations WHERE slug = 'larch'"), []);
    // What was refused may be corrected elsewhere and sent again.
    const taken = () =>
      instance('post', '/organizations', { slug: 'cedar', name: 'Cedar' }, { 'Idempotency-Key': 'refused' });
    t.is((await taken()).body.code, 'conflict');
    t.is((await taken()).body.code, 'conflict');

    t.is((await instance('post', '/organizations', { slug: 'cedar', name: 'Cedar' })).status, 409);
    t.is((await api('post', '/organizations', { slug: 'elm', name: 'Elm' })).status, 403);
    const all = await instance('get', '/organizations?limit=2');
    t.deepEqual(
      all.body.data.map(({ slug }: { slug: string }) => slug),
      ['acme', 'birch'],
    );
    const rest = await instance('get', `/organizations?cursor=${all.body.next}`);
    t.deepEqual(
      rest.body.data.map(({ slug }: { slug: string }) => slug),
      ['cedar'],
    );
    t.deepEqual(
      (await api('get', '/organizations')).body.data.map(({ slug }: { slug: string }) => slug),
      ['acme'],
    );

    const events = await api('get', '/organizations/acme/audit-events?type=policy.changed&limit=1');
    t.is(events.body.data[0].data.by, 'acme-api');
    const older = await api(
      'get',
      `/organizations/acme/audit-events?type=policy.changed&cursor=${events.body.next}`,
    );
    t.is(older.body.data.length, 1);
  });

  test(`${kind}: what pages can do the API can: branding, a list of people, the log as a file, one factor of several; and it says where tokens come from (T100, T101, T118, RFC 9728)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const api = asker(door, await tokenFor(door, 'acme-api'));
    const birch = asker(door, await tokenFor(door, 'birch-api'));
    const organization = '/organizations/acme';

    t.deepEqual((await api('get', `${organization}/passkeys`)).body, {
      members: 5,
      withPasskey: 0,
      withoutTwoFactor: 1,
      recent: [],
    });
    const { days, deadline } = (await api('get', `${organization}/overview`)).body;
    t.is(deadline, null);
    t.like(days.at(-1), { day: '2026-03-02', members: 5, twoFactorOn: 4, signIns: 0 });

    const branding = `${organization}/branding`;
    t.deepEqual((await api('get', branding)).body, { name: 'Acme Aviation', accent: null, logoUrl: null });
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    );
    const changed = await api('patch', branding, { accent: '#2453CC', logo: png.toString('base64') });
    t.is(changed.body.accent, '#2453cc');
    const logo = await fetch(changed.body.logoUrl);
    t.deepEqual(Buffer.from(await logo.arrayBuffer()), png);
    for (const wrong of [
      { logo: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>').toString('base64') },
      { logo: 'not base64!' },
      { accent: 'red' },
      { organizationId: 'x' },
    ]) {
      t.is((await api('patch', branding, wrong)).status, 400, JSON.stringify(wrong));
    }
    t.is((await api('patch', branding, { logo: null })).body.logoUrl, null);
    t.is((await api('get', branding)).body.accent, '#2453cc', 'what is not given stays');

    const csv =
      'email,name,role\nnew@acme.test,New,member\nboss@acme.test,Boss,owner\nada@acme.test,,\nno address,,\n';
    const list = `${organization}/members/import`;
    const plan = await api('post', list, { csv, dryRun: true });
    t.deepEqual(
      plan.body.fresh.map(({ email }: { email: string }) => email),
      ['new@acme.test'],
    );
    t.deepEqual(
      plan.body.wrong.map(({ line, why }: { line: number; why: string }) => [line, why]),
      [
        [3, 'role_too_high'],
        [4, 'already_member'],
        [5, 'bad_address'],
      ],
    );
    t.deepEqual((await api('get', `${organization}/invitations`)).body.data, []);
    t.is((await api('post', list, { csv })).body.invited, 1);
    t.is((await api('get', `${organization}/invitations`)).body.data.length, 1);
    t.is((await api('post', list, { csv: 'nothing' })).status, 400);

    const file = await api('get', `${organization}/audit-events/export?format=jsonl`);
    const events = String(file.body)
      .trimEnd()
      .split('\n')
      .map((one) => JSON.parse(one));
    t.true(events.some(({ type }) => type === 'members.imported'));
    t.regex(file.headers.get('Content-Disposition') ?? '', /audit-acme\.jsonl/);
    const spreadsheet = await api(
      'get',
      `${organization}/audit-events/export?format=csv&type=branding.changed`,
    );
    t.is(String(spreadsheet.body).trimEnd().split('\n').length, 3);
    t.is((await api('get', `${organization}/audit-events/export?format=xml`)).status, 400);
    t.true((await api('get', `${organization}/audit-events?type=audit.exported`)).body.data.length > 0);

    // One factor of several; never the last, never by another organization, never an owner's.
    const ada = await idOf(door, 'ada@acme.test');
    const [app] = (await api('get', `/users/${ada}/factors`)).body.data;
    const because = { identityCheck: 'video_call', reason: 'lost phone' };
    const removal = (user: string, factor: string) =>
      `${organization}/members/${user}/factors/${factor}/remove`;
    t.is((await api('post', removal(ada, app.id), because)).status, 409, 'the last one');
    const spare = addFactor(door.db, {
      id: 'spare',
      userId: ada,
      method: 'email',
      name: 'Mailbox',
      data: '',
      lookup: null,
      highWater: null,
      now: door.clock.now(),
    });
    await door.db.change(spare.sql, spare.values);
    const olga = await idOf(door, 'olga@acme.test');
    const [owners] = (await api('get', `/users/${olga}/factors`)).body.data;
    t.is((await api('post', removal(olga, owners.id), because)).status, 403, 'an owner');
    t.is((await api('post', removal(ada, owners.id), because)).status, 404, "another person's factor");
    // Birch has her as a guest: her home's matters are none of theirs.
    await door.db.change(
      "INSERT INTO memberships (user_id, organization_id, role, joined_at, grace_started_at) SELECT ?, id, 'member', 1, 1 FROM organizations WHERE slug = 'birch'",
      [ada],
    );
    const asGuest = removal(ada, 'spare').replace('acme', 'birch');
    t.is((await birch('post', asGuest, because)).status, 403);
    t.is(
      (
        await birch('post', `/organizations/birch/members/${ada}/reset-two-factor`, {
          how: 'now',
          ...because,
        })
      ).status,
      403,
    );
    t.deepEqual(
      (await Promise.all([1, 2, 3].map(() => api('post', removal(ada, 'spare'), because))))
        .map(({ status }) => status)
        .filter((status) => status === 204),
      [204],
    );
    t.is((await mails(door, 'account-changed')).at(-1)?.values.change, 'factor_removed');
    t.truthy((await mails(door, 'account-changed')).at(-1)?.values.notMeUrl);
    t.is((await api('get', `/users/${ada}/factors`)).body.data.length, 1);

    const refused = await fetch(`${door.issuer}/api/v1/organizations`);
    const metadata =
      /resource_metadata="([^"]+)"/.exec(refused.headers.get('WWW-Authenticate') ?? '')?.[1] ?? '';
    t.is(metadata, `${door.issuer}/.well-known/oauth-protected-resource/api/v1`);
    const described = (await (await fetch(metadata)).json()) as Record<string, unknown>;
    t.is(described.resource, `${door.issuer}/api/v1`);
    t.deepEqual(described.authorization_servers, [door.issuer]);
    t.deepEqual(described.scopes_supported, [...apiScopes]);
    const server = await fetch(`${door.issuer}/.well-known/oauth-authorization-server`);
    t.is(((await server.json()) as { issuer: string }).issuer, door.issuer);
  });

  test(`${kind}: a client that is generated from the document reaches every operation, and each answers as it says`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const token = await tokenFor(door, 'acme-api');
    const definition = openapi(door.issuer, operations) as Document & OpenAPIDocument;
    const generator = new OpenAPIClientAxios({
      definition,
      axiosConfigDefaults: {
        headers: { Authorization: `Bearer ${token}` },
        validateStatus: () => true,
      },
    });
    const client = (await generator.init()) as unknown as Record<
      string,
      (params: object, body?: unknown) => Promise<{ status: number; data: unknown }>
    >;
    const known: Record<string, string> = {
      organization: 'acme',
      user: await idOf(door, 'bea@acme.test'),
      client: 'acme-app',
      format: 'jsonl',
      'If-Match': '"none"',
    };
    // What ends something comes last, so that each still finds what it asks for.
    const inOrder = operations.toSorted(
      (a, b) =>
        Number(/remove|revoke|reset|disconnect/.test(a.id)) -
        Number(/remove|revoke|reset|disconnect/.test(b.id)),
    );
    for (const { id, verb, path, status } of inOrder) {
      const described = definition.paths[path]?.[verb] as unknown as {
        parameters: { name: string; required?: boolean }[];
        responses: Record<string, unknown>;
      };
      const params = Object.fromEntries(
        described.parameters
          .filter(({ required }) => required)
          .map(({ name }) => [name, known[name] ?? 'none']),
      );
      const call = client[id];
      if (!call) throw new Error(`the generated client has no ${id}`);
      const answer = await call(params, bodies[id]);
      t.true(String(answer.status) in described.responses, `${id}: ${answer.status}`);
      t.true(answer.status < 500, id);
      const isThere = Object.values(params).every((value) => value !== 'none');
      if (verb === 'get' && isThere) t.is(answer.status, status, id);
    }
  });

  test(`${kind}: a person uses the API by a second factor, a recent one to change anything, and within their role (T102, T105)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const token = async (who: string, params: Record<string, string> = {}) => {
      const browser = door.browser();
      await passwordStep(browser, who, {
        client_id: 'console',
        scope: `openid ${apiScopes.join(' ')}`,
        resource: `${door.issuer}/api/v1`,
        ...params,
      });
      if (browser.heading === 'Two-factor authentication')
        await browser.press('Verify', { code: door.code() });
      nextStep(door);
      const { body } = await door.post(
        '/token',
        {
          grant_type: 'authorization_code',
          code: browser.callback?.get('code') ?? '',
          redirect_uri: 'http://127.0.0.1:9/cb',
          code_verifier: browser.verifier,
          resource: `${door.issuer}/api/v1`,
        },
        { clientId: 'console' },
      );
      return { api: asker(door, String(body.access_token)), body };
    };
    const [ada, bea, olga, adam] = await Promise.all(
      ['ada', 'bea', 'olga', 'adam'].map((name) => idOf(door, `${name}@acme.test`)),
    );
    const admin = (await token('adam')).api;
    t.is((await admin('get', '/organizations/acme/members')).status, 200);
    t.is((await admin('get', '/organizations/birch/members')).status, 404);
    t.is((await admin('post', `/users/${bea}/disconnect`, { reason: 'x' })).status, 200);
    t.is(
      (await admin('post', `/users/${olga}/disconnect`, { reason: 'x' })).status,
      403,
      'no admin over an owner',
    );
    t.is(
      (await admin('post', `/users/${adam}/disconnect`, { reason: 'x' })).status,
      403,
      'nobody over themselves',
    );
    const reset = { how: 'now', identityCheck: 'in_person', reason: 'lost phone' };
    t.is((await admin('post', `/organizations/acme/members/${adam}/reset-two-factor`, reset)).status, 403);
    t.is(
      (await admin('patch', `/organizations/acme/members/${ada}`, { role: 'owner' })).status,
      403,
      'no role above one’s own',
    );
    // What was kept for a repeat is not told either to whoever may not ask any more.
    const wish = { name: 'Robot', redirectUris: ['https://robot.example/cb'] };
    const create = () =>
      admin('post', '/organizations/acme/applications', wish, { 'Idempotency-Key': 'robot' });
    const made = await create();
    t.deepEqual((await create()).body, made.body);
    const demoted = [{ organization: 'acme', role: 'member' }];
    await door.apply({ users: [{ email: 'adam@acme.test', memberships: demoted }] });
    t.is((await create()).status, 404);

    const member = (await token('ada')).api;
    t.is((await member('get', '/organizations/acme/members')).status, 404, 'a member is nobody here');
    t.is((await member('get', `/users/${bea}/sessions`)).status, 404);
    t.deepEqual((await member('get', '/organizations')).body.data, []);

    const weak = (await token('cyd')).api;
    const stepUp = await weak('get', '/organizations');
    t.is(stepUp.status, 401);
    t.regex(
      stepUp.headers.get('WWW-Authenticate') ?? '',
      /error="insufficient_user_authentication", acr_values="urn:sallyport:acr:2fa"$/,
    );

    // Tokens live ten minutes, so an old sign-in comes with a new token.
    const browser = door.browser();
    await signIn(door, browser, { who: 'olga' });
    door.clock.forward(901_000);
    await browser.authorize({
      client_id: 'console',
      scope: `openid ${apiScopes.join(' ')}`,
      resource: `${door.issuer}/api/v1`,
    });
    const { body } = await door.post(
      '/token',
      {
        grant_type: 'authorization_code',
        code: browser.callback?.get('code') ?? '',
        redirect_uri: 'http://127.0.0.1:9/cb',
        code_verifier: browser.verifier,
        resource: `${door.issuer}/api/v1`,
      },
      { clientId: 'console' },
    );
    const old = asker(door, String(body.access_token));
    t.is((await old('get', '/organizations')).status, 200, 'reading goes on');
    const refused = await old('post', `/users/${bea}/disconnect`, { reason: 'x' });
    t.is(refused.status, 401);
    t.regex(
      refused.headers.get('WWW-Authenticate') ?? '',
      /acr_values="urn:sallyport:acr:2fa", max_age="900"$/,
    );

    // Tokens of other kinds, or for others, are worth nothing here.
    const tokens = await signIn(door, door.browser(), { who: 'bea' });
    for (const worthless of [tokens.body.access_token, tokens.body.id_token, tokens.body.refresh_token]) {
      t.is((await asker(door, String(worthless))('get', '/organizations')).status, 401);
    }
    // Disconnecting somebody ends their own tokens too.
    const instance = asker(door, await tokenFor(door, 'instance-api'));
    t.is((await instance('post', `/users/${olga}/disconnect`, { reason: 'x' })).status, 200);
    t.is((await old('get', '/organizations')).status, 401);
  });

  test(`${kind}: a token that is bound to a key works with a proof of that key for this very request, once (T130, T131)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        {},
        { applications: [apiClient('bound', 'acme', { dpop_bound_access_tokens: true })] },
      ),
      now: new Date(),
    });
    const keys = await generateKeyPair('ES256');
    const jwk = await exportJWK(keys.publicKey);
    const proof = (claims: Record<string, unknown>, key = keys.privateKey) =>
      new SignJWT({ jti: crypto.randomUUID(), ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .setIssuedAt()
        .sign(key);
    const granted = await fetch(`${door.issuer}/token`, {
      method: 'POST',
      headers: {
        Authorization: `Basic ${Buffer.from('bound:bound-secret').toString('base64')}`,
        DPoP: await proof({ htm: 'POST', htu: `${door.issuer}/token` }),
      },
      body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'organizations:read' }),
    });
    const { access_token: token, token_type } = (await granted.json()) as Record<string, string>;
    t.is(token_type, 'DPoP');
    const ath = createHash('sha256').update(String(token)).digest('base64url');
    const call = async (Authorization: string, DPoP?: string, path = '/api/v1/organizations') =>
      (await fetch(`${door.issuer}${path}`, { headers: { Authorization, ...(DPoP ? { DPoP } : {}) } }))
        .status;
    const here = { htm: 'GET', htu: `${door.issuer}/api/v1/organizations`, ath };
    const good = await proof(here);
    t.is(await call(`DPoP ${token}`, good), 200);
    t.is(await call(`DPoP ${token}`, good), 401, 'once');
    t.is(
      await call(`DPoP ${token}`, await proof(here), '/api/v1/organizations?limit=1'),
      200,
      'a query is not part of it',
    );
    const other = await generateKeyPair('ES256');
    for (const [what, authorization, given] of [
      ['as a bearer token', `Bearer ${token}`, await proof(here)],
      ['without a proof', `DPoP ${token}`, undefined],
      ['for another address', `DPoP ${token}`, await proof({ ...here, htu: `${door.issuer}/me` })],
      ['for another method', `DPoP ${token}`, await proof({ ...here, htm: 'POST' })],
      ['for another token', `DPoP ${token}`, await proof({ ...here, ath: 'x' })],
      ['by another key', `DPoP ${token}`, await proof(here, other.privateKey)],
      ['nonsense', `DPoP ${token}`, 'x.y.z'],
    ] as const) {
      t.is(await call(authorization, given), 401, what);
    }
    const raced = await Promise.all(
      Array.from(
        { length: 6 },
        (
          (one) => () =>
            call(`DPoP ${token}`, one)
        )(await proof(here)),
      ),
    );
    t.is(raced.filter((status) => status === 200).length, 1, String(raced));
    t.is(raced.filter((status) => status === 401).length, 5, String(raced));
  });

  test(`${kind}: requests are counted on all servers together, and one too many is told when to come again`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas: 2 });
    const token = await tokenFor(door, 'acme-api');
    const [a, b] = [asker(door, token, 0), asker(door, token, 1)];
    const first = await a('get', '/organizations');
    t.regex(first.headers.get('RateLimit') ?? '', /^"minute";r=599;t=\d+$/);
    t.regex((await b('get', '/organizations')).headers.get('RateLimit') ?? '', /r=598/);
    await door.db.change('UPDATE limits SET failures = 600 WHERE failures = 2');
    const refused = await b('get', '/organizations');
    t.is(refused.status, 429);
    t.true(Number(refused.headers.get('Retry-After')) > 0);
    t.is(refused.body.code, 'rate_limited');
    t.is((await asker(door, await tokenFor(door, 'birch-api'))('get', '/organizations')).status, 200);
    door.clock.forward(60_000);
    t.is((await a('get', '/organizations')).status, 200);
  });

  test(`${kind}: the document is OpenAPI 3.1, served as it is checked by, and names no operation twice`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const response = await fetch(`${door.issuer}/api/openapi.json`);
    t.is(response.status, 200);
    t.regex(response.headers.get('content-type') ?? '', /^application\/json/);
    const document = (await response.json()) as Document & { openapi: string };
    t.is(document.openapi, '3.1.0');
    const ids = Object.values(document.paths).flatMap((verbs) =>
      Object.values(verbs).map(({ operationId }) => operationId),
    );
    t.deepEqual(ids.toSorted(), operations.map(({ id }) => id).toSorted());
    t.is(new Set(ids).size, ids.length);
    for (const [path, verbs] of Object.entries(document.paths)) {
      for (const operation of Object.values(verbs)) {
        const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const declared = operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name);
        t.deepEqual(declared.toSorted(), named.toSorted(), path);
      }
    }
    const missing = await fetch(`${door.issuer}/api/v1/nothing`, { headers: { Accept: 'text/html' } });
    t.is(missing.status, 404);
    t.regex(missing.headers.get('content-type') ?? '', /^application\/problem\+json/);
  });
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly operationId: string;
            readonly parameters: readonly {
              readonly in: string;
              readonly name: string;
              readonly schema: Schema;
            }[];
            readonly requestBody?: {
              readonly content: { readonly 'application/json': { readonly schema: Schema } };
            };
          }
        >
      >
    >
  >;
}
