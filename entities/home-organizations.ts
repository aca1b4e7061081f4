import type { Database } from './database.ts';

/**
 * True where this organization answers for a person's account: it has made the account, or has proved that the domain of their verified
 * address is its own (product.md §4). Nobody becomes it because another one has let the person go. Takes `organization` twice, where
 * that is a parameter.
 */
export const isHomeOf = (user: string, organization: string): string =>
  `(${user}.home_organization_id = ${organization} OR (${user}.email_verified = 1 AND EXISTS (
      SELECT 1 FROM upstream_domains d JOIN upstream_providers p ON p.id = d.provider_id
      WHERE p.organization_id = ${organization} AND d.verified_domain = SUBSTR(${user}.email, INSTR(${user}.email, '@') + 1))))`;

export const isHome = async (db: Database, userId: string, organizationId: string): Promise<boolean> =>
  (await db.row(`SELECT 1 AS yes FROM users u WHERE u.id = ? AND ${isHomeOf('u', '?')}`, [
    userId,
    organizationId,
    organizationId,
  ])) !== null;

/** Those of the organizations a person belongs to that answer for their account, by id. */
export async function homesOf(db: Database, userId: string): Promise<ReadonlySet<string>> {
  const rows = await db.rows<{ id: string }>(
    `SELECT m.organization_id AS id FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.user_id = ? AND m.removed_at IS NULL AND ${isHomeOf('u', 'm.organization_id')}`,
    [userId],
  );
  return new Set(rows.map(({ id }) => id));
}
