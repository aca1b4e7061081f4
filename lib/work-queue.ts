import { availableParallelism } from 'node:os';
import { type Argon2Cost, currentCost } from './argon2.ts';
import { noSpans, type Spans } from './spans.ts';

/** More work is waiting than can be done in reasonable time; worth trying again in a few seconds. */
export class Overloaded extends Error {
  override name = 'Overloaded';
  constructor() {
    super('too much work is waiting');
  }
}

/** Does expensive work a few tasks at a time, in the order in which it came, and refuses what would wait too long. */
export interface WorkQueue {
  /** The task's own outcome, or `Overloaded` (at once, and the task never starts). */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Tasks under way. */
  readonly running: number;
  /** Tasks that wait for their turn. */
  readonly waiting: number;
  /** What a new hash costs that is made here. */
  readonly cost: Argon2Cost;
}

/**
 * Password hashing runs in libuv's pool (4 threads unless told otherwise), which files and name look-ups need too:
 * one processor and one thread stay free where there are more than two.
 */
export function defaultConcurrency(threads = Number(process.env.UV_THREADPOOL_SIZE ?? 4)): number {
  return Math.max(2, Math.min(availableParallelism(), threads || 4) - 1);
}

export function createWorkQueue(
  options: { concurrency?: number; queueLimit?: number; cost?: Argon2Cost; spans?: Spans } = {},
): WorkQueue {
  const {
    concurrency = defaultConcurrency(),
    queueLimit = 100,
    cost = currentCost,
    spans = noSpans,
  } = options;
  const waiting: (() => void)[] = [];
  let running = 0;

  const turn = async (): Promise<void> => {
    if (running < concurrency) {
      running += 1;
      return;
    }
    if (waiting.length >= queueLimit) throw new Overloaded();
    await new Promise<void>((resolve) => waiting.push(resolve));
  };

  // A place that becomes free goes to the first in line without being counted down, so nobody can slip in between.
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  };

  return {
    cost,
    get running() {
      return running;
    },
    get waiting() {
      return waiting.length;
    },
    async run(task) {
      await turn();
      try {
        return await spans.inner('hash', {}, task);
      } finally {
        leave();
      }
    },
  };
}
