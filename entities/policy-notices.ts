import type { Database, Statement } from './database.ts';

/** Mails about an organization's policy: one row per person, deadline and kind, which is why nobody gets one twice. */
export const noticeKinds = ['announced', '7', '3', '1', '0', 'asked'] as const;
/** `announced` when the policy was saved, the number of days before the deadline, or `asked` where an admin sent one by hand. */
export type NoticeKind = (typeof noticeKinds)[number];

export interface NoticeRow {
  organization_id: string;
  user_id: string;
  kind: NoticeKind;
  deadline: number;
  outbox_id: string;
  created_at: number;
  settled: number;
  sent_at: number | null;
  failed_at: number | null;
}

/** A plain insert: where another process has written the same one, the whole batch is undone. */
export const addNotice = (
  db: Database,
  notice: Pick<NoticeRow, 'organization_id' | 'user_id' | 'kind' | 'deadline' | 'outbox_id' | 'created_at'>,
): Statement => db.insert('policy_notices', { ...notice, settled: 0, sent_at: null, failed_at: null });

export const noticesOf = (db: Database, organizationId: string, userIds: readonly string[]) =>
  userIds.length === 0
    ? Promise.resolve([])
    : db.rows<NoticeRow>(
        `SELECT * FROM policy_notices WHERE organization_id = ? AND user_id IN (${userIds.map(() => '?').join(', ')})`,
        [organizationId, ...userIds],
      );

/** What became of a mail is written down before the outbox forgets it. */
export const settleNotices = (db: Database) =>
  db.change(
    `UPDATE policy_notices SET settled = 1,
       sent_at = (SELECT o.sent_at FROM outbox o WHERE o.id = policy_notices.outbox_id),
       failed_at = (SELECT o.failed_at FROM outbox o WHERE o.id = policy_notices.outbox_id)
     WHERE settled = 0 AND EXISTS (SELECT 1 FROM outbox o WHERE o.id = policy_notices.outbox_id AND o.next_at IS NULL)`,
  );

export interface ListedNotice {
  readonly user_id: string;
  readonly email: string;
  readonly name: string | null;
  readonly kind: NoticeKind;
  readonly deadline: number;
  readonly created_at: number;
  readonly sent_at: number | null;
  readonly failed_at: number | null;
}

/** The newest first; `after` is the last one of the page before. Of those that failed there are few. */
export const listedNotices = (
  db: Database,
  organizationId: string,
  after: { readonly createdAt: number; readonly userId: string } | null,
  limit: number,
  onlyFailed = false,
) =>
  db.rows<ListedNotice>(
    `SELECT n.user_id, u.email, u.name, n.kind, n.deadline, n.created_at,
       COALESCE(n.sent_at, o.sent_at) AS sent_at, COALESCE(n.failed_at, o.failed_at) AS failed_at
     FROM policy_notices n JOIN users u ON u.id = n.user_id LEFT JOIN outbox o ON o.id = n.outbox_id
     WHERE n.organization_id = ? ${onlyFailed ? 'AND n.failed_at > 0' : ''}
       ${after ? 'AND n.created_at <= ? AND (n.created_at < ? OR n.user_id < ?)' : ''}
     ORDER BY n.created_at DESC, n.user_id DESC LIMIT ?`,
    [organizationId, ...(after ? [after.createdAt, after.createdAt, after.userId] : []), limit],
  );

/** Mails of an organization that did not arrive. */
export async function failedNotices(db: Database, organizationId: string): Promise<number> {
  const row = await db.row<{ n: number | string }>(
    'SELECT COUNT(*) AS n FROM policy_notices WHERE organization_id = ? AND failed_at > 0',
    [organizationId],
  );
  return Number(row?.n ?? 0);
}

/** That everybody concerned is to be told: written with the policy, so that a kill in between loses nobody. */
export const addAnnouncement = (
  db: Database,
  organizationId: string,
  changedAt: number,
  now: Date,
): Statement =>
  db.insertIfAbsent('policy_announcements', {
    organization_id: organizationId,
    changed_at: changedAt,
    cursor_at: null,
    created_at: now.getTime(),
    finished_at: null,
  });

export const openAnnouncements = (db: Database) =>
  db.rows<{ organization_id: string; changed_at: number; cursor_at: string | null }>(
    'SELECT * FROM policy_announcements WHERE finished_at IS NULL',
  );

export const announcementReached = (
  organizationId: string,
  changedAt: number,
  cursor: string,
): Statement => ({
  sql: 'UPDATE policy_announcements SET cursor_at = ? WHERE organization_id = ? AND changed_at = ?',
  values: [cursor, organizationId, changedAt],
});

export const announcementFinished = (
  db: Database,
  organizationId: string,
  changedAt: number,
  now: Date,
): Promise<number> =>
  db.change(
    'UPDATE policy_announcements SET finished_at = ? WHERE organization_id = ? AND changed_at = ? AND finished_at IS NULL',
    [now.getTime(), organizationId, changedAt],
  );
