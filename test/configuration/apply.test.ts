import { readFileSync } from 'node:fs';
import test from 'ava';
import { stringify } from 'yaml';
import { ConfigurationError } from '../../config/configuration-document.ts';
import { projectRoot } from '../../config/settings.ts';
import type { ApplicationRow } from '../../entities/applications.ts';
import type { FactorRow } from '../../entities/factors.ts';
import { type MembershipRow, readStoredPolicy } from '../../entities/memberships.ts';
import { organizationBySlug } from '../../entities/organizations.ts';
import { userByEmail } from '../../entities/users.ts';
import { type Applied, applyConfiguration, ConfigurationConflict } from '../../flows/apply-configuration.ts';
import { exportConfiguration } from '../../flows/export-configuration.ts';
import { days } from '../../lib/clock.ts';
import { open } from '../../lib/seal.ts';
import { freshWorld, kinds, type World } from './fresh-database.ts';

const acme = readFileSync(`${projectRoot}/examples/configuration/acme.yaml`, 'utf8');
const hash = `$argon2id$v=19$m=19456,t=2,p=1$${'c2FsbHlwb3J0LXNhbHQtMTY'}$${'A'.repeat(43)}`;

const apply = (world: World, file: object | string, options = {}): Promise<Applied> =>
  applyConfiguration(
    world,
    { name: 'file.yaml', text: typeof file === 'string' ? file : stringify(file) },
    options,
  );

const later = (world: World, span: number) => world.clock.set(new Date(world.clock.now().getTime() + span));

/** Everything that is stored, to be compared. */
async function contents({ db }: World): Promise<unknown> {
  const tables = [
    'instance',
    'organizations',
    'users',
    'memberships',
    'factors',
    'applications',
    'audit_events',
  ];
  return Promise.all(tables.map((table) => db.rows(`SELECT * FROM ${table}`)));
}

const tally = ({ changes }: Applied) => ({
  created: changes.filter(({ kind }) => kind === 'created').length,
  changed: changes.filter(({ kind }) => kind === 'changed').length,
});

for (const kind of kinds) {
  test.serial(
    `${kind}: the file of the contract is applied, its secrets are sealed, and again it changes nothing`,
    async (t) => {
      const world = await freshWorld(t, kind);
      const { db, ring, passwords } = world;
      t.deepEqual(tally(await apply(world, acme)), { created: 5, changed: 0 });

      const ada = await userByEmail(db, 'ada@acme.test');
      t.like(ada, {
        name: 'Ada',
        email_verified: 1,
        phone: '+15555550100',
        phone_verified: 0,
        disabled_at: null,
      });
      t.true((await passwords.verify(ada?.password_hash ?? null, 'correct horse battery staple')).ok);
      t.is(ada?.home_organization_id, (await organizationBySlug(db, 'acme'))?.id);
      t.not(ada?.had_factor_at, null);

      const factor = await db.row<FactorRow>('SELECT * FROM factors');
      t.like(factor, { user_id: ada?.id, method: 'totp', high_water: -1, failures: 0, disabled_at: null });
      t.deepEqual(
        JSON.parse(
          open(
            ring,
            { table: 'factors', column: 'data', row: `${factor?.user_id} ${factor?.id}` },
            factor?.data ?? '',
          ),
        ),
        { secret: 'JBSWY3DPEHPK3PXP' },
      );
      const bench = await db.row<ApplicationRow>('SELECT * FROM applications');
      t.like(bench, { client_id: 'bench', name: 'Bench', first_party: 1, assurance: 'none' });
      t.is(
        open(ring, { table: 'applications', column: 'secret', row: 'bench' }, bench?.secret ?? ''),
        'bench-secret',
      );
      t.deepEqual(JSON.parse(bench?.metadata ?? ''), {
        post_logout_redirect_uris: ['http://127.0.0.1:9/'],
        redirect_uris: ['http://127.0.0.1:9/cb'],
      });
      const stored = JSON.stringify(await contents(world));
      for (const secret of ['JBSWY3DPEHPK3PXP', 'bench-secret', 'correct horse']) {
        t.false(stored.includes(secret), 'a secret stands open in the database');
      }

      const before = await contents(world);
      later(world, days(3));
      t.deepEqual(tally(await apply(world, acme)), { created: 0, changed: 0 });
      t.deepEqual(await contents(world), before);
    },
  );

  test.serial(
    `${kind}: what is exported can be applied again and changes nothing, with secrets and without`,
    async (t) => {
      const world = await freshWorld(t, kind);
      for (const name of ['acme', 'keycloak-users', 'applications']) {
        await apply(world, readFileSync(`${projectRoot}/examples/configuration/${name}.yaml`, 'utf8'));
      }
      await apply(world, {
        users: [
          { email: 'ben@acme.test', homeOrganization: null, disabled: true, locale: 'de-ch' },
          { email: 'eve@moved.test', homeOrganization: 'acme', memberships: [] },
          {
            email: 'Zoë@Acme.test'.replace('ë', 'e'),
            name: 'Zoë, the "third": #1',
            phone: '+4915555550100',
            phoneVerified: true,
          },
        ],
      });
      const before = await contents(world);
      later(world, days(1));
      for (const withSecrets of [false, true]) {
        const exported = await exportConfiguration(world, { withSecrets });
        t.is(JSON.stringify(exported).includes('JBSWY3DPEHPK3PXP'), withSecrets);
        t.is(/argon2|bench-secret|pbkdf2/.test(JSON.stringify(exported)), withSecrets);
        for (const text of [stringify(exported), JSON.stringify(exported)]) {
          t.deepEqual(tally(await apply(world, text)), { created: 0, changed: 0 });
          t.deepEqual(await contents(world), before);
        }
      }

      const other = await freshWorld(t, kind);
      const exported = await exportConfiguration(world, { withSecrets: true });
      await apply(other, stringify(exported));
      t.deepEqual(
        await exportConfiguration(other, { withSecrets: true }),
        exported,
        'the copy says the same',
      );
    },
  );

  test.serial(
    `${kind}: one organization is exported with its members and applications, and no other`,
    async (t) => {
      const world = await freshWorld(t, kind);
      await apply(world, acme);
      await apply(world, readFileSync(`${projectRoot}/examples/configuration/keycloak-users.yaml`, 'utf8'));
      const exported = await exportConfiguration(world, { organization: 'moved' });
      t.deepEqual(Object.keys(exported ?? {}), ['organizations', 'users', 'applications']);
      t.is(exported?.organizations.length, 1);
      t.is(exported?.users.length, 4);
      t.is(exported?.applications.length, 0);
      t.is(await exportConfiguration(world, { organization: 'nobody' }), null);
    },
  );

  test.serial(
    `${kind}: what is absent stays as it is, and a new organization has the rules of the instance`,
    async (t) => {
      const world = await freshWorld(t, kind);
      await apply(world, acme);
      await apply(world, {
        instance: { policy: { graceDays: 30, recoveryCodes: { showAgain: false } } },
        organizations: [{ slug: 'acme', policy: { rememberDeviceDays: 0 } }, { slug: 'beta' }],
        users: [{ email: 'ADA@acme.test', locale: 'en' }],
        applications: [
          { client_id: 'bench', tos_uri: 'https://acme.test/terms', post_logout_redirect_uris: null },
        ],
      });
      const policy = readStoredPolicy((await organizationBySlug(world.db, 'acme'))?.policy ?? '');
      t.like(policy, { requirement: 'required_for_all', graceDays: 7, rememberDeviceDays: 0 });
      const told = await world.db.rows<{ slug: string; data: string }>(
        `SELECT o.slug, e.data FROM audit_events e JOIN organizations o ON o.id = e.organization_id
         WHERE e.type = 'configuration.applied'`,
      );
      t.deepEqual(
        told.map(({ slug, data }) => ({ slug, data: JSON.parse(data) })),
        [
          {
            slug: 'acme',
            data: {
              source: 'file.yaml',
              organizations_changed: 1,
              applications_changed: 1,
              users_changed: 1,
            },
          },
        ],
        'an organization that was there reads in its own log what the operator changed in it',
      );
      t.like(readStoredPolicy((await organizationBySlug(world.db, 'beta'))?.policy ?? ''), {
        requirement: 'optional',
        graceDays: 30,
        recoveryCodes: { showAgain: false, replaceUsed: true },
      });
      t.like(await userByEmail(world.db, 'ada@acme.test'), {
        name: 'Ada',
        locale: 'en',
        phone: '+15555550100',
      });
      const memberships = await world.db.rows('SELECT * FROM memberships WHERE removed_at IS NULL');
      t.is(memberships.length, 2);
      const bench = await world.db.row<ApplicationRow>('SELECT * FROM applications');
      t.deepEqual(JSON.parse(bench?.metadata ?? ''), {
        redirect_uris: ['http://127.0.0.1:9/cb'],
        tos_uri: 'https://acme.test/terms',
      });
    },
  );

  test.serial(
    `${kind}: memberships are a complete list; leaving and coming back moves neither the first day nor grace`,
    async (t) => {
      const world = await freshWorld(t, kind);
      const { db, clock } = world;
      const joined = clock.now().getTime();
      const withMemberships = (memberships: object[]) => ({
        organizations: [{ slug: 'acme' }, { slug: 'beta' }],
        users: [{ email: 'ben@acme.test', memberships }],
      });
      await apply(world, withMemberships([{ organization: 'acme', role: 'member' }]));
      await db.change('UPDATE memberships SET grace_started_at = ?', [joined + 5]);
      later(world, days(1));
      await apply(world, withMemberships([{ organization: 'beta', role: 'admin' }]));
      const acmeId = (await organizationBySlug(db, 'acme'))?.id ?? '';
      const betaId = (await organizationBySlug(db, 'beta'))?.id ?? '';
      const inAcme = () =>
        db.row<MembershipRow>('SELECT * FROM memberships WHERE organization_id = ?', [acmeId]);
      t.is((await inAcme())?.removed_at, joined + days(1));
      t.is(
        (await userByEmail(db, 'ben@acme.test'))?.home_organization_id,
        betaId,
        'home moves with who leaves it',
      );

      later(world, days(1));
      await apply(world, { users: [{ email: 'ben@acme.test', name: 'Ben' }] });
      t.is((await inAcme())?.removed_at, joined + days(1), 'an absent list changes nothing');
      await apply(
        world,
        withMemberships([
          { organization: 'beta', role: 'admin' },
          { organization: 'acme', role: 'owner' },
        ]),
      );
      t.like(await inAcme(), {
        role: 'owner',
        joined_at: joined,
        grace_started_at: joined + 5,
        removed_at: null,
        admin_since: joined + days(2),
      });
    },
  );

  test.serial(
    `${kind}: a new password, phone or authenticator app forgets remembered browsers; anything else does not`,
    async (t) => {
      const world = await freshWorld(t, kind);
      const user = () => userByEmail(world.db, 'ada@acme.test');
      await apply(world, acme);
      await world.db.change('UPDATE users SET reset_at = 5');
      const version = (await user())?.security_version ?? 0;
      const changes: readonly [object, number, string][] = [
        [{ name: 'Ada Lovelace', emailVerified: false, locale: 'fr' }, 0, 'profile'],
        [{ password: 'correct horse battery staple' }, 0, 'the same password'],
        [{ factors: { totp: 'jbsw y3dp ehpk 3pxp' } }, 0, 'the same secret'],
        [{ factors: {} }, 0, 'no word about factors'],
        [{ password: 'a completely new one' }, 1, 'another password'],
        [{ phone: '+15555550111' }, 2, 'another phone'],
        [{ factors: { totp: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ' } }, 3, 'another secret'],
        [{ disabled: true }, 4, 'disabled'],
      ];
      for (const [change, more, why] of changes) {
        later(world, 1000);
        await apply(world, { users: [{ email: 'ada@acme.test', ...change }] });
        t.is((await user())?.security_version, version + more, why);
        t.is((await user())?.reset_at, more >= 3 ? null : 5, why);
      }
      const factors = await world.db.rows<FactorRow>('SELECT * FROM factors');
      t.is(factors.length, 1, 'the secret is replaced, not added');
      t.is((await user())?.sessions_valid_after, world.clock.now().getTime());
    },
  );

  test.serial(
    `${kind}: where a requirement ends, the grace of those it held for ends; a no-op leaves every date`,
    async (t) => {
      const world = await freshWorld(t, kind);
      const { db } = world;
      const require = (requirement: string) => ({
        organizations: [{ slug: 'acme', policy: { requirement } }],
      });
      await apply(world, {
        ...require('required_for_all'),
        users: ['owner', 'admin', 'member'].map((role) => ({
          email: `${role}@acme.test`,
          memberships: [{ organization: 'acme', role }],
        })),
      });
      await db.change('UPDATE memberships SET grace_started_at = 7');
      const withGrace = async () =>
        (
          await db.rows<{ role: string }>(
            'SELECT role FROM memberships WHERE grace_started_at IS NOT NULL ORDER BY role',
          )
        ).map(({ role }) => role);
      const acmeRow = async () => {
        const row = await organizationBySlug(db, 'acme');
        return { id: row?.id ?? '', policy: readStoredPolicy(row?.policy ?? '') };
      };
      const began = world.clock.now().getTime();
      later(world, days(1));
      await apply(world, require('required_for_all'));
      t.like((await acmeRow()).policy, {
        adminsRequiredSince: began,
        allRequiredSince: began,
        changedAt: began,
      });

      await apply(world, require('required_for_admins'));
      t.deepEqual(await withGrace(), ['admin', 'owner']);
      t.like((await acmeRow()).policy, {
        adminsRequiredSince: began,
        allRequiredSince: null,
        changedAt: began + days(1),
      });
      await apply(world, require('recommended'));
      t.deepEqual(await withGrace(), []);
      t.like((await acmeRow()).policy, { adminsRequiredSince: null, allRequiredSince: null });
    },
  );

  test.serial(
    `${kind}: an owner without a second factor where one is required is named, and applied all the same`,
    async (t) => {
      const world = await freshWorld(t, kind);
      const file = {
        organizations: [{ slug: 'acme', policy: { requirement: 'required_for_admins' } }],
        users: [
          { email: 'bare@acme.test', memberships: [{ organization: 'acme', role: 'owner' }] },
          {
            email: 'armed@acme.test',
            factors: { totp: 'JBSWY3DPEHPK3PXP' },
            memberships: [{ organization: 'acme', role: 'owner' }],
          },
          { email: 'admin@acme.test', memberships: [{ organization: 'acme', role: 'admin' }] },
        ],
      };
      const named = [
        'acme: the policy is required_for_admins, but these owners have no second factor: bare@acme.test',
      ];
      t.deepEqual((await apply(world, file, { dryRun: true })).warnings, named);
      t.deepEqual((await apply(world, file)).warnings, named);
      t.deepEqual(
        (await apply(world, { organizations: file.organizations })).warnings,
        named,
        'also who is not in the file',
      );
      t.deepEqual(
        (await apply(world, { users: [{ email: 'bare@acme.test', factors: { totp: 'JBSWY3DPEHPK3PXP' } }] }))
          .warnings,
        [],
      );
    },
  );

  test.serial(`${kind}: a dry run says what would change, shows no secret and changes nothing`, async (t) => {
    const world = await freshWorld(t, kind);
    await apply(world, acme);
    const before = await contents(world);
    const applied = await apply(
      world,
      {
        organizations: [{ slug: 'acme', policy: { graceDays: 0 } }],
        users: [
          { email: 'ben@acme.test', name: 'Benjamin', password: 'a brand new secret' },
          { email: 'new@acme.test' },
        ],
      },
      { dryRun: true },
    );
    t.deepEqual(applied.changes, [
      {
        kind: 'changed',
        what: 'organizations',
        name: 'acme',
        fields: [{ kind: 'value', name: 'policy.graceDays', before: 7, after: 0 }],
      },
      {
        kind: 'changed',
        what: 'users',
        name: 'ben@acme.test',
        fields: [
          { kind: 'value', name: 'name', before: 'Ben', after: 'Benjamin' },
          { kind: 'secret', name: 'password' },
        ],
      },
      {
        kind: 'created',
        what: 'users',
        name: 'new@acme.test',
        fields: [
          { kind: 'value', name: 'emailVerified', before: undefined, after: false },
          { kind: 'value', name: 'phoneVerified', before: undefined, after: false },
          { kind: 'value', name: 'disabled', before: undefined, after: false },
        ],
      },
    ]);
    t.deepEqual(await contents(world), before);
  });

  test.serial(`${kind}: any error changes nothing, also one at the end of a long file`, async (t) => {
    const world = await freshWorld(t, kind);
    const users = Array.from({ length: 700 }, (_, n) => ({ email: `u${n}@acme.test`, passwordHash: hash }));
    await t.throwsAsync(apply(world, { users: [...users, { email: 'u0@acme.test' }] }), {
      instanceOf: ConfigurationError,
      message: /users\[700\]\.email stands here twice: "u0@acme\.test" is already in line 2/,
    });
    t.deepEqual(await world.db.rows('SELECT * FROM users'), []);

    // Somebody else makes the same user after the file was compared: the last insert fails, and all before it is undone.
    const late = {
      ...world.db,
      together: async (batch: Parameters<World['db']['together']>[0]) => {
        await apply(world, { users: [{ email: 'u699@acme.test' }] });
        return world.db.together(batch);
      },
    };
    await t.throwsAsync(apply({ ...world, db: late }, { organizations: [{ slug: 'acme' }], users }), {
      instanceOf: ConfigurationConflict,
    });
    t.is((await world.db.rows('SELECT * FROM users')).length, 1);
    t.is((await world.db.rows('SELECT * FROM organizations')).length, 0);
    t.is((await world.db.rows('SELECT * FROM audit_events')).length, 1);
  });

  test.serial(`${kind}: several applies at once leave what one leaves`, async (t) => {
    const world = await freshWorld(t, kind);
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => apply(world, acme)));
    t.true(outcomes.some(({ status }) => status === 'fulfilled'));
    for (const outcome of outcomes) {
      t.true(outcome.status === 'fulfilled' || outcome.reason instanceof ConfigurationConflict);
    }
    t.deepEqual(tally(await apply(world, acme)), { created: 0, changed: 0 });
    t.is((await world.db.rows('SELECT * FROM factors')).length, 1);
    t.is((await world.db.rows('SELECT * FROM users')).length, 2);

    const totp = { users: [{ email: 'ben@acme.test', factors: { totp: 'JBSWY3DPEHPK3PXP' } }] };
    await Promise.allSettled(Array.from({ length: 6 }, () => apply(world, totp)));
    t.is((await world.db.rows('SELECT * FROM factors')).length, 2, 'one authenticator app each');
  });

  test.serial(
    `${kind}: 10 000 users who come with hashes are there in under a minute, and progress is told`,
    async (t) => {
      const world = await freshWorld(t, kind);
      const file = stringify({
        organizations: [{ slug: 'acme' }],
        users: Array.from({ length: 10_000 }, (_, n) => ({
          email: `user${n}@acme.test`,
          name: `User ${n}`,
          passwordHash: hash,
          emailVerified: true,
          factors: { totp: 'JBSWY3DPEHPK3PXP' },
          memberships: [{ organization: 'acme', role: 'member' }],
        })),
      });
      const told: number[] = [];
      const took = async (work: () => Promise<Applied>) => {
        const start = performance.now();
        const applied = await work();
        return { seconds: (performance.now() - start) / 1000, ...tally(applied) };
      };
      const onProgress = ({ stage, done }: { stage: string; done: number }) => {
        if (stage === 'users') told.push(done);
      };
      const first = await took(() => apply(world, file, { onProgress }));
      const second = await took(() => apply(world, file));
      const third = await took(() => apply(world, file.replaceAll('name: User', 'name: Person')));
      t.log(
        `created in ${first.seconds.toFixed(1)} s, compared in ${second.seconds.toFixed(1)} s, changed in ${third.seconds.toFixed(1)} s`,
      );
      t.like(first, { created: 10_001, changed: 0 });
      t.like(second, { created: 0, changed: 0 });
      t.like(third, { created: 0, changed: 10_000 });
      t.true(first.seconds < 60);
      t.is(told.at(-1), 10_000);
      t.is(Number((await world.db.row<{ n: number }>('SELECT COUNT(*) AS n FROM factors'))?.n), 10_000);
    },
  );
}
