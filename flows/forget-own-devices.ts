import { auditEvent } from '../audit/audit.ts';
import { forgetRememberedDevice, forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Services } from './services.ts';

/** One remembered device of the person, or all of them. False where there is no such device of theirs. */
export function forgetOwnDevices(services: Services, actor: Actor, id: string | 'all'): Promise<boolean> {
  const { db } = services;
  const { user, origin } = actor;
  const now = db.clock.now();
  return db.together([
    stillSignedIn(services, actor),
    id === 'all' ? forgetRememberedDevices(user.id, now) : forgetRememberedDevice(user.id, id, now),
    auditEvent(db, origin, { type: 'device.forgotten', userId: user.id, data: { all: id === 'all' } }),
  ]);
}
