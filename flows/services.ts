import type { Settings } from '../config/settings.ts';
import type { Database } from '../entities/database.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import type { Outbound } from '../lib/outbound.ts';
import type { Passwords } from '../lib/password-hash.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import type { RenderText } from '../notifications/gateway.ts';
import type { Notify } from '../notifications/outbox.ts';
import type { Method } from '../policy/types.ts';

/** What every flow is given: the outside world, by name. */
export interface Services {
  readonly settings: Settings;
  readonly db: Database;
  readonly ring: KeyRing;
  readonly queue: WorkQueue;
  readonly passwords: Passwords;
  readonly notify: Notify;
  /** Requests to addresses that applications have given. */
  readonly outbound: Outbound;
  readonly renderText: RenderText;
  /** The second-factor methods that this instance can offer. */
  readonly available: readonly Method[];
}
