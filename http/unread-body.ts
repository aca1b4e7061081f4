import type { Middleware } from 'koa';

/** Where the answer comes before the end of what was sent, nobody reads the rest: the next request would stand behind it. */
export const closeUnread: Middleware = async (ctx, next) => {
  try {
    await next();
  } finally {
    const { headers, complete } = ctx.req;
    const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
    if (hasBody && !complete && !ctx.headerSent) {
      ctx.set('Connection', 'close');
    }
  }
};
