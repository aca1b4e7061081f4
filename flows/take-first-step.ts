import type { UserRow } from '../entities/users.ts';
import type { Services } from './services.ts';
import { emptyState, type SignIn, saveSignIn } from './sign-in-state.ts';

/**
 * A right password begins the sign-in anew: whatever this interaction had proved before, for this person or another, is dropped.
 * Nobody is signed in by it. False where another request of the same interaction was first.
 */
export function takeFirstStep(services: Services, signIn: SignIn, user: UserRow): Promise<boolean> {
  const proof = {
    kind: 'password' as const,
    at: services.db.clock.now().getTime(),
    factorId: null,
    amr: ['pwd'],
    userVerified: false,
  };
  return saveSignIn(services, signIn, { ...emptyState, accountId: user.id, proofs: [proof], changed: true });
}
