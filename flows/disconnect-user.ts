import { auditEvent, type Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { givenByEndedSessions } from '../entities/provider-records.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { liveSessionsOf } from '../entities/sessions.ts';
import {
  disconnectUser as everythingBefore,
  requireFreshFactor,
  securityChanged,
  userById,
} from '../entities/users.ts';
import { endingSession, endingSessionsOf } from './end-sessions.ts';
import type { Services } from './services.ts';

export interface Disconnection {
  readonly userId: string;
  /** Why, in the words of whoever asks; for the audit log. */
  readonly reason: string;
  /** One session by its id, or all of them with every pending sign-in, code and token. */
  readonly scope: { readonly kind: 'all' } | { readonly kind: 'session'; readonly id: string };
  readonly forgetDevices: boolean;
  /** On whose behalf, for the audit log. */
  readonly by: {
    readonly organizationId: string | null;
    readonly clientId: string | null;
    readonly userId: string | null;
  };
  readonly origin: Origin;
  /** What must still hold at that moment, or nothing happens: that whoever asks may still ask. */
  readonly whileTrue?: readonly Statement[];
}

export type Disconnected =
  | { readonly kind: 'done'; readonly sessions: number; readonly devicesForgotten: boolean }
  | { readonly kind: 'no_user' }
  | { readonly kind: 'no_session' };

/**
 * Ends what a person has open here (security.md T106): from the moment of the write on, on every server, also for requests that are
 * under way. Applications are told through the outbox. The next sign-in needs a factor, on a remembered device too; `forgetDevices`
 * forgets those for good. Doing it again finds nothing more to end.
 */
export async function disconnectUser(services: Services, input: Disconnection): Promise<Disconnected> {
  const { db } = services;
  const { userId, scope, forgetDevices, origin, by, whileTrue = [] } = input;
  const now = db.clock.now();
  if (!(await userById(db, userId))) {
    return { kind: 'no_user' };
  }
  const live = await liveSessionsOf(db, userId, now);
  const ending = scope.kind === 'all' ? live : live.filter(({ uid_digest }) => uid_digest === scope.id);
  if (scope.kind === 'session' && ending.length === 0) {
    return { kind: 'no_session' };
  }
  const statements: Statement[] = [
    ...whileTrue,
    ...(scope.kind === 'all' ? [everythingBefore(userId, now)] : []),
    requireFreshFactor(userId, now),
    ...(forgetDevices ? [forgetRememberedDevices(userId, now), securityChanged(userId, now)] : []),
    ...(scope.kind === 'all'
      ? await endingSessionsOf(services, userId, origin, 'disconnected')
      : [
          ...ending.flatMap((row) => endingSession(services, row, origin, 'disconnected')),
          givenByEndedSessions(userId, now),
        ]),
    auditEvent(db, origin, {
      type: 'user.disconnected',
      userId,
      organizationId: by.organizationId,
      clientId: by.clientId,
      data: {
        reason: input.reason,
        scope: scope.kind,
        forgetDevices,
        sessions: ending.length,
        ...(by.userId === null ? {} : { by: by.userId }),
      },
    }),
  ];
  if (!(await db.together(statements))) {
    return { kind: 'no_user' };
  }
  return { kind: 'done', sessions: ending.length, devicesForgotten: forgetDevices };
}
