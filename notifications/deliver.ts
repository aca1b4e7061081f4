import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../entities/database.ts';
import {
  type Channel,
  dueMessages,
  leaseMessage,
  messageDelayed,
  messageGivenUp,
  messageKept,
  messageSent,
  type OutboxRow,
  trimInbox,
} from '../entities/outbox.ts';
import { after, hours, minutes, seconds } from '../lib/clock.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { noSpans, type Spans } from '../lib/spans.ts';
import {
  GatewayError,
  type MailTransport,
  type RenderMail,
  type SmsGateway,
  UnusableRecipientError,
} from './gateway.ts';
import { mailBrand } from './mail-brand.ts';
import { type LogoutMessage, openMessage, type Stored, type StoredSignal } from './outbox.ts';

/** A pino logger will do. Gets ids, channels and reasons, never a recipient or a word of a message. */
export interface Log {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** What became of one attempt. */
export type Delivery = 'sent' | 'delayed' | 'given_up' | 'expired';

export interface CourierOptions {
  readonly db: Database;
  readonly ring: KeyRing;
  readonly render: RenderMail;
  /** Null: mail stays in the outbox for the development inbox. */
  readonly transport: MailTransport | null;
  /** Null: text messages stay in the outbox for the development inbox. */
  readonly sms: SmsGateway | null;
  /** Tells an application of a session's end; throws where it was not taken. */
  readonly logout: (message: LogoutMessage, signal: AbortSignal) => Promise<void>;
  /** Pushes one signal to its receiver; `id` is its `jti`. Throws where it was not taken. */
  readonly signal: (message: StoredSignal, id: string, signal: AbortSignal) => Promise<void>;
  /** Puts into the outbox what follows from what has happened since; before each look at it. */
  readonly prepare?: () => Promise<void>;
  readonly log: Log;
  /** For metrics. */
  readonly observe?: (delivery: Delivery, channel: Channel) => void;
  readonly spans?: Spans;
  /** How long one attempt may take, in milliseconds; well below the two minutes for which a message is lent. */
  readonly patience?: number;
}

/** Takes messages from the outbox to the gateways, in its own time: no request ever waits for it. */
export interface Courier {
  /** Looks every second, until stopped. */
  start(): void;
  /** Looks now; for after a message was written. */
  wake(): void;
  /** Sends what is due and returns how many messages were sent. Throws where the database fails. */
  deliverDue(): Promise<number>;
  /** Takes nothing new and waits for what is under way. */
  stop(): Promise<void>;
}

const batchSize = 20;
const concurrency = 5;
const leaseTime = minutes(2);
const keptInInbox = 200;
const backOff = [seconds(10), seconds(30), minutes(2), minutes(10), minutes(30), hours(1)] as const;
const givenUpAfter = hours(24);
/** A receiver that was away for days catches up. */
const signalsGivenUpAfter = hours(24 * 7);

/** Several couriers, in several processes and on several machines, may serve one database: a lease makes each message one's own. */
export function createCourier(options: CourierOptions): Courier {
  const { log, transport } = options;
  const lanes = (['email', 'sms', 'logout', 'signal'] as const).map((channel) =>
    createLane(options, channel),
  );
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let failing = false;

  const deliverDue = async () => {
    if (stopped) return 0;
    await options.prepare?.();
    const outcomes = await Promise.allSettled(lanes.map((lane) => lane.run()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return outcomes.reduce((sum, outcome) => sum + (outcome.status === 'fulfilled' ? outcome.value : 0), 0);
  };
  const wake = () => {
    deliverDue().then(
      () => {
        failing = false;
      },
      (error: { code?: unknown }) => {
        // Once per outage: the next attempt is a second away.
        if (!failing) log.error({ reason: String(error.code ?? 'unknown') }, 'the outbox cannot be read');
        failing = true;
      },
    );
  };

  return {
    deliverDue,
    wake,
    start() {
      if (stopped || timer) return;
      timer = setInterval(wake, seconds(1)).unref();
      wake();
    },
    async stop() {
      stopped = true;
      if (timer) clearInterval(timer);
      for (const lane of lanes) lane.stop();
      await Promise.allSettled(lanes.map((lane) => lane.idle()));
      transport?.close();
    },
  };
}

/** One per channel, so that a mail server which hangs does not hold up text messages. */
function createLane(options: CourierOptions, channel: Channel) {
  const { db } = options;
  const toInbox =
    (channel === 'email' && options.transport === null) || (channel === 'sms' && options.sms === null);
  const deliver = createDelivery(options);
  let running: Promise<number> | null = null;
  let again = false;
  let stopped = false;

  async function work(): Promise<number> {
    let sent = 0;
    try {
      do {
        again = false;
        const due = await dueMessages(db, channel, db.clock.now(), batchSize);
        again ||= due.length === batchSize;
        sent += toInbox ? await keep(due) : await inParallel(due);
      } while (again && !stopped);
      return sent;
    } finally {
      running = null;
    }
  }

  async function keep(due: readonly OutboxRow[]): Promise<number> {
    let kept = 0;
    for (const row of due) kept += await messageKept(db, row.id, db.clock.now());
    if (kept > 0) await trimInbox(db, channel, keptInInbox);
    return kept;
  }

  async function inParallel(due: readonly OutboxRow[]): Promise<number> {
    const rest = [...due];
    let sent = 0;
    const courier = async () => {
      for (let row = rest.shift(); row && !stopped; row = rest.shift()) {
        if (await deliver(row)) sent += 1;
      }
    };
    const outcomes = await Promise.allSettled(Array.from({ length: concurrency }, courier));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return sent;
  }

  return {
    /** While it works, a call makes it look once more and ends with it. */
    run(): Promise<number> {
      again = true;
      running ??= work();
      return running;
    },
    idle: () => running ?? Promise.resolve(0),
    stop() {
      stopped = true;
    },
  };
}

/** One attempt at one message; true where it was sent. */
function createDelivery({
  db,
  ring,
  render,
  transport,
  sms,
  logout,
  signal: push,
  log,
  observe,
  patience = seconds(20),
  spans = noSpans,
}: CourierOptions) {
  // Accepted by a gateway while the database could not be told: marked as sent when their lease ends, not sent again.
  const accepted = new Set<string>();

  async function send(row: OutboxRow, stored: Stored): Promise<void> {
    const id = row.id;
    if (stored.by === 'email') {
      const mail = render(stored.template, stored.values, stored.locale, await mailBrand(db, stored));
      await within(patience, (signal) => required(transport).send({ ...mail, id, to: stored.to }, signal));
      return;
    }
    if (stored.by === 'logout') {
      await within(patience, (signal) => logout(stored, signal));
      return;
    }
    if (stored.by === 'signal') {
      await within(patience, (signal) => push(stored, id, signal));
      return;
    }
    const { to, text } = stored;
    await within(patience, (signal) => required(sms).send({ id, to, text }, signal));
  }

  return async (row: OutboxRow): Promise<boolean> => {
    const startedAt = db.clock.now();
    const leasedUntil = after(startedAt, leaseTime);
    if (!(await leaseMessage(db, row, leasedUntil))) return false;
    const about = { message: row.id, channel: row.channel, attempt: row.attempts + 1 };
    const tell = (delivery: Delivery) => observe?.(delivery, row.channel);
    const giveUp = async (delivery: 'given_up' | 'expired', reason: string) => {
      await messageGivenUp(db, row.id, leasedUntil, db.clock.now());
      log.error({ ...about, reason }, 'a message was given up on');
      tell(delivery);
      return false;
    };

    let deadline = row.createdAt + (row.channel === 'signal' ? signalsGivenUpAfter : givenUpAfter);
    try {
      if (!accepted.has(row.id)) {
        const stored = openMessage(ring, row);
        if (stored.expiresAt !== null) {
          if (stored.expiresAt <= startedAt.getTime()) return await giveUp('expired', 'expired');
          deadline = Math.min(deadline, stored.expiresAt);
        }
        await spans.first(`deliver ${row.channel}`, {}, () => send(row, stored));
        accepted.add(row.id);
      }
    } catch (error) {
      if (error instanceof UnusableRecipientError) return giveUp('given_up', 'unusable recipient');
      const now = db.clock.now();
      const next = after(now, backOff[Math.min(row.attempts, backOff.length - 1)] ?? hours(1));
      if (next.getTime() >= deadline) return giveUp('given_up', reasonOf(error));
      await messageDelayed(db, row.id, leasedUntil, next);
      log.warn({ ...about, reason: reasonOf(error), nextAt: next.toISOString() }, 'a message was delayed');
      tell('delayed');
      return false;
    }

    await messageSent(db, row.id, db.clock.now());
    accepted.delete(row.id);
    log.info(about, 'a message was sent');
    tell('sent');
    return true;
  };
}

function required<T>(gateway: T | null): T {
  if (gateway === null) throw new GatewayError('no gateway');
  return gateway;
}

/** The gateway is told to stop when its time is over, and is waited for no longer whether it listens or not. */
async function within(span: number, attempt: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const over = new AbortController();
  const done = new AbortController();
  const late = sleep(span, undefined, { signal: done.signal }).then(() => {
    over.abort();
    throw new GatewayError('ETIMEDOUT');
  });
  late.catch(() => {});
  try {
    await Promise.race([attempt(over.signal), late]);
  } finally {
    done.abort();
  }
}

/** Errors of templates and seals are told by their kind: their words may quote what was to be said. */
function reasonOf(error: unknown): string {
  if (error instanceof GatewayError) return error.reason;
  return error instanceof Error ? error.name : 'unknown';
}
