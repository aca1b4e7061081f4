import type { Database, Value } from './database.ts';

/** So few that nobody waits for them: some milliseconds of the main thread on SQLite, of locks on MySQL. */
const step = { sqlite: 200, mysql: 1000 } as const;

/**
 * Deletes what the condition names, a few rows at a time with a pause between: one statement for a hundred thousand rows would hold
 * everybody up, on SQLite the whole process. What is left when it is ended in the middle is deleted next time.
 *
 * @returns how many rows there were
 */
export const deleteInSteps = (
  db: Database,
  table: string,
  condition: string,
  values: readonly Value[],
): Promise<number> => inSteps(db, `DELETE FROM ${table}`, table, condition, values);

/**
 * Changes them in the same way.
 *
 * @param set what makes the condition false, so that a row is changed once
 */
export const changeInSteps = (
  db: Database,
  table: string,
  set: string,
  condition: string,
  values: readonly Value[],
): Promise<number> => inSteps(db, `UPDATE ${table} SET ${set}`, table, condition, values);

async function inSteps(
  db: Database,
  verb: string,
  table: string,
  condition: string,
  values: readonly Value[],
): Promise<number> {
  const most = step[db.dialect];
  const sql =
    db.dialect === 'sqlite'
      ? `${verb} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${condition} LIMIT ${most})`
      : `${verb} WHERE ${condition} LIMIT ${most}`;
  for (let done = 0; ; ) {
    const changed = await db.change(sql, values);
    done += changed;
    if (changed < most) return done;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
