import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Spans } from '../lib/spans.ts';
import { methodOf, routeOf } from './route-name.ts';

/** What is asked so often, and says so little, that only somebody who looks for it wants to read it. */
const quiet = new Set(['/healthz', '/readyz', '/metrics', '/assets/:name']);

/**
 * One line and one span for each request, by its route: never the address as it was typed, which may hold a code, nor whose
 * request it is; that is in the audit log.
 */
export function requestLog(log: Logger, spans: Spans): Middleware {
  return async (ctx, next) => {
    const begun = performance.now();
    await spans.first(
      'request',
      {},
      async (span) => {
        try {
          await next();
        } finally {
          const [method, route, { status }] = [methodOf(ctx.method), routeOf(ctx), ctx];
          span.tell(
            { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status },
            `${method} ${route}`,
          );
          if (status >= 500) span.failed();
          const trace = spans.current();
          const ms = Math.round(performance.now() - begun);
          log[quiet.has(route) ? 'debug' : 'info'](
            { method, route, status, ms, ...(trace && { trace }) },
            'request',
          );
        }
      },
      ctx.headers,
    );
  };
}
