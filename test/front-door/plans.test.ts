import test from 'ava';
import type { Value } from '../../entities/database.ts';
import { listedMembers } from '../../entities/member-directory.ts';
import { acme, frontDoor, nextStep, redeem, secret, signIn } from './rig.ts';

/** Tables that do not grow with people, sessions or time. */
const small = new Set([
  'instance',
  'job_leases',
  'signing_keys',
  'applications',
  'organizations',
  'upstream_providers',
  'upstream_domains',
  'signal_streams',
]);

test('whatever a sign-in, a return, a refresh, userinfo and introspection ask of the database is looked up by an index, so that a million people cost what a thousand do', async (t) => {
  const door = await frontDoor(t, 'SQLite', {
    replicas: 1,
    configuration: acme(
      { requirement: 'required_for_all', graceDays: 0, rememberDeviceDays: 30 },
      {
        ada: { totp: secret },
        bea: {},
      },
    ),
  });
  const asked = new Map<string, number>();
  const { db } = door;
  const noted =
    <Answer>(ask: (sql: string, values?: readonly Value[]) => Answer) =>
    (sql: string, values: readonly Value[] = []): Answer => {
      asked.set(sql, values.length);
      return ask(sql, values);
    };
  const { rows, row, change, together } = db;
  Object.assign(db, {
    rows: noted(rows),
    row: noted(row),
    change: noted(change),
    together: (batch: Parameters<typeof together>[0]) => {
      for (const one of batch.flatMap((each) => [each, ...(each.followedBy ?? [])]))
        asked.set(one.sql, one.values.length);
      return together(batch);
    },
  });

  const ada = door.browser();
  const { body } = await signIn(door, ada, { remember: true });
  const token = String(body.access_token);
  await ada.authorize({ prompt: 'none' });
  await redeem(door, ada);
  await door.post('/token', { grant_type: 'refresh_token', refresh_token: String(body.refresh_token) });
  await fetch(`${door.issuer}/me`, { headers: { Authorization: `Bearer ${token}` } });
  await door.post('/token/introspection', { token });
  nextStep(door);
  const wrong = door.browser();
  await wrong.authorize();
  await wrong.press('Sign in', { email: 'ada@acme.test', password: 'wrong' });
  const bea = door.browser();
  await bea.authorize();
  await bea.press('Sign in', { email: 'bea@acme.test', password: 'correct horse battery staple' });
  await bea.press('Confirm setup', { code: door.code(0, bea.totpSecret) });
  t.true(bea.recoveryCodes.length > 0);
  await ada.open('/account');
  t.is(ada.heading, 'Security');
  t.true(asked.size > 40, `${asked.size} different statements`);

  const scans: string[] = [];
  for (const [sql, values] of asked) {
    const plan = await rows<{ detail: string }>(
      `EXPLAIN QUERY PLAN ${sql}`,
      Array.from({ length: values }, () => null),
    );
    for (const { detail } of plan) {
      const [, table = ''] = /^SCAN (\w+)(?! USING (COVERING )?INDEX)/.exec(detail) ?? [];
      const named =
        new RegExp(`(?:FROM|JOIN|UPDATE|INTO)\\s+(\\w+)\\s+(?:AS\\s+)?${table}\\b`, 'i').exec(sql)?.[1] ??
        table;
      // `once` is one row made of nothing, under which a write has a condition.
      if (table !== '' && !small.has(named) && !['CONSTANT', 'once'].includes(table))
        scans.push(`${detail}: ${sql}`);
    }
  }
  t.deepEqual(scans, []);
});

test('what a list says of each member is looked up by the member, however many people have the same factor', async (t) => {
  const door = await frontDoor(t, 'SQLite', {
    replicas: 1,
    configuration: acme({}, { ada: { totp: secret } }),
  });
  const asked: string[] = [];
  const { rows } = door.db;
  const noting = {
    ...door.db,
    rows: (sql: string, values: readonly Value[] = []) => {
      asked.push(sql);
      return rows(sql, values);
    },
  } as typeof door.db;
  await listedMembers(noting, 'one', ['two']);
  t.is(asked.length, 1);
  const plan = await rows<{ detail: string }>(`EXPLAIN QUERY PLAN ${asked[0]}`, ['one', 'two']);
  const ofFactors = plan.filter(({ detail }) => / f USING /.test(detail)).map(({ detail }) => detail);
  t.deepEqual(ofFactors, ['SEARCH f USING INDEX factors_by_user (user_id=? AND method=?)']);
});
