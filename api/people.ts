import * as z from 'zod';
import { applicationById } from '../entities/applications.ts';
import { factorsOf } from '../entities/factors.ts';
import { rememberedDevicesOf } from '../entities/remembered-devices.ts';
import { liveSessionsOf } from '../entities/sessions.ts';
import { disconnectUser } from '../flows/disconnect-user.ts';
import { applicationsOf } from '../flows/end-sessions.ts';
import { forgetDevices } from '../flows/forget-devices.ts';
import { whileActingIn } from '../flows/organization-actor.ts';
import { RequestError } from '../http/errors.ts';
import { type PersonVisit, personFor } from './caller.ts';
import { type ApiSite, operation } from './operation.ts';
import { clientId, id, line, listOf, method, moment, momentOrNull, ofUser } from './schemas.ts';

const factor = z.object({
  id,
  method,
  name: z.string().nullable(),
  disabled: z.boolean(),
  confirmedAt: moment,
  lastUsedAt: momentOrNull,
});

const device = z.object({
  id,
  method,
  userAgent: z.string().nullable(),
  rememberedAt: moment,
  lastUsedAt: moment,
  expiresAt: moment,
});

const session = z.object({
  id,
  startedAt: moment,
  lastSeenAt: moment,
  expiresAt: moment,
  applications: z.array(clientId),
});

const at = (ms: number): string => new Date(ms).toISOString();

/** Applications of other organizations are none of this caller's business. */
async function visibleApplications({ services }: ApiSite, person: PersonVisit, clientIds: readonly string[]) {
  const visible: string[] = [];
  for (const one of clientIds) {
    const row = await applicationById(services.db, one);
    const isOurs = row && [null, person.organizationId].includes(row.organization_id);
    if (row && (isOurs || person.organizationId === null)) visible.push(one);
  }
  return visible;
}

async function disconnect(
  site: ApiSite,
  person: PersonVisit,
  caller: { clientId: string },
  input: { reason: string; sessionId: string | null; forgetDevices: boolean },
) {
  const done = await disconnectUser(site.services, {
    userId: person.userId,
    reason: input.reason,
    scope: input.sessionId === null ? { kind: 'all' } : { kind: 'session', id: input.sessionId },
    forgetDevices: input.forgetDevices,
    by: {
      organizationId: person.organizationId,
      clientId: caller.clientId,
      userId: person.actor.kind === 'person' ? person.actor.id : null,
    },
    origin: person.actor.origin,
    whileTrue: person.organizationId === null ? [] : [whileActingIn(person.actor, person.organizationId)],
  });
  if (done.kind !== 'done') throw new RequestError('not_found');
  return done;
}

export const peopleOperations = [
  operation({
    id: 'listFactors',
    verb: 'get',
    path: '/users/{user}/factors',
    tag: 'Factors',
    summary: 'The second factors that a person has set up; nothing that could open anything',
    scope: 'factors:read',
    fresh: false,
    params: ofUser,
    query: null,
    body: null,
    status: 200,
    answer: listOf(factor),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const { userId } = await personFor(site, caller, params.user, null);
      const rows = await factorsOf(site.services.db, userId);
      return {
        body: {
          data: rows.map((row) => ({
            id: row.id,
            method: row.method,
            name: row.name,
            disabled: row.disabled_at !== null,
            confirmedAt: at(row.confirmed_at),
            lastUsedAt: row.last_used_at === null ? null : at(row.last_used_at),
          })),
        },
      };
    },
  }),
  operation({
    id: 'listRememberedDevices',
    verb: 'get',
    path: '/users/{user}/remembered-devices',
    tag: 'Remembered devices',
    summary: 'Browsers on which the person is not asked for a factor until a date',
    scope: 'sessions:read',
    fresh: false,
    params: ofUser,
    query: null,
    body: null,
    status: 200,
    answer: listOf(device),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const { userId } = await personFor(site, caller, params.user, null);
      const { db } = site.services;
      const rows = await rememberedDevicesOf(db, userId, db.clock.now());
      return {
        body: {
          data: rows.map((row) => ({
            id: row.id,
            method: row.method,
            userAgent: row.user_agent,
            rememberedAt: at(row.created_at),
            lastUsedAt: at(row.last_used_at),
            expiresAt: at(row.expires_at),
          })),
        },
      };
    },
  }),
  operation({
    id: 'forgetRememberedDevices',
    verb: 'delete',
    path: '/users/{user}/remembered-devices',
    tag: 'Remembered devices',
    summary: 'Forgets all of them',
    scope: 'sessions:write',
    fresh: true,
    params: ofUser,
    query: null,
    body: null,
    status: 204,
    answer: null,
    problems: [403, 404],
    handle: async ({ site, caller, params }) => {
      const person = await personFor(site, caller, params.user, 'members.disconnect');
      const done = await forgetDevices(site.services, {
        ...person,
        deviceId: null,
        clientId: caller.clientId,
      });
      if (!done) throw new RequestError('not_found');
      return { status: 204 };
    },
  }),
  operation({
    id: 'forgetRememberedDevice',
    verb: 'delete',
    path: '/users/{user}/remembered-devices/{device}',
    tag: 'Remembered devices',
    summary: 'Forgets one',
    scope: 'sessions:write',
    fresh: true,
    params: ofUser.extend({ device: id }),
    query: null,
    body: null,
    status: 204,
    answer: null,
    problems: [403, 404],
    handle: async ({ site, caller, params }) => {
      const person = await personFor(site, caller, params.user, 'members.disconnect');
      const done = await forgetDevices(site.services, {
        ...person,
        deviceId: params.device,
        clientId: caller.clientId,
      });
      if (!done) throw new RequestError('not_found');
      return { status: 204 };
    },
  }),
  operation({
    id: 'listSessions',
    verb: 'get',
    path: '/users/{user}/sessions',
    tag: 'Sessions',
    summary: 'Where the person is signed in now',
    scope: 'sessions:read',
    fresh: false,
    params: ofUser,
    query: null,
    body: null,
    status: 200,
    answer: listOf(session),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const person = await personFor(site, caller, params.user, null);
      const { services } = site;
      const rows = await liveSessionsOf(services.db, person.userId, services.db.clock.now());
      const data = [];
      for (const row of rows) {
        data.push({
          id: row.uid_digest,
          startedAt: at(row.started_at),
          lastSeenAt: at(row.seen_at),
          expiresAt: at(row.expires_at),
          applications: await visibleApplications(site, person, applicationsOf(services, row)),
        });
      }
      return { body: { data } };
    },
  }),
  operation({
    id: 'endSession',
    verb: 'delete',
    path: '/users/{user}/sessions/{session}',
    tag: 'Sessions',
    summary: 'Ends one session; applications are told',
    scope: 'sessions:write',
    fresh: true,
    params: ofUser.extend({ session: id }),
    query: null,
    body: null,
    status: 204,
    answer: null,
    problems: [403, 404],
    handle: async ({ site, caller, params }) => {
      const person = await personFor(site, caller, params.user, 'members.disconnect');
      await disconnect(site, person, caller, {
        reason: 'the session was ended by the API',
        sessionId: params.session,
        forgetDevices: false,
      });
      return { status: 204 };
    },
  }),
  operation({
    id: 'disconnect',
    verb: 'post',
    path: '/users/{user}/disconnect',
    tag: 'Sessions',
    summary: 'Ends what a person has open, at once and on every server',
    description:
      'Sessions, refresh and access tokens and sign-ins under way end; applications get a logout token. The next sign-in needs a factor, also on a remembered device. Doing it again finds nothing more to end.',
    scope: 'sessions:write',
    fresh: true,
    params: ofUser,
    query: null,
    body: z.strictObject({
      reason: line(500),
      /** One session by its id; without it, all. */
      session: id.optional(),
      forgetRememberedDevices: z.boolean().default(true),
    }),
    status: 200,
    answer: z.object({ endedSessions: z.number().int(), forgotRememberedDevices: z.boolean() }),
    problems: [403, 404],
    handle: async ({ site, caller, params, body }) => {
      const person = await personFor(site, caller, params.user, 'members.disconnect');
      const done = await disconnect(site, person, caller, {
        reason: body.reason,
        sessionId: body.session ?? null,
        forgetDevices: body.forgetRememberedDevices,
      });
      return { body: { endedSessions: done.sessions, forgotRememberedDevices: done.devicesForgotten } };
    },
  }),
];
