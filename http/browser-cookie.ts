import type { Context } from 'koa';
import { KnownBrowser, knownUsers } from '../flows/known-browser.ts';
import { days } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';

const place = { table: 'cookie', column: 'browser', row: '' };

/** How long a browser remembers who was here; how long it is *trusted* is judged by the rows that it names. */
const lifetime = days(400);

export interface BrowserCookie {
  read(ctx: Context): { readonly browser: KnownBrowser; readonly tampered: boolean };
  write(ctx: Context, browser: KnownBrowser): void;
}

/** One sealed cookie for all who use a browser: opaque, without a name or address in it, and worth nothing when changed. */
export function browserCookie(ring: KeyRing, issuer: string): BrowserCookie {
  const secure = issuer.startsWith('https:');
  const name = secure ? '__Host-sallyport-browser' : 'sallyport-browser';
  return {
    read: (ctx) => {
      const value = ctx.cookies.get(name, { signed: false });
      if (!value) {
        return { browser: new KnownBrowser(), tampered: false };
      }
      const users = opened(ring, value);
      return users
        ? { browser: new KnownBrowser(users), tampered: false }
        : { browser: new KnownBrowser(), tampered: true };
    },
    write: (ctx, browser) => {
      const empty = browser.users.length === 0;
      ctx.cookies.set(name, empty ? null : seal(ring, place, JSON.stringify(browser.users)), {
        httpOnly: true,
        sameSite: 'lax',
        secure,
        path: '/',
        signed: false,
        overwrite: true,
        ...(empty ? {} : { maxAge: lifetime }),
      });
    },
  };
}

function opened(ring: KeyRing, value: string) {
  try {
    const parsed = knownUsers.safeParse(JSON.parse(open(ring, place, value)));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
