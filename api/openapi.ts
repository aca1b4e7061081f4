import * as z from 'zod';
import { apiResource } from '../policy/api-scopes.ts';
import type { Operation } from './operation.ts';
import { problem } from './schemas.ts';

const titles: Readonly<Record<number, string>> = {
  400: 'The request does not fit this document; `errors` says where.',
  401: 'No token, a token that is worth nothing here, or (RFC 9470) one of a person who must prove more first.',
  403: 'The token lacks the scope, or the person may not do this.',
  404: 'Not there, or not for this caller.',
  409: 'It does not go with how things stand.',
  412: 'It was changed since it was read.',
  413: 'The body is too large.',
  415: 'The body is not application/json.',
  422: 'The Idempotency-Key was used for another request.',
  428: 'If-Match is missing.',
  429: 'Too many requests; Retry-After says when to go on.',
  503: 'For a moment; Retry-After says when to try again.',
};

const everyOperation = [400, 401, 403, 429, 503];
const writing = [409, 413, 415, 422];

const schemaOf = (schema: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
};

/** OpenAPI 3.1, from the very schemas that check what comes in. */
export function openapi(issuer: string, operations: readonly Operation[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.verb]: described(operation) };
  }
  const scopes = Object.fromEntries(
    [...new Set(operations.map(({ scope }) => scope))].map((scope) => [scope, scope.replace(/[:.]/, ': ')]),
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sallyport management API',
      version: '1',
      description: `Tokens come from ${issuer}/token by the client credentials grant, or from a sign-in, for the resource ${apiResource(issuer)}.`,
    },
    servers: [{ url: `${issuer}/api/v1` }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: schemaOf(problem, 'output') },
      securitySchemes: {
        oauth: {
          type: 'oauth2',
          flows: {
            clientCredentials: { tokenUrl: `${issuer}/token`, scopes },
            authorizationCode: { authorizationUrl: `${issuer}/auth`, tokenUrl: `${issuer}/token`, scopes },
          },
        },
      },
    },
  };
}

function described(operation: Operation): object {
  const { id, verb, tag, summary, description, scope, params, query, body, status, answer } = operation;
  const isWrite = verb !== 'get';
  const statuses = new Set([...everyOperation, ...(isWrite ? writing : []), ...operation.problems]);
  const headers = {
    ...(isWrite
      ? {
          'Idempotency-Key': {
            required: false,
            description: 'The same key is one request, however often it is sent within a day.',
          },
        }
      : {}),
    ...operation.requestHeaders,
  };
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: [{ oauth: [scope] }],
    parameters: [
      ...parametersOf(params, 'path'),
      ...(query ? parametersOf(query, 'query') : []),
      ...Object.entries(headers).map(([name, header]) => ({
        name,
        in: 'header',
        ...header,
        schema: { type: 'string' },
      })),
    ],
    ...(body
      ? {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: schemaOf(body, 'input') } },
          },
        }
      : {}),
    responses: {
      [status]: {
        description: summary,
        ...(answer ? { content: { 'application/json': { schema: schemaOf(answer, 'output') } } } : {}),
        ...(operation.files
          ? {
              content: Object.fromEntries(
                operation.files.map((type) => [type, { schema: { type: 'string' } }]),
              ),
            }
          : {}),
        headers: Object.fromEntries(
          Object.entries({
            'RateLimit-Policy': 'How many requests there may be.',
            RateLimit: 'How many are left.',
            ...operation.responseHeaders,
          }).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }]),
        ),
      },
      ...Object.fromEntries(
        [...statuses].sort().map((code) => [
          code,
          {
            description: titles[code] ?? '',
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          },
        ]),
      ),
    },
  };
}

function parametersOf(schema: z.ZodType, where: 'path' | 'query'): object[] {
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, object>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema: property,
  }));
}
