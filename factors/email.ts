import type { Answer, Factor, Json, Step, Subject } from './factor.ts';
import { isSentCode, sendCode } from './sent-code.ts';

/** A code to the verified address. Two steps, but no second factor (NIST SP 800-63B-4, 3.1.3.1): claimed as `2sv`. */
export const email: Factor = {
  id: 'email',
  label: 'Email code',
  description: 'A code to your e-mail address. Two steps, though not as safe as the others.',
  isFor: ({ emailVerified }) => emailVerified,
  amr: () => ['otp'],
  startEnrolment: async (subject) => send(subject),
  finishEnrolment: async (subject, json, answer) =>
    isRight(subject, json, answer)
      ? { ok: true, data: {}, highWater: null, userVerified: false }
      : { ok: false },
  startChallenge: async (subject) => send(subject),
  verify: async (subject, json, answer) => {
    const [factor] = subject.factors;
    if (!factor || !isRight(subject, json, answer)) return { ok: false, reason: 'wrong' };
    return { ok: true, factorId: factor.id, data: factor.data, highWater: null, userVerified: false };
  },
};

const send = (subject: Subject): Step =>
  sendCode(subject, 'email', subject.email, { to: shortened(subject.email) });

/** The code that was sent to the address that is still this person's verified one. */
const isRight = (subject: Subject, json: Json, answer: Answer): boolean =>
  subject.emailVerified && isSentCode(subject, json, subject.email, answer);

/** "a••@acme.test": enough to know which mailbox to open. */
function shortened(address: string): string {
  const at = address.lastIndexOf('@');
  return `${address.slice(0, 1)}••${address.slice(at)}`;
}
