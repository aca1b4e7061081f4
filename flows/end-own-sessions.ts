import { dropLinks } from '../entities/one-time-links.ts';
import { sessionRow } from '../entities/sessions.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import { endingSession, endingSessionsOf } from './end-sessions.ts';
import type { Services } from './services.ts';

/** Ends one other session of the person, at once and for good. False where it is not theirs, or not there any more. */
export async function endOwnSession(services: Services, actor: Actor, id: string): Promise<boolean> {
  const row = await sessionRow(services.db, id);
  if (!row || row.account_id !== actor.user.id || row.ended_at !== null) {
    return false;
  }
  return services.db.together([
    stillSignedIn(services, actor),
    ...endingSession(services, row, actor.origin, 'by_the_person'),
    // A new address that was asked for there, until that moment.
    dropLinks(actor.user.id, 'confirm_email', services.db.clock.now()),
  ]);
}

/** Ends all sessions of the person but the one that they act in. */
export const endOtherSessions = async (services: Services, actor: Actor): Promise<boolean> =>
  services.db.together([
    stillSignedIn(services, actor),
    ...(await endingSessionsOf(services, actor.user.id, actor.origin, 'by_the_person', actor.sessionDigest)),
  ]);
