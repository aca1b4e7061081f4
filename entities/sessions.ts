import { longestSession } from '../policy/session-lengths.ts';
import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';
import { wasDropped } from './sign-ins.ts';

export interface SessionRow {
  uid_digest: string;
  id_digest: string | null;
  account_id: string | null;
  version: number;
  payload: string;
  started_at: number;
  seen_at: number;
  expires_at: number;
  ended_at: number | null;
}

/** Every column; a new one that is missing here does not compile. */
export const sessionColumns: Readonly<Record<keyof SessionRow, true>> = {
  uid_digest: true,
  id_digest: true,
  account_id: true,
  version: true,
  payload: true,
  started_at: true,
  seen_at: true,
  expires_at: true,
  ended_at: true,
};

const over = (policy: string, session: string): string => {
  // A sum makes a number of what MariaDB gives as text.
  const minutes = (name: keyof typeof longestSession) =>
    `COALESCE(JSON_EXTRACT(${policy}, '$.sessions.${name}') + 0, ${longestSession[name]})`;
  return `(${session}.started_at + 60000 * ${minutes('absoluteMinutes')} <= ? OR ${session}.seen_at + 60000 * ${minutes('idleMinutes')} <= ?)`;
};

/**
 * No longer than any organization of its person allows, or the instance where there is none. Asked of the policies themselves, so one
 * that was shortened a second ago holds. Takes `now` four times.
 */
const withinPolicies = (session: string): string => `NOT EXISTS (
    SELECT 1 FROM memberships m JOIN organizations o ON o.id = m.organization_id
    WHERE m.user_id = ${session}.account_id AND m.removed_at IS NULL AND ${over('o.policy', session)})
  AND NOT EXISTS (
    SELECT 1 FROM instance i WHERE i.name = 'policy' AND ${over('i.value', session)}
      AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = ${session}.account_id AND m.removed_at IS NULL))`;

const times = (n: number, moment: Date): number[] => Array<number>(n).fill(moment.getTime());

/**
 * A session counts while it was not ended, has not expired, is no longer than its person's organizations allow, and its user was neither
 * disabled nor disconnected since it began. Takes `sessionLivesAt`.
 */
export const sessionLives = (session: string, user: string): string =>
  `${session}.ended_at IS NULL AND ${session}.expires_at > ?
    AND (${session}.account_id IS NULL OR (${user}.disabled_at IS NULL AND ${user}.sessions_valid_after <= ${session}.started_at))
    AND ${withinPolicies(session)}`;

export const sessionLivesAt = (now: Date): number[] => times(5, now);

const live = `FROM sessions s LEFT JOIN users u ON u.id = s.account_id WHERE ${sessionLives('s', 'u')}`;

export const sessionById = (db: Database, idDigest: string, now: Date) =>
  db.row<SessionRow>(`SELECT s.* ${live} AND s.id_digest = ?`, [...sessionLivesAt(now), idDigest]);

export const sessionByUid = (db: Database, uidDigest: string, now: Date) =>
  db.row<SessionRow>(`SELECT s.* ${live} AND s.uid_digest = ?`, [...sessionLivesAt(now), uidDigest]);

/** The row as it is, ended or not; for whoever must tell "ended" from "never was". */
export const sessionRow = (db: Database, uidDigest: string) =>
  db.row<SessionRow>('SELECT * FROM sessions WHERE uid_digest = ?', [uidDigest]);

export interface SessionWrite {
  readonly uidDigest: string;
  readonly idDigest: string;
  readonly accountId: string | null;
  readonly payload: string;
  /** Digest of the sign-in that is handed over by this write; null where none is. */
  readonly signInDigest: string | null;
  readonly startedAt: Date;
  readonly expiresAt: Date;
}

/** True where this write made the session; false where one with its uid exists already, ended or not, or its sign-in was dropped. */
export async function createSession(db: Database, write: SessionWrite, now: Date): Promise<boolean> {
  const statement = db.insertIfAbsent(
    'sessions',
    {
      uid_digest: write.uidDigest,
      id_digest: write.idDigest,
      account_id: write.accountId,
      version: 1,
      payload: write.payload,
      started_at: write.startedAt.getTime(),
      seen_at: now.getTime(),
      expires_at: write.expiresAt.getTime(),
      ended_at: null,
    },
    { sql: wasDropped(db), values: [write.signInDigest] },
  );
  return (await db.change(statement.sql, statement.values)) === 1;
}

/**
 * Replaces the session that the writer has read: false where somebody else wrote since, or where it was ended (trap F13: an ended
 * session never comes back), or the sign-in dropped that it holds.
 */
export async function replaceSession(
  db: Database,
  write: SessionWrite,
  version: number,
  now: Date,
): Promise<boolean> {
  const changed = await db.change(
    `UPDATE sessions SET id_digest = ?, account_id = ?, payload = ?, started_at = ?, seen_at = ?, expires_at = ?, version = version + 1
     WHERE uid_digest = ? AND version = ? AND ended_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = ? AND (u.disabled_at IS NOT NULL OR u.sessions_valid_after > ?))
       AND NOT ${wasDropped(db)}`,
    [
      write.idDigest,
      write.accountId,
      write.payload,
      write.startedAt.getTime(),
      now.getTime(),
      write.expiresAt.getTime(),
      write.uidDigest,
      version,
      write.accountId,
      write.startedAt.getTime(),
      write.signInDigest,
    ],
  );
  return changed === 1;
}

/** In a batch: undoes it where this person's session was ended, or has expired, meanwhile (trap F13). */
export const keepSession = (uidDigest: string, userId: string, now: Date): Statement => ({
  sql: `UPDATE sessions SET seen_at = ? WHERE uid_digest = ? AND account_id = ? AND ended_at IS NULL AND expires_at > ?
          AND EXISTS (SELECT 1 FROM users u WHERE u.id = ? AND u.disabled_at IS NULL AND u.sessions_valid_after <= sessions.started_at)
          AND ${withinPolicies('sessions')}`,
  values: [now.getTime(), uidDigest, userId, now.getTime(), userId, ...times(4, now)],
  rows: 1,
});

/** The cookie with this identifier is dead from now on; the session itself may go on under a new one. */
export const retireSessionId = (db: Database, idDigest: string) =>
  db.change('UPDATE sessions SET id_digest = NULL WHERE id_digest = ?', [idDigest]);

/** The sessions in which this person is signed in now, the newest first. */
export const liveSessionsOf = (db: Database, userId: string, now: Date) =>
  db.rows<SessionRow>(`SELECT s.* ${live} AND s.account_id = ? ORDER BY s.started_at DESC, s.uid_digest`, [
    ...sessionLivesAt(now),
    userId,
  ]);

/** Reading a page of one's own is use too; written at most once a minute. */
export function seeSession(db: Database, uidDigest: string, now: Date): Promise<number> {
  const idleEnd = now.getTime() + longestSession.idleMinutes * 60_000;
  const absolute = longestSession.absoluteMinutes * 60_000;
  return db.change(
    `UPDATE sessions SET seen_at = ?, expires_at = CASE WHEN started_at + ? < ? THEN started_at + ? ELSE ? END
     WHERE uid_digest = ? AND ended_at IS NULL AND seen_at <= ?`,
    [now.getTime(), absolute, idleEnd, absolute, idleEnd, uidDigest, now.getTime() - 60_000],
  );
}

/** All of this person but one: also those that were made while the others were being looked for. */
export const otherSessionsEnded = (userId: string, exceptUidDigest: string | null, now: Date): Statement => ({
  sql: 'UPDATE sessions SET ended_at = ?, id_digest = NULL WHERE account_id = ? AND uid_digest <> ? AND ended_at IS NULL',
  values: [now.getTime(), userId, exceptUidDigest ?? ''],
});

/** The write that ends a session for good; of several at once one changes a row. */
export const sessionEnded = (uidDigest: string, now: Date): Statement => ({
  sql: 'UPDATE sessions SET ended_at = ?, id_digest = NULL WHERE uid_digest = ? AND ended_at IS NULL',
  values: [now.getTime(), uidDigest],
});

export const endSession = (db: Database, uidDigest: string, now: Date) =>
  db.change('UPDATE sessions SET ended_at = ?, id_digest = NULL WHERE uid_digest = ? AND ended_at IS NULL', [
    now.getTime(),
    uidDigest,
  ]);

export const purgeSessions = (db: Database, before: Date) =>
  deleteInSteps(db, 'sessions', 'expires_at < ?', [before.getTime()]);
