import { audit } from '../audit/audit.ts';
import { isDuplicate, type Statement } from '../entities/database.ts';
import { readStoredPolicy } from '../entities/memberships.ts';
import { type OrganizationRow, organizationById } from '../entities/organizations.ts';
import {
  addNotice,
  announcementFinished,
  announcementReached,
  failedNotices,
  type ListedNotice,
  listedNotices,
  type NoticeKind,
  type NoticeRow,
  noticesOf,
  openAnnouncements,
  settleNotices,
} from '../entities/policy-notices.ts';
import { days, daysUntil } from '../lib/clock.ts';
import { keyedId } from '../notifications/outbox.ts';
import { type Actor, actorData, type OrganizationVisit, requirePermission } from './organization-actor.ts';
import { requires } from './preview-policy.ts';
import { type MemberEntry, memberFilter, readMembers } from './read-members.ts';
import type { Services } from './services.ts';

type Parts = Pick<Services, 'db' | 'notify'>;

const operator: Actor = { kind: 'operator', id: null, role: 'owner', origin: { ip: null, userAgent: null } };
const pageSize = 200;
/** Nobody gets two mails about one deadline within a day. */
const apart = days(1);

interface Due {
  readonly member: MemberEntry;
  readonly kind: NoticeKind;
  readonly deadline: number;
}

/**
 * Tells everybody whom a saved policy concerns, where that has not been done yet. It goes on where a process that died has stopped;
 * several may do it at once, and still each person gets one mail.
 */
export async function announcePolicies(services: Parts): Promise<number> {
  const { db } = services;
  let told = 0;
  for (const row of await openAnnouncements(db)) {
    const visit = await visitAs(services, row.organization_id);
    // Of a policy that was changed again, the later announcement tells.
    if (visit && visit.policy.changedAt === row.changed_at) {
      const since = requiredSince(visit);
      told += await notifyAll(
        services,
        visit,
        row.cursor_at,
        (member) => ({ member, kind: 'announced', deadline: deadlineOf(member) ?? since }),
        (cursor) => announcementReached(row.organization_id, row.changed_at, cursor),
      );
    }
    await announcementFinished(db, row.organization_id, row.changed_at, db.clock.now());
  }
  return told;
}

/** Reminds everybody who is in grace 7, 3 and 1 days before their deadline and on the day. Who was away for a while gets the latest only. */
export async function remindMembers(services: Parts): Promise<number> {
  const { db } = services;
  let told = 0;
  const organizations = await db.rows<OrganizationRow>('SELECT * FROM organizations');
  for (const organization of organizations) {
    const visit = visitTo(organization);
    if (!requires(visit.policy)) continue;
    told += await notifyAll(services, visit, null, (member) => reminderDue(member, db.clock.now()));
  }
  return told;
}

const steps = [
  { kind: '0', from: 0, to: -1 },
  { kind: '1', from: 1, to: 0 },
  { kind: '3', from: 3, to: 1 },
  { kind: '7', from: 7, to: 3 },
] as const;

function reminderDue(member: MemberEntry, now: Date): Due | null {
  const deadline = deadlineOf(member);
  if (deadline === null) return null;
  const left = deadline - now.getTime();
  const step = steps.find(({ from, to }) => left <= days(from) && left > days(to));
  return step ? { member, kind: step.kind, deadline } : null;
}

/** By hand, from the page that lists them: at most once a day each. */
export async function remindNow(services: Parts, visit: OrganizationVisit): Promise<number> {
  requirePermission(visit.actor, 'policy.change');
  const { db } = services;
  const now = db.clock.now().getTime();
  const today = now - (now % days(1));
  const told = await notifyAll(services, visit, null, (member) => ({
    member,
    kind: 'asked',
    deadline: today,
  }));
  await audit(db, visit.actor.origin, {
    type: 'policy.reminded',
    userId: visit.actor.kind === 'person' ? visit.actor.id : null,
    organizationId: visit.organization.id,
    data: { ...actorData(visit.actor), mails: told },
  });
  return told;
}

/** What was sent, what waits and what did not arrive, or that alone; the newest first. */
export async function readNotices(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  from: { readonly createdAt: number; readonly userId: string } | null,
  size = 50,
  onlyFailed = false,
): Promise<{
  readonly notices: readonly ListedNotice[];
  readonly hasMore: boolean;
  readonly failed: number;
}> {
  requirePermission(visit.actor, 'policy.read');
  await settleNotices(services.db);
  const rows = await listedNotices(services.db, visit.organization.id, from, size + 1, onlyFailed);
  return {
    notices: rows.slice(0, size),
    hasMore: rows.length > size,
    failed: await failedNotices(services.db, visit.organization.id),
  };
}

async function visitAs(services: Parts, organizationId: string): Promise<OrganizationVisit | null> {
  const organization = await organizationById(services.db, organizationId);
  return organization && visitTo(organization);
}

const visitTo = (organization: OrganizationRow): OrganizationVisit => ({
  organization,
  policy: readStoredPolicy(organization.policy),
  actor: operator,
});

const deadlineOf = ({ state }: MemberEntry): number | null => {
  if (state.kind === 'in_grace') return state.until.getTime();
  return state.kind === 'overdue' && state.since !== null ? state.since.getTime() : null;
};

const requiredSince = ({ policy }: OrganizationVisit): number =>
  policy.allRequiredSince ?? policy.adminsRequiredSince ?? 0;

/** Page by page; each page's mails stand in the outbox together with what says that they were sent. */
async function notifyAll(
  services: Parts,
  visit: OrganizationVisit,
  start: string | null,
  due: (member: MemberEntry) => Due | null,
  reached?: (cursor: string) => Statement,
): Promise<number> {
  const filter = memberFilter.parse({ state: 'must_act' });
  let told = 0;
  let from = start;
  do {
    const page = await readMembers(services, { ...visit, actor: operator }, filter, from, pageSize);
    const found = page.members.flatMap((member) => due(member) ?? []);
    told += await notifyPage(
      services,
      visit,
      found,
      page.next === null || !reached ? [] : [reached(page.next)],
    );
    from = page.next;
    await new Promise(setImmediate);
  } while (from !== null);
  return told;
}

async function notifyPage(
  services: Parts,
  visit: OrganizationVisit,
  found: readonly Due[],
  more: readonly Statement[],
): Promise<number> {
  const { db } = services;
  const organizationId = visit.organization.id;
  for (let attempt = 1; ; attempt += 1) {
    const now = db.clock.now();
    const known = Map.groupBy(
      await noticesOf(
        db,
        organizationId,
        found.map(({ member }) => member.id),
      ),
      ({ user_id }) => user_id,
    );
    const open = found.filter((one) => !isKnown(known.get(one.member.id) ?? [], one, now));
    try {
      if (open.length > 0 || more.length > 0) {
        await db.together([...open.flatMap((one) => notice(services, visit, one, now)), ...more]);
      }
      return open.length;
    } catch (error) {
      // Another process has told some of them meanwhile: nothing of this page was written.
      if (!isDuplicate(error) || attempt >= 5) throw error;
    }
  }
}

const isKnown = (known: readonly NoticeRow[], { kind, deadline }: Due, now: Date): boolean =>
  known.some(
    (row) =>
      (row.kind === kind && row.deadline === deadline) ||
      (kind !== 'announced' &&
        row.kind !== 'asked' &&
        row.deadline === deadline &&
        row.created_at > now.getTime() - apart) ||
      (kind === 'asked' && row.created_at > now.getTime() - apart),
  );

function notice({ db, notify }: Parts, visit: OrganizationVisit, due: Due, now: Date): Statement[] {
  const { organization, policy } = visit;
  const { member, kind, deadline } = due;
  const key = `policy ${organization.id} ${member.id} ${kind} ${deadline}`;
  const until = member.state.kind === 'in_grace' ? member.state.until : null;
  return [
    addNotice(db, {
      organization_id: organization.id,
      user_id: member.id,
      kind,
      deadline,
      outbox_id: keyedId('email', key),
      created_at: now.getTime(),
    }),
    notify.mail({
      to: member.email,
      locale: member.locale,
      template: kind === 'announced' ? 'policy-announced' : 'policy-reminder',
      values: {
        name: member.name,
        until: until?.toISOString() ?? null,
        daysLeft: until === null ? 0 : daysUntil(until, now),
        who: policy.requirement === 'required_for_all' ? 'everyone' : 'admins',
        methods: policy.methods.join(' '),
        hasOther: member.methods.length > 0 ? 1 : 0,
      },
      organizationId: organization.id,
      key,
    }),
  ];
}
