import type { Database } from './database.ts';

/** What the sign-in page has to offer beside a password, in one question, since it is asked at every sign-in. */
export interface WaysIn {
  /** Providers that the application's people, or all, can come in by. */
  readonly hasUpstreams: boolean;
  /** Somebody's e-mail domain belongs to a provider. */
  readonly hasDomains: boolean;
  readonly registrationOpen: boolean;
}

export async function waysIn(db: Database, organizationId: string | null): Promise<WaysIn> {
  const row = await db.row<{ upstreams: number; domains: number; registration: string | null }>(
    `SELECT EXISTS (SELECT 1 FROM upstream_providers WHERE enabled = 1 AND (organization_id IS NULL OR organization_id = ?)) AS upstreams,
       EXISTS (SELECT 1 FROM upstream_domains d JOIN upstream_providers p ON p.id = d.provider_id
         WHERE d.verified_domain IS NOT NULL AND p.enabled = 1) AS domains,
       (SELECT value FROM instance WHERE name = 'registration') AS registration`,
    [organizationId],
  );
  return {
    hasUpstreams: Number(row?.upstreams) === 1,
    hasDomains: Number(row?.domains) === 1,
    registrationOpen: row?.registration === 'open',
  };
}
