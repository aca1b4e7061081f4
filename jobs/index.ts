import type { Services } from '../flows/services.ts';
import { announcing, chaining, reminding } from './notify.ts';
import { purging } from './purge.ts';
import { rotatingKeys } from './rotate-keys.ts';
import type { Job } from './schedule.ts';

/** Everything that is done without anybody asking, beside the outbox, which has leases of its own. */
export const jobsOf = (services: Services): readonly Job[] => [
  announcing(services),
  chaining(services),
  reminding(services),
  purging(services.db),
  rotatingKeys(services),
];
