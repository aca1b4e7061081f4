import { type SignedInRoutes, signedInRoutes } from '../http/signed-in.ts';
import type { Site } from '../http/site.ts';
import { memberRoutes } from './members.ts';
import { twoFactorRoutes } from './two-factor.ts';
import { basePath, inSession } from './visit.ts';

/** The pages of owners and admins. Each is authorised for the very organization and person that its path names. */
export function organizationRoutes(site: Site): SignedInRoutes['router'] {
  const pages = signedInRoutes(site, '/organizations', basePath);
  pages.get('/:slug', inSession('overview.read'), (visit) =>
    visit.ctx.redirect(`${basePath(visit.ctx)}/members`),
  );
  twoFactorRoutes(pages);
  memberRoutes(pages);
  return pages.router;
}
