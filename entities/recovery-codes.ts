import type { Database, Statement } from './database.ts';

export interface RecoveryCodeRow {
  id: string;
  user_id: string;
  position: number;
  salt: string;
  digest: string;
  sealed: string | null;
  created_at: number;
  used_at: number | null;
}

export const unusedRecoveryCodes = (db: Database, userId: string) =>
  db.rows<RecoveryCodeRow>(
    'SELECT * FROM recovery_codes WHERE user_id = ? AND used_at IS NULL ORDER BY position, id',
    [userId],
  );

export const forgetRecoveryCodes = (userId: string): Statement => ({
  sql: 'DELETE FROM recovery_codes WHERE user_id = ?',
  values: [userId],
});

/** Those that were made at this moment or later. */
export const forgetRecoveryCodesSince = (userId: string, since: Date): Statement => ({
  sql: 'DELETE FROM recovery_codes WHERE user_id = ? AND created_at >= ?',
  values: [userId, since.getTime()],
});

export const addRecoveryCode = (
  db: Database,
  code: {
    id: string;
    userId: string;
    position: number;
    salt: string;
    digest: string;
    sealed: string | null;
    now: Date;
  },
): Statement =>
  db.insert('recovery_codes', {
    id: code.id,
    user_id: code.userId,
    position: code.position,
    salt: code.salt,
    digest: code.digest,
    sealed: code.sealed,
    created_at: code.now.getTime(),
    used_at: null,
  });

/** The write that decides which of several equal codes was first. */
export const consumeRecoveryCode = (id: string, now: Date): Statement => ({
  sql: 'UPDATE recovery_codes SET used_at = ? WHERE id = ? AND used_at IS NULL',
  values: [now.getTime(), id],
  rows: 1,
});
