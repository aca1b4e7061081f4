import type { Statement } from '../entities/database.ts';
import { addLink, type LinkPurpose, liveLink } from '../entities/one-time-links.ts';
import { after, days, hours, minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { token } from '../lib/random.ts';
import { open, seal } from '../lib/seal.ts';
import type { Services } from './services.ts';

/** How long each may be used. NIST SP 800-63B-4, 4.2.1.2 allows 24 hours for what is mailed to recover an account. */
const lifetimes: Readonly<Record<LinkPurpose, number>> = {
  not_me: days(7),
  reset_password: minutes(60),
  confirm_email: hours(24),
  register: hours(24),
};

const paths: Readonly<Record<LinkPurpose, string>> = {
  not_me: '/not-me',
  reset_password: '/reset-password',
  confirm_email: '/confirm-email',
  register: '/register/confirm',
};

/** Makes a link that works once: its address for the mail, and the write that makes it work. The database knows its digest only. */
export function makeLink(
  services: Pick<Services, 'db' | 'ring' | 'settings'>,
  purpose: LinkPurpose,
  userId: string,
  data: Readonly<Record<string, string>> = {},
): { readonly url: string; readonly statement: Statement } {
  const { db, ring, settings } = services;
  const id = token();
  const idDigest = digest(id);
  const now = db.clock.now();
  return {
    url: new URL(`${paths[purpose]}/${id}`, settings.issuer).href,
    statement: addLink(db, {
      idDigest,
      purpose,
      userId,
      data: seal(ring, place(idDigest), JSON.stringify(data)),
      now,
      expiresAt: after(now, lifetimes[purpose]),
    }),
  };
}

export interface FoundLink {
  readonly idDigest: string;
  readonly userId: string;
  readonly madeAt: Date;
  readonly data: Readonly<Record<string, string>>;
}

/** The link that this address names, while it works; null for every other. */
export async function findLink(
  services: Services,
  purpose: LinkPurpose,
  id: unknown,
): Promise<FoundLink | null> {
  if (typeof id !== 'string' || id.length > 100) {
    return null;
  }
  const { db, ring } = services;
  const idDigest = digest(id);
  const row = await liveLink(db, purpose, idDigest, db.clock.now());
  return row
    ? {
        idDigest,
        userId: row.user_id,
        madeAt: new Date(row.created_at),
        data: JSON.parse(open(ring, place(idDigest), row.data)) as FoundLink['data'],
      }
    : null;
}

const place = (idDigest: string) => ({ table: 'one_time_links', column: 'data', row: idDigest });
