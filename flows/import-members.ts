import { auditEvent } from '../audit/audit.ts';
import { canonicalEmail } from '../entities/users.ts';
import { readCsv } from '../lib/csv.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { rolesToGive } from '../policy/permissions.ts';
import { type Role, roles } from '../policy/types.ts';
import { inviteMember } from './invitations.ts';
import { actorData, type OrganizationVisit, requirePermission } from './organization-actor.ts';
import type { Services } from './services.ts';

/** People in one list. */
export const longestImport = 10_000;
/** Invited by one request; who asks for more is told where to go on. */
export const importedAtOnce = 500;

export type RowProblem =
  | 'bad_address'
  | 'twice'
  | 'unknown_role'
  | 'role_too_high'
  | 'already_member'
  | 'too_many'
  | 'too_long';

export interface ImportRow {
  /** As a spreadsheet counts, the heading being the first. */
  readonly line: number;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
}

export interface ImportPlan {
  readonly fresh: readonly ImportRow[];
  readonly wrong: readonly { readonly line: number; readonly text: string; readonly why: RowProblem }[];
}

/**
 * What a CSV text with the columns email, name and role asks for. Null where it is no such text: there is no heading that names an
 * `email` column, or a quote is left open. Rows that are wrong are told one by one; the others stand.
 */
export async function planImport(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  text: string,
): Promise<ImportPlan | null> {
  requirePermission(visit.actor, 'members.import');
  const lines = readCsv(text);
  const heading = lines?.[0]?.map((name) => name.trim().toLowerCase());
  const column = (name: string) => heading?.indexOf(name) ?? -1;
  const emailAt = column('email');
  if (!lines || emailAt < 0) return null;

  const fresh: ImportRow[] = [];
  const wrong: ImportPlan['wrong'][number][] = [];
  const seen = new Set<string>();
  for (const [index, fields] of lines.entries()) {
    if (index === 0 || fields.every((field) => field.trim() === '')) continue;
    const line = index + 1;
    const email = canonicalEmail(fields[emailAt] ?? '');
    const given = (fields[column('role')] ?? '').trim().toLowerCase() || 'member';
    const role = roles.find((known) => known === given);
    const problem = problemOf(visit, email, role, seen.has(email), fresh.length);
    seen.add(email);
    if (problem !== null || role === undefined) {
      wrong.push({ line, text: fields.join(', ').slice(0, 120), why: problem ?? 'unknown_role' });
    } else {
      fresh.push({ line, email, name: (fields[column('name')] ?? '').trim().slice(0, 200) || null, role });
    }
  }
  const members = await membersAmong(services, visit, fresh);
  return {
    fresh: fresh.filter(({ email }) => !members.has(email)),
    wrong: [
      ...wrong,
      ...fresh
        .filter(({ email }) => members.has(email))
        .map(({ line, email }) => ({ line, text: email, why: 'already_member' as const })),
    ].sort((a, b) => a.line - b.line),
  };
}

function problemOf(
  { actor }: OrganizationVisit,
  email: string,
  role: Role | undefined,
  isTwice: boolean,
  before: number,
): RowProblem | null {
  if (asciiAddress(email) === null) return 'bad_address';
  if (isTwice) return 'twice';
  if (role === undefined) return 'unknown_role';
  if (!rolesToGive(actor.role).includes(role)) return 'role_too_high';
  return before >= longestImport ? 'too_long' : null;
}

async function membersAmong(
  { db }: Pick<Services, 'db'>,
  { organization }: OrganizationVisit,
  rows: readonly ImportRow[],
): Promise<Set<string>> {
  if (rows.length === 0) return new Set();
  const found = await db.rows<{ email: string }>(
    `SELECT u.email FROM users u JOIN memberships m ON m.user_id = u.id AND m.organization_id = ? AND m.removed_at IS NULL
     WHERE u.email IN (${rows.map(() => '?').join(', ')})`,
    [organization.id, ...rows.map(({ email }) => email)],
  );
  return new Set(found.map(({ email }) => email));
}

/**
 * Invites those whom the text names rightly, behind one of its lines, and no more than `importedAtOnce`: nobody becomes a member of
 * anything without having said yes. Null where the text is none that can be read.
 */
export async function importMembers(
  services: Pick<Services, 'db' | 'notify' | 'settings'>,
  visit: OrganizationVisit,
  text: string,
  behind = 0,
): Promise<{
  readonly invited: number;
  readonly wrong: ImportPlan['wrong'];
  /** Who is still to be invited, and behind which line that begins; null where everybody was. */
  readonly rest: { readonly rows: readonly ImportRow[]; readonly behind: number } | null;
} | null> {
  const plan = await planImport(services, visit, text);
  if (!plan) return null;
  const wrong: ImportPlan['wrong'][number][] = [];
  const rows = plan.fresh.filter(({ line }) => line > behind);
  const now = rows.slice(0, importedAtOnce);
  let invited = 0;
  for (const { line, email, name, role } of now) {
    const outcome = await inviteMember(services, visit, { email, name, role });
    if (outcome.kind === 'invited') invited += 1;
    else wrong.push({ line, text: email, why: outcome.kind });
    await new Promise(setImmediate);
  }
  const { sql, values } = auditEvent(services.db, visit.actor.origin, {
    type: 'members.imported',
    userId: visit.actor.kind === 'person' ? visit.actor.id : null,
    organizationId: visit.organization.id,
    data: { ...actorData(visit.actor), invited, wrong: wrong.length },
  });
  await services.db.change(sql, values);
  const last = now.at(-1);
  const rest = rows.slice(importedAtOnce);
  return { invited, wrong, rest: last && rest.length > 0 ? { rows: rest, behind: last.line } : null };
}
