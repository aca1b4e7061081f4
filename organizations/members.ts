import { Readable } from 'node:stream';
import { factors } from '../factors/index.ts';
import { helpWanted } from '../flows/ask-for-help.ts';
import { changeRole, type MemberOutcome, removeMember } from '../flows/change-member.ts';
import { disconnectMember } from '../flows/disconnect-member.ts';
import { exportMembers } from '../flows/export-members.ts';
import {
  countMembers,
  type MemberEntry,
  type MemberFilter,
  memberFilter,
  readMember,
  readMemberFigures,
  readMembers,
} from '../flows/read-members.ts';
import {
  hasSomethingToReset,
  identityChecks,
  type ResetOutcome,
  resetReason,
  resetTwoFactorByMail,
  resetTwoFactorNow,
} from '../flows/reset-two-factor.ts';
import { deviceName, storedName } from '../http/device-name.ts';
import { RequestError } from '../http/errors.ts';
import { leaveFlash } from '../http/flash.ts';
import type { Tag } from '../http/organization-pages.ts';
import type { Note, Sentence } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { Form, SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { notYetDone } from '../http/signed-in-page.ts';
import { csvLine } from '../lib/csv.ts';
import { mayOverMember, rolesToGive } from '../policy/permissions.ts';
import { roles } from '../policy/types.ts';
import { ownClientId } from '../provider/own-application.ts';
import { askOnceMore } from './confirm.ts';
import { roleTable } from './role-table.ts';
import { basePath, framedBy, inSession, lineOf, organizationOf, textOf, withProof } from './visit.ts';
import { memberRow, methodLabel, options, roleLabels, signInWords, stateTag } from './words.ts';

const any = (label: Sentence) => ['', label] as const;

/** The members of an organization, one of them, and what can be done to them. */
export function memberRoutes({ get, post }: SignedInRoutes): void {
  get('/:slug/members', inSession('members.read'), showMembers);
  get('/:slug/members-export', inSession('members.export'), async (visit) => {
    const { ctx, site } = visit;
    const there = await organizationOf(visit);
    const read = memberFilter.safeParse(filterGiven(visit));
    if (!read.success) throw new RequestError('bad_request');
    ctx.attachment(`members-${there.organization.slug}.csv`);
    ctx.type = 'text/csv';
    ctx.body = Readable.from(csvOf(exportMembers(site.services, there, read.data)));
  });
  get('/:slug/members/:id', inSession('members.read'), showMember);

  get('/:slug/members/:id/reset', inSession('members.reset_two_factor'), (visit) =>
    showReset(visit, visit.held, {}),
  );
  post(
    '/:slug/members/:id/reset',
    withProof('members.reset_two_factor', ['form', 'identityCheck', 'reason']),
    reset,
  );

  // Where a fresh proof leads back to: the form is on the member's own page, and has the role that was chosen.
  get('/:slug/members/:id/role', inSession('members.change_role'), ({ ctx, site, held }) => {
    const own = `${basePath(ctx)}/members/${encodeURIComponent(String(ctx.params.id))}`;
    const chosen = roles.find((known) => known === held.role);
    if (chosen) leaveFlash(ctx, site.services.ring, notYetDone);
    ctx.redirect(chosen ? `${own}?role=${chosen}` : own);
  });
  post('/:slug/members/:id/role', withProof('members.change_role', ['role']), async (visit, form) => {
    const { ctx, site } = visit;
    const role = roles.find((known) => known === form.role);
    if (!role) throw new RequestError('bad_request');
    const outcome = await changeRole(site.services, await organizationOf(visit), {
      userId: String(ctx.params.id),
      role,
    });
    const wasSo = outcome.kind === 'done' && outcome.wasSo;
    told(
      visit,
      outcome,
      wasSo
        ? 'The person has this role already: nothing is changed.'
        : 'The role is changed. The person gets a mail.',
    );
  });

  get('/:slug/members/:id/disconnect', inSession('members.disconnect'), async (visit) => {
    const { ctx, site } = visit;
    const member = await readMember(site.services, await organizationOf(visit), String(ctx.params.id));
    if (!member) throw new RequestError('not_found');
    await askOnceMore(visit, {
      title: { sentence: 'Sign {name} out everywhere?', values: { name: member.name ?? member.email } },
      consequences: [
        'All sessions end at once, here and in every application, and remembered devices are forgotten.',
        'Factors and password stay: the person can sign in again, with their second factor.',
      ],
      button: 'Sign out everywhere',
      cancel: `${basePath(ctx)}/members/${encodeURIComponent(member.id)}`,
    });
  });
  post('/:slug/members/:id/disconnect', withProof('members.disconnect'), async (visit) => {
    const { ctx, site } = visit;
    const outcome = await disconnectMember(site.services, await organizationOf(visit), {
      userId: String(ctx.params.id),
      reason: "on the member's page",
    });
    told(visit, outcome, 'The person was signed out everywhere.');
  });

  get('/:slug/members/:id/remove', inSession('members.remove'), async (visit) => {
    const { ctx, site } = visit;
    const there = await organizationOf(visit);
    const member = await readMember(site.services, there, String(ctx.params.id));
    if (!member) throw new RequestError('not_found');
    const values = { name: member.name ?? member.email, organization: there.organization.name };
    await askOnceMore(visit, {
      title: { sentence: 'Remove {name}?', values },
      consequences: [
        { sentence: '{name} no longer belongs to {organization}, and is told by mail.', values },
        'The account and its factors stay: they belong to the person.',
        'Whoever comes back has the grace that was left, and no new one.',
      ],
      button: 'Remove',
      cancel: `${basePath(ctx)}/members/${encodeURIComponent(member.id)}`,
    });
  });
  post('/:slug/members/:id/remove', withProof('members.remove'), async (visit) => {
    const { ctx, site } = visit;
    const outcome = await removeMember(site.services, await organizationOf(visit), {
      userId: String(ctx.params.id),
    });
    told(visit, outcome, 'The person was removed and gets a mail.', `${basePath(ctx)}/members`);
  });
}

const filterGiven = ({ ctx }: SignedIn): Record<string, string> =>
  Object.fromEntries(
    ['search', 'twoFactor', 'method', 'role', 'state', 'sort'].flatMap((name) => {
      const value = textOf(ctx.query[name]);
      return value === '' ? [] : [[name, value]];
    }),
  );

/** What is understood of the filters; one that means nothing is left out, and the others stay. */
function understood(given: Record<string, string>): Record<string, string> {
  const read = memberFilter.safeParse(given);
  const wrong = new Set(read.success ? [] : read.error.issues.map(({ path }) => String(path[0])));
  return Object.fromEntries(Object.entries(given).filter(([name]) => !wrong.has(name)));
}

async function* csvOf(pages: AsyncGenerator<readonly MemberEntry[]>): AsyncGenerator<string> {
  yield csvLine([
    'email',
    'name',
    'role',
    'methods',
    'state',
    'until',
    'lastSignIn',
    'lastSignInUsedSecondFactor',
    'memberSince',
  ]);
  for await (const members of pages) {
    for (const { email, name, role, methods, state, isDisabled, lastSignIn, joinedAt } of members) {
      yield csvLine([
        email,
        name,
        role,
        methods.join(' '),
        isDisabled ? 'disabled' : state.kind,
        state.kind === 'in_grace' ? state.until.toISOString() : '',
        lastSignIn?.at.toISOString(),
        lastSignIn === null ? '' : lastSignIn.usedSecondFactor ? 'yes' : 'no',
        joinedAt.toISOString(),
      ]);
    }
  }
}

const stateLabels: Readonly<Record<NonNullable<MemberFilter['state']>, string>> = {
  must_act: 'Must act',
  overdue: 'Overdue',
  in_grace: 'In grace',
  never_signed_in: 'Never signed in',
  disabled: 'Disabled',
};

const sortLabels: Readonly<Record<MemberFilter['sort'], string>> = {
  email: 'E-mail address',
  name: 'Name',
  surname: 'Last name',
};

/** What is filtered by, in words. */
const chosenIn = ({ twoFactor, method, role, state }: MemberFilter): Sentence[] => [
  ...(twoFactor ? [twoFactor === 'on' ? 'Two-factor on' : 'Two-factor off'] : []),
  ...(method ? [methodLabel(method)] : []),
  ...(role ? [roleLabels[role]] : []),
  ...(state ? [stateLabels[state]] : []),
];

async function showMembers(visit: SignedIn): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const base = basePath(ctx);
  const given = understood(filterGiven(visit));
  const filter = memberFilter.parse(given);
  const from = textOf(ctx.query.after) || null;
  const { members, next } = await readMembers(site.services, there, filter, from);
  const figures = await readMemberFigures(site.services, there.organization.id, there.policy);
  const query = new URLSearchParams(given);
  const isFiltered = Object.keys(given).some((name) => name !== 'sort');
  const found = isFiltered ? await countMembers(site.services, there, filter) : null;
  const total = figures.members + figures.disabled;
  // A search is not counted; what one page holds is.
  const known = found ?? (from === null && next === null ? members.length : null);
  const count: Sentence = !isFiltered
    ? { sentence: '{of}', values: { of: total } }
    : known === null
      ? { sentence: 'more than {size} of {of}', values: { size: 50, of: total } }
      : { sentence: '{found} of {of}', values: { found: known, of: total } };
  const now = site.services.db.clock.now();
  const pageAfter = (after: string) => {
    const params = new URLSearchParams(query);
    params.set('after', after);
    return `${base}/members?${params}`;
  };
  show(ctx, site.renderer, 'organizations/members', {
    ...(await framedBy(visit)),
    action: `${base}/members`,
    search: filter.search,
    twoFactor: options([any('On or off'), ['on', 'On'], ['off', 'Off']], filter.twoFactor ?? ''),
    method: options(
      [any('Any method'), ...factors.map(({ id, label }) => [id, label] as const)],
      filter.method ?? '',
    ),
    role: options(
      [any('Any role'), ...roles.map((role) => [role, roleLabels[role]] as const)],
      filter.role ?? '',
    ),
    state: options([any('Any state'), ...Object.entries(stateLabels)], filter.state ?? ''),
    sort: options(Object.entries(sortLabels), filter.sort),
    isFiltered,
    chosen: chosenIn(filter),
    count,
    rows: members.map((member) => memberRow(member, base, now)),
    first: from === null ? null : `${base}/members${query.size > 0 ? `?${query}` : ''}`,
    next: next === null ? null : pageAfter(next),
    invite: `${base}/members-invite`,
    importing: `${base}/members-invite#import`,
    exporting: `${base}/members-export${query.size > 0 ? `?${query}` : ''}`,
  });
}

async function showMember(visit: SignedIn): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const member = await readMember(site.services, there, String(ctx.params.id));
  if (!member) throw new RequestError('not_found');
  const help = await helpWanted(site.services, there, member.id);
  const { actor } = there;
  const own = `${basePath(ctx)}/members/${encodeURIComponent(member.id)}`;
  const isSelf = actor.id === member.id;
  const may = (action: Parameters<typeof mayOverMember>[1]) =>
    mayOverMember(actor.role, action, { role: member.role, isSelf }) === 'allowed';
  const given = rolesToGive(actor.role);
  show(ctx, site.renderer, 'organizations/member', {
    ...(await framedBy(visit)),
    help: help && {
      at: help.at,
      device: deviceName(help.origin.userAgent) ?? '–',
      from: help.origin.ip ?? '–',
    },
    name: member.name ?? member.email,
    email: member.email,
    role: roleLabels[member.role],
    tag: stateTag(member, site.services.db.clock.now()),
    joinedAt: member.joinedAt,
    lastSignIn: member.lastSignIn && {
      at: member.lastSignIn.at,
      how: signInWords(member.lastSignIn),
      application:
        member.lastSignIn.clientId === ownClientId
          ? 'Sallyport: account or organization pages'
          : member.lastApplicationName === null
            ? 'one of another organization'
            : { sentence: '{application}', values: { application: member.lastApplicationName } },
    },
    factors: member.factors.map((factor) => ({
      label: methodLabel(factor.method),
      name: factor.name === null ? null : storedName(factor.name),
      addedAt: factor.confirmedAt,
      lastUsedAt: factor.lastUsedAt,
      tag: factorTag(factor),
    })),
    audit: `${basePath(ctx)}/audit?person=${encodeURIComponent(member.email)}`,
    reset:
      may('members.reset_two_factor') && (await hasSomethingToReset(site.services, member.id))
        ? `${own}/reset`
        : null,
    roleTable,
    roles: may('members.change_role')
      ? {
          action: `${own}/role`,
          options: options(
            roles.filter((role) => given.includes(role)).map((role) => [role, roleLabels[role]] as const),
            given.find((role) => role === ctx.query.role) ?? member.role,
          ),
        }
      : null,
    disconnect: may('members.disconnect') ? `${own}/disconnect` : null,
    remove: may('members.remove') ? `${own}/remove` : null,
    why: isSelf
      ? 'This is you. Another owner or admin can change your role, or reset your second factor; your account page has the rest.'
      : member.role === 'owner' && actor.role !== 'owner'
        ? 'Only an owner can change something about an owner.'
        : null,
  });
}

function factorTag({ isDisabled, counts }: { isDisabled: boolean; counts: boolean }): Tag | null {
  if (isDisabled) return { tone: 'danger', text: 'Disabled after too many wrong answers' };
  return counts ? null : { tone: 'warn', text: 'Does not count here' };
}

const checkLabels: Readonly<Record<(typeof identityChecks)[number], string>> = {
  in_person: 'In person',
  video_call: 'On a video call',
  phone_call: 'By calling a number that we know',
  id_document: 'By an identity document',
  other: 'In another way, which the reason says',
};

async function showReset(
  visit: SignedIn,
  given: { readonly [field: string]: unknown },
  problems: {
    readonly formError?: Sentence;
    readonly checkError?: Sentence;
    readonly reasonError?: Sentence;
    readonly note?: Note;
  },
  status = 200,
): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const member = await readMember(site.services, there, String(ctx.params.id));
  if (!member) throw new RequestError('not_found');
  const isSelf = there.actor.id === member.id;
  if (
    mayOverMember(there.actor.role, 'members.reset_two_factor', { role: member.role, isSelf }) !== 'allowed'
  ) {
    throw new RequestError('not_found');
  }
  const byMail = [
    'mail',
    'By e-mail',
    'A link is sent to the verified address. What the person has now stays valid until a new factor has worked.',
  ] as const;
  const now = [
    'now',
    'Now',
    'All factors, recovery codes and remembered devices go at once, and all sessions end. For a device that was stolen.',
  ] as const;
  show(
    ctx,
    site.renderer,
    'organizations/reset',
    {
      ...(await framedBy(visit)),
      name: member.name ?? member.email,
      email: member.email,
      action: ctx.path,
      forms: options(
        member.isHome ? [now, byMail] : [byMail],
        textOf(given.form) || (member.isHome ? '' : 'mail'),
      ),
      checks: options(
        [['', 'Choose how'], ...identityChecks.map((check) => [check, checkLabels[check]] as const)],
        textOf(given.identityCheck),
      ),
      reason: textOf(given.reason).slice(0, 500),
      formError: problems.formError ?? null,
      checkError: problems.checkError ?? null,
      reasonError: problems.reasonError ?? null,
      note: problems.note ?? null,
      cancel: `${basePath(ctx)}/members/${encodeURIComponent(member.id)}`,
    },
    status,
  );
}

async function reset(visit: SignedIn, form: Form): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const check = identityChecks.find((known) => known === form.identityCheck);
  const read = resetReason.shape.reason.safeParse(lineOf(form.reason, 500));
  const isForm = form.form === 'now' || form.form === 'mail';
  if (!isForm || !check || !read.success) {
    return showReset(
      visit,
      form,
      {
        ...(isForm ? {} : { formError: 'Choose one of these ways.' as const }),
        ...(check ? {} : { checkError: 'Say how you made sure who it is.' as const }),
        ...(read.success
          ? {}
          : { reasonError: 'Give a reason of 3 to 500 characters, in one line.' as const }),
      },
      422,
    );
  }
  const flow = form.form === 'now' ? resetTwoFactorNow : resetTwoFactorByMail;
  const outcome = await flow(site.services, there, {
    userId: String(ctx.params.id),
    identityCheck: check,
    reason: read.data,
  });
  const refusal = refusalOfReset(outcome);
  if (refusal) return showReset(visit, form, { note: { tone: 'danger', text: refusal } }, 409);
  told(
    visit,
    outcome as MemberOutcome,
    form.form === 'now'
      ? 'The second factor was reset, and all sessions have ended. The person gets a mail.'
      : 'A mail with a link is on its way. It holds for 24 hours.',
  );
}

function refusalOfReset(outcome: ResetOutcome): Sentence | null {
  switch (outcome.kind) {
    case 'not_home':
      return 'Only the organization that the account belongs to can reset at once. You can do it by e-mail.';
    case 'no_verified_email':
      return 'This person has no verified e-mail address, so they could never set up again. Nothing was changed.';
    case 'nothing_to_reset':
      return 'There is nothing to reset: this person has no second factor.';
    case 'too_many':
      return 'This person has had several of these mails already. Wait a while.';
    default:
      return null;
  }
}

/** Back to the person's page, with what came of it. */
function told(visit: SignedIn, outcome: MemberOutcome, done: Sentence, page?: string): void {
  const { ctx, site } = visit;
  const refused = refusalOf(outcome);
  leaveFlash(
    ctx,
    site.services.ring,
    refused ? { tone: 'danger', text: refused } : { tone: 'ok', text: done },
  );
  ctx.status = 303;
  const own = `${basePath(ctx)}/members/${encodeURIComponent(String(ctx.params.id))}`;
  ctx.redirect(refused ? own : (page ?? own));
}

/** @throws RequestError not_found for everybody who is not a member here */
function refusalOf(outcome: MemberOutcome): Sentence | null {
  if (outcome.kind === 'done') return null;
  if (outcome.kind === 'not_found') throw new RequestError('not_found');
  if (outcome.kind === 'conflict')
    return 'Somebody else was changing the same. Nothing of yours was saved; look at it again.';
  switch (outcome.why) {
    case 'last_owner':
      return 'This is the last owner. Make somebody else an owner first.';
    case 'not_over_owner':
      return 'Only an owner can change something about an owner.';
    case 'not_over_self':
      return 'You cannot do this to yourself.';
    case 'role_too_high':
      return 'You cannot give a role above your own.';
    default:
      throw new RequestError('not_found');
  }
}
