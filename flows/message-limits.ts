import { instancePolicy } from '../entities/organizations.ts';
import type { Message } from '../factors/factor.ts';
import { addressRange } from '../lib/address-range.ts';
import { days } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { readPhoneNumber } from '../lib/phone-number.ts';
import { countAttempt, limitSubject, type Rule, rules } from '../limits/attempts.ts';
import { defaultRules } from './change-policy.ts';
import { homeOf, type Recipient, unknownBrowsers } from './recipient.ts';
import type { Services } from './services.ts';

export type MessageCount =
  | { readonly kind: 'ok' }
  | { readonly kind: 'too_soon'; readonly retryAt: Date | null }
  /** No gateway, a number that is nobody's telephone, a country that is not served, or the day's messages are all sent. */
  | { readonly kind: 'unavailable'; readonly why: 'gateway' | 'service' | 'country' | 'spent' };

/**
 * What a message is for. Each is counted by itself: what a stranger can cause by knowing an address (`reset`) must not use up what
 * somebody needs who has proved the password (security.md T143).
 */
export type Purpose = 'proof' | 'reset' | 'change';

/** Where the messages to one person are counted; those that prove something, for each known browser by itself. */
export const sendLimit = (
  userId: string,
  by: Message['by'],
  purpose: Purpose,
  bucket = unknownBrowsers,
): string => limitSubject(rules.send, userId, by, purpose, purpose === 'proof' ? bucket : '');

/**
 * Counts a message before it is sent: per person, destination, range of numbers and of network addresses, and for text messages, which
 * cost money, per organization and day and for all together. The narrow counts come first, so that what they hold back does not use up
 * the wide ones.
 */
export async function countMessage(
  services: Services,
  recipient: Recipient,
  { by, to }: Message,
  purpose: Purpose,
): Promise<MessageCount> {
  const { db } = services;
  const { user, origin, bucket } = recipient;
  const isText = by === 'sms';
  const allowed = isText ? await textBudgets(services, recipient, to) : { kind: 'ok' as const, budgets: [] };
  if (allowed.kind !== 'ok') {
    return allowed;
  }
  const counts: readonly [Rule, string][] = [
    [rules.send, sendLimit(user.id, by, purpose, bucket)],
    [rules.destination, limitSubject(rules.destination, by, digest(to), purpose)],
    ...(isText
      ? [[rules.numberRange, limitSubject(rules.numberRange, digest(to.slice(0, -4)))] as [Rule, string]]
      : []),
    ofRange(isText ? rules.textsFromRange : rules.mailsFromRange, origin.ip),
  ];
  for (const [rule, subject] of counts) {
    const attempt = await countAttempt(db, rule, subject);
    if (!attempt.ok) {
      return { kind: 'too_soon', retryAt: attempt.retryAt };
    }
  }
  for (const { subject, perDay } of allowed.budgets) {
    const day = db.clock.now().toISOString().slice(0, 10);
    const rule = { name: 'texts_per_day', delays: [0], stop: perDay, lifetime: days(2) };
    const attempt = await countAttempt(db, rule, limitSubject(rule, subject, day));
    if (!attempt.ok) {
      return { kind: 'unavailable', why: 'spent' };
    }
  }
  return { kind: 'ok' };
}

const ofRange = (rule: Rule, ip: string | null): [Rule, string] => [
  rule,
  limitSubject(rule, addressRange(ip)),
];

type Allowance =
  | {
      readonly kind: 'ok';
      readonly budgets: readonly { readonly subject: string; readonly perDay: number }[];
    }
  | Extract<MessageCount, { kind: 'unavailable' }>;

/** What one text message uses up, or why there can be none. Every organization of the person must allow the country. */
async function textBudgets(
  { db, settings, available }: Services,
  { user, memberships }: Recipient,
  to: string,
): Promise<Allowance> {
  if (!available.includes('sms')) {
    return { kind: 'unavailable', why: 'gateway' };
  }
  const instance = (await instancePolicy(db))?.sms ?? defaultRules.sms;
  const own = memberships.length > 0 ? memberships.map(({ sms }) => sms) : [instance];
  const { country = null, isService = false } = readPhoneNumber(to) ?? {};
  if (isService) {
    return { kind: 'unavailable', why: 'service' };
  }
  const serves = (countries: 'all' | readonly string[]): boolean =>
    countries === 'all' || (country !== null && countries.includes(country));
  if (!serves(settings.smsCountries) || !own.every(({ countries }) => serves(countries))) {
    return { kind: 'unavailable', why: 'country' };
  }
  const home = homeOf(user, memberships);
  const budgets = [
    { subject: home?.organization.id ?? 'nobody', perDay: (home?.sms ?? instance).perDay },
    { subject: 'all', perDay: settings.smsPerDay },
  ];
  return { kind: 'ok', budgets };
}
