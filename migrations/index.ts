import { FirstSchema1790000000001 } from './1790000000001-first-schema.ts';

/**
 * In the order in which they run; a new one is a new file and a new line at the end.
 *
 * While servers are replaced one by one, those of the version before run on the new schema. So a migration only adds: tables, columns
 * that may be null or have a default, indexes. What the new version does not need any more is taken away by a migration of the version
 * after it, which also writes to `instance`, under this key, the name of the migration that a server must know: older ones then
 * refuse to start and are not ready (docs/decisions/0030-upgrades.md).
 */
export const migrations = [FirstSchema1790000000001];

export const neededMigrationKey = 'needed_migration';
