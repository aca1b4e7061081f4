import { Writable } from 'node:stream';
import { form } from 'co-body';
import type { Context, Middleware } from 'koa';
import { seconds } from '../lib/clock.ts';
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

/**
 * As `formBody`, and forms with a file into `ctx.request.files`: kept in memory, since strangers may send them, and nothing of a stranger's
 * is to lie on the disk. What reads those is loaded with the first of them.
 */
export function formBodyWithFiles({ limit }: Limits, formidable: object): Middleware {
  const plain = formBody({ limit });
  let loaded: Promise<Middleware> | null = null;
  const withFiles = (): Promise<Middleware> => {
    loaded ??= import('koa-body').then(({ koaBody }) =>
      koaBody({
        json: false,
        text: false,
        urlencoded: false,
        multipart: true,
        formidable: { ...formidable, fileWriteStreamHandler: intoMemory },
      }),
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
      // Too large, or what is no form at all, or broken off: the sender's mistake, whatever the parser calls it.
      if ((error as { httpCode?: unknown }).httpCode !== 413) throw new RequestError('bad_request');
      await leaveUnread(ctx);
      throw new RequestError('file_too_large', {
        actions: [{ label: 'Choose another file', url: ctx.path }],
      });
    }
    await next();
  };
}

const mostToPassOver = 20_000_000;

/** A browser that is still sending does not read an answer, and shows a broken connection instead: what comes is passed over, for a while. */
function leaveUnread({ req }: Context): Promise<void> {
  return new Promise((resolve) => {
    let size = 0;
    const late = setTimeout(resolve, seconds(10));
    const done = () => {
      clearTimeout(late);
      resolve();
    };
    req.on('data', (part: Buffer) => {
      size += part.length;
      if (size > mostToPassOver) done();
    });
    req.once('end', done);
    req.once('close', done);
    if (req.readableEnded || req.destroyed) done();
    req.resume();
  });
}

/** How the parser is told to put a file into its own `content`. */
function intoMemory(given?: object): Writable {
  const file = given as { content?: Buffer };
  const parts: Buffer[] = [];
  return new Writable({
    write(part: Buffer, _encoding, done) {
      parts.push(part);
      done();
    },
    final(done) {
      file.content = Buffer.concat(parts);
      done();
    },
  });
}

function setBody(ctx: Context, body: unknown): void {
  (ctx.request as { body?: unknown }).body = body;
}
