import type { Context, Next } from 'koa';
import { upstreamSignOut } from '../flows/upstream-sign-out.ts';
import { goOn } from '../http/go-on.ts';
import type { Site } from '../http/site.ts';
import { provedBy } from '../provider/assess-request.ts';

/** A sign-out that an application asked for goes on at the upstream provider, once the session here has ended. */
export function passOnSignOut(site: Site) {
  const { provider, services } = site;
  return async (ctx: Context, next: Next): Promise<void> => {
    if (ctx.method !== 'POST' || ctx.path !== '/session/end/confirm') {
      return next();
    }
    const session = await provider.Session.get(ctx as unknown as Parameters<typeof provider.Session.get>[0]);
    const proved = provedBy(session);
    await next();
    const to = ctx.response.get('Location');
    if (!proved || to === '' || (await provider.Session.findByUid(session.uid))) {
      return;
    }
    const upstream = await upstreamSignOut(services, proved, new URL(to, services.settings.issuer).href);
    if (upstream) {
      ctx.remove('Location');
      goOn(ctx, site.renderer, upstream, 'sign_out');
    }
  };
}
