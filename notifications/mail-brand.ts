import { readBranding } from '../entities/branding.ts';
import type { Database } from '../entities/database.ts';

/** In whose name a mail speaks, and how that looks. */
export interface MailBrand {
  /** Null: the instance. */
  readonly name: string | null;
  /** `#rrggbb`; null: the instance's own. */
  readonly accent: string | null;
  /** A picture that every mail program shows; null where there is none. */
  readonly logo: MailPicture | null;
}

export interface MailPicture {
  readonly type: string;
  /** Base64. */
  readonly data: string;
}

export const instanceMailBrand: MailBrand = { name: null, accent: null, logo: null };

/** Mail programs show no WebP everywhere, and nobody wants large mails. */
const shown = new Set(['image/png', 'image/jpeg']);
const largest = 80_000;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly branding: string | null;
}

/** The organization that a mail was written for; of a mail that names none, the one that its recipient belongs to first. */
export async function mailBrand(
  db: Database,
  mail: {
    readonly to: string;
    readonly organizationId: string | null;
    readonly userId: string | null;
  },
): Promise<MailBrand> {
  const row = await (mail.organizationId === null
    ? db.row<Row>(
        `SELECT o.id, o.name, o.branding FROM users u JOIN memberships m ON m.user_id = u.id AND m.removed_at IS NULL
         JOIN organizations o ON o.id = m.organization_id WHERE u.${mail.userId === null ? 'email' : 'id'} = ?
         ORDER BY CASE WHEN o.id = u.home_organization_id THEN 0 ELSE 1 END, o.slug LIMIT 1`,
        [mail.userId ?? mail.to],
      )
    : db.row<Row>('SELECT id, name, branding FROM organizations WHERE id = ?', [mail.organizationId]));
  if (!row) return instanceMailBrand;
  const branding = readBranding(row.branding);
  const logo = branding?.hasLogo
    ? await db.row<MailPicture>('SELECT type, data FROM organization_logos WHERE organization_id = ?', [
        row.id,
      ])
    : null;
  return {
    name: row.name,
    accent: branding?.accent ?? null,
    logo: logo && shown.has(logo.type) && logo.data.length <= largest ? logo : null,
  };
}
