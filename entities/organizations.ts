import type { Database } from './database.ts';
import { readStoredPolicy, type StoredPolicy } from './memberships.ts';

export interface OrganizationRow {
  id: string;
  slug: string;
  name: string;
  policy: string;
  created_at: number;
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
