import { purgeApprovals } from '../entities/approvals.ts';
import type { Database } from '../entities/database.ts';
import { purgeHeldForms } from '../entities/held-forms.ts';
import { purgeIdempotencyKeys } from '../entities/idempotency-keys.ts';
import { purgeInvitations } from '../entities/invitations.ts';
import { purgeLimits } from '../entities/limits.ts';
import { purgeLinks } from '../entities/one-time-links.ts';
import { purgeOutbox } from '../entities/outbox.ts';
import { purgeRecords } from '../entities/provider-records.ts';
import { purgeRememberedDevices } from '../entities/remembered-devices.ts';
import { purgeSessions } from '../entities/sessions.ts';
import { purgeSignIns } from '../entities/sign-ins.ts';
import { purgeStreams } from '../entities/signal-streams.ts';
import { purgeSigningKeys } from '../entities/signing-keys.ts';
import { purgeResets } from '../entities/two-factor-resets.ts';
import { purgeUpstream } from '../entities/upstream-links.ts';
import { after, days, hours, minutes } from '../lib/clock.ts';
import type { Job } from './schedule.ts';

/** Rows stay for an hour after they expired, so that clocks which differ cannot bring anything back. */
const kept = hours(1);

/** Deletes what has expired. Each delete is safe to run twice or on several machines at once. */
export async function purge(db: Database): Promise<void> {
  const before = after(db.clock.now(), -kept);
  await purgeRecords(db, before);
  await purgeSessions(db, before);
  await purgeSignIns(db, before);
  await purgeHeldForms(db, before);
  await purgeLinks(db, before);
  await purgeInvitations(db, after(db.clock.now(), -days(30)));
  await purgeLimits(db, before);
  await purgeIdempotencyKeys(db, before);
  await purgeRememberedDevices(db, before);
  await purgeResets(db, before);
  await purgeSigningKeys(db, before);
  await purgeUpstream(db, before);
  await purgeApprovals(db, after(db.clock.now(), -days(1)));
  await purgeStreams(db);
  await purgeOutbox(db, after(db.clock.now(), -days(7)));
}

export const purging = (db: Database): Job => ({
  name: 'purge',
  every: minutes(5),
  lease: minutes(30),
  work: () => purge(db),
});
