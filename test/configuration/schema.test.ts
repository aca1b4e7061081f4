import test from 'ava';
import { type Database, migrate, openDatabase } from '../../entities/database.ts';
import { freshDir, freshUrl, kinds, migratedUrl } from './fresh-database.ts';

async function tablesOf(db: Database): Promise<{ name: string; engine: string }[]> {
  return db.rows(
    db.dialect === 'sqlite'
      ? "SELECT name, 'InnoDB' AS engine FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
      : 'SELECT table_name AS name, COALESCE(engine, table_type) AS engine FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
}

async function withPrimaryKey(db: Database): Promise<Set<string>> {
  const rows = await db.rows<{ name: string }>(
    db.dialect === 'sqlite'
      ? "SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.pk > 0"
      : "SELECT table_name AS name FROM information_schema.table_constraints WHERE table_schema = DATABASE() AND constraint_type = 'PRIMARY KEY'",
  );
  return new Set(rows.map(({ name }) => name));
}

for (const kind of kinds) {
  test(`${kind}: the schema is one that clusters can replicate: each table in InnoDB with a primary key, no foreign key, no trigger`, async (t) => {
    const db = await openDatabase(await migratedUrl(t, kind, freshDir(t)));
    t.teardown(() => db.close());
    const tables = await tablesOf(db);
    const keyed = await withPrimaryKey(db);
    t.true(tables.length > 30);
    t.deepEqual(
      tables.filter(({ name, engine }) => engine !== 'InnoDB' || !keyed.has(name)),
      [],
    );
    t.deepEqual(
      await db.rows(
        db.dialect === 'sqlite'
          ? "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view') OR sql LIKE '%REFERENCES %'"
          : `SELECT constraint_name AS name FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()
             UNION ALL SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()`,
      ),
      [],
    );
  });
}

if (kinds.includes('MariaDB')) {
  test('MariaDB: of many that migrate at once one does; who died while migrating is waited for until what was lent to them ends, and no longer', async (t) => {
    const url = await freshUrl(t, 'MariaDB', '');
    const [one, two] = await Promise.all([openDatabase(url), openDatabase(url)]);
    t.teardown(() => Promise.all([one.close(), two.close()]));
    await one.change(
      'CREATE TABLE migration_lock (name VARCHAR(64) NOT NULL PRIMARY KEY, holder VARCHAR(64), held_until BIGINT NOT NULL) ENGINE=InnoDB',
    );
    const held = one.clock.now().getTime() + 1500;
    await one.change("INSERT INTO migration_lock VALUES ('schema', 'whoever died', ?)", [held]);
    const ran = await Promise.all([migrate(one), migrate(two), migrate(one)]);
    t.is(ran.flat().length, new Set(ran.flat()).size, 'each migration ran once');
    t.is(ran.filter((names) => names.length > 0).length, 1, 'by one of them');
    t.true(one.clock.now().getTime() >= held, 'nobody began while it was lent');
    const left = await one.row<{ held_until: number }>('SELECT held_until FROM migration_lock');
    t.is(Number(left?.held_until), 0, 'and whoever is done gives it back');
  });
}
