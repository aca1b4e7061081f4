import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'oidc-provider';
import type { Database } from '../entities/database.ts';
import { addSigningKey, signingKeys } from '../entities/signing-keys.ts';
import { digest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';

const generate = promisify(generateKeyPair);

/**
 * The keys that sign tokens, RS256 first since it is every relying party's default (OpenID Connect Discovery 1.0 §3). They are made
 * at the first start; of several processes that start at once, all end with the keys of the first.
 */
export async function loadSigningKeys(db: Database, ring: KeyRing): Promise<JWK[]> {
  let rows = await signingKeys(db);
  if (rows.length === 0) {
    const rsa = await generate('rsa', { modulusLength: 2048 });
    const ec = await generate('ec', { namedCurve: 'P-256' });
    await store(db, ring, 'first-rs256', 'RS256', rsa.privateKey.export({ format: 'jwk' }) as JWK);
    await store(db, ring, 'first-es256', 'ES256', ec.privateKey.export({ format: 'jwk' }) as JWK);
    rows = await signingKeys(db);
  }
  return rows.map((row) => JSON.parse(open(ring, place(row.id), row.jwk)) as JWK);
}

async function store(db: Database, ring: KeyRing, id: string, algorithm: string, jwk: JWK): Promise<void> {
  const kid = digest(JSON.stringify([jwk.kty, jwk.n ?? jwk.x, jwk.e ?? jwk.y])).slice(0, 22);
  const complete = { ...jwk, kid, use: 'sig', alg: algorithm };
  const { sql, values } = addSigningKey(db, id, algorithm, seal(ring, place(id), JSON.stringify(complete)));
  await db.change(sql, values);
}

const place = (id: string) => ({ table: 'signing_keys', column: 'jwk', row: id });
