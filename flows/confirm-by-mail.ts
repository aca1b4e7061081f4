import type { Statement } from '../entities/database.ts';
import { holdForm, useHeldForm } from '../entities/held-forms.ts';
import { email } from '../factors/email.ts';
import type { Json } from '../factors/factor.ts';
import { after, minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { token } from '../lib/random.ts';
import { seal } from '../lib/seal.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Actor } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { heldFields } from './hold-form.ts';
import { sendStep } from './send-step.ts';
import type { Services } from './services.ts';
import { subjectFor } from './subject.ts';

const lifetime = minutes(10);
const pathOf = (path: string): string => `code ${path}`;

/** For somebody who has no factor of their own: a code to their verified address, for this session and this form. Null where none can go out now. */
export async function sendConfirmation(
  services: Services,
  actor: Actor,
  assessment: Assessment,
  path: string,
): Promise<string | null> {
  const { db, ring } = services;
  const id = token();
  const idDigest = digest(id);
  const now = db.clock.now();
  const step = await email.startEnrolment(subjectFor(services, actor.user, [], 'email', ''));
  const place = { table: 'held_forms', column: 'fields', row: idDigest };
  const outcome = await sendStep(services, { ...assessment, origin: actor.origin }, step, (kept) =>
    holdForm(db, {
      idDigest,
      sessionDigest: actor.sessionDigest,
      userId: actor.user.id,
      path: pathOf(path),
      fields: seal(ring, place, JSON.stringify({ kept: JSON.stringify(kept) })),
      now,
      expiresAt: after(now, lifetime),
    }),
  );
  return outcome.kind === 'started' ? id : null;
}

/**
 * What is to be written together with what the code confirms, where it is the one that was sent for this form: it works once, decided by
 * that write. Null for any other. Attempts are counted before they are checked.
 */
export async function confirmation(
  services: Services,
  actor: Actor,
  path: string,
  answer: { readonly id: string; readonly code: unknown },
): Promise<readonly Statement[] | null> {
  const limit = limitSubject(rules.mailbox, actor.user.id, 'confirmation');
  const attempt = await countAttempt(services.db, rules.mailbox, limit);
  if (!attempt.ok) return null;
  const held = await heldFields(services, actor, pathOf(path), answer.id);
  const kept = (held?.kept ? JSON.parse(held.kept) : null) as Json;
  const subject = subjectFor(services, actor.user, [], 'email', '');
  const { ok } = await email.finishEnrolment(subject, kept, { code: answer.code });
  return ok ? [useHeldForm(digest(answer.id), services.db.clock.now()), attemptSucceeded(limit)] : null;
}
