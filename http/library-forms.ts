import { isIPv6 } from 'node:net';
import type { Context, Next } from 'koa';
import type { Provider } from 'oidc-provider';
import type { Services } from '../flows/services.ts';
import { addressRange } from '../lib/address-range.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { RequestError } from './errors.ts';
import type { HiddenField } from './pages.ts';
import type { Renderer } from './render.ts';
import { openToAll, type RouteRecord } from './route-list.ts';
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
    // A cookie alone is nothing: the library fails on a session that was never stored.
    const session = await provider.Session.get(ctx as unknown as Parameters<typeof provider.Session.get>[0]);
    if ((session as { readonly new?: true }).new) {
      throw new RequestError('sign_in_ended');
    }
    await sameOrigin(ctx, async () => {
      if (ctx.path === '/device') {
        const attempt = await countAttempt(
          db,
          rules.userCode,
          limitSubject(rules.userCode, isIPv6(ctx.ip) ? addressRange(ctx.ip) : ctx.ip),
        );
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
    show(ctx, renderer, 'continue', { ...common(ctx), languages: [], action, hidden, atOnce: true }, status);
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
const protocol = (
  method: string,
  path: string,
  permission: string,
  crossSite: RouteRecord['crossSite'],
): RouteRecord => ({ method, path, assurance: 'protocol', permission, crossSite });

/**
 * What oidc-provider serves itself. An authorization request changes nothing by itself: it leads to an interaction, or gives a code to
 * an address that the application has registered.
 */
export const libraryRoutes: readonly RouteRecord[] = [
  ...['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/jwks'].map(openToAll),
  protocol('GET', '/auth', 'every application; the policy decides', 'reads only'),
  protocol('GET', '/auth/:uid', 'the browser that began the interaction', 'reads only'),
  protocol('POST', '/token', 'the client, by its secret, key or PKCE', 'no cookie'),
  protocol('POST', '/token/introspection', 'the client, by its secret or key', 'no cookie'),
  protocol('POST', '/token/revocation', 'the client that the token belongs to', 'no cookie'),
  protocol('POST', '/request', 'the client, by its secret or key', 'no cookie'),
  protocol('POST', '/reg', 'the bearer of an initial access token', 'no cookie'),
  protocol('GET', '/reg/:clientId', 'the bearer of the registration access token', 'no cookie'),
  protocol('PUT', '/reg/:clientId', 'the bearer of the registration access token', 'no cookie'),
  protocol('DELETE', '/reg/:clientId', 'the bearer of the registration access token', 'no cookie'),
  protocol('POST', '/device/auth', 'the client, by its secret or key', 'no cookie'),
  protocol('GET', '/me', 'the bearer of an access token', 'no cookie'),
  protocol('POST', '/me', 'the bearer of an access token', 'no cookie'),
  protocol('GET', '/device', 'everybody', 'reads only'),
  protocol('POST', '/device', 'a browser with a session; tries are counted', 'origin and token'),
  protocol('GET', '/device/:uid', 'the browser that began the interaction', 'reads only'),
  protocol('GET', '/session/end', 'everybody; asks before it ends anything', 'reads only'),
  protocol('POST', '/session/end/confirm', 'the session', 'origin and token'),
  protocol('GET', '/session/end/success', 'everybody', 'reads only'),
];
