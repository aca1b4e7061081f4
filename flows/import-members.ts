import { auditEvent } from '../audit/audit.ts';
import { openInvitationsAmong } from '../entities/invitations.ts';
import { canonicalEmail } from '../entities/users.ts';
import { readCsv } from '../lib/csv.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { longestName, oneLine } from '../lib/one-line.ts';
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
  | 'already_invited'
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

/** Why a text is no list: nothing stands in it, a quote is left open, or no column is named `email` and the first holds no addresses. */
export type ListProblem = 'empty' | 'open_quote' | 'no_addresses';

/**
 * What a CSV text with the columns email, name and role asks for; without a heading, the first column is the addresses, and the rest is
 * read as name and role. Rows that are wrong are told one by one; the others stand. Whoever has an open invitation is left out, so a list
 * that was broken off goes on where it stopped when it is given again.
 */
export async function planImport(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  text: string,
): Promise<ImportPlan | ListProblem> {
  requirePermission(visit.actor, 'members.import');
  const lines = readCsv(text);
  if (!lines) return 'open_quote';
  const first = lines.findIndex((fields) => fields.some((field) => field.trim() !== ''));
  const top = lines[first]?.map((name) => name.trim().toLowerCase());
  if (!top) return 'empty';
  const hasHeading = top.includes('email');
  if (!hasHeading && asciiAddress(canonicalEmail(top[0] ?? '')) === null) return 'no_addresses';
  const heading = hasHeading ? top : ['email', 'name', 'role'];
  const column = (name: string) => heading.indexOf(name);
  const emailAt = column('email');

  const fresh: ImportRow[] = [];
  const wrong: ImportPlan['wrong'][number][] = [];
  const seen = new Set<string>();
  for (const [index, fields] of lines.entries()) {
    if (index < first || (hasHeading && index === first) || fields.every((field) => field.trim() === ''))
      continue;
    // A long list holds nobody else up.
    if (index % 1000 === 999) await new Promise(setImmediate);
    const line = index + 1;
    const email = canonicalEmail(fields[emailAt] ?? '');
    const given = (fields[column('role')] ?? '').trim().toLowerCase() || 'member';
    const role = roles.find((known) => known === given);
    const problem = problemOf(visit, email, role, seen.has(email), fresh.length);
    seen.add(email);
    if (problem !== null || role === undefined) {
      wrong.push({ line, text: fields.join(', ').slice(0, 120), why: problem ?? 'unknown_role' });
    } else {
      fresh.push({ line, email, name: oneLine(fields[column('name')] ?? '', longestName) || null, role });
    }
  }
  const members = await membersAmong(services, visit, fresh);
  const { db } = services;
  const invited = await openInvitationsAmong(
    db,
    visit.organization.id,
    fresh.map(({ email }) => email),
    db.clock.now(),
  );
  const leftOut = (email: string): RowProblem | null =>
    members.has(email) ? 'already_member' : invited.has(email) ? 'already_invited' : null;
  return {
    fresh: fresh.filter(({ email }) => leftOut(email) === null),
    wrong: [
      ...wrong,
      ...fresh.flatMap(({ line, email }) => {
        const why = leftOut(email);
        return why === null ? [] : [{ line, text: email, why }];
      }),
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

/** Those of a plan who come behind one of its lines. */
export const rowsBehind = ({ fresh }: ImportPlan, behind: number): readonly ImportRow[] =>
  fresh.filter(({ line }) => line > behind);

/**
 * Invites those whom a list names rightly, behind one of its lines, and no more than `importedAtOnce`: nobody becomes a member of
 * anything without having said yes.
 */
export async function importMembers(
  services: Pick<Services, 'db' | 'notify' | 'settings'>,
  visit: OrganizationVisit,
  plan: ImportPlan,
  behind = 0,
): Promise<{
  readonly invited: number;
  readonly wrong: ImportPlan['wrong'];
  /** Who is still to be invited, and behind which line that begins; null where everybody was. */
  readonly rest: { readonly rows: readonly ImportRow[]; readonly behind: number } | null;
}> {
  const wrong: ImportPlan['wrong'][number][] = [];
  const rows = rowsBehind(plan, behind);
  const now = rows.slice(0, importedAtOnce);
  let invited = 0;
  for (const { line, email, name, role } of now) {
    const outcome = await inviteMember(services, visit, { email, name, role, again: false });
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
