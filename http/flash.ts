import type { Context } from 'koa';
import * as z from 'zod';
import { minutes } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { open, seal } from '../lib/seal.ts';
import type { FilledSentence, Note } from './pages.ts';

const place = { table: 'cookie', column: 'flash', row: '' };

const filled: z.ZodType<FilledSentence> = z.object({
  sentence: z.string(),
  values: z.record(z.string(), z.union([z.string(), z.number(), z.lazy(() => filled)])),
});

const note = z.object({
  tone: z.enum(['info', 'ok', 'warn', 'danger']),
  text: z.union([z.string(), filled]),
});

const cookieName = (ctx: Context): string => `${ctx.secure ? '__Host-' : ''}sallyport-flash`;
const options = { httpOnly: true, sameSite: 'lax', path: '/', signed: false, overwrite: true } as const;

/** One sentence for the next page that this browser is shown, after a redirect. Sealed: nobody else can put words there. */
export function leaveFlash(ctx: Context, ring: KeyRing, said: Note): void {
  ctx.cookies.set(cookieName(ctx), seal(ring, place, JSON.stringify(said)), {
    ...options,
    maxAge: minutes(2),
  });
}

/** The sentence that was left for this page; it is shown once. */
export function takeFlash(ctx: Context, ring: KeyRing): Note | null {
  const value = ctx.cookies.get(cookieName(ctx), { signed: false });
  if (!value) {
    return null;
  }
  ctx.cookies.set(cookieName(ctx), null, options);
  try {
    return note.parse(JSON.parse(open(ring, place, value)));
  } catch {
    return null;
  }
}
