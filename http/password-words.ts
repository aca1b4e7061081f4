import type { NewPasswordProblem } from '../flows/new-password.ts';
import { maxPasswordLength, minPasswordLength } from '../lib/password-hash.ts';
import type { Sentence } from './pages.ts';

/** Why a new password will not do, and what would. */
export const passwordWords: Readonly<Record<NewPasswordProblem, Sentence>> = {
  too_short: {
    sentence: 'Use at least {n} character.|Use at least {n} characters.',
    values: { n: minPasswordLength },
  },
  too_long: {
    sentence: 'Use at most {n} character.|Use at most {n} characters.',
    values: { n: maxPasswordLength },
  },
  not_text: 'This contains characters that no keyboard types. Type it anew.',
  common:
    'This password is on lists that guessers try first. Choose another, such as several words that do not belong together.',
  about_you:
    'This is close to your name, your address or your organization. Choose something that nobody can look up.',
  repetitive: 'This is one character again and again. Choose another.',
};
