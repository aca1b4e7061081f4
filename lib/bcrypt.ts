import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const idleAfter = 60_000;

/** Recomputes a bcrypt hash from its first 29 characters (version, cost and salt), away from the event loop. */
export type Bcrypt = (password: string, salt: string) => Promise<string>;

/**
 * Threads are started when needed, one per call under way (whoever calls limits those), kept for the next call, and
 * ended after a minute without one. An idle one does not keep the process alive.
 */
export function createBcrypt(): Bcrypt {
  const idle: { worker: Worker; timer: NodeJS.Timeout }[] = [];

  const take = (): Worker => {
    const free = idle.pop();
    if (!free) return new Worker(new URL('./bcrypt-worker.ts', import.meta.url));
    clearTimeout(free.timer);
    free.worker.ref();
    return free.worker;
  };

  const giveBack = (worker: Worker): void => {
    worker.unref();
    const timer = setTimeout(() => {
      idle.splice(
        idle.findIndex((one) => one.worker === worker),
        1,
      );
      worker.terminate();
    }, idleAfter).unref();
    idle.push({ worker, timer });
  };

  return async (password, salt) => {
    const worker = take();
    const answer = once(worker, 'message');
    worker.postMessage({ password, salt });
    try {
      const [hash] = await answer;
      giveBack(worker);
      return hash;
    } catch (error) {
      worker.terminate();
      throw error;
    }
  };
}
