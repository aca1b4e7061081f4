import type { Context } from 'koa';
import type { Provider } from 'oidc-provider';
import type * as z from 'zod';
import type { Services } from '../flows/services.ts';
import type { RouteList } from '../http/route-list.ts';
import type { ApiScope } from '../policy/api-scopes.ts';
import type { Caller } from './caller.ts';

/** What every operation is given. */
export interface ApiSite {
  readonly services: Services;
  readonly provider: Provider;
  readonly routes: RouteList;
}

export interface Call<Params, Query, Body> {
  readonly site: ApiSite;
  readonly ctx: Context;
  readonly caller: Caller;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

export interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where the body is no JSON: its media type, one of the operation's `files`. */
  readonly type?: string;
}

export type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** One operation of the API. The document, the check of what comes in and the route are made from it alike. */
export interface Operation {
  readonly id: string;
  readonly verb: Verb;
  /** Under `/api/v1`, with parameters as `{name}`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** The token must have it. */
  readonly scope: ApiScope;
  /** A person must have proved something a moment ago (RFC 9470); programs prove their secret with each token. */
  readonly fresh: boolean;
  readonly params: z.ZodType;
  readonly query: z.ZodType | null;
  readonly body: z.ZodType | null;
  /** Of the good answer. */
  readonly status: number;
  readonly answer: z.ZodType | null;
  /** Media types of the good answer, where that is a file. */
  readonly files?: readonly string[];
  /** Headers that it needs or gives, by name, with a sentence. */
  readonly requestHeaders?: Readonly<
    Record<string, { readonly required: boolean; readonly description: string }>
  >;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  /** Statuses of problems beside those that every operation has. */
  readonly problems: readonly number[];
  readonly handle: (call: Call<never, never, never>) => Promise<Answer>;
}

type Of<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** Ties the types of what comes in to the schemas that check it. */
export function operation<
  Params extends z.ZodType,
  Query extends z.ZodType | null,
  Body extends z.ZodType | null,
>(
  definition: Omit<Operation, 'params' | 'query' | 'body' | 'handle'> & {
    readonly params: Params;
    readonly query: Query;
    readonly body: Body;
    readonly handle: (call: Call<Of<Params>, Of<Query>, Of<Body>>) => Promise<Answer>;
  },
): Operation {
  return definition as unknown as Operation;
}
