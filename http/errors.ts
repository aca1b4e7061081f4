import { randomBytes } from 'node:crypto';
import type { Context, Next } from 'koa';
import { errors as oidcErrors } from 'oidc-provider';
import type { Logger } from 'pino';
import { Overloaded } from '../lib/work-queue.ts';
import type { Sentence } from './pages.ts';

/** The closed catalogue of what people may be told when a request cannot be served; sentences fit to be shown. */
const catalogue = {
  not_found: {
    status: 404,
    title: 'This page does not exist',
    advice: 'Check the address, or go back to the application that you came from.',
  },
  sign_in_ended: {
    status: 400,
    title: 'This sign-in has ended',
    advice:
      'It may have expired, been finished already, or been opened in another browser. Go back to the application and sign in again.',
  },
  sign_in_moved_on: {
    status: 409,
    title: 'This sign-in has moved on',
    advice: 'It was continued in another tab or twice at once. Go on from where it is now.',
  },
  link_ended: {
    status: 404,
    title: 'This link does not hold any more',
    advice:
      'It may have expired, been used already, or been replaced by a newer one. Ask whoever sent it for another.',
  },
  foreign_form: {
    status: 403,
    title: 'This form did not come from here',
    advice: 'Nothing was changed. Go back, load the page again and send the form once more.',
  },
  bad_request: {
    status: 400,
    title: 'This request cannot be understood',
    advice: 'Nothing was changed. Go back and try again.',
  },
  too_large: {
    status: 413,
    title: 'This request is too large',
    advice: 'Nothing was changed. Go back and try again.',
  },
  too_many: {
    status: 429,
    title: 'Too many tries',
    advice: 'Nothing was changed. Wait a minute and try again.',
  },
  busy: {
    status: 503,
    title: 'Sallyport is busy for a moment',
    advice: 'Nothing was changed. Wait a few seconds and try again.',
  },
  unavailable: {
    status: 503,
    title: 'Sign-in is not available for a moment',
    advice: 'Nothing was changed, and nobody was signed in. Wait a few seconds and try again.',
  },
  failed: {
    status: 500,
    title: 'Something went wrong on our side',
    advice:
      'Nothing was changed. Try again; if it happens once more, tell your administrator the number below.',
  },
} as const satisfies Record<string, { status: number; title: string; advice: string }>;

export type ErrorCode = keyof typeof catalogue;

/** A request that cannot be served, by its stable code. */
export class RequestError extends Error {
  override name = 'RequestError';
  readonly code: ErrorCode;
  readonly status: number;

  constructor(code: ErrorCode, options?: ErrorOptions) {
    super(code, options);
    this.code = code;
    this.status = catalogue[code].status;
  }
}

export interface ShownError {
  readonly code: string;
  readonly status: number;
  readonly title: Sentence;
  readonly advice: Sentence;
  readonly errorId: string | null;
  readonly retryAfter: number | null;
}

const retrySeconds = 5;

/** What people see of any error. Only what nobody expected gets a number, under which the log has the rest. */
export function describeError(error: unknown, log: Logger): ShownError {
  const code = codeOf(error);
  const { status, title, advice } = catalogue[code];
  const errorId = status >= 500 ? randomBytes(5).toString('hex') : null;
  if (errorId !== null) {
    log[code === 'failed' ? 'error' : 'warn']({ err: withoutValues(error), errorId, code }, 'request failed');
  }
  return {
    code,
    status,
    title,
    advice,
    errorId,
    retryAfter: status === 503 ? retrySeconds : status === 429 ? 60 : null,
  };
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof RequestError) {
    return error.code;
  }
  if (error instanceof Overloaded) {
    return 'busy';
  }
  if (isDatabaseAway(error)) {
    return 'unavailable';
  }
  if (error instanceof oidcErrors.SessionNotFound) {
    return 'sign_in_ended';
  }
  const { code, status, statusCode } = (error ?? {}) as {
    code?: unknown;
    status?: unknown;
    statusCode?: unknown;
  };
  if (typeof code === 'string' && code.startsWith('Z_')) {
    return 'bad_request';
  }
  const known = Number(status ?? statusCode);
  if (known === 404) return 'not_found';
  if (known === 413) return 'too_large';
  if (known === 503) return 'unavailable';
  return known >= 400 && known < 500 ? 'bad_request' : 'failed';
}

const away = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'PROTOCOL_CONNECTION_LOST',
  'PROTOCOL_SEQUENCE_TIMEOUT',
  'POOL_CLOSED',
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_SERVER_SHUTDOWN',
  'ER_NEW_ABORTING_CONNECTION',
  'ER_CONNECTION_KILLED',
  'ER_OPTION_PREVENTS_STATEMENT',
  'ER_QUERY_INTERRUPTED',
  'ER_QUERY_TIMEOUT',
]);

/** SQLITE_BUSY, _LOCKED, _READONLY, _IOERR, _FULL, _CANTOPEN */
const sqliteAway = new Set([5, 6, 8, 10, 13, 14]);

/** The database cannot answer at the moment: not our mistake, and worth another try. */
export function isDatabaseAway(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Object && depth < 5; depth += 1) {
    const { code, errcode, message } = cause as { code?: unknown; errcode?: unknown; message?: unknown };
    if (typeof code === 'string' && away.has(code)) return true;
    if (typeof errcode === 'number' && sqliteAway.has(errcode & 0xff)) return true;
    if (message === 'Queue limit reached.' || message === 'Pool is closed.') return true;
    cause = (cause as { driverError?: unknown }).driverError ?? (cause as { cause?: unknown }).cause;
  }
  return false;
}

/** A failed query carries its values, and a value may be a secret: the log gets its text only. */
export function withoutValues(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return { message: String(error) };
  }
  const { code } = error as { code?: unknown };
  return { type: error.name, message: error.message, code, stack: error.stack };
}

/** The one `catch`: every error of every page becomes one of the catalogue. */
export function catchErrors(log: Logger, show: (ctx: Context, error: ShownError) => void) {
  return async (ctx: Context, next: Next): Promise<void> => {
    try {
      await next();
      if (ctx.status === 404 && (ctx.body === undefined || ctx.body === null)) {
        throw new RequestError('not_found');
      }
    } catch (error) {
      const shown = describeError(error, log);
      // A redirect that was prepared before the error may carry a code.
      ctx.remove('Location');
      ctx.status = shown.status;
      if (shown.retryAfter !== null) {
        ctx.set('Retry-After', String(shown.retryAfter));
      }
      show(ctx, shown);
    }
  };
}
