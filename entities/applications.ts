import type { ApplicationAssurance } from '../policy/types.ts';
import type { Database } from './database.ts';

export interface ApplicationRow {
  client_id: string;
  organization_id: string | null;
  name: string;
  /** The client's secret, sealed. */
  secret: string | null;
  /** Client metadata by the names of OpenID Connect Dynamic Registration, as JSON. */
  metadata: string;
  /** The resource (RFC 8707) that access tokens for it name, where it is a resource server. */
  resource: string | null;
  first_party: number;
  assurance: ApplicationAssurance;
  created_at: number;
  updated_at: number;
}

/** Every column; a new one that is missing here does not compile. */
export const applicationColumns: Readonly<Record<keyof ApplicationRow, true>> = {
  client_id: true,
  organization_id: true,
  name: true,
  secret: true,
  metadata: true,
  resource: true,
  first_party: true,
  assurance: true,
  created_at: true,
  updated_at: true,
};

/** An application, with what its organization looks like. */
export type FoundApplicationRow = ApplicationRow & {
  organization_name: string | null;
  organization_slug: string | null;
  organization_branding: string | null;
};

export const ofOrganization =
  'o.name AS organization_name, o.slug AS organization_slug, o.branding AS organization_branding';

export const applicationById = (db: Database, clientId: string) =>
  db.row<FoundApplicationRow>(
    `SELECT a.*, ${ofOrganization} FROM applications a LEFT JOIN organizations o ON o.id = a.organization_id WHERE a.client_id = ?`,
    [clientId],
  );

/** What an application is called; null where there is none of this name any more. */
export async function applicationName(db: Database, clientId: string): Promise<string | null> {
  const row = await db.row<{ name: string }>('SELECT name FROM applications WHERE client_id = ?', [clientId]);
  return row?.name ?? null;
}

/** The organization that an application belongs to; null for one that all share. */
export const organizationOfApplication = (db: Database, clientId: string) =>
  db.row<{ id: string; name: string }>(
    'SELECT o.id, o.name FROM applications a JOIN organizations o ON o.id = a.organization_id WHERE a.client_id = ?',
    [clientId],
  );

export const resourceServer = (db: Database, resource: string) =>
  db.row<ApplicationRow>('SELECT * FROM applications WHERE resource = ?', [resource]);

/** Those of one organization, and those that all share, by name. */
export const applicationsFor = (db: Database, organizationId: string) =>
  db.rows<ApplicationRow>(
    'SELECT * FROM applications WHERE organization_id = ? OR organization_id IS NULL ORDER BY name, client_id LIMIT 500',
    [organizationId],
  );
