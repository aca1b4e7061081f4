import * as z from 'zod';
import type { Operation } from '../../api/operation.ts';
import { operations } from '../../api/operations.ts';
import { apiScopes } from '../../policy/api-scopes.ts';
import { application, type FrontDoor, secret } from './rig.ts';

/** An application that may do everything at the API, for its organization; without one, for the instance. */
export const apiClient = (clientId: string, organization?: string, more: object = {}): object =>
  application(clientId, {
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    api_scopes: [...apiScopes],
    ...(organization === undefined ? {} : { organization }),
    ...more,
  });

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: what comes back is what is tested
  readonly body: any;
}

export type Ask = (
  verb: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<ApiAnswer>;

/** The operation that a request is one of; the most literal path first. */
export const operationOf = (verb: string, path: string): Operation | undefined =>
  operations
    .filter((operation) => operation.verb === verb.toLowerCase())
    .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)
    .find(({ path: template }) =>
      new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path.split('?')[0] ?? ''),
    );

export async function tokenFor(
  door: FrontDoor,
  clientId: string,
  scope = apiScopes.join(' '),
): Promise<string> {
  const { body } = await door.post('/token', { grant_type: 'client_credentials', scope }, { clientId });
  if (typeof body.access_token !== 'string') throw new Error(JSON.stringify(body));
  return body.access_token;
}

const statuses = new Set<string>();

/**
 * A program that uses the API with this token. It is as strict as a generated one: each answer must be one that the document has, of
 * the form that it has there, and no answer is ever a 5xx.
 */
export function asker(door: FrontDoor, token: string, replica = 0): Ask {
  return async (verb, path, body, headers = {}) => {
    const address = door.browser(replica).addresses[replica];
    const response = await fetch(`${address}/api/v1${path}`, {
      method: verb.toUpperCase(),
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const operation = operationOf(verb, path);
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const isFile = response.status === operation?.status && operation.files?.includes(type) === true;
    const answer = isFile ? text : text === '' ? null : JSON.parse(text);
    if (operation) check(operation, path, response, answer);
    return { status: response.status, headers: response.headers, body: answer };
  };
}

const always = [400, 401, 403, 404, 409, 413, 415, 422, 429];

/** Hashes of passwords, what is sealed, the secret of an authenticator app, the names of columns that hold such (T138). */
const neverTold = new RegExp(
  `\\$argon2|"v1\\.|${secret}|password_?hash|_digest"|sealed|security_?version`,
  'i',
);

/** @throws where an answer is none that the document has, or not of the form that it has there. */
export function check(
  operation: Operation,
  path: string,
  response: { readonly status: number; readonly headers: Headers },
  answer: unknown,
): void {
  const what = `${operation.id} ${path} ${response.status} ${JSON.stringify(answer)}`;
  statuses.add(`${operation.id} ${response.status}`);
  if (neverTold.test(JSON.stringify(answer))) throw new Error(`it tells what nobody is to know: ${what}`);
  if (response.status === operation.status) {
    if (operation.files) {
      if (typeof answer !== 'string') throw new Error(`no file of the document: ${what}`);
      return;
    }
    if (operation.answer === null) {
      if (answer !== null) throw new Error(`a body that is not in the document: ${what}`);
      return;
    }
    const strict = operation.answer instanceof z.ZodObject ? operation.answer.strict() : operation.answer;
    const read = strict.safeParse(answer);
    if (!read.success) throw new Error(`not of the documented form: ${what}\n${read.error.message}`);
    return;
  }
  if (![...always, ...operation.problems].includes(response.status)) {
    throw new Error(`a status that is not in the document: ${what}`);
  }
  if (!response.headers.get('content-type')?.startsWith('application/problem+json')) {
    throw new Error(`no problem+json: ${what}`);
  }
}

/** Which operations have been answered well so far. */
export const answeredWell = (): Set<string> =>
  new Set(operations.filter(({ id, status }) => statuses.has(`${id} ${status}`)).map(({ id }) => id));
