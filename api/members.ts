import * as z from 'zod';
import { type MemberEntry, readMember, readMembers } from '../flows/read-members.ts';
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
    summary: 'Members by address, with filters',
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
];
