import { noSpans, type Spans } from '../lib/spans.ts';
import type { Database, Statement } from './database.ts';

/** The same database, with a span for each question. The text of a statement holds no value of anybody's. */
export function tracedDatabase(db: Database, spans: Spans): Database {
  if (spans === noSpans) return db;
  const system = db.dialect === 'sqlite' ? 'sqlite' : 'mysql';
  const asked = <Result>(sql: string, work: () => Promise<Result>): Promise<Result> =>
    spans.inner(firstWords(sql), { 'db.system.name': system, 'db.query.text': sql }, work, 'client');
  return {
    ...db,
    rows: (sql, values) => asked(sql, () => db.rows(sql, values)),
    row: (sql, values) => asked(sql, () => db.row(sql, values)),
    change: (sql, values) => asked(sql, () => db.change(sql, values)),
    together: (batch) =>
      spans.inner(
        'transaction',
        { 'db.system.name': system, 'db.operation.batch.size': batch.length, 'db.query.text': textOf(batch) },
        () => db.together(batch),
        'client',
      ),
  };
}

const textOf = (batch: readonly Statement[]): string => batch.map(({ sql }) => sql).join(';\n');

/** As `SELECT users`: few different names, as the conventions for spans want it. */
function firstWords(sql: string): string {
  const verb = /^\s*([A-Za-z]+)/.exec(sql)?.[1]?.toUpperCase() ?? 'SQL';
  const table = /\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)/i.exec(sql)?.[1] ?? '';
  return `${verb} ${table}`.trim();
}
