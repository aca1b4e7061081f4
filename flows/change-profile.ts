import { auditEvent } from '../audit/audit.ts';
import {
  changeProfile as changeProfileRow,
  removePhone as removePhoneRow,
  securityChanged,
} from '../entities/users.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';

/** What a person is called, and which language they are written to in. */
export function changeProfile(
  services: Services,
  actor: Actor,
  { name, locale }: { readonly name: string; readonly locale: string | null },
): Promise<boolean> {
  const { db } = services;
  const called = name.trim().replace(/\s+/g, ' ').slice(0, 200);
  return db.together([
    stillSignedIn(services, actor),
    changeProfileRow(actor.user.id, { name: called === '' ? null : called, locale }, db.clock.now()),
    auditEvent(db, actor.origin, { type: 'profile.changed', userId: actor.user.id }),
  ]);
}

/** The number is not the person's any more. Codes by text message to it must be removed first: they would still prove something. */
export async function removePhone(
  services: Services,
  { actor, assessment }: { readonly actor: Actor; readonly assessment: Assessment },
): Promise<'done' | 'in_use' | 'conflict'> {
  const { db } = services;
  const { user, factors } = assessment;
  if (factors.some(({ method }) => method === 'sms')) {
    return 'in_use';
  }
  const now = db.clock.now();
  const done = await db.together([
    stillSignedIn(services, actor),
    removePhoneRow(user.id, now),
    securityChanged(user.id, now),
    auditEvent(db, actor.origin, { type: 'phone.changed', userId: user.id }),
    ...changeMail(services, user, actor.origin, 'phone_changed', { what: '–' }),
  ]);
  return done ? 'done' : 'conflict';
}
