import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { email } from '../factors/email.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Assessment } from './assess-sign-in.ts';
import { type SendOutcome, sendStep } from './send-step.ts';
import type { Services } from './services.ts';
import { type SignIn, signInStatement } from './sign-in-state.ts';
import { subjectFor } from './subject.ts';

interface MailboxInput {
  readonly signIn: SignIn;
  readonly assessment: Assessment;
  readonly origin: Origin;
  readonly clientId: string;
}

/**
 * Sends the code that must be answered before anything is set up after an admin's reset: a password alone must not bind a
 * stranger's device (product.md §2, rule 7). To the verified address only, whatever the request says. It is the same code as that
 * of the e-mail method, but proves only the mailbox.
 */
export async function sendMailboxCode(services: Services, input: MailboxInput): Promise<SendOutcome> {
  const { signIn, assessment } = input;
  const { user } = assessment;
  const step = await email.startEnrolment(subjectFor(services, user, [], 'email', ''));
  const { origin, clientId } = input;
  const recipient = { ...assessment, origin, clientId };
  const outcome = await sendStep(services, recipient, step, (kept, _shown, sentAt) =>
    signInStatement(services, signIn, { ...signIn.state, mailbox: { kept, sentAt: sentAt ?? 0 } }),
  );
  if (outcome.kind === 'started') {
    await audit(services.db, input.origin, {
      type: 'mailbox.sent',
      userId: user.id,
      clientId: input.clientId,
    });
  }
  return outcome;
}

export type MailboxOutcome =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'blocked'; readonly retryAt: Date | null };

/** The code that was sent for this very interaction, once: that the sign-in moves on with the same write decides who was first. */
export async function answerMailboxCode(
  services: Services,
  input: MailboxInput & { readonly typed: unknown },
): Promise<MailboxOutcome> {
  const { db } = services;
  const { signIn, assessment } = input;
  const { user } = assessment;
  // Another reset begins anew.
  const limit = limitSubject(rules.mailbox, user.id, String(user.reset_at));
  const attempt = await countAttempt(db, rules.mailbox, limit);
  if (!attempt.ok) {
    return { kind: 'blocked', retryAt: attempt.retryAt };
  }
  const { mailbox } = signIn.state;
  const subject = subjectFor(services, user, [], 'email', '');
  const { ok } = await email.finishEnrolment(subject, mailbox?.kept ?? null, { code: input.typed });
  const proof = {
    kind: 'mailbox' as const,
    at: db.clock.now().getTime(),
    factorId: null,
    amr: [],
    userVerified: false,
  };
  const first =
    ok &&
    (await db.together([
      signInStatement(services, signIn, {
        ...signIn.state,
        mailbox: null,
        proofs: [...signIn.state.proofs, proof],
        changed: true,
      }),
      attemptSucceeded(limit),
      auditEvent(db, input.origin, { type: 'mailbox.answered', userId: user.id, clientId: input.clientId }),
    ]));
  if (!first) {
    await audit(db, input.origin, { type: 'mailbox.failed', userId: user.id, clientId: input.clientId });
    return { kind: 'wrong' };
  }
  return { kind: 'right' };
}
