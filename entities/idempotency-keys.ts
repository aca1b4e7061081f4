import { minutes } from '../lib/clock.ts';
import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

export interface IdempotencyRow {
  request_digest: string;
  /** Sealed; null while the first request is under way, and where it was lost. */
  answer: string | null;
  /** Since when something may stand in the database that the request did. */
  written_at: number | null;
  held_until: number;
}

/** How long a key is held without a word from who holds it. */
const lease = minutes(1);

export interface KeyHolder {
  readonly keyDigest: string;
  /** Which request it is, of those that come under the same key. */
  readonly holder: string;
}

/**
 * True for the one request that does the work. It says now and then that it is still at it; one that died on the way, with its process
 * or without, leaves the key to the next after a minute, unless it had written something: that is never done twice.
 */
export async function takeKey(
  db: Database,
  key: KeyHolder & { requestDigest: string; now: Date; expiresAt: Date },
): Promise<boolean> {
  const now = key.now.getTime();
  await db.change(
    'DELETE FROM idempotency_keys WHERE key_digest = ? AND (expires_at <= ? OR (answer IS NULL AND written_at IS NULL AND held_until <= ?))',
    [key.keyDigest, now, now],
  );
  const statement = db.insertIfAbsent('idempotency_keys', {
    key_digest: key.keyDigest,
    request_digest: key.requestDigest,
    answer: null,
    holder: key.holder,
    held_until: now + lease,
    created_at: now,
    expires_at: key.expiresAt.getTime(),
  });
  return (await db.change(statement.sql, statement.values)) === 1;
}

export const idempotencyRow = (db: Database, keyDigest: string) =>
  db.row<IdempotencyRow>(
    'SELECT request_digest, answer, written_at, held_until FROM idempotency_keys WHERE key_digest = ?',
    [keyDigest],
  );

/** With the request's first write, and in the same batch: from then on it is not done again under this key. */
export const keyWritten = ({ keyDigest, holder }: KeyHolder, now: Date): Statement => ({
  sql: 'UPDATE idempotency_keys SET written_at = ? WHERE key_digest = ? AND holder = ? AND answer IS NULL',
  values: [now.getTime(), keyDigest, holder],
  rows: 1,
});

/** Whether it is still this request's. */
export const holdsKey = async (db: Database, { keyDigest, holder }: KeyHolder): Promise<boolean> =>
  (await db.row('SELECT 1 AS one FROM idempotency_keys WHERE key_digest = ? AND holder = ?', [
    keyDigest,
    holder,
  ])) !== null;

/** It is still under way; false where the key is another's by now. */
export const holdKey = async (db: Database, { keyDigest, holder }: KeyHolder, now: Date) =>
  (await db.change(
    'UPDATE idempotency_keys SET held_until = ? WHERE key_digest = ? AND holder = ? AND answer IS NULL',
    [now.getTime() + lease, keyDigest, holder],
  )) === 1;

export const keepAnswer = (db: Database, { keyDigest, holder }: KeyHolder, answer: string) =>
  db.change('UPDATE idempotency_keys SET answer = ? WHERE key_digest = ? AND holder = ? AND answer IS NULL', [
    answer,
    keyDigest,
    holder,
  ]);

/** The request changed nothing that counts: it may be sent again. */
export const releaseKey = (db: Database, { keyDigest, holder }: KeyHolder) =>
  db.change('DELETE FROM idempotency_keys WHERE key_digest = ? AND holder = ? AND answer IS NULL', [
    keyDigest,
    holder,
  ]);

/** The request failed: it may be sent again where it has written nothing, and else whoever asks is told at once that its answer is lost. */
export const giveUpKey = (db: Database, { keyDigest, holder }: KeyHolder, now: Date) =>
  db.together([
    {
      sql: 'DELETE FROM idempotency_keys WHERE key_digest = ? AND holder = ? AND answer IS NULL AND written_at IS NULL',
      values: [keyDigest, holder],
    },
    {
      sql: 'UPDATE idempotency_keys SET held_until = ? WHERE key_digest = ? AND holder = ? AND answer IS NULL',
      values: [now.getTime(), keyDigest, holder],
    },
  ]);

export const purgeIdempotencyKeys = (db: Database, before: Date) =>
  deleteInSteps(db, 'idempotency_keys', 'expires_at < ?', [before.getTime()]);
