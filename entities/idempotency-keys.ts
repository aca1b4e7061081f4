import { minutes } from '../lib/clock.ts';
import type { Database } from './database.ts';

export interface IdempotencyRow {
  request_digest: string;
  /** Sealed; null while the first request is under way. */
  answer: string | null;
}

/** True for the one request that does the work. A key whose request died on the way is free again after a minute. */
export async function takeKey(
  db: Database,
  key: { keyDigest: string; requestDigest: string; now: Date; expiresAt: Date },
): Promise<boolean> {
  const now = key.now.getTime();
  await db.change(
    'DELETE FROM idempotency_keys WHERE key_digest = ? AND (expires_at <= ? OR (answer IS NULL AND created_at <= ?))',
    [key.keyDigest, now, now - minutes(1)],
  );
  const statement = db.insertIfAbsent('idempotency_keys', {
    key_digest: key.keyDigest,
    request_digest: key.requestDigest,
    answer: null,
    created_at: now,
    expires_at: key.expiresAt.getTime(),
  });
  return (await db.change(statement.sql, statement.values)) === 1;
}

export const idempotencyRow = (db: Database, keyDigest: string) =>
  db.row<IdempotencyRow>('SELECT request_digest, answer FROM idempotency_keys WHERE key_digest = ?', [
    keyDigest,
  ]);

export const keepAnswer = (db: Database, keyDigest: string, answer: string) =>
  db.change('UPDATE idempotency_keys SET answer = ? WHERE key_digest = ?', [answer, keyDigest]);

export const releaseKey = (db: Database, keyDigest: string) =>
  db.change('DELETE FROM idempotency_keys WHERE key_digest = ? AND answer IS NULL', [keyDigest]);

export const purgeIdempotencyKeys = (db: Database, before: Date) =>
  db.change('DELETE FROM idempotency_keys WHERE expires_at < ?', [before.getTime()]);
