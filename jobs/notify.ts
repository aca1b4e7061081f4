import type { Logger } from 'pino';
import { settleNotices } from '../entities/policy-notices.ts';
import { announcePolicies, remindMembers } from '../flows/notify-members.ts';
import type { Services } from '../flows/services.ts';
import { minutes, seconds } from '../lib/clock.ts';

/** Tells members about their organization's policy: at once after it was saved, and before their deadline. Safe on several machines at once. */
export function startNotifying(services: Services, log: Logger): { stop(): void } {
  const announcing = every(seconds(5), log, () => announcePolicies(services));
  const reminding = every(minutes(10), log, async () => {
    await remindMembers(services);
    await settleNotices(services.db);
  });
  return {
    stop() {
      announcing.stop();
      reminding.stop();
    },
  };
}

/** One run at a time; one that fails is told and tried again at the next turn. */
function every(span: number, log: Logger, work: () => Promise<unknown>): { stop(): void } {
  let isRunning = false;
  const run = () => {
    if (isRunning) return;
    isRunning = true;
    work()
      .catch((error: { code?: unknown; name?: string }) =>
        log.warn({ reason: String(error.code ?? error.name ?? 'unknown') }, 'members could not be told'),
      )
      .finally(() => {
        isRunning = false;
      });
  };
  const timer = setInterval(run, span);
  timer.unref();
  run();
  return { stop: () => clearInterval(timer) };
}
