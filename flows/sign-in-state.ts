import * as z from 'zod';
import { closeApproval } from '../entities/approvals.ts';
import type { Statement } from '../entities/database.ts';
import { signInsAhead } from '../entities/records-beside.ts';
import { signInByUid, writeSignIn } from '../entities/sign-ins.ts';
import type { Json } from '../factors/factor.ts';
import { digest } from '../lib/digest.ts';
import { open, seal } from '../lib/seal.ts';
import { methods, roles } from '../policy/types.ts';
import { requestIn } from './approvals.ts';
import { noChoices, storedChoices, storedProof } from './proofs.ts';
import type { Services } from './services.ts';

const json: z.ZodType<Json> = z.json();

/** What one interaction has proved and is in the middle of. It is sealed, and only the server ever reads or changes it. */
const signInState = z.object({
  accountId: z.string().nullable(),
  proofs: z.array(storedProof),
  choices: storedChoices,
  /** Something was proved or chosen in this interaction, beside what the session had proved before. */
  changed: z.boolean(),
  /** This browser is to be remembered at the end: through which method, for how many days. */
  remember: z
    .object({ method: z.enum(methods), days: z.number(), securityVersion: z.number(), at: z.number() })
    .nullable(),
  /** "Not you?" was said: the next person is not taken for the one whom the session knows. */
  startedOver: z.boolean(),
  /** A set-up under way: what the factor keeps, and what its page shows. */
  enrolment: z
    .object({ method: z.enum(methods), kept: json, shown: json, sentAt: z.number().nullable() })
    .nullable(),
  /** A challenge that a factor has begun, bound to that factor; `sentAt` where something was sent for it. */
  challenge: z
    .object({ factorId: z.string(), kept: json, shown: json, sentAt: z.number().nullable() })
    .nullable(),
  /** The challenge for a passkey that is the whole sign-in. */
  passkey: z.object({ kept: json }).nullable(),
  /** This browser was sent to an upstream provider, and may come back from there once. */
  upstream: z
    .object({
      providerId: z.string(),
      version: z.number(),
      state: z.string(),
      nonce: z.string(),
      codeVerifier: z.string(),
      sentAt: z.number(),
      login: z.boolean(),
      maxAge: z.number().nullable(),
    })
    .nullable(),
  /** An account of an upstream provider that is to be joined to this person's, once they have proved that it is theirs. */
  joining: z
    .object({
      providerId: z.string(),
      providerName: z.string(),
      /** Of the provider as it was when it said so: another issuer's subject is somebody else. */
      version: z.number(),
      subject: z.string(),
      userId: z.string(),
      email: z.string(),
      joins: z.object({ organizationId: z.string(), role: z.enum(roles) }).nullable(),
    })
    .nullable(),
  /** The code that was sent to the verified address before a set-up after a reset. */
  mailbox: z.object({ kept: json, sentAt: z.number() }).nullable(),
  /** Recovery codes that are on the screen until the person says that they are saved. */
  newRecoveryCodes: z.array(z.string()).nullable(),
  /** After a sign-in by recovery code the person is told how many are left, once, and what has taken the used one's place. */
  recoveryNotice: z.object({ replacement: z.string().nullable() }).nullable(),
  /** The person was told in this sign-in that few recovery codes are left. */
  lowCodesSeen: z.boolean().default(false),
  /** The person chose to set up another factor after a recovery code. */
  wantsSetup: z.boolean(),
});

export type SignInState = z.infer<typeof signInState>;

export interface SignIn {
  readonly uid: string;
  /** 0 until it is first written. */
  readonly version: number;
  readonly startedAt: Date;
  readonly expiresAt: Date;
  readonly state: SignInState;
}

export const emptyState: SignInState = {
  accountId: null,
  proofs: [],
  choices: noChoices,
  changed: false,
  startedOver: false,
  remember: null,
  enrolment: null,
  challenge: null,
  passkey: null,
  upstream: null,
  joining: null,
  mailbox: null,
  newRecoveryCodes: null,
  recoveryNotice: null,
  lowCodesSeen: false,
  wantsSetup: false,
};

/** Ended: finished, expired, or its user was disconnected meanwhile. Absent: nothing was proved yet. */
export type FoundSignIn =
  | { readonly kind: 'found'; readonly signIn: SignIn }
  | { readonly kind: 'absent' }
  | { readonly kind: 'ended' };

export async function findSignIn(services: Services, uid: string): Promise<FoundSignIn> {
  const uidDigest = digest(uid);
  const ahead = signInsAhead.take(uidDigest);
  const row = ahead === undefined ? await signInByUid(services.db, uidDigest) : ahead;
  if (!row) {
    return { kind: 'absent' };
  }
  if (row.finished_at !== null || row.dead === 1 || row.expires_at <= services.db.clock.now().getTime()) {
    return { kind: 'ended' };
  }
  const plain = open(services.ring, place(uidDigest), row.state);
  return {
    kind: 'found',
    signIn: {
      uid,
      version: row.version,
      startedAt: new Date(row.created_at),
      expiresAt: new Date(row.expires_at),
      state: signInState.parse(JSON.parse(plain)),
    },
  };
}

/** The write of a sign-in's next state; in a batch it fails the whole where another request of the same interaction was first. */
export function signInStatement(
  services: Services,
  signIn: SignIn,
  state: SignInState,
  finished = false,
): Statement {
  const uidDigest = digest(signIn.uid);
  const write = writeSignIn(
    services.db,
    {
      uidDigest,
      accountId: state.accountId,
      state: seal(services.ring, place(uidDigest), JSON.stringify(state)),
      begunAt: begunAt(signIn, state),
      expiresAt: signIn.expiresAt,
    },
    signIn.version,
    services.db.clock.now(),
    finished,
  );
  const asked = requestOf(signIn.state);
  return asked === null || (!finished && asked === requestOf(state))
    ? write
    : { ...write, followedBy: [closeApproval(asked)] };
}

/** Another device is asked for its word. */
export const requestOf = ({ challenge }: SignInState): string | null => requestIn(challenge?.kept ?? null);

/** Where it waits for another device, that one has nothing to say any more. */
export async function closeRequestOf({ db }: Services, state: SignInState): Promise<void> {
  const asked = requestOf(state);
  if (asked !== null) {
    await db.together([closeApproval(asked)]);
  }
}

/**
 * Somebody's sign-in begins with their first step. What went before was nobody's: a page that had asked for a passkey while its person
 * ended everything elsewhere is not over by that.
 */
function begunAt(signIn: SignIn, { accountId, proofs }: SignInState): Date | null {
  return accountId === null || accountId === signIn.state.accountId
    ? null
    : new Date(Math.max(signIn.startedAt.getTime(), ...proofs.map(({ at }) => at)));
}

/** The sign-in as it stands after that write. */
export const written = (signIn: SignIn, state: SignInState): SignIn => ({
  ...signIn,
  version: signIn.version + 1,
  state,
});

/** False where another request of the same interaction was first. */
export const saveSignIn = (services: Services, signIn: SignIn, state: SignInState): Promise<boolean> =>
  services.db.together([signInStatement(services, signIn, state)]);

const place = (uidDigest: string) => ({ table: 'sign_ins', column: 'state', row: uidDigest });

/** What is to be joined stays so only for the very person whose account it is to be joined to. */
export const stillJoining = ({ joining }: SignInState, userId: string): SignInState['joining'] =>
  joining?.userId === userId ? joining : null;
