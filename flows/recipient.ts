import type { Origin } from '../audit/audit.ts';
import type { UserMembership } from '../entities/memberships.ts';
import type { UserRow } from '../entities/users.ts';

/** Whom a message is for, and from where it was asked for. */
export interface Recipient {
  readonly user: UserRow;
  readonly memberships: readonly UserMembership[];
  readonly origin: Origin;
  readonly clientId?: string | null;
  /** Names the browser that asks, where it is known for this person; see flows/known-browser.ts. */
  readonly bucket?: string;
}

/** The same for everybody who asks from a browser that this person has never finished a sign-in in. */
export const unknownBrowsers = 'unknown browsers';

/** The organization in whose name a person is written to, and whose text messages they are. */
export const homeOf = (user: UserRow, memberships: readonly UserMembership[]): UserMembership | null =>
  memberships.find(({ organization }) => organization.id === user.home_organization_id) ??
  memberships[0] ??
  null;
