import { setTimeout as sleep } from 'node:timers/promises';
import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { membershipsOf } from '../entities/memberships.ts';
import { dropLinks, useLink } from '../entities/one-time-links.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import {
  disconnectUser,
  proveEmail,
  securityChanged,
  setPasswordHash,
  userByEmail,
  userById,
} from '../entities/users.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { endingSessionsOf } from './end-sessions.ts';
import { countMessage } from './message-limits.ts';
import { type NewPasswordProblem, newPasswordProblem } from './new-password.ts';
import { type FoundLink, makeLink } from './one-time-link.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { signsInElsewhere } from './signs-in-elsewhere.ts';

/** Long enough for all that is done for an account that exists, so that the time says nothing (security.md T144). */
const answerAfter = 400;

/**
 * "Forgotten your password?": a mail with a link, where there is such an account. Nobody is told whether there is, and nothing about
 * the account changes by it.
 */
export async function askForPasswordReset(
  services: Services,
  { email, origin }: { readonly email: unknown; readonly origin: Origin },
): Promise<void> {
  const answer = sleep(answerAfter);
  try {
    await sendReset(services, email, origin);
  } finally {
    await answer;
  }
}

async function sendReset(services: Services, email: unknown, origin: Origin): Promise<void> {
  const { db, notify } = services;
  const user =
    asciiAddress(typeof email === 'string' ? email.trim() : email) === null
      ? null
      : await userByEmail(db, String(email));
  if (!user || user.disabled_at !== null) {
    await audit(db, origin, { type: 'password.reset_asked', data: { known: false } });
    return;
  }
  const memberships = await membershipsOf(db, user.id);
  const message = { by: 'email', to: user.email, template: 'password-reset', values: {} } as const;
  const counted = await countMessage(services, { user, memberships, origin }, message, 'reset');
  if (counted.kind !== 'ok') {
    return;
  }
  const happened = {
    name: user.name,
    at: db.clock.now().toISOString(),
    ip: origin.ip,
    userAgent: origin.userAgent,
  };
  const locale = user.locale ?? origin.language ?? user.last_language;
  const provider = await signsInElsewhere(services, user);
  if (provider !== null) {
    await db.together([
      auditEvent(db, origin, {
        type: 'password.reset_asked',
        userId: user.id,
        data: { known: true, elsewhere: true },
      }),
      notify.mail({
        to: user.email,
        locale,
        template: 'password-elsewhere',
        values: { ...happened, provider },
      }),
    ]);
    return;
  }
  const link = makeLink(services, 'reset_password', user.id, { email: user.email });
  await db.together([
    // Of several mails the newest counts.
    dropLinks(user.id, 'reset_password', db.clock.now()),
    link.statement,
    auditEvent(db, origin, { type: 'password.reset_asked', userId: user.id, data: { known: true } }),
    notify.mail({
      to: user.email,
      locale,
      template: 'password-reset',
      values: { ...happened, url: link.url, minutes: 60 },
    }),
  ]);
}

export type PasswordReset =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly problem: NewPasswordProblem }
  /** The link was used meanwhile, or its person is gone. */
  | { readonly kind: 'ended' };

/**
 * A new password by a link: once. All sessions and remembered devices end. It signs nobody in, and no factor is removed or skipped by it
 * (security.md T014).
 */
export async function resetPassword(
  services: Services,
  input: { readonly link: FoundLink; readonly password: string; readonly origin: Origin },
): Promise<PasswordReset> {
  const { db, passwords } = services;
  const { link, origin } = input;
  const user = await userById(db, link.userId);
  if (!user || user.disabled_at !== null) {
    return { kind: 'ended' };
  }
  const problem = newPasswordProblem(input.password, { user, memberships: await membershipsOf(db, user.id) });
  if (problem) {
    return { kind: 'refused', problem };
  }
  const hash = await passwords.hash(input.password);
  const now = db.clock.now();
  const first = await db.together([
    useLink(link.idDigest, now),
    setPasswordHash(user.id, hash),
    // The link came to this address.
    ...(link.data.email === user.email ? [proveEmail(user.id)] : []),
    securityChanged(user.id, now),
    disconnectUser(user.id, now),
    forgetRememberedDevices(user.id, now),
    dropLinks(user.id, 'reset_password', now),
    ...(await endingSessionsOf(services, user.id, origin, 'credential_changed')),
    auditEvent(db, origin, { type: 'password.reset', userId: user.id }),
    ...changeMail(services, user, origin, 'password_reset'),
  ]);
  return { kind: first ? 'done' : 'ended' };
}
