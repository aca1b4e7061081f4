import { auditEvent, nowhere } from '../audit/audit.ts';
import { auditEventsSince } from '../entities/audit-events.ts';
import { passedOnSince, waitingForgotten } from '../entities/outbox.ts';
import {
  changeStream,
  openStreams,
  passedUntil,
  type SignalStreamRow,
  subjectsOf,
} from '../entities/signal-streams.ts';
import { after, seconds } from '../lib/clock.ts';
import { signalId } from '../notifications/outbox.ts';
import type { Services } from './services.ts';
import { type EventType, signalledTypes, signalOf } from './signals.ts';

/** An event is written with what it tells of; it may be seen this much later than it is dated. */
const slack = seconds(60);
const batch = 500;

/**
 * Puts what has happened into the outbox, for each stream that listens. The audit log is what it is made from, so whatever happened is
 * passed on, also when this process died in between; of several at once, the outbox keeps one.
 */
export async function passOnSignals(services: Pick<Services, 'db' | 'notify' | 'settings'>): Promise<void> {
  const { listening, deaf } = await openStreams(services.db);
  for (const stream of deaf) {
    await silence(services, stream);
  }
  for (const stream of listening) {
    while (await passOn(services, stream)) {
      // There was more than one batch.
    }
  }
}

/** Whoever may not listen any more is not told later, either, what was not for them: a stream that is enabled again begins anew. */
async function silence({ db }: Pick<Services, 'db'>, stream: SignalStreamRow): Promise<void> {
  await db.together([
    changeStream(stream.id, { status: 'disabled', reason: 'the application may not listen any more' }),
    waitingForgotten(stream.id),
    auditEvent(db, nowhere, {
      type: 'signals.changed',
      organizationId: stream.organization_id,
      clientId: stream.client_id,
      data: { what: 'disabled', stream: stream.id },
    }),
  ]);
}

async function passOn(
  { db, notify, settings }: Pick<Services, 'db' | 'notify' | 'settings'>,
  stream: SignalStreamRow,
): Promise<boolean> {
  const now = db.clock.now();
  const since = new Date(Math.max(stream.created_at, stream.passed_until - slack));
  const rows = await auditEventsSince(db, since, signalledTypes, batch);
  const wanted = new Set(JSON.parse(stream.events) as EventType[]);
  const signals = rows.flatMap((row) => {
    const signal = row.user_id === null ? null : signalOf(row);
    return signal && wanted.has(signal.type) ? [{ row, userId: row.user_id as string, signal }] : [];
  });
  const known =
    signals.length === 0 ? new Set<string>() : await passedOnSince(db, stream.id, after(since, -slack));
  const fresh = signals.filter(({ row }) => !known.has(signalId(stream.id, row.id)));
  const subjects = await subjectsOf(db, stream, [...new Set(fresh.map(({ userId }) => userId))]);
  for (const { row, userId, signal } of fresh) {
    if (!subjects.has(userId)) continue;
    const { sql, values } = notify.signal({
      streamId: stream.id,
      key: row.id,
      claims: {
        sub_id: { format: 'iss_sub', iss: settings.issuer, sub: userId },
        events: { [signal.type]: signal.event },
      },
      now: stream.delivery === 'push' && stream.status === 'enabled',
    });
    await db.change(sql, values);
  }
  const last = rows.at(-1);
  const isFull = rows.length === batch && last !== undefined;
  // A whole batch within the slack would be read again and again: what was read counts as passed then.
  const until = isFull ? new Date(last.at + slack) : now;
  await passedUntil(db, stream.id, until);
  stream.passed_until = Math.max(stream.passed_until, until.getTime());
  return isFull;
}
