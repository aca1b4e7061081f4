import type { Context, Next } from 'koa';
import type { Provider } from 'oidc-provider';
import type { Services } from '../flows/services.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { RequestError } from './errors.ts';
import type { HiddenField } from './pages.ts';
import type { Renderer } from './render.ts';
import { requireSameOrigin } from './same-origin.ts';
import { allowFormTargets } from './security-headers.ts';
import { common, show } from './show.ts';

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

/**
 * The library's page that sends itself on (response mode form_post, a sign-out where nobody is signed in, a device's link) in our look:
 * its inline script becomes ours, and without scripts its button is there to be pressed.
 */
export function selfSubmittingPages(renderer: Renderer) {
  return async (ctx: Context, next: Next): Promise<void> => {
    await next();
    if (typeof ctx.body !== 'string' || !ctx.body.includes('<title>Submitting Callback</title>')) {
      return;
    }
    const { action, hidden } = libraryForm(ctx.body);
    if (!/^https?:/i.test(action)) {
      return;
    }
    const { status } = ctx;
    show(ctx, renderer, 'continue', { ...common(ctx), languages: [], action, hidden }, status);
    allowFormTargets(ctx, [action]);
  };
}

/** The library hands its forms over as HTML: where they go to, and what they carry unseen. */
export function libraryForm(form: string): { action: string; hidden: HiddenField[] } {
  const action = unescaped(/action="([^"]*)"/.exec(form)?.[1] ?? '');
  const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"\s*\/?>/g)].map(
    ([, name = '', value = '']) => ({ name, value: unescaped(value) }),
  );
  return { action, hidden };
}

const entities: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&#x27;': "'",
  '&#x60;': '`',
  '&amp;': '&',
};

const unescaped = (html: string): string =>
  html.replace(/&(?:lt|gt|quot|amp|#39|#x27|#x60);/g, (entity) => entities[entity] ?? entity);
