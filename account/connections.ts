import { upstreamLinksOf } from '../entities/upstream-links.ts';
import type { UpstreamProviderRow } from '../entities/upstream-providers.ts';
import { connectableUpstream, finishConnection, startConnection } from '../flows/connect-upstream.ts';
import { removeConnection } from '../flows/remove-connection.ts';
import { RequestError } from '../http/errors.ts';
import { goOn } from '../http/go-on.ts';
import type { Pages } from '../http/pages.ts';
import { common, show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { upstreamRefusal } from '../http/upstream-words.ts';
import { done } from './factors.ts';
import { dangerous, own } from './rules.ts';
import { section } from './section.ts';

export const connectPath = (nameKey: string): string =>
  `/account/connections/${encodeURIComponent(nameKey)}/connect`;

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
        'You can connect it again on this page.',
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

  get('/connections/:key/connect', dangerous, async (visit) => {
    const { ctx, site } = visit;
    const { name } = await providerOf(visit);
    show(ctx, site.renderer, 'confirm', {
      ...framed(visit, section),
      title: { sentence: 'Connect {name}?', values: { name } },
      consequences: [
        'Whoever signs in with the account that you choose there is signed in here as you. What your organizations ask for beside it stays.',
        'You are asked to sign in there first, so that it is your account and nobody else’s.',
      ],
      action: ctx.path,
      hidden: [],
      button: 'Connect',
      tone: 'primary',
      password: false,
      passwordError: null,
      cancel: '/account',
    });
  });

  post('/connections/:key/connect', dangerous, async (visit) => {
    const { ctx, site, actor } = visit;
    const provider = await providerOf(visit);
    const outcome = await startConnection(site.services, {
      actor,
      provider,
      uiLocales: common(ctx).lang,
    });
    if (outcome.kind === 'problem') {
      return done(visit, upstreamRefusal(outcome.reason, provider.name), 'warn');
    }
    goOn(ctx, site.renderer, { name: provider.name, url: outcome.url }, 'connect');
  });

  /** Back from there, by way of the address that is registered with the provider. */
  get('/connections/:key/connected', own, async (visit) => {
    const { ctx, site, actor, assessment } = visit;
    const outcome = await finishConnection(
      site.services,
      { actor, assessment },
      String(ctx.params.key),
      new URLSearchParams(ctx.querystring),
    );
    switch (outcome.kind) {
      case 'done':
        return done(visit, { sentence: '{name} is connected.', values: { name: outcome.name } });
      case 'taken':
        return done(
          visit,
          {
            sentence: 'That account at {name} signs in somebody else here, so it was not connected.',
            values: { name: outcome.name },
          },
          'warn',
        );
      case 'conflict':
        return done(
          visit,
          'Something else was changed in the meantime, so nothing happened. Look at how it is now, and try again.',
          'warn',
        );
      case 'refused':
        done(visit, upstreamRefusal(outcome.why, outcome.name), 'warn');
    }
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
        return done(
          visit,
          'Something else was changed in the meantime, so nothing happened. Look at how it is now, and try again.',
          'warn',
        );
      case 'done':
        done(visit, 'The account is disconnected.');
    }
  });
}

async function providerOf({ site, assessment, ctx }: SignedIn): Promise<UpstreamProviderRow> {
  const provider = await connectableUpstream(site.services, assessment, String(ctx.params.key));
  if (!provider) throw new RequestError('not_found');
  return provider;
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
