import { lookup as resolve } from 'node:dns';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { seconds } from './clock.ts';
import { type Allowed, isNamed, isPublicAddress } from './public-address.ts';
import type { Spans } from './spans.ts';

export interface OutboundRequest {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer in whole: its body is bounded, so it is read at once. */
export interface OutboundAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** `reason` is safe to be logged: it never quotes the address, what was sent or what came back. */
export class OutboundError extends Error {
  override name = 'OutboundError';
  readonly reason: string;
  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

export type Outbound = (url: string | URL, request?: OutboundRequest) => Promise<OutboundAnswer>;

/** The same way out, with a span for each request; of the address only the server is told. */
export const tracedOutbound =
  (outbound: Outbound, spans: Spans): Outbound =>
  (url, request = {}) =>
    spans.inner(
      request.method ?? 'GET',
      { 'server.address': URL.canParse(String(url)) ? new URL(String(url)).hostname : '' },
      () => outbound(url, request),
      'client',
    );

const mostBytes = 256 * 1024;

/**
 * The one way out, to addresses that others have chosen (security.md T147): https, and http only where the operator has named the place,
 * since whoever is on the way could answer for it; never to a private address that is not named, not even
 * by a name that changes its mind between the check and the connection, since what was looked up is what is connected to. Redirects
 * are answers like any other, nobody waits for long, and a long answer is cut off.
 *
 * @throws OutboundError
 */
export function createOutbound(allowed: Allowed, patience = seconds(5)): Outbound {
  return (address, request = {}) =>
    new Promise((settle, reject) => {
      const fail = (error: unknown) => reject(new OutboundError(reasonOf(error)));
      const url = URL.canParse(String(address)) ? new URL(String(address)) : null;
      if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
        return fail(new OutboundError('only http and https'));
      }
      if (url.username !== '' || url.password !== '') {
        return fail(new OutboundError('credentials in the address'));
      }
      const host = url.hostname.replace(/^\[|\]$/g, '');
      // A literal address is never looked up.
      const objection = objectionTo(url.protocol, allowed);
      const toLiteral = isIP(host) === 0 ? null : objection(host, host);
      if (toLiteral !== null) return fail(new OutboundError(toLiteral));
      const { method = 'GET', headers = {}, body } = request;
      const over = AbortSignal.any([
        AbortSignal.timeout(patience),
        ...(request.signal ? [request.signal] : []),
      ]);
      const call = (url.protocol === 'https:' ? https : http).request(
        url,
        {
          method,
          headers: {
            ...headers,
            ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
          },
          lookup: lookupWithout(objection),
          agent: false,
          signal: over,
        },
        (response) => {
          const parts: Buffer[] = [];
          let size = 0;
          response.on('data', (part: Buffer) => {
            size += part.length;
            if (size > mostBytes) {
              response.destroy(new OutboundError('answer too large'));
              return;
            }
            parts.push(part);
          });
          response.on('error', fail);
          response.on('end', () =>
            settle({
              status: response.statusCode ?? 0,
              headers: headersOf(response.headers),
              body: Buffer.concat(parts),
            }),
          );
        },
      );
      call.on('error', fail);
      call.end(body);
    });
}

type Objection = (address: string, host: string) => string | null;

/** Why an address is not connected to for this host name; null where it may be. */
const objectionTo =
  (protocol: string, allowed: Allowed): Objection =>
  (address, host) => {
    if (isNamed(address, host, allowed)) return null;
    if (!isPublicAddress(address)) return 'private address';
    return protocol === 'https:' ? null : 'http to a public address';
  };

/** Every address of a name must be allowed: one private among them says that the name cannot be trusted. */
const lookupWithout =
  (objection: Objection): LookupFunction =>
  (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, found) => {
      if (error) {
        done(error, '', 0);
        return;
      }
      const [first] = found;
      const reason = found.map(({ address }) => objection(address, host)).find((said) => said !== null);
      if (!first || reason !== undefined) {
        done(new OutboundError(reason ?? 'ENOTFOUND'), '', 0);
        return;
      }
      if (options.all) done(null, found);
      else done(null, first.address, first.family);
    });
  };

const headersOf = (headers: http.IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );

/** Never an error's own words: they may hold the address. */
function reasonOf(error: unknown): string {
  if (error instanceof OutboundError) return error.reason;
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (name === 'AbortError' || name === 'TimeoutError' || code === 'ABORT_ERR') return 'ETIMEDOUT';
  return typeof code === 'string' ? code : 'connection failed';
}

/** The same for a library that wants `fetch`. */
export const asFetch =
  (outbound: Outbound) =>
  async (url: string | URL | Request, options: RequestInit = {}): Promise<Response> => {
    const { body } = options;
    const { status, headers, ...answer } = await outbound(url instanceof Request ? url.url : url, {
      method: options.method,
      headers: Object.fromEntries(new Headers(options.headers)),
      body: body === undefined || body === null ? undefined : String(body),
      signal: options.signal ?? undefined,
    });
    const empty = status === 204 || status === 205 || status === 304;
    return new Response(empty ? null : new Uint8Array(answer.body), { status, headers });
  };
