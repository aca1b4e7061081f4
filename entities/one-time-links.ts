import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

/** What a link in a mail is for; one for something else opens nothing. */
export type LinkPurpose = 'not_me' | 'reset_password' | 'confirm_email' | 'register';

export interface OneTimeLinkRow {
  id_digest: string;
  purpose: LinkPurpose;
  user_id: string;
  /** Sealed. */
  data: string;
  created_at: number;
  expires_at: number;
  used_at: number | null;
}

export const addLink = (
  db: Database,
  link: {
    idDigest: string;
    purpose: LinkPurpose;
    userId: string;
    data: string;
    now: Date;
    expiresAt: Date;
  },
): Statement =>
  db.insert('one_time_links', {
    id_digest: link.idDigest,
    purpose: link.purpose,
    user_id: link.userId,
    data: link.data,
    created_at: link.now.getTime(),
    expires_at: link.expiresAt.getTime(),
    used_at: null,
  });

export const liveLink = (db: Database, purpose: LinkPurpose, idDigest: string, now: Date) =>
  db.row<OneTimeLinkRow>(
    'SELECT * FROM one_time_links WHERE id_digest = ? AND purpose = ? AND used_at IS NULL AND expires_at > ?',
    [idDigest, purpose, now.getTime()],
  );

/** The write that decides which of several requests with one link was first. */
export const useLink = (idDigest: string, now: Date): Statement => ({
  sql: 'UPDATE one_time_links SET used_at = ? WHERE id_digest = ? AND used_at IS NULL AND expires_at > ?',
  values: [now.getTime(), idDigest, now.getTime()],
  rows: 1,
});

/** Links of this purpose that are still under way are worth nothing any more. */
export const dropLinks = (userId: string, purpose: LinkPurpose, now: Date): Statement => ({
  sql: 'UPDATE one_time_links SET used_at = ? WHERE user_id = ? AND purpose = ? AND used_at IS NULL',
  values: [now.getTime(), userId, purpose],
});

/** The same, of those that were made at this moment or later. */
export const dropLinksSince = (userId: string, purpose: LinkPurpose, since: Date, now: Date): Statement => ({
  sql: 'UPDATE one_time_links SET used_at = ? WHERE user_id = ? AND purpose = ? AND used_at IS NULL AND created_at >= ?',
  values: [now.getTime(), userId, purpose, since.getTime()],
});

export const purgeLinks = (db: Database, before: Date) =>
  deleteInSteps(db, 'one_time_links', 'expires_at < ?', [before.getTime()]);
