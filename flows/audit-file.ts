import type { ChainedEvent } from '../entities/audit-links.ts';
import { csvLine } from '../lib/csv.ts';
import { changesIn } from './audit-facts.ts';

export const auditFormats = ['csv', 'jsonl'] as const;
export type AuditFormat = (typeof auditFormats)[number];

export const auditMediaTypes: Readonly<Record<AuditFormat, string>> = {
  csv: 'text/csv',
  jsonl: 'application/jsonl',
};

const columns = [
  'position',
  'at',
  'type',
  'person',
  'userId',
  'application',
  'clientId',
  'ip',
  'userAgent',
  'changes',
  'data',
  'hash',
] as const;

const record = (event: ChainedEvent) => ({
  position: Number(event.position),
  at: new Date(event.at).toISOString(),
  type: event.type,
  person: event.person_email,
  userId: event.user_id,
  application: event.application_name,
  clientId: event.client_id,
  ip: event.ip,
  userAgent: event.user_agent,
  data: JSON.parse(event.data) as Record<string, unknown>,
  hash: event.hash,
});

/** A spreadsheet has no room for what is nested: what an event changed stands in a column of its own, in words. */
function cell(facts: ReturnType<typeof record>, name: (typeof columns)[number]) {
  if (name === 'data') return JSON.stringify(facts.data);
  if (name !== 'changes') return facts[name];
  return changesIn(facts.data)
    .map(({ name, value }) => `${name}: ${value}`)
    .join('; ');
}

/** Events as a file, page by page: a spreadsheet's, or one JSON object a line. */
export async function* auditFile(
  pages: AsyncGenerator<readonly ChainedEvent[]>,
  format: AuditFormat,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvLine(columns);
  for await (const events of pages) {
    for (const event of events) {
      const facts = record(event);
      yield format === 'jsonl'
        ? `${JSON.stringify(facts)}\n`
        : csvLine(columns.map((name) => cell(facts, name)));
    }
  }
}
