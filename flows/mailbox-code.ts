import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { after, minutes } from '../lib/clock.ts';
import { keyedDigest, keyedDigests, sameDigest } from '../lib/digest.ts';
import { digits } from '../lib/random.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Assessment } from './assess-sign-in.ts';
import type { Services } from './services.ts';
import { type SignIn, signInStatement } from './sign-in-state.ts';

/** Codes live so long (NIST SP 800-63B-4, 3.1.3.2). */
export const mailboxCodeMinutes = 10;

export type SendOutcome =
  | { readonly kind: 'sent' }
  | { readonly kind: 'too_soon'; readonly retryAt: Date | null }
  | { readonly kind: 'conflict' };

/**
 * Sends the code that must be answered before anything is set up after an admin's reset: a password alone must not bind a
 * stranger's device (product.md §2, rule 7). To the verified address only, whatever the request says; a new code replaces the old
 * one and does not begin the count of failures anew.
 */
export async function sendMailboxCode(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly assessment: Assessment;
    readonly applicationName: string | null;
    readonly origin: Origin;
    readonly clientId: string;
  },
): Promise<SendOutcome> {
  const { db, ring, notify } = services;
  const { user } = input.assessment;
  const attempt = await countAttempt(db, rules.send, limitSubject(rules.send, user.id));
  if (!attempt.ok) {
    return { kind: 'too_soon', retryAt: attempt.retryAt };
  }
  const now = db.clock.now();
  const code = digits(6);
  const expiresAt = after(now, minutes(mailboxCodeMinutes));
  const mailbox = {
    digest: keyedDigest(ring, 'mailbox code', bound(input.signIn.uid, code)),
    expiresAt: expiresAt.getTime(),
    sentAt: now.getTime(),
  };
  const first = await db.together([
    signInStatement(services, input.signIn, { ...input.signIn.state, mailbox }),
    notify.mail({
      to: user.email,
      locale: user.locale,
      template: 'code',
      values: { name: user.name, code, minutes: mailboxCodeMinutes, applicationName: input.applicationName },
      expiresAt,
    }),
    auditEvent(db, input.origin, { type: 'mailbox.sent', userId: user.id, clientId: input.clientId }),
  ]);
  return first ? { kind: 'sent' } : { kind: 'conflict' };
}

export type MailboxOutcome =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'blocked'; readonly retryAt: Date | null };

/** The code that was sent for this very interaction, once; that the sign-in moves on with the same write decides who was first. */
export async function answerMailboxCode(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly assessment: Assessment;
    readonly typed: unknown;
    readonly origin: Origin;
    readonly clientId: string;
  },
): Promise<MailboxOutcome> {
  const { db, ring } = services;
  const { signIn } = input;
  const userId = input.assessment.user.id;
  const limit = limitSubject(rules.mailbox, userId);
  const attempt = await countAttempt(db, rules.mailbox, limit);
  if (!attempt.ok) {
    return { kind: 'blocked', retryAt: attempt.retryAt };
  }
  const now = db.clock.now();
  const { mailbox } = signIn.state;
  const code = typeof input.typed === 'string' ? input.typed.replace(/[\s-]/g, '') : '';
  const right =
    mailbox !== null &&
    mailbox.expiresAt > now.getTime() &&
    /^\d{6}$/.test(code) &&
    keyedDigests(ring, 'mailbox code', bound(signIn.uid, code)).some((digest) =>
      sameDigest(digest, mailbox.digest),
    );
  const proof = { kind: 'mailbox' as const, at: now.getTime(), factorId: null, amr: [], userVerified: false };
  const first =
    right &&
    (await db.together([
      signInStatement(services, signIn, {
        ...signIn.state,
        mailbox: null,
        proofs: [...signIn.state.proofs, proof],
        changed: true,
      }),
      attemptSucceeded(limit),
    ]));
  if (!first) {
    await audit(db, input.origin, { type: 'mailbox.failed', userId, clientId: input.clientId });
    return { kind: 'wrong' };
  }
  return { kind: 'right' };
}

/** A code is worth something only in the interaction for which it was sent. */
const bound = (uid: string, code: string): string => JSON.stringify([uid, code]);
