import { randomBytes, randomInt } from 'node:crypto';

/** A secret that nobody can guess, in base64url: at least 128 bits, so that a plain digest of it may be stored. */
export function token(bits = 256): string {
  if (!(bits >= 128)) throw new RangeError('a token has at least 128 bits');
  return randomBytes(Math.ceil(bits / 8)).toString('base64url');
}

/** A code of n decimal digits (1 to 14), each code as likely as any other, also those that begin with zeros. */
export const digits = (n: number): string => String(randomInt(10 ** n)).padStart(n, '0');
