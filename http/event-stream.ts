import { setTimeout as sleep } from 'node:timers/promises';
import type { Context } from 'koa';
import { seconds } from '../lib/clock.ts';

/** So many pages of one process may wait at once; the others look again from time to time. */
const mostStreams = 500;
let open = 0;

/**
 * Server-sent events: one event, as soon as `happened` is true, asked every second; nothing after `patience`. A browser that gets no
 * stream (204) looks again by itself. A database that does not answer ends the stream, and the browser comes back.
 */
export function streamEvent(
  ctx: Context,
  event: string,
  patience: number,
  happened: () => Promise<boolean>,
): void {
  if (open >= mostStreams) {
    ctx.status = 204;
    return;
  }
  open += 1;
  ctx.respond = false;
  ctx.status = 200;
  ctx.type = 'text/event-stream';
  ctx.set('X-Accel-Buffering', 'no');
  const { res } = ctx;
  const gone = new AbortController();
  res.once('close', () => {
    open -= 1;
    gone.abort();
  });
  res.write(': waiting\n\n');
  watch(gone.signal, patience, happened).then(
    (did) => res.end(did ? `event: ${event}\ndata: now\n\n` : undefined),
    () => res.end(),
  );
}

/** True once it has happened; false where it did not in time. Rejects where nobody waits any more. */
async function watch(
  gone: AbortSignal,
  patience: number,
  happened: () => Promise<boolean>,
): Promise<boolean> {
  for (let waited = 0; waited < patience; waited += seconds(1)) {
    if (await happened()) {
      return true;
    }
    await sleep(seconds(1), undefined, { ref: false, signal: gone });
  }
  return false;
}
