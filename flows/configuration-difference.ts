import { isDeepStrictEqual } from 'node:util';
import type { ApplicationRow } from '../entities/applications.ts';
import {
  insertMany,
  membersWithoutFactor,
  type StoredConfiguration,
  updateRow,
} from '../entities/configuration.ts';
import type { Database, Statement, Value } from '../entities/database.ts';
import type { FactorRow } from '../entities/factors.ts';
import { nameKeys, refreshMany } from '../entities/member-directory.ts';
import {
  type MembershipRow,
  policyFrom,
  readStoredPolicy,
  type StoredPolicy,
} from '../entities/memberships.ts';
import type { OrganizationRow } from '../entities/organizations.ts';
import { dropDomain, upstreamKey } from '../entities/upstream-providers.ts';
import type { UserRow } from '../entities/users.ts';
import { type TotpData, totpData } from '../factors/totp.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Passwords } from '../lib/password-hash.ts';
import { token } from '../lib/random.ts';
import { open, seal } from '../lib/seal.ts';
import { requirementFor } from '../policy/requirement-for.ts';
import type { Role } from '../policy/types.ts';
import {
  defaultRules,
  nextPolicy,
  type PolicyRules,
  rulesOf,
  writeInstancePolicy,
  writePolicy,
} from './change-policy.ts';
import type { Metadata } from './client-metadata.ts';
import type {
  ApplicationEntry,
  Configuration,
  OrganizationEntry,
  ProviderEntry,
  UserEntry,
} from './configuration-file.ts';
import { mergedMetadata } from './configuration-references.ts';
import { endedUntold } from './end-sessions.ts';
import { factorDataPlace } from './subject.ts';
import {
  changedUpstream,
  newUpstreamKey,
  privateKeyOf,
  secretOf,
  shownUpstream,
  upstreamColumns,
} from './upstream-columns.ts';

export type Kind = 'instance' | 'organizations' | 'users' | 'applications' | 'providers';

/** One value that becomes another; a secret only says that it does. */
export type FieldChange =
  | { readonly kind: 'value'; readonly name: string; readonly before: unknown; readonly after: unknown }
  | { readonly kind: 'secret'; readonly name: string };

/** What happens to one thing of the configuration. */
export interface Change {
  readonly kind: 'created' | 'changed';
  readonly what: Kind;
  readonly name: string;
  readonly fields: readonly FieldChange[];
}

export interface Difference {
  readonly changes: readonly Change[];
  /** The same by the identifiers of the organizations that they concern. */
  readonly concerning: ReadonlyMap<string, readonly Change[]>;
  readonly unchanged: Readonly<Record<Kind, number>>;
  readonly statements: readonly Statement[];
  readonly warnings: readonly string[];
}

export interface DifferenceServices {
  readonly db: Database;
  readonly ring: KeyRing;
  readonly passwords: Passwords;
  /** Those of the settings, where they are known; see `modelWarnings`. */
  readonly passkeyRoots?: readonly string[];
}

export interface DifferenceOptions {
  /** False where only the difference is of interest: nothing is hashed then. */
  readonly makeSecrets: boolean;
  /** What exists stays as it is; people are only added to organizations. */
  readonly keepExisting?: boolean;
}

/** Where an application's secret is sealed for. */
export const secretPlace = (clientId: string) => ({ table: 'applications', column: 'secret', row: clientId });

/** The rows and statements that are collected on the way. */
interface Plan {
  readonly now: Date;
  readonly changes: Change[];
  readonly concerning: Map<string, Change[]>;
  readonly unchanged: Record<Kind, number>;
  readonly organizations: Map<
    string,
    { readonly id: string; readonly name: string; readonly policy: StoredPolicy }
  >;
  readonly slugs: Map<string, string>;
  readonly inserts: { readonly [table: string]: Record<string, Value>[] };
  readonly updates: Statement[];
  /** Users of whom anything changes. */
  readonly touched: Set<string>;
  /** Users who have another password, or are disabled: what was begun before is over. */
  readonly cut: Set<string>;
  /** Owners as they will be, of those whom the file names. */
  readonly owners: { readonly email: string; readonly organizationId: string; readonly hasFactor: boolean }[];
}

/**
 * What has to be written so that what is stored becomes what the file says. It writes nothing.
 *
 * @param onUser is told after each user how many have been compared
 */
export async function findDifference(
  services: DifferenceServices,
  configuration: Configuration,
  stored: StoredConfiguration,
  { makeSecrets, keepExisting = false }: DifferenceOptions,
  onUser: (done: number) => void,
): Promise<Difference> {
  const plan: Plan = {
    now: services.db.clock.now(),
    changes: [],
    concerning: new Map(),
    unchanged: { instance: 0, organizations: 0, users: 0, applications: 0, providers: 0 },
    organizations: new Map(
      stored.organizations.map((row) => [
        row.slug,
        { id: row.id, name: row.name, policy: readStoredPolicy(row.policy) },
      ]),
    ),
    slugs: new Map(stored.organizations.map(({ id, slug }) => [id, slug])),
    inserts: {
      organizations: [],
      users: [],
      memberships: [],
      factors: [],
      applications: [],
      upstream_providers: [],
      upstream_domains: [],
    },
    updates: [],
    touched: new Set(),
    cut: new Set(),
    owners: [],
  };

  planRegistration(plan, services.db, configuration, stored.registration);
  const base = planInstance(plan, services.db, configuration, stored.instancePolicy);
  const organizationRows = new Map(stored.organizations.map((row) => [row.slug, row]));
  for (const entry of configuration.organizations ?? []) {
    const row = organizationRows.get(entry.slug);
    if (row && keepExisting) plan.unchanged.organizations += 1;
    else planOrganization(plan, entry, row, base);
  }
  const applicationRows = new Map(stored.applications.map((row) => [row.client_id, row]));
  for (const entry of configuration.applications ?? []) {
    planApplication(plan, services.ring, entry, applicationRows.get(entry.client_id));
  }
  for (const entry of configuration.providers ?? []) {
    await planProvider(plan, services.ring, entry, stored);
  }
  const users = keepExisting
    ? onlyAdded(plan, configuration.users ?? [], stored)
    : (configuration.users ?? []);
  await planUsers(plan, services, users, stored, makeSecrets, onUser);
  // To hash a thousand passwords takes minutes, in which people go on.
  const end = services.db.clock.now();

  return {
    changes: plan.changes,
    concerning: plan.concerning,
    unchanged: plan.unchanged,
    statements: [
      ...plan.updates,
      ...Object.entries(plan.inserts).flatMap(([table, rows]) => insertMany(table, rows)),
      ...[...plan.cut].flatMap((userId) => endedUntold(userId, end)),
      ...refreshMany([...plan.touched]),
    ],
    warnings: [
      ...(await ownerWarnings(plan, services.db, configuration)),
      ...modelWarnings(plan, services, configuration),
    ],
  };
}

/** Of somebody who is here already nothing but memberships that are new: no password, factor or role of before is touched. */
function onlyAdded(
  plan: Plan,
  entries: readonly UserEntry[],
  stored: StoredConfiguration,
): readonly UserEntry[] {
  const rows = new Map(stored.users.map((row) => [row.email, row]));
  const memberships = Map.groupBy(stored.memberships, ({ user_id }) => user_id);
  return entries.map((entry) => {
    const row = rows.get(entry.email);
    if (!row) return entry;
    const known = (memberships.get(row.id) ?? []).flatMap(({ organization_id, role, removed_at }) => {
      const organization = slugOf(plan, organization_id);
      return organization === null
        ? []
        : [{ organization, role: role as Role, isActive: removed_at === null }];
    });
    // Who has left an organization here is not brought back by what another system remembers.
    const added = (entry.memberships ?? []).filter(
      ({ organization }) => !known.some((one) => one.organization === organization),
    );
    const kept = known.flatMap(({ organization, role, isActive }) =>
      isActive ? [{ organization, role }] : [],
    );
    return { email: entry.email, memberships: [...kept, ...added] };
  });
}

function note(
  plan: Plan,
  what: Kind,
  name: string,
  isNew: boolean,
  fields: readonly FieldChange[],
  organizations: readonly (string | null)[] = [],
): void {
  if (isNew || fields.length > 0) {
    const change: Change = { kind: isNew ? 'created' : 'changed', what, name, fields };
    plan.changes.push(change);
    for (const id of new Set(organizations)) {
      if (id === null) continue;
      const known = plan.concerning.get(id);
      if (known) known.push(change);
      else plan.concerning.set(id, [change]);
    }
  } else {
    plan.unchanged[what] += 1;
  }
}

function planRegistration(
  plan: Plan,
  db: Database,
  { instance }: Configuration,
  before: string | null,
): void {
  const mode = instance?.registration;
  if (mode === undefined) {
    return;
  }
  if (mode !== before) {
    plan.updates.push(db.upsert('instance', ['name'], { name: 'registration', value: mode }));
  }
  note(
    plan,
    'instance',
    'registration',
    before === null,
    valueChanged('registration', before ?? undefined, mode),
  );
}

function planInstance(
  plan: Plan,
  db: Database,
  configuration: Configuration,
  storedText: string | null,
): PolicyRules {
  const before = storedText === null ? null : readStoredPolicy(storedText);
  const change = configuration.instance?.policy;
  if (!change) {
    return rulesOf(before ?? defaultRules);
  }
  const next = nextPolicy(before, change, plan.now);
  if (next !== before) {
    plan.updates.push(writeInstancePolicy(db, storedText, next));
  }
  note(plan, 'instance', 'policy', before === null, policyFields(before, next, ''));
  return rulesOf(next);
}

function planOrganization(
  plan: Plan,
  entry: OrganizationEntry,
  row: OrganizationRow | undefined,
  base: PolicyRules,
): void {
  const { now } = plan;
  if (!row) {
    const created = {
      id: newId(now),
      slug: entry.slug,
      name: entry.name ?? entry.slug,
      policy: nextPolicy(null, entry.policy ?? {}, now, base),
    };
    plan.organizations.set(entry.slug, created);
    plan.slugs.set(created.id, entry.slug);
    plan.inserts.organizations?.push({
      ...created,
      policy: JSON.stringify(created.policy),
      created_at: now.getTime(),
    });
    note(
      plan,
      'organizations',
      entry.slug,
      true,
      [
        { kind: 'value', name: 'name', before: undefined, after: created.name },
        ...policyFields(null, created.policy, 'policy.'),
      ],
      [created.id],
    );
    return;
  }
  const before = readStoredPolicy(row.policy);
  const next = entry.policy ? nextPolicy(before, entry.policy, now) : before;
  const name = entry.name ?? row.name;
  const fields = [
    ...valueChanged('name', row.name, name),
    ...(next === before ? [] : policyFields(before, next, 'policy.')),
  ];
  if (name !== row.name) {
    plan.updates.push(updateRow('organizations', { id: row.id }, { name }));
  }
  if (next !== before) {
    plan.updates.push(...writePolicy(row.id, { text: row.policy, policy: before }, next));
  }
  plan.organizations.set(entry.slug, { id: row.id, name, policy: next });
  note(plan, 'organizations', entry.slug, false, fields, [row.id]);
}

function planApplication(
  plan: Plan,
  ring: KeyRing,
  entry: ApplicationEntry,
  row: ApplicationRow | undefined,
): void {
  const { client_id, client_secret, name, organization, firstParty, assurance, ...given } = entry;
  const storedMetadata = row ? (JSON.parse(row.metadata) as Metadata) : {};
  const metadata = mergedMetadata(storedMetadata, given);
  const isPublic = metadata.token_endpoint_auth_method === 'none';
  const secretBefore = row?.secret ? open(ring, secretPlace(client_id), row.secret) : null;
  const secretAfter = isPublic ? null : (client_secret ?? secretBefore);

  const slugBefore = slugOf(plan, row?.organization_id ?? null);
  const slugAfter = organization === undefined ? slugBefore : organization;
  const before = {
    name: row?.name,
    organization: slugBefore ?? undefined,
    firstParty: row ? row.first_party === 1 : undefined,
    assurance: row?.assurance,
  };
  const after = {
    name: name ?? row?.name ?? client_id,
    organization: slugAfter ?? undefined,
    firstParty: firstParty ?? before.firstParty ?? false,
    assurance: assurance ?? row?.assurance ?? 'none',
  };
  const fields = [
    ...objectChanged(before, after),
    ...objectChanged(storedMetadata, metadata),
    ...(secretAfter === secretBefore ? [] : [{ kind: 'secret', name: 'client_secret' } as const]),
  ];
  const organizationId = slugAfter === null ? null : organizationIdOf(plan, slugAfter);
  note(plan, 'applications', client_id, !row, fields, [row?.organization_id ?? null, organizationId]);
  if (row && fields.length === 0) {
    return;
  }

  const columns = {
    organization_id: organizationId,
    name: after.name,
    secret:
      secretAfter === secretBefore && row
        ? row.secret
        : secretAfter === null
          ? null
          : seal(ring, secretPlace(client_id), secretAfter),
    resource: (metadata.resource as string | undefined) ?? null,
    metadata: JSON.stringify(metadata),
    first_party: after.firstParty ? 1 : 0,
    assurance: after.assurance,
    updated_at: plan.now.getTime(),
  };
  if (row) {
    plan.updates.push(updateRow('applications', { client_id }, columns));
  } else {
    plan.inserts.applications?.push({ client_id, ...columns, created_at: plan.now.getTime() });
  }
}

async function planProvider(
  plan: Plan,
  ring: KeyRing,
  entry: ProviderEntry,
  stored: StoredConfiguration,
): Promise<void> {
  const { slug, organization = null, clientSecret, domains, ...change } = entry;
  const key = upstreamKey(organization, slug);
  const row = stored.providers.find(({ name_key }) => name_key === key);
  const now = plan.now.getTime();
  const id = row?.id ?? newId(plan.now);
  const before = row ? shownUpstream(row) : null;
  const after = changedUpstream(before, change, slug);
  const secretBefore = row ? secretOf(ring, row) : null;
  const secret = clientSecret ?? secretBefore;
  const hadKey = row ? privateKeyOf(ring, row) : null;
  const isKeyNew = after.authentication === 'private_key_jwt' && hadKey === null;
  const domainRows = stored.domains.filter(({ provider_id }) => provider_id === id);
  const domainsBefore = domainRows.flatMap(({ verified_domain }) => verified_domain ?? []).sort();
  const domainsAfter = domains === undefined ? domainsBefore : [...new Set(domains)].sort();
  const fields = [
    ...objectChanged(before ?? {}, after),
    ...valueChanged(
      'domains',
      row ? domainsBefore : undefined,
      row || domainsAfter.length > 0 ? domainsAfter : undefined,
    ),
    ...(secret === secretBefore ? [] : [{ kind: 'secret', name: 'clientSecret' } as const]),
  ];
  const organizationId = organization === null ? null : organizationIdOf(plan, organization);
  note(plan, 'providers', key, !row, fields, [organizationId]);
  if (row && fields.length === 0 && !isKeyNew) {
    return;
  }
  const columns = {
    ...upstreamColumns(
      ring,
      id,
      after,
      {
        organizationId,
        organizationSlug: organization,
        slug,
      },
      secret,
      isKeyNew ? await newUpstreamKey() : hadKey,
    ),
    updated_at: now,
  };
  if (row) {
    plan.updates.push(
      updateRow(
        'upstream_providers',
        { id },
        { ...columns, version: row.version + 1 },
        { version: row.version },
      ),
    );
  } else {
    plan.inserts.upstream_providers?.push({ id, ...columns, version: 1, created_at: now });
  }
  if (domains === undefined) {
    return;
  }
  // An operator's word is proof enough; nobody asks the DNS.
  for (const { domain } of domainRows) {
    plan.updates.push({ ...dropDomain(id, domain), rows: 1 });
  }
  for (const domain of domainsAfter) {
    plan.inserts.upstream_domains?.push({
      provider_id: id,
      domain,
      verified_domain: domain,
      challenge: token(128),
      created_at: now,
    });
  }
}

// Hashing takes its turns in the work queue, which refuses what would wait for long.
const usersAtOnce = 16;

async function planUsers(
  plan: Plan,
  services: DifferenceServices,
  entries: readonly UserEntry[],
  stored: StoredConfiguration,
  makeSecrets: boolean,
  onUser: (done: number) => void,
): Promise<void> {
  const rows = new Map(stored.users.map((row) => [row.email, row]));
  const memberships = Map.groupBy(stored.memberships, ({ user_id }) => user_id);
  const factors = Map.groupBy(stored.factors, ({ user_id }) => user_id);

  for (let start = 0; start < entries.length; start += usersAtOnce) {
    const chunk = entries.slice(start, start + usersAtOnce);
    const hashes = await Promise.all(
      chunk.map((entry) => newHash(services.passwords, entry, rows.get(entry.email), makeSecrets)),
    );
    chunk.forEach((entry, index) => {
      const row = rows.get(entry.email);
      planUser(plan, services.ring, entry, {
        row,
        hash: hashes[index] ?? null,
        memberships: (row && memberships.get(row.id)) ?? [],
        factors: (row && factors.get(row.id)) ?? [],
      });
      onUser(start + index + 1);
    });
  }
}

/** The hash to store, or null where what is stored stays. */
async function newHash(
  passwords: Passwords,
  entry: UserEntry,
  row: UserRow | undefined,
  makeSecrets: boolean,
): Promise<string | null> {
  if (entry.passwordHash !== undefined) {
    return entry.passwordHash === row?.password_hash ? null : entry.passwordHash;
  }
  if (entry.password === undefined) {
    return null;
  }
  if (row?.password_hash && (await passwords.verify(row.password_hash, entry.password)).ok) {
    return null;
  }
  return makeSecrets ? passwords.hash(entry.password) : 'not made';
}

interface StoredUser {
  readonly row: UserRow | undefined;
  readonly hash: string | null;
  readonly memberships: readonly MembershipRow[];
  readonly factors: readonly FactorRow[];
}

function planUser(plan: Plan, ring: KeyRing, entry: UserEntry, stored: StoredUser): void {
  const { now } = plan;
  const { row, hash } = stored;
  const userId = row?.id ?? newId(now);
  const membershipFields = planMemberships(plan, userId, entry, stored.memberships);
  const totpChanged = planTotp(plan, ring, userId, entry.factors?.totp ?? [], stored.factors);
  const passkeysChanged = planPasskeys(plan, ring, userId, entry.factors?.passkeys ?? [], stored.factors);
  const factorChanged = totpChanged || passkeysChanged;

  const home = homeOrganization(plan, entry, stored);
  const phone = entry.phone === undefined ? (row?.phone ?? null) : entry.phone;
  const phoneIsNew = phone !== (row?.phone ?? null);
  const before = {
    name: row?.name ?? undefined,
    emailVerified: row ? row.email_verified === 1 : undefined,
    phone: row?.phone ?? undefined,
    phoneVerified: row ? row.phone_verified === 1 : undefined,
    locale: row?.locale ?? undefined,
    disabled: row ? row.disabled_at !== null : undefined,
    homeOrganization: slugOf(plan, row?.home_organization_id ?? null) ?? undefined,
  };
  const after = {
    name: (entry.name === undefined ? row?.name : entry.name) ?? undefined,
    emailVerified: entry.emailVerified ?? before.emailVerified ?? false,
    phone: phone ?? undefined,
    // Another number is a number that nobody has verified.
    phoneVerified: entry.phoneVerified ?? (phoneIsNew ? false : (before.phoneVerified ?? false)),
    locale: (entry.locale === undefined ? row?.locale : entry.locale) ?? undefined,
    disabled: entry.disabled ?? before.disabled ?? false,
    homeOrganization: slugOf(plan, home) ?? undefined,
  };
  const ownFields = [
    ...objectChanged(before, after),
    ...(hash === null ? [] : [{ kind: 'secret', name: 'password' } as const]),
    ...(totpChanged ? [{ kind: 'secret', name: 'factors.totp' } as const] : []),
    ...(passkeysChanged ? [{ kind: 'secret', name: 'factors.passkeys' } as const] : []),
  ];
  note(
    plan,
    'users',
    entry.email,
    !row,
    [...ownFields, ...membershipFields],
    [
      ...stored.memberships.filter(({ removed_at }) => removed_at === null).map((one) => one.organization_id),
      ...(entry.memberships ?? []).map(({ organization }) => organizationIdOf(plan, organization)),
    ],
  );
  if (!row || ownFields.length > 0 || membershipFields.length > 0) {
    plan.touched.add(userId);
  }

  const columns = {
    email_verified: after.emailVerified ? 1 : 0,
    name: after.name ?? null,
    ...nameKeys(after.name ?? null),
    phone,
    phone_verified: after.phoneVerified ? 1 : 0,
    locale: after.locale ?? null,
    home_organization_id: home,
    disabled_at: after.disabled ? (row?.disabled_at ?? now.getTime()) : null,
    updated_at: now.getTime(),
  };
  if (!row) {
    plan.inserts.users?.push({
      id: userId,
      email: entry.email,
      ...columns,
      password_hash: hash,
      security_version: 1,
      preferred_factor_id: null,
      had_factor_at: factorChanged ? now.getTime() : null,
      reset_at: null,
      postponed_until: null,
      sessions_valid_after: 0,
      last_sign_in_at: null,
      last_sign_in_acr: null,
      last_sign_in_client_id: null,
      created_at: now.getTime(),
    });
  } else if (ownFields.length > 0) {
    const isCut = hash !== null || (after.disabled && !before.disabled);
    if (isCut) plan.cut.add(row.id);
    const isSecurity = isCut || factorChanged || phoneIsNew;
    plan.updates.push(
      updateRow(
        'users',
        { id: row.id },
        {
          ...columns,
          ...(hash === null ? {} : { password_hash: hash }),
          ...(factorChanged ? { had_factor_at: row.had_factor_at ?? now.getTime(), reset_at: null } : {}),
          // What was remembered before is forgotten; and of two that change the same user at once, one is refused.
          ...(isSecurity ? { security_version: row.security_version + 1 } : {}),
        },
        isSecurity ? { security_version: row.security_version } : {},
      ),
    );
  }
  noteOwner(plan, entry, stored, !after.disabled, factorChanged);
}

type FactorEntries = NonNullable<UserEntry['factors']>;

/** True where a factor has to be written. */
function planTotp(
  plan: Plan,
  ring: KeyRing,
  userId: string,
  wanted: NonNullable<FactorEntries['totp']>,
  factors: readonly FactorRow[],
): boolean {
  const stored = factors
    .filter(({ method }) => method === 'totp')
    .map((row) => ({ row, data: totpOf(ring, row) }));
  const isWanted = ({ data }: { data: TotpData | null }) =>
    wanted.some((app) => isDeepStrictEqual(app.data, data));
  const missing = wanted.filter((app) => !stored.some(({ data }) => isDeepStrictEqual(app.data, data)));
  // Another secret is another factor: what was counted or remembered of the old one does not concern it.
  for (const { row } of stored.filter((one) => !isWanted(one)).slice(0, missing.length)) {
    const { id, data } = row;
    plan.updates.push({ sql: 'DELETE FROM factors WHERE id = ? AND data = ?', values: [id, data], rows: 1 });
  }
  for (const { name, data } of missing) {
    planFactor(plan, ring, userId, { method: 'totp', name, data, lookup: null, highWater: -1 });
  }
  return missing.length > 0;
}

/** Passkeys are only added: the list in the file is that of another system, and people have set up others since. */
function planPasskeys(
  plan: Plan,
  ring: KeyRing,
  userId: string,
  wanted: NonNullable<FactorEntries['passkeys']>,
  factors: readonly FactorRow[],
): boolean {
  const known = new Set(factors.map(({ lookup }) => lookup));
  const missing = wanted
    .map((one) => ({ ...one, lookup: digest(one.data.credentialId) }))
    .filter(({ lookup }) => !known.has(lookup));
  for (const { name, data, lookup } of missing) {
    const highWater = data.counter > 0 ? data.counter : -1;
    planFactor(plan, ring, userId, { method: 'passkey', name, data, lookup, highWater });
  }
  return missing.length > 0;
}

function planFactor(
  plan: Plan,
  ring: KeyRing,
  userId: string,
  factor: {
    readonly method: 'totp' | 'passkey';
    readonly name: string | null;
    readonly data: object;
    readonly lookup: string | null;
    readonly highWater: number;
  },
): void {
  const id = newId(plan.now);
  plan.inserts.factors?.push({
    id,
    user_id: userId,
    method: factor.method,
    name: factor.name,
    data: seal(ring, factorDataPlace(userId, id), JSON.stringify(factor.data)),
    lookup: factor.lookup,
    high_water: factor.highWater,
    failures: 0,
    disabled_at: null,
    confirmed_at: plan.now.getTime(),
    last_used_at: null,
  });
}

/** The app of a factor, as a file has it. */
export function totpOf(ring: KeyRing, factor: FactorRow): TotpData | null {
  const data: unknown = JSON.parse(open(ring, factorDataPlace(factor.user_id, factor.id), factor.data));
  return typeof data === 'object' && data !== null && 'secret' in data && typeof data.secret === 'string'
    ? totpData(data as TotpData)
    : null;
}

/** The list in the file is complete: who is not in it any more has left. Joining again does not move the first day. */
function planMemberships(
  plan: Plan,
  userId: string,
  entry: UserEntry,
  stored: readonly MembershipRow[],
): FieldChange[] {
  if (!entry.memberships) {
    return [];
  }
  const now = plan.now.getTime();
  const rows = new Map(stored.map((row) => [row.organization_id, row]));
  const wanted = new Map(
    entry.memberships.map(({ organization, role }) => [organizationIdOf(plan, organization), role]),
  );
  for (const [organizationId, role] of wanted) {
    const row = rows.get(organizationId);
    const adminSince = row?.admin_since ?? (role === 'member' ? null : now);
    if (!row) {
      plan.inserts.memberships?.push({
        user_id: userId,
        organization_id: organizationId,
        role,
        joined_at: now,
        admin_since: adminSince,
        grace_started_at: null,
        removed_at: null,
      });
    } else if (row.removed_at !== null || row.role !== role) {
      const key = { user_id: userId, organization_id: organizationId };
      plan.updates.push(updateRow('memberships', key, { role, admin_since: adminSince, removed_at: null }));
    }
  }
  const active = stored.filter(({ removed_at }) => removed_at === null);
  for (const row of active.filter(({ organization_id }) => !wanted.has(organization_id))) {
    const key = { user_id: userId, organization_id: row.organization_id };
    plan.updates.push(updateRow('memberships', key, { removed_at: now }));
  }
  const before = active.map((row) => `${slugOf(plan, row.organization_id)} ${row.role}`).sort();
  const after = entry.memberships.map(({ organization, role }) => `${organization} ${role}`).sort();
  return valueChanged(
    'memberships',
    before.length > 0 ? before : undefined,
    after.length > 0 ? after : undefined,
  );
}

/** The first membership of a new user, unless the file says otherwise; whom the operator takes out of their home has the first that is left. */
function homeOrganization(plan: Plan, entry: UserEntry, { row, memberships }: StoredUser): string | null {
  if (entry.homeOrganization !== undefined) {
    return entry.homeOrganization === null ? null : organizationIdOf(plan, entry.homeOrganization);
  }
  const [first] = entry.memberships ?? [];
  const firstId = first ? organizationIdOf(plan, first.organization) : null;
  if (!row) {
    return firstId;
  }
  const home = row.home_organization_id;
  const isMember = memberships.some(
    ({ organization_id, removed_at }) => organization_id === home && removed_at === null,
  );
  const stays =
    entry.memberships?.some(({ organization }) => organizationIdOf(plan, organization) === home) ?? true;
  return isMember && !stays ? firstId : home;
}

function noteOwner(
  plan: Plan,
  entry: UserEntry,
  stored: StoredUser,
  isEnabled: boolean,
  factorAdded: boolean,
): void {
  const owned = entry.memberships
    ? entry.memberships
        .filter(({ role }) => role === 'owner')
        .map(({ organization }) => organizationIdOf(plan, organization))
    : stored.memberships
        .filter(({ role, removed_at }) => role === 'owner' && removed_at === null)
        .map(({ organization_id }) => organization_id);
  const hasFactor = factorAdded || stored.factors.some(({ disabled_at }) => disabled_at === null);
  for (const organizationId of isEnabled ? owned : []) {
    plan.owners.push({ email: entry.email, organizationId, hasFactor });
  }
}

/** The pages refuse to require what an owner lacks (product.md §2, rule 10); here it is said and done. */
async function ownerWarnings(plan: Plan, db: Database, configuration: Configuration): Promise<string[]> {
  const touched = new Set([
    ...(configuration.organizations ?? []).map(({ slug }) => organizationIdOf(plan, slug)),
    ...plan.owners.map(({ organizationId }) => organizationId),
  ]);
  const requiring = [...plan.organizations]
    .map(([slug, organization]) => ({ slug, ...organization }))
    .filter(({ id, policy }) => touched.has(id) && requirementFor(policyFrom(policy), 'owner') === 'must');
  if (requiring.length === 0) {
    return [];
  }
  const inFile = new Set((configuration.users ?? []).map(({ email }) => email));
  const others = await membersWithoutFactor(
    db,
    requiring.map(({ id }) => id),
    ['owner'],
  );
  return requiring.flatMap(({ id, slug, policy }) => {
    const lacking = [
      ...plan.owners.filter((owner) => owner.organizationId === id && !owner.hasFactor),
      ...others.filter((owner) => owner.organization_id === id && !inFile.has(owner.email)),
    ].map(({ email }) => email);
    if (lacking.length === 0) return [];
    const named = lacking.sort().slice(0, 5).join(', ');
    const more = lacking.length > 5 ? ` and ${lacking.length - 5} more` : '';
    return [
      `${slug}: the policy is ${policy.requirement}, but these owners have no second factor: ${named}${more}`,
    ];
  });
}

/** Models of passkeys count as their makers attest them: where no maker is known, nobody can set up any. */
function modelWarnings(
  plan: Plan,
  { passkeyRoots }: DifferenceServices,
  { instance, organizations = [] }: Configuration,
): string[] {
  if (passkeyRoots === undefined || passkeyRoots.length > 0) return [];
  const listing = organizations
    .filter(({ slug }) => (plan.organizations.get(slug)?.policy.passkeyModels ?? null) !== null)
    .map(({ slug }) => slug);
  return [...(instance?.policy?.passkeyModels ? ['instance'] : []), ...listing].map(
    (name) =>
      `${name}: the policy lists models of passkeys, but PASSKEY_ROOTS names no maker's certificates: nobody can set up a passkey`,
  );
}

function organizationIdOf(plan: Plan, slug: string): string {
  const organization = plan.organizations.get(slug);
  if (!organization) throw new Error('a reference was not checked');
  return organization.id;
}

const slugOf = (plan: Plan, organizationId: string | null): string | null =>
  organizationId === null ? null : (plan.slugs.get(organizationId) ?? null);

const valueChanged = (name: string, before: unknown, after: unknown): FieldChange[] =>
  isDeepStrictEqual(before, after) ? [] : [{ kind: 'value', name, before, after }];

const objectChanged = (before: object, after: object): FieldChange[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
    valueChanged(name, (before as Metadata)[name], (after as Metadata)[name]),
  );

const policyFields = (before: StoredPolicy | null, after: StoredPolicy, prefix: string): FieldChange[] =>
  objectChanged(before ? rulesOf(before) : {}, rulesOf(after)).map((field) => ({
    ...field,
    name: `${prefix}${field.name}`,
  }));
