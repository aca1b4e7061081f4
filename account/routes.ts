import { type SignedInRoutes, signedInRoutes } from '../http/signed-in.ts';
import type { Site } from '../http/site.ts';
import { overviewRoutes } from './overview.ts';
import { signOutRoutes } from './sign-out.ts';

/** A member's own pages. Whatever they do, they do to the person of the session, and to nobody whom the request names. */
export function accountRoutes(site: Site): SignedInRoutes['router'] {
  const pages = signedInRoutes(site, '/account', () => '/account');
  overviewRoutes(pages);
  signOutRoutes(pages);
  return pages.router;
}
