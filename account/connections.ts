import { upstreamLinksOf } from '../entities/upstream-links.ts';
import { removeConnection } from '../flows/remove-connection.ts';
import { RequestError } from '../http/errors.ts';
import type { Pages } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { done } from './factors.ts';
import { dangerous } from './rules.ts';
import { section } from './section.ts';

/** Accounts of other providers that sign the person in here. */
export function connectionRoutes({ get, post }: SignedInRoutes): void {
  get('/connections/:id/remove', dangerous, async (visit) => {
    const { ctx, site } = visit;
    const link = (await upstreamLinksOf(site.services.db, visit.actor.user.id)).find(
      ({ id }) => id === ctx.params.id,
    );
    if (!link) throw new RequestError('not_found');
    show(ctx, site.renderer, 'confirm', {
      ...framed(visit, section),
      title: { sentence: 'Disconnect {name}?', values: { name: link.provider_name } },
      consequences: [
        'Signing in there does not sign you in here any more, and sign-ins by it end now.',
        'You can connect it again at your next sign-in by it.',
      ],
      action: ctx.path,
      hidden: [],
      button: 'Disconnect',
      tone: 'danger',
      password: false,
      passwordError: null,
      cancel: '/account',
    });
  });

  post('/connections/:id/remove', dangerous, async (visit) => {
    const { site, actor, assessment, ctx } = visit;
    const outcome = await removeConnection(site.services, {
      actor,
      assessment,
      linkId: String(ctx.params.id),
    });
    switch (outcome.kind) {
      case 'unknown':
        throw new RequestError('not_found');
      case 'only_way':
        return done(visit, 'It is the only way into your account. Set a password first.', 'warn');
      case 'conflict':
        return done(visit, 'Something was changed meanwhile, so nothing happened. Look again.', 'warn');
      case 'done':
        done(visit, 'It is disconnected.');
    }
  });
}

export async function connectionsOf({
  site,
  actor,
}: SignedIn): Promise<Pages['account/overview']['connections']> {
  const links = await upstreamLinksOf(site.services.db, actor.user.id);
  return links.map(({ id, provider_name, email, created_at, last_used_at }) => ({
    name: provider_name,
    email,
    since: new Date(created_at),
    usedAt: last_used_at === null ? null : new Date(last_used_at),
    remove: `/account/connections/${id}/remove`,
  }));
}
