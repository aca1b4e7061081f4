import { argon2 } from 'node:crypto';
import { promisify } from 'node:util';

export type Argon2Type = 'argon2id' | 'argon2i' | 'argon2d';

export interface Argon2Cost {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** What a new hash costs (OWASP Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane). */
export const currentCost: Argon2Cost = { memory: 19_456, passes: 2, parallelism: 1 };

const derive = promisify(argon2);

/** RFC 9106 (version 1.3) in libuv's pool; the salt has at least 8 bytes. */
export const stretch = (
  message: string,
  salt: Buffer,
  { type = 'argon2id' as Argon2Type, cost = currentCost, tagLength = 32 } = {},
): Promise<Buffer> =>
  derive(type, { message: Buffer.from(message, 'utf8'), nonce: salt, tagLength, ...cost });
