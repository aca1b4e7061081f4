import type { Context } from 'koa';
import type { Origin } from '../audit/audit.ts';
import { languageOf } from './language.ts';

/** Where a browser's request came from, and the language of what it is shown. */
export function originOf(ctx: Context, uiLocales?: unknown): Origin {
  const userAgent = ctx.get('User-Agent');
  return {
    ip: ctx.ip,
    userAgent: userAgent === '' ? null : userAgent,
    language: languageOf(ctx, uiLocales),
  };
}
