import type { Database, Statement } from './database.ts';
import { readStoredPolicy, type StoredPolicy } from './memberships.ts';

export interface OrganizationRow {
  id: string;
  slug: string;
  name: string;
  policy: string;
  created_at: number;
  /** How its pages look, as `Branding` in JSON; null where nobody has decided. */
  branding?: string | null;
}

export const organizationById = (db: Database, id: string) =>
  db.row<OrganizationRow>('SELECT * FROM organizations WHERE id = ?', [id]);

export const organizationBySlug = (db: Database, slug: string) =>
  db.row<OrganizationRow>('SELECT * FROM organizations WHERE slug = ?', [slug]);

/** The rules for people without an organization; null before they were ever set. */
export async function instancePolicy(db: Database): Promise<StoredPolicy | null> {
  const row = await db.row<{ value: string }>("SELECT value FROM instance WHERE name = 'policy'");
  return row ? readStoredPolicy(row.value) : null;
}

/** Changes of an organization's roles and memberships go one after the other: each sees what the one before has left. */
export const oneAtATime = (organizationId: string): Statement => ({
  sql: 'UPDATE organizations SET roles_version = COALESCE(roles_version, 0) + 1 WHERE id = ?',
  values: [organizationId],
  rows: 1,
});

/** Organizations by slug, from behind one on; `only` keeps to those of these ids. */
export async function organizationPage(
  db: Database,
  only: readonly string[] | null,
  after: string,
  limit: number,
): Promise<OrganizationRow[]> {
  if (only !== null && only.length === 0) return [];
  const among = only === null ? '' : `AND id IN (${only.map(() => '?').join(', ')})`;
  return db.rows<OrganizationRow>(
    `SELECT * FROM organizations WHERE slug > ? ${among} ORDER BY slug LIMIT ?`,
    [after, ...(only ?? []), limit],
  );
}

/** True where everybody may make an account. What is not known is closed. */
export async function isRegistrationOpen(db: Database): Promise<boolean> {
  const row = await db.row<{ value: string }>("SELECT value FROM instance WHERE name = 'registration'");
  return row?.value === 'open';
}
