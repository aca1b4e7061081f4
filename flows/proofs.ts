import * as z from 'zod';
import { type Choices, methods, type Proof } from '../policy/types.ts';

/** How proofs are written down, in a pending sign-in and in a session: moments as milliseconds. */
export const storedProof = z.object({
  kind: z.enum(['password', 'upstream', 'recovery_code', 'mailbox', ...methods]),
  at: z.number(),
  factorId: z.string().nullable(),
  amr: z.array(z.string()),
  userVerified: z.boolean(),
  /** What an upstream provider said, word for word; what it counts for is decided anew each time (upstream-proofs.ts). */
  upstream: z
    .object({
      acr: z.string().nullable(),
      amr: z.array(z.string()),
      /** When its word came to us; `at` is when its person signed in there. */
      cameAt: z.number(),
      ageUnknown: z.boolean(),
    })
    .optional(),
});

export const storedChoices = z.object({
  skippedAt: z.number().nullable(),
  dismissedAt: z.number().nullable(),
});

export type StoredProof = z.infer<typeof storedProof>;
export type StoredChoices = z.infer<typeof storedChoices>;

/** What a finished sign-in leaves in the session, for every later decision. */
export const proved = z.object({
  proofs: z.array(storedProof),
  choices: storedChoices,
  /** The remembered device that stood in for a factor; checked again at every decision. */
  deviceId: z.string().nullable(),
  /** When the first step of this session was taken: its absolute end counts from here. */
  startedAt: z.number(),
  finishedAt: z.number(),
  /** Digest of the sign-in's name: where it is dropped in the moment of being handed over, no session comes of it. */
  signIn: z.string().optional(),
  /** Where the sign-in came from, to be shown to its person; nothing is decided by it. */
  origin: z.object({ ip: z.string().nullable(), userAgent: z.string().nullable() }).optional(),
});

export type Proved = z.infer<typeof proved>;

export const noChoices: StoredChoices = { skippedAt: null, dismissedAt: null };

export const proofFrom = ({ upstream: _, ...proof }: StoredProof): Proof => ({
  ...proof,
  at: new Date(proof.at),
});

/** When a proof was given in this browser: what a session's absolute end counts from. */
export const givenAt = ({ at, upstream }: StoredProof): number => upstream?.cameAt ?? at;

export const choicesFrom = (stored: StoredChoices): Choices => ({
  skippedAt: stored.skippedAt === null ? null : new Date(stored.skippedAt),
  dismissedAt: stored.dismissedAt === null ? null : new Date(stored.dismissedAt),
});
