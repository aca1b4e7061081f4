import { askForHelp, type HelpOutcome } from '../flows/ask-for-help.ts';
import { organizationNameOf } from '../flows/home-organization.ts';
import { show } from '../http/show.ts';
import { contactOf } from '../http/site.ts';
import { type Next, nextOf } from './next.ts';
import { commonOf } from './pages.ts';
import type { StepOf, Steps } from './steps.ts';
import type { Visit } from './visit.ts';

/** Whoever can answer no challenge: there is one, or there would be, were not every factor of theirs closed. */
type Stuck = StepOf<'challenge'> | StepOf<'refuse'>;

const isStuck = (next: Next): next is Stuck =>
  next.kind === 'challenge' || (next.kind === 'refuse' && next.decision.why === 'no_usable_factor');

/** Whoever has lost every second step: who can help, and a word to them. The password was right, so it says whose account it is. */
export function helpRoutes(
  { site: { services }, get, post }: Steps,
  showNext: (visit: Visit, next: Next) => Promise<void>,
): void {
  get('/help', (visit, next) => (isStuck(next) ? page(visit, next, null) : showNext(visit, next)));

  post('/help', async (visit) => {
    const next = await nextOf(visit);
    if (!isStuck(next)) {
      return showNext(visit, next);
    }
    const { origin, client } = visit;
    page(
      visit,
      next,
      await askForHelp(services, { assessment: next.assessment, origin, clientId: client.clientId }),
    );
  });
}

function page(visit: Visit, { assessment, decision }: Stuck, outcome: HelpOutcome | null): void {
  const at = `/interaction/${visit.uid}`;
  show(visit.ctx, visit.site.renderer, 'help', {
    ...commonOf(visit, assessment),
    organizationName: organizationNameOf(assessment),
    useRecoveryCode: decision.kind === 'challenge' && decision.recoveryCode ? `${at}/recovery` : null,
    outcome,
    contact: contactOf(visit.site),
    action: `${at}/help`,
    back: at,
  });
}
