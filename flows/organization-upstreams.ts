import { auditEvent } from '../audit/audit.ts';
import { updateRow } from '../entities/configuration.ts';
import { isDuplicate } from '../entities/database.ts';
import {
  addDomain,
  domainProved,
  domainsOfUpstream,
  dropDomain,
  removeUpstream,
  type UpstreamDomainRow,
  type UpstreamProviderRow,
  upstreamKey,
  upstreamsOfOrganization,
} from '../entities/upstream-providers.ts';
import { dnsProves, proofName, proofValue } from '../federation/domain-proof.ts';
import { discover, forgetDiscovery } from '../federation/upstream.ts';
import { UpstreamProblem } from '../federation/upstream-problem.ts';
import { newId } from '../lib/id.ts';
import { token } from '../lib/random.ts';
import { actorData, type OrganizationVisit, requirePermission, whileActing } from './organization-actor.ts';
import type { Services } from './services.ts';
import {
  changedUpstream,
  newUpstreamKey,
  privateKeyOf,
  type ShownUpstream,
  secretOf,
  shownUpstream,
  upstreamColumns,
  upstreamProblem,
} from './upstream-columns.ts';
import type { UpstreamChange } from './upstream-entry.ts';
import { federationOf, upstreamAddress, upstreamFrom } from './upstreams.ts';

export interface UpstreamEntry extends ShownUpstream {
  readonly slug: string;
  readonly hasSecret: boolean;
  readonly domains: readonly {
    readonly domain: string;
    readonly isVerified: boolean;
    /** The TXT record that proves it. */
    readonly record: { readonly name: string; readonly value: string };
  }[];
  /** What is registered with the provider. */
  readonly addresses: {
    readonly redirect: string;
    readonly signedOut: string;
    readonly backchannelLogout: string;
    readonly keys: string | null;
  };
}

function entryFrom(
  { settings }: Pick<Services, 'settings'>,
  row: UpstreamProviderRow,
  domains: readonly UpstreamDomainRow[],
): UpstreamEntry {
  const at = (path: string) => upstreamAddress(settings.issuer, row.name_key, path);
  return {
    slug: row.slug,
    ...shownUpstream(row),
    hasSecret: row.secret !== null,
    domains: domains.map(({ domain, verified_domain, challenge }) => ({
      domain,
      isVerified: verified_domain !== null,
      record: { name: proofName(domain), value: proofValue(challenge) },
    })),
    addresses: {
      redirect: at('callback'),
      signedOut: at('signed-out'),
      backchannelLogout: at('backchannel-logout'),
      keys: row.private_key === null ? null : at('jwks.json'),
    },
  };
}

/** The providers of this organization; those of the instance are not its business. */
export async function organizationUpstreams(
  services: Services,
  visit: OrganizationVisit,
): Promise<UpstreamEntry[]> {
  requirePermission(visit.actor, 'providers.read');
  const rows = await upstreamsOfOrganization(services.db, visit.organization.id);
  return Promise.all(
    rows.map(async (row) => entryFrom(services, row, await domainsOfUpstream(services.db, row.id))),
  );
}

async function rowOf(
  { db }: Services,
  { organization }: OrganizationVisit,
  slug: string,
): Promise<UpstreamProviderRow | null> {
  const rows = await upstreamsOfOrganization(db, organization.id);
  return rows.find((row) => row.slug === slug) ?? null;
}

/** One of this very organization; null for everybody else's. */
export async function organizationUpstream(
  services: Services,
  visit: OrganizationVisit,
  slug: string,
): Promise<UpstreamEntry | null> {
  requirePermission(visit.actor, 'providers.read');
  const row = await rowOf(services, visit, slug);
  return row && entryFrom(services, row, await domainsOfUpstream(services.db, row.id));
}

export interface UpstreamWish {
  readonly slug: string;
  readonly change: UpstreamChange;
  /** Undefined: what there is stays. */
  readonly secret: string | undefined;
  /** Undefined: what there is stays. */
  readonly domains: readonly string[] | undefined;
}

export type UpstreamSaved =
  | { readonly kind: 'saved' }
  | { readonly kind: 'invalid'; readonly problem: string }
  /** There is one of this name already, or it was changed meanwhile. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'not_found' };

/** Makes a provider, or changes it. Its domains lead nobody to it before the DNS has proved that they are the organization's. */
export async function saveUpstream(
  services: Services,
  visit: OrganizationVisit,
  wish: UpstreamWish,
  isNew: boolean,
): Promise<UpstreamSaved> {
  requirePermission(visit.actor, 'providers.change');
  const { db, ring } = services;
  const { organization, actor } = visit;
  const row = await rowOf(services, visit, wish.slug);
  if (isNew ? row !== null : row === null) {
    return { kind: isNew ? 'conflict' : 'not_found' };
  }
  const next = changedUpstream(row ? shownUpstream(row) : null, wish.change, wish.slug);
  // A secret is for the issuer that it was typed for: with another one it would be sent to whoever that is.
  const secret = wish.secret ?? (row?.issuer === next.issuer ? secretOf(ring, row) : null);
  const problem = upstreamProblem(next, secret !== null, false);
  if (problem !== null) {
    return { kind: 'invalid', problem };
  }
  const now = db.clock.now();
  const id = row?.id ?? newId(now);
  const hadKey = row ? privateKeyOf(ring, row) : null;
  const key = next.authentication === 'private_key_jwt' && hadKey === null ? await newUpstreamKey() : hadKey;
  const columns = {
    ...upstreamColumns(
      ring,
      id,
      next,
      { organizationId: organization.id, organizationSlug: organization.slug, slug: wish.slug },
      secret,
      key,
    ),
    updated_at: now.getTime(),
  };
  const before = row ? await domainsOfUpstream(db, id) : [];
  const domains = wish.domains ?? before.map(({ domain }) => domain);
  try {
    const saved = await db.together([
      whileActing(visit),
      row
        ? updateRow(
            'upstream_providers',
            { id },
            { ...columns, version: row.version + 1 },
            { version: row.version },
          )
        : db.insert('upstream_providers', { id, ...columns, version: 1, created_at: now.getTime() }),
      ...before.filter(({ domain }) => !domains.includes(domain)).map(({ domain }) => dropDomain(id, domain)),
      ...domains
        .filter((domain) => !before.some((known) => known.domain === domain))
        .map((domain) =>
          addDomain(db, {
            provider_id: id,
            domain,
            verified_domain: null,
            challenge: token(128),
            created_at: now.getTime(),
          }),
        ),
      auditEvent(db, actor.origin, {
        type: row ? 'upstream_provider.changed' : 'upstream_provider.added',
        userId: actor.kind === 'person' ? actor.id : null,
        organizationId: organization.id,
        data: {
          ...actorData(actor),
          provider: upstreamKey(organization.slug, wish.slug),
          issuer: next.issuer,
          second_factor: next.secondFactor,
          acr: next.trusted.acr,
          amr: next.trusted.amr,
          enabled: next.enabled,
          secret_changed: wish.secret !== undefined,
        },
      }),
    ]);
    return { kind: saved ? 'saved' : 'conflict' };
  } catch (error) {
    if (isDuplicate(error)) return { kind: 'conflict' };
    throw error;
  }
}

/** Whoever came in by it has to find another way, from this moment on. */
export async function dropUpstream(
  services: Services,
  visit: OrganizationVisit,
  slug: string,
): Promise<'done' | 'not_found'> {
  requirePermission(visit.actor, 'providers.change');
  const { db } = services;
  const { actor, organization } = visit;
  const row = await rowOf(services, visit, slug);
  if (!row) return 'not_found';
  const done = await db.together([
    whileActing(visit),
    ...removeUpstream(row.id),
    auditEvent(db, actor.origin, {
      type: 'upstream_provider.removed',
      userId: actor.kind === 'person' ? actor.id : null,
      organizationId: organization.id,
      data: { ...actorData(actor), provider: row.name_key, issuer: row.issuer },
    }),
  ]);
  return done ? 'done' : 'not_found';
}

export type UpstreamTest =
  | { readonly kind: 'answers' }
  | { readonly kind: 'problem'; readonly reason: string; readonly detail: string }
  | { readonly kind: 'not_found' };

/** Asks the provider what it says of itself, now. */
export async function testUpstream(
  services: Services,
  visit: OrganizationVisit,
  slug: string,
): Promise<UpstreamTest> {
  requirePermission(visit.actor, 'providers.change');
  const row = await rowOf(services, visit, slug);
  if (!row) return { kind: 'not_found' };
  const upstream = upstreamFrom(services, row);
  forgetDiscovery(upstream);
  try {
    await discover(federationOf(services), upstream);
    return { kind: 'answers' };
  } catch (error) {
    if (error instanceof UpstreamProblem) {
      return { kind: 'problem', reason: error.reason, detail: error.detail };
    }
    throw error;
  }
}

/** Looks up in the DNS what is not proved yet; the domains that are proved from now on, and null where there is no such provider. */
export async function proveDomains(
  services: Services,
  visit: OrganizationVisit,
  slug: string,
): Promise<string[] | null> {
  requirePermission(visit.actor, 'providers.change');
  const { db } = services;
  const { actor, organization } = visit;
  const row = await rowOf(services, visit, slug);
  if (!row) return null;
  const waiting = (await domainsOfUpstream(db, row.id)).filter(
    ({ verified_domain }) => verified_domain === null,
  );
  const proved: string[] = [];
  for (const { domain, challenge } of waiting.slice(0, 20)) {
    if (!(await dnsProves(domain, challenge))) continue;
    try {
      const isFirst = await db.together([
        whileActing(visit),
        domainProved(row.id, domain),
        auditEvent(db, actor.origin, {
          type: 'upstream_provider.changed',
          userId: actor.kind === 'person' ? actor.id : null,
          organizationId: organization.id,
          data: { ...actorData(actor), provider: row.name_key, domain },
        }),
      ]);
      if (isFirst) proved.push(domain);
    } catch (error) {
      // Another provider has proved it before.
      if (!isDuplicate(error)) throw error;
    }
  }
  return proved;
}
