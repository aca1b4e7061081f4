import type { Database, Statement } from '../entities/database.ts';
import { addMessage, type Channel, type OutboxRow } from '../entities/outbox.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';

export type MessageValues = Readonly<Record<string, string | number | null>>;

/** A mail that a template of `views/mail/` makes. */
export interface MailMessage {
  readonly to: string;
  readonly locale: string | null;
  readonly template: string;
  /** May hold a code: sealed in the table, never logged. */
  readonly values: MessageValues;
  /** In whose name it speaks; without it, that of the recipient's own organization, or the instance's. */
  readonly organizationId?: string;
  /** Whom it is for, where it goes to an address that is not, or not yet, or no longer theirs. */
  readonly userId?: string;
  /** The same key is one message, however often it is written. Made of ids; nothing secret, nothing personal. */
  readonly key?: string;
  /** It is never sent after this moment; for messages with a code. */
  readonly expiresAt?: Date;
}

export interface TextMessage {
  /** A number in E.164 form. */
  readonly to: string;
  readonly text: string;
  readonly key?: string;
  readonly expiresAt?: Date;
}

/**
 * Tells people something. What comes back is written in the same batch as what it tells of, so that neither happens without
 * the other; it never fails that batch. `written` is called for each, for who delivers them. Whether the recipient is usable is seen when the message is sent.
 */
export interface Notify {
  mail(message: MailMessage): Statement;
  sms(message: TextMessage): Statement;
  /** An application is told that a session has ended (OpenID Connect Back-Channel Logout 1.0). */
  logout(message: LogoutMessage): Statement;
  /** A receiver of shared signals is told something (OpenID SSF 1.0). */
  signal(message: SignalMessage): Statement;
}

export interface SignalMessage {
  readonly streamId: string;
  /** What it tells of: the same key is one signal. */
  readonly key: string;
  /** Of the security event token: whom it is about, and what has happened. */
  readonly claims: { readonly sub_id: object; readonly events: Readonly<Record<string, object>> };
  /** False where it waits to be fetched, or for the stream to go on. */
  readonly now: boolean;
}

export interface StoredSignal {
  readonly by: 'signal';
  readonly streamId: string;
  readonly claims: SignalMessage['claims'];
  readonly expiresAt: number | null;
}

export interface LogoutMessage {
  readonly clientId: string;
  readonly sub: string;
  readonly sid: string;
}

/** What a row of the outbox says when it is opened. */
export type Stored = StoredMail | StoredText | StoredLogout | StoredSignal;

export interface StoredLogout extends LogoutMessage {
  readonly by: 'logout';
  readonly expiresAt: number | null;
}

export interface StoredMail {
  readonly by: 'email';
  readonly to: string;
  readonly locale: string | null;
  readonly template: string;
  readonly values: MessageValues;
  readonly organizationId: string | null;
  readonly userId: string | null;
  readonly expiresAt: number | null;
}

export interface StoredText {
  readonly by: 'sms';
  readonly to: string;
  readonly text: string;
  readonly expiresAt: number | null;
}

export function createNotify(
  { db, ring }: { readonly db: Database; readonly ring: KeyRing },
  written: () => void = () => {},
): Notify {
  const write = (channel: Channel, key: string | undefined, stored: Stored): Statement => {
    const now = db.clock.now();
    written();
    const id = key === undefined ? newId(now) : keyedId(channel, key);
    return addMessage(db, { id, channel, now, message: seal(ring, place(id), JSON.stringify(stored)) });
  };

  return {
    mail: ({ to, locale, template, values, organizationId, userId, key, expiresAt }) =>
      write('email', key, {
        by: 'email',
        to,
        locale,
        template,
        values,
        organizationId: organizationId ?? null,
        userId: userId ?? null,
        expiresAt: expiresAt?.getTime() ?? null,
      }),
    sms: ({ to, text, key, expiresAt }) =>
      write('sms', key, { by: 'sms', to, text, expiresAt: expiresAt?.getTime() ?? null }),
    logout: ({ clientId, sub, sid }) =>
      write('logout', `${clientId} ${sid}`, { by: 'logout', clientId, sub, sid, expiresAt: null }),
    signal: ({ streamId, key, claims, now: isDue }) => {
      const now = db.clock.now();
      const id = signalId(streamId, key);
      const stored: StoredSignal = { by: 'signal', streamId, claims, expiresAt: null };
      return addMessage(db, {
        id,
        channel: 'signal',
        recipient: streamId,
        now,
        nextAt: isDue ? now : null,
        message: seal(ring, place(id), JSON.stringify(stored)),
      });
    },
  };
}

/** The row of a message that was written with a key. */
export const keyedId = (channel: Channel, key: string): string => digest(`outbox ${channel} ${key}`);

/** The row, and the `jti`, of what a stream is told of one thing. */
export const signalId = (streamId: string, key: string): string => digest(`outbox signal ${streamId} ${key}`);

/** What the row says. Throws where its seal is broken or its key is gone. */
export const openMessage = (ring: KeyRing, row: OutboxRow): Stored =>
  JSON.parse(open(ring, place(row.id), row.message)) as Stored;

const place = (id: string) => ({ table: 'outbox', column: 'message', row: id });
