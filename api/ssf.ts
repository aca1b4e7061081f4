import { setTimeout as sleep } from 'node:timers/promises';
import Router from '@koa/router';
import type { Context } from 'koa';
import * as z from 'zod';
import { messagesAcknowledged, waitingFor } from '../entities/outbox.ts';
import { type SignalStreamRow, streamOfClient, streamsOfClient } from '../entities/signal-streams.ts';
import {
  addSignalStream,
  authorizationPlace,
  changeSignalStream,
  type Receiver,
  removeSignalStream,
  type StreamWish,
  setStreamStatus,
  setSubject,
  verificationInterval,
  verifyStream,
} from '../flows/change-stream.ts';
import { passOnSignals } from '../flows/pass-on-signals.ts';
import { eventTypes } from '../flows/signals.ts';
import { RequestError } from '../http/errors.ts';
import { open } from '../lib/seal.ts';
import { openMessage } from '../notifications/outbox.ts';
import type { ApiScope } from '../policy/api-scopes.ts';
import { securityEventToken } from '../provider/security-event-tokens.ts';
import { callerOf } from './caller.ts';
import type { ApiSite } from './operation.ts';
import { countRequest } from './rate-limit.ts';
import { bodyOf, checked, parsed } from './request.ts';
import { id, line } from './schemas.ts';

const push = 'urn:ietf:rfc:8935';
const poll = 'urn:ietf:rfc:8936';

const receiverUrl = line(1000).refine((text) => {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' && hash === '';
}, 'must be an http or https address without credentials and fragment');

/** What can stand in a header of HTTP. */
const headerValue = z
  .string()
  .max(2000)
  .regex(/^[\x21-\x7e]+( [\x21-\x7e]+)*$/);

const delivery = z.union([
  z.object({
    method: z.literal(push),
    endpoint_url: receiverUrl,
    authorization_header: headerValue.nullish(),
  }),
  z.object({ method: z.literal(poll), endpoint_url: z.string().max(1000).nullish() }),
]);
const events = z.array(z.string().max(500)).max(50);

/** Members that a receiver must not set are ignored: they tell what it has read (SSF 1.0, 8.1.1). */
const newStream = z.object({
  delivery: delivery.default({ method: poll }),
  events_requested: events.default([...eventTypes]),
  description: line(200).nullish(),
});
const changedStream = z.object({
  stream_id: id,
  delivery: delivery.optional(),
  events_requested: events.optional(),
  description: line(200).nullish(),
});
const replacedStream = newStream.extend({ stream_id: id });
const status = z.object({
  stream_id: id,
  status: z.enum(['enabled', 'paused', 'disabled']),
  reason: line(500).nullish(),
});
const subject = z.object({
  stream_id: id,
  subject: z.object({ format: z.literal('iss_sub'), iss: z.string().max(500), sub: id }),
});
const verification = z.object({ stream_id: id, state: z.string().max(1000).nullish() });
const polling = z.object({
  maxEvents: z.number().int().min(0).max(1000).default(100),
  returnImmediately: z.boolean().default(false),
  ack: z.array(id).max(1000).default([]),
  setErrs: z
    .record(id, z.object({ err: z.string().max(200), description: z.string().max(1000).optional() }))
    .default({}),
});

/** How long a poll that wants to wait is kept waiting. */
const longPoll = 10;

/** Shared signals: a transmitter of SSF 1.0 with push (RFC 8935) and poll (RFC 8936). Each receiver sees its own streams alone. */
export function ssfRoutes(site: ApiSite): Router {
  const { services } = site;
  const { db, settings } = services;
  const { issuer } = settings;
  const router = new Router();

  const described = (stream: SignalStreamRow) => ({
    stream_id: stream.id,
    iss: issuer,
    aud: stream.client_id,
    delivery:
      stream.delivery === 'push'
        ? { method: push, endpoint_url: stream.endpoint_url }
        : { method: poll, endpoint_url: `${issuer}/ssf/poll/${stream.id}` },
    events_supported: [...eventTypes],
    events_requested: JSON.parse(stream.events) as string[],
    events_delivered: JSON.parse(stream.events) as string[],
    min_verification_interval: verificationInterval / 1000,
    ...(stream.description === null ? {} : { description: stream.description }),
  });

  /** An application with the scope; persons have no streams. */
  const receiverOf = async (ctx: Context, scope: ApiScope): Promise<Receiver> => {
    const caller = await callerOf(site, ctx, { scope, fresh: false });
    await countRequest(site, ctx, caller);
    if (caller.kind !== 'application') throw new RequestError('not_permitted');
    return caller;
  };
  const streamOf = async (receiver: Receiver, streamId: unknown): Promise<SignalStreamRow> => {
    const read = id.safeParse(streamId);
    const stream = read.success ? await streamOfClient(db, receiver.clientId, read.data) : null;
    if (!stream) throw new RequestError('not_found');
    return stream;
  };
  const wishOf = (
    stream: SignalStreamRow | null,
    given: {
      delivery?: z.output<typeof delivery> | undefined;
      events_requested?: string[] | undefined;
      description?: string | null | undefined;
    },
  ): StreamWish => ({
    delivery: given.delivery
      ? given.delivery.method === push
        ? {
            kind: 'push',
            url: given.delivery.endpoint_url,
            authorization: given.delivery.authorization_header ?? null,
          }
        : { kind: 'poll' }
      : deliveryOf(stream),
    events: given.events_requested ?? (stream ? (JSON.parse(stream.events) as string[]) : [...eventTypes]),
    description: given.description === undefined ? (stream?.description ?? null) : given.description,
  });
  const deliveryOf = (stream: SignalStreamRow | null): StreamWish['delivery'] =>
    stream?.delivery === 'push' && stream.endpoint_url !== null
      ? {
          kind: 'push',
          url: stream.endpoint_url,
          authorization:
            stream.authorization_header === null
              ? null
              : open(services.ring, authorizationPlace(stream.id), stream.authorization_header),
        }
      : { kind: 'poll' };
  const read = async <Schema extends z.ZodType>(ctx: Context, schema: Schema): Promise<z.output<Schema>> =>
    checked(schema, parsed(ctx, await bodyOf(ctx)), 'body') as z.output<Schema>;

  router.get('/.well-known/ssf-configuration', (ctx) => {
    ctx.body = {
      spec_version: '1_0',
      issuer,
      jwks_uri: `${issuer}/jwks`,
      delivery_methods_supported: [push, poll],
      configuration_endpoint: `${issuer}/ssf/stream`,
      status_endpoint: `${issuer}/ssf/status`,
      add_subject_endpoint: `${issuer}/ssf/subjects/add`,
      remove_subject_endpoint: `${issuer}/ssf/subjects/remove`,
      verification_endpoint: `${issuer}/ssf/verify`,
      authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }],
      default_subjects: 'ALL',
    };
  });

  router.post('/ssf/stream', async (ctx) => {
    const receiver = await receiverOf(ctx, 'ssf.manage');
    const stream = await addSignalStream(services, receiver, wishOf(null, await read(ctx, newStream)));
    if (!stream) throw new RequestError('conflict');
    ctx.status = 201;
    ctx.body = described(stream);
  });
  router.get('/ssf/stream', async (ctx) => {
    const receiver = await receiverOf(ctx, 'ssf.read');
    ctx.body =
      ctx.query.stream_id === undefined
        ? (await streamsOfClient(db, receiver.clientId)).map(described)
        : described(await streamOf(receiver, ctx.query.stream_id));
  });
  for (const [verb, schema] of [
    ['patch', changedStream],
    ['put', replacedStream],
  ] as const) {
    router.register('/ssf/stream', [verb], async (ctx: Context) => {
      const receiver = await receiverOf(ctx, 'ssf.manage');
      const given = await read(ctx, schema as typeof changedStream);
      const stream = await streamOf(receiver, given.stream_id);
      await changeSignalStream(services, receiver, stream, wishOf(stream, given));
      ctx.body = described(await streamOf(receiver, stream.id));
    });
  }
  router.delete('/ssf/stream', async (ctx) => {
    const receiver = await receiverOf(ctx, 'ssf.manage');
    await removeSignalStream(services, receiver, await streamOf(receiver, ctx.query.stream_id));
    ctx.status = 204;
  });

  const statusOf = (stream: SignalStreamRow) => ({
    stream_id: stream.id,
    status: stream.status,
    ...(stream.reason === null ? {} : { reason: stream.reason }),
  });
  router.get('/ssf/status', async (ctx) => {
    const receiver = await receiverOf(ctx, 'ssf.read');
    ctx.body = statusOf(await streamOf(receiver, ctx.query.stream_id));
  });
  router.post('/ssf/status', async (ctx) => {
    const receiver = await receiverOf(ctx, 'ssf.manage');
    const given = await read(ctx, status);
    const stream = await streamOf(receiver, given.stream_id);
    await setStreamStatus(services, receiver, stream, given.status, given.reason ?? null);
    ctx.body = statusOf(await streamOf(receiver, stream.id));
  });

  for (const [name, isSubject, answer] of [
    ['add', true, 200],
    ['remove', false, 204],
  ] as const) {
    router.post(`/ssf/subjects/${name}`, async (ctx) => {
      const receiver = await receiverOf(ctx, 'ssf.manage');
      const given = await read(ctx, subject);
      const stream = await streamOf(receiver, given.stream_id);
      const isOurs = given.subject.iss === issuer;
      if (!isOurs || !(await setSubject(services, stream, given.subject.sub, isSubject))) {
        throw new RequestError('not_found');
      }
      ctx.body = answer === 204 ? null : {};
      ctx.status = answer;
    });
  }

  router.post('/ssf/verify', async (ctx) => {
    const receiver = await receiverOf(ctx, 'ssf.manage');
    const given = await read(ctx, verification);
    const stream = await streamOf(receiver, given.stream_id);
    if (!(await verifyStream(services, stream, given.state ?? null))) throw new RequestError('rate_limited');
    ctx.status = 204;
  });

  router.post('/ssf/poll/:stream', async (ctx) => {
    const receiver = await receiverOf(ctx, 'ssf.read');
    const stream = await streamOf(receiver, ctx.params.stream);
    if (stream.delivery !== 'poll') throw new RequestError('not_found');
    const given = await read(ctx, polling);
    const now = db.clock.now();
    const wrong = Object.keys(given.setErrs);
    if (given.ack.length > 0) await messagesAcknowledged(db, stream.id, given.ack, now, 'sent_at');
    if (wrong.length > 0) await messagesAcknowledged(db, stream.id, wrong, now, 'failed_at');
    const isPaused = stream.status !== 'enabled';
    const look = async () => {
      if (given.maxEvents === 0 || isPaused) return [];
      await passOnSignals(services);
      return waitingFor(db, stream.id, given.maxEvents + 1);
    };
    let rows = await look();
    for (
      let waited = 0;
      rows.length === 0 && !given.returnImmediately && given.maxEvents > 0 && !isPaused;
      waited += 1
    ) {
      if (waited === longPoll || ctx.req.socket.destroyed) break;
      await sleep(1000);
      rows = await look();
    }
    const sets: Record<string, string> = {};
    for (const row of rows.slice(0, given.maxEvents)) {
      const stored = openMessage(services.ring, row);
      if (stored.by === 'signal')
        sets[row.id] = await securityEventToken(services, stream, row.id, stored.claims);
    }
    ctx.body = { sets, moreAvailable: rows.length > given.maxEvents };
  });

  for (const { path, methods } of router.stack) {
    for (const method of methods.filter((name) => name !== 'HEAD')) {
      site.routes.add({
        method,
        path: String(path),
        assurance: String(path).startsWith('/.well-known/') ? 'nobody' : 'access token',
        permission: String(path).startsWith('/.well-known/')
          ? 'everybody'
          : 'the receiver, for its own stream',
        crossSite: String(path).startsWith('/.well-known/') ? 'reads only' : 'no cookie',
      });
    }
  }
  return router;
}
