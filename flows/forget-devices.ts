import { auditEvent } from '../audit/audit.ts';
import { forgetRememberedDevice, forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { type Actor, actorData, whileActingIn } from './organization-actor.ts';
import type { Services } from './services.ts';

/** Forgets one remembered device of a person, or all of them; false where there is no such one. */
export async function forgetDevices(
  { db }: Pick<Services, 'db'>,
  input: {
    readonly userId: string;
    readonly organizationId: string | null;
    readonly actor: Actor;
    readonly clientId: string | null;
    readonly deviceId: string | null;
  },
): Promise<boolean> {
  const now = db.clock.now();
  return db.together([
    ...(input.organizationId === null ? [] : [whileActingIn(input.actor, input.organizationId)]),
    input.deviceId === null
      ? forgetRememberedDevices(input.userId, now)
      : forgetRememberedDevice(input.userId, input.deviceId, now),
    auditEvent(db, input.actor.origin, {
      type: 'devices.forgotten',
      userId: input.userId,
      organizationId: input.organizationId,
      clientId: input.clientId,
      data: { ...actorData(input.actor), all: input.deviceId === null },
    }),
  ]);
}
