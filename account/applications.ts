import { readAccess, revokeAccess } from '../flows/application-access.ts';
import { RequestError } from '../http/errors.ts';
import { scopeSentence } from '../http/scopes.ts';
import { show } from '../http/show.ts';
import type { SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { done } from './factors.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

/** The applications that may act for the person, and taking that back. */
export function applicationRoutes({ get, post }: SignedInRoutes): void {
  get('/applications', own, async (visit) => {
    const { ctx, site, actor } = visit;
    const access = await readAccess(site.services, actor.user.id);
    show(ctx, site.renderer, 'account/applications', {
      ...framed(visit, section),
      applications: access.map(({ clientId, name, organizationName, scopes, since }) => ({
        name,
        organizationName,
        scopes: scopes.map((scope) => scopeSentence(scope, site.services.settings.issuer)),
        since,
        revoke: `/account/applications/${encodeURIComponent(clientId)}/revoke`,
      })),
    });
  });

  post('/applications/:clientId/revoke', own, async (visit) => {
    const { ctx, site, actor } = visit;
    if (!(await revokeAccess(site.services, actor, String(ctx.params.clientId)))) {
      throw new RequestError('not_found');
    }
    done(
      visit,
      'Its access is revoked. It asks you again when you sign in there.',
      'ok',
      '/account/applications',
    );
  });
}
