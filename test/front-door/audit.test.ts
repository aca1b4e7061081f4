import test from 'ava';
import { chainAuditEvents, verifyAuditChains } from '../../flows/chain-audit-events.ts';
import { readAudit } from '../../flows/read-audit.ts';
import { noteDay, readOverview } from '../../flows/read-overview.ts';
import { count } from './evidence.ts';
import { idOf, servicesOf, visitAs } from './organization-rig.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextDay,
  nextStep,
  password,
  passwordHash,
  passwordStep,
  secret,
  signIn,
} from './rig.ts';

const configuration = acme(
  { requirement: 'optional' },
  { ada: { role: 'owner', totp: secret }, ben: {} },
  {
    organizations: [{ slug: 'birch', name: 'Birch' }],
    users: [
      // A member of both.
      {
        email: 'hal@acme.test',
        name: 'hal',
        passwordHash,
        emailVerified: true,
        memberships: [
          { organization: 'birch', role: 'owner' },
          { organization: 'acme', role: 'member' },
        ],
      },
      {
        email: 'gus@acme.test',
        name: 'gus',
        passwordHash,
        emailVerified: true,
        memberships: [{ organization: 'birch', role: 'member' }],
      },
    ],
    applications: [application('birch-app', { organization: 'birch' })],
  },
);

const types = async (door: FrontDoor, who: string, slug: string, filter = {}) =>
  (await readAudit(servicesOf(door), await visitAs(door, who, slug), filter, null)).events
    .map(({ type, person_email }) => `${person_email?.split('@')[0] ?? '-'} ${type}`)
    .join(', ');

for (const kind of kinds) {
  test(`every event has its place in a chain, once, on any number of servers, and one that was touched is found (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas: 2 });
    await signIn(door, door.browser());
    await signIn(door, door.browser(), { who: 'ben' });
    nextStep(door);
    await Promise.all([0, 1, 0, 1].map((replica) => chainAuditEvents(servicesOf(door, replica))));
    await signIn(door, door.browser(1));
    await Promise.all([0, 1].map((replica) => chainAuditEvents(servicesOf(door, replica))));
    while ((await chainAuditEvents(servicesOf(door))) > 0);
    const all = await count(door, 'audit_events', '1 = 1');
    t.true(all >= 4);
    t.is(await count(door, 'audit_links', "chain = 'instance'"), all);
    t.is(await count(door, 'audit_events', 'chained_at IS NULL'), 0);
    const verified = await verifyAuditChains(servicesOf(door));
    t.deepEqual(verified.problems, []);
    t.is(verified.head?.position, all);

    const touched: readonly [string, string, string, string][] = [
      [
        'UPDATE audit_events SET data = \'{"acr":"phr"}\' WHERE id = ?',
        'changed',
        'UPDATE audit_events SET data = ? WHERE id = ?',
        'data',
      ],
      [
        'UPDATE audit_events SET at = at + 1 WHERE id = ?',
        'changed',
        'UPDATE audit_events SET at = ? WHERE id = ?',
        'at',
      ],
      [
        'UPDATE audit_events SET ip = NULL WHERE id = ?',
        'changed',
        'UPDATE audit_events SET ip = ? WHERE id = ?',
        'ip',
      ],
      [
        "UPDATE audit_events SET user_id = 'x' WHERE id = ?",
        'changed',
        'UPDATE audit_events SET user_id = ? WHERE id = ?',
        'user_id',
      ],
    ];
    const event = await door.db.row<Record<string, string>>(
      "SELECT * FROM audit_events WHERE type = 'sign_in.succeeded' ORDER BY id LIMIT 1",
    );
    for (const [sql, what, undo, column] of touched) {
      await door.db.change(sql, [event?.id ?? '']);
      const { problems } = await verifyAuditChains(servicesOf(door));
      t.true(problems.length > 0 && problems.every((problem) => problem.what === what), sql);
      await door.db.change(undo, [event?.[column] ?? null, event?.id ?? '']);
      t.deepEqual((await verifyAuditChains(servicesOf(door))).problems, [], column);
    }
    // Taken out of the middle, and cut off at the end.
    const last = await door.db.row<{ position: number; event_id: string }>(
      "SELECT * FROM audit_links WHERE chain = 'instance' ORDER BY position DESC LIMIT 1",
    );
    await door.db.change("DELETE FROM audit_links WHERE chain = 'instance' AND position = ?", [
      Number(last?.position),
    ]);
    t.is((await verifyAuditChains(servicesOf(door))).problems[0]?.what, 'cut');
    await door.db.change('DELETE FROM audit_events WHERE id = ?', [event?.id ?? '']);
    t.is(
      (await verifyAuditChains(servicesOf(door))).problems.find(({ chain }) => chain === 'instance')?.what,
      'missing',
    );
  });

  test(`whoever writes to the database without a key cannot take the newest events away unseen (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    const chain = async () => {
      while ((await chainAuditEvents(servicesOf(door))) > 0);
    };
    const problems = async () => (await verifyAuditChains(servicesOf(door))).problems;
    await signIn(door, door.browser(), { who: 'ada' });
    await passwordStep(door.browser(), 'gus');
    await signIn(door, door.browser(), { who: 'ben' });
    await chain();
    t.deepEqual(await problems(), []);
    const heads = await door.db.rows<{ chain: string; position: number; hash: string; proof: string }>(
      'SELECT * FROM audit_heads',
    );
    const put = (head: (typeof heads)[number]) => {
      const { sql, values } = door.db.upsert('audit_heads', ['chain'], { ...head });
      return door.db.change(sql, values);
    };

    await door.db.change('DELETE FROM audit_heads', []);
    t.true((await problems()).length > 0, 'heads are gone');
    await Promise.all(heads.map(put));
    t.deepEqual(await problems(), []);

    const second = await door.db.row<{ hash: string }>(
      "SELECT hash FROM audit_links WHERE chain = 'instance' AND position = 1",
    );
    await door.db.change("DELETE FROM audit_links WHERE chain = 'instance' AND position > 1", []);
    await door.db.change("UPDATE audit_heads SET position = 1, hash = ? WHERE chain = 'instance'", [
      second?.hash ?? '',
    ]);
    t.deepEqual(await problems(), [{ chain: 'instance', position: 2, what: 'cut' }], 'its end is cut off');

    await door.db.change('UPDATE audit_events SET chained_at = NULL', []);
    await door.db.change("DELETE FROM audit_links WHERE chain <> 'instance'", []);
    await door.db.change("DELETE FROM audit_heads WHERE chain <> 'instance'", []);
    await chain();
    t.is(
      (
        await door.db.row<{ n: number }>(
          "SELECT COUNT(*) AS n FROM audit_events WHERE type = 'audit.tampered' AND chained_at IS NOT NULL",
        )
      )?.n,
      1,
      'chained anew by the server, and said so for ever',
    );

    await door.db.change('DELETE FROM audit_links', []);
    await door.db.change('DELETE FROM audit_heads', []);
    t.is((await problems())[0]?.what, 'cut', 'all chains are gone, the events are there');
  });

  test(`an organization sees what concerns it, and nothing of another (T100) (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    await signIn(door, door.browser(), { who: 'hal', params: { client_id: 'birch-app' } });
    await signIn(door, door.browser(), { who: 'hal' });
    await passwordStep(door.browser(), 'gus');
    door.clock.forward(1000);
    const wrong = door.browser();
    await wrong.authorize();
    await wrong.press('Sign in', { email: 'ben@acme.test', password: 'not it' });
    t.is(await types(door, 'ada', 'acme'), 'ben password.failed, hal sign_in.succeeded');
    t.is(
      (await types(door, 'hal', 'birch')).split(', ').sort().join(', '),
      'gus sign_in.succeeded, hal sign_in.succeeded, hal sign_in.succeeded',
    );
    t.is(await types(door, 'ada', 'acme', { person: 'hal@acme.test' }), 'hal sign_in.succeeded');
    t.is(await types(door, 'ada', 'acme', { person: 'gus@acme.test' }), '');
    t.is(await types(door, 'ada', 'acme', { type: 'password.failed' }), 'ben password.failed');
    t.is(await types(door, 'ada', 'acme', { clientId: 'birch-app' }), '');
    t.is(await types(door, 'ada', 'acme', { until: new Date(0) }), '');

    // On the page, and as files.
    const ada = door.browser();
    await ada.open('/organizations/acme/audit');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code() });
    t.is(ada.heading, 'Audit log');
    t.regex(ada.text, /Wrong password/);
    await ada.open('/organizations/acme/audit?type=password.failed&person=ben%40acme.test');
    t.is((ada.text.match(/<b>Wrong password<\/b>/g) ?? []).length, 1);
    t.notRegex(ada.text, /<b>Signed in<\/b>/);
    for (const [query, status] of [
      ['since=nonsense', 422],
      ['type=%3Cscript%3E', 422],
      ['before=-1', 200],
      ['before=1e99', 200],
      ['person=%00', 200],
    ] as const) {
      await ada.open(`/organizations/acme/audit?${query}`);
      t.is(ada.status, status, query);
    }
    await ada.open('/organizations/acme/audit-export?format=jsonl');
    const lines = ada.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.deepEqual(lines.map(({ type }) => type).sort(), [
      'audit.exported',
      'password.failed',
      'sign_in.succeeded',
      'sign_in.succeeded',
    ]);
    await ada.open('/organizations/acme/audit-export?format=csv&type=password.failed');
    t.is(ada.text.trim().split('\r\n').length, 2);
    t.regex(ada.headers.get('content-disposition') ?? '', /attachment; filename="audit-acme.csv"/);
    t.is(await count(door, 'audit_events', "type = 'audit.exported'"), 2);
  });

  test(`the overview counts sign-ins by day and how many used a second factor, and keeps each day (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, { configuration });
    await noteDay(servicesOf(door));
    await signIn(door, door.browser());
    await signIn(door, door.browser(), { who: 'ben' });
    nextDay(door);
    await signIn(door, door.browser());
    const overview = await readOverview(servicesOf(door), await visitAs(door, 'ada'));
    t.deepEqual(overview.lastWeek, { signIns: 3, strong: 2 });
    t.deepEqual(
      overview.days.map(({ signIns, strong, setUp, members }) => [signIns, strong, setUp, members]),
      [
        [2, 1, 1, 3],
        [1, 1, 1, 3],
      ],
    );
    const ada = door.browser();
    nextStep(door);
    await ada.open('/organizations/acme');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code() });
    t.is(ada.heading, 'Overview');
    t.regex(ada.text, /has a second factor \(1 of 3\)/);
    t.is((ada.text.match(/<svg class="wide" viewBox="0 0 720 \d+" role="img"/g) ?? []).length, 3);
    await ada.open('/organizations/acme/passkeys');
    t.regex(ada.text, /Nobody has set up a passkey yet/);
    await ada.press('Turn passkeys on');
    t.regex(ada.text, /Passkeys are on\./);
    t.deepEqual(JSON.parse((await visitAs(door, 'ada')).organization.policy).methods, ['passkey', 'totp']);
    t.truthy(await idOf(door, 'ada'));
  });
}
