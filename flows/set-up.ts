import type { Statement } from '../entities/database.ts';
import { after, minutes } from '../lib/clock.ts';
import { token } from '../lib/random.ts';
import { type Method, methods } from '../policy/types.ts';
import type { Actor } from './actor.ts';
import { type Assessment, isFor } from './assess-sign-in.ts';
import type { Services } from './services.ts';
import { emptyState, findSignIn, type SignIn, type SignInState, signInStatement } from './sign-in-state.ts';

/** Setting up a factor on the account pages: kept as a sign-in of its own is, so that the same flows serve both. */
export interface SetUp {
  /** Names it in the address of its page; only in this session. */
  readonly id: string;
  readonly signIn: SignIn;
}

const lifetime = minutes(30);

const uidOf = (id: string, actor: Actor): string => `set-up ${id} ${actor.sessionDigest}`;

export function beginSetUp(services: Services, actor: Actor): SetUp {
  const id = token(128);
  const now = services.db.clock.now();
  return {
    id,
    signIn: {
      uid: uidOf(id, actor),
      version: 0,
      startedAt: now,
      expiresAt: after(now, lifetime),
      state: { ...emptyState, accountId: actor.user.id },
    },
  };
}

/** The set-up of this name in this session and of this person; null where it was finished, or is too old. */
export async function findSetUp(services: Services, actor: Actor, id: string): Promise<SetUp | null> {
  const found = await findSignIn(services, uidOf(id, actor));
  return found.kind === 'found' && found.signIn.state.accountId === actor.user.id
    ? { id, signIn: found.signIn }
    : null;
}

export const setUpStatement = (
  services: Services,
  { signIn }: SetUp,
  state: Partial<SignInState>,
  finished = false,
): Statement => signInStatement(services, signIn, { ...signIn.state, ...state }, finished);

/** The codes were saved, or the person would rather not set up anything. */
export const endSetUp = (services: Services, setUp: SetUp): Promise<boolean> =>
  services.db.together([setUpStatement(services, setUp, { enrolment: null, newRecoveryCodes: null }, true)]);

/**
 * Methods that may be set up of one's own will: those that every organization of the person counts, or, where they agree on none, any.
 * An address or number is one factor, however often it is set up.
 */
export function methodsToAdd(
  { available }: Services,
  { memberships, factors, user }: Assessment,
): readonly Method[] {
  const isThere = (method: Method) => factors.some((factor) => factor.method === method);
  const possible = methods.filter(
    (method) =>
      available.includes(method) &&
      isFor(method, user) &&
      !((method === 'email' || method === 'sms') && isThere(method)),
  );
  const inAll = possible.filter((method) =>
    memberships.every(({ policy }) => policy.methods.includes(method)),
  );
  const inOne = possible.filter((method) =>
    memberships.some(({ policy }) => policy.methods.includes(method)),
  );
  return inAll.length > 0 ? inAll : inOne;
}
