import Router from '@koa/router';
import type { Inbox, InboxMessage } from '../notifications/inbox.ts';
import { RequestError } from './errors.ts';
import type { Renderer } from './render.ts';
import { common, show } from './show.ts';

/** Mails and text messages as they would be sent; only there where no gateway is set and the demo is on. */
export function devInboxRoutes(inbox: Inbox, renderer: Renderer, mailFrom: string): Router {
  const router = new Router({ prefix: '/dev/inbox' });
  const url = (message: InboxMessage) => `/dev/inbox/${message.id}`;
  const by = (message: InboxMessage) => message.channel;

  const find = async (id: unknown): Promise<InboxMessage> => {
    const message = await inbox.one(String(id));
    if (!message) {
      throw new RequestError('not_found');
    }
    return message;
  };

  router.get('/', async (ctx) => {
    const messages = await inbox.list();
    show(ctx, renderer, 'inbox', {
      ...common(ctx),
      messages: messages.map((message) => ({ ...message, by: by(message), url: url(message) })),
    });
  });

  router.get('/:id', async (ctx) => {
    const message = await find(ctx.params.id);
    show(ctx, renderer, 'inbox-message', {
      ...common(ctx),
      ...message,
      by: by(message),
      from: message.channel === 'email' ? mailFrom : null,
      htmlUrl: message.html === null ? null : `${url(message)}/html`,
      inbox: '/dev/inbox',
    });
  });

  /** The mail's own page, with nothing of this site's powers. */
  router.get('/:id/html', async (ctx) => {
    const message = await find(ctx.params.id);
    ctx.set(
      'Content-Security-Policy',
      "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data: https:",
    );
    ctx.remove('X-Frame-Options');
    ctx.type = 'html';
    ctx.body = message.html ?? '';
  });

  return router;
}
