import type { ApplicationRow } from '../entities/applications.ts';
import { type StoredConfiguration, storedConfiguration } from '../entities/configuration.ts';
import type { Database } from '../entities/database.ts';
import type { FactorRow } from '../entities/factors.ts';
import { type MembershipRow, readStoredPolicy } from '../entities/memberships.ts';
import type { OrganizationRow } from '../entities/organizations.ts';
import type { UpstreamProviderRow } from '../entities/upstream-providers.ts';
import type { UserRow } from '../entities/users.ts';
import type { TotpData } from '../factors/totp.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open } from '../lib/seal.ts';
import { rulesOf } from './change-policy.ts';
import type { Metadata } from './client-metadata.ts';
import { secretPlace, totpOf } from './configuration-difference.ts';
import { secretOf, shownUpstream } from './upstream-columns.ts';

export interface ExportOptions {
  /** The slug of one organization: it, its members with all their memberships, and its applications. */
  readonly organization?: string;
  /** Password hashes, applications' secrets and TOTP secrets, readable. */
  readonly withSecrets?: boolean;
}

/** The file as `apply` reads it. */
export interface ExportedConfiguration {
  readonly instance?: object;
  readonly organizations: readonly object[];
  readonly users: readonly object[];
  readonly applications: readonly object[];
  readonly providers?: readonly object[];
}

/**
 * What is stored, in the form that `apply` reads and in an order that does not change. Applying it to the same database changes
 * nothing. Null where there is no such organization.
 */
export async function exportConfiguration(
  { db, ring }: { readonly db: Database; readonly ring: KeyRing },
  { organization, withSecrets = false }: ExportOptions = {},
): Promise<ExportedConfiguration | null> {
  const stored = await storedConfiguration(db, null);
  const only =
    organization === undefined ? null : stored.organizations.find(({ slug }) => slug === organization);
  if (only === undefined) {
    return null;
  }
  const context = contextOf(stored, withSecrets ? ring : null);
  const isMember = (user: UserRow): boolean =>
    (context.memberships.get(user.id) ?? []).some(({ organization_id }) => organization_id === only?.id);

  const organizations = only ? [only] : stored.organizations;
  const users = only ? stored.users.filter(isMember) : stored.users;
  const applications = only
    ? stored.applications.filter(({ organization_id }) => organization_id === only.id)
    : stored.applications;
  const instancePolicy =
    only || stored.instancePolicy === null ? null : readStoredPolicy(stored.instancePolicy);
  const providers = only
    ? stored.providers.filter(({ organization_id }) => organization_id === only.id)
    : stored.providers;
  const registration = only ? null : stored.registration;
  return {
    ...(instancePolicy || registration
      ? {
          instance: {
            ...(instancePolicy ? { policy: rulesOf(instancePolicy) } : {}),
            ...(registration ? { registration } : {}),
          },
        }
      : {}),
    organizations: organizations.toSorted(by((row) => row.slug)).map(organizationEntry),
    users: users.toSorted(by((row) => row.email)).map((row) => userEntry(context, row)),
    applications: applications
      .toSorted(by((row) => row.client_id))
      .map((row) => applicationEntry(context, row)),
    ...(providers.length > 0
      ? {
          providers: providers
            .toSorted(by((row) => row.name_key))
            .map((row) => providerEntry(context, stored, row)),
        }
      : {}),
  };
}

interface Context {
  /** Null where secrets stay here. */
  readonly ring: KeyRing | null;
  readonly slugs: ReadonlyMap<string, string>;
  readonly memberships: ReadonlyMap<string, readonly MembershipRow[]>;
  readonly factors: ReadonlyMap<string, readonly FactorRow[]>;
}

const contextOf = (stored: StoredConfiguration, ring: KeyRing | null): Context => ({
  ring,
  slugs: new Map(stored.organizations.map(({ id, slug }) => [id, slug])),
  memberships: Map.groupBy(
    stored.memberships.filter(({ removed_at }) => removed_at === null),
    ({ user_id }) => user_id,
  ),
  factors: Map.groupBy(stored.factors, ({ user_id }) => user_id),
});

const organizationEntry = ({ slug, name, policy }: OrganizationRow) => ({
  slug,
  name,
  policy: rulesOf(readStoredPolicy(policy)),
});

function userEntry({ ring, slugs, memberships, factors }: Context, row: UserRow) {
  const joined = (memberships.get(row.id) ?? [])
    .map(({ organization_id, role }) => ({ organization: slugs.get(organization_id) ?? '', role }))
    .toSorted(by(({ organization }) => organization));
  const home = row.home_organization_id === null ? null : (slugs.get(row.home_organization_id) ?? null);
  const apps = (factors.get(row.id) ?? []).filter(({ method }) => method === 'totp');
  const totp = ring ? apps.flatMap((app) => totpEntry(app.name, totpOf(ring, app))) : [];
  return {
    email: row.email,
    ...given('name', row.name),
    ...(ring ? given('passwordHash', row.password_hash) : {}),
    emailVerified: row.email_verified === 1,
    ...given('phone', row.phone),
    ...(row.phone === null ? {} : { phoneVerified: row.phone_verified === 1 }),
    ...given('locale', row.locale),
    ...(row.disabled_at === null ? {} : { disabled: true }),
    ...(totp.length === 0 ? {} : { factors: { totp: totp.length === 1 ? totp[0] : totp } }),
    memberships: joined,
    // A new user's home is the first membership; what differs from that is said.
    ...(home === (joined[0]?.organization ?? null) ? {} : { homeOrganization: home }),
  };
}

/** The secret alone where the rest is as everywhere. */
function totpEntry(name: string | null, data: TotpData | null): (string | object)[] {
  if (data === null) return [];
  return name === null && Object.keys(data).length === 1
    ? [data.secret]
    : [{ ...given('name', name), ...data }];
}

const applicationEntry = ({ ring, slugs }: Context, row: ApplicationRow) => ({
  client_id: row.client_id,
  ...(ring && row.secret ? { client_secret: open(ring, secretPlace(row.client_id), row.secret) } : {}),
  name: row.name,
  ...given('organization', row.organization_id === null ? null : (slugs.get(row.organization_id) ?? null)),
  firstParty: row.first_party === 1,
  assurance: row.assurance,
  ...(JSON.parse(row.metadata) as Metadata),
});

function providerEntry(
  { ring, slugs }: Context,
  { domains }: StoredConfiguration,
  row: UpstreamProviderRow,
): object {
  const { role, ...shown } = shownUpstream(row);
  const secret = ring ? secretOf(ring, row) : null;
  return {
    slug: row.slug,
    ...given('organization', row.organization_id === null ? null : (slugs.get(row.organization_id) ?? null)),
    ...shown,
    ...(row.organization_id === null ? {} : { role }),
    ...given('clientSecret', secret),
    domains: domains
      .filter(({ provider_id }) => provider_id === row.id)
      .flatMap(({ verified_domain }) => verified_domain ?? []),
  };
}

const given = (name: string, value: string | null) => (value === null ? {} : { [name]: value });

/** By code units, so that the order is the same everywhere. */
const by =
  <Row>(key: (row: Row) => string) =>
  (a: Row, b: Row): number =>
    key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
