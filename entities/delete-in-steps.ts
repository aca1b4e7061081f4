import type { Database, Value } from './database.ts';

/** So few that nobody waits for them: some milliseconds of the main thread on SQLite, of locks on MySQL. */
const step = { sqlite: 200, mysql: 1000 } as const;

/**
 * Deletes what the condition names, a few rows at a time with a pause between: one statement for a hundred thousand rows would hold
 * everybody up, on SQLite the whole process. What is left when it is ended in the middle is deleted next time.
 *
 * @returns how many rows there were
 */
export async function deleteInSteps(
  db: Database,
  table: string,
  condition: string,
  values: readonly Value[],
): Promise<number> {
  const most = step[db.dialect];
  const sql =
    db.dialect === 'sqlite'
      ? `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${condition} LIMIT ${most})`
      : `DELETE FROM ${table} WHERE ${condition} LIMIT ${most}`;
  for (let deleted = 0; ; ) {
    const changed = await db.change(sql, values);
    deleted += changed;
    if (changed < most) return deleted;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
