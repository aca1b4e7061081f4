import type { Database, Value } from './database.ts';
import { type FactorRow, factorColumns } from './factors.ts';
import { part } from './joined.ts';
import { type JoinedMembershipRow, membershipFrom, type UserMembership } from './memberships.ts';
import { type UserRow, userColumns } from './users.ts';

/** What every decision about a person needs. */
export interface PersonToAssess {
  readonly user: UserRow;
  readonly recoveryCodesLeft: number;
  readonly recoveryCodesUsed: number;
  /** Of people without an organization, as it is stored. */
  readonly instancePolicy: string | null;
  /** By the organization's name in addresses. */
  readonly memberships: readonly UserMembership[];
  /** The oldest first. */
  readonly factors: readonly FactorRow[];
}

const user = part<UserRow>('u', 'u', userColumns);
const factor = part<FactorRow>('f', 'f', factorColumns);
const membership = part<Omit<JoinedMembershipRow, 'organization_name' | 'slug' | 'policy' | 'branding'>>(
  'm',
  'm',
  { organization_id: true, role: true, joined_at: true, admin_since: true, grace_started_at: true },
);
const organization = part<{ slug: string; name: string; policy: string; branding: string | null }>('o', 'o', {
  slug: true,
  name: true,
  policy: true,
  branding: true,
});

/** A row for each membership, with the user in each, or for the user alone; and one for each factor. */
const question = `SELECT ${user.columns},
    (SELECT COUNT(*) FROM recovery_codes c WHERE c.user_id = u.id AND c.used_at IS NULL) AS codes_left,
    (SELECT COUNT(*) FROM recovery_codes c WHERE c.user_id = u.id AND c.used_at IS NOT NULL) AS codes_used,
    (SELECT value FROM instance WHERE name = 'policy') AS instance_policy,
    ${membership.columns}, ${organization.columns}, ${factor.nothing}
  FROM users u LEFT JOIN memberships m ON m.user_id = u.id AND m.removed_at IS NULL LEFT JOIN organizations o ON o.id = m.organization_id
  WHERE u.id = ?
  UNION ALL
  SELECT ${user.nothing}, NULL AS codes_left, NULL AS codes_used, NULL AS instance_policy, ${membership.nothing}, ${organization.nothing}, ${factor.columns}
  FROM factors f WHERE f.user_id = ?`;

/** A person, their memberships and their factors as they are at one moment, in one question; null where there is nobody. */
export async function personToAssess(db: Database, id: string): Promise<PersonToAssess | null> {
  const answers = await db.rows<Record<string, Value>>(question, [id, id]);
  const first = answers.find(({ u_id }) => u_id !== null);
  if (!first) {
    return null;
  }
  return {
    user: user.of(first),
    recoveryCodesLeft: Number(first.codes_left),
    recoveryCodesUsed: Number(first.codes_used),
    instancePolicy: first.instance_policy as string | null,
    memberships: answers
      .filter(({ o_slug }) => o_slug !== null)
      .map((answer) => {
        const { name, ...rest } = organization.of(answer);
        return membershipFrom({ ...membership.of(answer), ...rest, organization_name: name });
      })
      .sort((one, other) => (one.organization.slug < other.organization.slug ? -1 : 1)),
    factors: answers
      .filter(({ f_id }) => f_id !== null)
      .map(factor.of)
      .sort((one, other) => one.confirmed_at - other.confirmed_at || (one.id < other.id ? -1 : 1)),
  };
}
