import { auditEvent } from '../audit/audit.ts';
import { changeProfile as changeProfileRow } from '../entities/users.ts';
import { longestName, oneLine } from '../lib/one-line.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Services } from './services.ts';

/** What a person is called, and which language they are written to in. */
export function changeProfile(
  services: Services,
  actor: Actor,
  { name, locale }: { readonly name: string; readonly locale: string | null },
): Promise<boolean> {
  const { db } = services;
  const called = oneLine(name, longestName);
  return db.together([
    stillSignedIn(services, actor),
    changeProfileRow(actor.user.id, { name: called === '' ? null : called, locale }, db.clock.now()),
    auditEvent(db, actor.origin, { type: 'profile.changed', userId: actor.user.id }),
  ]);
}
