import test from 'ava';
import { settleNotices } from '../../entities/policy-notices.ts';
import { changeOrganizationPolicy, type PolicyOutcome } from '../../flows/change-organization-policy.ts';
import type { PolicyChange } from '../../flows/change-policy.ts';
import { announcePolicies, readNotices, remindMembers, remindNow } from '../../flows/notify-members.ts';
import { NotPermitted, type OrganizationVisit, visitOrganization } from '../../flows/organization-actor.ts';
import { policyVersion, previewPolicy, whoWouldBeStopped } from '../../flows/preview-policy.ts';
import { openMessage } from '../../notifications/outbox.ts';
import { acme, type FrontDoor, frontDoor, kinds, nextDay, passwordStep, secret } from './rig.ts';

const servicesOf = (door: FrontDoor, replica = 0) => {
  const services = door.apps[replica]?.services;
  if (!services) throw new Error('there is no such replica');
  return services;
};

async function visitAs(door: FrontDoor, who: string, replica = 0): Promise<OrganizationVisit> {
  const user = await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [
    `${who}@acme.test`,
  ]);
  const visit = await visitOrganization(servicesOf(door, replica), {
    userId: user?.id ?? '',
    slug: 'acme',
    origin: { ip: null, userAgent: null },
  });
  if (!visit) throw new Error(`${who} has no access`);
  return visit;
}

async function change(
  door: FrontDoor,
  who: string,
  change: PolicyChange,
  visit?: OrganizationVisit,
): Promise<PolicyOutcome> {
  const seen = visit ?? (await visitAs(door, who));
  return changeOrganizationPolicy(servicesOf(door), seen, {
    change,
    expectedVersion: policyVersion(seen.organization.policy),
    notify: true,
    confirmedBy: 'factor',
  });
}

/** Who got which mail about the policy, since the last look. */
async function mails(door: FrontDoor): Promise<string> {
  const { ring } = servicesOf(door);
  const rows = await door.db.rows<never>("SELECT * FROM outbox WHERE message <> '' ORDER BY created_at, id");
  const organizations = await door.db.rows<{ id: string; name: string }>(
    'SELECT id, name FROM organizations',
  );
  const told = rows
    .map((row) => openMessage(ring, row))
    .flatMap((mail) =>
      mail.by === 'email' && mail.template.startsWith('policy-')
        ? [
            `${mail.to.split('@')[0]}: ${mail.template.slice(7)} ${mail.values.until === null ? 'now' : mail.values.daysLeft} ${mail.locale ?? '-'} ${organizations.find(({ id }) => id === mail.organizationId)?.name}`,
          ]
        : [],
    );
  await door.db.change('DELETE FROM outbox');
  return told.sort().join('; ');
}

const everyone = { requirement: 'required_for_all', graceDays: 7 } as const;
const people = {
  ada: { role: 'owner', totp: secret },
  chiara: { role: 'admin' },
  ben: { extra: { locale: 'de' } },
  dai: { totp: secret },
  gus: { extra: { disabled: true } },
};

for (const kind of kinds) {
  test(`a saved policy tells everybody who must act, and reminds them 7, 3 and 1 days before and on the day, once each (T099) (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({ requirement: 'optional' }, people),
      replicas: 2,
    });
    const visit = await visitAs(door, 'ada');
    const preview = await previewPolicy(servicesOf(door), visit, { ...everyone, graceDays: 30 });
    t.like(preview, { isChange: true, adviseAdminsFirst: true, ownersWithout: [], hasNoMethod: false });
    t.like(preview.after, { mustAct: 2, inGrace: 2, overdue: 0, required: 4 });
    t.like(preview.before, { mustAct: 0, required: 0 });
    t.deepEqual(
      preview.mustAct.members.map(({ name, state }) => [name, state.kind]),
      [
        ['ben', 'in_grace'],
        ['chiara', 'in_grace'],
      ],
    );
    const atOnce = await previewPolicy(servicesOf(door), visit, { ...everyone, graceDays: 0 });
    t.deepEqual(
      (await whoWouldBeStopped(servicesOf(door), visit, atOnce)).members.map(({ name }) => name),
      ['ben', 'chiara'],
    );

    t.like(await change(door, 'ada', { ...everyone, graceDays: 30 }), { kind: 'changed', toNotify: 2 });
    // A kill in between loses nobody: what is to be told stands beside the policy. Two replicas at once tell nobody twice.
    const announced = async () => {
      await Promise.all([0, 1, 0, 1].map((replica) => announcePolicies(servicesOf(door, replica))));
      await Promise.all([0, 1].map((replica) => remindMembers(servicesOf(door, replica))));
      return mails(door);
    };
    t.is(await announced(), 'ben: announced 30 de Acme Aviation; chiara: announced 30 - Acme Aviation');
    t.is(await announced(), '');
    const expected: Record<number, string> = {
      23: 'ben: reminder 7 de Acme Aviation; chiara: reminder 7 - Acme Aviation',
      27: 'ben: reminder 3 de Acme Aviation; chiara: reminder 3 - Acme Aviation',
      29: 'ben: reminder 1 de Acme Aviation; chiara: reminder 1 - Acme Aviation',
      30: 'ben: reminder now de Acme Aviation; chiara: reminder now - Acme Aviation',
    };
    for (let day = 1; day <= 33; day += 1) {
      nextDay(door);
      t.is(await announced(), expected[day] ?? '', `day ${day}`);
    }
    // Overdue: there is no way round.
    const browser = door.browser();
    await passwordStep(browser, 'ben');
    t.is(browser.heading, 'Set up two-factor authentication');
    t.false(browser.buttons.includes('Skip for now'));

    // By hand, once a day.
    const again = await visitAs(door, 'ada');
    t.deepEqual(
      await Promise.all([remindNow(servicesOf(door), again), remindNow(servicesOf(door, 1), again)]).then(
        (n) => n.sort(),
      ),
      [0, 2],
    );
    t.is(await mails(door), 'ben: reminder now de Acme Aviation; chiara: reminder now - Acme Aviation');
    t.is(await remindNow(servicesOf(door), again), 0);
    await t.throwsAsync(remindNow(servicesOf(door), await visitAs(door, 'dai')), {
      instanceOf: NotPermitted,
    });
    const { notices } = await readNotices(servicesOf(door), again, null, 100);
    t.is(notices.length, 12);
    const paged: unknown[] = [];
    for (let from: { createdAt: number; userId: string } | null = null; ; ) {
      const page = await readNotices(servicesOf(door), again, from, 1);
      paged.push(...page.notices);
      const last = page.notices.at(-1);
      if (!page.hasMore || !last) break;
      from = { createdAt: last.created_at, userId: last.user_id };
    }
    t.deepEqual(paged, notices);
  });

  test(`a mail that does not arrive is listed, and what arrived stays listed after the outbox has forgotten it (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({ requirement: 'optional' }, people) });
    await change(door, 'ada', everyone);
    await announcePolicies(servicesOf(door));
    const waiting = await readNotices(servicesOf(door), await visitAs(door, 'ada'), null);
    t.deepEqual(
      waiting.notices.map(({ sent_at, failed_at }) => [sent_at, failed_at]),
      [
        [null, null],
        [null, null],
      ],
    );
    const ben = waiting.notices.find(({ name }) => name === 'ben');
    await door.db.change('UPDATE outbox SET next_at = NULL, sent_at = 5');
    await door.db.change(
      'UPDATE outbox SET sent_at = NULL, failed_at = 6 WHERE id = (SELECT outbox_id FROM policy_notices WHERE user_id = ?)',
      [ben?.user_id ?? ''],
    );
    await settleNotices(door.db);
    await door.db.change('DELETE FROM outbox');
    const { notices, failed } = await readNotices(servicesOf(door), await visitAs(door, 'ada'), null);
    t.is(failed, 1);
    const { notices: lost } = await readNotices(servicesOf(door), await visitAs(door, 'ada'), null, 50, true);
    t.deepEqual(
      lost.map(({ failed_at }) => failed_at),
      [6],
    );
    t.deepEqual(notices.map(({ name, sent_at, failed_at }) => [name, sent_at, failed_at]).sort(), [
      ['ben', null, 6],
      ['chiara', 5, null],
    ]);
  });

  test(`requiring is refused while an owner lacks a factor, who is named (T098) (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'optional' },
        { ...people, olga: { role: 'owner' }, oleg: { role: 'owner', extra: { disabled: true } } },
      ),
    });
    for (const requirement of ['required_for_admins', 'required_for_all'] as const) {
      const outcome = await change(door, 'ada', { requirement });
      t.is(outcome.kind, 'owners_lack_factor');
      t.deepEqual(outcome.kind === 'owners_lack_factor' && outcome.owners.map(({ name }) => name), ['olga']);
    }
    // Lists that have not heard of it do not decide: the write looks at the factors themselves.
    await door.db.change('UPDATE memberships SET facets = facets + 128');
    t.is((await change(door, 'ada', everyone)).kind, 'conflict');
    await door.db.change('UPDATE memberships SET facets = facets - 128');
    t.is((await change(door, 'ada', { requirement: 'recommended' })).kind, 'changed');
    const unable = await visitAs(door, 'ada');
    const outcome = await changeOrganizationPolicy({ ...servicesOf(door), available: ['totp'] }, unable, {
      change: { methods: ['device'], requirement: 'required_for_admins' },
      expectedVersion: policyVersion(unable.organization.policy),
      notify: true,
      confirmedBy: 'factor',
    });
    t.is(outcome.kind, 'no_method', 'what the instance cannot offer cannot be required');
    t.is(
      await door.db
        .row<{ n: number }>("SELECT COUNT(*) AS n FROM audit_events WHERE type = 'policy.changed'")
        .then((row) => Number(row?.n)),
      1,
    );
  });

  test(`of two who change the policy at once, the second is told; who was removed meanwhile changes nothing (T100) (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({ requirement: 'optional' }, people) });
    const ada = await visitAs(door, 'ada');
    const chiara = await visitAs(door, 'chiara');
    const outcomes = await Promise.all([
      change(door, 'ada', { graceDays: 3 }, ada),
      change(door, 'chiara', { graceDays: 4 }, chiara),
    ]);
    t.deepEqual(outcomes.map(({ kind }) => kind).sort(), ['changed', 'conflict']);
    t.is((await change(door, 'chiara', { graceDays: 5 }, chiara)).kind, 'conflict');
    t.is((await change(door, 'ada', {})).kind, 'unchanged');

    const before = await visitAs(door, 'chiara');
    await door.db.change('UPDATE memberships SET removed_at = 1 WHERE user_id = ?', [before.actor.id]);
    t.is((await change(door, 'chiara', { graceDays: 6 }, before)).kind, 'conflict');
    await t.throwsAsync(change(door, 'dai', everyone), { instanceOf: NotPermitted });
  });
}
