import { randomBytes } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { insertMany } from '../../entities/configuration.ts';
import { purge } from '../../jobs/purge.ts';
import { days, hours } from '../../lib/clock.ts';
import { freshWorld, kinds } from '../configuration/fresh-database.ts';

test('SQLite: while another process writes, a write here waits for it and nothing else does (T150)', async (t) => {
  const { db, url } = await freshWorld(t, 'SQLite');
  const other = new DatabaseSync(url.slice('sqlite:'.length));
  t.teardown(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  let turns = 0;
  const others = setInterval(() => {
    turns += 1;
  }, 5);
  const written = Promise.all([
    db.change("INSERT INTO instance (name, value) VALUES ('one', '1')"),
    db.together([db.insert('instance', { name: 'two', value: '2' })]),
  ]);
  await new Promise((resolve) => setTimeout(resolve, 400));
  t.deepEqual(await db.rows("SELECT name FROM instance WHERE name IN ('one', 'two')"), []);
  other.exec('COMMIT');
  t.deepEqual(await written, [1, true]);
  clearInterval(others);
  t.true(turns >= 4, `${turns} turns in between`);
});

const name = () => randomBytes(16).toString('hex');

for (const kind of kinds) {
  test(`${kind}: what has expired for an hour is deleted, however much it is, and everybody else has a turn in between; what is still good stays`, async (t) => {
    const { db } = await freshWorld(t, kind);
    const now = db.clock.now().getTime();
    const common = { payload: '{}', created_at: 0 };
    const tables: Readonly<Record<string, (expiresAt: number) => Record<string, string | number>>> = {
      provider_records: (expires_at) => ({ model: 'AccessToken', id_digest: name(), ...common, expires_at }),
      sessions: (expires_at) => ({
        uid_digest: name(),
        version: 1,
        payload: '{}',
        started_at: 0,
        seen_at: 0,
        expires_at,
      }),
      sign_ins: (expires_at) => ({
        uid_digest: name(),
        version: 1,
        state: '{}',
        created_at: 0,
        expires_at,
      }),
      limits: (expires_at) => ({ subject: name(), failures: 1, blocked_until: 0, expires_at }),
      idempotency_keys: (expires_at) => ({
        key_digest: name(),
        request_digest: '',
        holder: '',
        held_until: 0,
        created_at: 0,
        expires_at,
      }),
    };
    const expired = 2500;
    for (const [table, row] of Object.entries(tables)) {
      const rows = [
        ...Array.from({ length: expired }, (_, n) => row(now - hours(1) - 1 - n)),
        row(now - hours(1) + 1000),
        row(now + days(1)),
      ];
      await db.together(insertMany(table, rows));
    }
    // ID tokens go before the sign-in at the provider does that they are of.
    const signIn = (until: number, expires_at = now + days(9)) => ({
      id: name().slice(0, 26),
      link_id: 'l',
      provider_id: 'p',
      id_token: 'sealed',
      id_token_until: until,
      created_at: 0,
      expires_at,
    });
    await db.together(
      insertMany('upstream_sign_ins', [
        ...Array.from({ length: expired }, (_, n) => signIn(now - hours(1) - 1 - n)),
        signIn(now + 1000),
      ]),
    );
    // An application that went by an older version left its stream behind.
    await db.together([
      db.insert('signal_streams', {
        id: 'orphan',
        client_id: 'gone',
        delivery: 'poll',
        events: '[]',
        status: 'enabled',
        passed_until: now,
        created_at: now,
      }),
      db.insert('signal_subjects', { stream_id: 'orphan', user_id: 'u' }),
    ]);
    let turns = 0;
    const others = setInterval(() => {
      turns += 1;
    }, 1);
    await purge(db);
    clearInterval(others);
    t.deepEqual(
      (
        await db.rows<{ kept: number; n: number }>(
          `SELECT CASE WHEN id_token IS NULL THEN 0 ELSE 1 END AS kept, COUNT(*) AS n FROM upstream_sign_ins
           GROUP BY CASE WHEN id_token IS NULL THEN 0 ELSE 1 END ORDER BY 1`,
        )
      ).map((row) => [Number(row.kept), Number(row.n)]),
      [
        [0, expired],
        [1, 1],
      ],
    );
    t.deepEqual(await db.rows('SELECT id FROM signal_streams'), []);
    t.deepEqual(await db.rows('SELECT stream_id FROM signal_subjects'), []);
    for (const table of Object.keys(tables)) {
      const left = await db.row<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`);
      t.is(Number(left?.n), 2, table);
    }
    t.true(turns >= (Object.keys(tables).length + 1) * 2, `${turns} turns`);
  });
}
