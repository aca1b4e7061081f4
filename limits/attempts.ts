import type { Database, Statement } from '../entities/database.ts';
import { clearLimit, countLimited, limitRow, startLimited } from '../entities/limits.ts';
import { days, hours, minutes, seconds } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';

/**
 * How often something may be guessed. Waits grow from the first attempt that is one too many to an hour; `stop` ends it for good
 * (NIST SP 800-63B-4, 3.2.2: at most 100 in a row).
 */
export interface Rule {
  readonly name: string;
  /** Milliseconds to wait after the first, second, … attempt in a row; the last holds from there on. */
  readonly delays: readonly number[];
  readonly stop: number;
  /** How long the count is kept after the last attempt; longer than any wait. */
  readonly lifetime: number;
}

const growing = [
  0,
  0,
  0,
  0,
  seconds(30),
  minutes(1),
  minutes(2),
  minutes(5),
  minutes(10),
  minutes(30),
  hours(1),
];
const forever = days(3650);

/** So many attempts are free of waiting, then they grow. */
const afterFree = (free: number): number[] => [...Array<number>(free - 5).fill(0), ...growing];

export const rules = {
  /**
   * One account's password, from one known browser or from all unknown ones together. Attempts are counted before they are
   * checked, so right ones that come at once (a person's many tabs after a restart) must have room; a second door stands behind.
   */
  password: { name: 'password', delays: afterFree(50), stop: 100, lifetime: forever },
  /** One factor's answers; the factor's own count of a hundred stands beside it. */
  factor: { name: 'factor', delays: growing, stop: 100, lifetime: forever },
  recoveryCode: { name: 'recovery_code', delays: growing, stop: 100, lifetime: forever },
  recoveryCodeInAll: { name: 'recovery_code_in_all', delays: [0], stop: 100, lifetime: forever },
  /** A code sent to a mailbox; a new code does not begin the count anew. */
  mailbox: { name: 'mailbox', delays: growing, stop: 100, lifetime: forever },
  /** Wrong codes while setting up: they guess nothing, but cost time. */
  enrolment: {
    name: 'enrolment',
    delays: [...Array<number>(19).fill(0), minutes(1)],
    stop: 10_000,
    lifetime: hours(1),
  },
  /** Codes that devices show, typed from one address: thirty, then one a minute; an hour's rest begins anew. */
  userCode: {
    name: 'user_code',
    delays: [...Array<number>(29).fill(0), minutes(1)],
    stop: 10_000,
    lifetime: hours(1),
  },
  /** Codes sent to one address or number, whoever asks for them. */
  destination: {
    name: 'destination',
    delays: [...Array<number>(19).fill(0), minutes(15)],
    stop: 10_000,
    lifetime: days(1),
  },
  /** Text messages to ten thousand neighbouring numbers: those who are paid per message own such ranges. */
  numberRange: {
    name: 'number_range',
    delays: [...Array<number>(49).fill(0), minutes(5)],
    stop: 10_000,
    lifetime: days(1),
  },
  /** Text messages that are asked for from one range of network addresses: an office, or a machine that pumps. */
  textsFromRange: {
    name: 'texts_from_range',
    delays: [...Array<number>(99).fill(0), minutes(1)],
    stop: 10_000,
    lifetime: hours(1),
  },
  mailsFromRange: {
    name: 'mails_from_range',
    delays: [...Array<number>(499).fill(0), seconds(10)],
    stop: 100_000,
    lifetime: hours(1),
  },
  /** Requests to a person's approvers, from one known browser or from all unknown ones: two at once, then they wait (push bombing). */
  approval: {
    name: 'approval',
    delays: [0, 0, minutes(2), minutes(5), minutes(15)],
    stop: 10_000,
    lifetime: days(1),
  },
  /** Answers of upstream providers, from one range of network addresses, that let nobody in; one that does begins anew. */
  upstream: {
    name: 'upstream',
    delays: [...Array<number>(199).fill(0), seconds(10)],
    stop: 100_000,
    lifetime: hours(1),
  },
  /** Codes sent to one person: three at once, then one per quarter of an hour. */
  send: {
    name: 'send',
    delays: [0, 0, minutes(1), minutes(5), minutes(15)],
    stop: 10_000,
    lifetime: days(1),
  },
} as const satisfies Record<string, Rule>;

export type Attempt = { readonly ok: true } | { readonly ok: false; readonly retryAt: Date | null };

/** The row that counts one rule for one subject. */
export const limitSubject = (rule: Rule, ...subject: readonly string[]): string =>
  digest(JSON.stringify([rule.name, ...subject]));

/**
 * Counts an attempt before anything is checked, in one statement, so that a thousand parallel guesses count as a thousand.
 * Not ok: do not check; `retryAt` says when it may be tried again, null for never by this way.
 */
export async function countAttempt(db: Database, rule: Rule, subject: string): Promise<Attempt> {
  const now = db.clock.now();
  for (;;) {
    if (await countLimited(db, subject, rule, now)) {
      return { ok: true };
    }
    const row = await limitRow(db, subject);
    if (!row) {
      await startLimited(db, subject, rule.lifetime, now);
      continue;
    }
    if (row.failures >= rule.stop) {
      return { ok: false, retryAt: null };
    }
    if (row.blocked_until > now.getTime()) {
      return { ok: false, retryAt: new Date(row.blocked_until) };
    }
  }
}

/** To be written together with what the success changes. */
export const attemptSucceeded = (subject: string): Statement => clearLimit(subject);
