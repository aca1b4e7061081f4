import type { Database, Statement } from './database.ts';

/** One organization on one day, in numbers: what cannot be worked out any more when the day is over. */
export interface OrganizationDayRow {
  organization_id: string;
  day: number;
  /** The latest look at that day; null where nobody looked. */
  members: number | null;
  required: number | null;
  set_up: number | null;
  overdue: number | null;
  sign_ins: number;
  sign_ins_strong: number;
}

const dayLength = 86_400_000;
/** Days since 1970, in UTC. */
export const dayOf = (at: number): number => Math.floor(at / dayLength);
export const startOfDay = (day: number): Date => new Date(day * dayLength);

const emptyDay = (db: Database, organizationId: string, day: number): Statement =>
  db.insertIfAbsent('organization_days', {
    organization_id: organizationId,
    day,
    members: null,
    required: null,
    set_up: null,
    overdue: null,
    sign_ins: 0,
    sign_ins_strong: 0,
  });

export const countSignIns = (
  db: Database,
  organizationId: string,
  day: number,
  all: number,
  strong: number,
): Statement[] => [
  emptyDay(db, organizationId, day),
  {
    sql: 'UPDATE organization_days SET sign_ins = sign_ins + ?, sign_ins_strong = sign_ins_strong + ? WHERE organization_id = ? AND day = ?',
    values: [all, strong, organizationId, day],
  },
];

export const noteFigures = (
  db: Database,
  organizationId: string,
  day: number,
  figures: {
    readonly members: number;
    readonly required: number;
    readonly setUp: number;
    readonly overdue: number;
  },
): Statement[] => [
  emptyDay(db, organizationId, day),
  {
    sql: 'UPDATE organization_days SET members = ?, required = ?, set_up = ?, overdue = ? WHERE organization_id = ? AND day = ?',
    values: [figures.members, figures.required, figures.setUp, figures.overdue, organizationId, day],
  },
];

export const daysSince = (db: Database, organizationId: string, day: number) =>
  db.rows<OrganizationDayRow>(
    'SELECT * FROM organization_days WHERE organization_id = ? AND day >= ? ORDER BY day',
    [organizationId, day],
  );

/** The newest figures of each organization, not older than a week. */
export const latestFigures = (db: Database) =>
  db.rows<{ slug: string; members: number; set_up: number }>(
    `SELECT o.slug, d.members, d.set_up FROM organizations o JOIN organization_days d ON d.organization_id = o.id
     WHERE d.members IS NOT NULL AND d.day = (SELECT MAX(x.day) FROM organization_days x
       WHERE x.organization_id = o.id AND x.members IS NOT NULL AND x.day > ?)`,
    [dayOf(db.clock.now().getTime()) - 7],
  );
