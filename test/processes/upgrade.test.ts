import test from 'ava';
import { pendingMigrations } from '../../entities/database.ts';
import { kinds } from '../configuration/fresh-database.ts';
import { expandSchema } from '../configuration/next-schema.ts';
import { acme, passwordStep, secret } from '../front-door/rig.ts';
import { silently } from './errands.ts';
import { codeNow, place } from './process-rig.ts';

for (const kind of kinds) {
  test(`${kind}: a server goes on, and starts, on the schema of the next version; on one that took away what it needs it refuses, and says so (T153)`, async (t) => {
    const at = await place(t, kind, { empty: true });
    await at.apply(
      acme(
        { requirement: 'required_for_all', graceDays: 0, methods: ['totp'] },
        {
          ada: { totp: secret },
          bea: { totp: secret },
        },
      ),
    );
    const old = await at.start(0);
    const ada = at.browser(0);
    await passwordStep(ada, 'ada');

    // The next version starts elsewhere and migrates, in the middle of a sign-in.
    await at.look(expandSchema);
    await ada.press('Verify', { code: codeNow() });
    const { status, body } = await at.redeem(ada);
    t.is(status, 200, JSON.stringify(body));
    t.is(await silently(ada), 'code');
    t.is((await fetch(`${old.url}/readyz`)).status, 200);
    const another = await at.start(1);
    const bea = at.browser(1);
    await passwordStep(bea, 'bea');
    await bea.press('Verify', { code: codeNow() });
    t.truthy(bea.callback?.get('code'));
    t.deepEqual(await at.look(pendingMigrations), []);

    // The version after that takes away what this one still reads.
    await at.look((db) =>
      db.change("INSERT INTO instance (name, value) VALUES ('needed_migration', 'NextVersion1899999999999')"),
    );
    const ready = await fetch(`${another.url}/readyz`);
    t.is(ready.status, 503);
    t.regex(await ready.text(), /too old for the database.*NextVersion1899999999999/);
    await another.kill();
    const refused = await t.throwsAsync(at.start(1));
    t.regex(refused?.message ?? '', /This version is too old for the database/);
    t.notRegex(old.output(), /"level":50/);
  });
}
