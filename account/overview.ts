import { show } from '../http/show.ts';
import type { SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

/** The first page of the account. */
export function overviewRoutes({ get }: SignedInRoutes): void {
  get('/', own, (visit) => {
    const { ctx, site, assessment } = visit;
    show(ctx, site.renderer, 'account/overview', {
      ...framed(visit, section),
      email: assessment.user.email,
    });
  });
}
