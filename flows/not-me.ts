import { auditEvent, type Origin } from '../audit/audit.ts';
import { closeFactor, factorsOf } from '../entities/factors.ts';
import { refreshDirectory } from '../entities/member-directory.ts';
import { dropLinks, dropLinksSince, useLink } from '../entities/one-time-links.ts';
import { forgetRecoveryCodes, forgetRecoveryCodesSince } from '../entities/recovery-codes.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { endResets } from '../entities/two-factor-resets.ts';
import { removeUpstreamLink, upstreamLinksOf } from '../entities/upstream-links.ts';
import {
  disconnectUser,
  restoreEmail,
  restorePhone,
  securityChangedSince,
  setPasswordHash,
  type UserRow,
  userByEmail,
  userById,
} from '../entities/users.ts';
import { endingSessionsOf } from './end-sessions.ts';
import { type FoundLink, makeLink } from './one-time-link.ts';
import { undoOf } from './security-mail.ts';
import type { Services } from './services.ts';
import { signsInElsewhere } from './signs-in-elsewhere.ts';

interface Input {
  readonly link: FoundLink;
  readonly origin: Origin;
}

/**
 * "This was not me": whoever is signed in, is not any more; the password that somebody else may know opens nothing; remembered devices
 * are forgotten. What the mail told of is undone: an address or a number is put back, a factor closed, recovery codes dropped, another provider's
 * account disconnected; with an address, all ways in that were set up since it was changed. All other factors stay. Returns where to go on: to the link by which a new password is chosen, or, for somebody who
 * has none, to the sign-in. Null where somebody was first.
 */
export async function notMe(services: Services, input: Input): Promise<string | null> {
  const { db } = services;
  for (let attempt = 1; ; attempt += 1) {
    const user = await userById(db, input.link.userId);
    if (!user || user.disabled_at !== null) {
      return null;
    }
    const next = await undo(services, user, input);
    if (next !== null || attempt === 5) {
      return next;
    }
    // What was set up since it was read what there is must be undone with the rest.
    if ((await userById(db, user.id))?.security_version === user.security_version) {
      return null;
    }
  }
}

/** Null where the link was used, or something of the person's security has changed since `user` was read. */
async function undo(services: Services, user: UserRow, { link, origin }: Input): Promise<string | null> {
  const { db } = services;
  const {
    restoreEmail: before,
    restorePhone: phone,
    closeFactors = [],
    dropCodes,
    disconnect,
  } = undoOf(link.data);
  const isFree = before !== undefined && before !== user.email && (await userByEmail(db, before)) === null;
  // The number is a way in too, where somebody else has put in both.
  const isOtherNumber =
    phone !== undefined && (before === undefined || (isFree && phone.number !== user.phone));
  const isElsewhere = (await signsInElsewhere(services, user)) !== null && disconnect === undefined;
  const next = isElsewhere
    ? null
    : makeLink(services, 'reset_password', user.id, { email: before ?? user.email });
  const now = db.clock.now();
  const closed = (await factorsOf(db, user.id)).filter(
    ({ id, method, disabled_at, confirmed_at }) =>
      closeFactors.includes(id) ||
      (isFree && disabled_at === null && confirmed_at >= link.madeAt.getTime()) ||
      // Codes may have been moved on to yet another number since.
      (isOtherNumber && method === 'sms' && disabled_at === null && confirmed_at >= link.madeAt.getTime()),
  );
  const connected = (await upstreamLinksOf(db, user.id)).filter(
    ({ id, created_at }) => id === disconnect || (isFree && created_at >= link.madeAt.getTime()),
  );
  const first = await db.together([
    useLink(link.idDigest, now),
    securityChangedSince(user.id, user.security_version, now),
    dropLinks(user.id, 'reset_password', now),
    endResets(user.id, now),
    ...(next === null ? [] : [next.statement]),
    setPasswordHash(user.id, null),
    // Whatever was set up since then is the other person's, and what was told of it went to them, with such a link each.
    ...(isFree
      ? [
          restoreEmail(user.id, before),
          dropLinksSince(user.id, 'not_me', link.madeAt, now),
          forgetRecoveryCodesSince(user.id, link.madeAt),
        ]
      : []),
    ...(isOtherNumber ? [restorePhone(user.id, phone)] : []),
    ...closed.flatMap(({ id, method }) => [
      closeFactor(user.id, id, now),
      auditEvent(db, origin, { type: 'factor.disabled', userId: user.id, data: { method, factor: id } }),
    ]),
    ...(closed.length > 0 ? [refreshDirectory([user.id])] : []),
    ...(dropCodes ? [forgetRecoveryCodes(user.id)] : []),
    ...connected.flatMap(({ id, provider_name }) => [
      ...removeUpstreamLink(user.id, id),
      auditEvent(db, origin, {
        type: 'upstream.unlinked',
        userId: user.id,
        data: { provider: provider_name },
      }),
    ]),
    disconnectUser(user.id, now),
    forgetRememberedDevices(user.id, now),
    ...(await endingSessionsOf(services, user.id, origin, 'by_the_person')),
    auditEvent(db, origin, {
      type: 'not_me',
      userId: user.id,
      data: { addressRestored: isFree, phoneRestored: phone !== undefined },
    }),
  ]);
  return first ? (next?.url ?? new URL('/account', services.settings.issuer).href) : null;
}
