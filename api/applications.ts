import * as z from 'zod';
import {
  type ApplicationEntry,
  type ApplicationOutcome,
  type ApplicationWish,
  addApplication,
  applicationKinds,
  changeApplication,
  kindOf,
  organizationApplications,
  ownApplicationOf,
  removeApplication,
  rotateSecret,
} from '../flows/organization-applications.ts';
import { RequestError } from '../http/errors.ts';
import { applicationAssurances } from '../policy/types.ts';
import { organizationFor } from './caller.ts';
import { operation } from './operation.ts';
import { removal } from './removal.ts';
import { clientId, inOrganization, line, listOf } from './schemas.ts';

const uris = z.array(z.string().max(2000)).max(200);
const assurance = z.enum(applicationAssurances);
const kind = z.enum(applicationKinds);

const application = z.object({
  clientId,
  name: z.string(),
  kind,
  assurance,
  firstParty: z.boolean(),
  /** Of the whole instance: an organization cannot change it. */
  shared: z.boolean(),
  redirectUris: uris,
  postLogoutRedirectUris: uris,
});
const withSecret = application.extend({ clientSecret: z.string().nullable() });

const uriList = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];

const shown = (entry: ApplicationEntry): z.output<typeof application> => ({
  clientId: entry.clientId,
  name: entry.name,
  kind: kindOf(entry.metadata),
  assurance: entry.assurance,
  firstParty: entry.isFirstParty,
  shared: entry.isShared,
  redirectUris: uriList(entry.metadata.redirect_uris),
  postLogoutRedirectUris: uriList(entry.metadata.post_logout_redirect_uris),
});

const wish = z.strictObject({
  name: line(200),
  kind: kind.default('confidential'),
  redirectUris: uris,
  postLogoutRedirectUris: uris.default([]),
  assurance: assurance.default('none'),
  firstParty: z.boolean().default(true),
});

const ofApplication = inOrganization.extend({ client: clientId });

function savedOf(outcome: ApplicationOutcome): { clientId: string; secret: string | null } {
  switch (outcome.kind) {
    case 'saved':
      return outcome;
    case 'invalid':
      throw new RequestError('invalid', {
        errors: outcome.problems.map(({ field, message }) => ({ pointer: `#/${field}`, detail: message })),
      });
    case 'conflict':
      throw new RequestError('precondition_failed');
    case 'not_found':
      throw new RequestError('not_found');
  }
}

const etagOf = ({ version }: ApplicationEntry): string => `"${version}"`;
const stateHeader = { ETag: 'Names this state of the application.' };

export const applicationOperations = [
  operation({
    id: 'listApplications',
    verb: 'get',
    path: '/organizations/{organization}/applications',
    tag: 'Applications',
    summary: "The organization's applications, and those that all share",
    scope: 'applications:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: listOf(application),
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      return { body: { data: (await organizationApplications(site.services, visit)).map(shown) } };
    },
  }),
  operation({
    id: 'getApplication',
    verb: 'get',
    path: '/organizations/{organization}/applications/{client}',
    tag: 'Applications',
    summary: "One of the organization's own applications",
    scope: 'applications:read',
    fresh: false,
    params: ofApplication,
    query: null,
    body: null,
    status: 200,
    answer: application,
    responseHeaders: stateHeader,
    problems: [404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const entry = await ownApplicationOf(site.services, visit, params.client);
      if (!entry) throw new RequestError('not_found');
      return { body: shown(entry), headers: { ETag: etagOf(entry) } };
    },
  }),
  operation({
    id: 'createApplication',
    verb: 'post',
    path: '/organizations/{organization}/applications',
    tag: 'Applications',
    summary: 'Registers an application; its secret is in the answer, and nowhere else',
    scope: 'applications:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: wish,
    status: 201,
    answer: withSecret,
    problems: [403, 404],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const saved = savedOf(await addApplication(site.services, visit, wishOf(body)));
      const entry = await ownApplicationOf(site.services, visit, saved.clientId);
      if (!entry) throw new RequestError('not_found');
      return { status: 201, body: { ...shown(entry), clientSecret: saved.secret } };
    },
  }),
  operation({
    id: 'changeApplication',
    verb: 'patch',
    path: '/organizations/{organization}/applications/{client}',
    tag: 'Applications',
    summary: 'Changes what is given; one that becomes confidential gets a secret',
    description:
      'With the ETag of what was read in If-Match, that very state is changed or nothing. Of two changes at once one is refused.',
    scope: 'applications:write',
    fresh: true,
    params: ofApplication,
    query: null,
    body: z.strictObject({
      name: line(200).optional(),
      kind: kind.optional(),
      redirectUris: uris.optional(),
      postLogoutRedirectUris: uris.optional(),
      assurance: assurance.optional(),
      firstParty: z.boolean().optional(),
    }),
    status: 200,
    answer: withSecret,
    requestHeaders: {
      'If-Match': { required: false, description: 'The ETag of the application that was read.' },
    },
    responseHeaders: stateHeader,
    problems: [403, 404, 412],
    handle: async ({ site, ctx, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const before = await ownApplicationOf(site.services, visit, params.client);
      if (!before) throw new RequestError('not_found');
      const given = ctx.get('If-Match');
      if (given !== '' && given !== '*' && given !== etagOf(before)) {
        throw new RequestError('precondition_failed');
      }
      const now = shown(before);
      const saved = savedOf(
        await changeApplication(
          site.services,
          visit,
          params.client,
          wishOf({
            name: body.name ?? now.name,
            kind: body.kind ?? now.kind,
            redirectUris: body.redirectUris ?? now.redirectUris,
            postLogoutRedirectUris: body.postLogoutRedirectUris ?? now.postLogoutRedirectUris,
            assurance: body.assurance ?? now.assurance,
            firstParty: body.firstParty ?? now.firstParty,
          }),
          before.version,
        ),
      );
      const entry = await ownApplicationOf(site.services, visit, params.client);
      if (!entry) throw new RequestError('not_found');
      return { body: { ...shown(entry), clientSecret: saved.secret }, headers: { ETag: etagOf(entry) } };
    },
  }),
  operation({
    id: 'rotateApplicationSecret',
    verb: 'post',
    path: '/organizations/{organization}/applications/{client}/rotate-secret',
    tag: 'Applications',
    summary: 'A new secret; the old one is worth nothing from now on',
    scope: 'applications:write',
    fresh: true,
    params: ofApplication,
    query: null,
    body: null,
    status: 200,
    answer: z.object({ clientSecret: z.string().nullable() }),
    problems: [403, 404],
    handle: async ({ site, caller, params }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const saved = savedOf(await rotateSecret(site.services, visit, params.client));
      return { body: { clientSecret: saved.secret } };
    },
  }),
  removal({
    id: 'removeApplication',
    path: '/organizations/{organization}/applications/{client}',
    tag: 'Applications',
    summary: 'Takes an application away; its tokens are worth nothing any more',
    scope: 'applications:write',
    params: ofApplication,
    remove: async (services, visit, { client }) =>
      (await removeApplication(services, visit, client)) !== 'not_found',
  }),
];

const wishOf = ({ firstParty, ...rest }: z.output<typeof wish>): ApplicationWish => ({
  ...rest,
  isFirstParty: firstParty,
});
