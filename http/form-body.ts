import { form } from 'co-body';
import type { Context, Middleware } from 'koa';
import { RequestError } from './errors.ts';

interface Limits {
  /** Of an ordinary form, in bytes or as `64kb`. */
  readonly limit: string;
}

/** Reads an ordinary form into `ctx.request.body`; another kind of body is not read, and so is no form. */
export function formBody({ limit }: Limits): Middleware {
  return async (ctx, next) => {
    if (ctx.method === 'POST' && ctx.is('urlencoded')) {
      setBody(ctx, await form(ctx.req, { limit }));
    }
    await next();
  };
}

/** As `formBody`, and forms with a file into `ctx.request.files`. What reads those is loaded with the first of them. */
export function formBodyWithFiles({ limit }: Limits, formidable: object): Middleware {
  const plain = formBody({ limit });
  let loaded: Promise<Middleware> | null = null;
  const withFiles = (): Promise<Middleware> => {
    loaded ??= import('koa-body').then(({ koaBody }) =>
      koaBody({ json: false, text: false, urlencoded: false, multipart: true, formidable }),
    );
    return loaded;
  };
  return async (ctx, next) => {
    if (!ctx.is('multipart')) {
      return plain(ctx, next);
    }
    const read = await withFiles();
    try {
      await read(ctx, async () => {});
    } catch (error) {
      // Whoever hangs up in the middle is nobody's failure.
      throw ctx.req.complete || !ctx.req.destroyed ? error : new RequestError('bad_request');
    }
    await next();
  };
}

function setBody(ctx: Context, body: unknown): void {
  (ctx.request as { body?: unknown }).body = body;
}
