import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

/** `logout` tells an application of a session's end; `signal` tells a receiver of shared signals something. */
export type Channel = 'email' | 'sms' | 'logout' | 'signal';
/** Those that people read. */
export type PeopleChannel = Extract<Channel, 'email' | 'sms'>;

export interface OutboxRow {
  readonly id: string;
  readonly channel: Channel;
  /** Whom it is for, where that is asked for: a stream of shared signals. */
  readonly recipient: string | null;
  /** Sealed for its row; empty once a real gateway has taken the message, or it was given up on. */
  readonly message: string;
  readonly attempts: number;
  /** When it is tried (again); null where nothing is left to do. */
  readonly nextAt: number | null;
  readonly createdAt: number;
  readonly sentAt: number | null;
  readonly failedAt: number | null;
}

/** To write together with what the message tells of. A row of the same id stays as it is. */
export const addMessage = (
  db: Database,
  row: {
    readonly id: string;
    readonly channel: Channel;
    readonly recipient?: string | null;
    readonly message: string;
    readonly now: Date;
    /** Null: it waits until it is asked for. */
    readonly nextAt?: Date | null;
  },
): Statement =>
  db.insertIfAbsent('outbox', {
    id: row.id,
    channel: row.channel,
    recipient: row.recipient ?? null,
    message: row.message,
    attempts: 0,
    next_at: row.nextAt === null ? null : (row.nextAt ?? row.now).getTime(),
    created_at: row.now.getTime(),
    sent_at: null,
    failed_at: null,
  });

/** What should go out by now, the longest waiting first. */
export async function dueMessages(
  db: Database,
  channel: Channel,
  now: Date,
  limit: number,
): Promise<OutboxRow[]> {
  const rows = await db.rows<StoredRow>(
    'SELECT * FROM outbox WHERE channel = ? AND next_at <= ? ORDER BY next_at LIMIT ?',
    [channel, now.getTime(), limit],
  );
  return rows.map(read);
}

/** Lends the message to the one process for which this is true; where that one dies, it is due again at `until`. */
export async function leaseMessage(db: Database, row: OutboxRow, until: Date): Promise<boolean> {
  const changed = await db.change(
    'UPDATE outbox SET next_at = ?, attempts = attempts + 1 WHERE id = ? AND next_at = ?',
    [until.getTime(), row.id, row.nextAt],
  );
  return changed === 1;
}

/** A real gateway has it: what it said is forgotten. */
export const messageSent = (db: Database, id: string, now: Date) =>
  db.change(
    "UPDATE outbox SET sent_at = ?, next_at = NULL, message = '' WHERE id = ? AND next_at IS NOT NULL",
    [now.getTime(), id],
  );

/** It stays where the development inbox reads it. */
export const messageKept = (db: Database, id: string, now: Date) =>
  db.change('UPDATE outbox SET sent_at = ?, next_at = NULL WHERE id = ? AND next_at IS NOT NULL', [
    now.getTime(),
    id,
  ]);

/** Later again, unless another process has taken it over since. */
export const messageDelayed = (db: Database, id: string, leasedUntil: Date, nextAt: Date) =>
  db.change('UPDATE outbox SET next_at = ? WHERE id = ? AND next_at = ?', [
    nextAt.getTime(),
    id,
    leasedUntil.getTime(),
  ]);

/** It is never tried again, and what it said is forgotten. */
export const messageGivenUp = (db: Database, id: string, leasedUntil: Date, now: Date) =>
  db.change("UPDATE outbox SET failed_at = ?, next_at = NULL, message = '' WHERE id = ? AND next_at = ?", [
    now.getTime(),
    id,
    leasedUntil.getTime(),
  ]);

/** How much waits, and since when; for metrics and `doctor`. */
export async function waitingMessages(db: Database): Promise<{ count: number; oldestAt: Date | null }> {
  const row = await db.row<{ n: number | string; oldest: number | string | null }>(
    'SELECT COUNT(*) AS n, MIN(created_at) AS oldest FROM outbox WHERE next_at IS NOT NULL',
  );
  const oldest = row?.oldest ?? null;
  return { count: Number(row?.n ?? 0), oldestAt: oldest === null ? null : new Date(Number(oldest)) };
}

/** Those that still say something, newest first: the development inbox. */
export async function latestMessages(
  db: Database,
  limit: number,
  channels: readonly Channel[] = ['email', 'sms'],
): Promise<OutboxRow[]> {
  if (channels.length === 0) return [];
  const rows = await db.rows<StoredRow>(
    `SELECT * FROM outbox WHERE message <> '' AND channel IN (${channels.map(() => '?').join(', ')})
     ORDER BY created_at DESC, id DESC LIMIT ?`,
    [...channels, limit],
  );
  return rows.map(read);
}

export async function messageById(db: Database, id: string): Promise<OutboxRow | null> {
  const row = await db.row<StoredRow>("SELECT * FROM outbox WHERE id = ? AND message <> ''", [id]);
  return row && read(row);
}

/** Keeps the newest messages of a development inbox and forgets the rest. */
export async function trimInbox(db: Database, channel: Channel, keep: number): Promise<number> {
  const last = await db.row<{ id: string; created_at: number }>(
    `SELECT id, created_at FROM outbox WHERE channel = ? AND sent_at IS NOT NULL
     ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?`,
    [channel, keep],
  );
  if (!last) return 0;
  return db.change(
    `DELETE FROM outbox WHERE channel = ? AND sent_at IS NOT NULL
       AND (created_at < ? OR (created_at = ? AND id <= ?))`,
    [channel, last.created_at, last.created_at, last.id],
  );
}

/** Forgets what was sent or given up on and was written before a moment; what waits stays. */
export const purgeOutbox = (db: Database, before: Date) =>
  deleteInSteps(db, 'outbox', 'created_at < ? AND next_at IS NULL', [before.getTime()]);

interface StoredRow {
  id: string;
  channel: Channel;
  recipient: string | null;
  message: string;
  attempts: number | string;
  next_at: number | string | null;
  created_at: number | string;
  sent_at: number | string | null;
  failed_at: number | string | null;
}

const read = (row: StoredRow): OutboxRow => ({
  id: row.id,
  channel: row.channel,
  recipient: row.recipient,
  message: row.message,
  attempts: Number(row.attempts),
  nextAt: numberOrNull(row.next_at),
  createdAt: Number(row.created_at),
  sentAt: numberOrNull(row.sent_at),
  failedAt: numberOrNull(row.failed_at),
});

const numberOrNull = (value: number | string | null) => (value === null ? null : Number(value));

/** What a stream of signals has not taken yet, the oldest first. */
export async function waitingFor(db: Database, recipient: string, limit: number): Promise<OutboxRow[]> {
  const rows = await db.rows<StoredRow>(
    `SELECT * FROM outbox WHERE recipient = ? AND channel = 'signal' AND sent_at IS NULL AND failed_at IS NULL
     ORDER BY created_at, id LIMIT ?`,
    [recipient, limit],
  );
  return rows.map(read);
}

/** A receiver has fetched these and says so; what it calls wrong is never offered again. */
export const messagesAcknowledged = (
  db: Database,
  recipient: string,
  ids: readonly string[],
  now: Date,
  outcome: 'sent_at' | 'failed_at',
) =>
  db.change(
    `UPDATE outbox SET ${outcome} = ?, message = '' WHERE recipient = ? AND channel = 'signal' AND sent_at IS NULL
       AND failed_at IS NULL AND id IN (${ids.map(() => '?').join(', ')})`,
    [now.getTime(), recipient, ...ids],
  );

/** All that waits for a stream: pushed from a moment on, held, or forgotten. */
export const waitingDueAt = (recipient: string, at: Date | null): Statement => ({
  sql: `UPDATE outbox SET next_at = ? WHERE recipient = ? AND channel = 'signal' AND sent_at IS NULL AND failed_at IS NULL`,
  values: [at?.getTime() ?? null, recipient],
});

export const waitingForgotten = (recipient: string): Statement => ({
  sql: "DELETE FROM outbox WHERE recipient = ? AND channel = 'signal'",
  values: [recipient],
});

/** Of a stream, what was put here since. */
export async function passedOnSince(db: Database, recipient: string, since: Date): Promise<Set<string>> {
  const rows = await db.rows<{ id: string }>(
    'SELECT id FROM outbox WHERE recipient = ? AND created_at >= ?',
    [recipient, since.getTime()],
  );
  return new Set(rows.map(({ id }) => id));
}

/** What waits to be sent, and since when. */
export const outboxQueues = (db: Database) =>
  db.rows<{ channel: Channel; count: number; oldest_at: number | null }>(
    'SELECT channel, COUNT(*) AS count, MIN(created_at) AS oldest_at FROM outbox WHERE next_at IS NOT NULL GROUP BY channel',
  );
