import * as z from 'zod';
import { changeRole, removeMember } from '../flows/change-member.ts';
import { importMembers, type ListProblem, planImport } from '../flows/import-members.ts';
import { type MemberEntry, readMember, readMembers } from '../flows/read-members.ts';
import { removeMemberFactor } from '../flows/remove-member-factor.ts';
import {
  type ResetOutcome,
  resetReason,
  resetTwoFactorByMail,
  resetTwoFactorNow,
} from '../flows/reset-two-factor.ts';
import { RequestError } from '../http/errors.ts';
import { organizationFor } from './caller.ts';
import { operation } from './operation.ts';
import { id, inOrganization, line, method, moment, momentOrNull, pageOf, paging, role } from './schemas.ts';

export const member = z.object({
  id,
  email: z.string(),
  name: z.string().nullable(),
  role,
  methods: z.array(method),
  disabled: z.boolean(),
  mustSetUpAgain: z.boolean(),
  state: z.enum(['set_up', 'not_required', 'recommended', 'in_grace', 'overdue']),
  /** Until when setting up may be skipped, or since when it may not. */
  deadline: momentOrNull,
  joinedAt: moment,
  lastSignInAt: momentOrNull,
  lastSignInUsedSecondFactor: z.boolean().nullable(),
});

export const memberBody = (entry: MemberEntry): z.output<typeof member> => ({
  id: entry.id,
  email: entry.email,
  name: entry.name,
  role: entry.role,
  methods: [...entry.methods],
  disabled: entry.isDisabled,
  mustSetUpAgain: entry.isReset,
  state: entry.state.kind,
  deadline:
    entry.state.kind === 'in_grace'
      ? entry.state.until.toISOString()
      : entry.state.kind === 'overdue'
        ? (entry.state.since?.toISOString() ?? null)
        : null,
  joinedAt: entry.joinedAt.toISOString(),
  lastSignInAt: entry.lastSignIn?.at.toISOString() ?? null,
  lastSignInUsedSecondFactor: entry.lastSignIn?.usedSecondFactor ?? null,
});

export const ofMember = inOrganization.extend({ user: id });

export const memberOperations = [
  operation({
    id: 'listMembers',
    verb: 'get',
    path: '/organizations/{organization}/members',
    tag: 'Members',
    summary: 'Members by address or name, with filters; a search has an order of its own',
    scope: 'members:read',
    fresh: false,
    params: inOrganization,
    query: z.strictObject({
      ...paging,
      search: line(100).optional(),
      twoFactor: z.enum(['on', 'off']).optional(),
      method: method.optional(),
      role: role.optional(),
      state: z.enum(['must_act', 'overdue', 'in_grace', 'never_signed_in', 'disabled']).optional(),
      sort: z.enum(['email', 'name', 'surname']).optional(),
    }),
    body: null,
    status: 200,
    answer: pageOf(member),
    problems: [404],
    handle: async ({ site, caller, params, query: { cursor: from, limit, ...filter } }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const { search = '' } = filter;
      const page = await readMembers(
        site.services,
        visit,
        {
          search: search.trim(),
          ...(filter.twoFactor ? { twoFactor: filter.twoFactor } : {}),
          ...(filter.method ? { method: filter.method } : {}),
          ...(filter.role ? { role: filter.role } : {}),
          ...(filter.state ? { state: filter.state } : {}),
          sort: filter.sort ?? 'email',
        },
        from ?? null,
        limit,
      );
      return { body: { data: page.members.map(memberBody), next: page.next } };
    },
  }),
  operation({
    id: 'getMember',
    verb: 'get',
    path: '/organizations/{organization}/members/{user}',
    tag: 'Members',
    summary: 'One member',
    scope: 'members:read',
    fresh: false,
    params: ofMember,
    query: null,
    body: null,
    status: 200,
    answer: member,
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const found = await readMember(site.services, visit, params.user);
      if (!found) throw new RequestError('not_found');
      return { body: memberBody(found) };
    },
  }),
  operation({
    id: 'changeMemberRole',
    verb: 'patch',
    path: '/organizations/{organization}/members/{user}',
    tag: 'Members',
    summary: 'Gives a member another role; the last owner stays one',
    scope: 'members:write',
    fresh: true,
    params: ofMember,
    query: null,
    body: z.strictObject({ role }),
    status: 200,
    answer: member,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      refuseUnlessDone(await changeRole(site.services, visit, { userId: params.user, role: body.role }));
      const found = await readMember(site.services, visit, params.user);
      if (!found) throw new RequestError('not_found');
      return { body: memberBody(found) };
    },
  }),
  operation({
    id: 'removeMember',
    verb: 'delete',
    path: '/organizations/{organization}/members/{user}',
    tag: 'Members',
    summary: 'Takes somebody out of the organization; their account stays',
    scope: 'members:write',
    fresh: true,
    params: ofMember,
    query: null,
    body: null,
    status: 204,
    answer: null,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      refuseUnlessDone(await removeMember(site.services, visit, { userId: params.user }));
      return { status: 204 };
    },
  }),
  operation({
    id: 'importMembers',
    verb: 'post',
    path: '/organizations/{organization}/members/import',
    tag: 'Members',
    summary:
      'Invites the people of a CSV text with the columns email, name and role, or of a list of addresses',
    description:
      'With dryRun nothing happens: fresh are those who would be invited, wrong the lines that cannot be read and why: those with an open invitation among them. Otherwise at most 500 are invited by one request; where more are left, send the same again with behind as next says.',
    scope: 'members:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: z.strictObject({
      csv: z.string().min(1).max(300_000),
      dryRun: z.boolean().default(false),
      behind: z.number().int().min(0).max(1_000_000).default(0),
    }),
    status: 200,
    answer: z.object({
      invited: z.number().int(),
      fresh: z.array(
        z.object({ line: z.number().int(), email: z.string(), name: z.string().nullable(), role }),
      ),
      wrong: z.array(z.object({ line: z.number().int(), text: z.string(), why: z.string() })),
      next: z.number().int().nullable(),
    }),
    problems: [403, 404],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const plan = await planImport(site.services, visit, body.csv);
      if (typeof plan === 'string') throw noList(plan);
      if (body.dryRun) {
        return { body: { invited: 0, fresh: [...plan.fresh], wrong: [...plan.wrong], next: null } };
      }
      const done = await importMembers(site.services, visit, plan, body.behind);
      return {
        body: {
          invited: done.invited,
          fresh: [...(done.rest?.rows ?? [])],
          wrong: [...done.wrong],
          next: done.rest?.behind ?? null,
        },
      };
    },
  }),
  operation({
    id: 'removeMemberFactor',
    verb: 'post',
    path: '/organizations/{organization}/members/{user}/factors/{factor}/remove',
    tag: 'Factors',
    summary: 'Takes one second factor of a member away, such as a lost phone',
    description:
      'For the home organization of the account alone. The last one that works, and what a policy of theirs needs, stay: that is what a reset is for (409). The person is told by mail, and remembered devices are forgotten.',
    scope: 'factors:write',
    fresh: true,
    params: ofMember.extend({ factor: id }),
    query: null,
    body: resetReason.strict(),
    status: 204,
    answer: null,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const input = { userId: params.user, factorId: params.factor, ...body };
      refuseUnlessDone(await removeMemberFactor(site.services, visit, input));
      return { status: 204 };
    },
  }),
  operation({
    id: 'resetTwoFactor',
    verb: 'post',
    path: '/organizations/{organization}/members/{user}/reset-two-factor',
    tag: 'Factors',
    summary: 'Lets a member set up their second factor anew',
    description:
      'now: all factors, codes and remembered devices go, and sessions end; for the home organization of the account alone. by_mail: what they have stays good until they have followed the link and set up a new one.',
    scope: 'factors:write',
    fresh: true,
    params: ofMember,
    query: null,
    body: resetReason.extend({ how: z.enum(['now', 'by_mail']) }).strict(),
    status: 204,
    answer: null,
    problems: [403, 404, 409, 429],
    handle: async ({ site, caller, params, body: { how, ...reason } }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const input = { userId: params.user, ...reason };
      refuseUnlessDone(
        how === 'now'
          ? await resetTwoFactorNow(site.services, visit, input)
          : await resetTwoFactorByMail(site.services, visit, input),
      );
      return { status: 204 };
    },
  }),
];

const listProblems: Readonly<Record<ListProblem, string>> = {
  empty: 'must hold at least one line',
  open_quote: 'has a quotation mark that is never closed',
  no_addresses: 'has no first line that names an email column or begins with an address',
};

const noList = (why: ListProblem): RequestError =>
  new RequestError('invalid', { errors: [{ pointer: '#/csv', detail: listProblems[why] }] });

function refuseUnlessDone(outcome: ResetOutcome): void {
  switch (outcome.kind) {
    case 'done':
      return;
    case 'not_found':
      throw new RequestError('not_found');
    case 'refused':
      throw new RequestError(outcome.why === 'last_owner' ? 'conflict' : 'not_permitted');
    case 'not_home':
      throw new RequestError('not_permitted');
    case 'too_many':
      throw new RequestError('rate_limited');
    default:
      throw new RequestError('conflict');
  }
}
