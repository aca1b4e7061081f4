import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'jose';
import type { Database } from '../entities/database.ts';
import {
  addSigningKey,
  retireSigningKey,
  type SigningKeyRow,
  signingKeys,
} from '../entities/signing-keys.ts';
import { after, days, hours } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';

const generate = promisify(generateKeyPair);

/** How long a new key is published before it signs: relying parties keep what they have read of `/jwks` for a while. */
export const publishedBefore = hours(24);
/** How long a key stays published after it has signed its last token: longer than any token, and any session whose ID token is a hint. */
const publishedAfter = days(3);
/** A key signs for so long before another follows by itself. */
const serves = days(90);

const algorithms = ['RS256', 'ES256'] as const;
type Algorithm = (typeof algorithms)[number];
type SigningKey = JWK & { readonly alg: Algorithm };

/**
 * The keys that sign and verify tokens now, each algorithm's signing one first, RS256 before ES256 since it is every relying
 * party's default (OpenID Connect Discovery 1.0 §3). The first are made at the first start; of several processes that start at
 * once, all end with the keys of the first.
 */
export async function loadSigningKeys(db: Database, ring: KeyRing, make = newSigningKey): Promise<JWK[]> {
  const now = db.clock.now();
  let rows = await signingKeys(db, now);
  const missing = algorithms.filter((algorithm) => !rows.some((row) => row.algorithm === algorithm));
  if (missing.length > 0) {
    const made = await Promise.all(
      missing.map(async (algorithm) =>
        keyRow(db, ring, `first-${algorithm.toLowerCase()}`, await make(algorithm), now),
      ),
    );
    // All at once: whoever starts beside this one finds all or none, and so does the next after a kill.
    await db.together(made);
    rows = await signingKeys(db, now);
  }
  return inOrder(rows, now).map((row) => JSON.parse(open(ring, place(row.id), row.jwk)) as JWK);
}

/** A key that is not to sign yet comes after those that do. */
const inOrder = (rows: readonly SigningKeyRow[], now: Date): SigningKeyRow[] => [
  ...rows.filter(({ active_at }) => active_at <= now.getTime()),
  ...rows.filter(({ active_at }) => active_at > now.getTime()),
];

export interface Rotation {
  /** False where a key is waiting for its turn already: nothing was changed. */
  readonly rotated: boolean;
  /** When the newest keys begin to sign. */
  readonly activeAt: Date;
}

/**
 * Makes a new key of each algorithm, published from now on and signing after `publishedBefore`, or at once where a key is known to
 * others: then the old ones leave at once too, and what they signed is no longer believed. Of two that rotate together one does.
 */
export async function rotateSigningKeys(
  db: Database,
  ring: KeyRing,
  options: { readonly atOnce?: boolean } = {},
): Promise<Rotation> {
  await loadSigningKeys(db, ring);
  const now = db.clock.now();
  const rows = await signingKeys(db, now);
  const waiting = rows.filter(({ active_at }) => active_at > now.getTime());
  if (waiting.length > 0 && !options.atOnce) {
    return { rotated: false, activeAt: new Date(Math.max(...waiting.map(({ active_at }) => active_at))) };
  }
  const activeAt = options.atOnce ? now : after(now, publishedBefore);
  const leavesAt = options.atOnce ? now : after(activeAt, publishedAfter);
  const statements = [];
  for (const algorithm of algorithms) {
    const before = rows.filter((row) => row.algorithm === algorithm);
    const [newest] = before;
    // Named after the key that it follows: of two rotations at once, the second writes nothing.
    const id = `after-${digest(newest?.id ?? '').slice(0, 22)}`;
    statements.push({ ...keyRow(db, ring, id, await newSigningKey(algorithm), activeAt), rows: 1 });
    for (const row of before) {
      statements.push(retireSigningKey(row.id, leavesAt));
    }
  }
  return { rotated: await db.together(statements), activeAt };
}

/** What the daily job does: another key follows one that has served its time. */
export async function rotateWhenDue(db: Database, ring: KeyRing): Promise<boolean> {
  const now = db.clock.now();
  const rows = await signingKeys(db, now);
  const newest = Math.max(...rows.map(({ active_at }) => active_at));
  if (rows.length === 0 || now.getTime() - newest < serves) {
    return false;
  }
  return (await rotateSigningKeys(db, ring)).rotated;
}

export async function newSigningKey(algorithm: Algorithm): Promise<SigningKey> {
  const { privateKey } =
    algorithm === 'RS256'
      ? await generate('rsa', { modulusLength: 2048 })
      : await generate('ec', { namedCurve: 'P-256' });
  const jwk = privateKey.export({ format: 'jwk' }) as JWK;
  const kid = digest(JSON.stringify([jwk.kty, jwk.n ?? jwk.x, jwk.e ?? jwk.y])).slice(0, 22);
  return { ...jwk, kid, use: 'sig', alg: algorithm };
}

function keyRow(db: Database, ring: KeyRing, id: string, key: SigningKey, activeAt: Date) {
  const jwk = seal(ring, place(id), JSON.stringify(key));
  return addSigningKey(db, { id, algorithm: key.alg, jwk, activeAt });
}

const place = (id: string) => ({ table: 'signing_keys', column: 'jwk', row: id });
