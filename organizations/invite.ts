import { canonicalEmail } from '../entities/users.ts';
import {
  type ImportPlan,
  importMembers,
  type ListProblem,
  planImport,
  type RowProblem,
  rowsBehind,
} from '../flows/import-members.ts';
import { inviteMember, mayTakeBack, readInvitations, revokeInvitation } from '../flows/invitations.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import type { InvitePage } from '../http/organization-pages.ts';
import type { Note, Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import { provesFirst, type SignedIn, type SignedInRoutes } from '../http/signed-in.ts';
import { rolesToGive } from '../policy/permissions.ts';
import { roles } from '../policy/types.ts';
import { textIn, uploadOf } from './upload.ts';
import { basePath, framedBy, inSession, organizationOf, textOf } from './visit.ts';
import { options, roleLabels } from './words.ts';

const problems: Readonly<Record<RowProblem, string>> = {
  bad_address: 'This is no e-mail address.',
  twice: 'This address stands here twice.',
  unknown_role: 'The role must be owner, admin or member.',
  role_too_high: 'You cannot give a role above your own.',
  already_member: 'This person is a member already.',
  already_invited: 'An invitation to this address is open already.',
  too_many: 'This address has had several invitations. Wait a while.',
  too_long: 'At most 10000 people in one list. Import the rest afterwards.',
};

interface Shown {
  readonly email?: string;
  readonly name?: string;
  readonly role?: string;
  readonly emailError?: Sentence;
  /** Sent once more on a second press: an invitation of this address is open. */
  readonly again?: boolean;
  readonly csv?: string;
  readonly csvError?: Sentence;
  readonly plan?: ImportPlan;
  /** How far an import has come that goes on. */
  readonly going?: { readonly behind: number; readonly invited: number };
  readonly note?: Note | null;
}

/** After a fresh proof, what was too long to be held is not there any more. */
const noteAfterProof = ({ ctx, held }: SignedIn, field: string): Note | null =>
  ctx.query.held === undefined || held[field] !== undefined
    ? null
    : {
        tone: 'warn',
        text: 'You have confirmed that it is you. What you entered was not kept: enter it once more.',
      };

/** Invitations, one by one or from a file, and those that wait for an answer. */
export function inviteRoutes({ get, post }: SignedInRoutes): void {
  get('/:slug/members-invite', inSession('members.invite'), (visit) =>
    showInvite(visit, {
      ...visit.held,
      again: visit.held.again !== undefined,
      note: noteAfterProof(visit, 'email'),
    }),
  );
  post('/:slug/members-invite', inSession('members.invite'), async (visit, form) => {
    const { ctx, site } = visit;
    const [email, name] = [textOf(form.email), textOf(form.name)];
    const role = roles.find((known) => known === form.role);
    if (!role) throw new RequestError('bad_request');
    // Whoever may rule an organization is not made by a session that somebody has left open, nor by a remembered browser.
    if (
      role !== 'member' &&
      (await provesFirst(visit, { keeps: ['email', 'name', 'role', 'again'] }, basePath(ctx)))
    ) {
      return;
    }
    const outcome = await inviteMember(site.services, await organizationOf(visit), {
      email,
      name,
      role,
      again: textOf(form.again) !== '' && canonicalEmail(textOf(form.again)) === canonicalEmail(email),
    });
    if (outcome.kind === 'already_invited') {
      return showInvite(visit, { email, name, role, again: true, emailError: problems.already_invited }, 409);
    }
    if (outcome.kind !== 'invited') {
      return showInvite(visit, { email, name, role, emailError: problems[outcome.kind] }, 422);
    }
    leaveFlash(ctx, site.services.ring, {
      tone: 'ok',
      text: 'The invitation is on its way. It holds for a week.',
    });
    ctx.status = 303;
    ctx.redirect(ctx.path);
  });

  post('/:slug/members-invite/:id/revoke', inSession('members.invite'), async (visit) => {
    const { ctx, site } = visit;
    if (!(await revokeInvitation(site.services, await organizationOf(visit), String(ctx.params.id)))) {
      throw new RequestError('not_found');
    }
    leaveFlash(ctx, site.services.ring, { tone: 'ok', text: 'The invitation was taken back.' });
    ctx.status = 303;
    ctx.redirect(`${basePath(ctx)}/members-invite`);
  });
}

/** People from a list, pasted or as a file: what it would do first, then some hundred at a time. */
export function importRoutes({ get, post }: SignedInRoutes): void {
  get('/:slug/members-import', inSession('members.import'), (visit) =>
    showInvite(visit, { csv: visit.held.csv ?? '', note: noteAfterProof(visit, 'csv') }),
  );
  post('/:slug/members-import', inSession('members.import'), async (visit, form) => {
    const { ctx, site } = visit;
    const there = await organizationOf(visit);
    const file = uploadOf(ctx, 'file');
    const csv = file ? textIn(file) : textOf(form.csv);
    if (csv === null)
      return unreadable(
        visit,
        '',
        'This file is no CSV. Save the list as CSV in your spreadsheet program, and choose that file.',
      );
    const isConfirmed = !file && form.confirmed === '1';
    const behind = isConfirmed ? countIn(form.behind) : 0;
    const plan = await planImport(site.services, there, csv);
    if (typeof plan === 'string') return unreadable(visit, csv, listProblems[plan]);
    const rulers = rowsBehind(plan, behind).filter(({ role }) => role !== 'member');
    // A file too comes back as what stands in it: no browser sends one again by itself.
    if (rulers.length > 0 && (await provesFirst(visit, { keeps: ['csv'] }, basePath(ctx), { csv }))) return;
    if (!isConfirmed) return showInvite(visit, { csv, plan });
    const done = await importMembers(site.services, there, plan, behind);
    const invited = countIn(form.invited) + done.invited;
    if (done.rest) {
      const { rows, behind } = done.rest;
      return showInvite(visit, { csv, plan: { fresh: rows, wrong: done.wrong }, going: { behind, invited } });
    }
    const text = {
      sentence: '{n} person was invited.|{n} people were invited.',
      values: { n: invited },
    };
    if (done.wrong.length > 0) {
      return showInvite(visit, { plan: { fresh: [], wrong: done.wrong }, going: { behind: 0, invited } });
    }
    leaveFlash(ctx, site.services.ring, { tone: 'ok', text });
    ctx.status = 303;
    ctx.redirect(`${basePath(ctx)}/members-invite`);
  });
}

/** Only ever shown, or a place in the person's own list. */
const countIn = (typed: unknown): number => (/^\d{1,6}$/.test(textOf(typed)) ? Number(typed) : 0);

const unreadable = (visit: SignedIn, csv: string, why: Sentence): Promise<void> =>
  showInvite(visit, { csv, csvError: why }, 422);

const listProblems: Readonly<Record<ListProblem, string>> = {
  empty: 'Choose a file or paste a list: there is nothing in it yet.',
  open_quote: 'A quotation mark is never closed, so nobody can say where a line ends.',
  no_addresses:
    'No e-mail addresses were found. Put one on each line, or name the columns in the first line: email, name, role.',
};

/** A page for ten thousand people would be none that anybody reads. */
const shownRows = 200;

async function showInvite(visit: SignedIn, given: Shown, status = 200): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const base = basePath(ctx);
  const { rows: waiting, total } = await readInvitations(site.services, there);
  const page: Omit<InvitePage, keyof Awaited<ReturnType<typeof framedBy>>> = {
    action: `${base}/members-invite`,
    note: given.note ?? null,
    email: given.email ?? '',
    name: given.name ?? '',
    emailError: given.emailError ?? null,
    again: given.again ? (given.email ?? '') : null,
    roles: options(
      rolesToGive(there.actor.role)
        .toReversed()
        .map((role) => [role, roleLabels[role]] as const),
      given.role ?? 'member',
    ),
    importing: `${base}/members-import`,
    csv: given.csv ?? '',
    csvError: given.csvError ?? null,
    plan: given.plan
      ? {
          count: given.plan.fresh.length,
          fresh: given.plan.fresh
            .slice(0, shownRows)
            .map(({ email, name, role }) => ({ email, name, role: roleLabels[role] })),
          left: given.plan.wrong.length,
          wrong: given.plan.wrong
            .slice(0, shownRows)
            .map(({ line, text, why }) => ({ line, text, why: problems[why] })),
        }
      : null,
    going: given.going ?? null,
    waitingMore: Math.max(0, total - shownRows),
    waiting: waiting.slice(0, shownRows).map((row) => ({
      email: row.email,
      role: roleLabels[roles.find((known) => known === row.role) ?? 'member'],
      sent: { name: row.name ?? '', role: row.role },
      until: new Date(row.expires_at),
      revoke: mayTakeBack(there.actor, row)
        ? `${base}/members-invite/${encodeURIComponent(row.id)}/revoke`
        : null,
    })),
    back: `${base}/members`,
  };
  show(ctx, site.renderer, 'organizations/invite', { ...(await framedBy(visit)), ...page }, status);
}
