import type { Context } from 'koa';
import type { Common, GoOnPage } from './pages.ts';
import type { Renderer } from './render.ts';
import { common, show } from './show.ts';

/** On to another provider. Browsers hold the answer to a form to this host, so a page stands between that goes on by itself. */
export function goOn(
  ctx: Context,
  renderer: Renderer,
  { name, url }: { readonly name: string; readonly url: string },
  why: GoOnPage['why'],
  shared: Common = common(ctx),
): void {
  ctx.set('Refresh', `0;url=${url}`);
  show(ctx, renderer, 'go-on', { ...shared, languages: [], to: name, url, why });
}
