import type { Answer } from './factor.ts';

/** The digits that were typed; spaces and dashes are forgiven, everything else that is not as many digits is no code. */
export function typedCode(answer: Answer, digits = 6): string | null {
  const typed = answer?.code;
  if (typeof typed !== 'string' || typed.length > 32) return null;
  const code = typed.replaceAll(/[\s\p{Dash_Punctuation}]/gu, '');
  return code.length === digits && /^[0-9]+$/.test(code) ? code : null;
}
