/**
 * Why nobody came in by an upstream provider. `away`: it could not be reached or was too slow. `declined`: it says that the sign-in was
 * not finished. `not_trusted`: something in its answer was not as it must be. `too_old`: a fresh sign-in was asked for, and it was none.
 */
export type UpstreamReason = 'away' | 'declined' | 'not_trusted' | 'too_old';

/** `detail` is for the audit log: words of ours, never what came from outside. */
export class UpstreamProblem extends Error {
  override name = 'UpstreamProblem';
  readonly reason: UpstreamReason;
  readonly detail: string;
  constructor(reason: UpstreamReason, detail: string, options: ErrorOptions = {}) {
    super(`${reason}: ${detail}`, options);
    this.reason = reason;
    this.detail = detail;
  }
}
