import type { Database } from '../entities/database.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';
import { keySeen } from './reseal-secrets.ts';

const place = { table: 'instance', column: 'value', row: 'seal-check' };
const plain = 'Sallyport';

/** The keys are not those by which this database was sealed. */
export class WrongKeysError extends Error {
  override name = 'WrongKeysError';
  constructor() {
    super(
      'SECRET_KEYS does not open what is stored in this database: it was sealed by another key. Set SECRET_KEYS to the key ring that this database was made with (or DATA_DIR to the directory that holds its secret-keys); a new key goes beside the old ones, not in their place.',
    );
  }
}

/**
 * Leaves a sealed value in a new database, and opens the one that it finds: with the wrong keys nothing may start, or two sets of
 * secrets would grow in one database.
 *
 * @returns whether the key in front is one that no server had before, beside others: those that run do not know it, and believe
 *   nothing that it signs
 * @throws WrongKeysError
 */
export async function checkKeys(
  db: Database,
  ring: KeyRing,
): Promise<{ readonly isUnknownToOthers: boolean }> {
  const found = await keysOpen(db, ring);
  if (found === null) {
    const statement = db.insertIfAbsent('instance', { name: place.row, value: seal(ring, place, plain) });
    await db.change(statement.sql, statement.values);
  }
  if ((found ?? (await keysOpen(db, ring))) !== true) {
    throw new WrongKeysError();
  }
  const now = String(db.clock.now().getTime());
  const isFirst = async (name: string): Promise<boolean> => {
    const { sql, values } = db.insertIfAbsent('instance', { name, value: now });
    return (await db.change(sql, values)) === 1;
  };
  const [front = '', ...behind] = ring.ids;
  for (const id of behind) await isFirst(`key-known ${id}`);
  const wasUnknown = await isFirst(`key-known ${front}`);
  const wasNeverInFront = await isFirst(keySeen(front));
  return { isUnknownToOthers: found !== null && behind.length > 0 && wasUnknown && wasNeverInFront };
}

/** Whether the keys open what is stored; null where nothing is stored yet. */
export async function keysOpen(db: Database, ring: KeyRing): Promise<boolean | null> {
  const row = await db.row<{ value: string }>('SELECT value FROM instance WHERE name = ?', [place.row]);
  if (!row) {
    return null;
  }
  try {
    return open(ring, place, row.value) === plain;
  } catch {
    return false;
  }
}
