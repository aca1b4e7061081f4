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

/** The last event of a type about a person in an organization, where none of `closing` came after it and they have not signed in since. */
export const openEvent = (
  db: Database,
  about: { readonly userId: string; readonly organizationId: string; readonly type: string },
  closing: readonly string[],
  since: Date,
) =>
  db.row<AuditEventRow>(
    `SELECT e.* FROM audit_events e JOIN users u ON u.id = e.user_id
     WHERE e.user_id = ? AND e.organization_id = ? AND e.type = ? AND e.id >= ?
       AND (u.last_sign_in_at IS NULL OR u.last_sign_in_at < e.at)
       AND NOT EXISTS (SELECT 1 FROM audit_events d
         WHERE d.user_id = e.user_id AND d.id > e.id AND d.type IN (${closing.map(() => '?').join(', ')}))
     ORDER BY e.id DESC LIMIT 1`,
    [
      about.userId,
      about.organizationId,
      about.type,
      since.getTime().toString(16).padStart(12, '0'),
      ...closing,
    ],
  );

/** Events of these types from a moment on, in the order in which they happened. */
export const auditEventsSince = (db: Database, since: Date, types: readonly string[], limit: number) =>
  db.rows<AuditEventRow>(
    `SELECT * FROM audit_events WHERE id >= ? AND type IN (${types.map(() => '?').join(', ')}) ORDER BY id LIMIT ?`,
    [since.getTime().toString(16).padStart(12, '0'), ...types, limit],
  );

/** What a person's own sign-in history shows: how they, or somebody with their name, tried to get in. The newest first. */
export const signInEvents = (
  db: Database,
  userId: string,
  types: readonly string[],
  before: string | null,
  limit: number,
) =>
  db.rows<AuditEventRow & { application_name: string | null }>(
    `SELECT e.*, a.name AS application_name FROM audit_events e LEFT JOIN applications a ON a.client_id = e.client_id
     WHERE e.user_id = ? AND e.type IN (${types.map(() => '?').join(', ')}) ${before === null ? '' : 'AND e.id < ?'}
     ORDER BY e.id DESC LIMIT ?`,
    [userId, ...types, ...(before === null ? [] : [before]), limit],
  );
