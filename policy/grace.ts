import { days } from './days.ts';
import { requirementFor, type Standing } from './requirement-for.ts';

/**
 * When grace began for this person here, to be recorded once; null where nothing is required of them or nobody knows
 * since when. What was recorded is never moved to later.
 */
export function graceStart(standing: Standing): Date | null {
  const { policy, role, joinedAt, adminSince, graceStartedAt } = standing;
  if (requirementFor(policy, role) !== 'must') return null;

  const starts: Date[] = [];
  if (graceStartedAt !== null) starts.push(graceStartedAt);
  if (policy.requirement !== 'required_for_admins' && policy.allRequiredSince !== null) {
    starts.push(latest(policy.allRequiredSince, joinedAt));
  }
  // Also where everybody must by now: an admin who had to before gains no time by that.
  if (role !== 'member' && policy.adminsRequiredSince !== null) {
    starts.push(latest(policy.adminsRequiredSince, joinedAt, adminSince ?? joinedAt));
  }
  const start = new Date(Math.min(...starts.map(Number)));
  return Number.isNaN(start.getTime()) ? null : start;
}

/** Until when this person may skip setting up here; null where they need not. Without a known start, it is long over. */
export function graceDeadline(standing: Standing): Date | null {
  if (requirementFor(standing.policy, standing.role) !== 'must') return null;
  const start = graceStart(standing);
  if (start === null) return new Date(0);
  return new Date(start.getTime() + days(wholeDays(standing.policy.graceDays)));
}

const latest = (...dates: readonly Date[]): Date => new Date(Math.max(...dates.map(Number)));

const wholeDays = (n: number): number => (Number.isInteger(n) && n >= 0 && n <= 90 ? n : 0);
