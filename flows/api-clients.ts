import { applicationById } from '../entities/applications.ts';
import { updateRow } from '../entities/configuration.ts';
import { token } from '../lib/random.ts';
import { seal } from '../lib/seal.ts';
import { type ApiScope, apiScopes, isApiScope } from '../policy/api-scopes.ts';
import {
  NotPermitted,
  type OrganizationVisit,
  requirePermission,
  whileActing,
} from './organization-actor.ts';
import {
  type ApplicationEntry,
  applicationEvent,
  entryOf,
  isApplicationName,
  organizationApplications,
  secretPlace,
} from './organization-applications.ts';
import type { Services } from './services.ts';

/** What a program of an organization may be good for. Sign-in providers are an owner's alone to change, and no program is one. */
export const clientScopes: readonly ApiScope[] = apiScopes.filter((scope) => scope !== 'providers:write');

/** An application with scopes of the management API. */
export type ApiClient = ApplicationEntry & {
  readonly scopes: readonly ApiScope[];
  /** People sign in to it too. */
  readonly hasSignIn: boolean;
};

export interface ApiClientWish {
  readonly name: string;
  readonly scopes: readonly string[];
}

export type ApiClientOutcome =
  | { readonly kind: 'saved'; readonly clientId: string; readonly secret: string | null }
  | { readonly kind: 'invalid'; readonly fields: readonly ('name' | 'scopes')[] }
  /** Somebody else has changed it since it was read. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'not_found' };

/** Null for an application that has no scope of the API. */
export function apiClientFrom(entry: ApplicationEntry): ApiClient | null {
  const { api_scopes: given, response_types: types } = entry.metadata;
  const scopes = Array.isArray(given) ? apiScopes.filter((scope) => given.includes(scope)) : [];
  return scopes.length === 0
    ? null
    : { ...entry, scopes, hasSignIn: !(Array.isArray(types) && types.length === 0) };
}

/** False for what only uses the management API: nobody is asked anything on the way to it. */
export const isSignedInTo = (entry: ApplicationEntry): boolean =>
  entry.isShared || (apiClientFrom(entry)?.hasSignIn ?? true);

/** The programs that may use the management API for this organization; those of the instance are its operator's. */
export async function apiClientsOf(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
): Promise<ApiClient[]> {
  requirePermission(visit.actor, 'api_clients.read');
  const entries = await organizationApplications(services, visit);
  return entries.flatMap((entry) => (entry.isShared ? [] : (apiClientFrom(entry) ?? [])));
}

function problemsOf({ name, scopes }: ApiClientWish): ('name' | 'scopes')[] {
  const areKnown =
    scopes.length > 0 && scopes.every((scope) => isApiScope(scope) && clientScopes.includes(scope));
  return [...(isApplicationName(name) ? [] : ['name' as const]), ...(areKnown ? [] : ['scopes' as const])];
}

const inOrder = (scopes: readonly string[]): ApiScope[] =>
  apiScopes.filter((scope) => scopes.includes(scope));

/** Makes a program's key to the management API. Its secret is in the answer, and nowhere else. */
export async function addApiClient(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
  wish: ApiClientWish,
): Promise<ApiClientOutcome> {
  requirePermission(visit.actor, 'api_clients.change');
  const fields = problemsOf(wish);
  if (fields.length > 0) return { kind: 'invalid', fields };
  const { db, ring } = services;
  const now = db.clock.now().getTime();
  const [clientId, secret] = [token(128), token()];
  const scopes = inOrder(wish.scopes);
  const saved = await db.together([
    whileActing(visit),
    db.insert('applications', {
      client_id: clientId,
      organization_id: visit.organization.id,
      name: wish.name.trim(),
      secret: seal(ring, secretPlace(clientId), secret),
      metadata: JSON.stringify({
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'client_secret_basic',
        api_scopes: scopes,
      }),
      resource: null,
      first_party: 0,
      assurance: 'none',
      created_at: now,
      updated_at: now,
    }),
    applicationEvent(services, visit, 'application.registered', clientId, {
      name: wish.name.trim(),
      apiScopes: scopes,
    }),
  ]);
  if (!saved) throw new NotPermitted('api_clients.change');
  return { kind: 'saved', clientId, secret };
}

/** Changes name and scopes as they were seen. What is taken away is gone with the next request, also for tokens that are out. */
export async function changeApiClient(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
  clientId: string,
  wish: ApiClientWish,
  expectedVersion: string,
): Promise<ApiClientOutcome> {
  requirePermission(visit.actor, 'api_clients.change');
  const { db } = services;
  const row = await applicationById(db, clientId);
  if (!row || row.organization_id !== visit.organization.id) return { kind: 'not_found' };
  const before = apiClientFrom(entryOf(row));
  if (!before) return { kind: 'not_found' };
  if (before.version !== expectedVersion) return { kind: 'conflict' };
  // What a configuration file has given beside these stays.
  const kept = before.scopes.filter((scope) => !clientScopes.includes(scope));
  const fields = problemsOf(wish);
  if (fields.length > 0) return { kind: 'invalid', fields };
  const scopes = inOrder([...kept, ...wish.scopes]);
  const saved = await db.together([
    whileActing(visit),
    updateRow(
      'applications',
      { client_id: clientId, organization_id: visit.organization.id },
      {
        name: wish.name.trim(),
        metadata: JSON.stringify({ ...before.metadata, api_scopes: scopes }),
        updated_at: db.clock.now().getTime(),
      },
      { name: row.name, metadata: row.metadata, first_party: row.first_party, assurance: row.assurance },
    ),
    applicationEvent(services, visit, 'application.changed', clientId, {
      before: { name: row.name, apiScopes: before.scopes },
      after: { name: wish.name.trim(), apiScopes: scopes },
    }),
  ]);
  return saved ? { kind: 'saved', clientId, secret: null } : { kind: 'conflict' };
}
