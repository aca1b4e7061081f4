import type { Database } from '../../entities/database.ts';

/**
 * What the migration of a next version may do to the schema while this version runs on it: to every table a column more that may be
 * null and one with a default, and a line in the list of migrations.
 */
export async function expandSchema(db: Database): Promise<void> {
  const names =
    db.dialect === 'sqlite'
      ? await db.rows<{ name: string }>(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
        )
      : await db.rows<{ name: string }>(
          "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
        );
  for (const { name } of names.filter((one) => one.name !== 'migrations')) {
    await db.change(`ALTER TABLE ${name} ADD COLUMN of_next_version VARCHAR(64)`);
    await db.change(`ALTER TABLE ${name} ADD COLUMN next_version_needs BIGINT NOT NULL DEFAULT 7`);
  }
  await db.change(
    "INSERT INTO migrations (timestamp, name) VALUES (1899999999999, 'NextVersion1899999999999')",
  );
}
