import { randomBytes } from 'node:crypto';
import type { Context, Next } from 'koa';
import { errors as oidcErrors } from 'oidc-provider';
import type { Logger } from 'pino';
import { TooLate } from '../entities/lateness.ts';
import { NotPermitted } from '../flows/organization-actor.ts';
import { currentRequest } from '../lib/current-request.ts';
import { Overloaded } from '../lib/work-queue.ts';
import type { Link, Sentence } from './pages.ts';

/** The closed catalogue of what people may be told when a request cannot be served; sentences fit to be shown. */
export const catalogue = {
  not_found: {
    status: 404,
    title: 'This page does not exist',
    advice: 'Check the address, or go back to where you came from.',
  },
  sign_in_ended: {
    status: 400,
    title: 'This sign-in has ended',
    advice:
      'It may have expired, been finished already, been opened in another browser, or been ended by a new password. Go back to the application and sign in again.',
  },
  sign_in_moved_on: {
    status: 409,
    title: 'This sign-in has moved on',
    advice: 'It was continued in another tab or twice at once. Go on from where it is now.',
  },
  link_ended: {
    status: 410,
    title: 'This link does not work any more',
    advice:
      'It was used already, or is too old, or a newer one was sent. Nothing was changed. Ask for a new one if you still need it.',
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
  file_too_large: {
    status: 413,
    title: 'This file is too large',
    advice:
      'Nothing was changed. At most 300 kB can be sent here, and a logo may have 200 kB. Make a picture smaller, or send a long list in several parts, and choose it again.',
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
  invalid: {
    status: 400,
    title: 'The request does not fit the API',
    advice: 'Nothing was changed. The errors say what does not fit; the document is at /api/openapi.json.',
  },
  token_missing: {
    status: 401,
    title: 'A token is needed',
    advice: 'Send an access token for the management API as a bearer token.',
  },
  token_invalid: {
    status: 401,
    title: 'This token is not good here',
    advice: 'It may have expired, been revoked, or been made for something else. Get a new one.',
  },
  step_up: {
    status: 401,
    title: 'The person must prove more',
    advice: 'Send them through the authorization endpoint with the acr_values and max_age of the challenge.',
  },
  insufficient_scope: {
    status: 403,
    title: 'The token is not good for this',
    advice: 'It lacks the scope that the challenge names.',
  },
  not_permitted: {
    status: 403,
    title: 'You may not do this',
    advice: 'Nothing was changed. Ask an owner of the organization.',
  },
  conflict: {
    status: 409,
    title: 'This does not go with how things stand',
    advice: 'Nothing was changed. Read it again, and decide anew.',
  },
  owners_lack_factor: {
    status: 409,
    title: 'An owner has no second factor yet',
    advice:
      'Nothing was changed. All owners must have one before anybody is required to. The preview names them.',
  },
  no_method: {
    status: 409,
    title: 'None of these methods can be set up here',
    advice: 'Nothing was changed. Allow a method that this instance offers.',
  },
  idempotency_in_progress: {
    status: 409,
    title: 'The same request is under way',
    advice: 'Wait a moment and send it again with the same Idempotency-Key.',
  },
  idempotency_answer_lost: {
    status: 409,
    title: 'The answer to this request was lost',
    advice:
      'It was done, or begun, and is not done again under this Idempotency-Key. Read how things stand before you send anything under a new one.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used for another request',
    advice: 'Nothing was changed. Take a new key for a new request.',
  },
  precondition_required: {
    status: 428,
    title: 'If-Match is missing',
    advice: 'Nothing was changed. Read the policy and send its ETag.',
  },
  precondition_failed: {
    status: 412,
    title: 'It was changed meanwhile',
    advice: 'Nothing was changed. Read it again, and decide anew.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body must be JSON',
    advice: 'Nothing was changed. Send application/json.',
  },
  unsupported_encoding: {
    status: 415,
    title: 'The body must not be compressed',
    advice: 'Nothing was changed. Send it without Content-Encoding.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    advice: 'Nothing was changed. Retry-After says when to go on.',
  },
  unavailable: {
    status: 503,
    title: 'Sign-in is not available for a moment',
    advice: 'Nothing was changed, and nobody was signed in. Wait a few seconds and try again.',
  },
  too_slow: {
    status: 503,
    title: 'This takes too long at the moment',
    advice:
      'The database is slow, so we stopped waiting. What you sent may have been saved all the same: look whether it was, and try again in a minute.',
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

  /** What does not fit, headers that belong to the answer, ways on. */
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, options: ErrorOptions & ErrorDetails = {}) {
    super(code, options);
    this.code = code;
    this.status = catalogue[code].status;
    this.details = { errors: options.errors, headers: options.headers, actions: options.actions };
  }
}

/** The end of a link of a mail, and where another one is to be had. */
export const linkEnded = (...actions: readonly Link[]): RequestError =>
  new RequestError('link_ended', { actions });

interface ErrorDetails {
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[] | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Where somebody can go from here, the likeliest first. */
  readonly actions?: readonly Link[] | undefined;
}

export interface ShownError {
  readonly code: string;
  readonly status: number;
  readonly title: Sentence;
  readonly advice: Sentence;
  readonly errorId: string | null;
  readonly retryAfter: number | null;
  readonly details: ErrorDetails;
}

const retrySeconds = 5;

/** What people see of any error. Only what nobody expected gets a number, under which the log has the rest. */
export function describeError(error: unknown, log: Logger): ShownError {
  const code = codeOf(error);
  const { status, title, advice } = catalogue[code];
  const errorId = status >= 500 ? (currentRequest()?.request ?? randomBytes(8).toString('hex')) : null;
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
    details: error instanceof RequestError ? error.details : {},
  };
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof RequestError) {
    return error.code;
  }
  if (error instanceof NotPermitted) {
    return 'not_found';
  }
  if (error instanceof Overloaded) {
    return 'busy';
  }
  if (error instanceof TooLate) {
    return 'too_slow';
  }
  if (isDatabaseAway(error)) {
    return 'unavailable';
  }
  if (error instanceof oidcErrors.SessionNotFound) {
    return 'sign_in_ended';
  }
  const { code, status, statusCode, httpCode } = (error ?? {}) as {
    code?: unknown;
    status?: unknown;
    statusCode?: unknown;
    /** As the parser of uploads says it. */
    httpCode?: unknown;
  };
  if (typeof code === 'string' && code.startsWith('Z_')) {
    return 'bad_request';
  }
  const known = Number(status ?? statusCode ?? httpCode);
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
  'REQUEST_TOO_LATE',
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
  'ER_STATEMENT_TIMEOUT',
  'ER_READ_ONLY_MODE',
  'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  'ER_UNKNOWN_COM_ERROR',
  'ER_DISK_FULL',
  'ER_RECORD_FILE_FULL',
  'ER_ERROR_ON_WRITE',
  'ER_ERROR_DURING_COMMIT',
  'ER_OUTOFMEMORY',
  'ER_OUT_OF_RESOURCES',
  'ER_CANT_CREATE_THREAD',
  'ER_HOST_IS_BLOCKED',
  'ER_ACCESS_DENIED_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
  // Of the file system under the embedded database.
  'ENOSPC',
  'EDQUOT',
  'EIO',
  'EMFILE',
  'ENFILE',
  'HANDSHAKE_SSL_ERROR',
  'HANDSHAKE_NO_SSL_SUPPORT',
]);

/** Of TiDB, whose own numbers the library has no names for: no leader, busy, or a write that met another three times. */
const tidbAway = new Set([8002, 8022, 8027, 8028, 9001, 9002, 9003, 9004, 9005, 9006, 9007, 9010, 9011]);
/** As mysql2 says it, without a code. */
const awayMessages = new Set([
  'Queue limit reached.',
  'Pool is closed.',
  "Can't add new command when connection is in closed state",
]);

/** SQLITE_BUSY, _LOCKED, _READONLY, _IOERR, _FULL, _CANTOPEN */
const sqliteAway = new Set([5, 6, 8, 10, 13, 14]);

/** The database cannot answer at the moment: not our mistake, and worth another try. */
export function isDatabaseAway(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Object && depth < 5; depth += 1) {
    const { code, errno, errcode, message } = cause as {
      code?: unknown;
      errno?: unknown;
      errcode?: unknown;
      message?: unknown;
    };
    if (typeof code === 'string' && away.has(code)) return true;
    if (typeof errno === 'number' && tidbAway.has(errno)) return true;
    if (typeof errcode === 'number' && sqliteAway.has(errcode & 0xff)) return true;
    if (typeof message === 'string' && awayMessages.has(message)) return true;
    cause = (cause as { driverError?: unknown }).driverError ?? (cause as { cause?: unknown }).cause;
  }
  return false;
}

/** Whoever asked went away, or said at the end of a request what is none: nobody's mistake here, and nobody is there to be told. */
export function isBrokenConnection(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && (code.startsWith('HPE_') || broken.has(code));
}

const broken = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_HTTP_REQUEST_TIMEOUT',
]);

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
      ctx.set({ ...shown.details.headers });
      show(ctx, shown);
    }
  };
}
