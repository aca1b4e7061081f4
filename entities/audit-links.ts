import type { AuditEventRow } from './audit-events.ts';
import { insertMany } from './configuration.ts';
import type { Database, Statement, Value } from './database.ts';

/** The chain of all events; every organization has one of its own beside it, under its id. */
export const instanceChain = 'instance';

/** An event's place in a chain. The hash covers the event and the link before it. */
export interface AuditLinkRow {
  chain: string;
  position: number;
  event_id: string;
  at: number;
  type: string;
  user_id: string | null;
  client_id: string | null;
  hash: string;
}

export interface AuditHeadRow {
  chain: string;
  position: number;
  hash: string;
  /** That a server has put it there: nobody moves it without a key. */
  proof: string;
}

/** Events that stand in no chain yet, the oldest first. */
export const unchainedEvents = (db: Database, limit: number) =>
  db.rows<AuditEventRow>('SELECT * FROM audit_events WHERE chained_at IS NULL ORDER BY id LIMIT ?', [limit]);

export const auditHeads = (db: Database, chains: readonly string[]) =>
  chains.length === 0
    ? Promise.resolve([])
    : db.rows<AuditHeadRow>(
        `SELECT * FROM audit_heads WHERE chain IN (${chains.map(() => '?').join(', ')})`,
        chains,
      );

/** The organizations that these people belong to, and those that these applications belong to. */
export async function whoseEvents(
  db: Database,
  userIds: readonly string[],
  clientIds: readonly string[],
): Promise<{ members: Map<string, string[]>; applications: Map<string, string | null> }> {
  const marks = (ids: readonly string[]) => ids.map(() => '?').join(', ');
  const members = new Map<string, string[]>();
  if (userIds.length > 0) {
    const rows = await db.rows<{ user_id: string; organization_id: string }>(
      `SELECT user_id, organization_id FROM memberships WHERE user_id IN (${marks(userIds)}) AND removed_at IS NULL`,
      userIds,
    );
    for (const row of rows) {
      members.set(row.user_id, [...(members.get(row.user_id) ?? []), row.organization_id]);
    }
  }
  const applications = new Map<string, string | null>();
  if (clientIds.length > 0) {
    const rows = await db.rows<{ client_id: string; organization_id: string | null }>(
      `SELECT client_id, organization_id FROM applications WHERE client_id IN (${marks(clientIds)})`,
      clientIds,
    );
    for (const row of rows) applications.set(row.client_id, row.organization_id);
  }
  return { members, applications };
}

/** One step of all chains: refused as a whole where another process was first. */
export const extendChains = (
  db: Database,
  step: {
    readonly links: readonly AuditLinkRow[];
    readonly before: ReadonlyMap<string, AuditHeadRow>;
    readonly after: ReadonlyMap<string, AuditHeadRow>;
    readonly eventIds: readonly string[];
    readonly now: Date;
  },
): Statement[] => [
  ...[...step.after.values()].map(({ chain, position, hash, proof }): Statement => {
    const known = step.before.get(chain);
    return known
      ? {
          sql: 'UPDATE audit_heads SET position = ?, hash = ?, proof = ? WHERE chain = ? AND position = ? AND hash = ?',
          values: [position, hash, proof, chain, known.position, known.hash],
          rows: 1,
        }
      : { ...db.insertIfAbsent('audit_heads', { chain, position, hash, proof }), rows: 1 };
  }),
  ...insertMany(
    'audit_links',
    step.links.map((link) => ({ ...link })),
  ),
  {
    sql: `UPDATE audit_events SET chained_at = ? WHERE chained_at IS NULL AND id IN (${step.eventIds.map(() => '?').join(', ')})`,
    values: [step.now.getTime(), ...step.eventIds],
    rows: step.eventIds.length,
  },
];

export interface AuditQuestion {
  readonly chain: string;
  readonly type?: string | undefined;
  readonly userId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

export type ChainedEvent = AuditEventRow & {
  readonly position: number;
  readonly hash: string;
  readonly person_email: string | null;
  readonly application_name: string | null;
};

/** Events of one chain, the newest first, before a position. */
export function chainedEvents(
  db: Database,
  question: AuditQuestion,
  before: number | null,
  limit: number,
): Promise<ChainedEvent[]> {
  const conditions = ['l.chain = ?'];
  const values: Value[] = [question.chain];
  const add = (condition: string, value: Value | undefined) => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add('l.type = ?', question.type);
  add('l.user_id = ?', question.userId);
  add('l.client_id = ?', question.clientId);
  add('l.at >= ?', question.since?.getTime());
  add('l.at < ?', question.until?.getTime());
  add('l.position < ?', before ?? undefined);
  return db.rows<ChainedEvent>(
    `SELECT e.*, l.position, l.hash, u.email AS person_email, a.name AS application_name
     FROM (SELECT * FROM audit_links l WHERE ${conditions.join(' AND ')} ORDER BY l.position DESC LIMIT ?) l
     JOIN audit_events e ON e.id = l.event_id LEFT JOIN users u ON u.id = e.user_id
     LEFT JOIN applications a ON a.client_id = e.client_id
     ORDER BY l.position DESC`,
    [...values, limit],
  );
}

/** A chain from a position on, oldest first, with its events as they stand now; null columns where an event is gone. */
export const chainFrom = (db: Database, chain: string, after: number, limit: number) =>
  db.rows<Omit<AuditLinkRow, 'at' | 'type' | 'user_id' | 'client_id'> & { [column: string]: Value }>(
    `SELECT l.chain, l.position, l.event_id, l.hash, l.at AS link_at, l.type AS link_type, l.user_id AS link_user_id, l.client_id AS link_client_id,
       e.id, e.at, e.type, e.user_id, e.organization_id, e.client_id, e.ip, e.user_agent, e.data
     FROM audit_links l LEFT JOIN audit_events e ON e.id = l.event_id
     WHERE l.chain = ? AND l.position > ? ORDER BY l.position LIMIT ?`,
    [chain, after, limit],
  );

/** Links of chains that have lost their heads. */
export const chainsWithoutHead = (db: Database) =>
  db.rows<{ chain: string }>(
    'SELECT DISTINCT l.chain FROM audit_links l WHERE NOT EXISTS (SELECT 1 FROM audit_heads h WHERE h.chain = l.chain)',
  );

/** Events that say of themselves that they have a place in a chain. */
export async function countChained(db: Database): Promise<number> {
  const row = await db.row<{ n: number }>(
    'SELECT COUNT(*) AS n FROM audit_events WHERE chained_at IS NOT NULL',
  );
  return Number(row?.n);
}

export const allHeads = (db: Database) => db.rows<AuditHeadRow>('SELECT * FROM audit_heads ORDER BY chain');
