import type { Context } from 'koa';
import type { Origin } from '../audit/audit.ts';
import { activeMembership, membershipsOf, readStoredPolicy } from '../entities/memberships.ts';
import { type OrganizationRow, organizationBySlug } from '../entities/organizations.ts';
import { userById } from '../entities/users.ts';
import { type Actor, type OrganizationVisit, visitOrganization } from '../flows/organization-actor.ts';
import { RequestError } from '../http/errors.ts';
import { apiResource, resourceMetadataUrl } from '../policy/api-scopes.ts';
import { acr2fa, acrPhr } from '../policy/assurance.ts';
import { type ActionOnMember, mayOverMember } from '../policy/permissions.ts';
import type { Role } from '../policy/types.ts';
import type { ApiSite, Operation } from './operation.ts';
import { provesKey } from './proof-of-possession.ts';

/** Who asks: an application for its organization (or for the instance), or a person through an application. */
export type Caller = {
  readonly clientId: string;
  readonly scopes: ReadonlySet<string>;
  readonly origin: Origin;
  /** The organization of the application, also where a person comes through it; null for one of the instance. */
  readonly organizationId: string | null;
} & ({ readonly kind: 'application' } | { readonly kind: 'person'; readonly userId: string });

/** How old a person's last proof may be where something is changed, in seconds. */
export const freshFor = 900;

interface Token {
  readonly clientId?: string | undefined;
  readonly accountId?: string;
  readonly aud?: string | string[];
  readonly scope?: string;
  readonly jkt?: string;
  readonly 'x5t#S256'?: string;
  readonly extra?: { readonly acr?: string; readonly auth_time?: number };
}

/**
 * The caller that the request's token stands for (RFC 6750). Only tokens that were made for this API count, and only while their
 * application is there; a person needs a second factor, and a recent one to change anything (RFC 9470).
 *
 * @throws RequestError
 */
export async function callerOf(
  site: ApiSite,
  ctx: Context,
  operation: Pick<Operation, 'scope' | 'fresh'>,
): Promise<Caller> {
  const { provider, services } = site;
  const [, scheme, value] = /^(Bearer|DPoP) ([A-Za-z0-9._~+/-]+=*)$/i.exec(ctx.get('Authorization')) ?? [];
  if (value === undefined) {
    throw unauthorized(site, 'token_missing', '');
  }
  const token = ((await provider.ClientCredentials.find(value)) ??
    (await provider.AccessToken.find(value))) as Token | undefined;
  const client = token?.clientId ? await provider.Client.find(token.clientId) : undefined;
  const audience = [token?.aud ?? []].flat();
  // A token that is bound to a key is worth nothing without proof of that key, and one that is not needs none.
  const isHeld =
    token?.jkt === undefined
      ? scheme?.toLowerCase() === 'bearer' && token?.['x5t#S256'] === undefined
      : scheme?.toLowerCase() === 'dpop' && (await provesKey(site, ctx, value, token.jkt));
  if (!token || !client || !isHeld || !audience.includes(apiResource(services.settings.issuer))) {
    throw unauthorized(site, 'token_invalid', ', error="invalid_token"');
  }
  // What was taken from the application since is gone from its tokens too.
  const given = Array.isArray(client.api_scopes) ? client.api_scopes : [];
  const scopes = new Set((token.scope ?? '').split(' ').filter((scope) => given.includes(scope)));
  const userAgent = ctx.get('User-Agent');
  const origin = { ip: ctx.ip, userAgent: userAgent === '' ? null : userAgent };
  const organizationId = (client.organization_id as string | null | undefined) ?? null;
  const shared = { clientId: client.clientId, scopes, origin, organizationId };
  if (!scopes.has(operation.scope)) {
    throw new RequestError('insufficient_scope', {
      headers: {
        'WWW-Authenticate': challenge(site, `, error="insufficient_scope", scope="${operation.scope}"`),
      },
    });
  }
  if (token.accountId === undefined) {
    return { ...shared, kind: 'application' };
  }
  const { acr, auth_time: authTime = 0 } = token.extra ?? {};
  const age = services.db.clock.now().getTime() / 1000 - authTime;
  if ((acr !== acr2fa && acr !== acrPhr) || (operation.fresh && age > freshFor)) {
    const maxAge = operation.fresh ? `, max_age="${freshFor}"` : '';
    throw unauthorized(
      site,
      'step_up',
      `, error="insufficient_user_authentication", acr_values="${acr2fa}"${maxAge}`,
    );
  }
  return { ...shared, kind: 'person', userId: token.accountId };
}

/** What programs are told that come without what is wanted (RFC 6750), and where they learn the rest (RFC 9728, 5.1). */
const challenge = ({ services }: ApiSite, more: string): string =>
  `Bearer realm="sallyport", resource_metadata="${resourceMetadataUrl(services.settings.issuer)}"${more}`;

const unauthorized = (
  site: ApiSite,
  code: 'token_missing' | 'token_invalid' | 'step_up',
  more: string,
): RequestError => new RequestError(code, { headers: { 'WWW-Authenticate': challenge(site, more) } });

/** Whoever rules an application has what its tokens can do: one of an organization reaches that organization alone, whoever comes through it. */
export const reaches = ({ organizationId }: Caller, id: string): boolean =>
  organizationId === null || organizationId === id;

/** The organization of this name, as this caller may see it: nobody else's is ever told from one that is not there. */
export async function organizationFor(
  { services }: ApiSite,
  caller: Caller,
  slug: string,
): Promise<OrganizationVisit> {
  if (caller.kind === 'person') {
    const visit = await visitOrganization(services, { userId: caller.userId, slug, origin: caller.origin });
    if (!visit || visit.actor.role === 'member' || !reaches(caller, visit.organization.id))
      throw new RequestError('not_found');
    return visit;
  }
  const organization = await organizationBySlug(services.db, slug);
  if (!organization || !reaches(caller, organization.id)) {
    throw new RequestError('not_found');
  }
  return visitOf(organization, caller);
}

const visitOf = (organization: OrganizationRow, caller: Caller): OrganizationVisit => ({
  organization,
  policy: readStoredPolicy(organization.policy),
  actor: { kind: 'application', id: caller.clientId, role: 'admin', origin: caller.origin },
});

/** A person whom the caller may ask about, and the organization by which they may; null for an application of the instance. */
export interface PersonVisit {
  readonly userId: string;
  readonly organizationId: string | null;
  readonly actor: Actor;
}

/**
 * The person of this id, where the caller's organization has them as a member. What is done to them is authorised for this very id.
 *
 * @param action what is done to them; null for reading
 */
export async function personFor(
  { services }: ApiSite,
  caller: Caller,
  userId: string,
  action: ActionOnMember | null,
): Promise<PersonVisit> {
  const { db } = services;
  const user = await userById(db, userId);
  if (!user) throw new RequestError('not_found');
  if (caller.kind === 'application') {
    const { organizationId } = caller;
    if (organizationId !== null && !(await activeMembership(db, userId, organizationId))) {
      throw new RequestError('not_found');
    }
    const actor = { kind: 'application', id: caller.clientId, role: 'admin', origin: caller.origin } as const;
    return { userId, organizationId, actor };
  }
  let isKnown = false;
  for (const { organization, role } of await membershipsOf(db, caller.userId)) {
    const theirs =
      role === 'member' || !reaches(caller, organization.id)
        ? null
        : await activeMembership(db, userId, organization.id);
    if (!theirs) continue;
    isKnown = true;
    const target = { role: theirs.role as Role, isSelf: userId === caller.userId };
    if (action === null || mayOverMember(role, action, target) === 'allowed') {
      const actor = { kind: 'person', id: caller.userId, role, origin: caller.origin } as const;
      return { userId, organizationId: organization.id, actor };
    }
  }
  throw new RequestError(isKnown ? 'not_permitted' : 'not_found');
}
