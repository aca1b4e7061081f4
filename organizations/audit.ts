import { Readable } from 'node:stream';
import * as z from 'zod';
import type { ChainedEvent } from '../entities/audit-links.ts';
import { plainFacts } from '../flows/audit-facts.ts';
import { auditFile, auditFormats, auditMediaTypes } from '../flows/audit-file.ts';
import { organizationApplications } from '../flows/organization-applications.ts';
import { type AuditFilter, exportAudit, readAudit } from '../flows/read-audit.ts';
import { deviceName } from '../http/device-name.ts';
import { RequestError } from '../http/errors.ts';
import { eventGroups, eventWords } from '../http/event-words.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { days } from '../lib/clock.ts';
import { basePath, framedBy, inSession, organizationOf, textOf } from './visit.ts';
import { options } from './words.ts';

const day = z.iso.date().transform((text) => new Date(`${text}T00:00:00Z`));
const question = z.object({
  type: z
    .string()
    .regex(/^[a-z_.]{1,60}$/)
    .optional(),
  person: z.string().max(320).optional(),
  application: z.string().max(191).optional(),
  since: day.optional(),
  until: day.transform((date) => new Date(date.getTime() + days(1))).optional(),
});
const names = ['type', 'person', 'application', 'since', 'until'] as const;

/** Who did what, to whom, when, from where, in which application. */
export function auditRoutes({ get }: SignedInRoutes): void {
  get('/:slug/audit', inSession('audit.read'), showAudit);
  get('/:slug/audit-export', inSession('audit.export'), async (visit) => {
    const { ctx, site } = visit;
    const read = readQuestion(visit);
    const { format } = ctx.query;
    const known = auditFormats.find((one) => one === format);
    if (read.wrong.length > 0 || !known) throw new RequestError('bad_request');
    const there = await organizationOf(visit);
    const pages = exportAudit(site.services, there, read.filter);
    ctx.attachment(`audit-${there.organization.slug}.${known}`);
    ctx.type = auditMediaTypes[known];
    ctx.body = Readable.from(auditFile(pages, known));
  });
}

interface Question {
  readonly wrong: readonly string[];
  readonly given: Record<string, string>;
  readonly filter: AuditFilter;
}

function readQuestion(visit: SignedIn): Question {
  const given = Object.fromEntries(
    names.flatMap((name) => {
      const value = textOf(visit.ctx.query[name]).trim();
      return value === '' ? [] : [[name, value]];
    }),
  );
  const read = question.safeParse(given);
  if (!read.success)
    return { wrong: read.error.issues.map(({ path }) => String(path[0])), given, filter: {} };
  const { application, ...rest } = read.data;
  return { wrong: [], given, filter: { ...rest, ...(application ? { clientId: application } : {}) } };
}

const factsOf = (event: ChainedEvent): Record<string, unknown> =>
  JSON.parse(event.data) as Record<string, unknown>;

/** Of whoever has no account yet: an invitation names the address that it went to. */
const addressIn = ({ to }: Record<string, unknown>): string | null =>
  typeof to === 'string' && to.includes('@') ? to : null;

const unreadable = 'This filter cannot be read, so nothing is shown. Choose another, or show all.';

async function showAudit(visit: SignedIn): Promise<void> {
  const { ctx, site } = visit;
  const there = await organizationOf(visit);
  const base = basePath(ctx);
  const { wrong, given, filter } = readQuestion(visit);
  const ok = wrong.length === 0;
  const position = Number(textOf(ctx.query.before));
  const before = Number.isSafeInteger(position) && position > 0 ? position : null;
  const { events, next } = ok
    ? await readAudit(site.services, there, filter, before)
    : { events: [], next: null };
  const people = await namesOf(site.services.db, events);
  const applications = await organizationApplications(site.services, there);
  const query = new URLSearchParams(given);
  const withParam = (path: string, name: string, value: string) => {
    const params = new URLSearchParams(query);
    params.set(name, value);
    return `${path}?${params}`;
  };
  show(
    ctx,
    site.renderer,
    'organizations/audit',
    {
      ...(await framedBy(visit)),
      action: `${base}/audit`,
      types: options([['', 'Everything']], given.type ?? ''),
      typeGroups: Object.entries(eventGroups).map(([label, words]) => ({
        label,
        options: options(Object.entries(words), given.type ?? ''),
      })),
      person: given.person ?? '',
      applications: options(
        [
          ['', 'Any application'],
          ...applications.map(
            ({ clientId, name }) =>
              [clientId, { sentence: '{application}', values: { application: name } }] as const,
          ),
        ],
        given.application ?? '',
      ),
      since: given.since ?? '',
      until: given.until ?? '',
      isFiltered: query.size > 0,
      problems: Object.fromEntries(wrong.map((name) => [name, unreadable])),
      rows: events.map((event) => {
        const { by, ...facts } = factsOf(event);
        return {
          at: new Date(event.at),
          what: eventWords[event.type] ?? event.type,
          type: event.type,
          who: event.person_email ?? addressIn(facts),
          by: typeof by === 'string' && by !== event.user_id ? (people.get(by) ?? by) : null,
          application: event.application_name,
          from: event.ip,
          device: deviceName(event.user_agent),
          facts: plainFacts(facts).map(({ name, value }) => ({ name, value: value.slice(0, 500) })),
          position: Number(event.position),
        };
      }),
      first: before === null ? null : `${base}/audit${query.size > 0 ? `?${query}` : ''}`,
      next: next === null ? null : withParam(`${base}/audit`, 'before', String(next)),
      csv: withParam(`${base}/audit-export`, 'format', 'csv'),
      jsonLines: withParam(`${base}/audit-export`, 'format', 'jsonl'),
    },
    ok ? 200 : 422,
  );
}

/** The addresses of those who did something. */
async function namesOf(
  db: SignedIn['site']['services']['db'],
  events: readonly ChainedEvent[],
): Promise<Map<string, string>> {
  const ids = [
    ...new Set(
      events.flatMap((event) => {
        const { by } = factsOf(event);
        return typeof by === 'string' ? [by] : [];
      }),
    ),
  ];
  if (ids.length === 0) return new Map();
  const rows = await db.rows<{ id: string; email: string }>(
    `SELECT id, email FROM users WHERE id IN (${ids.map(() => '?').join(', ')})`,
    ids,
  );
  return new Map(rows.map(({ id, email }) => [id, email]));
}
