import { type OrganizationVisit, requirePermission } from './organization-actor.ts';
import { type MemberFigures, readMemberFigures } from './read-members.ts';
import type { Services } from './services.ts';

export interface PasskeyReport {
  readonly figures: MemberFigures;
  readonly recent: readonly {
    readonly user_id: string;
    readonly email: string;
    readonly name: string | null;
    readonly passkey: string | null;
    readonly confirmed_at: number;
  }[];
}

/** Who has passkeys, who has no second factor at all, and which passkeys were registered lately. */
export async function passkeysOfOrganization(
  services: Pick<Services, 'db'>,
  visit: OrganizationVisit,
): Promise<PasskeyReport> {
  requirePermission(visit.actor, 'passkeys.read');
  const figures = await readMemberFigures(services, visit.organization.id, visit.policy);
  const recent = await services.db.rows<PasskeyReport['recent'][number]>(
    `SELECT u.id AS user_id, u.email, u.name, f.name AS passkey, f.confirmed_at FROM factors f
     JOIN memberships m ON m.user_id = f.user_id AND m.organization_id = ? AND m.removed_at IS NULL
     JOIN users u ON u.id = f.user_id WHERE f.method = 'passkey' ORDER BY f.confirmed_at DESC, f.id DESC LIMIT 20`,
    [visit.organization.id],
  );
  return { figures, recent };
}
