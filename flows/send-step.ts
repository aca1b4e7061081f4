import { organizationOfApplication } from '../entities/applications.ts';
import type { Statement } from '../entities/database.ts';
import type { Json, Message, Step } from '../factors/factor.ts';
import { codeMinutes } from '../factors/sent-code.ts';
import { after, minutes } from '../lib/clock.ts';
import { askForApproval, type TooManyRequests } from './approvals.ts';
import { countMessage, type MessageCount } from './message-limits.ts';
import { makeLink } from './one-time-link.ts';
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
    ...(send ? await message(services, recipient, send) : []),
    ...asked,
  ]);
  return { kind: first ? 'started' : 'conflict' };
}

async function message(services: Services, recipient: Recipient, send: Message): Promise<Statement[]> {
  const { db, notify, renderText } = services;
  const { user, origin } = recipient;
  // What is sent for a step is worth nothing after so long, and is not sent later.
  const expiresAt = after(db.clock.now(), minutes(codeMinutes));
  const organization = await organizationFor(services, recipient);
  // Whoever asked is looking at a page, and waits for the message beside it.
  const locale = user.locale ?? origin.language ?? user.last_language;
  if (send.by === 'sms') {
    const text = renderText(send.template, send.values, locale, organization?.name ?? null);
    return [notify.sms({ to: send.to, text, expiresAt })];
  }
  // Whoever gets a code that they have not asked for has somebody at the door who knows the password.
  const notMe = makeLink(services, 'not_me', user.id);
  return [
    notMe.statement,
    notify.mail({
      to: send.to,
      locale,
      template: send.template,
      values: {
        name: user.name,
        applicationName: null,
        at: db.clock.now().toISOString(),
        ip: origin.ip,
        userAgent: origin.userAgent,
        notMeUrl: notMe.url,
        ...send.values,
      },
      ...(organization ? { organizationId: organization.id } : {}),
      expiresAt,
    }),
  ];
}

/** In whose name the page speaks that asks for the code: of the application's organization, or of the person's own. */
async function organizationFor(
  { db }: Services,
  { user, memberships, clientId }: Recipient,
): Promise<{ readonly id: string; readonly name: string } | null> {
  const owner = clientId ? await organizationOfApplication(db, clientId) : null;
  return owner ?? homeOf(user, memberships)?.organization ?? null;
}
