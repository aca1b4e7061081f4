import type { Statement } from '../entities/database.ts';
import type { UserRow } from '../entities/users.ts';
import type { Json, Message, Step } from '../factors/factor.ts';
import { after, minutes } from '../lib/clock.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Services } from './services.ts';

export type SendOutcome =
  | { readonly kind: 'started' }
  | { readonly kind: 'too_soon'; readonly retryAt: Date | null }
  /** Another request of the same interaction was first. */
  | { readonly kind: 'conflict' };

/** Where the messages to one person are counted. */
export const sendLimit = (userId: string, by: Message['by']): string => limitSubject(rules.send, userId, by);

/** What is sent for a step is worth nothing after so long, and is not sent later. */
const lifetime = minutes(10);

/**
 * Writes what a factor keeps for a step together with the message that it wants delivered. Messages are limited per person and
 * method, whatever they are for; a new one does not begin any count of failures anew.
 */
export async function sendStep(
  services: Services,
  user: UserRow,
  step: Step,
  write: (kept: Json, shown: Json, sentAt: number | null) => Statement,
): Promise<SendOutcome> {
  const { db } = services;
  const { keep, show, send } = step;
  if (send) {
    const attempt = await countAttempt(db, rules.send, sendLimit(user.id, send.by));
    if (!attempt.ok) {
      return { kind: 'too_soon', retryAt: attempt.retryAt };
    }
  }
  const now = db.clock.now();
  const first = await db.together([
    write(keep, show, send ? now.getTime() : null),
    ...(send ? [message(services, user, send)] : []),
  ]);
  return { kind: first ? 'started' : 'conflict' };
}

function message({ db, notify }: Services, user: UserRow, send: Message): Statement {
  const expiresAt = after(db.clock.now(), lifetime);
  if (send.by === 'sms') {
    throw new Error('text messages cannot be sent yet');
  }
  return notify.mail({
    to: send.to,
    locale: user.locale,
    template: send.template,
    values: { name: user.name, applicationName: null, ...send.values },
    expiresAt,
  });
}
