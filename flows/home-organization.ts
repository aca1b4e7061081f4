import type { Assessment } from './assess-sign-in.ts';
import { homeOf } from './recipient.ts';

/** The name that people know the place by: of their own organization; null for people without one. */
export const organizationNameOf = ({
  user,
  memberships,
}: Pick<Assessment, 'user' | 'memberships'>): string | null =>
  homeOf(user, memberships)?.organization.name ?? null;

/** What an authenticator app shows beside the account: the company's name (product.md §3). */
export const issuerNameFor = (assessment: Pick<Assessment, 'user' | 'memberships'>): string =>
  organizationNameOf(assessment) ?? 'Sallyport';
