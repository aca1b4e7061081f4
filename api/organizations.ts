import * as z from 'zod';
import { auditEvent } from '../audit/audit.ts';
import { readBranding } from '../entities/branding.ts';
import { membershipsOf } from '../entities/memberships.ts';
import { organizationBySlug, organizationPage } from '../entities/organizations.ts';
import { applyConfiguration, ConfigurationConflict } from '../flows/apply-configuration.ts';
import { changeBranding } from '../flows/change-branding.ts';
import { changeOrganizationPolicy } from '../flows/change-organization-policy.ts';
import { rulesOf } from '../flows/change-policy.ts';
import { policyChange } from '../flows/configuration-file.ts';
import { remindNow } from '../flows/notify-members.ts';
import {
  actorData,
  type OrganizationVisit,
  requirePermission,
  whileActing,
} from '../flows/organization-actor.ts';
import { passkeysOfOrganization } from '../flows/passkeys-of-organization.ts';
import { policyVersion, previewPolicy, whoWouldBeStopped } from '../flows/preview-policy.ts';
import { readMemberFigures } from '../flows/read-members.ts';
import { readOverview } from '../flows/read-overview.ts';
import { RequestError } from '../http/errors.ts';
import { days } from '../lib/clock.ts';
import { dropRegistrationToken, issueRegistrationToken } from '../provider/registration.ts';
import { organizationFor, reaches } from './caller.ts';
import { member, memberBody } from './members.ts';
import { type ApiSite, operation } from './operation.ts';
import { inOrganization, line, moment, momentOrNull, pageOf, paging, policyRules, slug } from './schemas.ts';

const organization = z.object({ slug, name: line(1024), createdAt: moment });

const policy = policyRules.extend({
  adminsRequiredSince: momentOrNull,
  allRequiredSince: momentOrNull,
  changedAt: moment,
});

const figures = z.object({
  members: z.number().int(),
  disabled: z.number().int(),
  twoFactorOn: z.number().int(),
  byMethod: z.record(z.string(), z.number().int()),
  byRole: z.record(z.string(), z.number().int()),
  neverSignedIn: z.number().int(),
  mustAct: z.number().int(),
  inGrace: z.number().int(),
  overdue: z.number().int(),
  required: z.number().int(),
});

const shown = ({
  slug: name,
  name: title,
  created_at,
}: {
  slug: string;
  name: string;
  created_at: number;
}) => ({
  slug: name,
  name: title,
  createdAt: new Date(created_at).toISOString(),
});

const at = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

const policyBody = (visit: OrganizationVisit, stored = visit.policy) => ({
  ...rulesOf(stored),
  adminsRequiredSince: at(stored.adminsRequiredSince),
  allRequiredSince: at(stored.allRequiredSince),
  changedAt: at(stored.changedAt),
});

const etagOf = ({ organization: { policy: text } }: OrganizationVisit): string => `"${policyVersion(text)}"`;

export const organizationOperations = [
  operation({
    id: 'listOrganizations',
    verb: 'get',
    path: '/organizations',
    tag: 'Organizations',
    summary: 'The organizations that the token is good for',
    scope: 'organizations:read',
    fresh: false,
    params: z.strictObject({}),
    query: z.strictObject(paging),
    body: null,
    status: 200,
    answer: pageOf(organization),
    problems: [],
    handle: async ({ site, caller, query }) => {
      const { db } = site.services;
      const only =
        caller.kind === 'person'
          ? (await membershipsOf(db, caller.userId))
              .filter((one) => one.role !== 'member' && reaches(caller, one.organization.id))
              .map((membership) => membership.organization.id)
          : caller.organizationId === null
            ? null
            : [caller.organizationId];
      const after = query.cursor === undefined ? '' : Buffer.from(query.cursor, 'base64url').toString('utf8');
      const rows = await organizationPage(db, only, after, query.limit + 1);
      const page = rows.slice(0, query.limit);
      const last = rows.length > query.limit ? page.at(-1) : undefined;
      return {
        body: { data: page.map(shown), next: last ? Buffer.from(last.slug).toString('base64url') : null },
      };
    },
  }),
  operation({
    id: 'getOrganization',
    verb: 'get',
    path: '/organizations/{organization}',
    tag: 'Organizations',
    summary: 'One organization',
    scope: 'organizations:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: organization,
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: shown(visit.organization) };
    },
  }),
  operation({
    id: 'createOrganization',
    verb: 'post',
    path: '/organizations',
    tag: 'Organizations',
    summary: 'Makes an organization; for applications of the instance',
    scope: 'organizations:write',
    fresh: true,
    params: z.strictObject({}),
    query: null,
    body: z.strictObject({ slug, name: line(200) }),
    status: 201,
    answer: organization,
    problems: [403, 409],
    handle: async ({ site, caller, body }) => {
      if (caller.kind !== 'application' || caller.organizationId !== null) {
        throw new RequestError('not_permitted');
      }
      if (await organizationBySlug(site.services.db, body.slug)) throw new RequestError('conflict');
      await applyHere(site, { organizations: [body] });
      const visit = await organizationFor(site, caller, body.slug);
      return { status: 201, body: shown(visit.organization) };
    },
  }),
  operation({
    id: 'renameOrganization',
    verb: 'patch',
    path: '/organizations/{organization}',
    tag: 'Organizations',
    summary: 'Gives the organization another name',
    scope: 'organizations:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: z.strictObject({ name: line(200) }),
    status: 200,
    answer: organization,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params, body }) => {
      const before = await organizationFor(site, caller, params.organization);
      const outcome = await changeBranding(site.services, before, {
        name: body.name,
        accent: readBranding(before.organization.branding)?.accent ?? null,
        logo: 'keep',
      });
      if (outcome.kind === 'conflict') throw new RequestError('conflict');
      if (outcome.kind === 'invalid') {
        throw new RequestError('invalid', {
          errors: [{ pointer: '#/name', detail: 'must be 1 to 200 characters in one line' }],
        });
      }
      const visit = await organizationFor(site, caller, params.organization);
      return { body: shown(visit.organization) };
    },
  }),
  operation({
    id: 'issueRegistrationToken',
    verb: 'post',
    path: '/organizations/{organization}/registration-tokens',
    tag: 'Applications',
    summary: 'A token with which programs may register applications of the organization (RFC 7591)',
    scope: 'applications:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: z.strictObject({ days: z.number().int().min(1).max(365).default(1) }),
    status: 201,
    answer: z.object({ token: z.string(), expiresAt: moment }),
    problems: [403, 404],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const { organization: row, actor } = visit;
      requirePermission(actor, 'applications.change');
      const issued = await issueRegistrationToken(site.services, {
        organizationId: row.id,
        lifetime: days(body.days),
      });
      // It is told only where whoever asked for it is still who they were.
      const told = await site.services.db.together([
        whileActing(visit),
        auditEvent(site.services.db, actor.origin, {
          type: 'registration_token.issued',
          organizationId: row.id,
          userId: actor.kind === 'person' ? actor.id : null,
          clientId: caller.clientId,
          data: { ...actorData(actor), days: body.days },
        }),
      ]);
      if (!told) {
        await dropRegistrationToken(site.services, issued.token);
        throw new RequestError('not_found');
      }
      return { status: 201, body: { token: issued.token, expiresAt: issued.expiresAt.toISOString() } };
    },
  }),
  operation({
    id: 'getPolicy',
    verb: 'get',
    path: '/organizations/{organization}/policy',
    tag: 'Policy',
    summary: 'What the organization requires',
    description: 'The ETag names this very state; a change must send it back in If-Match.',
    scope: 'policy:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: policy,
    responseHeaders: { ETag: 'Names this state of the policy.' },
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: policyBody(visit), headers: { ETag: etagOf(visit) } };
    },
  }),
  operation({
    id: 'previewPolicy',
    verb: 'post',
    path: '/organizations/{organization}/policy/preview',
    tag: 'Policy',
    summary: 'What a change would do: who must act, who would be stopped today; nothing is changed',
    scope: 'policy:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: policyChange,
    status: 200,
    answer: z.object({
      isChange: z.boolean(),
      policy,
      before: figures,
      after: figures,
      mustAct: z.array(member),
      stopped: z.array(member),
      ownersWithoutFactor: z.array(member),
    }),
    problems: [404],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const preview = await previewPolicy(site.services, visit, withoutUndefined(body));
      const stopped = await whoWouldBeStopped(site.services, visit, preview);
      return {
        body: {
          isChange: preview.isChange,
          policy: policyBody(visit, preview.next),
          before: preview.before,
          after: preview.after,
          mustAct: preview.mustAct.members.map(memberBody),
          stopped: stopped.members.map(memberBody),
          ownersWithoutFactor: preview.ownersWithout.map(memberBody),
        },
      };
    },
  }),
  operation({
    id: 'changePolicy',
    verb: 'patch',
    path: '/organizations/{organization}/policy',
    tag: 'Policy',
    summary: 'Changes what is given and leaves the rest',
    description: 'With notify=true everybody who must act gets a mail, once.',
    scope: 'policy:write',
    fresh: true,
    params: inOrganization,
    query: z.strictObject({ notify: z.enum(['true', 'false']).default('false') }),
    body: policyChange,
    status: 200,
    answer: policy,
    requestHeaders: { 'If-Match': { required: true, description: 'The ETag of the policy that was read.' } },
    responseHeaders: { ETag: 'Names the new state.' },
    problems: [403, 404, 409, 412, 428],
    handle: async ({ site, ctx, caller, params, query, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const given = ctx.get('If-Match');
      if (given === '') throw new RequestError('precondition_required');
      if (given !== etagOf(visit)) throw new RequestError('precondition_failed');
      const outcome = await changeOrganizationPolicy(site.services, visit, {
        change: withoutUndefined(body),
        expectedVersion: policyVersion(visit.organization.policy),
        notify: query.notify === 'true',
        confirmedBy: 'api',
      });
      switch (outcome.kind) {
        case 'changed':
        case 'unchanged': {
          const now = await organizationFor(site, caller, params.organization);
          return { body: policyBody(now), headers: { ETag: etagOf(now) } };
        }
        case 'conflict':
          throw new RequestError('precondition_failed');
        case 'owners_lack_factor':
          throw new RequestError('owners_lack_factor');
        case 'no_method':
          throw new RequestError('no_method');
      }
    },
  }),
  operation({
    id: 'remindMembers',
    verb: 'post',
    path: '/organizations/{organization}/policy/reminders',
    tag: 'Policy',
    summary: 'Writes to everybody who must act, once a day at most',
    scope: 'policy:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: z.object({ mails: z.number().int() }),
    problems: [403, 404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: { mails: await remindNow(site.services, visit) } };
    },
  }),
  operation({
    id: 'getStatistics',
    verb: 'get',
    path: '/organizations/{organization}/statistics',
    tag: 'Statistics',
    summary: 'Members in numbers',
    scope: 'statistics:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: figures,
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: await readMemberFigures(site.services, visit.organization.id, visit.policy) };
    },
  }),
  operation({
    id: 'getOverview',
    verb: 'get',
    path: '/organizations/{organization}/overview',
    tag: 'Statistics',
    summary: 'Four weeks, day by day, and the deadline',
    description: 'Days of which nothing is known are left out; today is the last.',
    scope: 'statistics:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: z.object({
      /** When the grace of those who were here at the beginning of the requirement ends; null where nobody must. */
      deadline: z.string().nullable(),
      days: z.array(
        z.object({
          day: z.string(),
          members: z.number().int().nullable(),
          twoFactorOn: z.number().int().nullable(),
          signIns: z.number().int(),
          signInsWithSecondFactor: z.number().int(),
        }),
      ),
    }),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const { deadline, days } = await readOverview(site.services, visit);
      return {
        body: {
          deadline: deadline?.toISOString() ?? null,
          days: days.map(({ at, members, setUp, signIns, strong }) => ({
            day: at.toISOString().slice(0, 10),
            members,
            twoFactorOn: setUp,
            signIns,
            signInsWithSecondFactor: strong,
          })),
        },
      };
    },
  }),
  operation({
    id: 'getPasskeyReport',
    verb: 'get',
    path: '/organizations/{organization}/passkeys',
    tag: 'Statistics',
    summary: 'How many members have passkeys, how many no second factor, and the last registrations',
    scope: 'members:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: z.object({
      members: z.number().int(),
      withPasskey: z.number().int(),
      withoutTwoFactor: z.number().int(),
      recent: z.array(
        z.object({
          user: z.string(),
          email: z.string(),
          name: z.string().nullable(),
          passkey: z.string().nullable(),
          registeredAt: z.string(),
        }),
      ),
    }),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const { figures: now, recent } = await passkeysOfOrganization(site.services, visit);
      return {
        body: {
          members: now.members,
          withPasskey: now.byMethod.passkey,
          withoutTwoFactor: now.members - now.twoFactorOn,
          recent: recent.map((row) => ({
            user: row.user_id,
            email: row.email,
            name: row.name,
            passkey: row.passkey,
            registeredAt: new Date(row.confirmed_at).toISOString(),
          })),
        },
      };
    },
  }),
];

/** What a configuration file would do. */
async function applyHere({ services }: ApiSite, configuration: object): Promise<void> {
  try {
    await applyConfiguration(services, { name: 'the API', text: JSON.stringify(configuration) });
  } catch (error) {
    if (error instanceof ConfigurationConflict) throw new RequestError('conflict', { cause: error });
    throw error;
  }
}

function withoutUndefined<Given extends object>(given: Given): Given {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Given;
}
