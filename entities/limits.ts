import type { Database, Statement } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

export interface LimitRow {
  failures: number;
  blocked_until: number;
  expires_at: number;
}

export const limitRow = (db: Database, subject: string) =>
  db.row<LimitRow>('SELECT failures, blocked_until, expires_at FROM limits WHERE subject = ?', [subject]);

/**
 * Counts one attempt where none is barred at the moment, and bars the next ones where it was one too many. `delays[n]` is the
 * wait in milliseconds after attempt n + 1; the last holds for all that follow.
 */
export async function countLimited(
  db: Database,
  subject: string,
  rule: { readonly delays: readonly number[]; readonly stop: number; readonly lifetime: number },
  now: Date,
): Promise<boolean> {
  const at = now.getTime();
  // A count that nobody has added to for its lifetime begins anew.
  const failures = `CASE WHEN expires_at <= ? THEN 0 ELSE failures END`;
  const waits = rule.delays.map((wait, n) => `WHEN ${n} THEN ${wait}`);
  // MySQL reads what it has just set, so what is read last is set last.
  const changed = await db.change(
    `UPDATE limits SET
       blocked_until = ? + CASE ${failures} ${waits.join(' ')} ELSE ${rule.delays.at(-1) ?? 0} END,
       failures = ${failures} + 1, expires_at = ?
     WHERE subject = ? AND blocked_until <= ? AND ${failures} < ?`,
    [at, at, at, at + rule.lifetime, subject, at, at, rule.stop],
  );
  return changed === 1;
}

/** False where the subject has a row already. */
export async function startLimited(
  db: Database,
  subject: string,
  lifetime: number,
  now: Date,
): Promise<boolean> {
  const statement = db.insertIfAbsent('limits', {
    subject,
    failures: 0,
    blocked_until: 0,
    expires_at: now.getTime() + lifetime,
  });
  return (await db.change(statement.sql, statement.values)) === 1;
}

/** Success: the count begins anew. */
export const clearLimit = (subject: string) => ({
  sql: 'UPDATE limits SET failures = 0, blocked_until = 0 WHERE subject = ?',
  values: [subject],
});

/** Nothing more of this until then, whatever was counted. */
export const barLimit = (db: Database, subject: string, until: Date, expiresAt: Date): Statement =>
  db.upsert('limits', ['subject'], {
    subject,
    failures: 5,
    blocked_until: until.getTime(),
    expires_at: expiresAt.getTime(),
  });

export const purgeLimits = (db: Database, before: Date) =>
  deleteInSteps(db, 'limits', 'expires_at < ?', [before.getTime()]);

/**
 * Counts one more of what has its own row for each window of time. Beyond one too many nothing is written any more.
 *
 * @returns how many there have been, this one with them
 */
export async function countedInWindow(
  db: Database,
  subject: string,
  windowEnd: number,
  most: number,
): Promise<number> {
  const statement = db.insertIfAbsent('limits', {
    subject,
    failures: 1,
    blocked_until: 0,
    expires_at: windowEnd,
  });
  if ((await db.change(statement.sql, statement.values)) === 1) return 1;
  await db.change('UPDATE limits SET failures = failures + 1 WHERE subject = ? AND failures <= ?', [
    subject,
    most,
  ]);
  return (await limitRow(db, subject))?.failures ?? most + 1;
}
