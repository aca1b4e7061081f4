import { randomBytes } from 'node:crypto';

/**
 * A name for a new row: 48 bits of time, so that rows of one moment lie together and sort by age, and 80 random bits.
 * It names, it never proves: what admits somebody is made by `token()`.
 */
export function newId(now: Date): string {
  return now.getTime().toString(16).padStart(12, '0') + randomBytes(10).toString('hex');
}
