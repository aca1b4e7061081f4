import * as z from 'zod';
import { minutes } from '../lib/clock.ts';
import { sameDigest } from '../lib/digest.ts';
import { digits } from '../lib/random.ts';
import type { Answer, Json, Message, Step, Subject } from './factor.ts';
import { typedCode } from './typed-code.ts';

const kept = z.object({ code: z.string(), to: z.string(), until: z.number() });

/** Codes that are sent live ten minutes (NIST SP 800-63B-4, 3.1.3.2). */
export const codeMinutes = 10;

/** A new code on its way: bound to the step that keeps it and to where it was sent. `shown` is as much of the address as a page may say. */
export function sendCode(
  subject: Subject,
  by: Message['by'],
  to: string,
  shown: { readonly [name: string]: Json },
): Step {
  const code = digits(6);
  return {
    keep: { code, to, until: subject.now.getTime() + minutes(codeMinutes) },
    show: shown,
    send: { by, to, template: 'code', values: { code, minutes: codeMinutes } },
  };
}

/** Where the code of this step was sent; null where none was. */
export const sentTo = (json: Json): string | null => kept.safeParse(json).data?.to ?? null;

/** The code of this step, sent to `to` and still alive. Spaces and dashes are forgiven. */
export function isSentCode(subject: Subject, json: Json, to: string, answer: Answer): boolean {
  const read = kept.safeParse(json);
  const code = typedCode(answer);
  return (
    read.success &&
    read.data.to === to &&
    read.data.until > subject.now.getTime() &&
    code !== null &&
    sameDigest(code, read.data.code)
  );
}
