import { seconds } from '../lib/clock.ts';
import { currentRequest } from '../lib/current-request.ts';

/**
 * Each question has a patience of its own, and a request asks many: a database that takes a second for each would keep people waiting
 * for a minute. So the time that answers took beyond the usual is added up, and from here on nothing more is asked for that request.
 * What is under way is never broken off by it, and a long list of quick answers is not late.
 */
const mostLate = seconds(6);
/** What an answer may take without being late. */
const usual = 200;

/** The request has waited for too long already: what it has written is written, and nothing more is. */
export class TooLate extends Error {
  override name = 'TooLate';
  readonly code = 'REQUEST_TOO_LATE';

  constructor() {
    super('the database has been slow for too long');
  }
}

/** @throws TooLate */
export function refuseTooLate(): void {
  if ((currentRequest()?.late ?? 0) > mostLate) throw new TooLate();
}

/** @param allowance milliseconds more that this one may take, for it is long */
export function noteAnswer(took: number, allowance = 0): void {
  const late = took - usual - allowance;
  if (late <= 0) return;
  const current = currentRequest();
  if (current) current.late += late;
}
