import * as z from 'zod';
import { applicationById } from '../entities/applications.ts';
import { factorsOf } from '../entities/factors.ts';
import { isHome } from '../entities/home-organizations.ts';
import {
  type Counted,
  countDirectory,
  countGraceOver,
  countListedPasskeys,
  type DirectoryOrder,
  directoryOrders,
  directoryPage,
  type Facets,
  facetsFrom,
  facetsIn,
  type GraceOver,
  type ListedMember,
  listedMember,
  listedMembers,
  nameKey,
  type PasskeyWanted,
  type Wanted,
} from '../entities/member-directory.ts';
import { policyFrom, type StoredPolicy } from '../entities/memberships.ts';
import { canonicalEmail } from '../entities/users.ts';
import { after, days, seconds } from '../lib/clock.ts';
import { accepts } from '../policy/fold.ts';
import { hadGraceBefore, type MemberState, memberState, mustAct } from '../policy/member-state.ts';
import { requirementFor } from '../policy/requirement-for.ts';
import { type Method, methods, type Policy, type Role, roles } from '../policy/types.ts';
import type { OrganizationVisit } from './organization-actor.ts';
import { requirePermission } from './organization-actor.ts';
import type { Services } from './services.ts';

/** Which members a list shows. */
export const memberFilter = z.object({
  /** Beginning of an address, a name or a last name. */
  search: z.string().trim().max(100).default(''),
  twoFactor: z.enum(['on', 'off']).optional(),
  method: z.enum(methods).optional(),
  role: z.enum(roles).optional(),
  state: z.enum(['must_act', 'overdue', 'in_grace', 'never_signed_in', 'disabled']).optional(),
  /** What the list is in order of; a search has its own. */
  sort: z.enum(directoryOrders).default('email'),
});
export type MemberFilter = z.infer<typeof memberFilter>;

export interface MemberEntry {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly locale: string | null;
  readonly role: Role;
  readonly methods: readonly Method[];
  readonly isDisabled: boolean;
  readonly isReset: boolean;
  readonly state: MemberState;
  readonly joinedAt: Date;
  readonly lastSignIn: LastSignIn | null;
}

export interface LastSignIn {
  readonly at: Date;
  readonly acr: string;
  readonly usedSecondFactor: boolean;
  readonly clientId: string | null;
}

export interface MemberPage {
  readonly members: readonly MemberEntry[];
  /** What the next page is asked for with; null on the last one. */
  readonly next: string | null;
}

const cursor = z.tuple([z.enum(directoryOrders), z.string().max(400), z.string().max(64)]);

/**
 * The members of an organization by address or name, some at a time. A search lists those whose address begins so, then those whose name does, then those whose last name does.
 * It costs the same for a hundred thousand members as for a thousand.
 *
 * @param from what an earlier page called `next`; anything else begins at the start
 */
export async function readMembers(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  filter: MemberFilter,
  from: string | null = null,
  size = 50,
): Promise<MemberPage> {
  requirePermission(visit.actor, 'members.read');
  const { db } = services;
  const organizationId = visit.organization.id;
  const now = db.clock.now();
  const policy = policyFrom(visit.policy);
  const question = {
    organizationId,
    wanted: wantedOf(policy, filter, await facetsIn(db, organizationId)),
    over: graceOver(policy, now),
    models: policy.passkeyModels ?? [],
    limit: size + 1,
  };
  const place = readCursor(from);
  const prefixes = { email: canonicalEmail(filter.search), name: nameKey(filter.search) };
  const found: FoundMember[] = [];
  // One after the other: whoever was found by their address is not listed again by their name, and so on.
  const isSearch = filter.search !== '';
  const orders: readonly DirectoryOrder[] = isSearch ? directoryOrders : [filter.sort];
  const begun = place === null ? 0 : Math.max(0, orders.indexOf(place.order));
  for (const order of orders.slice(begun)) {
    if (found.length > size) break;
    const rows = await directoryPage(db, {
      ...question,
      order,
      prefix: order === 'email' ? prefixes.email : prefixes.name,
      unless: {
        ...(isSearch && order !== 'email' ? { email: prefixes.email } : {}),
        ...(isSearch && order === 'surname' ? { name: prefixes.name } : {}),
      },
      after: place?.order === order ? place : null,
      limit: size + 1 - found.length,
    });
    found.push(...rows.map((row) => ({ ...row, order })));
  }
  const page = found.slice(0, size);
  const last = found.length > size ? page.at(-1) : undefined;
  const rows = await listedMembers(
    db,
    organizationId,
    page.map(({ userId }) => userId),
  );
  return {
    members: rows.map((row) => memberEntry(row, policy, now)),
    next: last ? writeCursor(last) : null,
  };
}

interface FoundMember {
  readonly order: DirectoryOrder;
  readonly key: string;
  readonly userId: string;
}

function readCursor(from: string | null): FoundMember | null {
  if (from === null || from.length > 1000) return null;
  try {
    const read = cursor.safeParse(JSON.parse(Buffer.from(from, 'base64url').toString('utf8')));
    return read.success ? { order: read.data[0], key: read.data[1], userId: read.data[2] } : null;
  } catch {
    return null;
  }
}

const writeCursor = ({ order, key, userId }: FoundMember): string =>
  Buffer.from(JSON.stringify([order, key, userId])).toString('base64url');

/** Every member that a filter finds, page by page; for exports and notices. */
export async function* allMembers(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  filter: MemberFilter,
  size = 500,
): AsyncGenerator<readonly MemberEntry[]> {
  let from: string | null = null;
  do {
    const page: MemberPage = await readMembers(services, visit, filter, from, size);
    yield page.members;
    from = page.next;
    // Others get their turn: with the embedded database, nothing here waits for anything.
    await new Promise(setImmediate);
  } while (from !== null);
}

/** How many members a filter finds; null for a search, which is not counted. */
export async function countMembers(
  { db }: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  filter: MemberFilter,
): Promise<number | null> {
  requirePermission(visit.actor, 'members.read');
  if (filter.search !== '') return null;
  const { id } = visit.organization;
  const { state, twoFactor, method, role } = filter;
  if (state !== undefined && [twoFactor, method, role].every((other) => other === undefined)) {
    // Figures are kept for a while where there are many.
    const {
      mustAct: must_act,
      overdue,
      inGrace: in_grace,
      disabled,
    } = await readMemberFigures({ db }, id, visit.policy);
    const known: { readonly [State in typeof state]?: number } = { must_act, overdue, in_grace, disabled };
    if (known[state] !== undefined) return known[state];
  }
  const policy = policyFrom(visit.policy);
  const over = graceOver(policy, db.clock.now());
  const models = policy.passkeyModels ?? [];
  const kinds = new Map((await recentCounts(db, id)).map((row) => [row.facets, row.members]));
  let found = 0;
  for (const { facets, grace, passkey } of wantedOf(policy, filter, [...kinds.keys()])) {
    const all = kinds.get(facets) ?? 0;
    const members = await withPasskey(db, id, { facets, members: all, passkey, models });
    const overdue =
      grace === 'any' ? 0 : await countGraceOver(db, id, { facets, members, passkey, models }, over);
    found += { any: members, over: overdue, running: members - overdue }[grace];
  }
  return found;
}

/** Of the members of one number, those with a passkey that is listed, or without. */
async function withPasskey(
  db: Services['db'],
  organizationId: string,
  { facets, members, passkey, models }: Counted,
): Promise<number> {
  if (passkey === 'any') return members;
  const listed = await countListedPasskeys(db, organizationId, facets, models);
  return passkey === 'listed' ? listed : members - listed;
}

/** Which of an organization's numbers a filter is about. */
function wantedOf(policy: Policy, filter: MemberFilter, known: readonly number[]): Wanted[] {
  return known.flatMap((n) => {
    const facets = facetsFrom(n);
    if (filter.role !== undefined && facets.role !== filter.role) return [];
    if (filter.twoFactor !== undefined && facets.methods.length > 0 !== (filter.twoFactor === 'on'))
      return [];
    if (filter.method !== undefined && !facets.methods.includes(filter.method)) return [];
    return standings(policy, facets).flatMap(({ passkey, hasListedPasskey }) => {
      const grace = graceWanted(policy, filter.state, { ...facets, hasListedPasskey });
      return grace === null ? [] : [{ facets: n, grace, passkey }];
    });
  });
}

/** Where a policy lists models, members of one number can stand differently: those with a passkey that it lists, and the others. */
function standings(
  policy: Policy,
  facets: Facets,
): readonly { readonly passkey: PasskeyWanted; readonly hasListedPasskey: boolean }[] {
  const differs =
    facets.methods.includes('passkey') &&
    mustAct({ policy, ...facets, hasListedPasskey: false }) !==
      mustAct({ policy, ...facets, hasListedPasskey: true });
  return differs
    ? [
        { passkey: 'listed', hasListedPasskey: true },
        { passkey: 'unlisted', hasListedPasskey: false },
      ]
    : [{ passkey: 'any', hasListedPasskey: false }];
}

function graceWanted(
  policy: Policy,
  state: MemberFilter['state'],
  facets: Facets & { readonly hasListedPasskey: boolean },
): Wanted['grace'] | null {
  switch (state) {
    case undefined:
      return 'any';
    case 'never_signed_in':
      return facets.hasSignedIn ? null : 'any';
    case 'disabled':
      return facets.isDisabled ? 'any' : null;
    default: {
      if (facets.isDisabled) return null;
      if (!facets.isReset && !mustAct({ policy, ...facets })) return null;
      if (state === 'must_act') return 'any';
      if (hadGraceBefore(facets)) return state === 'overdue' ? 'any' : null;
      return state === 'overdue' ? 'over' : 'running';
    }
  }
}

/** The question "is the grace over" of policy/grace.ts, for many at once. */
export const graceOver = (policy: Policy, now: Date): GraceOver => ({
  before: after(now, -days(policy.graceDays)),
  everybodySince: policy.requirement === 'required_for_admins' ? null : policy.allRequiredSince,
  adminsSince: policy.adminsRequiredSince,
});

export function memberEntry(row: ListedMember, policy: Policy, now: Date): MemberEntry {
  const { isDisabled, isReset, everHadFactor, methods: has } = facetsFrom(row.facets);
  return {
    id: row.user_id,
    email: row.email,
    name: row.name,
    locale: row.locale,
    role: row.role,
    methods: has,
    isDisabled,
    isReset,
    state: memberState(
      {
        policy,
        role: row.role,
        joinedAt: new Date(row.joined_at),
        adminSince: row.admin_since === null ? null : new Date(row.admin_since),
        graceStartedAt: row.grace_started_at === null ? null : new Date(row.grace_started_at),
        methods: has,
        hasListedPasskey: (row.passkey_models?.split(',') ?? []).some((model) =>
          policy.passkeyModels?.includes(model),
        ),
        everHadFactor,
        isReset,
      },
      now,
    ),
    joinedAt: new Date(row.joined_at),
    lastSignIn: lastSignInOf(row),
  };
}

const withFactor = ['urn:sallyport:acr:2fa', 'phr'];

const lastSignInOf = (row: ListedMember): LastSignIn | null =>
  row.last_sign_in_at === null
    ? null
    : {
        at: new Date(row.last_sign_in_at),
        acr: row.last_sign_in_acr ?? '',
        usedSecondFactor: withFactor.includes(row.last_sign_in_acr ?? ''),
        clientId: row.last_sign_in_client_id,
      };

/** What an organization sees of one of its members: what they have, never what opens anything. */
export interface MemberDetail extends MemberEntry {
  readonly factors: readonly {
    readonly method: Method;
    readonly name: string | null;
    readonly confirmedAt: Date;
    readonly lastUsedAt: Date | null;
    readonly isDisabled: boolean;
    /** False where the organization's policy does not accept it. */
    readonly counts: boolean;
  }[];
  /** This organization has made the account or owns its domain, so it may reset at once. */
  readonly isHome: boolean;
  /** Of the last sign-in; null where that is another organization's. */
  readonly lastApplicationName: string | null;
}

/** One member of this very organization; null for everybody else's id. */
export async function readMember(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  userId: string,
): Promise<MemberDetail | null> {
  requirePermission(visit.actor, 'members.read');
  const { db } = services;
  const { organization } = visit;
  const row = await listedMember(db, organization.id, userId);
  if (!row) return null;
  const policy = policyFrom(visit.policy);
  const factors = await factorsOf(db, userId);
  const entry = memberEntry(row, policy, db.clock.now());
  const application =
    entry.lastSignIn?.clientId == null ? null : await applicationById(db, entry.lastSignIn.clientId);
  const isOurs = application !== null && [null, organization.id].includes(application.organization_id);
  return {
    ...entry,
    factors: factors.map((factor) => ({
      method: factor.method,
      name: factor.name,
      confirmedAt: new Date(factor.confirmed_at),
      lastUsedAt: factor.last_used_at === null ? null : new Date(factor.last_used_at),
      isDisabled: factor.disabled_at !== null,
      counts: accepts(policy, factor),
    })),
    isHome: await isHome(db, userId, organization.id),
    lastApplicationName: isOurs ? application.name : null,
  };
}

/** An organization in numbers. Disabled people are counted apart and in nothing else. */
export interface MemberFigures {
  readonly members: number;
  readonly disabled: number;
  /** With a factor of any kind. */
  readonly twoFactorOn: number;
  readonly byMethod: Readonly<Record<Method, number>>;
  readonly byRole: Readonly<Record<Role, number>>;
  readonly neverSignedIn: number;
  /** Must set something up; each of them is in grace or overdue. */
  readonly mustAct: number;
  readonly inGrace: number;
  readonly overdue: number;
  /** Whom the policy requires to have a factor, whether they have or not. */
  readonly required: number;
}

/** Where counting takes long enough to be felt, numbers may be so old. */
const manyMembers = 5_000;
const countedFor = seconds(30);
const counted = new WeakMap<Services['db'], Map<string, { at: number; figures: MemberFigures }>>();

/**
 * An organization in numbers, under a policy that need not be the stored one. With more than five thousand members the same numbers
 * are told for half a minute.
 */
export async function readMemberFigures(
  services: Pick<Services, 'db'>,
  organizationId: string,
  stored: StoredPolicy,
): Promise<MemberFigures> {
  const { db } = services;
  const now = db.clock.now().getTime();
  const known = counted.get(db) ?? new Map<string, { at: number; figures: MemberFigures }>();
  counted.set(db, known);
  const key = `${organizationId} ${figuresKey(stored)}`;
  const recent = known.get(key);
  if (recent && recent.at <= now && recent.at > now - countedFor) return recent.figures;
  const figures = await countFigures(services, organizationId, policyFrom(stored));
  known.delete(key);
  if (figures.members > manyMembers) known.set(key, { at: now, figures });
  if (known.size > 200) known.delete(known.keys().next().value ?? '');
  return figures;
}

/** What figures depend on. A preview asks about a requirement that begins at this moment, which is a new one each time. */
const figuresKey = ({
  requirement,
  others,
  graceDays,
  methods: counting,
  passkeyModels,
  ...since
}: StoredPolicy): string =>
  JSON.stringify([
    requirement,
    others,
    graceDays,
    [...counting].sort(),
    passkeyModels,
    ...[since.adminsRequiredSince, since.allRequiredSince].map(
      (moment) => moment && Math.floor(moment / countedFor),
    ),
  ]);

const counts = new WeakMap<
  Services['db'],
  Map<string, { at: number; rows: Awaited<ReturnType<typeof countDirectory>> }>
>();

/** How many there are of each kind: whatever the policy, so a preview counts them once. */
async function recentCounts(db: Services['db'], organizationId: string): ReturnType<typeof countDirectory> {
  const now = db.clock.now().getTime();
  const known = counts.get(db) ?? new Map();
  counts.set(db, known);
  const recent = known.get(organizationId);
  if (recent && recent.at <= now && recent.at > now - countedFor) return recent.rows;
  const rows = await countDirectory(db, organizationId);
  known.delete(organizationId);
  if (rows.reduce((sum, { members }) => sum + members, 0) > manyMembers)
    known.set(organizationId, { at: now, rows });
  return rows;
}

async function countFigures(
  { db }: Pick<Services, 'db'>,
  organizationId: string,
  policy: Policy,
): Promise<MemberFigures> {
  const over = graceOver(policy, db.clock.now());
  const figures = {
    members: 0,
    disabled: 0,
    twoFactorOn: 0,
    byMethod: Object.fromEntries(methods.map((method) => [method, 0])) as Record<Method, number>,
    byRole: Object.fromEntries(roles.map((role) => [role, 0])) as Record<Role, number>,
    neverSignedIn: 0,
    mustAct: 0,
    inGrace: 0,
    overdue: 0,
    required: 0,
  };
  for (const row of await recentCounts(db, organizationId)) {
    const facets = facetsFrom(row.facets);
    if (facets.isDisabled) {
      figures.disabled += row.members;
      continue;
    }
    figures.members += row.members;
    figures.byRole[facets.role] += row.members;
    if (!facets.hasSignedIn) figures.neverSignedIn += row.members;
    if (facets.methods.length > 0) figures.twoFactorOn += row.members;
    for (const method of facets.methods) figures.byMethod[method] += row.members;
    if (requirementFor(policy, facets.role) === 'must') figures.required += row.members;
    for (const { passkey, hasListedPasskey } of standings(policy, facets)) {
      if (!facets.isReset && !mustAct({ policy, ...facets, hasListedPasskey })) continue;
      const models = policy.passkeyModels ?? [];
      const members = await withPasskey(db, organizationId, { ...row, passkey, models });
      const overdue = hadGraceBefore(facets)
        ? members
        : await countGraceOver(db, organizationId, { facets: row.facets, members, passkey, models }, over);
      figures.mustAct += members;
      figures.overdue += overdue;
      figures.inGrace += members - overdue;
    }
  }
  return figures;
}
