import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known of a request wherever something is done for it. */
export interface CurrentRequest {
  /** Told to whoever asked, in `X-Request-Id` and on the page of an error. */
  readonly request: string;
  /** How long it has waited for answers of the database beyond what they take on a good day, in milliseconds. */
  late: number;
}

interface UnderWay {
  readonly current: CurrentRequest;
  readonly ahead: Map<string, unknown>;
}

const storage = new AsyncLocalStorage<UnderWay>();

export const duringRequest = <Result>(current: CurrentRequest, work: () => Result): Result =>
  storage.run({ current, ahead: new Map() }, work);

/** The request under way; null for work that nobody waits for. */
export const currentRequest = (): CurrentRequest | null => storage.getStore()?.current ?? null;

/**
 * What one question to the database has read for the next question of the same request, which is asked at once and would read the
 * same row: it is handed over there, to one taker. No other request ever sees it (docs/decisions/0032-one-question.md).
 */
export class ReadAhead<Row> {
  private readonly what: string;

  constructor(what: string) {
    this.what = what;
  }

  keep(key: string, row: Row): void {
    storage.getStore()?.ahead.set(`${this.what} ${key}`, row);
  }

  /** Undefined where nothing was read: whoever asks reads it himself. */
  take(key: string): Row | undefined {
    const ahead = storage.getStore()?.ahead;
    const name = `${this.what} ${key}`;
    const row = ahead?.get(name) as Row | undefined;
    ahead?.delete(name);
    return row;
  }
}
