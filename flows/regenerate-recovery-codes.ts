import { auditEvent } from '../audit/audit.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { securityChangedSince } from '../entities/users.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { makeRecoveryCodes } from './make-recovery-codes.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { beginSetUp, setUpStatement } from './set-up.ts';

/** Eight new codes in the place of all old ones, kept for the page that shows them. Null where something was changed meanwhile. */
export async function regenerateRecoveryCodes(
  services: Services,
  { actor, assessment }: { readonly actor: Actor; readonly assessment: Assessment },
): Promise<string | null> {
  const { db } = services;
  const { user } = assessment;
  if (assessment.factors.length === 0) {
    return null;
  }
  const { codes, statements } = await makeRecoveryCodes(services, assessment);
  const setUp = beginSetUp(services, actor);
  const now = db.clock.now();
  const done = await db.together([
    stillSignedIn(services, actor),
    securityChangedSince(user.id, user.security_version, now),
    ...statements,
    setUpStatement(services, setUp, { newRecoveryCodes: codes }),
    forgetRememberedDevices(user.id, now),
    auditEvent(db, actor.origin, { type: 'recovery_codes.made', userId: user.id }),
    ...changeMail(services, user, actor.origin, 'recovery_codes_made', {}, undefined, { dropCodes: true }),
  ]);
  return done ? setUp.id : null;
}
