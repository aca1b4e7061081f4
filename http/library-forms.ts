import type { Context, Next } from 'koa';
import type { Provider } from 'oidc-provider';
import type { Services } from '../flows/services.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { RequestError } from './errors.ts';
import { requireSameOrigin } from './same-origin.ts';

/**
 * Guards for the two forms that oidc-provider serves itself, "Sign out?" and the code that a device shows: they come from our own
 * pages, and codes of devices are not guessed at leisure (RFC 8628 §5.1).
 */
export function libraryForms({ db, settings }: Services, provider: Provider) {
  const sameOrigin = requireSameOrigin(settings.issuer);
  return async (ctx: Context, next: Next): Promise<void> => {
    if (ctx.method !== 'POST' || (ctx.path !== '/device' && ctx.path !== '/session/end/confirm')) {
      return next();
    }
    if (!ctx.cookies.get(provider.cookieName('session'), { signed: false })) {
      throw new RequestError('sign_in_ended');
    }
    await sameOrigin(ctx, async () => {
      if (ctx.path === '/device') {
        const attempt = await countAttempt(db, rules.userCode, limitSubject(rules.userCode, ctx.ip));
        if (!attempt.ok) {
          throw new RequestError('too_many');
        }
      }
      await next();
    });
  };
}
