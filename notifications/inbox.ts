import type { Database } from '../entities/database.ts';
import { latestMessages, messageById, type OutboxRow, type PeopleChannel } from '../entities/outbox.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { RenderMail } from './gateway.ts';
import { mailBrand } from './mail-brand.ts';
import { openMessage } from './outbox.ts';

/** A message as it would be sent. */
export interface InboxMessage {
  readonly id: string;
  readonly channel: PeopleChannel;
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
  readonly channels: readonly PeopleChannel[];
}

/** For development only: what would have gone out, with its codes. */
export function createInbox({ db, ring, render, channels }: InboxOptions): Inbox {
  const show = async (row: OutboxRow): Promise<InboxMessage | null> => {
    const stored = opened(ring, row);
    if (stored === null) return null;
    const { id } = row;
    const at = new Date(row.createdAt);
    if (stored.by === 'sms') {
      return { id, channel: 'sms', to: stored.to, subject: stored.text, text: stored.text, html: null, at };
    }
    if (stored.by !== 'email') return null;
    const brand = await mailBrand(db, stored);
    const { subject, text, html, logo } = render(stored.template, stored.values, stored.locale, brand);
    const shown = logo === null ? html : html.replaceAll('cid:logo', `data:${logo.type};base64,${logo.data}`);
    return { id, channel: 'email', to: stored.to, subject, text, html: shown, at };
  };

  return {
    async list(limit = 100) {
      const rows = await latestMessages(db, limit, channels);
      return (await Promise.all(rows.map(show))).filter((message) => message !== null);
    },
    async one(id) {
      const row = await messageById(db, id);
      const message = row && (await show(row));
      return message && channels.includes(message.channel) ? message : null;
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
