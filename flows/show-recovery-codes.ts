import { auditEvent } from '../audit/audit.ts';
import { useHeldForm } from '../entities/held-forms.ts';
import { instancePolicy } from '../entities/organizations.ts';
import { unusedRecoveryCodes } from '../entities/recovery-codes.ts';
import { open } from '../lib/seal.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { recoveryCodePlace, recoveryCodeRules } from './recovery-code-rules.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';

/** True where every organization of the person lets codes be shown again, and those that they have can be read. */
export async function maySeeRecoveryCodes(services: Services, assessment: Assessment): Promise<boolean> {
  const { db } = services;
  if (!recoveryCodeRules(assessment.memberships, await instancePolicy(db)).showAgain) {
    return false;
  }
  const unused = await unusedRecoveryCodes(db, assessment.user.id);
  return unused.length > 0 && unused.every(({ sealed }) => sealed !== null);
}

export type ShownCodes =
  | { readonly kind: 'shown'; readonly codes: readonly string[] }
  /** They may not be seen, or cannot be read any more. */
  | { readonly kind: 'not_again' }
  /** The wish was used already, or the session was ended: nothing happened. */
  | { readonly kind: 'conflict' };

/**
 * The codes that are left, once more; the person is told that somebody has looked. `held` is the form that was kept while a fresh proof
 * was given: it is used up by it.
 */
export async function showRecoveryCodes(
  services: Services,
  {
    actor,
    assessment,
    held,
  }: { readonly actor: Actor; readonly assessment: Assessment; readonly held: string | null },
): Promise<ShownCodes> {
  const { db, ring } = services;
  if (!(await maySeeRecoveryCodes(services, assessment))) {
    return { kind: 'not_again' };
  }
  const userId = assessment.user.id;
  const unused = await unusedRecoveryCodes(db, userId);
  const told = await db.together([
    stillSignedIn(services, actor),
    ...(held === null ? [] : [useHeldForm(held, db.clock.now())]),
    auditEvent(db, actor.origin, { type: 'recovery_codes.shown', userId }),
    ...changeMail(services, assessment.user, actor.origin, 'recovery_codes_shown', {}, undefined, {
      dropCodes: true,
    }),
  ]);
  if (!told) {
    return { kind: 'conflict' };
  }
  const codes = unused.flatMap(({ id, sealed }) =>
    sealed === null ? [] : [open(ring, recoveryCodePlace(userId, id), sealed)],
  );
  return { kind: 'shown', codes };
}
