import type { Context } from 'koa';
import { type OrganizationVisit, visitOrganization } from '../flows/organization-actor.ts';
import { RequestError } from '../http/errors.ts';
import type { FramedPage } from '../http/pages.ts';
import type { Permission, Rules, SignedIn } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { oneLine } from '../lib/one-line.ts';
import { type Action, may } from '../policy/permissions.ts';

const visits = new WeakMap<Context, Promise<OrganizationVisit | null>>();

/** The organization that the path names, for the person of the session, asked for once per request. */
function found(visit: SignedIn): Promise<OrganizationVisit | null> {
  const known = visits.get(visit.ctx);
  if (known) return known;
  const asked = visitOrganization(visit.site.services, {
    userId: visit.actor.user.id,
    slug: String(visit.ctx.params.slug),
    origin: visit.actor.origin,
  });
  visits.set(visit.ctx, asked);
  return asked;
}

/** The very organization that the guard has authorised. */
export async function organizationOf(visit: SignedIn): Promise<OrganizationVisit> {
  const organization = await found(visit);
  if (!organization) throw new RequestError('not_found');
  return organization;
}

/** By the table of permissions: who may not, is told that there is no such page. */
const permission = (action: Action): Permission => ({
  name: action,
  holds: async (visit) => {
    const organization = await found(visit);
    return organization !== null && may(organization.actor.role, action);
  },
});

/** A page or form that only reads, or changes little. */
export const inSession = (action: Action): Rules => ({
  assurance: 'session',
  permission: permission(action),
});

/** What needs a fresh proof; the fields are kept meanwhile. */
export const withProof = (action: Action, keeps: readonly string[] = []): Rules => ({
  assurance: 'fresh proof',
  permission: permission(action),
  keeps,
});

export const basePath = (ctx: Context): string =>
  `/organizations/${encodeURIComponent(String(ctx.params.slug))}`;

/** What all pages of an organization share. */
export async function framedBy(visit: SignedIn): Promise<Omit<FramedPage, never>> {
  const { organization } = await organizationOf(visit);
  const base = basePath(visit.ctx);
  return framed(visit, {
    name: 'Organization',
    brandName: organization.name,
    branding: organization.branding ?? null,
    pages: [
      { label: 'Overview', path: base },
      { label: 'Two-factor authentication', path: `${base}/two-factor` },
      { label: 'Members', path: `${base}/members` },
      { label: 'Passkeys', path: `${base}/passkeys` },
      { label: 'Applications', path: `${base}/applications` },
      { label: 'Sign-in providers', path: `${base}/providers` },
      { label: 'Audit log', path: `${base}/audit` },
      { label: 'Branding', path: `${base}/branding` },
      { label: 'API access', path: `${base}/api-access` },
    ],
  });
}

/** One text of a query or form; what is no text is none. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A name or reason that somebody typed or pasted, without what cannot be seen in it; what is too long is cut only so far that it is still refused. */
export const lineOf = (value: unknown, longest = 200): string => oneLine(textOf(value), longest + 1);

/** Several boxes of one name, as a form or what was held of it gives them. */
export const textsOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : textOf(value).split('\n')).filter(
    (one): one is string => typeof one === 'string' && one !== '',
  );
