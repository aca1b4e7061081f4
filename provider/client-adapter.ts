import type { Adapter, AdapterPayload } from 'oidc-provider';
import { applicationById, type FoundApplicationRow } from '../entities/applications.ts';
import type { Database } from '../entities/database.ts';
import { applicationsAhead } from '../entities/records-beside.ts';
import type { Metadata } from '../flows/client-metadata.ts';
import { removeRegistered, saveRegistered } from '../flows/register-application.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open } from '../lib/seal.ts';

/** What oidc-provider does not know of an application, beside its client metadata. */
export const applicationProperties = [
  'organization_id',
  'organization_name',
  'organization_slug',
  'organization_branding',
  'first_party',
  'assurance',
  'api_scopes',
  'broker',
] as const;

const mostKnown = 1_000;

const isSame = (one: FoundApplicationRow, other: FoundApplicationRow): boolean =>
  (Object.keys(other) as (keyof FoundApplicationRow)[]).every((name) => one[name] === other[name]);

/** Applications as oidc-provider reads its clients. It writes those only that programs register and manage themselves. */
export class ClientAdapter implements Adapter {
  readonly db: Database;
  readonly ring: KeyRing;
  /** What was made of a row, for as long as the row stays what it was. */
  private readonly known = new Map<
    string,
    { readonly row: FoundApplicationRow; readonly payload: AdapterPayload }
  >();

  constructor(db: Database, ring: KeyRing) {
    this.db = db;
    this.ring = ring;
  }

  async find(clientId: string): Promise<AdapterPayload | undefined> {
    const row = applicationsAhead.take(clientId) ?? (await applicationById(this.db, clientId));
    if (!row) {
      return undefined;
    }
    const known = this.known.get(clientId);
    if (known && isSame(known.row, row)) {
      return known.payload;
    }
    const payload = this.payloadOf(row);
    if (this.known.size >= mostKnown) {
      this.known.clear();
    }
    this.known.set(clientId, { row, payload });
    return payload;
  }

  private payloadOf(row: FoundApplicationRow): AdapterPayload {
    const place = { table: 'applications', column: 'secret', row: row.client_id };
    return Object.freeze({
      ...(JSON.parse(row.metadata) as AdapterPayload),
      client_id: row.client_id,
      client_name: row.name,
      ...(row.secret === null ? {} : { client_secret: open(this.ring, place, row.secret) }),
      organization_id: row.organization_id,
      organization_name: row.organization_name,
      organization_slug: row.organization_slug,
      organization_branding: row.organization_branding,
      first_party: row.first_party === 1,
      assurance: row.assurance,
    });
  }

  async findByUid(): Promise<undefined> {
    return undefined;
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  /** Dynamic registration; what it may say was checked before (registration.ts). */
  async upsert(clientId: string, payload: AdapterPayload): Promise<void> {
    await saveRegistered(this, clientId, payload as Metadata);
  }

  async destroy(clientId: string): Promise<void> {
    await removeRegistered(this, clientId);
  }

  consume(): Promise<void> {
    throw new TypeError('an application is not consumed');
  }

  revokeByGrantId(): Promise<void> {
    throw new TypeError('an application has no grant');
  }
}
