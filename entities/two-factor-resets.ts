import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

/** A reset by mail that an organization asked for: what its link opens, once and together with the password. */
export interface TwoFactorResetRow {
  id: string;
  user_id: string;
  organization_id: string;
  token_digest: string;
  created_at: number;
  expires_at: number;
  used_at: number | null;
  ended_at: number | null;
}

export const addReset = (
  db: Database,
  reset: Pick<
    TwoFactorResetRow,
    'id' | 'user_id' | 'organization_id' | 'token_digest' | 'created_at' | 'expires_at'
  >,
): Statement => db.insert('two_factor_resets', { ...reset, used_at: null, ended_at: null });

/** Whatever link is under way is worth nothing from now on. */
export const endResets = (userId: string, now: Date): Statement => ({
  sql: 'UPDATE two_factor_resets SET ended_at = ? WHERE user_id = ? AND used_at IS NULL AND ended_at IS NULL',
  values: [now.getTime(), userId],
});

export const openReset = (db: Database, tokenDigest: string, now: Date) =>
  db.row<TwoFactorResetRow>(
    'SELECT * FROM two_factor_resets WHERE token_digest = ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?',
    [tokenDigest, now.getTime()],
  );

/** The write that decides which of two set-ups through one link was first. */
export const useReset = (id: string, now: Date): Statement => ({
  sql: 'UPDATE two_factor_resets SET used_at = ? WHERE id = ? AND used_at IS NULL AND ended_at IS NULL',
  values: [now.getTime(), id],
  rows: 1,
});

/** Until when a link that waits for this person holds; null where none does. */
export async function pendingResetUntil(db: Database, userId: string, now: Date): Promise<Date | null> {
  const row = await db.row<{ expires_at: number }>(
    `SELECT expires_at FROM two_factor_resets WHERE user_id = ? AND used_at IS NULL AND ended_at IS NULL AND expires_at > ?
     ORDER BY created_at DESC LIMIT 1`,
    [userId, now.getTime()],
  );
  return row && new Date(row.expires_at);
}

export const purgeResets = (db: Database, before: Date) =>
  deleteInSteps(db, 'two_factor_resets', 'expires_at < ?', [before.getTime()]);
