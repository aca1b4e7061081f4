import type { Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { keepSession } from '../entities/sessions.ts';
import type { UserRow } from '../entities/users.ts';
import type { Services } from './services.ts';

/** Who does something on a page that needs a session: the person, the session that they do it in, and where that came from. */
export interface Actor {
  readonly user: UserRow;
  /** Digest of the session's uid. */
  readonly sessionDigest: string;
  readonly origin: Origin;
}

/**
 * Belongs into every batch that changes something on behalf of somebody who is signed in: where their session was ended while the
 * request was under way, the whole batch is undone (trap F13).
 */
export const stillSignedIn = ({ db }: Services, actor: Actor): Statement =>
  keepSession(actor.sessionDigest, actor.user.id, db.clock.now());
