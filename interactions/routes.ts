import type Router from '@koa/router';
import type { Site } from '../http/site.ts';
import { challengeRoutes, showChosenChallenge } from './challenge.ts';
import { consentRoutes } from './consent.ts';
import { cancel, finish, refuse } from './finish.ts';
import { firstStepRoutes } from './first-step.ts';
import { helpRoutes } from './help.ts';
import { mailboxRoutes, showMailboxStep } from './mailbox.ts';
import type { Next } from './next.ts';
import * as pages from './pages.ts';
import { recoveryRoutes } from './recovery.ts';
import { setUpRoutes, showSetUpStep } from './set-up.ts';
import { createSteps } from './steps.ts';
import { upstreamRoutes } from './upstream.ts';
import type { Visit } from './visit.ts';

/** The hosted sign-in. Each route checks what came, calls one flow and returns to `showNext`, which alone knows what follows. */
export function interactionRoutes(site: Site): Router {
  const steps = createSteps(site, showNext);
  steps.get('/', showNext);
  firstStepRoutes(steps);
  upstreamRoutes(steps);
  challengeRoutes(steps, showNext);
  recoveryRoutes(steps, showNext);
  helpRoutes(steps, showNext);
  mailboxRoutes(steps);
  setUpRoutes(steps, showNext);
  consentRoutes(steps);
  steps.post('/cancel', cancel);
  return steps.router;
}

/** The page, or the end, that the sign-in needs next. */
export async function showNext(visit: Visit, next: Next): Promise<void> {
  switch (next.kind) {
    case 'sign_in':
      return pages.showSignIn(visit, next, '', null);
    case 'challenge':
      return showChosenChallenge(visit, next, showNext);
    case 'mailbox':
      return showMailboxStep(visit, next);
    case 'enrol':
      return showSetUpStep(visit, next);
    case 'recovery_codes':
      return pages.showRecoveryCodes(visit, next, null);
    case 'recovery_notice':
      return pages.showRecoveryNotice(visit, next);
    case 'recovery_low':
      return pages.showLowCodes(visit, next);
    case 'consent':
      return pages.showConsent(visit, next);
    case 'refuse':
      return next.decision.unmet ? refuse(visit) : pages.showRefused(visit, next);
    case 'finish':
      return finish(visit, next, null);
  }
}
