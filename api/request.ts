import type { Context } from 'koa';
import type * as z from 'zod';
import { RequestError } from '../http/errors.ts';

/** What came, as its schema wants it. */
export function checked(schema: z.ZodType, value: unknown, where: 'path' | 'query' | 'body'): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  // What a path cannot mean is not there.
  if (where === 'path') throw new RequestError('not_found');
  throw new RequestError('invalid', {
    errors: result.error.issues.slice(0, 20).map((issue) => ({
      pointer: `${where === 'body' ? '#' : `#${where}`}/${issue.path.map(String).join('/')}`,
      detail: issue.message,
    })),
  });
}

/** A picture in base64, or a list of ten thousand people. */
const mostBytes = 400 * 1024;

/** The body as text, up to a limit. */
export async function bodyOf(ctx: Context): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of ctx.req as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > mostBytes) throw new RequestError('too_large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The body as JSON, where it says that it is. */
export function parsed(ctx: Context, text: string): unknown {
  if (!ctx.is('application/json')) {
    throw new RequestError('unsupported_media_type');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError('invalid', { errors: [{ pointer: '#', detail: 'is not JSON' }] });
  }
}
