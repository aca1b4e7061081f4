import * as z from 'zod';
import { auditPage } from '../entities/audit-events.ts';
import { organizationFor } from './caller.ts';
import { operation } from './operation.ts';
import { id, inOrganization, moment, pageOf, paging } from './schemas.ts';

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
      ...paging,
      type: z
        .string()
        .max(100)
        .regex(/^[a-z_.]+$/)
        .optional(),
      user: id.optional(),
      from: moment.optional(),
      until: moment.optional(),
    }),
    body: null,
    status: 200,
    answer: pageOf(auditEvent),
    problems: [404],
    handle: async ({ site, caller, params, query }) => {
      const visit = await organizationFor(site, caller, params.organization);
      const rows = await auditPage(site.services.db, visit.organization.id, {
        before: query.cursor ?? null,
        type: query.type ?? null,
        userId: query.user ?? null,
        from: query.from === undefined ? null : new Date(query.from),
        until: query.until === undefined ? null : new Date(query.until),
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      return {
        body: {
          data: page.map((row) => ({
            id: row.id,
            at: new Date(row.at).toISOString(),
            type: row.type,
            user: row.user_id,
            client: row.client_id,
            ip: row.ip,
            userAgent: row.user_agent,
            data: JSON.parse(row.data) as Record<string, unknown>,
          })),
          next: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null,
        },
      };
    },
  }),
];
