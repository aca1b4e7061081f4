import { auditEvent } from '../audit/audit.ts';
import { readBranding } from '../entities/branding.ts';
import { digest } from '../lib/digest.ts';
import { oneLinePattern } from '../lib/one-line.ts';
import { type Picture, readPicture } from '../lib/picture.ts';
import { actorData, type OrganizationVisit, requirePermission, stillActing } from './organization-actor.ts';
import type { Services } from './services.ts';

export interface BrandingWish {
  readonly name: string;
  /** `#rrggbb`; null: the instance's own. */
  readonly accent: string | null;
  /** New bytes; `keep` leaves it as it is, `none` takes it away. */
  readonly logo: Buffer | 'keep' | 'none';
  /** What was looked at when this was wished for, by `versionOfBranding`; without it, whatever is there is changed. */
  readonly seen?: string;
}

export type BrandingField = 'name' | 'accent' | 'logo';

export type BrandingOutcome =
  | { readonly kind: 'saved' }
  | { readonly kind: 'invalid'; readonly fields: readonly BrandingField[] }
  | { readonly kind: 'conflict' };

const largest = 200_000;
const widest = 2048;

/** Names what an organization's branding is now; another after each change. */
export const versionOfBranding = (organization: {
  readonly name: string;
  readonly branding?: string | null;
}): string => digest(JSON.stringify([organization.name, organization.branding ?? null])).slice(0, 22);

/** The picture that these bytes are, as far as it may be a logo; null otherwise. */
export function logoIn(bytes: Buffer): Picture | null {
  const picture = readPicture(bytes);
  const fits =
    picture !== null &&
    bytes.length <= largest &&
    Math.min(picture.width, picture.height) > 0 &&
    Math.max(picture.width, picture.height) <= widest;
  return fits ? picture : null;
}

/** What of a wish cannot be: asked before it is shown, and again before it is saved. */
export function wrongInBranding({ name, accent, logo }: BrandingWish): readonly BrandingField[] {
  const known = name.trim();
  return [
    ...(known !== '' && [...known].length <= 200 && oneLinePattern.test(known) ? [] : ['name' as const]),
    ...(accent === null || /^#[0-9a-f]{6}$/i.test(accent) ? [] : ['accent' as const]),
    ...(!Buffer.isBuffer(logo) || logoIn(logo) ? [] : ['logo' as const]),
  ];
}

/** How an organization's pages look: its name, one colour, and a picture that is what it says to be. */
export async function changeBranding(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
  wish: BrandingWish,
): Promise<BrandingOutcome> {
  requirePermission(visit.actor, 'branding.change');
  const { db } = services;
  const { organization, actor } = visit;
  const name = wish.name.trim();
  const picture = Buffer.isBuffer(wish.logo) ? logoIn(wish.logo) : null;
  const fields = wrongInBranding(wish);
  if (fields.length > 0) return { kind: 'invalid', fields };

  if (wish.seen !== undefined && wish.seen !== versionOfBranding(organization)) return { kind: 'conflict' };

  const before = readBranding(organization.branding);
  const acting = stillActing(actor, organization.id);
  const next = {
    organizationId: organization.id,
    version: (before?.version ?? 0) + 1,
    accent: wish.accent,
    hasLogo: wish.logo === 'keep' ? (before?.hasLogo ?? false) : wish.logo !== 'none',
  };
  const saved = await db.together([
    {
      sql: `UPDATE organizations SET name = ?, branding = ? WHERE id = ? AND COALESCE(branding, '') = ? AND ${acting.sql}`,
      values: [name, JSON.stringify(next), organization.id, organization.branding ?? '', ...acting.values],
      rows: 1,
    },
    ...(wish.logo === 'keep'
      ? []
      : [{ sql: 'DELETE FROM organization_logos WHERE organization_id = ?', values: [organization.id] }]),
    ...(Buffer.isBuffer(wish.logo) && picture
      ? [
          db.insert('organization_logos', {
            organization_id: organization.id,
            type: picture.type,
            data: wish.logo.toString('base64'),
          }),
        ]
      : []),
    auditEvent(db, actor.origin, {
      type: 'branding.changed',
      userId: actor.kind === 'person' ? actor.id : null,
      organizationId: organization.id,
      data: {
        ...actorData(actor),
        name,
        accent: wish.accent,
        logo: wish.logo === 'keep' ? 'kept' : Buffer.isBuffer(wish.logo) ? 'new' : 'none',
      },
    }),
  ]);
  return { kind: saved ? 'saved' : 'conflict' };
}

export const logoOf = ({ db }: Pick<Services, 'db'>, organizationId: string) =>
  db.row<{ type: string; data: string }>(
    'SELECT type, data FROM organization_logos WHERE organization_id = ?',
    [organizationId],
  );
