import test from 'ava';
import { insertMany } from '../../entities/configuration.ts';
import { countDirectory, countGraceOver, refreshDirectory } from '../../entities/member-directory.ts';
import { userByEmail } from '../../entities/users.ts';
import { assessSignIn } from '../../flows/assess-sign-in.ts';
import { NotPermitted, visitOrganization } from '../../flows/organization-actor.ts';
import { previewPolicy } from '../../flows/preview-policy.ts';
import {
  allMembers,
  countMembers,
  type MemberFilter,
  memberFilter,
  readMember,
  readMemberFigures,
  readMembers,
} from '../../flows/read-members.ts';
import { days } from '../../lib/clock.ts';
import { freshWorld } from '../configuration/fresh-database.ts';
import { acme, type FrontDoor, frontDoor, kinds, nextDay, secret, signIn } from './rig.ts';

const nobody = { ip: null, userAgent: null };

async function visit(door: FrontDoor, who = 'ada', slug = 'acme') {
  const user = await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [
    `${who}@acme.test`,
  ]);
  const services = door.apps[0]?.services;
  if (!services || !user) throw new Error(`there is no ${who}`);
  return {
    services,
    userId: user.id,
    found: await visitOrganization(services, { userId: user.id, slug, origin: nobody }),
  };
}

async function names(door: FrontDoor, filter: Partial<MemberFilter>, size?: number) {
  const { services, found } = await visit(door);
  if (!found) throw new Error('no access');
  const listed: string[] = [];
  for await (const page of allMembers(services, found, memberFilter.parse(filter), size)) {
    listed.push(...page.map(({ email }) => email.split('@')[0] ?? ''));
  }
  return listed.join(' ');
}

const lists: readonly [Partial<MemberFilter>, string][] = [
  [{}, 'ada ben chiara dai elif fay gus hal'],
  [{ twoFactor: 'on' }, 'ada chiara'],
  [{ twoFactor: 'off' }, 'ben dai elif fay gus hal'],
  [{ method: 'totp' }, 'ada chiara'],
  [{ method: 'passkey' }, ''],
  [{ role: 'admin' }, 'chiara dai'],
  [{ role: 'owner' }, 'ada'],
  [{ state: 'overdue' }, 'dai elif'],
  [{ state: 'in_grace' }, 'ben fay hal'],
  [{ state: 'must_act' }, 'ben dai elif fay hal'],
  [{ state: 'overdue', role: 'admin' }, 'dai'],
  [{ state: 'never_signed_in' }, 'ben chiara dai elif fay gus hal'],
  [{ state: 'disabled' }, 'gus'],
  [{ search: 'DA' }, 'dai'],
  [{ search: 'Élo' }, 'elif'],
  [{ search: 'z' }, 'hal'],
  [{ search: 'ada@acme.test' }, 'ada'],
  [{ search: '%' }, ''],
  [{ search: "' OR 1=1 --" }, ''],
  [{ search: 'd', twoFactor: 'off' }, 'dai'],
  // As people look names up: an accent is no other letter.
  [{ sort: 'name', role: 'member' }, 'ben elif fay gus hal'],
  [{ search: 'elo' }, 'elif'],
  [{ search: 'Zoe' }, 'hal'],
  [{ sort: 'surname', role: 'member' }, 'ben gus fay elif hal'],
  // By address first, then by name, then by last name; each once.
  [{ search: 'b' }, 'ben ada'],
  [{ search: 'MARTIN' }, 'elif'],
  [{ search: 'h' }, 'hal fay'],
  [{ search: 'hal' }, 'hal fay'],
];

for (const kind of kinds) {
  test(`lists of members are true, whatever they are filtered by (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'required_for_all', graceDays: 7 },
        {
          ada: { role: 'owner', totp: secret, extra: { name: 'Boss' } },
          chiara: { role: 'admin', totp: secret },
          dai: { role: 'admin' },
          elif: { extra: { name: 'éloïse Martin' } },
          gus: { extra: { disabled: true } },
          hal: { extra: { name: 'Zoë' } },
        },
      ),
    });
    nextDay(door, 4);
    await door.apply(
      acme(
        { requirement: 'required_for_all', graceDays: 7 },
        { ben: {}, fay: { extra: { name: 'Fay van Halen' } } },
        {
          organizations: [{ slug: 'birch', name: 'Birch' }],
          users: [{ email: 'bob@birch.test', memberships: [{ organization: 'birch', role: 'owner' }] }],
        },
      ),
    );
    await signIn(door, door.browser());
    nextDay(door, 2);
    // Hal has been here as long as Elif, but an earlier policy of another length is over for nobody by that.
    await door.db.change(
      "UPDATE memberships SET joined_at = joined_at + ? WHERE user_id = (SELECT id FROM users WHERE email = 'hal@acme.test')",
      [days(3)],
    );
    nextDay(door, 1);
    const { services, found } = await visit(door);
    if (!found) return t.fail('no access');
    for (const [filter, expected] of lists) {
      const name = JSON.stringify(filter);
      const n = expected === '' ? 0 : expected.split(' ').length;
      const wanted = memberFilter.parse(filter);
      t.is(await countMembers(services, found, wanted), wanted.search === '' ? n : null, `${name}, counted`);
      t.is(await names(door, filter), expected, name);
      t.is(await names(door, filter, 1), expected, `${name}, one at a time`);
    }

    t.deepEqual(await readMemberFigures(services, found.organization.id, found.policy), {
      members: 7,
      disabled: 1,
      twoFactorOn: 2,
      byMethod: { passkey: 0, totp: 2, device: 0, sms: 0, email: 0 },
      byRole: { owner: 1, admin: 2, member: 4 },
      neverSignedIn: 6,
      mustAct: 5,
      inGrace: 3,
      overdue: 2,
      required: 7,
    });
    // What lists say is what the decision does.
    for await (const page of allMembers(services, found, memberFilter.parse({}))) {
      for (const member of page.filter(({ isDisabled }) => !isDisabled)) {
        const now = door.clock.now();
        const assessment = await assessSignIn(services, {
          userId: member.id,
          application: { clientId: 'app', organizationId: null, assurance: 'none' },
          proofs: [
            { kind: 'password', at: now.getTime(), factorId: null, amr: ['pwd'], userVerified: false },
          ],
          choices: { skippedAt: null, dismissedAt: null },
          device: null,
          request: { startedAt: now, login: false, maxAge: null, acrValues: [], essential: false },
        });
        const decision = assessment?.decision;
        const expected = { set_up: 'challenge', in_grace: 'enrol skip', overdue: 'enrol none' }[
          member.state.kind as 'set_up'
        ];
        t.is(
          decision?.kind === 'enrol' ? `enrol ${decision.wayOut.kind}` : decision?.kind,
          expected,
          member.email,
        );
      }
    }
    const ada = await readMembers(services, found, memberFilter.parse({ search: 'ada' }));
    const detail = await readMember(services, found, ada.members[0]?.id ?? '');
    t.like(detail, {
      isHome: true,
      lastApplicationName: 'The app',
      lastSignIn: { usedSecondFactor: true, clientId: 'app' },
    });
    t.deepEqual(
      detail?.factors.map(({ method, counts }) => [method, counts]),
      [['totp', true]],
    );
    t.false(JSON.stringify(detail).includes(secret));
  });

  test(`where a policy lists models of passkeys, lists, figures and the preview count those that the sign-in accepts (${kind})`, async (t) => {
    const model = '00112233-4455-6677-8899-aabbccddeeff';
    const other = 'ffffffff-4455-6677-8899-aabbccddeeff';
    const rules = { requirement: 'required_for_all', graceDays: 0, methods: ['totp', 'passkey'] };
    const door = await frontDoor(t, kind, {
      configuration: acme(rules, {
        ada: { role: 'owner', totp: secret },
        ben: {},
        cleo: {},
        dai: {},
        elif: { totp: secret },
      }),
    });
    for (const [who, models] of Object.entries({
      ben: [other, model],
      cleo: [other],
      dai: [null],
      elif: [other],
    })) {
      const userId = (await userByEmail(door.db, `${who}@acme.test`))?.id ?? '';
      for (const [n, one] of models.entries()) {
        const row = { id: `${who}${n}`, user_id: userId, method: 'passkey', data: 'x', lookup: `${who}${n}` };
        await door.db.together([
          door.db.insert('factors', { ...row, model: one, high_water: 0, failures: 0, confirmed_at: n }),
          refreshDirectory([userId]),
        ]);
      }
    }
    t.is(await names(door, { state: 'must_act' }), '');
    const { services, found } = await visit(door);
    if (!found) return t.fail('no access');
    const { after, mustAct } = await previewPolicy(services, found, { passkeyModels: [model] });
    t.like(after, { mustAct: 2, overdue: 2, inGrace: 0 });
    t.deepEqual(
      mustAct.members.map(({ email }) => email.split('@')[0]),
      ['cleo', 'dai'],
    );
    await door.apply({ organizations: [{ slug: 'acme', policy: { passkeyModels: [model] } }] });
    for (const [filter, expected] of [
      [{ state: 'must_act' }, 'cleo dai'],
      [{ state: 'overdue' }, 'cleo dai'],
      [{ state: 'in_grace' }, ''],
      [{ method: 'passkey' }, 'ben cleo dai elif'],
    ] as const) {
      t.is(await names(door, filter), expected, JSON.stringify(filter));
      t.is(await names(door, filter, 1), expected, `${JSON.stringify(filter)}, one at a time`);
    }
    for (const who of ['ben', 'cleo', 'dai', 'elif']) {
      const userId = (await userByEmail(door.db, `${who}@acme.test`))?.id ?? '';
      const passkey = `${who}0`;
      const now = door.clock.now();
      const said = await assessSignIn(services, {
        userId,
        application: { clientId: 'app', organizationId: null, assurance: 'none' },
        proofs: [
          { kind: 'password', at: now.getTime(), factorId: null, amr: ['pwd'], userVerified: false },
          { kind: 'passkey', at: now.getTime(), factorId: passkey, amr: ['hwk'], userVerified: false },
        ],
        choices: { skippedAt: null, dismissedAt: null },
        device: null,
        request: { startedAt: now, login: false, maxAge: null, acrValues: [], essential: false },
      });
      const mustSetUp = said?.decision.kind === 'enrol' || said?.decision.kind === 'refuse';
      t.is(mustSetUp, ['cleo', 'dai'].includes(who), `${who}: ${said?.decision.kind}`);
    }
  });

  test(`nobody sees members of an organization that is not theirs, or in which they may not (T100) (${kind})`, async (t) => {
    const birch = { slug: 'birch', name: 'Birch' };
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { role: 'owner' }, ben: {} },
        {
          organizations: [birch],
          users: [
            { email: 'gus@acme.test', name: 'Gus', memberships: [{ organization: 'birch', role: 'owner' }] },
          ],
        },
      ),
    });
    t.is((await visit(door, 'ada', 'birch')).found, null);
    t.is((await visit(door, 'ada', 'nowhere')).found, null);
    t.is((await visit(door, 'gus', 'acme')).found, null);
    const { services, found } = await visit(door);
    const member = (await visit(door, 'ben')).found;
    if (!found || !member) return t.fail('no access');
    await t.throwsAsync(readMembers(services, member, memberFilter.parse({})), { instanceOf: NotPermitted });
    const gus = (await visit(door, 'gus', 'birch')).userId;
    t.is(await readMember(services, found, gus), null);
    t.is(await readMember(services, found, 'nobody'), null);
    for (const from of [
      '',
      'x',
      'W10',
      Buffer.from('["email",{"$ne":1},"x"]').toString('base64url'),
      'A'.repeat(5000),
    ]) {
      t.is(
        (await readMembers(services, found, memberFilter.parse({}), from)).members.length,
        2,
        from.slice(0, 20),
      );
    }
    // Removed: no access from the next moment on.
    await door.db.change('UPDATE memberships SET removed_at = 1 WHERE user_id = ?', [
      (await visit(door)).userId,
    ]);
    t.is((await visit(door)).found, null);
  });
}

for (const kind of kinds) {
  test(`${kind}: more members than are counted at once are counted right, and others have a turn in between`, async (t) => {
    const { db } = await freshWorld(t, kind);
    const all = 11_000;
    await db.together(
      insertMany(
        'memberships',
        Array.from({ length: all }, (_, n) => ({
          user_id: `u${n}`,
          organization_id: 'o',
          role: 'member',
          joined_at: n,
          facets: n < 3 ? 4 : 0,
          email_key: `p${(n * 7919) % 100_003}@x.test`,
        })),
      ),
    );
    let turns = 0;
    let asking = true;
    const others = () => {
      turns += 1;
      if (asking) setImmediate(others);
    };
    others();
    t.deepEqual(await countDirectory(db, 'o'), [
      { facets: 0, members: all - 3 },
      { facets: 4, members: 3 },
    ]);
    const over = (before: number, everybodySince: number | null) =>
      countGraceOver(
        db,
        'o',
        { facets: 0, members: all - 3, passkey: 'any', models: [] },
        {
          before: new Date(before),
          everybodySince: everybodySince === null ? null : new Date(everybodySince),
          adminsSince: null,
        },
      );
    t.is(await over(10_990, 1), 10_988, 'all but the few who joined since');
    t.is(await over(1_000, 1), 998, 'all but the many who joined since');
    t.is(await over(1_000, 2_000), 0, 'nobody: it began later');
    asking = false;
    t.true(turns > 4, `${turns} turns`);
  });
}
