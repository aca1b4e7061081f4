import { days } from './days.ts';

/** How long a sign-in lasts (product.md §8). */
export interface SessionLengths {
  /** Minutes without use after which it is over. */
  readonly idleMinutes: number;
  /** Minutes after its first step at which it is over, whatever was done in it. */
  readonly absoluteMinutes: number;
  /** Days for which an application that may stay connected (`offline_access`) may do so; 0: no longer than the sign-in itself. */
  readonly offlineDays: number;
}

/** No policy allows more (NIST SP 800-63B-4, 2.2.3: 24 hours in all). */
export const longestSession: SessionLengths = {
  idleMinutes: 8 * 60,
  absoluteMinutes: 24 * 60,
  offlineDays: 14,
};

/** Nobody is thrown out while they type. */
export const shortestMinutes = 5;

/** The strictest of several, field by field; those of the instance hold where there is none. */
export function strictestLengths(
  several: readonly { readonly sessions: SessionLengths }[],
  instance: { readonly sessions: SessionLengths },
): SessionLengths {
  const all = (several.length > 0 ? several : [instance]).map(({ sessions }) => sessions);
  const least = (field: keyof SessionLengths): number =>
    Math.min(longestSession[field], ...all.map((lengths) => lengths[field]));
  return {
    idleMinutes: least('idleMinutes'),
    absoluteMinutes: least('absoluteMinutes'),
    offlineDays: least('offlineDays'),
  };
}

/** Until when an application may go on without its person, who signed in at `startedAt`. */
export const connectedUntil = (lengths: SessionLengths, startedAt: Date): Date =>
  new Date(startedAt.getTime() + Math.max(lengths.absoluteMinutes * 60_000, days(lengths.offlineDays)));
