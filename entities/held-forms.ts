import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

export interface HeldFormRow {
  id_digest: string;
  session_digest: string;
  user_id: string;
  path: string;
  fields: string;
  created_at: number;
  expires_at: number;
}

export const holdForm = (
  db: Database,
  form: {
    idDigest: string;
    sessionDigest: string;
    userId: string;
    path: string;
    fields: string;
    now: Date;
    expiresAt: Date;
  },
): Statement =>
  db.insert('held_forms', {
    id_digest: form.idDigest,
    session_digest: form.sessionDigest,
    user_id: form.userId,
    path: form.path,
    fields: form.fields,
    created_at: form.now.getTime(),
    expires_at: form.expiresAt.getTime(),
  });

/** A form is there for the session, the person and the page that it was held for, and for nobody else. */
export const heldForm = (
  db: Database,
  form: { idDigest: string; sessionDigest: string; userId: string; path: string },
  now: Date,
) =>
  db.row<HeldFormRow>(
    'SELECT * FROM held_forms WHERE id_digest = ? AND session_digest = ? AND user_id = ? AND path = ? AND expires_at > ?',
    [form.idDigest, form.sessionDigest, form.userId, form.path, now.getTime()],
  );

/** The write that decides which of several requests with one held form was first. */
export const useHeldForm = (idDigest: string, now: Date): Statement => ({
  sql: 'DELETE FROM held_forms WHERE id_digest = ? AND expires_at > ?',
  values: [idDigest, now.getTime()],
  rows: 1,
});

export const purgeHeldForms = (db: Database, before: Date) =>
  deleteInSteps(db, 'held_forms', 'expires_at < ?', [before.getTime()]);
