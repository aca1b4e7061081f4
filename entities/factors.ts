import type { Method } from '../policy/types.ts';
import type { Database, Statement } from './database.ts';

/** A factor stands here only once it was confirmed by one successful use; a set-up that was left leaves no trace. */
export interface FactorRow {
  id: string;
  user_id: string;
  method: Method;
  name: string | null;
  data: string;
  /** Digest of what it is found by without a name; null where it is not. */
  lookup: string | null;
  /** The model that a passkey's maker has attested; null where none was asked for. */
  model: string | null;
  high_water: number;
  failures: number;
  disabled_at: number | null;
  confirmed_at: number;
  last_used_at: number | null;
}

/** Every column; a new one that is missing here does not compile. */
export const factorColumns: Readonly<Record<keyof FactorRow, true>> = {
  id: true,
  user_id: true,
  method: true,
  name: true,
  data: true,
  lookup: true,
  model: true,
  high_water: true,
  failures: true,
  disabled_at: true,
  confirmed_at: true,
  last_used_at: true,
};

/** After so many wrong answers in a row the factor must be set up again (NIST SP 800-63B-4, 3.2.2). */
export const failuresUntilDisabled = 100;

export const factorsOf = (db: Database, userId: string) =>
  db.rows<FactorRow>('SELECT * FROM factors WHERE user_id = ? ORDER BY confirmed_at, id', [userId]);

export const factorByLookup = (db: Database, lookup: string) =>
  db.row<FactorRow>('SELECT * FROM factors WHERE lookup = ?', [lookup]);

export const addFactor = (
  db: Database,
  row: {
    id: string;
    userId: string;
    method: Method;
    name: string | null;
    data: string;
    lookup: string | null;
    model?: string | null;
    highWater: number | null;
    now: Date;
  },
): Statement =>
  db.insert('factors', {
    id: row.id,
    user_id: row.userId,
    method: row.method,
    name: row.name,
    data: row.data,
    lookup: row.lookup,
    model: row.model ?? null,
    high_water: row.highWater ?? -1,
    failures: 0,
    disabled_at: null,
    confirmed_at: row.now.getTime(),
    last_used_at: row.now.getTime(),
  });

/**
 * Counts an attempt before it is checked: false where the factor has had its hundred. The count goes back to nothing only by
 * `useFactor`, so switching the method, a new sign-in or another factor's success do not reset it.
 */
export async function countAttempt(db: Database, factorId: string, now: Date): Promise<boolean> {
  const changed = await db.change(
    // MySQL reads what it has just set: the column that is compared comes last.
    `UPDATE factors SET disabled_at = CASE WHEN failures >= ? THEN ? ELSE disabled_at END, failures = failures + 1
     WHERE id = ? AND disabled_at IS NULL`,
    [failuresUntilDisabled - 1, now.getTime(), factorId],
  );
  return changed === 1;
}

/**
 * The write that accepts a right answer: it must grow what the factor says must grow (a time step, a counter), so of two
 * equal answers one is first and the other is wrong, on any number of servers (RFC 6238 §5.2). The hundredth answer, which has disabled the
 * factor when it was counted, may be the right one; what was closed meanwhile stays closed.
 */
export const useFactor = (
  factorId: string,
  highWater: number | null,
  data: string | null,
  now: Date,
): Statement => ({
  sql: `UPDATE factors SET failures = 0, disabled_at = NULL, last_used_at = ?, data = COALESCE(?, data), high_water = COALESCE(?, high_water)
        WHERE id = ? AND (disabled_at IS NULL OR failures >= ?) AND (? IS NULL OR high_water < ?)`,
  values: [now.getTime(), data, highWater, factorId, failuresUntilDisabled, highWater, highWater],
  rows: 1,
});

/** Nobody signs in with it any more, also not with an answer that is under way; it still stands in the way of whoever has the password alone. */
export const closeFactor = (userId: string, id: string, now: Date): Statement => ({
  sql: 'UPDATE factors SET disabled_at = COALESCE(disabled_at, ?), failures = 0 WHERE id = ? AND user_id = ?',
  values: [now.getTime(), id, userId],
});

/** Only the person's own; the batch is undone where it is not there any more. */
export const removeFactorOf = (userId: string, id: string): Statement => ({
  sql: 'DELETE FROM factors WHERE id = ? AND user_id = ?',
  values: [id, userId],
  rows: 1,
});

export const removeFactorsOf = (userId: string): Statement => ({
  sql: 'DELETE FROM factors WHERE user_id = ?',
  values: [userId],
});

export const renameFactor = (userId: string, id: string, name: string | null): Statement => ({
  sql: 'UPDATE factors SET name = ? WHERE id = ? AND user_id = ?',
  values: [name, id, userId],
  rows: 1,
});

export const removeFactor = (id: string): Statement => ({
  sql: 'DELETE FROM factors WHERE id = ?',
  values: [id],
});

/** Wrong answers in a row, as they stand now. */
export async function failuresOf(db: Database, id: string): Promise<number> {
  const row = await db.row<{ failures: number }>('SELECT failures FROM factors WHERE id = ?', [id]);
  return row?.failures ?? 0;
}
