import * as z from 'zod';
import type { InvitationRow } from '../entities/invitations.ts';
import { inviteMember, readInvitations, revokeInvitation } from '../flows/invitations.ts';
import { RequestError } from '../http/errors.ts';
import { organizationFor } from './caller.ts';
import { operation } from './operation.ts';
import { removal } from './removal.ts';
import { id, inOrganization, line, listOf, moment, role } from './schemas.ts';

const invitation = z.object({
  id,
  email: z.string(),
  name: z.string().nullable(),
  role,
  invitedAt: moment,
  expiresAt: moment,
});

const shown = (row: InvitationRow): z.output<typeof invitation> => ({
  id: row.id,
  email: row.email,
  name: row.name,
  role: role.parse(row.role),
  invitedAt: new Date(row.created_at).toISOString(),
  expiresAt: new Date(row.expires_at).toISOString(),
});

export const invitationOperations = [
  operation({
    id: 'listInvitations',
    verb: 'get',
    path: '/organizations/{organization}/invitations',
    tag: 'Invitations',
    summary: 'Invitations that wait for an answer, the newest first',
    scope: 'members:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: listOf(invitation),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: { data: (await readInvitations(site.services, visit)).rows.map(shown) } };
    },
  }),
  operation({
    id: 'invite',
    verb: 'post',
    path: '/organizations/{organization}/invitations',
    tag: 'Invitations',
    summary: 'Invites somebody by mail, for a week; a newer invitation to the address replaces the older',
    scope: 'members:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: z.strictObject({
      email: z.string().min(3).max(191),
      name: line(200).optional(),
      role: role.default('member'),
    }),
    status: 201,
    answer: invitation,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const outcome = await inviteMember(site.services, visit, {
        email: body.email,
        name: body.name ?? null,
        role: body.role,
        again: true,
      });
      switch (outcome.kind) {
        case 'invited': {
          const { rows } = await readInvitations(site.services, visit);
          const row = rows.find((one) => one.id === outcome.id);
          if (!row) throw new RequestError('conflict');
          return { status: 201, body: shown(row) };
        }
        case 'bad_address':
          throw new RequestError('invalid', {
            errors: [{ pointer: '#/email', detail: 'must be one e-mail address' }],
          });
        case 'role_too_high':
          throw new RequestError('not_permitted');
        case 'already_invited':
        case 'already_member':
          throw new RequestError('conflict');
        case 'too_many':
          throw new RequestError('rate_limited');
      }
    },
  }),
  removal({
    id: 'revokeInvitation',
    path: '/organizations/{organization}/invitations/{invitation}',
    tag: 'Invitations',
    summary: 'Takes an invitation back',
    scope: 'members:write',
    params: inOrganization.extend({ invitation: id }),
    remove: (services, visit, { invitation: one }) => revokeInvitation(services, visit, one),
  }),
];
