import type { Origin } from '../audit/audit.ts';
import type { UserMembership } from '../entities/memberships.ts';
import type { UserRow } from '../entities/users.ts';

/** Whom a message is for, and from where it was asked for. */
export interface Recipient {
  readonly user: UserRow;
  readonly memberships: readonly UserMembership[];
  readonly origin: Origin;
}

/** The organization in whose name a person is written to, and whose text messages they are. */
export const homeOf = (user: UserRow, memberships: readonly UserMembership[]): UserMembership | null =>
  memberships.find(({ organization }) => organization.id === user.home_organization_id) ??
  memberships[0] ??
  null;
