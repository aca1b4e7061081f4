/** Letters that Unicode does not take apart into one without a mark, as people look them up. */
const plain: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ı: 'i',
  ŋ: 'n',
  ŧ: 't',
};

/**
 * A text as lists sort and search it: without case and accents, so that Álvarez stands among the A and is found by "alvarez". Any two
 * databases compare it alike, character by character.
 */
export const folded = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]+/g, '')
    .toLowerCase()
    .replace(/[ßæœøłđðþħıŋŧ]/g, (letter) => plain[letter] ?? letter)
    .replace(/['’‘`´]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .normalize('NFC');
