import * as z from 'zod';
import { auditEvent, type Fact } from '../audit/audit.ts';
import { type ApplicationRow, applicationById, applicationsFor } from '../entities/applications.ts';
import { updateRow } from '../entities/configuration.ts';
import { removeStreamsOf } from '../entities/signal-streams.ts';
import { digest } from '../lib/digest.ts';
import { oneLinePattern } from '../lib/one-line.ts';
import { token } from '../lib/random.ts';
import { seal } from '../lib/seal.ts';
import { type ApplicationAssurance, applicationAssurances } from '../policy/types.ts';
import { clientMetadata, type Metadata, metadataProblems } from './client-metadata.ts';
import {
  actorData,
  NotPermitted,
  type OrganizationVisit,
  requirePermission,
  whileActing,
} from './organization-actor.ts';
import type { Services } from './services.ts';

export interface ApplicationEntry {
  readonly clientId: string;
  readonly name: string;
  readonly assurance: ApplicationAssurance;
  /** Of the whole instance: an organization may cover it by its policy, and cannot change it. */
  readonly isShared: boolean;
  readonly isFirstParty: boolean;
  readonly hasSecret: boolean;
  readonly metadata: Metadata;
  /** Names what can be changed as it stands now; another after each change. */
  readonly version: string;
}

export const entryOf = (row: ApplicationRow): ApplicationEntry => ({
  version: digest(JSON.stringify([row.name, row.metadata, row.first_party, row.assurance])).slice(0, 22),
  clientId: row.client_id,
  name: row.name,
  assurance: row.assurance,
  isShared: row.organization_id === null,
  isFirstParty: row.first_party === 1,
  hasSecret: row.secret !== null,
  metadata: JSON.parse(row.metadata) as Metadata,
});

/** The applications that an organization's members sign in to: its own, and those of the instance. */
export async function organizationApplications(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
): Promise<ApplicationEntry[]> {
  requirePermission(visit.actor, 'applications.read');
  const rows = await applicationsFor(services.db, visit.organization.id);
  return rows.map(entryOf);
}

/** One application of this very organization; null for everybody else's, and for those that all share. */
export async function ownApplicationOf(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  clientId: string,
): Promise<ApplicationEntry | null> {
  requirePermission(visit.actor, 'applications.read');
  const row = await applicationById(services.db, clientId);
  return row && row.organization_id === visit.organization.id ? entryOf(row) : null;
}

/**
 * `confidential`: it can keep a secret (a server, not a browser or a phone), and sends it in a header or proves a key; `confidential_post`: it
 * sends it in the form, as older programs do.
 */
export const applicationKinds = ['confidential', 'confidential_post', 'public'] as const;
export type ApplicationKind = (typeof applicationKinds)[number];

export const kindOf = ({ token_endpoint_auth_method: method }: Metadata): ApplicationKind =>
  method === 'none' ? 'public' : method === 'client_secret_post' ? 'confidential_post' : 'confidential';

/** What owners and admins decide about an application. */
export interface ApplicationWish {
  readonly name: string;
  readonly kind: ApplicationKind;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly assurance: ApplicationAssurance;
  readonly isFirstParty: boolean;
}

export type ApplicationProblem = {
  readonly field: 'name' | 'redirectUris' | 'postLogoutRedirectUris';
  readonly message: string;
  /** The address that it is about; null where it is about none, or about all. */
  readonly address: string | null;
};

export type ApplicationOutcome =
  | { readonly kind: 'saved'; readonly clientId: string; readonly secret: string | null }
  | { readonly kind: 'invalid'; readonly problems: readonly ApplicationProblem[] }
  /** Somebody else has changed it since it was read. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'not_found' };

const names = {
  redirect_uris: 'redirectUris',
  post_logout_redirect_uris: 'postLogoutRedirectUris',
} as const;

/** One seen line, neither empty nor endless. */
export function isApplicationName(given: string): boolean {
  const name = given.trim();
  return name !== '' && [...name].length <= 200 && oneLinePattern.test(name);
}

/** What is wrong with a wish, each with its field; the same rules as for configuration files and registering programs. */
export function applicationProblems(wish: ApplicationWish, before: Metadata = {}): ApplicationProblem[] {
  const problems: ApplicationProblem[] = [];
  if (!isApplicationName(wish.name)) {
    problems.push({ field: 'name', message: 'Enter a name of at most 200 characters.', address: null });
  }
  const metadata = metadataOf(wish, before);
  for (const [name, field] of Object.entries(names) as [keyof typeof names, ApplicationProblem['field']][]) {
    const read = clientMetadata[name].safeParse(metadata[name]);
    for (const issue of read.error?.issues ?? []) {
      const uri = typeof issue.path[0] === 'number' ? (metadata[name] as string[])[issue.path[0]] : undefined;
      problems.push({
        field,
        message: issue.message,
        address: uri?.slice(0, 200) ?? null,
      });
    }
  }
  for (const { name, message } of problems.length > 0
    ? []
    : metadataProblems(metadata, wish.kind !== 'public')) {
    const field = names[name as keyof typeof names];
    problems.push({ field: field ?? 'redirectUris', message, address: null });
  }
  return problems;
}

function metadataOf(wish: ApplicationWish, before: Metadata): Record<string, unknown> {
  const isKeyed = before.token_endpoint_auth_method === 'private_key_jwt';
  return {
    ...before,
    redirect_uris: [...new Set(wish.redirectUris)],
    post_logout_redirect_uris: [...new Set(wish.postLogoutRedirectUris)],
    token_endpoint_auth_method:
      wish.kind === 'public'
        ? 'none'
        : wish.kind === 'confidential_post'
          ? 'client_secret_post'
          : isKeyed
            ? 'private_key_jwt'
            : 'client_secret_basic',
  };
}

export const secretPlace = (clientId: string) => ({ table: 'applications', column: 'secret', row: clientId });

/** Registers an application of this organization. The secret is in the answer, and nowhere else. */
export async function addApplication(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
  wish: ApplicationWish,
): Promise<ApplicationOutcome> {
  requirePermission(visit.actor, 'applications.change');
  const problems = applicationProblems(wish);
  if (problems.length > 0) return { kind: 'invalid', problems };
  const { db, ring } = services;
  const now = db.clock.now().getTime();
  const clientId = token(128);
  const secret = wish.kind === 'public' ? null : token();
  const saved = await db.together([
    whileActing(visit),
    db.insert('applications', {
      client_id: clientId,
      organization_id: visit.organization.id,
      name: wish.name.trim(),
      secret: secret === null ? null : seal(ring, secretPlace(clientId), secret),
      metadata: JSON.stringify(metadataOf(wish, {})),
      resource: null,
      first_party: wish.isFirstParty ? 1 : 0,
      assurance: z.enum(applicationAssurances).parse(wish.assurance),
      created_at: now,
      updated_at: now,
    }),
    applicationEvent(services, visit, 'application.registered', clientId, { name: wish.name.trim() }),
  ]);
  if (!saved) throw new NotPermitted('applications.change');
  return { kind: 'saved', clientId, secret };
}

/**
 * Changes what the form shows and leaves everything else of the registration as it is. Only what was read is changed: `expectedVersion`
 * is that of what the actor saw.
 */
export async function changeApplication(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
  clientId: string,
  wish: ApplicationWish,
  expectedVersion: string,
): Promise<ApplicationOutcome> {
  requirePermission(visit.actor, 'applications.change');
  const { db, ring } = services;
  const row = await applicationById(db, clientId);
  if (!row || row.organization_id !== visit.organization.id) return { kind: 'not_found' };
  const before = entryOf(row);
  requirePower(visit, before);
  if (before.version !== expectedVersion) return { kind: 'conflict' };
  const problems = applicationProblems(wish, before.metadata);
  if (problems.length > 0) return { kind: 'invalid', problems };
  const metadata = metadataOf(wish, before.metadata);
  const isKeyed = metadata.token_endpoint_auth_method === 'private_key_jwt';
  // A program that becomes able to keep a secret needs one.
  const secret = wish.kind !== 'public' && !before.hasSecret && !isKeyed ? token() : null;
  const saved = await db.together([
    whileActing(visit),
    updateRow(
      'applications',
      { client_id: clientId, organization_id: visit.organization.id },
      {
        name: wish.name.trim(),
        metadata: JSON.stringify(metadata),
        first_party: wish.isFirstParty ? 1 : 0,
        assurance: z.enum(applicationAssurances).parse(wish.assurance),
        updated_at: db.clock.now().getTime(),
        ...(wish.kind === 'public'
          ? { secret: null }
          : secret === null
            ? {}
            : { secret: seal(ring, secretPlace(clientId), secret) }),
      },
      { name: row.name, metadata: row.metadata, first_party: row.first_party, assurance: row.assurance },
    ),
    applicationEvent(services, visit, 'application.changed', clientId, { assurance: wish.assurance }),
  ]);
  return saved ? { kind: 'saved', clientId, secret } : { kind: 'conflict' };
}

/** A new secret; the old one is worth nothing from now on. */
export async function rotateSecret(
  services: Pick<Services, 'db' | 'ring'>,
  visit: OrganizationVisit,
  clientId: string,
  tries = 3,
): Promise<ApplicationOutcome> {
  requirePermission(visit.actor, 'applications.change');
  const { db, ring } = services;
  const row = await applicationById(db, clientId);
  if (!row || row.organization_id !== visit.organization.id) return { kind: 'not_found' };
  requirePower(visit, entryOf(row));
  const secret = token();
  const saved = await db.together([
    whileActing(visit),
    // What it has become worth meanwhile is no admin's.
    {
      sql: `UPDATE applications SET secret = ?, updated_at = ?
            WHERE client_id = ? AND organization_id = ? AND metadata = ? AND secret IS NOT NULL`,
      values: [
        seal(ring, secretPlace(clientId), secret),
        db.clock.now().getTime(),
        clientId,
        visit.organization.id,
        row.metadata,
      ],
      rows: 1,
    },
    applicationEvent(services, visit, 'application.secret_rotated', clientId, {}),
  ]);
  if (saved) return { kind: 'saved', clientId, secret };
  return row.secret !== null && tries > 1
    ? rotateSecret(services, visit, clientId, tries - 1)
    : { kind: 'not_found' };
}

/** Takes an application away, as far as what it is worth at that moment lets this actor. */
export async function removeApplication(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  clientId: string,
  tries = 3,
): Promise<'done' | 'not_found'> {
  requirePermission(visit.actor, 'applications.change');
  const row = await applicationById(services.db, clientId);
  if (!row || row.organization_id !== visit.organization.id) return 'not_found';
  requirePower(visit, entryOf(row));
  const removed = await services.db.together([
    whileActing(visit),
    {
      sql: 'DELETE FROM applications WHERE client_id = ? AND organization_id = ? AND metadata = ?',
      values: [clientId, visit.organization.id, row.metadata],
      rows: 1,
    },
    { sql: 'DELETE FROM consents WHERE client_id = ?', values: [clientId] },
    ...removeStreamsOf(clientId),
    applicationEvent(services, visit, 'application.removed', clientId, {}),
  ]);
  if (removed) return 'done';
  // Somebody was changing it: whether it may be removed is asked of what it is now.
  return tries > 1 ? removeApplication(services, visit, clientId, tries - 1) : 'not_found';
}

/**
 * An application with scopes of the management API is a key: whoever has its secret, or decides where its tokens go, has its power.
 * No other application's token, and no admin, gets that by changing it.
 */
function requirePower({ actor }: OrganizationVisit, { metadata }: ApplicationEntry): void {
  if (Array.isArray(metadata.api_scopes) && metadata.api_scopes.length > 0) {
    requirePermission(actor, 'api_clients.change');
  }
}

export const applicationEvent = (
  { db }: Pick<Services, 'db'>,
  { organization, actor }: OrganizationVisit,
  type:
    | 'application.registered'
    | 'application.changed'
    | 'application.removed'
    | 'application.secret_rotated',
  clientId: string,
  data: Readonly<Record<string, Fact>>,
) =>
  auditEvent(db, actor.origin, {
    type,
    userId: actor.kind === 'person' ? actor.id : null,
    organizationId: organization.id,
    clientId,
    data: { ...actorData(actor), ...data },
  });
