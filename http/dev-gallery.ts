import Router from '@koa/router';
import { RequestError } from './errors.ts';
import { galleryMails, galleryPages } from './gallery.ts';
import type { Renderer } from './render.ts';
import { common, show } from './show.ts';

/** Every page and every mail in every state, with sample values, for whoever works on how they look; only in development. */
export function devGalleryRoutes(renderer: Renderer): Router {
  const router = new Router({ prefix: '/dev/gallery' });
  // Which view has which values is known to the gallery only: TypeScript does not follow that through a union.
  const page = renderer.render as (name: string, locals: object) => string;
  const mail = renderer.renderMail as (name: string, locals: object) => { readonly html: string };

  router.get('/', (ctx) => {
    const pages = galleryPages().map(({ name, state }, index) => ({
      view: name,
      state,
      url: `/dev/gallery/${index}`,
    }));
    const mails = galleryMails().map(({ name }, index) => ({
      view: `mail/${name}`,
      state: String(index + 1),
      url: `/dev/gallery/mails/${index}`,
    }));
    const views = Map.groupBy([...pages, ...mails], ({ view }) => view);
    show(ctx, renderer, 'gallery', {
      ...common(ctx),
      views: [...views].map(([name, states]) => ({ name, states })),
    });
  });

  router.get('/:index', (ctx) => {
    const sample = galleryPages(common(ctx).lang)[Number(ctx.params.index)];
    if (!sample) throw new RequestError('not_found');
    ctx.type = 'html';
    ctx.body = page(sample.name, sample.locals);
  });

  router.get('/mails/:index', (ctx) => {
    const sample = galleryMails(common(ctx).lang)[Number(ctx.params.index)];
    if (!sample) throw new RequestError('not_found');
    ctx.set(
      'Content-Security-Policy',
      "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    );
    ctx.type = 'html';
    ctx.body = mail(sample.name, sample.locals).html;
  });

  return router;
}
