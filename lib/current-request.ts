import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known of a request wherever something is done for it. */
export interface CurrentRequest {
  /** Told to whoever asked, in `X-Request-Id` and on the page of an error. */
  readonly request: string;
  /** How long it has waited for answers of the database beyond what they take on a good day, in milliseconds. */
  late: number;
}

const storage = new AsyncLocalStorage<CurrentRequest>();

export const duringRequest = <Result>(current: CurrentRequest, work: () => Result): Result =>
  storage.run(current, work);

/** The request under way; null for work that nobody waits for. */
export const currentRequest = (): CurrentRequest | null => storage.getStore() ?? null;
