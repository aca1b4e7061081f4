import type { Database } from './database.ts';

/**
 * Lends a job to the one process for which this is true, until `until`; where that one dies, the job is due again then. False
 * where it is not due yet or another process has it.
 */
export async function takeJob(db: Database, name: string, now: Date, until: Date): Promise<boolean> {
  const take = () =>
    db.change('UPDATE job_leases SET next_at = ? WHERE name = ? AND next_at <= ?', [
      until.getTime(),
      name,
      now.getTime(),
    ]);
  if ((await take()) === 1) {
    return true;
  }
  const first = db.insertIfAbsent('job_leases', { name, next_at: 0, ran_at: null });
  return (await db.change(first.sql, first.values)) === 1 && (await take()) === 1;
}

/** The job is done, and due again at `nextAt`; nothing where the lease has gone to another process meanwhile. */
export const jobDone = (db: Database, name: string, leasedUntil: Date, now: Date, nextAt: Date) =>
  db.change('UPDATE job_leases SET next_at = ?, ran_at = ? WHERE name = ? AND next_at = ?', [
    nextAt.getTime(),
    now.getTime(),
    name,
    leasedUntil.getTime(),
  ]);

export const jobTimes = (db: Database) =>
  db.rows<{ name: string; next_at: number; ran_at: number | null }>('SELECT * FROM job_leases ORDER BY name');
