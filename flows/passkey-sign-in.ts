import { audit, type Origin } from '../audit/audit.ts';
import { factorByLookup, useFactor } from '../entities/factors.ts';
import { userById } from '../entities/users.ts';
import type { Answer, Json } from '../factors/factor.ts';
import { credentialIn, passkey } from '../factors/passkey.ts';
import { digest } from '../lib/digest.ts';
import { seal } from '../lib/seal.ts';
import { copied } from './answer-challenge.ts';
import type { Services } from './services.ts';
import { emptyState, type SignIn, saveSignIn, signInStatement, stillJoining } from './sign-in-state.ts';
import { factorDataPlace, subjectFor } from './subject.ts';

/** Begins a sign-in by a passkey alone; returns what the browser is asked, or null where another request was first. */
export async function startPasskeySignIn(services: Services, signIn: SignIn): Promise<Json | null> {
  const nobody = {
    now: services.db.clock.now(),
    userId: '',
    email: '',
    emailVerified: false,
    phone: null,
    origin: new URL(services.settings.issuer).origin,
    issuerName: '',
    factors: [],
  };
  const { keep, show } = await passkey.startChallenge(nobody);
  const saved = await saveSignIn(services, signIn, { ...signIn.state, passkey: { kept: keep } });
  return saved ? show : null;
}

/**
 * A passkey as the whole sign-in: the authenticator must have verified its user (WebAuthn Level 3, 7.2), and its own credential
 * says whose account it is. An unknown credential, a wrong signature and a disabled account get the same answer. What was proved
 * before in this interaction is dropped, as after a password.
 */
export async function signInWithPasskey(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly answer: Answer;
    readonly origin: Origin;
    readonly clientId: string;
  },
): Promise<boolean> {
  const { db, ring } = services;
  const { signIn } = input;
  const kept = signIn.state.passkey?.kept ?? null;
  const credential = credentialIn(input.answer);
  const row = credential === null || kept === null ? null : await factorByLookup(db, digest(credential));
  const user = row && row.disabled_at === null ? await userById(db, row.user_id) : null;
  const event = { userId: user?.id ?? null, clientId: input.clientId, data: { method: 'passkey' } };
  const refuse = async () => {
    await saveSignIn(services, signIn, { ...signIn.state, passkey: null });
    await audit(db, input.origin, { ...event, type: 'factor.failed' });
    return false;
  };
  const { joining } = signIn.state;
  if (!row || !user || user.disabled_at !== null || (joining !== null && joining.userId !== user.id)) {
    return refuse();
  }
  const subject = subjectFor(services, user, [row], 'passkey', '');
  const outcome = await passkey.verify(subject, kept, input.answer);
  if (!outcome.ok && outcome.reason === 'copied') {
    await db.together(copied(services, user, input.origin, row));
  }
  if (!outcome.ok || !outcome.userVerified) {
    return refuse();
  }
  const now = db.clock.now();
  const proof = {
    kind: 'passkey' as const,
    at: now.getTime(),
    factorId: row.id,
    amr: [...passkey.amr(outcome.data)],
    userVerified: true,
  };
  const first = await db.together([
    useFactor(
      row.id,
      outcome.highWater,
      seal(ring, factorDataPlace(user.id, row.id), JSON.stringify(outcome.data)),
      now,
    ),
    signInStatement(services, signIn, {
      ...emptyState,
      accountId: user.id,
      proofs: [proof],
      changed: true,
      joining: stillJoining(signIn.state, user.id),
    }),
  ]);
  return first || refuse();
}
