import { randomInt } from 'node:crypto';
import { stretch } from '../lib/argon2.ts';
import { keyedDigests } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { token } from '../lib/random.ts';
import type { WorkQueue } from '../lib/work-queue.ts';

// Crockford's base32: no i, l, o or u, so that a code on paper can be read and typed.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const groups = 4;
const groupLength = 4;
const length = groups * groupLength;

/** What the digest of a code needs: the keys, and the queue that keeps slow hashing from stopping everything. */
export interface RecoveryCodeTools {
  readonly ring: KeyRing;
  readonly queue: WorkQueue;
}

/** Codes of 80 bits, as they are shown: `x7k2-9qfm-3h8t-c4vz`. No two of a set are equal. */
export function newRecoveryCodes(n = 8): readonly string[] {
  const codes = new Set<string>();
  while (codes.size < n) codes.add(newRecoveryCode());
  return [...codes];
}

/** The salt of one person's set, to be stored beside it: one slow hash then answers for all codes of the set. */
export const newRecoverySalt = (): string => token(128);

/** The code that was meant, as it was shown, or null: case, spaces and dashes do not matter, O is 0, I and L are 1. */
export function readRecoveryCode(typed: unknown): string | null {
  if (typeof typed !== 'string' || typed.length > 64) return null;
  const code = typed
    .replaceAll(/[\s\p{Dash_Punctuation}]/gu, '')
    .toLowerCase()
    .replaceAll('o', '0')
    .replaceAll(/[il]/g, '1');
  if (code.length !== length || ![...code].every((character) => alphabet.includes(character))) return null;
  return inGroups(code);
}

/**
 * What is stored for a code, as `newRecoveryCodes` made it or `readRecoveryCode` read it. Below 112 bits, a look-up
 * secret is hashed as slowly as a password (NIST SP 800-63B-4, 3.1.2.2); the key keeps the database alone worthless.
 */
export async function digestRecoveryCode(
  tools: RecoveryCodeTools,
  salt: string,
  code: string,
): Promise<string> {
  const [newest] = await digestsRecoveryCode(tools, salt, code);
  if (newest === undefined) throw new Error('the key ring is empty');
  return newest;
}

/** The same under every key of the ring, newest first: a code that was made before a rotation is found by one of them. */
export async function digestsRecoveryCode(
  { ring, queue }: RecoveryCodeTools,
  salt: string,
  code: string,
): Promise<readonly string[]> {
  const slow = await queue.run(() => stretch(code, Buffer.from(salt, 'utf8'), { cost: queue.cost }));
  return keyedDigests(ring, 'recovery code', slow);
}

const newRecoveryCode = (): string =>
  inGroups(Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join(''));

const inGroups = (code: string): string =>
  Array.from({ length: groups }, (_, i) => code.slice(i * groupLength, (i + 1) * groupLength)).join('-');
