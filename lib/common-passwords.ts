import { readFileSync } from 'node:fs';

let known: ReadonlySet<string> | null = null;

/**
 * True for a password that guessers try first: one of some 18,000 of eight and more characters from public breaches, in whatever case.
 * The list is that of zxcvbn-ts (MIT), shipped with the program: nobody is asked over the network.
 */
export function isCommonPassword(password: string): boolean {
  known ??= new Set(
    readFileSync(new URL('common-passwords.txt', import.meta.url), 'utf8')
      .trimEnd()
      .split('\n'),
  );
  return known.has(password.normalize('NFKC').toLowerCase());
}
