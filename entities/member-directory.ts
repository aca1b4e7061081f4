import { folded } from '../lib/folded.ts';
import { type Method, methods, type Role, roles } from '../policy/types.ts';
import type { Database, Statement, Value } from './database.ts';

/**
 * Members as lists of a hundred thousand need them. Each membership carries, beside its own columns, a copy of what lists filter and
 * sort by: the address, the name, and `facets`, a number that says the rest. One index that begins with the facets answers every
 * combination of filters by as many short look-ups as there are different numbers (docs/decisions/0011-member-directory.md).
 */

/** What the number says. */
export interface Facets {
  readonly role: Role;
  readonly hasSignedIn: boolean;
  readonly isDisabled: boolean;
  /** Also where it is gone. */
  readonly everHadFactor: boolean;
  readonly isReset: boolean;
  /** Of confirmed factors that can be used. */
  readonly methods: readonly Method[];
}

const bits = { signedIn: 4, disabled: 8, hadFactor: 16, reset: 32 } as const;
const bitOf = (method: Method): number => 64 << methods.indexOf(method);

export const facetsFrom = (n: number): Facets => ({
  role: roles[n & 3] ?? 'member',
  hasSignedIn: (n & bits.signedIn) !== 0,
  isDisabled: (n & bits.disabled) !== 0,
  everHadFactor: (n & bits.hadFactor) !== 0,
  isReset: (n & bits.reset) !== 0,
  methods: methods.filter((method) => (n & bitOf(method)) !== 0),
});

/** Who has left has no number, and so stands in no list. */
const facets = `CASE WHEN removed_at IS NOT NULL THEN NULL ELSE
  CASE role ${roles.map((role, n) => `WHEN '${role}' THEN ${n}`).join(' ')} ELSE ${roles.indexOf('member')} END
  + (SELECT CASE WHEN u.last_sign_in_at IS NULL THEN 0 ELSE ${bits.signedIn} END
      + CASE WHEN u.disabled_at IS NULL THEN 0 ELSE ${bits.disabled} END
      + CASE WHEN u.had_factor_at IS NULL THEN 0 ELSE ${bits.hadFactor} END
      + CASE WHEN u.reset_at IS NULL THEN 0 ELSE ${bits.reset} END
     FROM users u WHERE u.id = memberships.user_id)
  + COALESCE((SELECT SUM(DISTINCT CASE f.method ${methods.map((method) => `WHEN '${method}' THEN ${bitOf(method)}`).join(' ')} ELSE 0 END)
     FROM factors f WHERE f.user_id = memberships.user_id AND f.disabled_at IS NULL), 0)
END`;

const nameLength = 100;

/**
 * Brings what lists know of these people up to date with their users, factors and memberships. It belongs behind every statement that
 * changes one of those (`Statement.followedBy`).
 */
export const refreshDirectory = (userIds: readonly string[]): Statement => ({
  sql: `UPDATE memberships SET facets = ${facets},
          email_key = (SELECT u.email FROM users u WHERE u.id = memberships.user_id),
          name_key = (SELECT COALESCE(u.name_key, '') FROM users u WHERE u.id = memberships.user_id),
          surname_key = (SELECT COALESCE(u.surname_key, '') FROM users u WHERE u.id = memberships.user_id)
        WHERE user_id IN (${userIds.map(() => '?').join(', ')})`,
  values: userIds,
});

/** The same for many, in few statements. */
export const refreshMany = (userIds: readonly string[]): Statement[] =>
  Array.from({ length: Math.ceil(userIds.length / usersAtOnce) }, (_, n) =>
    refreshDirectory(userIds.slice(n * usersAtOnce, (n + 1) * usersAtOnce)),
  );

const usersAtOnce = 500;

/** How names are compared, and looked for. */
export const nameKey = (typed: string): string => Array.from(folded(typed)).slice(0, nameLength).join('');

/** What stands beside a name wherever it is written: what lists sort it by, whole and by its last word. */
export const nameKeys = (name: string | null): { name_key: string; surname_key: string } => ({
  name_key: nameKey(name ?? ''),
  surname_key: nameKey(name?.trim().split(/\s+/).at(-1) ?? ''),
});

/** The different numbers of an organization: a handful, whatever its size. */
export async function facetsIn(db: Database, organizationId: string): Promise<number[]> {
  if (db.dialect === 'mysql') {
    // Each is one look into the index; SELECT DISTINCT would read all of it.
    const found: number[] = [];
    for (let last = -1; ; ) {
      const next = await db.row<{ n: number | string | null }>(
        'SELECT MIN(facets) AS n FROM memberships WHERE organization_id = ? AND facets > ?',
        [organizationId, last],
      );
      if (next?.n == null) return found;
      last = Number(next.n);
      found.push(last);
    }
  }
  const rows = await db.rows<{ n: number | null }>(
    `WITH RECURSIVE found (n) AS (
       SELECT MIN(facets) FROM memberships WHERE organization_id = ?
       UNION ALL
       SELECT (SELECT MIN(facets) FROM memberships WHERE organization_id = ? AND facets > found.n) FROM found WHERE found.n IS NOT NULL
     ) SELECT n FROM found WHERE n IS NOT NULL`,
    [organizationId, organizationId],
  );
  return rows.flatMap(({ n }) => (n === null ? [] : [Number(n)]));
}

/** Since when somebody must have been required for their grace to be over; how `graceDeadline` reads in SQL. */
export interface GraceOver {
  /** Now less the grace. */
  readonly before: Date;
  readonly everybodySince: Date | null;
  readonly adminsSince: Date | null;
}

/** True of a membership whose grace is over, by the rules of policy/grace.ts. */
function graceIsOver(role: Role, over: GraceOver): { sql: string; values: readonly Value[] } {
  const before = over.before.getTime();
  const conditions = ['(grace_started_at IS NOT NULL AND grace_started_at <= ?)'];
  const values: Value[] = [before];
  if (over.everybodySince !== null && over.everybodySince.getTime() <= before) {
    conditions.push('joined_at <= ?');
    values.push(before);
  }
  if (role !== 'member' && over.adminsSince !== null && over.adminsSince.getTime() <= before) {
    conditions.push('(joined_at <= ? AND COALESCE(admin_since, joined_at) <= ?)');
    values.push(before, before);
  }
  if (over.everybodySince === null && (role === 'member' || over.adminsSince === null)) {
    conditions.push('grace_started_at IS NULL');
  }
  return { sql: `(${conditions.join(' OR ')})`, values };
}

/** One of the numbers that a list wants, and which of its members. */
export interface Wanted {
  readonly facets: number;
  readonly grace: 'any' | 'running' | 'over';
  readonly passkey: PasskeyWanted;
}

/** Whether a passkey is of one of the listed models, which no number says; `any` where that makes no difference. */
export type PasskeyWanted = 'any' | 'listed' | 'unlisted';

function passkeyIs(
  wanted: PasskeyWanted,
  models: readonly string[],
): { sql: string; values: readonly Value[] } | null {
  if (wanted === 'any') return null;
  const listed = models.length === 0 ? 'NULL' : models.map(() => '?').join(', ');
  return {
    sql: `${wanted === 'listed' ? '' : 'NOT '}EXISTS (SELECT 1 FROM factors f WHERE f.user_id = memberships.user_id
      AND f.method = 'passkey' AND f.disabled_at IS NULL AND f.model IN (${listed}))`,
    values: models,
  };
}

/** By what a list is in order; names are not unique, so the user decides between equal ones. */
export const directoryOrders = ['email', 'name', 'surname'] as const;
export type DirectoryOrder = (typeof directoryOrders)[number];
export interface Place {
  readonly key: string;
  readonly userId: string;
}

/** The next members of a list, in order; as many short look-ups as there are numbers wanted, however many members there are. */
export async function directoryPage(
  db: Database,
  question: {
    readonly organizationId: string;
    readonly wanted: readonly Wanted[];
    readonly over: GraceOver;
    /** Of passkeys, as the policy lists them. */
    readonly models: readonly string[];
    readonly order: DirectoryOrder;
    /** Only those whose address, name or last name begins so; empty for all. */
    readonly prefix: string;
    /** Those who were listed before, because their address or name begins so. */
    readonly unless: { readonly [Order in DirectoryOrder]?: string };
    readonly after: Place | null;
    readonly limit: number;
  },
): Promise<Place[]> {
  const { organizationId, wanted, over, order, prefix, after, limit } = question;
  if (wanted.length === 0) return [];
  const column = `${order}_key`;
  const values: Value[] = [];
  const parts = wanted.map(({ facets: n, grace, passkey }) => {
    const conditions = ['organization_id = ?', 'facets = ?'];
    values.push(organizationId, n);
    if (prefix !== '') {
      conditions.push(`${column} >= ?`, `${column} < ?`);
      values.push(prefix, endOf(prefix));
    }
    if (after !== null) {
      // Twice, so that the index is entered at the right place.
      conditions.push(`${column} >= ?`, `(${column} > ? OR user_id > ?)`);
      values.push(after.key, after.key, after.userId);
    }
    for (const [listed, begin] of Object.entries(question.unless)) {
      conditions.push(`NOT (${listed}_key >= ? AND ${listed}_key < ?)`);
      values.push(begin, endOf(begin));
    }
    if (grace !== 'any') {
      const isOver = graceIsOver(facetsFrom(n).role, over);
      conditions.push(grace === 'over' ? isOver.sql : `NOT ${isOver.sql}`);
      values.push(...isOver.values);
    }
    const isPasskey = passkeyIs(passkey, question.models);
    if (isPasskey) {
      conditions.push(isPasskey.sql);
      values.push(...isPasskey.values);
    }
    values.push(limit);
    return `SELECT * FROM (SELECT ${column} AS k, user_id AS u FROM memberships
      WHERE ${conditions.join(' AND ')} ORDER BY ${column}, user_id LIMIT ?) part`;
  });
  const rows = await db.rows<{ k: string; u: string }>(`${parts.join(' UNION ALL ')} ORDER BY k, u LIMIT ?`, [
    ...values,
    limit,
  ]);
  return rows.map(({ k, u }) => ({ key: k, userId: u }));
}

/** The first text that does not begin so any more. */
const endOf = (prefix: string): string => `${prefix}\u{10ffff}`;

/** How many members have each number. */
export async function countDirectory(
  db: Database,
  organizationId: string,
): Promise<{ facets: number; members: number }[]> {
  if (db.dialect === 'sqlite') {
    const found: { facets: number; members: number }[] = [];
    for (const facets of await facetsIn(db, organizationId)) {
      const members = await countInSteps(db, organizationId, facets, '1 = 1', []);
      found.push({ facets, members });
    }
    return found;
  }
  const rows = await db.rows<{ n: number; members: number | string }>(
    'SELECT facets AS n, COUNT(*) AS members FROM memberships WHERE organization_id = ? AND facets IS NOT NULL GROUP BY facets',
    [organizationId],
  );
  return rows.map((row) => ({ facets: Number(row.n), members: Number(row.members) }));
}

/** Members of one number, so many in all; those with a passkey of the listed models, or without, where that matters. */
export interface Counted {
  readonly facets: number;
  readonly members: number;
  readonly passkey: PasskeyWanted;
  readonly models: readonly string[];
}

/** Of the members who have one number, those who have a passkey of one of the listed models. */
export const countListedPasskeys = (
  db: Database,
  organizationId: string,
  facets: number,
  models: readonly string[],
): Promise<number> =>
  countOf(db, organizationId, { facets, members: null, passkey: 'listed', models }, '1 = 1', []);

/** SQLite counts on the main thread: so many at a time, some milliseconds, and others have a turn in between. */
const countedAtOnce = 5_000;

/** @param members of this number, where that is known */
async function countOf(
  db: Database,
  organizationId: string,
  { facets: n, members, passkey, models }: Omit<Counted, 'members'> & { readonly members: number | null },
  condition: string,
  values: readonly Value[],
): Promise<number> {
  const isPasskey = passkeyIs(passkey, models);
  if (db.dialect === 'sqlite' && (members === null || members > countedAtOnce)) {
    const all = isPasskey ? `(${condition}) AND ${isPasskey.sql}` : condition;
    return countInSteps(db, organizationId, n, all, [...values, ...(isPasskey?.values ?? [])]);
  }
  const row = await db.row<{ n: number | string }>(
    `SELECT COUNT(*) AS n FROM memberships WHERE organization_id = ? AND facets = ? AND ${condition}
     ${isPasskey ? `AND ${isPasskey.sql}` : ''}`,
    [organizationId, n, ...values, ...(isPasskey?.values ?? [])],
  );
  return Number(row?.n ?? 0);
}

async function countInSteps(
  db: Database,
  organizationId: string,
  n: number,
  condition: string,
  values: readonly Value[],
): Promise<number> {
  let counted = 0;
  for (let last = ''; ; ) {
    const step = await db.row<{ seen: number; n: number; last: string | null }>(
      `SELECT COUNT(*) AS seen, COALESCE(SUM(CASE WHEN ${condition} THEN 1 ELSE 0 END), 0) AS n, MAX(email_key) AS last
       FROM (SELECT user_id, email_key, joined_at, grace_started_at, admin_since FROM memberships
         WHERE organization_id = ? AND facets = ? AND email_key > ? ORDER BY email_key LIMIT ${countedAtOnce}) memberships`,
      [...values, organizationId, n, last],
    );
    counted += step?.n ?? 0;
    if (!step || step.last === null || step.seen < countedAtOnce) return counted;
    last = step.last;
    await new Promise(setImmediate);
  }
}

/** Whether so few joined since that they are counted at once, by the index that is in order of joining. */
async function joinedFew(db: Database, organizationId: string, n: number, since: number): Promise<boolean> {
  if (db.dialect === 'mysql') return true;
  const row = await db.row<{ n: number }>(
    `SELECT COUNT(*) AS n FROM (SELECT 1 FROM memberships WHERE organization_id = ? AND facets = ? AND joined_at > ?
       LIMIT ${countedAtOnce})`,
    [organizationId, n, since],
  );
  return (row?.n ?? 0) < countedAtOnce;
}

/** Of these members, those whose grace is over. */
export async function countGraceOver(
  db: Database,
  organizationId: string,
  counted: Counted,
  over: GraceOver,
): Promise<number> {
  const before = over.before.getTime();
  const isOver = graceIsOver(facetsFrom(counted.facets).role, over);
  // Where it is over for everybody but those who joined lately, these few are counted: the index is in order of joining.
  if (over.everybodySince !== null && over.everybodySince.getTime() <= before) {
    const condition = `joined_at > ? AND NOT ${isOver.sql}`;
    const atOnce = await joinedFew(db, organizationId, counted.facets, before);
    const running = await countOf(
      db,
      organizationId,
      { ...counted, members: atOnce ? 0 : counted.members },
      condition,
      [before, ...isOver.values],
    );
    return counted.members - running;
  }
  return countOf(db, organizationId, counted, isOver.sql, isOver.values);
}

/** What a list shows of each. */
export interface ListedMember {
  readonly user_id: string;
  readonly email: string;
  readonly name: string | null;
  /** In which they are written to. */
  readonly locale: string | null;
  readonly role: Role;
  readonly facets: number;
  readonly joined_at: number;
  readonly admin_since: number | null;
  readonly grace_started_at: number | null;
  readonly last_sign_in_at: number | null;
  readonly last_sign_in_acr: string | null;
  readonly last_sign_in_client_id: string | null;
  /** Of usable passkeys, with commas between; null where no maker has attested any. */
  readonly passkey_models: string | null;
}

const listed = `SELECT m.user_id, u.email, u.name, COALESCE(u.locale, u.last_language) AS locale, m.role, m.facets, m.joined_at, m.admin_since, m.grace_started_at,
  u.last_sign_in_at, u.last_sign_in_acr, u.last_sign_in_client_id,
  (SELECT GROUP_CONCAT(f.model) FROM factors f WHERE f.user_id = u.id AND f.method = 'passkey' AND f.disabled_at IS NULL) AS passkey_models
  FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.organization_id = ? AND m.removed_at IS NULL`;

/** These members, in the order of the list. */
export async function listedMembers(
  db: Database,
  organizationId: string,
  userIds: readonly string[],
): Promise<ListedMember[]> {
  if (userIds.length === 0) return [];
  const rows = await db.rows<ListedMember>(
    `${listed} AND m.user_id IN (${userIds.map(() => '?').join(', ')})`,
    [organizationId, ...userIds],
  );
  const found = new Map(rows.map((row) => [row.user_id, row]));
  return userIds.flatMap((id) => found.get(id) ?? []);
}

/** One member of this very organization; null for everybody else. */
export const listedMember = (db: Database, organizationId: string, userId: string) =>
  db.row<ListedMember>(`${listed} AND m.user_id = ?`, [organizationId, userId]);
