import * as z from 'zod';
import { auditEvent, type Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { dropLinks } from '../entities/one-time-links.ts';
import { givenByEndedSessions, grantEnded, recordEnded } from '../entities/provider-records.ts';
import {
  liveSessionsOf,
  otherSessionsEnded,
  type SessionRow,
  sessionEnded,
  sessionRow,
} from '../entities/sessions.ts';
import { dropSignIns } from '../entities/sign-ins.ts';
import { disconnectUser as everythingBefore } from '../entities/users.ts';
import { digest } from '../lib/digest.ts';
import { open } from '../lib/seal.ts';
import { type Proved, proved } from './proofs.ts';
import type { Services } from './services.ts';

/** Why a session ended, for the audit log and for receivers of shared signals. */
export type EndReason =
  | 'signed_out'
  | 'by_the_person'
  | 'by_an_admin'
  | 'disconnected'
  | 'credential_changed'
  | 'another_person'
  | 'by_the_provider';

/** What a session holds of each application that was signed in by it. */
const authorizations = z.record(
  z.string(),
  z.object({
    sid: z.string().optional(),
    grantId: z.string().optional(),
    /** The application was allowed to stay connected (`offline_access`). */
    persistsLogout: z.boolean().optional(),
  }),
);
type Authorizations = z.infer<typeof authorizations>;

/** Ends that a person, or nobody, has chosen: an application that may stay connected stays so. */
const staysConnected: ReadonlySet<EndReason> = new Set(['signed_out', 'by_the_person', 'another_person']);

const authorizationsOf = ({ ring }: Pick<Services, 'ring'>, row: SessionRow): Authorizations => {
  const place = { table: 'sessions', column: 'payload', row: row.uid_digest };
  const payload = JSON.parse(open(ring, place, row.payload)) as { authorizations?: unknown };
  return authorizations.parse(payload.authorizations ?? {});
};

/** What a session has proved; null before anybody is signed in by it. */
export function provedIn({ ring }: Pick<Services, 'ring'>, row: SessionRow): Proved | null {
  const place = { table: 'sessions', column: 'payload', row: row.uid_digest };
  const payload = JSON.parse(open(ring, place, row.payload)) as { proved?: unknown };
  return payload.proved === undefined ? null : proved.parse(payload.proved);
}

/** The applications that a session has signed its person in to. */
export const applicationsOf = (services: Pick<Services, 'ring'>, row: SessionRow): string[] =>
  Object.keys(authorizationsOf(services, row));

/**
 * The writes that end one session for good, to stand in the same batch as their reason: its codes, refresh and access tokens are dead,
 * every application that it signed in to is told through the outbox, and the audit log says so. A request that is under way in it
 * cannot bring it back (trap F13).
 */
export function endingSession(
  services: Pick<Services, 'db' | 'ring' | 'notify'>,
  row: SessionRow,
  origin: Origin,
  reason: EndReason,
): Statement[] {
  const { db, notify } = services;
  const now = db.clock.now();
  const { account_id: userId } = row;
  return [
    sessionEnded(row.uid_digest, now),
    ...Object.entries(authorizationsOf(services, row)).flatMap(
      ([clientId, { sid, grantId, persistsLogout }]) => [
        ...(grantId === undefined || (persistsLogout === true && staysConnected.has(reason))
          ? []
          : [grantEnded(digest(grantId), now), recordEnded('Grant', digest(grantId), now)]),
        ...(sid === undefined || userId === null ? [] : [notify.logout({ clientId, sub: userId, sid })]),
      ],
    ),
    ...(userId === null ? [] : [auditEvent(db, origin, { type: 'session.ended', userId, data: { reason } })]),
  ];
}

/**
 * The writes that end all sessions of a person, or all but the one that the person is using, with every sign-in that is under way: to
 * stand behind whatever changes the person, and the same for what came while the sessions were being looked for.
 */
export async function endingSessionsOf(
  services: Pick<Services, 'db' | 'ring' | 'notify'>,
  userId: string,
  origin: Origin,
  reason: EndReason,
  exceptUidDigest: string | null = null,
): Promise<Statement[]> {
  const now = services.db.clock.now();
  const rows = await liveSessionsOf(services.db, userId, now);
  return [
    // Who has proved something elsewhere and waits with the last step is in no list, and stays out too.
    dropSignIns(userId, now),
    ...rows
      .filter((row) => row.uid_digest !== exceptUidDigest)
      .flatMap((row) => endingSession(services, row, origin, reason)),
    otherSessionsEnded(userId, exceptUidDigest, now),
    ...(exceptUidDigest !== null && staysConnected.has(reason) ? [] : [givenByEndedSessions(userId, now)]),
    // A new address that was asked for in them, until the moment of their end; what is done after a reset goes to the one of today.
    dropLinks(userId, 'confirm_email', now),
  ];
}

/** The same for who ends them from a file, for many people at once: their applications learn of it when they ask next. */
export const endedUntold = (userId: string, now: Date): Statement[] => [
  everythingBefore(userId, now),
  dropSignIns(userId, now),
  otherSessionsEnded(userId, null, now),
  givenByEndedSessions(userId, now),
  // Whoever reads their mail may be the reason.
  dropLinks(userId, 'reset_password', now),
  dropLinks(userId, 'confirm_email', now),
];

/** Ends one session; false where it was ended before. */
export function endSessionOnce(
  services: Pick<Services, 'db' | 'ring' | 'notify'>,
  row: SessionRow,
  origin: Origin,
  reason: EndReason,
  alsoWritten: readonly Statement[] = [],
): Promise<boolean> {
  const [ending, ...rest] = endingSession(services, row, origin, reason);
  return services.db.together([...(ending ? [{ ...ending, rows: 1 }] : []), ...rest, ...alsoWritten]);
}

/**
 * Ends the session of this uid, whoever it belongs to; nothing where it was ended before. With a sign-out go the sign-ins that the
 * person has left unfinished: on a shared computer the next one must not find a tab that lacks only its last button.
 */
export async function endSessionByUid(
  services: Pick<Services, 'db' | 'ring' | 'notify'>,
  uid: string,
  origin: Origin,
  reason: EndReason,
): Promise<void> {
  const { db } = services;
  const row = await sessionRow(db, digest(uid));
  if (row && row.ended_at === null) {
    const unfinished =
      reason === 'signed_out' && row.account_id !== null ? [dropSignIns(row.account_id, db.clock.now())] : [];
    await endSessionOnce(services, row, origin, reason, unfinished);
  }
}
