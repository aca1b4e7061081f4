import { auditEvent, type Origin } from '../audit/audit.ts';
import { dropLinks, useLink } from '../entities/one-time-links.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import {
  disconnectUser,
  restoreEmail,
  securityChanged,
  setPasswordHash,
  userByEmail,
  userById,
} from '../entities/users.ts';
import { endingSessionsOf } from './end-sessions.ts';
import { type FoundLink, makeLink } from './one-time-link.ts';
import type { Services } from './services.ts';

/**
 * "This was not me": whoever is signed in, is not any more; the password that somebody else may know opens nothing; remembered devices
 * are forgotten; an address that was changed is put back. Factors stay. Returns the name of the link by which a new password is chosen,
 * null where somebody was first.
 */
export async function notMe(
  services: Services,
  { link, origin }: { readonly link: FoundLink; readonly origin: Origin },
): Promise<string | null> {
  const { db } = services;
  const user = await userById(db, link.userId);
  if (!user || user.disabled_at !== null) {
    return null;
  }
  const before = link.data.restoreEmail;
  const isFree = before !== undefined && before !== user.email && (await userByEmail(db, before)) === null;
  const next = makeLink(services, 'reset_password', user.id, { email: before ?? user.email });
  const now = db.clock.now();
  const first = await db.together([
    useLink(link.idDigest, now),
    dropLinks(user.id, 'reset_password', now),
    dropLinks(user.id, 'confirm_email', now),
    next.statement,
    setPasswordHash(user.id, null),
    ...(isFree ? [restoreEmail(user.id, before)] : []),
    securityChanged(user.id, now),
    disconnectUser(user.id, now),
    forgetRememberedDevices(user.id, now),
    ...(await endingSessionsOf(services, user.id, origin, 'by_the_person')),
    auditEvent(db, origin, { type: 'not_me', userId: user.id, data: { addressRestored: isFree } }),
  ]);
  return first ? next.url : null;
}
