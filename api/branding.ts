import * as z from 'zod';
import { readBranding } from '../entities/branding.ts';
import { changeBranding } from '../flows/change-branding.ts';
import type { OrganizationVisit } from '../flows/organization-actor.ts';
import { RequestError } from '../http/errors.ts';
import { organizationFor } from './caller.ts';
import { type ApiSite, operation } from './operation.ts';
import { inOrganization, line } from './schemas.ts';

const accent = z.string().regex(/^#[0-9a-fA-F]{6}$/);

const branding = z.object({
  name: line(1024),
  accent: z.string().nullable(),
  /** Where the logo is; null where there is none. */
  logoUrl: z.string().nullable(),
});

const shown = ({ services }: ApiSite, { organization }: OrganizationVisit): z.output<typeof branding> => {
  const stored = readBranding(organization.branding);
  return {
    name: organization.name,
    accent: stored?.accent ?? null,
    logoUrl: stored?.hasLogo
      ? `${services.settings.issuer}/brand/${stored.organizationId}/${stored.version}/logo`
      : null,
  };
};

export const brandingOperations = [
  operation({
    id: 'getBranding',
    verb: 'get',
    path: '/organizations/{organization}/branding',
    tag: 'Branding',
    summary: 'How the pages and mails of the organization look',
    scope: 'organizations:read',
    fresh: false,
    params: inOrganization,
    query: null,
    body: null,
    status: 200,
    answer: branding,
    problems: [404],
    handle: async ({ site, caller, params }) => ({
      body: shown(site, await organizationFor(site, caller, params.organization)),
    }),
  }),
  operation({
    id: 'changeBranding',
    verb: 'patch',
    path: '/organizations/{organization}/branding',
    tag: 'Branding',
    summary: 'Changes what is given and leaves the rest',
    description:
      'logo is a PNG, JPEG or WebP picture in base64, of at most 200 kB and 2048 pixels; null takes it away. accent null is the colour of the instance.',
    scope: 'organizations:write',
    fresh: true,
    params: inOrganization,
    query: null,
    body: z.strictObject({
      name: line(200).optional(),
      accent: accent.nullable().optional(),
      logo: z.base64().min(1).max(280_000).nullable().optional(),
    }),
    status: 200,
    answer: branding,
    problems: [403, 404, 409],
    handle: async ({ site, caller, params, body }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const before = readBranding(visit.organization.branding);
      const outcome = await changeBranding(site.services, visit, {
        name: body.name ?? visit.organization.name,
        accent: body.accent === undefined ? (before?.accent ?? null) : (body.accent?.toLowerCase() ?? null),
        logo:
          body.logo === undefined ? 'keep' : body.logo === null ? 'none' : Buffer.from(body.logo, 'base64'),
      });
      switch (outcome.kind) {
        case 'saved':
          return { body: shown(site, await organizationFor(site, caller, params.organization)) };
        case 'conflict':
          throw new RequestError('conflict');
        case 'invalid':
          throw new RequestError('invalid', {
            errors: outcome.fields.map((field) => ({
              pointer: `#/${field}`,
              detail: 'is not of the form that is asked for',
            })),
          });
      }
    },
  }),
];
