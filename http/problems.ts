import type { Context } from 'koa';
import type { Answer } from '../factors/factor.ts';
import { factorFor } from '../factors/index.ts';
import { typedCode } from '../factors/typed-code.ts';
import type { ChallengeStart } from '../flows/start-challenge.ts';
import type { Method } from '../policy/types.ts';
import type { Sentence } from './pages.ts';
import type { Site } from './site.ts';

/** What was wrong with the last form, shown beside its field; what was typed is kept, a password never. */
export interface Problem {
  readonly error: Sentence;
  readonly typed?: string;
  readonly status: number;
}

type Visit = { readonly ctx: Context; readonly site: Pick<Site, 'services'> };

/** One sentence for all wrong answers of a kind; the audit log has the reason. */
export const wrongPassword: Sentence = 'The e-mail address or the password is not right.';
export const wrongOwnPassword: Sentence = 'The password is not right.';
export const wrongPasskey: Sentence = 'That passkey could not be used here. Try again, or use another way.';
const wrongDevice: Sentence = 'That could not be confirmed here. Try again, or use another way.';
export const wrongRecoveryCode: Sentence = 'That recovery code is not right, or was used already.';
export const wrongSentCode: Sentence =
  'That code is not right, or has expired. Enter the newest one, or send a new one.';
const wrongCode: Sentence =
  'That code is not right, or was used already. Codes change every 30 seconds; enter the one shown now.';

const wrongFirstCode: Sentence =
  'That code is not right. Codes change every 30 seconds; enter the one shown now.';
const notSixDigits: Sentence = 'Enter the 6 digits of the code.';

export function wrongAnswer(method: Method, answer: Answer, step: 'challenge' | 'set_up'): Sentence {
  if (method === 'device') {
    return wrongDevice;
  }
  if (factorFor(method).isSignature) {
    return wrongPasskey;
  }
  if (method !== 'totp') {
    return wrongSent(answer);
  }
  // Apps that came from elsewhere may show eight.
  if (typedCode(answer) === null && typedCode(answer, 8) === null) {
    return notSixDigits;
  }
  return step === 'set_up' ? wrongFirstCode : wrongCode;
}

/** What is no code was counted like a wrong one, and is easier put right. */
export const wrongSent = (answer: Answer): Sentence =>
  typedCode(answer) === null ? notSixDigits : wrongSentCode;

/** Shown beside the field, with what was typed. */
export const wrong = (error: Sentence, typed: unknown): Problem => ({
  error,
  typed: typeof typed === 'string' ? typed.slice(0, 64) : '',
  status: 422,
});

/** Nothing was checked: when it may be tried again, or that another way is needed. */
export function blocked(visit: Visit, retryAt: Date | null): Problem {
  if (retryAt === null) {
    return {
      error:
        'There were too many wrong tries, so this way is closed. Use another way, or ask your administrator.',
      status: 429,
    };
  }
  const left = retryAt.getTime() - visit.site.services.db.clock.now().getTime();
  const seconds = Math.max(1, Math.ceil(left / 1000));
  visit.ctx.set('Retry-After', String(seconds));
  return { error: seconds < 90 ? inSeconds(seconds) : inMinutes(Math.ceil(seconds / 60)), status: 429 };
}

/** Why nothing was sent; null where it was. */
export function notSent(visit: Visit, outcome: ChallengeStart): Problem | null {
  switch (outcome.kind) {
    case 'too_soon':
      return tooSoon(visit, outcome.retryAt, anotherCode);
    case 'asked_too_often':
      return tooSoon(visit, outcome.retryAt, anotherRequest);
    case 'unavailable':
      return { error: unavailable[outcome.why], status: 422 };
    default:
      return null;
  }
}

const unavailable = {
  gateway: 'Text messages cannot be sent here at the moment. Use another way.',
  service: 'That number takes no text messages, or charges for them. Use the number of a mobile phone.',
  country: 'No text messages are sent to numbers of that country. Use another number, or another way.',
  spent: 'No more text messages can be sent today. Use another way.',
} as const satisfies Record<string, Sentence>;

/** Something was sent a moment ago, or too often. */
function tooSoon(visit: Visit, retryAt: Date | null, sentence: string): Problem {
  const left = (retryAt?.getTime() ?? 0) - visit.site.services.db.clock.now().getTime();
  visit.ctx.set('Retry-After', String(Math.max(1, Math.ceil(left / 1000))));
  const n = Math.max(1, Math.ceil(left / 60_000));
  return {
    error: { sentence, values: { n } },
    status: 429,
  };
}

const anotherCode =
  'Please wait: another code can be sent in {n} minute.|Please wait: another code can be sent in {n} minutes.';
const anotherRequest =
  'There was a request a moment ago, or several. You can ask again in {n} minute.|There was a request a moment ago, or several. You can ask again in {n} minutes.';

const inSeconds = (n: number): Sentence => ({
  sentence: 'Too many wrong tries. Try again in {n} second.|Too many wrong tries. Try again in {n} seconds.',
  values: { n },
});

const inMinutes = (n: number): Sentence => ({
  sentence: 'Too many wrong tries. Try again in {n} minute.|Too many wrong tries. Try again in {n} minutes.',
  values: { n },
});
