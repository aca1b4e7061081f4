import type { Context } from 'koa';
import { days } from '../lib/clock.ts';
import { type Language, languages } from './pages.ts';

/** As every cookie: bound to this very host where the connection is safe. */
const cookieName = (ctx: Context): string => `${ctx.secure ? '__Host-' : ''}sallyport-language`;

const isLanguage = (text: string): text is Language => (languages as readonly string[]).includes(text);

/** The language of a page: chosen here (`?lang=`, kept in a cookie), asked for by the application (`ui_locales`), or the browser's. */
export function languageOf(ctx: Context, uiLocales?: unknown): Language {
  const chosen = ctx.query.lang;
  if (typeof chosen === 'string' && isLanguage(chosen)) {
    ctx.cookies.set(cookieName(ctx), chosen, {
      httpOnly: true,
      sameSite: 'lax',
      path: '/',
      signed: false,
      overwrite: true,
      maxAge: days(365),
    });
    return chosen;
  }
  const kept = ctx.cookies.get(cookieName(ctx), { signed: false });
  if (kept && isLanguage(kept)) {
    return kept;
  }
  const asked =
    typeof uiLocales === 'string' ? uiLocales.split(' ').map((tag) => tag.slice(0, 2).toLowerCase()) : [];
  const found = asked.find(isLanguage);
  const accepted = ctx.acceptsLanguages(...languages);
  return found ?? (accepted !== false && isLanguage(accepted) ? accepted : 'en');
}
