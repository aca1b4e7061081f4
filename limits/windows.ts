import type { Database } from '../entities/database.ts';
import { countedInWindow } from '../entities/limits.ts';
import { minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';

/**
 * Counts one more of something in the present minute of the database's clock.
 *
 * @returns how many are left of `most`, below zero for one too many, and how long the minute goes on
 */
export async function countInWindow(
  db: Database,
  subject: readonly string[],
  most: number,
): Promise<{ readonly left: number; readonly secondsLeft: number }> {
  const at = db.clock.now().getTime();
  const window = Math.floor(at / minutes(1));
  const end = (window + 1) * minutes(1);
  const count = await countedInWindow(db, digest(JSON.stringify(['window', window, ...subject])), end, most);
  return { left: most - count, secondsLeft: Math.max(1, Math.ceil((end - at) / 1000)) };
}
