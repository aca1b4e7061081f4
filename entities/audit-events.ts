import { newId } from '../lib/id.ts';
import type { Database, Statement } from './database.ts';

export interface AuditEventRow {
  id: string;
  at: number;
  type: string;
  user_id: string | null;
  organization_id: string | null;
  client_id: string | null;
  ip: string | null;
  user_agent: string | null;
  data: string;
}

export const addAuditEvent = (
  db: Database,
  event: {
    at: Date;
    type: string;
    userId: string | null;
    organizationId: string | null;
    clientId: string | null;
    ip: string | null;
    userAgent: string | null;
    data: string;
  },
): Statement =>
  db.insert('audit_events', {
    id: newId(event.at),
    at: event.at.getTime(),
    type: event.type,
    user_id: event.userId,
    organization_id: event.organizationId,
    client_id: event.clientId,
    ip: event.ip,
    user_agent: event.userAgent,
    data: event.data,
  });

export interface AuditQuestion {
  /** Those older than the event of this id. */
  readonly before: string | null;
  readonly type: string | null;
  readonly userId: string | null;
  readonly from: Date | null;
  readonly until: Date | null;
  readonly limit: number;
}

/** Events of an organization, and those of its members at its own applications or at none; the newest first. */
export function auditPage(db: Database, organizationId: string, question: AuditQuestion) {
  const { before, type, userId, from, until, limit } = question;
  const conditions: [string, string | number][] = [
    ...(before === null ? [] : [['e.id < ?', before] as [string, string]]),
    ...(type === null ? [] : [['e.type = ?', type] as [string, string]]),
    ...(userId === null ? [] : [['e.user_id = ?', userId] as [string, string]]),
    ...(from === null ? [] : [['e.at >= ?', from.getTime()] as [string, number]]),
    ...(until === null ? [] : [['e.at < ?', until.getTime()] as [string, number]]),
  ];
  return db.rows<AuditEventRow>(
    `SELECT e.* FROM audit_events e
     WHERE (e.organization_id = ? OR (e.organization_id IS NULL
         AND EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = e.user_id AND m.organization_id = ? AND m.removed_at IS NULL)
         AND (e.client_id IS NULL OR EXISTS (SELECT 1 FROM applications a WHERE a.client_id = e.client_id
           AND (a.organization_id IS NULL OR a.organization_id = ?)))))
       ${conditions.map(([sql]) => `AND ${sql}`).join(' ')}
     ORDER BY e.id DESC LIMIT ?`,
    [organizationId, organizationId, organizationId, ...conditions.map(([, value]) => value), limit],
  );
}

/** Events of these types from a moment on, in the order in which they happened. */
export const auditEventsSince = (db: Database, since: Date, types: readonly string[], limit: number) =>
  db.rows<AuditEventRow>(
    `SELECT * FROM audit_events WHERE id >= ? AND type IN (${types.map(() => '?').join(', ')}) ORDER BY id LIMIT ?`,
    [since.getTime().toString(16).padStart(12, '0'), ...types, limit],
  );
