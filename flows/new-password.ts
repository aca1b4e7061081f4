import type { UserMembership } from '../entities/memberships.ts';
import type { UserRow } from '../entities/users.ts';
import { isCommonPassword } from '../lib/common-passwords.ts';
import { passwordProblem } from '../lib/password-hash.ts';

export type NewPasswordProblem =
  | 'too_short'
  | 'too_long'
  | 'not_text'
  | 'common'
  | 'about_you'
  | 'repetitive';

/**
 * What stands against a new password (NIST SP 800-63B-4, 3.1.1.2): its length, and that it is among those which guessers try first. No
 * rules about kinds of characters, no end date. Null where nothing does.
 */
export function newPasswordProblem(
  password: string,
  about: {
    readonly user: Pick<UserRow, 'email' | 'name'>;
    readonly memberships?: readonly UserMembership[];
    /** Names that everybody here knows. */
    readonly words?: readonly string[];
  },
): NewPasswordProblem | null {
  const problem = passwordProblem(password);
  if (problem) {
    return problem;
  }
  if (isCommonPassword(password)) {
    return 'common';
  }
  if (new Set(password.toLowerCase()).size < 3) {
    return 'repetitive';
  }
  return isAbout(password, about) ? 'about_you' : null;
}

/** Little is left of it without the words that everybody knows of this person and this place. */
function isAbout(
  password: string,
  { user, memberships = [], words: more = [] }: Parameters<typeof newPasswordProblem>[1],
): boolean {
  const words = [
    'sallyport',
    user.email,
    user.name ?? '',
    ...memberships.map(({ organization }) => organization.name),
    ...more,
  ]
    .flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)])
    .map((word) => word.toLowerCase())
    .filter((word) => word.length >= 4)
    .sort((a, b) => b.length - a.length);
  const rest = words.reduce((text, word) => text.replaceAll(word, ''), password.toLowerCase());
  return rest !== password.toLowerCase() && rest.replace(/[\d\W_]+/g, '').length < 4 && rest.length < 6;
}
