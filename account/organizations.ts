import { homesOf } from '../entities/home-organizations.ts';
import { factorFor } from '../factors/index.ts';
import type { ListedOrganization } from '../http/pages.ts';
import { show } from '../http/show.ts';
import type { SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { spanWords } from '../http/span-words.ts';
import { accepts } from '../policy/fold.ts';
import { graceDeadline } from '../policy/grace.ts';
import { requirementFor } from '../policy/requirement-for.ts';
import { own } from './rules.ts';
import { section } from './section.ts';

/** The organizations of the person, what each requires of them, and until when. */
export function organizationRoutes({ get }: SignedInRoutes): void {
  get('/organizations', own, async (visit) => {
    const { ctx, site, assessment } = visit;
    const { memberships, factors, user } = assessment;
    const { db } = site.services;
    const now = db.clock.now();
    const homes = await homesOf(db, user.id);
    show(ctx, site.renderer, 'account/organizations', {
      ...framed(visit, section),
      organizations: memberships.map(({ organization, role, policy, ...standing }): ListedOrganization => {
        const requirement = requirementFor(policy, role);
        const isMet = factors.some((factor) => factor.disabled_at === null && accepts(policy, factor));
        const deadline = graceDeadline({ role, policy, ...standing });
        const inGrace = user.had_factor_at === null && deadline !== null && deadline > now;
        return {
          name: organization.name,
          role,
          requirement,
          isMet,
          until: requirement === 'must' && !isMet && inGrace ? deadline : null,
          methods: policy.methods.map((method) => factorFor(method).label),
          rememberDays: policy.rememberDeviceDays,
          idle: spanWords(policy.sessions.idleMinutes),
          whole: spanWords(policy.sessions.absoluteMinutes),
          isHome: homes.has(organization.id),
          url: role === 'member' ? null : `/organizations/${encodeURIComponent(organization.slug)}`,
        };
      }),
    });
  });
}
