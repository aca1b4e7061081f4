import { Readable } from 'node:stream';
import * as z from 'zod';
import { auditFile, auditFormats, auditMediaTypes } from '../flows/audit-file.ts';
import { type AuditFilter, exportAudit, readAudit } from '../flows/read-audit.ts';
import { organizationFor } from './caller.ts';
import { operation } from './operation.ts';
import { clientId, id, inOrganization, limit, moment, pageOf } from './schemas.ts';

const auditEvent = z.object({
  id,
  at: moment,
  type: z.string(),
  user: id.nullable(),
  client: z.string().nullable(),
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
});

const filter = {
  type: z
    .string()
    .max(100)
    .regex(/^[a-z_.]+$/)
    .optional(),
  /** The address of a member. */
  person: z.string().min(1).max(191).optional(),
  client: clientId.optional(),
  since: moment.optional(),
  until: moment.optional(),
};

const filterOf = (query: {
  readonly type?: string | undefined;
  readonly person?: string | undefined;
  readonly client?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}): AuditFilter => ({
  type: query.type,
  person: query.person,
  clientId: query.client,
  since: query.since === undefined ? undefined : new Date(query.since),
  until: query.until === undefined ? undefined : new Date(query.until),
});

export const auditOperations = [
  operation({
    id: 'listAuditEvents',
    verb: 'get',
    path: '/organizations/{organization}/audit-events',
    tag: 'Audit log',
    summary: 'What has happened in the organization and to its members there, the newest first',
    scope: 'audit:read',
    fresh: false,
    params: inOrganization,
    query: z.strictObject({
      cursor: z
        .string()
        .regex(/^\d{1,15}$/)
        .optional(),
      limit,
      ...filter,
    }),
    body: null,
    status: 200,
    answer: pageOf(auditEvent),
    problems: [404],
    handle: async ({ site, caller, params, query }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const page = await readAudit(
        site.services,
        visit,
        filterOf(query),
        query.cursor === undefined ? null : Number(query.cursor),
        query.limit,
      );
      return {
        body: {
          data: page.events.map((row) => ({
            id: row.id,
            at: new Date(row.at).toISOString(),
            type: row.type,
            user: row.user_id,
            client: row.client_id,
            ip: row.ip,
            userAgent: row.user_agent,
            data: JSON.parse(row.data) as Record<string, unknown>,
          })),
          next: page.next === null ? null : String(page.next),
        },
      };
    },
  }),
  operation({
    id: 'exportAuditEvents',
    verb: 'get',
    path: '/organizations/{organization}/audit-events/export',
    tag: 'Audit log',
    summary: 'The same as one file, with the chain of hashes; that it was taken out stands in the log itself',
    scope: 'audit:read',
    fresh: true,
    params: inOrganization,
    query: z.strictObject({ format: z.enum(auditFormats), ...filter }),
    body: null,
    status: 200,
    answer: null,
    files: Object.values(auditMediaTypes),
    problems: [404],
    handle: async ({ site, caller, params, query }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const pages = exportAudit(site.services, visit, filterOf(query));
      return {
        body: Readable.from(auditFile(pages, query.format)),
        type: auditMediaTypes[query.format],
        headers: {
          'Content-Disposition': `attachment; filename="audit-${visit.organization.slug}.${query.format}"`,
        },
      };
    },
  }),
];
