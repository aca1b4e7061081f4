import { auditEvent, type Origin } from '../audit/audit.ts';
import { postponeSetup } from '../entities/users.ts';
import { after, days } from '../lib/clock.ts';
import type { WayOut } from '../policy/types.ts';
import type { Services } from './services.ts';
import { type SignIn, signInStatement } from './sign-in-state.ts';

/** How long "Do not ask again" holds on the recommended page (product.md §2, rule 3), and so does turning it off by oneself. */
export const postponedFor = days(30);

/**
 * "Skip for now" and "Not now". Whether the page may be left was decided a moment ago, by the server's clock, and is decided again
 * before anybody is let in. False where it may not, or where another request of the same interaction was first.
 */
export async function skipSetup(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly userId: string;
    readonly wayOut: WayOut;
    readonly postpone: boolean;
    readonly origin: Origin;
    readonly clientId: string;
  },
): Promise<boolean> {
  const { db } = services;
  const { signIn, wayOut } = input;
  if (wayOut.kind === 'none') {
    return false;
  }
  const now = db.clock.now();
  const skipped = wayOut.kind === 'skip';
  const choices = skipped
    ? { ...signIn.state.choices, skippedAt: now.getTime() }
    : { ...signIn.state.choices, dismissedAt: now.getTime() };
  return db.together([
    signInStatement(services, signIn, { ...signIn.state, choices, changed: true, enrolment: null }),
    ...(!skipped && input.postpone ? [postponeSetup(input.userId, after(now, postponedFor))] : []),
    auditEvent(db, input.origin, {
      type: skipped ? 'setup.skipped' : 'setup.dismissed',
      userId: input.userId,
      clientId: input.clientId,
    }),
  ]);
}
