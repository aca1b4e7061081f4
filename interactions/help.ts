import { askForHelp, type HelpOutcome } from '../flows/ask-for-help.ts';
import { organizationNameOf } from '../flows/home-organization.ts';
import { show } from '../http/show.ts';
import type { Next } from './next.ts';
import { commonOf } from './pages.ts';
import type { StepOf, Steps } from './steps.ts';
import type { Visit } from './visit.ts';

/** Whoever has lost every second step: who can help, and a word to them. The password was right, so it says whose account it is. */
export function helpRoutes(
  { site: { services }, get, postIn }: Steps,
  showNext: (visit: Visit, next: Next) => Promise<void>,
): void {
  get('/help', (visit, next) =>
    next.kind === 'challenge' ? page(visit, next, null) : showNext(visit, next),
  );

  postIn('challenge', '/help', async (visit, next) => {
    const { origin, client } = visit;
    page(
      visit,
      next,
      await askForHelp(services, { assessment: next.assessment, origin, clientId: client.clientId }),
    );
  });
}

function page(
  visit: Visit,
  { assessment, decision }: StepOf<'challenge'>,
  outcome: HelpOutcome | null,
): void {
  const at = `/interaction/${visit.uid}`;
  show(visit.ctx, visit.site.renderer, 'help', {
    ...commonOf(visit, assessment),
    organizationName: organizationNameOf(assessment),
    useRecoveryCode: decision.recoveryCode ? `${at}/recovery` : null,
    outcome,
    action: `${at}/help`,
    back: at,
  });
}
