import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

/** A sign-in that waits for the word of another device. One at a time is open per person. */
export interface ApprovalRow {
  id: string;
  user_id: string;
  /** The person again while it is open, and null from then on: of two that begin at once, one is first. */
  open_for: string | null;
  client_id: string | null;
  number: number;
  /** The three numbers that the approver is shown, always the same ones. */
  choices: string;
  ip: string | null;
  user_agent: string | null;
  /** Where its requests are counted. */
  limit_subject: string;
  security_version: number;
  created_at: number;
  expires_at: number;
  decision: 'approved' | 'denied' | null;
  decided_at: number | null;
  factor_id: string | null;
  signature: string | null;
  consumed_at: number | null;
}

export const approvalById = (db: Database, id: string) =>
  db.row<ApprovalRow>('SELECT * FROM approvals WHERE id = ?', [id]);

/** The one that waits for this person's word. */
export const openApproval = (db: Database, userId: string, now: Date) =>
  db.row<ApprovalRow>('SELECT * FROM approvals WHERE open_for = ? AND expires_at > ?', [
    userId,
    now.getTime(),
  ]);

/** Room for a new one: the same sign-in's last one, and what has expired. */
export const closeApprovals = (userId: string, lastOfSameSignIn: string | null, now: Date): Statement => ({
  sql: 'UPDATE approvals SET open_for = NULL WHERE open_for = ? AND (expires_at <= ? OR id = ?)',
  values: [userId, now.getTime(), lastOfSameSignIn ?? ''],
});

/** Its sign-in does not wait any more. */
export const closeApproval = (id: string): Statement => ({
  sql: 'UPDATE approvals SET open_for = NULL WHERE id = ? AND open_for IS NOT NULL',
  values: [id],
});

/** Refused where another one is open. */
export const addApproval = (
  db: Database,
  row: Omit<ApprovalRow, 'open_for' | 'decision' | 'decided_at' | 'factor_id' | 'signature' | 'consumed_at'>,
): Statement => ({
  ...db.insertIfAbsent('approvals', {
    ...row,
    open_for: row.user_id,
    decision: null,
    decided_at: null,
    factor_id: null,
    signature: null,
    consumed_at: null,
  }),
  rows: 1,
});

/** The first word counts, in time, by an approver that is one at this moment, and while nothing of the person's security has changed. */
export const approve = (
  id: string,
  by: { readonly userId: string; readonly factorId: string; readonly signature: string; readonly now: Date },
): Statement => ({
  sql: `UPDATE approvals SET decision = 'approved', decided_at = ?, factor_id = ?, signature = ?, open_for = NULL
        WHERE id = ? AND user_id = ? AND decision IS NULL AND open_for IS NOT NULL AND expires_at > ?
          AND EXISTS (SELECT 1 FROM factors f WHERE f.id = ? AND f.user_id = ? AND f.disabled_at IS NULL)
          AND security_version = (SELECT u.security_version FROM users u WHERE u.id = ?)`,
  values: [
    by.now.getTime(),
    by.factorId,
    by.signature,
    id,
    by.userId,
    by.now.getTime(),
    by.factorId,
    by.userId,
    by.userId,
  ],
  rows: 1,
});

/** "No" wins as long as nobody has come in: also over a "yes" that was said at the same time. */
export const deny = (id: string, userId: string, now: Date): Statement => ({
  sql: `UPDATE approvals SET decision = 'denied', decided_at = ?, open_for = NULL
        WHERE id = ? AND user_id = ? AND consumed_at IS NULL AND expires_at > ? AND (decision IS NULL OR decision <> 'denied')`,
  values: [now.getTime(), id, userId, now.getTime()],
  rows: 1,
});

/** The sign-in takes the "yes", once. */
export const consumeApproval = (id: string, now: Date): Statement => ({
  sql: `UPDATE approvals SET consumed_at = ? WHERE id = ? AND decision = 'approved' AND consumed_at IS NULL AND expires_at > ?`,
  values: [now.getTime(), id, now.getTime()],
  rows: 1,
});

export const purgeApprovals = (db: Database, before: Date) =>
  deleteInSteps(db, 'approvals', 'expires_at < ?', [before.getTime()]);
