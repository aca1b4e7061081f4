import Router from '@koa/router';
import type { Context } from 'koa';
import type * as z from 'zod';
import { RequestError } from '../http/errors.ts';
import { callerOf } from './caller.ts';
import { once } from './idempotency.ts';
import { openapi } from './openapi.ts';
import type { Answer, ApiSite, Operation } from './operation.ts';
import { operations } from './operations.ts';
import { countRequest } from './rate-limit.ts';

/** The management API: every route is one of `operations`, and goes through the same steps. */
export function apiRoutes(site: ApiSite): Router {
  const router = new Router();
  const document = JSON.stringify(openapi(site.services.settings.issuer, operations));
  router.get('/api/openapi.json', (ctx) => {
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.type = 'application/json';
    ctx.body = document;
  });
  for (const operation of operations) {
    const path = `/api/v1${operation.path.replace(/\{(\w+)\}/g, ':$1')}`;
    router.register(path, [operation.verb], (ctx: Context) => serve(site, ctx, operation));
  }
  router.all('/api/{*rest}', () => {
    throw new RequestError('not_found');
  });
  return router;
}

/** Who asks, how often, what for; then the one flow that the operation stands for. */
async function serve(site: ApiSite, ctx: Context, operation: Operation): Promise<void> {
  const caller = await callerOf(site, ctx, operation);
  await countRequest(site, ctx, caller);
  const params = checked(operation.params, ctx.params, 'path');
  const query = operation.query
    ? checked(operation.query, queryOf(ctx), 'query')
    : noneOf(queryOf(ctx), 'query');
  const text = operation.verb === 'get' ? '' : await bodyOf(ctx);
  const body = operation.body ? checked(operation.body, parsed(ctx, text), 'body') : noBody(text);
  const call = { site, ctx, caller, params, query, body } as never;
  const answer = await once(site, ctx, caller, operation, text, () => operation.handle(call));
  send(ctx, operation, answer);
}

function send(
  ctx: Context,
  operation: Operation,
  { status = operation.status, body, headers = {} }: Answer,
): void {
  ctx.status = status;
  ctx.set({ ...headers });
  if (body === undefined) {
    ctx.body = null;
    ctx.status = status;
    return;
  }
  ctx.body = body;
  ctx.type = 'application/json';
}

function checked(schema: z.ZodType, value: unknown, where: 'path' | 'query' | 'body'): unknown {
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

/** A parameter that comes twice is no parameter that we know (security.md T031). */
function queryOf(ctx: Context): Record<string, unknown> {
  return Object.fromEntries(Object.entries(ctx.query));
}

function noneOf(query: Record<string, unknown>, where: string): undefined {
  const [name] = Object.keys(query);
  if (name !== undefined) {
    throw new RequestError('invalid', { errors: [{ pointer: `#${where}/${name}`, detail: 'is not known' }] });
  }
  return undefined;
}

function noBody(text: string): undefined {
  if (text.trim() !== '') {
    throw new RequestError('invalid', { errors: [{ pointer: '#', detail: 'no body is expected' }] });
  }
  return undefined;
}

const mostBytes = 256 * 1024;

async function bodyOf(ctx: Context): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of ctx.req as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > mostBytes) throw new RequestError('too_large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parsed(ctx: Context, text: string): unknown {
  if (!ctx.is('application/json')) {
    throw new RequestError('unsupported_media_type');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError('invalid', { errors: [{ pointer: '#', detail: 'is not JSON' }] });
  }
}
