import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';

const keyLength = 32;
const base64OfKey = /^[A-Za-z0-9+/_-]{43}=?$/;

/** Secrets that derive from the keys of a ring; the keys themselves never leave it. Every list is newest first. */
export interface KeyRing {
  /** What tells the keys apart in what was sealed by them: 8 hexadecimal digits each. */
  readonly ids: readonly string[];
  /** 32 bytes per key that serve one purpose. Purposes are names in the program, not data: each one is kept for good. */
  derive(purpose: string): readonly Buffer[];
  /** The same as key objects: node:crypto takes 20 µs to make one out of bytes, at every call that is given bytes. */
  keys(purpose: string): readonly KeyObject[];
}

/**
 * Reads a list of keys, as in `SECRET_KEYS`: comma-separated, newest first, each 32 bytes in base64 or base64url.
 * Throws where it cannot be read, naming the position and never the value.
 */
export function openKeyRing(keys: string): KeyRing {
  const secrets = keys.split(',').map(readKey);
  const ids = secrets.map((secret) => deriveFrom(secret, 'key id', 4).toString('hex'));
  ids.forEach((id, index) => {
    const first = ids.indexOf(id);
    if (first !== index) throw new Error(`key ${index + 1} is the same as key ${first + 1}`);
  });
  const derive = remember((purpose) =>
    secrets.map((secret) => deriveFrom(secret, `purpose ${purpose}`, keyLength)),
  );
  const keysFor = remember((purpose) => derive(purpose).map((secret) => createSecretKey(secret)));

  return { ids, derive, keys: keysFor };
}

/** A key to put in front of a ring. */
export const newKey = (): string => randomBytes(keyLength).toString('base64url');

function readKey(text: string, index: number): Buffer {
  const trimmed = text.trim();
  if (trimmed === '') throw new Error(`key ${index + 1} is empty`);
  if (!base64OfKey.test(trimmed)) throw new Error(`key ${index + 1} is not 32 bytes in base64 or base64url`);
  return Buffer.from(trimmed, 'base64url');
}

const deriveFrom = (secret: Buffer, info: string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', `sallyport ${info}`, length));

function remember<T>(make: (purpose: string) => T): (purpose: string) => T {
  const made = new Map<string, T>();
  return (purpose) => {
    const known = made.get(purpose);
    if (known !== undefined) return known;
    const value = make(purpose);
    made.set(purpose, value);
    return value;
  };
}
