import type { Logger } from 'pino';
import type { Database } from '../entities/database.ts';
import { jobDone, takeJob } from '../entities/job-leases.ts';
import { after, seconds } from '../lib/clock.ts';

/** What is done every now and then, once over all processes and machines on one database. */
export interface Job {
  readonly name: string;
  /** Milliseconds from the end of one run to the next. */
  readonly every: number;
  /** Longer than any run takes: a process that was killed in the middle holds the job up for so long. */
  readonly lease: number;
  work(): Promise<unknown>;
}

/** Each process asks now and then whether a job is due; the database says to whom. A run that fails is told and tried again. */
export function startJobs(
  db: Database,
  jobs: readonly Job[],
  log: Logger,
  lookEvery = seconds(5),
): { stop(): Promise<void> } {
  const underWay = new Map<string, Promise<unknown>>();
  const look = () => {
    for (const job of jobs) {
      if (!underWay.has(job.name)) {
        const run = runWhenDue(db, job)
          .catch((error: { code?: unknown; name?: string }) => {
            log.warn(
              { job: job.name, reason: String(error.code ?? error.name ?? 'unknown') },
              'a job failed',
            );
          })
          .finally(() => underWay.delete(job.name));
        underWay.set(job.name, run);
      }
    }
  };
  const timer = setInterval(look, lookEvery);
  timer.unref();
  look();
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underWay.values());
    },
  };
}

/** Runs the job where it is due and nobody else has it. Returns whether it did. */
export async function runWhenDue(db: Database, job: Job): Promise<boolean> {
  const now = db.clock.now();
  const until = after(now, job.lease);
  if (!(await takeJob(db, job.name, now, until))) {
    return false;
  }
  await job.work();
  const done = db.clock.now();
  await jobDone(db, job.name, until, done, after(done, job.every));
  return true;
}
