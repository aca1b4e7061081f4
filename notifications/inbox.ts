import type { Database } from '../entities/database.ts';
import { type Channel, latestMessages, messageById, type OutboxRow } from '../entities/outbox.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { RenderMail } from './gateway.ts';
import { openMessage } from './outbox.ts';

/** A message as it would be sent. */
export interface InboxMessage {
  readonly id: string;
  readonly channel: Channel;
  readonly to: string;
  /** The subject of a mail, the text of a text message. */
  readonly subject: string;
  readonly text: string;
  /** Null for text messages. */
  readonly html: string | null;
  readonly at: Date;
}

export interface Inbox {
  /** Newest first; at once, without waiting for the courier. */
  list(limit?: number): Promise<InboxMessage[]>;
  one(id: string): Promise<InboxMessage | null>;
}

export interface InboxOptions {
  readonly db: Database;
  readonly ring: KeyRing;
  readonly render: RenderMail;
  /** Those that have no gateway; the messages of the others are not shown. */
  readonly channels: readonly Channel[];
}

/** For development only: what would have gone out, with its codes. */
export function createInbox({ db, ring, render, channels }: InboxOptions): Inbox {
  const show = (row: OutboxRow): InboxMessage | null => {
    const stored = opened(ring, row);
    if (stored === null) return null;
    const { id, channel } = row;
    const at = new Date(row.createdAt);
    if (stored.by === 'sms') {
      return { id, channel, to: stored.to, subject: stored.text, text: stored.text, html: null, at };
    }
    const mail = render(stored.template, stored.values, stored.locale, stored.organizationName);
    return { id, channel, to: stored.to, ...mail, at };
  };

  return {
    async list(limit = 100) {
      const rows = await latestMessages(db, limit, channels);
      return rows.map(show).filter((message) => message !== null);
    },
    async one(id) {
      const row = await messageById(db, id);
      return row && channels.includes(row.channel) ? show(row) : null;
    },
  };
}

/** Null where the key is gone, as after `data/` was emptied beside a database that stayed. */
function opened(ring: KeyRing, row: OutboxRow) {
  try {
    return openMessage(ring, row);
  } catch {
    return null;
  }
}
