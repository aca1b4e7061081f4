import { settleNotices } from '../entities/policy-notices.ts';
import { chainAuditEvents } from '../flows/chain-audit-events.ts';
import { announcePolicies, remindMembers } from '../flows/notify-members.ts';
import { noteDay } from '../flows/read-overview.ts';
import type { Services } from '../flows/services.ts';
import { minutes, seconds } from '../lib/clock.ts';
import type { Job } from './schedule.ts';

/** Tells members about their organization's policy as soon as it was saved. */
export const announcing = (services: Services): Job => ({
  name: 'announce policies',
  every: seconds(5),
  lease: minutes(10),
  work: () => announcePolicies(services),
});

/** Reminds members before their deadline, and notes what became of the mails. */
export const reminding = (services: Services): Job => ({
  name: 'remind members',
  every: minutes(10),
  lease: minutes(30),
  work: async () => {
    await remindMembers(services);
    await settleNotices(services.db);
    await noteDay(services);
  },
});

/** Events of the audit log are chained soon after they were written. */
export const chaining = (services: Services): Job => ({
  name: 'chain audit events',
  every: seconds(2),
  lease: minutes(10),
  work: () => chainAuditEvents(services),
});
