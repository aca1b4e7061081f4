import { createHmac, type KeyObject } from 'node:crypto';
import { sameDigest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';

/**
 * Signs the cookies of oidc-provider in place of the `keygrip` that it brings: HMAC-SHA-256 instead of SHA-1, keys that are made once
 * and not at each use, and comparing by `timingSafeEqual`. What an older key of the ring signed is still believed, and signed anew
 * by the caller (`index` over 0).
 */
export class CookieKeys {
  private readonly keys: readonly KeyObject[];

  constructor(ring: KeyRing) {
    this.keys = ring.keys('cookies');
  }

  sign(data: string): string {
    const [newest] = this.keys;
    if (!newest) throw new Error('the key ring is empty');
    return signed(newest, data);
  }

  /** The place of the key that signed the data; -1 where none of the ring did. */
  index(data: string, signature: string): number {
    return this.keys.findIndex((key) => sameDigest(signed(key, data), signature));
  }

  verify(data: string, signature: string): boolean {
    return this.index(data, signature) >= 0;
  }
}

const signed = (key: KeyObject, data: string): string =>
  createHmac('sha256', key).update(data).digest('base64url');
