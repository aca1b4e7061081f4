import type { ApplicationRow } from './applications.ts';
import type { Database, Statement, Value } from './database.ts';
import type { FactorRow } from './factors.ts';
import type { MembershipRow } from './memberships.ts';
import type { OrganizationRow } from './organizations.ts';
import type { UpstreamDomainRow, UpstreamProviderRow } from './upstream-providers.ts';
import type { UserRow } from './users.ts';

/** Questions about many rows at once, for `apply` and `export`. */

/** The part of the database that a configuration can touch. */
export interface StoredConfiguration {
  /** The text as it stands, so that a later write can tell whether it is still the same. */
  readonly instancePolicy: string | null;
  /** Who may make an account; null: nobody by themselves. */
  readonly registration: string | null;
  readonly organizations: readonly OrganizationRow[];
  readonly applications: readonly ApplicationRow[];
  readonly users: readonly UserRow[];
  /** Also those that were left. */
  readonly memberships: readonly MembershipRow[];
  readonly factors: readonly FactorRow[];
  readonly providers: readonly UpstreamProviderRow[];
  readonly domains: readonly UpstreamDomainRow[];
}

const chunkOfKeys = 500;

/** @param emails in the one spelling of `canonicalEmail`; null for everybody */
export async function storedConfiguration(
  db: Database,
  emails: readonly string[] | null,
): Promise<StoredConfiguration> {
  const instance = await db.row<{ value: string }>("SELECT value FROM instance WHERE name = 'policy'");
  const registration = await db.row<{ value: string }>(
    "SELECT value FROM instance WHERE name = 'registration'",
  );
  const organizations = await db.rows<OrganizationRow>('SELECT * FROM organizations ORDER BY slug');
  const applications = await db.rows<ApplicationRow>('SELECT * FROM applications ORDER BY client_id');
  const users =
    emails === null
      ? await db.rows<UserRow>('SELECT * FROM users ORDER BY email')
      : await rowsIn<UserRow>(db, 'SELECT * FROM users WHERE email IN', emails);
  const ids = users.map(({ id }) => id);
  const memberships =
    emails === null
      ? await db.rows<MembershipRow>('SELECT * FROM memberships')
      : await rowsIn<MembershipRow>(db, 'SELECT * FROM memberships WHERE user_id IN', ids);
  const factors =
    emails === null
      ? await db.rows<FactorRow>('SELECT * FROM factors ORDER BY confirmed_at, id')
      : await rowsIn<FactorRow>(db, 'SELECT * FROM factors WHERE user_id IN', ids);
  return {
    instancePolicy: instance?.value ?? null,
    registration: registration?.value ?? null,
    organizations,
    applications,
    users,
    memberships,
    providers: await db.rows<UpstreamProviderRow>('SELECT * FROM upstream_providers ORDER BY name_key'),
    domains: await db.rows<UpstreamDomainRow>('SELECT * FROM upstream_domains ORDER BY domain'),
    factors: factors.toSorted((a, b) => a.confirmed_at - b.confirmed_at || (a.id < b.id ? -1 : 1)),
  };
}

/** Many rows by many keys, a few hundred at a time. */
export async function rowsIn<Row>(db: Database, question: string, keys: readonly string[]): Promise<Row[]> {
  const found: Row[] = [];
  for (let start = 0; start < keys.length; start += chunkOfKeys) {
    const chunk = keys.slice(start, start + chunkOfKeys);
    found.push(...(await db.rows<Row>(`${question} (${chunk.map(() => '?').join(', ')})`, chunk)));
  }
  return found;
}

// Below the 32 766 variables of SQLite, and far below the smallest max_allowed_packet in use.
const rowsPerInsert = 500;
const charactersPerInsert = 512 * 1024;

/** Many new rows with the same columns, in few statements. */
export function insertMany(table: string, rows: readonly Readonly<Record<string, Value>>[]): Statement[] {
  const columns = Object.keys(rows[0] ?? {});
  const tuple = `(${columns.map(() => '?').join(', ')})`;
  return chunked(rows).map((chunk) => ({
    sql: `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${chunk.map(() => tuple).join(', ')}`,
    values: chunk.flatMap((row) => columns.map((column) => row[column] ?? null)),
    rows: chunk.length,
  }));
}

function chunked<Row extends Readonly<Record<string, Value>>>(rows: readonly Row[]): Row[][] {
  const chunks: Row[][] = [];
  let characters = 0;
  for (const row of rows) {
    const size = Object.values(row).reduce<number>((sum, value) => sum + String(value ?? '').length, 0);
    const last = chunks.at(-1);
    if (last && last.length < rowsPerInsert && characters + size <= charactersPerInsert) {
      last.push(row);
      characters += size;
    } else {
      chunks.push([row]);
      characters = size;
    }
  }
  return chunks;
}

/** One row's new values, by its key. `where` and `rows: 1` refuse the write where the row has changed meanwhile. */
export function updateRow(
  table: string,
  key: Readonly<Record<string, Value>>,
  changes: Readonly<Record<string, Value>>,
  where: Readonly<Record<string, Value>> = {},
): Statement {
  const condition = { ...key, ...where };
  return {
    sql: `UPDATE ${table} SET ${Object.keys(changes)
      .map((column) => `${column} = ?`)
      .join(', ')} WHERE ${Object.keys(condition)
      .map((column) => `${column} = ?`)
      .join(' AND ')}`,
    values: [...Object.values(changes), ...Object.values(condition)],
    rows: 1,
  };
}

export interface MemberWithoutFactor {
  readonly user_id: string;
  readonly organization_id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: string;
  readonly joined_at: number;
  readonly admin_since: number | null;
  readonly grace_started_at: number | null;
}

/** Members in one of these roles who have no confirmed factor; nobody who has left or is disabled. */
export const membersWithoutFactor = (
  db: Database,
  organizationIds: readonly string[],
  roles: readonly string[],
) =>
  db.rows<MemberWithoutFactor>(
    `SELECT m.user_id, m.organization_id, u.email, u.name, m.role, m.joined_at, m.admin_since, m.grace_started_at
     FROM memberships m JOIN users u ON u.id = m.user_id
     WHERE m.organization_id IN (${organizationIds.map(() => '?').join(', ')})
       AND m.role IN (${roles.map(() => '?').join(', ')})
       AND m.removed_at IS NULL AND u.disabled_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id AND f.disabled_at IS NULL)
     ORDER BY u.email, m.organization_id`,
    [...organizationIds, ...roles],
  );

/** Which of these addresses are here already. */
export const knownEmails = (db: Database, emails: readonly string[]) =>
  rowsIn<{ email: string }>(db, 'SELECT email FROM users WHERE email IN', emails);

/** Whose the factors are that are found by these digests. */
export const ownersOfLookups = (db: Database, lookups: readonly string[]) =>
  rowsIn<{ lookup: string; email: string }>(
    db,
    'SELECT f.lookup, u.email FROM factors f JOIN users u ON u.id = f.user_id WHERE f.lookup IN',
    lookups,
  );
