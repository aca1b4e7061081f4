import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { acceptInvitation } from '../../entities/invitations.ts';
import { joinOrganization } from '../../entities/memberships.ts';
import { changeBranding } from '../../flows/change-branding.ts';
import { changeRole, removeMember } from '../../flows/change-member.ts';
import { disconnectUser } from '../../flows/disconnect-user.ts';
import { endingSessionsOf } from '../../flows/end-sessions.ts';
import { forgetDevices } from '../../flows/forget-devices.ts';
import { inviteMember, readInvitations } from '../../flows/invitations.ts';
import { type OrganizationVisit, visitOrganization, whileActingIn } from '../../flows/organization-actor.ts';
import { addApplication, removeApplication } from '../../flows/organization-applications.ts';
import { passOnSignals } from '../../flows/pass-on-signals.ts';
import { apiScopes } from '../../policy/api-scopes.ts';
import type { App } from '../../server.ts';
import { apiClient, asker, tokenFor } from './api-rig.ts';
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
  redeem,
  secret,
  signIn,
} from './rig.ts';

const idOf = async (door: FrontDoor, email: string): Promise<string> =>
  (await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [email]))?.id ?? '';
const origin = { ip: null, userAgent: null };

for (const kind of kinds) {
  test(`${kind}: an application of one organization reaches no other one, whoever comes through it`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        {
          olga: {
            role: 'owner',
            totp: secret,
            extra: {
              memberships: [
                { organization: 'acme', role: 'owner' },
                { organization: 'birch', role: 'member' },
              ],
            },
          },
          mal: {},
        },
        {
          organizations: [{ slug: 'birch', name: 'Birch', policy: { methods: ['totp'] } }],
          applications: [application('birch-console', { organization: 'birch', api_scopes: [...apiScopes] })],
        },
      ),
    });
    const browser = door.browser();
    // an ordinary sign-in somewhere, then one silent hop
    await signIn(door, browser, { who: 'olga' });
    await browser.authorize({
      client_id: 'birch-console',
      scope: `openid ${apiScopes.join(' ')}`,
      resource: `${door.issuer}/api/v1`,
      prompt: 'none',
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
      { clientId: 'birch-console' },
    );
    const api = asker(door, String(body.access_token));
    const mal = await idOf(door, 'mal@acme.test');
    const list = await api('get', '/organizations/acme/members');
    const role = await api('patch', `/organizations/acme/members/${mal}`, { role: 'owner' });
    const prov = await api('post', '/organizations/acme/providers', {
      slug: 'evil',
      issuer: 'http://127.0.0.1:9/e',
      clientId: 'x',
      clientSecret: 'y',
    });
    t.is(list.status, 404);
    t.is(role.status, 404);
    t.is(prov.status, 404);
  });

  test(`${kind}: a stream ends with its application`, async (t) => {
    const taken: string[] = [];
    const server = createServer((req, res) => {
      let b = '';
      req.setEncoding('utf8').on('data', (p) => {
        b += p;
      });
      req.on('end', () => {
        taken.push(b);
        res.writeHead(202).end();
      });
    });
    await new Promise<void>((r) => server.listen(0, '127.0.0.1', r));
    t.teardown(() => server.close());
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { olga: { role: 'owner', totp: secret }, ada: { totp: secret } },
        { applications: [apiClient('siem', 'acme')] },
      ),
    });
    const token = await tokenFor(door, 'siem', 'ssf.manage ssf.read');
    const made = await fetch(`${door.issuer}/ssf/stream`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({
        delivery: {
          method: 'urn:ietf:rfc:8935',
          endpoint_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/e`,
        },
      }),
    });
    t.is(made.status, 201);
    const { stream_id: streamId } = (await made.json()) as { stream_id: string };
    for (const [path, body] of [
      ['verify', { stream_id: streamId }],
      [
        'subjects/remove',
        {
          stream_id: streamId,
          subject: { format: 'iss_sub', iss: door.issuer, sub: await idOf(door, 'ada@acme.test') },
        },
      ],
    ] as const) {
      const asked = await fetch(`${door.issuer}/ssf/${path}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      t.is(asked.status, 204, path);
    }
    const visit = await visitOrganization((door.apps[0] as App).services, {
      userId: await idOf(door, 'olga@acme.test'),
      slug: 'acme',
      origin,
    });
    t.is(await removeApplication((door.apps[0] as App).services, visit as OrganizationVisit, 'siem'), 'done');
    for (const table of ['signal_streams', 'signal_subjects', 'outbox']) {
      t.deepEqual(await door.db.rows(`SELECT * FROM ${table}`), [], `${table}: nothing of it is left`);
    }
    await signIn(door, door.browser(), { who: 'ada' });
    door.clock.forward(1000);
    const api = door.apps[0] as App;
    // end her sessions as a security event
    await door.db.together(
      await endingSessionsOf(api.services, await idOf(door, 'ada@acme.test'), origin, 'by_an_admin'),
    );
    await passOnSignals(api.services);
    await api.courier.deliverDue();
    t.is(taken.length, 0);
  });

  test(`${kind}: what somebody began does not happen once they were removed, and their invitations go with their role`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        {
          olga: { role: 'owner', totp: secret },
          adam: { role: 'admin', totp: secret },
          omar: { role: 'owner', totp: secret },
          dora: { role: 'admin', totp: secret },
        },
        { applications: [apiClient('acme-api', 'acme')] },
      ),
    });
    const { services } = door.apps[0] as App;
    const of = async (who: string) =>
      (await visitOrganization(services, {
        userId: await idOf(door, `${who}@acme.test`),
        slug: 'acme',
        origin,
      })) as OrganizationVisit;
    const stale = await of('adam');
    t.is(
      (await removeMember(services, await of('olga'), { userId: await idOf(door, 'adam@acme.test') })).kind,
      'done',
    );
    const wish = {
      name: 'x',
      kind: 'confidential',
      redirectUris: ['https://e.example/cb'],
      postLogoutRedirectUris: [],
      assurance: 'none',
      isFirstParty: true,
    } as const;
    const app = await addApplication(services, stale, wish).catch(() => null);
    const inv = await inviteMember(services, stale, {
      email: 'evil@e.example',
      role: 'admin',
      again: false,
    }).catch(() => null);
    // an owner's own back door: invited before being demoted
    const omar = await of('omar');
    await inviteMember(services, omar, {
      email: 'omar2@e.example',
      role: 'owner',
      again: false,
    });
    t.is(
      (
        await changeRole(services, await of('olga'), {
          userId: await idOf(door, 'omar@acme.test'),
          role: 'member',
        })
      ).kind,
      'done',
    );
    const open = await door.db.rows(
      'SELECT email, role FROM invitations WHERE revoked_at IS NULL AND accepted_at IS NULL',
    );
    t.deepEqual(open, []);
    t.is(app, null);
    t.is(inv, null);
    const omarId = await idOf(door, 'omar@acme.test');
    const { organization, actor } = stale;
    const disconnection = {
      userId: omarId,
      reason: 'x',
      scope: { kind: 'all' },
      forgetDevices: true,
      by: { organizationId: organization.id, clientId: null, userId: actor.id },
      origin,
      whileTrue: [whileActingIn(actor, organization.id)],
    } as const;
    t.is((await disconnectUser(services, disconnection)).kind, 'no_user');
    const forgetting = {
      userId: omarId,
      organizationId: organization.id,
      actor,
      clientId: null,
      deviceId: null,
    };
    t.false(await forgetDevices(services, forgetting));
    // Nor does a program that was taken away.
    const goneClient = { kind: 'application', id: 'gone', role: 'admin', origin } as const;
    t.false(await forgetDevices(services, { ...forgetting, actor: goneClient }));
    t.is(
      (await changeBranding(services, stale, { name: 'Hijacked', accent: null, logo: 'keep' })).kind,
      'conflict',
    );

    // Whoever is disabled, or an application that is gone, stands behind no invitation either.
    const waiting = async () => (await readInvitations(services, await of('olga'))).rows;
    await inviteMember(services, await of('dora'), { email: 'd@e.example', role: 'member', again: false });
    const program = asker(door, await tokenFor(door, 'acme-api'));
    t.is((await program('post', '/organizations/acme/invitations', { email: 'p@e.example' })).status, 201);
    const sent = await waiting();
    t.deepEqual(sent.map(({ email }) => email).toSorted(), ['d@e.example', 'p@e.example']);
    await door.apply({ users: [{ email: 'dora@acme.test', disabled: true }] });
    t.deepEqual(
      (await waiting()).map(({ email }) => email),
      ['p@e.example'],
    );
    t.is(await removeApplication(services, await of('olga'), 'acme-api'), 'done');
    t.deepEqual(await waiting(), []);
    for (const { id, email } of sent) {
      t.false(await services.db.together([acceptInvitation(id, services.db.clock.now())]), email);
    }
  });

  test(`${kind}: a refresh for an application that never asked ends with the membership`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { olga: { role: 'owner', totp: secret }, ada: { totp: secret } },
        {
          applications: [application('acme-app', { organization: 'acme' })],
          users: [{ email: 'gil@guest.test', name: 'Gil', passwordHash, emailVerified: true }],
        },
      ),
    });
    const { services } = door.apps[0] as App;
    const browser = door.browser();
    await passwordStep(browser, 'ada', {
      client_id: 'acme-app',
      scope: 'openid email offline_access',
      prompt: 'consent',
    });
    await browser.press('Verify', { code: door.code() });
    const first = await redeem(door, browser, 'acme-app');
    const visit = (await visitOrganization(services, {
      userId: await idOf(door, 'olga@acme.test'),
      slug: 'acme',
      origin,
    })) as OrganizationVisit;
    t.is((await removeMember(services, visit, { userId: await idOf(door, 'ada@acme.test') })).kind, 'done');
    nextStep(door);
    const again = await door.post(
      '/token',
      { grant_type: 'refresh_token', refresh_token: String(first.body.refresh_token) },
      { clientId: 'acme-app' },
    );
    t.is(again.status, 400);

    // Who was asked as a guest has said yes to the application, not to the organization: that stands when they come and go.
    const guest = door.browser();
    await guest.authorize({ client_id: 'acme-app', scope: 'openid email offline_access', prompt: 'consent' });
    await guest.press('Sign in', { email: 'gil@guest.test', password });
    await guest.press('Allow');
    const given = await redeem(door, guest, 'acme-app');
    const refresh = (token: unknown) =>
      door.post(
        '/token',
        { grant_type: 'refresh_token', refresh_token: String(token) },
        { clientId: 'acme-app' },
      );
    const asGuest = await refresh(given.body.refresh_token);
    t.is(asGuest.status, 200);
    const gil = await idOf(door, 'gil@guest.test');
    const acmeId = visit.organization.id;
    await door.db.together(
      joinOrganization(door.db, {
        userId: gil,
        organizationId: acmeId,
        role: 'member',
        now: door.clock.now(),
      }),
    );
    const asMember = await refresh(asGuest.body.refresh_token);
    t.is(asMember.status, 200);
    t.is((await removeMember(services, visit, { userId: gil })).kind, 'done');
    t.is((await refresh(asMember.body.refresh_token)).status, 200);
  });
}
