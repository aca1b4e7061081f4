import { auditEvent } from '../audit/audit.ts';
import { dropLinks } from '../entities/one-time-links.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { securityChangedSince, setPasswordHash } from '../entities/users.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { endingSessionsOf } from './end-sessions.ts';
import { type NewPasswordProblem, newPasswordProblem } from './new-password.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';

export type PasswordChange =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly problem: NewPasswordProblem }
  /** Something was changed meanwhile, or the session was ended: nothing happened. */
  | { readonly kind: 'conflict' };

/** A new password: every other session ends, every remembered device is forgotten, and what was begun with the old one is worth nothing. */
export async function changePassword(
  services: Services,
  {
    actor,
    assessment,
    password,
  }: { readonly actor: Actor; readonly assessment: Assessment; readonly password: string },
): Promise<PasswordChange> {
  const { db, passwords } = services;
  const { user } = assessment;
  const problem = newPasswordProblem(password, assessment);
  if (problem) {
    return { kind: 'refused', problem };
  }
  const hash = await passwords.hash(password);
  const now = db.clock.now();
  const done = await db.together([
    stillSignedIn(services, actor),
    securityChangedSince(user.id, user.security_version, now),
    setPasswordHash(user.id, hash),
    forgetRememberedDevices(user.id, now),
    dropLinks(user.id, 'reset_password', now),
    ...(await endingSessionsOf(services, user.id, actor.origin, 'credential_changed', actor.sessionDigest)),
    auditEvent(db, actor.origin, { type: 'password.changed', userId: user.id }),
    ...changeMail(
      services,
      user,
      actor.origin,
      user.password_hash === null ? 'password_set' : 'password_changed',
    ),
  ]);
  return { kind: done ? 'done' : 'conflict' };
}
