import { endSessionByUid } from '../flows/end-sessions.ts';
import { upstreamSignOut } from '../flows/upstream-sign-out.ts';
import { goOn } from '../http/go-on.ts';
import { common, show } from '../http/show.ts';
import type { SignedInRoutes } from '../http/signed-in.ts';
import { own } from './rules.ts';

/** "Sign out": this session, everywhere that it was used. A remembered device stays remembered. */
export function signOutRoutes({ post }: SignedInRoutes): void {
  post('/sign-out', own, async ({ ctx, site, session, actor, proved }) => {
    const { services, provider, renderer } = site;
    await endSessionByUid(services, session.uid, actor.origin, 'signed_out');
    ctx.cookies.set(provider.cookieName('session'), null, { path: '/', signed: false });
    ctx.cookies.set(`${provider.cookieName('session')}.sig`, null, { path: '/', signed: false });
    const upstream = await upstreamSignOut(services, proved, null);
    if (upstream) {
      return goOn(ctx, renderer, upstream, 'sign_out');
    }
    show(ctx, renderer, 'signed-out', { ...common(ctx), signIn: '/account' });
  });
}
