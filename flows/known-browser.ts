import * as z from 'zod';
import { token } from '../lib/random.ts';

const entry = z.object({
  user: z.string(),
  /** Names this browser for this user, where guesses are counted. */
  bucket: z.string(),
  /** The remembered device, as an identifier and its secret. */
  device: z.object({ id: z.string(), secret: z.string() }).nullable(),
});

export const knownUsers = z.array(entry).max(20);
type Entry = z.infer<typeof entry>;

/** A cookie has 4096 bytes; whoever was here longest ago makes room. */
const most = 8;

/**
 * Which people have signed in from this browser before, and on whose behalf it is remembered. It proves nothing by itself: a
 * remembered device is judged by its row, and the bucket only says where failures are counted.
 */
export class KnownBrowser {
  readonly users: readonly Entry[];

  constructor(users: readonly Entry[] = []) {
    this.users = users;
  }

  bucketFor(userId: string): string | null {
    return this.users.find(({ user }) => user === userId)?.bucket ?? null;
  }

  deviceOf(userId: string): { readonly id: string; readonly secret: string } | null {
    return this.users.find(({ user }) => user === userId)?.device ?? null;
  }

  /** After a finished sign-in: known for this user, and remembered where `device` says so; `undefined` keeps what there is. */
  signedIn(userId: string, device: Entry['device'] | undefined): KnownBrowser {
    const known = this.users.find(({ user }) => user === userId);
    const next: Entry = {
      user: userId,
      bucket: known?.bucket ?? token(128),
      device: device === undefined ? (known?.device ?? null) : device,
    };
    return new KnownBrowser([next, ...this.users.filter(({ user }) => user !== userId)].slice(0, most));
  }

  /** The device is worth nothing any more. */
  forgotten(userId: string): KnownBrowser {
    return new KnownBrowser(
      this.users.map((known) => (known.user === userId ? { ...known, device: null } : known)),
    );
  }
}
