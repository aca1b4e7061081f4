import type { MailBrand, MailPicture } from './mail-brand.ts';
import type { MessageValues } from './outbox.ts';

export interface Rendered {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** What `cid:logo` in the HTML means. */
  readonly logo: MailPicture | null;
}

/** Makes a mail of a template; comes from above, because pages and mails share one look. */
export type RenderMail = (
  template: string,
  values: MessageValues,
  locale: string | null,
  brand: MailBrand,
) => Rendered;

/** Makes the words of a text message of a template. */
export type RenderText = (
  template: string,
  values: MessageValues,
  locale: string | null,
  organizationName: string | null,
) => string;

/** Takes one mail to one recipient. Resolves once a server has accepted it. */
export interface MailTransport {
  /** `id` makes the Message-ID: a repeat of the same message carries the same one. */
  send(mail: Rendered & { readonly id: string; readonly to: string }, signal: AbortSignal): Promise<void>;
  /** Asks the server whether it would take mail from us. Throws where not. */
  check(): Promise<void>;
  close(): void;
}

/** Takes one text message to one number. Resolves once the gateway has accepted it. */
export interface SmsGateway {
  send(
    message: { readonly id: string; readonly to: string; readonly text: string },
    signal: AbortSignal,
  ): Promise<void>;
}

/** The gateway did not take the message; it may later. `reason` is one word or two, fit for a log. */
export class GatewayError extends Error {
  override name = 'GatewayError';
  readonly reason: string;
  constructor(reason: string) {
    super(`the gateway did not take the message: ${reason}`);
    this.reason = reason;
  }
}

/** The recipient is not exactly one address or number, so the message can never be sent. Does not name it. */
export class UnusableRecipientError extends Error {
  override name = 'UnusableRecipientError';
  constructor() {
    super('the recipient is not exactly one address');
  }
}

export const isLoopback = (hostname: string): boolean =>
  /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)$/.test(hostname);
