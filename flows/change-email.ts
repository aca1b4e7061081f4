import { auditEvent, type Origin } from '../audit/audit.ts';
import { isDuplicate } from '../entities/database.ts';
import { dropLinks, useLink } from '../entities/one-time-links.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { endResets } from '../entities/two-factor-resets.ts';
import {
  canonicalEmail,
  changeEmail,
  proveEmail,
  securityChangedSince,
  userByEmail,
  userById,
} from '../entities/users.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { countMessage } from './message-limits.ts';
import { type FoundLink, makeLink } from './one-time-link.ts';
import { phoneOf, securityMail } from './security-mail.ts';
import type { Services } from './services.ts';

export type EmailChange =
  | { readonly kind: 'asked' }
  | { readonly kind: 'bad_address' }
  | { readonly kind: 'same' }
  | { readonly kind: 'too_soon'; readonly retryAt: Date | null }
  | { readonly kind: 'conflict' };

/**
 * Sends a link to the new address; nothing changes before it is followed there. Whether the address has an account already is not told.
 * With the address of today it proves that one.
 */
export async function askToChangeEmail(
  services: Services,
  {
    actor,
    assessment,
    email: typed,
  }: { readonly actor: Actor; readonly assessment: Assessment; readonly email: string },
): Promise<EmailChange> {
  const { db, notify } = services;
  const { user, memberships } = assessment;
  const email = canonicalEmail(typed);
  if (asciiAddress(email) === null) {
    return { kind: 'bad_address' };
  }
  if (email === user.email && user.email_verified === 1) {
    return { kind: 'same' };
  }
  const message = { by: 'email', to: email, template: 'confirm-email', values: {} } as const;
  const counted = await countMessage(
    services,
    { user, memberships, origin: actor.origin },
    message,
    'change',
  );
  if (counted.kind !== 'ok') {
    return { kind: 'too_soon', retryAt: counted.kind === 'too_soon' ? counted.retryAt : null };
  }
  const other = await userByEmail(db, email);
  const isFree = other === null || other.id === user.id;
  const link = makeLink(services, 'confirm_email', user.id, {
    email,
    securityVersion: String(user.security_version),
  });
  const done = await db.together([
    stillSignedIn(services, actor),
    dropLinks(user.id, 'confirm_email', db.clock.now()),
    link.statement,
    auditEvent(db, actor.origin, { type: 'email.change_asked', userId: user.id }),
    ...(isFree
      ? [
          notify.mail({
            to: email,
            userId: user.id,
            locale: user.locale ?? actor.origin.language ?? user.last_language,
            template: 'confirm-email',
            values: { name: user.name, url: link.url, email },
          }),
        ]
      : []),
  ]);
  return { kind: done ? 'asked' : 'conflict' };
}

/**
 * The link was followed at the new address: it is the person's from now on. The old one is told, and can take it back for a week. What
 * was asked for before a factor, password or number was changed is nothing any more: whoever asked had less to prove.
 */
export async function confirmEmail(
  services: Services,
  { link, origin }: { readonly link: FoundLink; readonly origin: Origin },
): Promise<boolean> {
  const { db } = services;
  const user = await userById(db, link.userId);
  const { email } = link.data;
  if (!user || user.disabled_at !== null || email === undefined) {
    return false;
  }
  const now = db.clock.now();
  if (email === user.email) {
    return db.together([
      useLink(link.idDigest, now),
      proveEmail(user.id),
      auditEvent(db, origin, { type: 'email.changed', userId: user.id, data: { proved: true } }),
    ]);
  }
  if (link.data.securityVersion !== String(user.security_version)) {
    return false;
  }
  try {
    return await db.together([
      useLink(link.idDigest, now),
      changeEmail(user.id, user.email, email, now),
      securityChangedSince(user.id, user.security_version, now),
      forgetRememberedDevices(user.id, now),
      dropLinks(user.id, 'reset_password', now),
      // Sent to the address of before.
      endResets(user.id, now),
      auditEvent(db, origin, { type: 'email.changed', userId: user.id }),
      ...securityMail(services, user, origin, {
        template: 'account-changed',
        values: { change: 'email_changed', what: email },
        to: user.email,
        // Of another number that is put in from now on, only the new address is told.
        undo: { restoreEmail: user.email, restorePhone: phoneOf(user) },
      }),
    ]);
  } catch (error) {
    if (isDuplicate(error)) {
      return false;
    }
    throw error;
  }
}
