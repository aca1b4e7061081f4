import { auditEvent, type Origin } from '../audit/audit.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { securityChangedSince } from '../entities/users.ts';
import type { Assessment } from './assess-sign-in.ts';
import { makeRecoveryCodes } from './make-recovery-codes.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { type SignIn, signInStatement } from './sign-in-state.ts';

/**
 * Eight new codes for somebody who has just used a factor and has hardly any left; they stand in the sign-in until they are saved.
 * False where something was changed meanwhile.
 */
export async function replaceLowCodes(
  services: Services,
  input: { readonly signIn: SignIn; readonly assessment: Assessment; readonly origin: Origin },
): Promise<boolean> {
  const { db } = services;
  const { signIn, assessment, origin } = input;
  const { user } = assessment;
  const { state } = signIn;
  const { codes, statements } = await makeRecoveryCodes(services, assessment);
  const now = db.clock.now();
  return db.together([
    securityChangedSince(user.id, user.security_version, now),
    ...statements,
    signInStatement(services, signIn, {
      ...state,
      // Browsers that were remembered before are forgotten, but not this one's wish of a moment ago.
      remember: state.remember && { ...state.remember, securityVersion: user.security_version + 1 },
      newRecoveryCodes: codes,
      lowCodesSeen: true,
    }),
    forgetRememberedDevices(user.id, now),
    auditEvent(db, origin, { type: 'recovery_codes.made', userId: user.id }),
    ...changeMail(services, user, origin, 'recovery_codes_made', {}, undefined, { dropCodes: true }),
  ]);
}
