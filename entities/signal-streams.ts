import { mayListen } from '../policy/api-scopes.ts';
import type { Database, Statement, Value } from './database.ts';

/** A receiver's subscription to shared signals (OpenID SSF 1.0, 8.1). */
export interface SignalStreamRow {
  id: string;
  client_id: string;
  /** Null: people of the whole instance. */
  organization_id: string | null;
  delivery: 'push' | 'poll';
  endpoint_url: string | null;
  /** Sealed; what a push carries as `Authorization`. */
  authorization_header: string | null;
  /** Event types, as JSON. */
  events: string;
  description: string | null;
  status: 'enabled' | 'paused' | 'disabled';
  reason: string | null;
  /** What has happened until then was passed on. */
  passed_until: number;
  verified_at: number | null;
  created_at: number;
}

export const streamsOfClient = (db: Database, clientId: string) =>
  db.rows<SignalStreamRow>('SELECT * FROM signal_streams WHERE client_id = ? ORDER BY id', [clientId]);

export const streamOfClient = (db: Database, clientId: string, id: string) =>
  db.row<SignalStreamRow>('SELECT * FROM signal_streams WHERE client_id = ? AND id = ?', [clientId, id]);

/** With the metadata of its application: nobody hears what one would that has gone, or may not listen any more. */
type WithApplication = SignalStreamRow & { metadata: string };
const withApplication =
  'SELECT s.*, a.metadata FROM signal_streams s JOIN applications a ON a.client_id = s.client_id';

const isHeard = ({ metadata }: WithApplication): boolean =>
  mayListen(JSON.parse(metadata) as { api_scopes?: unknown });

export async function streamById(db: Database, id: string): Promise<SignalStreamRow | null> {
  const row = await db.row<WithApplication>(`${withApplication} WHERE s.id = ?`, [id]);
  return row && isHeard(row) ? row : null;
}

/** Those that are told of what happens, and those whose application may not listen any more. */
export async function openStreams(
  db: Database,
): Promise<{ readonly listening: SignalStreamRow[]; readonly deaf: SignalStreamRow[] }> {
  const rows = await db.rows<WithApplication>(`${withApplication} WHERE s.status <> 'disabled'`);
  return { listening: rows.filter(isHeard), deaf: rows.filter((row) => !isHeard(row)) };
}

export const addStream = (db: Database, row: SignalStreamRow): Statement =>
  db.insert('signal_streams', { ...row });

export const changeStream = (
  id: string,
  columns: Partial<Omit<SignalStreamRow, 'id' | 'client_id'>>,
): Statement => ({
  sql: `UPDATE signal_streams SET ${Object.keys(columns)
    .map((column) => `${column} = ?`)
    .join(', ')} WHERE id = ?`,
  values: [...(Object.values(columns) as (string | number | null)[]), id],
});

export const removeStream = (id: string): Statement[] => [
  { sql: 'DELETE FROM signal_subjects WHERE stream_id = ?', values: [id] },
  { sql: 'DELETE FROM signal_streams WHERE id = ?', values: [id] },
];

export const passedUntil = (db: Database, id: string, at: Date) =>
  db.change('UPDATE signal_streams SET passed_until = ? WHERE id = ? AND passed_until < ?', [
    at.getTime(),
    id,
    at.getTime(),
  ]);

/** With an application its streams go, whom they leave out, and what waits for them. */
export const removeStreamsOf = (clientId: string): Statement[] => removeWhere('client_id = ?', [clientId]);

function removeWhere(condition: string, values: readonly Value[]): Statement[] {
  const streams = `(SELECT id FROM signal_streams WHERE ${condition})`;
  return [
    { sql: `DELETE FROM signal_subjects WHERE stream_id IN ${streams}`, values },
    { sql: `DELETE FROM outbox WHERE channel = 'signal' AND recipient IN ${streams}`, values },
    { sql: `DELETE FROM signal_streams WHERE ${condition}`, values },
  ];
}

/** Of applications that went without them. */
export async function purgeStreams(db: Database): Promise<void> {
  const orphan = 'NOT EXISTS (SELECT 1 FROM applications a WHERE a.client_id = signal_streams.client_id)';
  const left = await db.row(`SELECT id FROM signal_streams WHERE ${orphan} LIMIT 1`);
  if (left) await db.together(removeWhere(orphan, []));
}

/** The verification of a stream may be asked for once in a while: true where this is the time. */
export async function takeVerification(
  db: Database,
  id: string,
  now: Date,
  interval: number,
): Promise<boolean> {
  const changed = await db.change(
    'UPDATE signal_streams SET verified_at = ? WHERE id = ? AND (verified_at IS NULL OR verified_at <= ?)',
    [now.getTime(), id, now.getTime() - interval],
  );
  return changed === 1;
}

/** People whom a receiver does not want to hear of: everybody is a subject until taken away. */
export const excludeSubject = (db: Database, streamId: string, userId: string): Statement =>
  db.insertIfAbsent('signal_subjects', { stream_id: streamId, user_id: userId });

export const includeSubject = (streamId: string, userId: string): Statement => ({
  sql: 'DELETE FROM signal_subjects WHERE stream_id = ? AND user_id = ?',
  values: [streamId, userId],
});

/** Of these people, those about whom the stream's receiver is told. */
export async function subjectsOf(
  db: Database,
  stream: Pick<SignalStreamRow, 'id' | 'organization_id'>,
  userIds: readonly string[],
): Promise<Set<string>> {
  if (userIds.length === 0) return new Set();
  const among = userIds.map(() => '?').join(', ');
  const member =
    stream.organization_id === null
      ? ''
      : 'AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = u.id AND m.organization_id = ? AND m.removed_at IS NULL)';
  const rows = await db.rows<{ id: string }>(
    `SELECT u.id FROM users u WHERE u.id IN (${among}) ${member}
       AND NOT EXISTS (SELECT 1 FROM signal_subjects s WHERE s.stream_id = ? AND s.user_id = u.id)`,
    [...userIds, ...(stream.organization_id === null ? [] : [stream.organization_id]), stream.id],
  );
  return new Set(rows.map(({ id }) => id));
}
