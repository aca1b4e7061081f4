import type { Database, Statement, Value } from './database.ts';

/** Trap F6: a number matches any text that does not start with a digit, and an array becomes SQL. Only what was meant gets through. */
export function checked(values: readonly Value[]): Value[] {
  for (const value of values) {
    if (
      value !== null &&
      typeof value !== 'string' &&
      !(typeof value === 'number' && Number.isFinite(value))
    ) {
      throw new TypeError(`a database value must be a text, a finite number or null, not ${typeof value}`);
    }
  }
  return values as Value[];
}

/** The writes that SQLite and MySQL say differently. */
export function statementBuilders(
  dialect: Database['dialect'],
): Pick<Database, 'upsert' | 'insertIfAbsent' | 'insert'> {
  const insertSql = (verb: string, table: string, columns: readonly string[]) =>
    `${verb} INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
  const ifAbsent = dialect === 'sqlite' ? 'INSERT OR IGNORE' : 'INSERT IGNORE';

  return {
    insert: (table, row) => ({
      sql: insertSql('INSERT', table, Object.keys(row)),
      values: Object.values(row),
    }),
    insertIfAbsent: (table, row, unless) => {
      const columns = Object.keys(row);
      return unless
        ? {
            sql: `${ifAbsent} INTO ${table} (${columns.join(', ')}) SELECT ${columns.map(() => '?').join(', ')} FROM (SELECT 1 AS one) once WHERE NOT (${unless.sql})`,
            values: [...Object.values(row), ...unless.values],
          }
        : { sql: insertSql(ifAbsent, table, columns), values: Object.values(row) };
    },
    upsert: (table, key, row) => {
      const columns = Object.keys(row);
      const others = columns.filter((column) => !key.includes(column));
      const update =
        dialect === 'sqlite'
          ? `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${others.map((c) => `${c} = excluded.${c}`).join(', ')}`
          : `ON DUPLICATE KEY UPDATE ${others.map((c) => `${c} = VALUES(${c})`).join(', ')}`;
      return { sql: `${insertSql('INSERT', table, columns)} ${update}`, values: Object.values(row) };
    },
  };
}

/** Every statement of a batch and, at its end, what follows from them. */
export function withConsequences(batch: readonly Statement[]): readonly Statement[] {
  const consequences = new Map<string, Statement>();
  for (const { followedBy = [] } of batch) {
    for (const statement of followedBy) {
      consequences.set(JSON.stringify([statement.sql, statement.values]), statement);
    }
  }
  return consequences.size === 0 ? batch : [...batch, ...consequences.values()];
}

/** Who wants to know what batches tell, and how they are told. */
export function createListeners(): {
  readonly onWritten: Database['onWritten'];
  readonly tell: (batch: readonly Statement[]) => void;
} {
  const listeners: Parameters<Database['onWritten']>[0][] = [];
  return {
    onWritten: (listener) => void listeners.push(listener),
    tell: (batch) => {
      for (const { tells } of batch) {
        if (tells) {
          for (const listener of listeners) listener(tells);
        }
      }
    },
  };
}
