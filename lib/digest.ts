import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from './key-ring.ts';

/** SHA-256 in base64url, for what nobody can guess: tokens of 128 bits and more. */
export const digest = (text: string): string => hash('sha256', text, 'base64url');

/** For what could be guessed by somebody who holds the database alone: HMAC-SHA-256 under the newest key. */
export function keyedDigest(ring: KeyRing, purpose: string, text: string | Buffer): string {
  const [newest] = keyedDigests(ring, purpose, text);
  if (newest === undefined) throw new Error('the key ring is empty');
  return newest;
}

/** The same under every key of the ring, newest first: what was stored before a rotation is found by one of them. */
export const keyedDigests = (ring: KeyRing, purpose: string, text: string | Buffer): readonly string[] =>
  ring.keys(`digest ${purpose}`).map((key) => createHmac('sha256', key).update(text).digest('base64url'));

/** Compares without telling by the time taken where two digests differ. */
export function sameDigest(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8');
  const right = Buffer.from(b, 'utf8');
  return left.length === right.length && timingSafeEqual(left, right);
}
