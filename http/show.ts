import type { Context } from 'koa';
import { readBranding } from '../entities/branding.ts';
import type { ShownError } from './errors.ts';
import { languageOf } from './language.ts';
import type { Brand, Common, Language, Link, Pages } from './pages.ts';
import type { Renderer } from './render.ts';

const names: Record<Language, string> = { en: 'English', de: 'Deutsch' };

export const instanceBrand: Brand = { name: 'Sallyport', initial: 'S', logoUrl: null, stylesheet: null };

/** An organization's brand; the instance's own for none. `stored` is what it has decided about its look. */
export function brandOf(name: string | null, stored: string | null = null): Brand {
  if (name === null) return instanceBrand;
  const branding = readBranding(stored);
  const base = branding ? `/brand/${branding.organizationId}/${branding.version}` : null;
  return {
    name,
    initial: name.trim().slice(0, 1).toUpperCase() || 'S',
    logoUrl: base !== null && branding?.hasLogo ? `${base}/logo` : null,
    stylesheet: base !== null && branding?.accent ? `${base}/brand.css` : null,
  };
}

/** What all pages share; a route gives what it knows. */
export function common(
  ctx: Context,
  known: Partial<Common> & { readonly uiLocales?: unknown; readonly page?: string } = {},
): Common {
  const { uiLocales, page = ctx.path, ...given } = known;
  const lang = languageOf(ctx, uiLocales);
  return {
    lang,
    brand: instanceBrand,
    applicationName: null,
    account: null,
    csrf: '',
    languages: (Object.keys(names) as Language[])
      .filter((other) => other !== lang)
      .map((other) => ({ lang: other, label: names[other], url: `${page}?lang=${other}` })),
    notYou: null,
    links: [] as readonly Link[],
    ...given,
  };
}

/** Answers with a page. */
export function show<Name extends keyof Pages>(
  ctx: Context,
  renderer: Renderer,
  name: Name,
  locals: Pages[Name],
  status = 200,
): void {
  ctx.status = status;
  ctx.type = 'html';
  ctx.body = renderer.render(name, locals);
}

/** Ways on from where nothing is. Whose page it is, is asked there; the address alone says where it would be. */
function waysOn(code: string, { path }: Context): readonly Link[] {
  const account = { label: 'Your account', url: '/account' };
  if (code === 'not_found') {
    const [, organization, below] = /^(\/organizations\/[^/]+)(\/.*)?$/.exec(path) ?? [];
    if (organization !== undefined) {
      return below === undefined
        ? [account]
        : [{ label: 'Overview of the organization', url: organization }, account];
    }
    return path.startsWith('/account/') ? [account] : [];
  }
  // Whoever has a sign-in behind them is nowhere yet.
  return code === 'sign_in_ended' ? [account] : [];
}

/** An error as a page, or as `application/problem+json` for programs (RFC 9457). */
export function showError(ctx: Context, renderer: Renderer, error: ShownError): void {
  const { code, status, title, advice, errorId, retryAfter, details } = error;
  if (
    ctx.path.startsWith('/api/') ||
    ctx.path.startsWith('/ssf/') ||
    ctx.accepts('html', 'json') !== 'html'
  ) {
    ctx.status = status;
    ctx.body = {
      type: 'about:blank',
      title,
      status,
      detail: advice,
      code,
      ...(details.errors ? { errors: details.errors } : {}),
      ...(errorId ? { errorId } : {}),
    };
    ctx.type = 'application/problem+json';
    return;
  }
  show(
    ctx,
    renderer,
    'error',
    {
      ...common(ctx),
      title,
      advice,
      errorId,
      waitSeconds: retryAfter,
      actions: [...(details.actions ?? []), ...waysOn(code, ctx)],
    },
    status,
  );
}
