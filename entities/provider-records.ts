import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

/** What oidc-provider keeps under an identifier: codes, tokens, grants, interactions, device codes, pushed requests, replay marks. */
export interface ProviderRecordRow {
  id_digest: string;
  grant_digest: string | null;
  account_id: string | null;
  payload: string;
  created_at: number;
  consumed_at: number | null;
  expires_at: number | null;
}

/** Every column that is read; a new one that is missing here does not compile. */
export const recordColumns: Readonly<Record<keyof ProviderRecordRow, true>> = {
  id_digest: true,
  grant_digest: true,
  account_id: true,
  payload: true,
  created_at: true,
  consumed_at: true,
  expires_at: true,
};

/** Whatever was issued before its user was disabled, disconnected or reset is dead. Takes `now`. */
export const recordLives = (record: string, user: string): string =>
  `${record}.destroyed_at IS NULL AND (${record}.expires_at IS NULL OR ${record}.expires_at > ?)
    AND (${record}.account_id IS NULL OR (${user}.disabled_at IS NULL AND ${user}.sessions_valid_after <= ${record}.created_at))`;

const live = `FROM provider_records r LEFT JOIN users u ON u.id = r.account_id WHERE r.model = ? AND ${recordLives('r', 'u')}`;

export const liveRecord = (db: Database, model: string, idDigest: string, now: Date) =>
  db.row<ProviderRecordRow>(`SELECT r.* ${live} AND r.id_digest = ?`, [model, now.getTime(), idDigest]);

export const liveRecordByUserCode = (db: Database, model: string, userCodeDigest: string, now: Date) =>
  db.row<ProviderRecordRow>(`SELECT r.* ${live} AND r.user_code_digest = ?`, [
    model,
    now.getTime(),
    userCodeDigest,
  ]);

export interface RecordWrite {
  readonly model: string;
  readonly idDigest: string;
  readonly grantDigest: string | null;
  readonly userCodeDigest: string | null;
  readonly accountId: string | null;
  /** Of the session that it ends with, and the application of a sign-in under way: read together with it (`records-beside.ts`). */
  readonly sessionDigest: string | null;
  readonly clientId: string | null;
  readonly payload: string;
  readonly expiresAt: Date | null;
}

/** True where this write made the record; false where its identifier was used before, destroyed or not. */
export async function createRecord(db: Database, write: RecordWrite, now: Date): Promise<boolean> {
  const statement = db.insertIfAbsent('provider_records', {
    model: write.model,
    id_digest: write.idDigest,
    grant_digest: write.grantDigest,
    user_code_digest: write.userCodeDigest,
    account_id: write.accountId,
    session_digest: write.sessionDigest,
    client_id: write.clientId,
    payload: write.payload,
    created_at: now.getTime(),
    consumed_at: null,
    destroyed_at: null,
    expires_at: write.expiresAt?.getTime() ?? null,
  });
  return (await db.change(statement.sql, statement.values)) === 1;
}

/** False where the record was destroyed: what is gone stays gone. */
export async function replaceRecord(db: Database, write: RecordWrite): Promise<boolean> {
  const changed = await db.change(
    `UPDATE provider_records SET grant_digest = ?, user_code_digest = ?, account_id = ?, payload = ?, expires_at = ?
     WHERE model = ? AND id_digest = ? AND destroyed_at IS NULL`,
    [
      write.grantDigest,
      write.userCodeDigest,
      write.accountId,
      write.payload,
      write.expiresAt?.getTime() ?? null,
      write.model,
      write.idDigest,
    ],
  );
  return changed === 1;
}

/** True for exactly one caller, ever (traps F1, F7). */
export async function consumeRecord(
  db: Database,
  model: string,
  idDigest: string,
  now: Date,
): Promise<boolean> {
  const changed = await db.change(
    'UPDATE provider_records SET consumed_at = ? WHERE model = ? AND id_digest = ? AND consumed_at IS NULL AND destroyed_at IS NULL',
    [now.getTime(), model, idDigest],
  );
  return changed === 1;
}

/** True for exactly one caller, ever. The row stays until it would have expired, so that nothing can re-create it. */
export async function destroyRecord(
  db: Database,
  model: string,
  idDigest: string,
  now: Date,
): Promise<boolean> {
  const changed = await db.change(
    'UPDATE provider_records SET destroyed_at = ? WHERE model = ? AND id_digest = ? AND destroyed_at IS NULL',
    [now.getTime(), model, idDigest],
  );
  return changed === 1;
}

export const destroyRecordsOfGrant = (db: Database, grantDigest: string, now: Date, model?: string) =>
  model === undefined
    ? db.change(
        "UPDATE provider_records SET destroyed_at = ? WHERE (grant_digest = ? OR (model = 'Grant' AND id_digest = ?)) AND destroyed_at IS NULL",
        [now.getTime(), grantDigest, grantDigest],
      )
    : db.change(
        'UPDATE provider_records SET destroyed_at = ? WHERE model = ? AND grant_digest = ? AND destroyed_at IS NULL',
        [now.getTime(), model, grantDigest],
      );

export const purgeRecords = (db: Database, before: Date) =>
  deleteInSteps(db, 'provider_records', 'expires_at < ?', [before.getTime()]);

/** Everything that a grant gave is dead: codes, access and refresh tokens. Who signs in anew meanwhile goes on. */
export const grantEnded = (grantDigest: string, now: Date): Statement => ({
  sql: "UPDATE provider_records SET destroyed_at = ? WHERE grant_digest = ? AND destroyed_at IS NULL AND model <> 'Interaction'",
  values: [now.getTime(), grantDigest],
});

/**
 * What the sessions of this person have given that ended at this moment or since, by whatever grant: also by one that was made while the
 * others were being looked for. To stand behind their end.
 */
export const givenByEndedSessions = (userId: string, now: Date): Statement => ({
  sql: `UPDATE provider_records SET destroyed_at = ? WHERE account_id = ? AND destroyed_at IS NULL
          AND session_digest IN (SELECT s.uid_digest FROM sessions s WHERE s.account_id = ? AND s.ended_at >= ?)`,
  values: [now.getTime(), userId, userId, now.getTime()],
});

/** The grant itself, so that nothing more is given by it. */
export const recordEnded = (model: string, idDigest: string, now: Date): Statement => ({
  sql: 'UPDATE provider_records SET destroyed_at = ? WHERE model = ? AND id_digest = ? AND destroyed_at IS NULL',
  values: [now.getTime(), model, idDigest],
});

/** What a person has given to applications and still holds. */
export const liveGrantsOf = (db: Database, userId: string, now: Date) =>
  db.rows<ProviderRecordRow>(`SELECT r.* ${live} AND r.account_id = ? ORDER BY r.created_at DESC`, [
    'Grant',
    now.getTime(),
    userId,
  ]);
