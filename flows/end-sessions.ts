import { auditEvent, type Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { grantEnded, recordEnded } from '../entities/provider-records.ts';
import { liveSessionsOf, type SessionRow, sessionEnded, sessionRow } from '../entities/sessions.ts';
import { digest } from '../lib/digest.ts';
import { open } from '../lib/seal.ts';
import type { Services } from './services.ts';

/** Why a session ended, for the audit log and for receivers of shared signals. */
export type EndReason =
  | 'signed_out'
  | 'by_the_person'
  | 'by_an_admin'
  | 'disconnected'
  | 'credential_changed'
  | 'another_person';

/** What a session holds of each application that was signed in by it. */
interface Authorizations {
  readonly [clientId: string]: { readonly sid?: string; readonly grantId?: string };
}

const authorizationsOf = ({ ring }: Pick<Services, 'ring'>, row: SessionRow): Authorizations => {
  const place = { table: 'sessions', column: 'payload', row: row.uid_digest };
  const payload = JSON.parse(open(ring, place, row.payload)) as { authorizations?: Authorizations };
  return payload.authorizations ?? {};
};

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
  const authorizations = Object.entries(authorizationsOf(services, row));
  return [
    sessionEnded(row.uid_digest, now),
    ...authorizations.flatMap(([clientId, { sid, grantId }]) => [
      ...(grantId === undefined
        ? []
        : [grantEnded(digest(grantId), now), recordEnded('Grant', digest(grantId), now)]),
      ...(sid === undefined || userId === null ? [] : [notify.logout({ clientId, sub: userId, sid })]),
    ]),
    ...(userId === null ? [] : [auditEvent(db, origin, { type: 'session.ended', userId, data: { reason } })]),
  ];
}

/** The writes that end all sessions of a person, or all but the one that the person is using. */
export async function endingSessionsOf(
  services: Pick<Services, 'db' | 'ring' | 'notify'>,
  userId: string,
  origin: Origin,
  reason: EndReason,
  exceptUidDigest: string | null = null,
): Promise<Statement[]> {
  const rows = await liveSessionsOf(services.db, userId, services.db.clock.now());
  return rows
    .filter((row) => row.uid_digest !== exceptUidDigest)
    .flatMap((row) => endingSession(services, row, origin, reason));
}

/** Ends the session of this uid, whoever it belongs to; nothing where it was ended before. */
export async function endSessionByUid(
  services: Pick<Services, 'db' | 'ring' | 'notify'>,
  uid: string,
  origin: Origin,
  reason: EndReason,
): Promise<void> {
  const row = await sessionRow(services.db, digest(uid));
  if (row && row.ended_at === null) {
    await services.db.together(endingSession(services, row, origin, reason));
  }
}
