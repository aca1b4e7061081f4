import type { Database } from './database.ts';

export interface SigningKeyRow {
  id: string;
  algorithm: string;
  jwk: string;
}

/** RS256 before ES256, newest first. */
export const signingKeys = (db: Database) =>
  db.rows<SigningKeyRow>(
    'SELECT id, algorithm, jwk FROM signing_keys WHERE retired_at IS NULL ORDER BY algorithm DESC, created_at DESC',
  );

export const addSigningKey = (db: Database, id: string, algorithm: string, jwk: string) =>
  db.insertIfAbsent('signing_keys', {
    id,
    algorithm,
    jwk,
    created_at: db.clock.now().getTime(),
    retired_at: null,
  });
