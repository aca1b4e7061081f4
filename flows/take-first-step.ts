import type { Statement } from '../entities/database.ts';
import type { UserRow } from '../entities/users.ts';
import type { Services } from './services.ts';
import { emptyState, findSignIn, type SignIn, signInStatement, stillJoining } from './sign-in-state.ts';

/**
 * A right password begins the sign-in anew: whatever this interaction had proved before, for this person or another, is dropped.
 * Nobody is signed in by it. False where another request of the same interaction was first.
 */
export async function takeFirstStep(
  services: Services,
  signIn: SignIn,
  { user, succeeded }: { readonly user: UserRow; readonly succeeded: readonly Statement[] },
): Promise<boolean> {
  const proof = {
    kind: 'password' as const,
    at: services.db.clock.now().getTime(),
    factorId: null,
    amr: ['pwd'],
    userVerified: false,
  };
  const state = {
    ...emptyState,
    accountId: user.id,
    proofs: [proof],
    changed: true,
    joining: stillJoining(signIn.state, user.id),
  };
  const save = (at: SignIn) => services.db.together([signInStatement(services, at, state), ...succeeded]);
  if (await save(signIn)) {
    return true;
  }
  // The page's script may have asked for a passkey meanwhile; a right password is not lost to that.
  const found = await findSignIn(services, signIn.uid);
  return found.kind === 'found' && save(found.signIn);
}
