import type { Database, Statement, Value } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

/** What one interaction has proved so far. Nobody is signed in by it: the session gets the account with the last step. */
export interface SignInRow {
  uid_digest: string;
  account_id: string | null;
  version: number;
  state: string;
  created_at: number;
  expires_at: number;
  finished_at: number | null;
}

/** Every column; a new one that is missing here does not compile. */
export const signInColumns: Readonly<Record<keyof SignInRow, true>> = {
  uid_digest: true,
  account_id: true,
  version: true,
  state: true,
  created_at: true,
  expires_at: true,
  finished_at: true,
};

export type FoundSignInRow = SignInRow & { readonly dead: number };

/** Pending sign-ins from before their user was disabled or disconnected are dead. */
export const signInDead = (signIn: string, user: string): string =>
  `CASE WHEN ${signIn}.account_id IS NOT NULL AND (${user}.id IS NULL OR ${user}.disabled_at IS NOT NULL OR ${user}.sessions_valid_after > ${signIn}.created_at)
     THEN 1 ELSE 0 END`;

export const signInByUid = (db: Database, uidDigest: string) =>
  db.row<FoundSignInRow>(
    `SELECT s.*, ${signInDead('s', 'u')} AS dead FROM sign_ins s LEFT JOIN users u ON u.id = s.account_id WHERE s.uid_digest = ?`,
    [uidDigest],
  );

export interface SignInWrite {
  readonly uidDigest: string;
  readonly accountId: string | null;
  readonly state: string;
  /** When this person's sign-in began; null leaves it. */
  readonly begunAt: Date | null;
  readonly expiresAt: Date;
}

/** `version` 0 makes the row; of two writers that have read the same version, one is late and changes nothing; so is who has read it before its person was disconnected. */
export function writeSignIn(
  db: Database,
  write: SignInWrite,
  version: number,
  now: Date,
  finished: boolean,
): Statement {
  const finishedAt: Value = finished ? now.getTime() : null;
  if (version === 0) {
    const statement = db.insertIfAbsent('sign_ins', {
      uid_digest: write.uidDigest,
      account_id: write.accountId,
      version: 1,
      state: write.state,
      created_at: (write.begunAt ?? now).getTime(),
      expires_at: write.expiresAt.getTime(),
      finished_at: finishedAt,
    });
    return { ...statement, rows: 1 };
  }
  return {
    sql: `UPDATE sign_ins SET account_id = ?, state = ?, created_at = COALESCE(?, created_at), version = version + 1, finished_at = ?
          WHERE uid_digest = ? AND version = ? AND finished_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = sign_ins.account_id AND (u.disabled_at IS NOT NULL OR u.sessions_valid_after > sign_ins.created_at))`,
    values: [
      write.accountId,
      write.state,
      write.begunAt?.getTime() ?? null,
      finishedAt,
      write.uidDigest,
      version,
    ],
    rows: 1,
  };
}

/**
 * What was begun with a password of before is worth nothing any more; nor is what was answered, and not handed over yet: its browser
 * decides when it follows the last redirect. To stand before the end of the person's sessions: one that is being made at this moment is
 * either made before, and ends, or is not made (`wasDropped`).
 */
export const dropSignIns = (userId: string, now: Date): Statement => ({
  sql: 'UPDATE sign_ins SET finished_at = COALESCE(finished_at, ?), expires_at = 0 WHERE account_id = ? AND expires_at > ?',
  values: [now.getTime(), userId, now.getTime()],
});

/**
 * True of a sign-in that was dropped, and of none that is merely too old. Takes its digest. MySQL looks at the last thing that was
 * written, not at what is being written, unless it is to wait for it: a session is not made beside the end of its person's sessions.
 */
export const wasDropped = ({ dialect }: Pick<Database, 'dialect'>): string =>
  `EXISTS (SELECT 1 FROM sign_ins d WHERE d.uid_digest = ? AND d.expires_at = 0${dialect === 'mysql' ? ' FOR UPDATE' : ''})`;

export const purgeSignIns = (db: Database, before: Date) =>
  deleteInSteps(db, 'sign_ins', 'expires_at < ? AND created_at < ?', [before.getTime(), before.getTime()]);
