import type { Database } from './database.ts';

type Key = Readonly<Record<string, string>>;

/** A column whose values are sealed: what names a row, and how the row is called in the seal. */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  readonly key: readonly string[];
  /** Other columns that the seal is bound to. */
  readonly also?: readonly string[];
  readonly row: (row: Key) => string;
}

/** Every column that holds sealed values; a test finds any that is missing here. */
export const sealedColumns: readonly SealedColumn[] = [
  { table: 'instance', column: 'value', key: ['name'], row: ({ name }) => `${name}` },
  {
    table: 'factors',
    column: 'data',
    key: ['id'],
    also: ['user_id'],
    row: ({ id, user_id }) => `${user_id} ${id}`,
  },
  {
    table: 'recovery_codes',
    column: 'sealed',
    key: ['id'],
    also: ['user_id'],
    row: ({ id, user_id }) => `${user_id} ${id}`,
  },
  { table: 'applications', column: 'secret', key: ['client_id'], row: ({ client_id }) => `${client_id}` },
  { table: 'signing_keys', column: 'jwk', key: ['id'], row: ({ id }) => `${id}` },
  { table: 'sessions', column: 'payload', key: ['uid_digest'], row: ({ uid_digest }) => `${uid_digest}` },
  { table: 'sign_ins', column: 'state', key: ['uid_digest'], row: ({ uid_digest }) => `${uid_digest}` },
  { table: 'held_forms', column: 'fields', key: ['id_digest'], row: ({ id_digest }) => `${id_digest}` },
  {
    table: 'provider_records',
    column: 'payload',
    key: ['model', 'id_digest'],
    row: ({ model, id_digest }) => `${model} ${id_digest}`,
  },
  {
    table: 'idempotency_keys',
    column: 'answer',
    key: ['key_digest'],
    row: ({ key_digest }) => `${key_digest}`,
  },
  { table: 'one_time_links', column: 'data', key: ['id_digest'], row: ({ id_digest }) => `${id_digest}` },
  { table: 'signal_streams', column: 'authorization_header', key: ['id'], row: ({ id }) => `${id}` },
  { table: 'upstream_providers', column: 'secret', key: ['id'], row: ({ id }) => `${id}` },
  { table: 'upstream_providers', column: 'private_key', key: ['id'], row: ({ id }) => `${id}` },
  { table: 'upstream_sign_ins', column: 'id_token', key: ['id'], row: ({ id }) => `${id}` },
  { table: 'outbox', column: 'message', key: ['id'], row: ({ id }) => `${id}` },
];

export interface SealedRow {
  readonly key: readonly string[];
  readonly row: string;
  readonly value: string;
}

/** The next values, in the order of their keys, that were not sealed by this key. */
export async function sealedByOthers(
  db: Database,
  { table, column, key, also = [], row }: SealedColumn,
  keyId: string,
  afterKey: readonly string[] | null,
  limit: number,
): Promise<SealedRow[]> {
  const names = key.join(', ');
  const from = afterKey === null ? '' : `AND (${names}) > (${key.map(() => '?').join(', ')})`;
  const rows = await db.rows<Key & { readonly sealed_value: string }>(
    `SELECT ${[...key, ...also].join(', ')}, ${column} AS sealed_value FROM ${table}
     WHERE ${column} LIKE 'v1.%' AND ${column} NOT LIKE ? ${from} ORDER BY ${names} LIMIT ?`,
    [`v1.${keyId}.%`, ...(afterKey ?? []), limit],
  );
  return rows.map((found) => ({
    key: key.map((name) => String(found[name])),
    row: row(found),
    value: found.sealed_value,
  }));
}

/** Puts the new seal in the place of the old; nothing where the value was changed meanwhile. */
export const replaceSeal = ({ table, column, key }: SealedColumn, found: SealedRow, sealed: string) => ({
  sql: `UPDATE ${table} SET ${column} = ? WHERE ${key.map((name) => `${name} = ?`).join(' AND ')} AND ${column} = ?`,
  values: [sealed, ...found.key, found.value],
});
