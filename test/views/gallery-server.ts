import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { GalleryPage } from '../../http/gallery.ts';
import type { Renderer } from '../../http/render.ts';

const root = path.resolve(import.meta.dirname, '../..');
const types: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
};

/** The policy under which the pages have to work (security.md, T108). */
export const contentSecurityPolicy =
  "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/** Generics do not distribute over a union of pages; name and locals of a gallery page belong together. */
export function renderPage(renderer: Renderer, page: GalleryPage): string {
  return (renderer.render as (name: string, locals: object) => string)(page.name, page.locals);
}

/** Serves the pages as /0, /1, … with their assets, on loopback. */
export async function serveGallery(renderer: Renderer, pages: readonly GalleryPage[]) {
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? '/', 'http://gallery').pathname;
    const page = pages[Number(name.slice(1))];
    // A page that sends its form by itself stays where it is.
    if (request.method === 'POST') return response.writeHead(204).end();
    if (name.startsWith('/assets/')) {
      const file = path.join(root, 'public', path.basename(name));
      response.setHeader('content-type', types[path.extname(file)] ?? 'text/plain');
      return response.end(readFileSync(file));
    }
    response.setHeader('content-security-policy', contentSecurityPolicy);
    response.setHeader('content-type', name === '/brand.css' ? 'text/css' : 'text/html; charset=utf-8');
    if (name === '/brand.css') return response.end(':root { --brand: #c2410c }');
    if (!page) return response.writeHead(404).end();
    response.end(renderPage(renderer, page));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}
