import Router from '@koa/router';
import type { Context } from 'koa';
import { NotPermitted } from '../flows/organization-actor.ts';
import { RequestError } from '../http/errors.ts';
import { openToAll } from '../http/route-list.ts';
import { apiResource, apiScopes, resourceMetadataUrl } from '../policy/api-scopes.ts';
import { callerOf, organizationFor } from './caller.ts';
import { once } from './idempotency.ts';
import { openapi } from './openapi.ts';
import type { Answer, ApiSite, Operation } from './operation.ts';
import { operations } from './operations.ts';
import { keyAlgorithms } from './proof-of-possession.ts';
import { countRequest } from './rate-limit.ts';
import { bodyOf, checked, parsed } from './request.ts';

/** The management API: every route is one of `operations`, and goes through the same steps. */
export function apiRoutes(site: ApiSite): Router {
  const router = new Router();
  let document: string | null = null;
  site.routes.add(openToAll('/api/openapi.json'));
  router.get('/api/openapi.json', (ctx) => {
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.type = 'application/json';
    document ??= JSON.stringify(openapi(site.services.settings.issuer, operations));
    ctx.body = document;
  });
  const metadata = new URL(resourceMetadataUrl(site.services.settings.issuer)).pathname;
  site.routes.add(openToAll(metadata));
  router.get(metadata, (ctx) => {
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.body = protectedResource(site.services.settings.issuer);
  });
  for (const operation of operations) {
    const path = `/api/v1${operation.path.replace(/\{(\w+)\}/g, ':$1')}`;
    site.routes.add({
      method: operation.verb.toUpperCase(),
      path,
      assurance: 'access token',
      permission: operation.fresh ? `${operation.scope}, fresh` : operation.scope,
      crossSite: 'no cookie',
    });
    router.register(path, [operation.verb], (ctx: Context) => serve(site, ctx, operation));
  }
  router.all('/api/{*rest}', () => {
    throw new RequestError('not_found');
  });
  return router;
}

/** What a program needs to know before it asks for a token (RFC 9728). */
const protectedResource = (issuer: string): object => ({
  resource: apiResource(issuer),
  resource_name: 'Sallyport management API',
  authorization_servers: [issuer],
  scopes_supported: apiScopes,
  bearer_methods_supported: ['header'],
  dpop_signing_alg_values_supported: keyAlgorithms,
});

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
  const call = { ctx, caller, params, query, body };
  const { organization } = params as { readonly organization?: string };
  const answer = await once(
    site,
    ctx,
    caller,
    operation,
    text,
    (writing) => permitted(operation.handle({ ...call, site: writing } as never)),
    async () => organization === undefined || organizationFor(site, caller, organization),
  );
  send(ctx, operation, answer);
}

function send(
  ctx: Context,
  operation: Operation,
  { status = operation.status, body, headers = {}, type = 'application/json' }: Answer,
): void {
  ctx.status = status;
  ctx.set({ ...headers });
  if (body === undefined) {
    ctx.body = null;
    ctx.status = status;
    return;
  }
  ctx.body = body;
  ctx.type = type;
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

/** What a flow does not permit is said like everything else. */
async function permitted(work: Promise<Answer>): Promise<Answer> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof NotPermitted) throw new RequestError('not_permitted', { cause: error });
    throw error;
  }
}
