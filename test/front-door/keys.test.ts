import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { pino } from 'pino';
import type { Database } from '../../entities/database.ts';
import { takeJob } from '../../entities/job-leases.ts';
import { sealedColumns } from '../../entities/sealed-columns.ts';
import { resealSecrets } from '../../flows/reseal-secrets.ts';
import { rotateSigningKeys, rotateWhenDue } from '../../flows/signing-keys.ts';
import { runWhenDue } from '../../jobs/schedule.ts';
import { days, hours, minutes } from '../../lib/clock.ts';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';
import { type App, createApp } from '../../server.ts';
import { Browser } from './browser.ts';
import { acme, type FrontDoor, frontDoor, kinds, passwordStep, redeem, secret, signIn } from './rig.ts';

const configuration = acme({}, { ada: { totp: secret } });

const published = async (door: FrontDoor): Promise<string[]> => {
  const { keys } = (await (await fetch(`${door.issuer}/jwks`)).json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
};

/** Each server looks for new keys now and then. */
const followEverywhere = (door: FrontDoor) => Promise.all(door.apps.map((app) => app.followSigningKeys()));

for (const kind of kinds) {
  test(`${kind}: new signing keys are published a day before they sign, and the old ones until nothing that they signed is of use`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const [app] = door.apps;
    const { db, ring } = app?.services ?? t.fail();
    const idToken = async (browser: Browser): Promise<string> =>
      String((await redeem(door, browser)).body.id_token);
    const browser = door.browser();
    const before = String((await signIn(door, browser)).body.id_token);
    const old = await published(door);
    t.is(old.length, 2);

    const both = await Promise.all([rotateSigningKeys(db, ring), rotateSigningKeys(db, ring)]);
    t.deepEqual(
      both.map(({ rotated }) => rotated).sort(),
      [false, true],
      'of two rotations at once one is done',
    );
    t.true(await app?.followSigningKeys());
    t.false(await app?.followSigningKeys(), 'and then nothing is new');
    await followEverywhere(door);
    const together = await published(door);
    t.is(together.length, 4);
    t.false((await rotateSigningKeys(db, ring)).rotated, 'not again while they wait for their turn');

    await browser.authorize();
    const between = await idToken(browser);
    t.is(decodeProtectedHeader(between).kid, decodeProtectedHeader(before).kid, 'they do not sign yet');

    door.clock.forward(hours(24));
    await followEverywhere(door);
    const later = door.browser();
    const after = String((await signIn(door, later)).body.id_token);
    t.false(old.includes(String(decodeProtectedHeader(after).kid)), 'a day later they sign');
    const keys = createRemoteJWKSet(new URL(`${door.issuer}/jwks`));
    for (const token of [before, between, after]) {
      await t.notThrowsAsync(
        jwtVerify(token, keys, { currentDate: new Date(0) }).catch((error: { code: string }) => {
          if (error.code !== 'ERR_JWT_CLAIM_VALIDATION_FAILED' && error.code !== 'ERR_JWT_EXPIRED')
            throw error;
        }),
      );
    }
    door.clock.forward(days(3));
    await app?.followSigningKeys();
    t.deepEqual(
      (await published(door)).filter((kid) => old.includes(kid)),
      [],
    );
    t.false(await rotateWhenDue(db, ring), 'no other key follows yet');
    door.clock.forward(days(90));
    t.true(await rotateWhenDue(db, ring), 'after ninety days one does, by itself');

    await rotateSigningKeys(db, ring, { atOnce: true });
    await app?.followSigningKeys();
    t.is((await published(door)).length, 2, 'where a key is known to others, the old ones are gone at once');
  });

  test(`${kind}: everything is sealed again under a new key while people use it, and the old key may leave`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const [app] = door.apps;
    const { db, settings } = app?.services ?? t.fail();
    await signIn(door, door.browser());

    const old = settings.secretKeys;
    const young = newKey();
    const both = openKeyRing(`${young},${old}`);
    const [first, second] = await Promise.all([resealSecrets(db, both), resealSecrets(db, both)]);
    t.true((first?.resealed ?? 0) + (second?.resealed ?? 0) > 5);
    t.deepEqual(first?.unreadable, []);
    const again = await resealSecrets(db, both);
    t.is(again.resealed, 0, 'a second run has nothing left to do');
    const oldId = openKeyRing(old).ids[0];
    t.deepEqual(await whereIs(db, `v1.${oldId}.`), [], 'nowhere is anything that the old key opens');

    const server = createServer((req, res) => replaced.handle?.(req, res));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    t.teardown(() => server.close());
    const replaced = await createApp({ ...settings, secretKeys: young }, db, pino({ level: 'silent' }));
    door.clock.forward(minutes(1));
    const next = new Browser(door.issuer, [address]);
    await passwordStep(next);
    await next.press('Verify', { code: door.code() });
    t.truthy(next.callback?.get('code'), 'with the new key alone a factor is still what it was');
    // While a key comes: the one server has it behind, the other in front already, and a browser goes from one to the other and back.
    const third = newKey();
    const warnings: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
    const handles: App[] = [];
    for (const secretKeys of [`${young},${third}`, `${third},${young}`]) {
      handles.push(await createApp({ ...settings, secretKeys }, db, log));
    }
    t.deepEqual(warnings, []);
    await createApp({ ...settings, secretKeys: `${newKey()},${third},${young}` }, db, log);
    t.regex(warnings.join(''), /Put it behind the others on all servers first/);
    let turn = 0;
    const mixed = createServer((req, res) => handles[turn++ % 2]?.handle?.(req, res));
    await new Promise<void>((resolve) => mixed.listen(0, '127.0.0.1', resolve));
    t.teardown(() => mixed.close());
    door.clock.forward(minutes(1));
    const between = new Browser(door.issuer, [`http://127.0.0.1:${(mixed.address() as AddressInfo).port}`]);
    await passwordStep(between);
    await between.press('Verify', { code: door.code() });
    t.truthy(between.callback?.get('code'), `${between.status} ${between.heading}`);
    for (let n = 0; n < 3; n += 1) {
      turn = n;
      await between.authorize({ prompt: 'none' });
      t.truthy(between.callback?.get('code'), 'who is signed in stays so');
    }
    await mixed.closeAllConnections();
    await t.throwsAsync(createApp({ ...settings, secretKeys: newKey() }, db, pino({ level: 'silent' })), {
      name: 'WrongKeysError',
    });
    await server.closeAllConnections();
  });

  test(`${kind}: a job is done by one of many, again when it is due, and by another where its process died`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    let runs = 0;
    const job = {
      name: 'count',
      every: minutes(10),
      lease: minutes(1),
      work: async () => {
        runs += 1;
      },
    };
    const ran = await Promise.all(Array.from({ length: 20 }, () => runWhenDue(door.db, job)));
    t.deepEqual([runs, ran.filter(Boolean).length], [1, 1]);
    door.clock.forward(minutes(9));
    t.false(await runWhenDue(door.db, job));
    door.clock.forward(minutes(1));
    t.true(await runWhenDue(door.db, job));

    const now = door.clock.now();
    t.true(await takeJob(door.db, 'left', now, new Date(now.getTime() + minutes(1))));
    t.false(await runWhenDue(door.db, { ...job, name: 'left' }), 'somebody has it');
    door.clock.forward(minutes(1));
    t.true(await runWhenDue(door.db, { ...job, name: 'left' }), 'who has died');
  });
}

/** Every column of every table that holds a value with this beginning. */
async function whereIs(db: Database, beginning: string): Promise<string[]> {
  const columns =
    db.dialect === 'sqlite'
      ? await db.rows<{ table: string; name: string }>(
          "SELECT m.name AS 'table', c.name AS name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
        )
      : await db.rows<{ table: string; name: string }>(
          'SELECT table_name AS `table`, column_name AS name FROM information_schema.columns WHERE table_schema = DATABASE()',
        );
  const found: string[] = [];
  for (const { table, name } of columns) {
    const [row] = await db.rows(`SELECT 1 FROM ${table} WHERE ${name} LIKE ? LIMIT 1`, [`${beginning}%`]);
    if (row) found.push(`${table}.${name}`);
  }
  return found;
}

test('every column that holds sealed values is known to the rotation', async (t) => {
  const door = await frontDoor(t, 'SQLite', { replicas: 1, configuration });
  const known = new Set(sealedColumns.map(({ table, column }) => `${table}.${column}`));
  await signIn(door, door.browser());
  const found = await whereIs(door.db, 'v1.');
  t.true(found.length > 4);
  t.deepEqual(
    found.filter((column) => !known.has(column)),
    [],
  );
});
