import { AsyncLocalStorage } from 'node:async_hooks';

/** What the log says of the request that a line was written for. */
export interface CurrentRequest {
  /** Told to whoever asked, in `X-Request-Id` and on the page of an error. */
  readonly request: string;
}

const storage = new AsyncLocalStorage<CurrentRequest>();

export const duringRequest = <Result>(current: CurrentRequest, work: () => Result): Result =>
  storage.run(current, work);

/** The request under way; null for work that nobody waits for. */
export const currentRequest = (): CurrentRequest | null => storage.getStore() ?? null;
