import { policyFrom, readStoredPolicy } from '../entities/memberships.ts';
import { dayOf, daysSince, noteFigures, startOfDay } from '../entities/organization-days.ts';
import type { OrganizationRow } from '../entities/organizations.ts';
import { days } from '../lib/clock.ts';
import { chainAuditEvents } from './chain-audit-events.ts';
import { type OrganizationVisit, requirePermission } from './organization-actor.ts';
import {
  type MemberEntry,
  type MemberFigures,
  memberFilter,
  readMemberFigures,
  readMembers,
} from './read-members.ts';
import type { Services } from './services.ts';

export interface OverviewDay {
  readonly at: Date;
  readonly members: number | null;
  readonly setUp: number | null;
  readonly signIns: number;
  readonly strong: number;
}

export interface Overview {
  readonly figures: MemberFigures;
  /** Four weeks, today last; days of which nothing is known are left out. */
  readonly days: readonly OverviewDay[];
  /** When the grace of those who were here at the beginning of the requirement ends; null where nobody must. */
  readonly deadline: Date | null;
  readonly lastWeek: { readonly signIns: number; readonly strong: number };
  readonly overdue: readonly MemberEntry[];
}

const span = 28;

/** How an organization stands, and how it came there. */
export async function readOverview(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
): Promise<Overview> {
  requirePermission(visit.actor, 'overview.read');
  const { db } = services;
  const { organization, policy } = visit;
  await chainAuditEvents(services);
  const now = db.clock.now();
  const today = dayOf(now.getTime());
  const figures = await readMemberFigures(services, organization.id, policy);
  const rows = await daysSince(db, organization.id, today - span + 1);
  const known = rows.filter(({ day }) => day < today);
  const here = rows.find(({ day }) => day === today);
  const all: OverviewDay[] = [
    ...known.map((row) => ({
      at: startOfDay(row.day),
      members: row.members,
      setUp: row.set_up,
      signIns: Number(row.sign_ins),
      strong: Number(row.sign_ins_strong),
    })),
    {
      at: startOfDay(today),
      members: figures.members,
      setUp: figures.twoFactorOn,
      signIns: Number(here?.sign_ins ?? 0),
      strong: Number(here?.sign_ins_strong ?? 0),
    },
  ];
  const week = all.filter(({ at }) => dayOf(at.getTime()) > today - 7);
  const since = policyFrom(policy).allRequiredSince ?? policyFrom(policy).adminsRequiredSince;
  const { members } = await readMembers(services, visit, memberFilter.parse({ state: 'overdue' }), null, 10);
  return {
    figures,
    days: all,
    deadline: since === null ? null : new Date(since.getTime() + days(policy.graceDays)),
    lastWeek: {
      signIns: week.reduce((sum, day) => sum + day.signIns, 0),
      strong: week.reduce((sum, day) => sum + day.strong, 0),
    },
    overdue: members,
  };
}

/** Keeps today's figures of every organization, for the charts of later days; the last look of a day is the one that stays. */
export async function noteDay({ db }: Pick<Services, 'db'>): Promise<void> {
  const day = dayOf(db.clock.now().getTime());
  for (const organization of await db.rows<OrganizationRow>('SELECT * FROM organizations')) {
    const figures = await readMemberFigures({ db }, organization.id, readStoredPolicy(organization.policy));
    await db.together(noteFigures(db, organization.id, day, { ...figures, setUp: figures.twoFactorOn }));
    await new Promise(setImmediate);
  }
}
