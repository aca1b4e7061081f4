import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyRing } from './key-ring.ts';

/** Where a sealed value stands. It opens nowhere else, so values cannot be swapped between people in the database. */
export interface Place {
  readonly table: string;
  readonly column: string;
  /** The row's key, as text. */
  readonly row: string;
}

/** The key that sealed the value is no longer in the ring. */
export class UnknownKeyError extends Error {
  override name = 'UnknownKeyError';
  readonly keyId: string;
  constructor(keyId: string, { table, column }: Place) {
    super(`${table}.${column} was sealed by key ${keyId}, which is not in the key ring`);
    this.keyId = keyId;
  }
}

/** The value was changed, cut, or moved here from another row, column or table. */
export class SealBrokenError extends Error {
  override name = 'SealBrokenError';
  constructor({ table, column }: Place) {
    super(`the seal of a value in ${table}.${column} is broken`);
  }
}

const algorithm = 'aes-256-gcm';
const nonceLength = 12;
const tagLength = 16;
const sealed = /^v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/;

/** Encrypts a value for its place under the newest key: `v1.<key id>.<base64url of nonce, ciphertext and tag>`. */
export function seal(ring: KeyRing, place: Place, plain: string | Buffer): string {
  const [key] = ring.keys(purposeOf(place));
  if (!key) throw new Error('the key ring is empty');
  const nonce = nextNonce();
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagLength });
  cipher.setAAD(encode(place));
  const body = typeof plain === 'string' ? cipher.update(plain, 'utf8') : cipher.update(plain);
  cipher.final();
  return `v1.${ring.ids[0]}.${Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url')}`;
}

/** The text that was sealed for this place. Throws `UnknownKeyError` or `SealBrokenError`. */
export const open = (ring: KeyRing, place: Place, value: string): string =>
  openBytes(ring, place, value).toString('utf8');

/** Like `open`, for what is not text. */
export function openBytes(ring: KeyRing, place: Place, value: string): Buffer {
  const [, keyId, body] = sealed.exec(value) ?? [];
  if (keyId === undefined || body === undefined) throw new SealBrokenError(place);
  const key = ring.keys(purposeOf(place))[ring.ids.indexOf(keyId)];
  if (!key) throw new UnknownKeyError(keyId, place);
  const bytes = Buffer.from(body, 'base64url');
  if (bytes.length < nonceLength + tagLength) throw new SealBrokenError(place);

  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceLength), {
    authTagLength: tagLength,
  });
  decipher.setAAD(encode(place));
  decipher.setAuthTag(bytes.subarray(-tagLength));
  const plain = decipher.update(bytes.subarray(nonceLength, -tagLength));
  try {
    decipher.final();
  } catch {
    throw new SealBrokenError(place);
  }
  return plain;
}

/** False where the value should be sealed again, after a new key was put in front of the ring. */
export const isSealedByCurrentKey = (ring: KeyRing, value: string): boolean =>
  value.startsWith(`v1.${ring.ids[0]}.`);

// Random bytes come 256 nonces at a time: asking the operating system for each costs as much as the encryption.
let nonces = Buffer.alloc(0);
function nextNonce(): Buffer {
  if (nonces.length < nonceLength) nonces = randomBytes(nonceLength * 256);
  const nonce = nonces.subarray(0, nonceLength);
  nonces = nonces.subarray(nonceLength);
  return nonce;
}

// One key per column: random nonces are safe for 2^32 messages under one key (NIST SP 800-38D, 8.3).
const purposeOf = ({ table, column }: Place): string => `seal ${table}.${column}`;

const encode = ({ table, column, row }: Place): Buffer =>
  Buffer.from(JSON.stringify([table, column, row]), 'utf8');
