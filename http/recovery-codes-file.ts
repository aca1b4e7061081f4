import type { Context } from 'koa';
import type { Language, Sentence } from './pages.ts';
import type { Renderer } from './render.ts';

/** What stands above recovery codes on paper, in a file and in what is copied: whose they are, where, of when, and what they are for. */
export const codesHead = (account: string | null, organization: string, at: Date): readonly Sentence[] => [
  {
    sentence: 'Recovery codes of {account} for {organization}.',
    values: { account: account ?? '', organization },
  },
  { sentence: 'Saved on {date}.', values: { date: at.toISOString().slice(0, 10) } },
  'Each one works once: at sign-in choose "Use a recovery code".',
];

/** Answers with the codes as a file, each alone on its line below the head. */
export function sendCodesFile(
  ctx: Context,
  renderer: Renderer,
  lang: Language,
  head: readonly Sentence[],
  codes: readonly string[],
): void {
  const t = renderer.translator(lang);
  ctx.attachment('recovery-codes.txt');
  ctx.type = 'text/plain; charset=utf-8';
  // A name can be anything, but no line of its own.
  const lines = head.map((line) => t(line).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' '));
  ctx.body = `${[...lines, '', ...codes].join('\n')}\n`;
}
