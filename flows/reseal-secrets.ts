import type { Database } from '../entities/database.ts';
import { replaceSeal, sealedByOthers, sealedColumns } from '../entities/sealed-columns.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { openBytes, seal } from '../lib/seal.ts';

export interface Resealed {
  readonly resealed: number;
  /** Values that were broken, or sealed by a key that is not in the ring: they are left as they are. */
  readonly unreadable: readonly { readonly table: string; readonly column: string; readonly count: number }[];
  /** Recovery codes are digests, and stay under the key of their making until they are used or made anew. */
  readonly recoveryCodesLeft: number;
}

// So few that servers which write the same rows, or a second run of this, wait a moment only.
const batchSize = 100;

/**
 * Seals everything that is stored again under the newest key, while servers run: a value that changes meanwhile is left to the one
 * who changes it, who uses the newest key too. May be stopped and run again at any time; it goes on where it was.
 */
export async function resealSecrets(
  db: Database,
  ring: KeyRing,
  progress: (done: number) => void = () => {},
): Promise<Resealed> {
  const [keyId = ''] = ring.ids;
  const unreadable = [];
  let resealed = 0;
  for (const column of sealedColumns) {
    let broken = 0;
    let last: readonly string[] | null = null;
    for (;;) {
      const found: Awaited<ReturnType<typeof sealedByOthers>> = await sealedByOthers(
        db,
        column,
        keyId,
        last,
        batchSize,
      );
      const statements = [];
      for (const row of found) {
        const place = { table: column.table, column: column.column, row: row.row };
        try {
          statements.push(replaceSeal(column, row, seal(ring, place, openBytes(ring, place, row.value))));
        } catch {
          broken += 1;
        }
      }
      if (statements.length > 0) {
        await db.together(statements);
        resealed += statements.length;
        progress(resealed);
      }
      last = found.at(-1)?.key ?? null;
      if (found.length < batchSize) {
        break;
      }
    }
    if (broken > 0) {
      unreadable.push({ table: column.table, column: column.column, count: broken });
    }
  }
  return { resealed, unreadable, recoveryCodesLeft: await recoveryCodesLeft(db, keyId) };
}

/** Unused codes that were made before the newest key was first seen. */
async function recoveryCodesLeft(db: Database, keyId: string): Promise<number> {
  const row = await db.row<{ count: number }>(
    `SELECT COUNT(*) AS count FROM recovery_codes WHERE used_at IS NULL
     AND created_at < (SELECT CAST(value AS DECIMAL(20)) FROM instance WHERE name = ?)`,
    [keySeen(keyId)],
  );
  return row?.count ?? 0;
}

/** Where it stands when a key was first in front of the ring. */
export const keySeen = (keyId: string): string => `key-seen ${keyId}`;

/** Every key that was ever in front of the ring. */
export async function keysSeen(db: Database): Promise<string[]> {
  const prefix = keySeen('');
  const rows = await db.rows<{ name: string }>('SELECT name FROM instance WHERE name >= ? AND name < ?', [
    prefix,
    `${prefix}~`,
  ]);
  return rows.map(({ name }) => name.slice(prefix.length));
}
