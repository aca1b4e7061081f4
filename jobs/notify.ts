import type { Logger } from 'pino';
import { settleNotices } from '../entities/policy-notices.ts';
import { chainAuditEvents } from '../flows/chain-audit-events.ts';
import { announcePolicies, remindMembers } from '../flows/notify-members.ts';
import { noteDay } from '../flows/read-overview.ts';
import type { Services } from '../flows/services.ts';
import { minutes, seconds } from '../lib/clock.ts';

/**
 * What goes on by itself: members are told about their organization's policy, at once after it was saved and before their deadline, and
 * events of the audit log are chained. Safe on several machines at once.
 */
export function startNotifying(services: Services, log: Logger): { stop(): void } {
  const announcing = every(seconds(5), log, () => announcePolicies(services));
  const chaining = every(seconds(2), log, () => chainAuditEvents(services));
  const reminding = every(minutes(10), log, async () => {
    await remindMembers(services);
    await settleNotices(services.db);
    await noteDay(services);
  });
  return {
    stop() {
      announcing.stop();
      chaining.stop();
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
        log.warn(
          { reason: String(error.code ?? error.name ?? 'unknown') },
          'work that is done by itself failed',
        ),
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
