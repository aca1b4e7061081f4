import { FirstSchema1790000000001 } from './1790000000001-first-schema.ts';

/** In the order in which they run; a new one is a new file and a new line at the end. */
export const migrations = [FirstSchema1790000000001];
