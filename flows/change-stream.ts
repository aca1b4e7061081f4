import { auditEvent, type Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { activeMembership } from '../entities/memberships.ts';
import { waitingDueAt, waitingForgotten } from '../entities/outbox.ts';
import {
  addStream,
  changeStream,
  excludeSubject,
  includeSubject,
  removeStream,
  type SignalStreamRow,
  streamsOfClient,
  takeVerification,
} from '../entities/signal-streams.ts';
import { userById } from '../entities/users.ts';
import { seconds } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { seal } from '../lib/seal.ts';
import type { Services } from './services.ts';
import { type EventType, eventTypes, verificationEvent } from './signals.ts';

/** How often a receiver may ask for a verification. */
export const verificationInterval = seconds(10);
const mostStreams = 10;

export interface Receiver {
  readonly clientId: string;
  readonly organizationId: string | null;
  readonly origin: Origin;
}

export interface StreamWish {
  readonly delivery:
    | { readonly kind: 'push'; readonly url: string; readonly authorization: string | null }
    | { readonly kind: 'poll' };
  readonly events: readonly string[];
  readonly description: string | null;
}

type Store = Pick<Services, 'db' | 'ring'>;

export const authorizationPlace = (id: string) => ({
  table: 'signal_streams',
  column: 'authorization_header',
  row: id,
});

const columnsOf = ({ ring }: Store, id: string, wish: StreamWish) => ({
  delivery: wish.delivery.kind,
  endpoint_url: wish.delivery.kind === 'push' ? wish.delivery.url : null,
  authorization_header:
    wish.delivery.kind === 'push' && wish.delivery.authorization !== null
      ? seal(ring, authorizationPlace(id), wish.delivery.authorization)
      : null,
  events: JSON.stringify(deliverable(wish.events)),
  description: wish.description,
});

/** Of what a receiver asks for, what there is. */
const deliverable = (events: readonly string[]): EventType[] =>
  eventTypes.filter((type) => events.includes(type));

const event = ({ db }: Pick<Store, 'db'>, receiver: Receiver, what: string, id: string): Statement =>
  auditEvent(db, receiver.origin, {
    type: 'signals.changed',
    organizationId: receiver.organizationId,
    clientId: receiver.clientId,
    data: { what, stream: id },
  });

/** Begins a stream, from this moment on; null where the receiver has too many. */
export async function addSignalStream(
  services: Store,
  receiver: Receiver,
  wish: StreamWish,
): Promise<SignalStreamRow | null> {
  const { db } = services;
  if ((await streamsOfClient(db, receiver.clientId)).length >= mostStreams) return null;
  const now = db.clock.now();
  const id = newId(now);
  const row: SignalStreamRow = {
    id,
    client_id: receiver.clientId,
    organization_id: receiver.organizationId,
    ...columnsOf(services, id, wish),
    status: 'enabled',
    reason: null,
    passed_until: now.getTime(),
    verified_at: null,
    created_at: now.getTime(),
  };
  await db.together([addStream(db, row), event(services, receiver, 'created', id)]);
  return row;
}

/** Changes a stream; what waits goes the new way. */
export async function changeSignalStream(
  services: Store,
  receiver: Receiver,
  stream: SignalStreamRow,
  wish: StreamWish,
): Promise<void> {
  const { db } = services;
  const isPushed = wish.delivery.kind === 'push' && stream.status === 'enabled';
  await db.together([
    changeStream(stream.id, columnsOf(services, stream.id, wish)),
    waitingDueAt(stream.id, isPushed ? db.clock.now() : null),
    event(services, receiver, 'changed', stream.id),
  ]);
}

/** Paused: what happens is held. Disabled: nothing is told, and what waited is forgotten. Enabled: it goes on, with what was held. */
export async function setStreamStatus(
  services: Store,
  receiver: Receiver,
  stream: SignalStreamRow,
  status: SignalStreamRow['status'],
  reason: string | null,
): Promise<void> {
  const { db } = services;
  const now = db.clock.now();
  const wasDisabled = stream.status === 'disabled';
  await db.together([
    changeStream(stream.id, {
      status,
      reason,
      ...(wasDisabled ? { passed_until: now.getTime(), created_at: now.getTime() } : {}),
    }),
    ...(status === 'disabled'
      ? [waitingForgotten(stream.id)]
      : [waitingDueAt(stream.id, status === 'enabled' && stream.delivery === 'push' ? now : null)]),
    event(services, receiver, status, stream.id),
  ]);
}

export async function removeSignalStream(
  services: Store,
  receiver: Receiver,
  stream: SignalStreamRow,
): Promise<void> {
  await services.db.together([
    ...removeStream(stream.id),
    waitingForgotten(stream.id),
    event(services, receiver, 'removed', stream.id),
  ]);
}

/** Takes a person out of a stream, or back into it; false where the receiver may not hear of such a person. */
export async function setSubject(
  services: Store,
  stream: SignalStreamRow,
  userId: string,
  isSubject: boolean,
): Promise<boolean> {
  const { db } = services;
  const isTheirs =
    stream.organization_id === null
      ? await userById(db, userId)
      : await activeMembership(db, userId, stream.organization_id);
  if (!isTheirs) return false;
  await db.together([isSubject ? includeSubject(stream.id, userId) : excludeSubject(db, stream.id, userId)]);
  return true;
}

/** Sends a verification with the receiver's own words (SSF 1.0, 8.1.4); false where one was sent a moment ago. */
export async function verifyStream(
  services: Pick<Services, 'db' | 'notify'>,
  stream: SignalStreamRow,
  state: string | null,
): Promise<boolean> {
  const { db, notify } = services;
  const now = db.clock.now();
  if (!(await takeVerification(db, stream.id, now, verificationInterval))) return false;
  const { sql, values } = notify.signal({
    streamId: stream.id,
    key: `verification ${newId(now)}`,
    claims: {
      sub_id: { format: 'opaque', id: stream.id },
      events: { [verificationEvent]: state === null ? {} : { state } },
    },
    now: stream.delivery === 'push' && stream.status === 'enabled',
  });
  await db.change(sql, values);
  return true;
}
