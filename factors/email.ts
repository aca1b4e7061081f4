import * as z from 'zod';
import { minutes } from '../lib/clock.ts';
import { sameDigest } from '../lib/digest.ts';
import { digits } from '../lib/random.ts';
import type { Answer, Factor, Json, Step, Subject } from './factor.ts';

const kept = z.object({ code: z.string(), to: z.string(), until: z.number() });

/** Codes live ten minutes (NIST SP 800-63B-4, 3.1.3.2). */
export const codeMinutes = 10;

/** A code to the verified address. Two steps, but no second factor (NIST SP 800-63B-4, 3.1.3.1): claimed as `2sv`. */
export const email: Factor = {
  id: 'email',
  label: 'Email code',
  description: 'A code to your e-mail address. Two steps, though not as safe as the others.',
  isFor: ({ emailVerified }) => emailVerified,
  amr: () => ['otp'],
  startEnrolment: (subject) => send(subject),
  finishEnrolment: async (subject, json, answer) =>
    isRight(subject, json, answer)
      ? { ok: true, data: {}, highWater: null, userVerified: false }
      : { ok: false },
  startChallenge: (subject) => send(subject),
  verify: async (subject, json, answer) => {
    const [factor] = subject.factors;
    if (!factor || !isRight(subject, json, answer)) return { ok: false, reason: 'wrong' };
    return { ok: true, factorId: factor.id, data: factor.data, highWater: null, userVerified: false };
  },
};

async function send(subject: Subject): Promise<Step> {
  const code = digits(6);
  return {
    keep: { code, to: subject.email, until: subject.now.getTime() + minutes(codeMinutes) },
    show: { to: shortened(subject.email) },
    send: {
      by: 'email',
      to: subject.email,
      template: 'code',
      values: { code, minutes: String(codeMinutes) },
    },
  };
}

/** The code that was sent to the address that is still this person's verified one. */
function isRight(subject: Subject, json: Json, answer: Answer): boolean {
  const read = kept.safeParse(json);
  const typed = answer?.code;
  const short = typeof typed === 'string' && typed.length <= 32 ? typed : '';
  const code = short.replaceAll(/[\s\p{Dash_Punctuation}]/gu, '');
  return (
    read.success &&
    subject.emailVerified &&
    read.data.to === subject.email &&
    read.data.until > subject.now.getTime() &&
    /^[0-9]{6}$/.test(code) &&
    sameDigest(code, read.data.code)
  );
}

/** "a••@acme.test": enough to know which mailbox to open. */
function shortened(address: string): string {
  const at = address.lastIndexOf('@');
  return `${address.slice(0, 1)}••${address.slice(at)}`;
}
