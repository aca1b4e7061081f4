import * as z from 'zod';
import { roles } from '../policy/types.ts';
import { upstreamSecondFactors } from '../policy/upstream.ts';
import type { Database, Statement } from './database.ts';

export const upstreamAuthentications = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
] as const;

/** What is decided about an upstream provider. What cannot be read is never taken for less: reading throws. */
export const upstreamSettings = z.object({
  authentication: z.enum(upstreamAuthentications),
  scopes: z.array(z.string()),
  secondFactor: z.enum(upstreamSecondFactors),
  trusted: z.object({ acr: z.array(z.string()), amr: z.array(z.string()) }),
  /** People who are new get an account; without it, only those who have connected theirs come in. */
  createAccounts: z.boolean(),
  /** Of new members, for an organization's provider. */
  role: z.enum(roles),
  /** Which claim is what. */
  claims: z.object({ email: z.string(), emailVerified: z.string(), name: z.string(), locale: z.string() }),
  button: z.boolean(),
  /** A sign-out here goes on to the provider. */
  signOut: z.boolean(),
});

export type UpstreamSettings = z.infer<typeof upstreamSettings>;

export const defaultUpstreamSettings: UpstreamSettings = {
  authentication: 'client_secret_basic',
  scopes: ['openid', 'email', 'profile'],
  secondFactor: 'trusted',
  trusted: { acr: [], amr: [] },
  createAccounts: false,
  role: 'member',
  claims: { email: 'email', emailVerified: 'email_verified', name: 'name', locale: 'locale' },
  button: true,
  signOut: false,
};

export interface UpstreamProviderRow {
  id: string;
  /** `slug`, or `organization.slug`: its name in addresses. */
  name_key: string;
  organization_id: string | null;
  slug: string;
  /** What people know it by. */
  name: string;
  issuer: string;
  issuer_digest: string;
  client_id: string;
  /** Sealed. */
  secret: string | null;
  /** Sealed, a JWK. */
  private_key: string | null;
  settings: string;
  enabled: number;
  /** Grows with every change. */
  version: number;
  created_at: number;
  updated_at: number;
}

export const readUpstreamSettings = (text: string): UpstreamSettings =>
  upstreamSettings.parse(JSON.parse(text));

export const upstreamKey = (organizationSlug: string | null, slug: string): string =>
  organizationSlug === null ? slug : `${organizationSlug}.${slug}`;

export const upstreamById = (db: Database, id: string) =>
  db.row<UpstreamProviderRow>('SELECT * FROM upstream_providers WHERE id = ?', [id]);

/** One that is switched on, by its name in addresses. */
export const upstreamByKey = (db: Database, key: string) =>
  db.row<UpstreamProviderRow>('SELECT * FROM upstream_providers WHERE name_key = ? AND enabled = 1', [key]);

/** The providers that have a button where somebody signs in to an application of this organization. */
export const upstreamsFor = (db: Database, organizationId: string | null) =>
  db.rows<UpstreamProviderRow>(
    `SELECT * FROM upstream_providers WHERE enabled = 1 AND (organization_id IS NULL OR organization_id = ?) ORDER BY name, id`,
    [organizationId],
  );

/** The providers that are everybody's or of one of these organizations. */
export const upstreamsOfPerson = (db: Database, organizationIds: readonly string[]) =>
  db.rows<UpstreamProviderRow>(
    `SELECT * FROM upstream_providers WHERE enabled = 1 AND (organization_id IS NULL
       ${organizationIds.length === 0 ? '' : `OR organization_id IN (${organizationIds.map(() => '?').join(', ')})`}) ORDER BY name, id`,
    [...organizationIds],
  );

/** The provider that answers for an e-mail domain; null where none does. */
export const upstreamOfDomain = (db: Database, domain: string) =>
  db.row<UpstreamProviderRow>(
    `SELECT p.* FROM upstream_domains d JOIN upstream_providers p ON p.id = d.provider_id
     WHERE d.verified_domain = ? AND p.enabled = 1`,
    [domain],
  );

export interface UpstreamDomainRow {
  provider_id: string;
  domain: string;
  /** The same, once it is proved; nobody else can have it then. */
  verified_domain: string | null;
  /** What its DNS must say. */
  challenge: string;
  created_at: number;
}

export const domainsOfUpstream = (db: Database, providerId: string) =>
  db.rows<UpstreamDomainRow>('SELECT * FROM upstream_domains WHERE provider_id = ? ORDER BY domain', [
    providerId,
  ]);

export const ownsDomain = async (db: Database, providerId: string, domain: string): Promise<boolean> =>
  (await db.row('SELECT 1 AS yes FROM upstream_domains WHERE provider_id = ? AND verified_domain = ?', [
    providerId,
    domain,
  ])) !== null;

export const upstreamsOfOrganization = (db: Database, organizationId: string) =>
  db.rows<UpstreamProviderRow>(
    'SELECT * FROM upstream_providers WHERE organization_id = ? ORDER BY name, id',
    [organizationId],
  );

export const addDomain = (db: Database, row: UpstreamDomainRow): Statement =>
  db.insertIfAbsent('upstream_domains', { ...row });

export const dropDomain = (providerId: string, domain: string): Statement => ({
  sql: 'DELETE FROM upstream_domains WHERE provider_id = ? AND domain = ?',
  values: [providerId, domain],
});

/** Throws where somebody else has proved it already. */
export const domainProved = (providerId: string, domain: string): Statement => ({
  sql: 'UPDATE upstream_domains SET verified_domain = domain WHERE provider_id = ? AND domain = ?',
  values: [providerId, domain],
  rows: 1,
});

/** With all that hangs on it: whoever came in by it has to find another way. */
export const removeUpstream = (id: string): Statement[] => [
  { sql: 'DELETE FROM upstream_providers WHERE id = ?', values: [id], rows: 1 },
  { sql: 'DELETE FROM upstream_domains WHERE provider_id = ?', values: [id] },
  { sql: 'DELETE FROM upstream_sign_ins WHERE provider_id = ?', values: [id] },
  { sql: 'DELETE FROM upstream_links WHERE provider_id = ?', values: [id] },
];
