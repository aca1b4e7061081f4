import type { DataSource } from 'typeorm';
import { minutes, seconds } from '../lib/clock.ts';
import { token } from '../lib/random.ts';
import { ddlFor } from '../migrations/ddl.ts';
import { serverTime, undone } from './mysql.ts';

/** Whoever dies while it migrates keeps others waiting for so long; whoever lives says so again in time. */
const lease = seconds(30);
const patience = minutes(2);
const now = `(${serverTime})`;

/**
 * Of all processes that would migrate one MySQL or MariaDB, one at a time does. By a row that is lent, and not by GET_LOCK: that is a
 * lock of one node where there are several, and clusters of Percona's, and some of MariaDB's, refuse it (docs/operating.md).
 */
export async function alone<Result>(source: DataSource, work: () => Promise<Result>): Promise<Result> {
  await makeTable(source);
  const holder = token(128);
  /** Takes it, or goes on holding it. */
  const hold = async (): Promise<boolean> => {
    try {
      await source.query("INSERT IGNORE INTO migration_lock (name, held_until) VALUES ('schema', 0)");
      const { affectedRows } = (await source.query(
        `UPDATE migration_lock SET holder = ?, held_until = ${now} + ? WHERE name = 'schema' AND (held_until <= ${now} OR holder = ?)`,
        [holder, lease, holder],
      )) as { affectedRows: number };
      return affectedRows === 1;
    } catch (error) {
      // Somebody else has written it at this moment.
      if (undone.has((error as { errno?: number }).errno ?? 0)) return false;
      throw error;
    }
  };
  const until = performance.now() + patience;
  while (!(await hold())) {
    if (performance.now() > until) {
      throw new Error(
        'another process has been migrating this database for two minutes; nothing was changed',
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const timer = setInterval(() => void hold().catch(() => {}), lease / 6);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    // Where that fails it ends by itself.
    await source.query('UPDATE migration_lock SET held_until = 0 WHERE holder = ?', [holder]).catch(() => {});
  }
}

/** Not by a migration: it is needed before the first. */
async function makeTable(source: DataSource): Promise<void> {
  const runner = source.createQueryRunner();
  try {
    const t = await ddlFor(runner);
    await runner.query(
      `CREATE TABLE IF NOT EXISTS migration_lock (name ${t.id} NOT NULL PRIMARY KEY, holder ${t.id}, held_until ${t.time} NOT NULL)${t.tableOptions}`,
    );
  } finally {
    await runner.release();
  }
}
