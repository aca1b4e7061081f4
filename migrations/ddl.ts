import type { QueryRunner } from 'typeorm';

/**
 * One spelling of the schema for both databases. Every column compares bytes: a code, token or identifier that differs in case,
 * accent or trailing blank is another one (security.md, trap F6). Moments are milliseconds since 1970 in whole numbers, so that
 * no time zone, daylight saving or rounding of a DATETIME can touch them.
 */
export interface Ddl {
  readonly id: string;
  readonly digest: string;
  readonly word: string;
  readonly line: string;
  readonly text: string;
  readonly time: string;
  readonly number: string;
  readonly flag: string;
  readonly tableOptions: string;
}

const sqlite: Ddl = {
  id: 'TEXT',
  digest: 'TEXT',
  word: 'TEXT',
  line: 'TEXT',
  text: 'TEXT',
  time: 'INTEGER',
  number: 'INTEGER',
  flag: 'INTEGER',
  tableOptions: '',
};

export async function ddlFor(runner: QueryRunner): Promise<Ddl> {
  if (runner.dataSource.options.type !== 'mysql') {
    return sqlite;
  }
  const [{ version }] = (await runner.query('SELECT VERSION() AS version')) as [{ version: string }];
  const collation = /mariadb/i.test(version) ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
  return {
    id: 'VARCHAR(64)',
    digest: 'VARCHAR(64)',
    word: 'VARCHAR(191)',
    line: 'VARCHAR(1024)',
    text: 'MEDIUMTEXT',
    time: 'BIGINT',
    number: 'BIGINT',
    flag: 'TINYINT',
    tableOptions: ` ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE ${collation}`,
  };
}
