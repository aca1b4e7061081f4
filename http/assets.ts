import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Router from '@koa/router';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The few files of `public/`, read once: a request can reach nothing else. Their addresses carry their hash, so they keep for a year. */
export function assetRoutes(folder: string): Router {
  const files = new Map(
    readdirSync(folder)
      .filter((name) => path.extname(name) in types)
      .map((name) => [name, readFileSync(path.join(folder, name))]),
  );
  const router = new Router({ prefix: '/assets' });
  router.get('/:name', (ctx) => {
    const name = String(ctx.params.name);
    const content = files.get(name);
    if (!content) {
      return;
    }
    ctx.type = types[path.extname(name)] ?? 'application/octet-stream';
    ctx.set('Cache-Control', ctx.query.v ? 'public, max-age=31536000, immutable' : 'no-cache');
    ctx.body = content;
  });
  return router;
}
