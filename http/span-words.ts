import type { Sentence } from './pages.ts';

/** So many minutes, in hours where they are whole ones. */
export const spanWords = (minutes: number): Sentence =>
  minutes % 60 === 0
    ? { sentence: '{n} hour|{n} hours', values: { n: minutes / 60 } }
    : { sentence: '{n} minute|{n} minutes', values: { n: minutes } };
