import * as z from 'zod';
import { maskedPhoneNumber, readPhoneNumber } from '../lib/phone-number.ts';
import type { Factor, Json, Step, Subject } from './factor.ts';
import { isSentCode, sendCode, sentTo } from './sent-code.ts';

/** The number that was confirmed by a code; it stays this factor's, whatever the profile says later. */
const stored = z.object({ number: z.string() });

const askNumber: Step = { keep: { asked: 'number' }, show: { to: null } };

/**
 * A code by text message to a number that a code has proved. The set-up asks for the number first, unless a verified one is known:
 * who has the password alone sees no more of that than its last two digits.
 */
export const sms: Factor = {
  id: 'sms',
  label: 'Text message',
  description: 'A code to your phone. Use it where nothing else works.',
  amr: () => ['sms'],

  async startEnrolment(subject, before) {
    const number = sentTo(before ?? null) ?? subject.phone;
    return number === null ? askNumber : send(subject, number);
  },

  async finishEnrolment(subject, json, answer) {
    if (answer?.another !== undefined) return { ok: false, step: askNumber };
    const to = sentTo(json);
    if (to !== null) {
      return isSentCode(subject, json, to, answer)
        ? { ok: true, data: { number: to }, highWater: null, userVerified: false, phone: to }
        : { ok: false };
    }
    const typed = readPhoneNumber(answer?.phone);
    return typed === null
      ? { ok: false, error: 'Enter the whole number, with + and the country code in front.' }
      : { ok: false, step: send(subject, typed.number) };
  },

  async startChallenge(subject) {
    const number = numberOf(subject);
    return number === null ? { keep: null, show: {} } : send(subject, number);
  },

  async verify(subject, json, answer) {
    const [factor] = subject.factors;
    const number = numberOf(subject);
    if (!factor || number === null || !isSentCode(subject, json, number, answer)) {
      return { ok: false, reason: 'wrong' };
    }
    return { ok: true, factorId: factor.id, data: factor.data, highWater: null, userVerified: false };
  },
};

const send = (subject: Subject, number: string): Step =>
  sendCode(subject, 'sms', number, { to: maskedPhoneNumber(number), another: 'Use another number' });

/** Where the codes of a factor with this data go. */
export const numberIn = (data: Json | undefined): string | null =>
  stored.safeParse(data).data?.number ?? null;

const numberOf = ({ factors }: Subject): string | null => numberIn(factors[0]?.data);
