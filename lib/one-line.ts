/**
 * What has no place in a name: line ends and other control characters, blanks of no width, halves of letters, and marks that turn the
 * direction of writing, by which one name is read as another. Joiners stay: scripts and emoji need them.
 */
const unseen = String.raw`\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2069\uFEFF`;

/** Of a text in one line, of which everything is seen; for a schema. */
export const oneLinePattern = new RegExp(`^[^${unseen}]*$`, 'u');

/** Letters in the name of a person, and of most things. */
export const longestName = 200;

/** The text of a name as it is stored: in one line, with single blanks, and no longer than so many letters. */
export const oneLine = (text: string, longest: number): string =>
  [
    ...text
      .toWellFormed()
      .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
      .replace(new RegExp(`[${unseen}]+`, 'gu'), '')
      .replace(/\s+/gu, ' ')
      .trim(),
  ]
    .slice(0, longest)
    .join('')
    .trim();
