import type { Database } from './database.ts';
import { deleteInSteps } from './in-steps.ts';

export interface SigningKeyRow {
  id: string;
  algorithm: string;
  jwk: string;
  created_at: number;
  /** When it begins to sign; it is published before. */
  active_at: number;
  /** When it is no longer published; null while no other key has followed it. */
  retired_at: number | null;
}

/** All that are published at a moment, RS256 before ES256, newest first. */
export const signingKeys = (db: Database, now: Date) =>
  db.rows<SigningKeyRow>(
    'SELECT * FROM signing_keys WHERE retired_at IS NULL OR retired_at > ? ORDER BY algorithm DESC, active_at DESC',
    [now.getTime()],
  );

export const addSigningKey = (
  db: Database,
  key: { readonly id: string; readonly algorithm: string; readonly jwk: string; readonly activeAt: Date },
) =>
  db.insertIfAbsent('signing_keys', {
    id: key.id,
    algorithm: key.algorithm,
    jwk: key.jwk,
    created_at: db.clock.now().getTime(),
    active_at: key.activeAt.getTime(),
    retired_at: null,
  });

/** The key that another one follows leaves at this moment, or sooner where that was said before. */
export const retireSigningKey = (id: string, at: Date) => ({
  sql: 'UPDATE signing_keys SET retired_at = ? WHERE id = ? AND (retired_at IS NULL OR retired_at > ?)',
  values: [at.getTime(), id, at.getTime()],
});

export const purgeSigningKeys = (db: Database, before: Date) =>
  deleteInSteps(db, 'signing_keys', 'retired_at IS NOT NULL AND retired_at < ?', [before.getTime()]);
