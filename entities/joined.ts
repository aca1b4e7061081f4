import type { Value } from './database.ts';

/**
 * Rows of several tables in one answer: each table's columns come under a prefix of its own, and are taken apart again. The columns
 * are the keys of an object, so that the compiler misses one that a row has and the list has not.
 */
export interface Part<Row> {
  /** For the list behind SELECT. */
  readonly columns: string;
  /** The same, for the other branches of a UNION. */
  readonly nothing: string;
  readonly of: (answer: Readonly<Record<string, Value>>) => Row;
}

export function part<Row extends object>(
  prefix: string,
  alias: string,
  columns: Readonly<Record<keyof Row, true>>,
): Part<Row> {
  const names = Object.keys(columns);
  const prefixed = names.map((name) => [name, `${prefix}_${name}`] as const);
  return {
    columns: prefixed.map(([name, as]) => `${alias}.${name} AS ${as}`).join(', '),
    nothing: prefixed.map(([, as]) => `NULL AS ${as}`).join(', '),
    of: (answer) => {
      const row: Record<string, Value> = {};
      for (const [name, as] of prefixed) row[name] = answer[as] ?? null;
      return row as Row;
    },
  };
}
