import type { Statement } from '../entities/database.ts';
import type { Json, Message, Step } from '../factors/factor.ts';
import { codeMinutes } from '../factors/sent-code.ts';
import { after, minutes } from '../lib/clock.ts';
import { askForApproval, type TooManyRequests } from './approvals.ts';
import { countMessage, type MessageCount } from './message-limits.ts';
import { homeOf, type Recipient } from './recipient.ts';
import type { Services } from './services.ts';

export type SendOutcome =
  | { readonly kind: 'started' }
  | Exclude<MessageCount, { kind: 'ok' }>
  | TooManyRequests
  /** Another request of the same interaction was first. */
  | { readonly kind: 'conflict' };

/**
 * Writes what a factor keeps for a step together with the message that it wants delivered. Messages are counted before they are
 * sent, whatever they are for; a new one does not begin any count of failures anew.
 */
export async function sendStep(
  services: Services,
  recipient: Recipient,
  { keep, show, send, ask }: Step,
  write: (kept: Json, shown: Json, sentAt: number | null) => Statement,
  /** The request of the same sign-in that the new one takes the place of. */
  before: string | null = null,
): Promise<SendOutcome> {
  const { db } = services;
  if (send) {
    const counted = await countMessage(services, recipient, send, 'proof');
    if (counted.kind !== 'ok') {
      return counted;
    }
  }
  const asked = ask ? await askForApproval(services, recipient, ask, before) : [];
  if (!Array.isArray(asked)) {
    return asked;
  }
  const now = db.clock.now();
  const first = await db.together([
    write(keep, show, send || ask ? now.getTime() : null),
    ...(send ? [message(services, recipient, send)] : []),
    ...asked,
  ]);
  return { kind: first ? 'started' : 'conflict' };
}

function message(services: Services, { user, memberships }: Recipient, send: Message): Statement {
  const { db, notify, renderText } = services;
  // What is sent for a step is worth nothing after so long, and is not sent later.
  const expiresAt = after(db.clock.now(), minutes(codeMinutes));
  if (send.by === 'sms') {
    const organizationName = homeOf(user, memberships)?.organization.name ?? null;
    const text = renderText(send.template, send.values, user.locale, organizationName);
    return notify.sms({ to: send.to, text, expiresAt });
  }
  return notify.mail({
    to: send.to,
    locale: user.locale,
    template: send.template,
    values: { name: user.name, applicationName: null, ...send.values },
    expiresAt,
  });
}
