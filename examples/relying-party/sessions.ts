import { randomBytes } from 'node:crypto';

/** Local sessions: what the application remembers about a browser, keyed by a random cookie. */
export interface Sessions<T> {
  /** The session that the request's cookie names, unless it is over. */
  find(cookieHeader: string | undefined): { id: string; data: T } | null;
  /** Begins a session and gives the `Set-Cookie` value for it. */
  begin(data: T): string;
  end(id: string): void;
  endWhere(matches: (data: T) => boolean): number;
}

/**
 * Sessions in this process's memory. A real application uses its own session store here, shared by all its processes;
 * at `limit` the oldest session makes room.
 */
export function createSessions<T>(options: {
  secure: boolean;
  lifetimeMs: number;
  limit: number;
  now: () => Date;
}): Sessions<T> {
  const { secure, lifetimeMs, limit, now } = options;
  // Cookies ignore ports: the name must differ from those of everything else on the same host.
  const name = secure ? '__Host-relying-party' : 'relying-party';
  const named = new RegExp(`(?:^|;\\s*)${name}=([\\w-]{43})(?:;|$)`);
  const entries = new Map<string, { data: T; expiresAt: number }>();

  return {
    find(cookieHeader) {
      const id = named.exec(cookieHeader ?? '')?.[1];
      const entry = id && entries.get(id);
      if (!entry) return null;
      if (entry.expiresAt <= now().getTime()) {
        entries.delete(id);
        return null;
      }
      return { id, data: entry.data };
    },

    begin(data) {
      const oldest = entries.keys().next();
      if (entries.size >= limit && !oldest.done) entries.delete(oldest.value);
      const id = randomBytes(32).toString('base64url');
      entries.set(id, { data, expiresAt: now().getTime() + lifetimeMs });
      return `${name}=${id}; HttpOnly; SameSite=Lax; Path=/${secure ? '; Secure' : ''}`;
    },

    end(id) {
      entries.delete(id);
    },

    endWhere(matches) {
      const ended = [...entries].filter(([, { data }]) => matches(data));
      for (const [id] of ended) entries.delete(id);
      return ended.length;
    },
  };
}
