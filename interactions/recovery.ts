import { replaceLowCodes } from '../flows/replace-low-codes.ts';
import { useRecoveryCode } from '../flows/use-recovery-code.ts';
import { blocked, wrong, wrongRecoveryCode } from '../http/problems.ts';
import { sendCodesFile } from '../http/recovery-codes-file.ts';
import type { Next } from './next.ts';
import { commonOf, headOf, showRecovery, showRecoveryCodes } from './pages.ts';
import { move, onward, type Steps } from './steps.ts';
import type { Visit } from './visit.ts';

/** Recovery codes: one in place of a factor, what follows it, and the page on which new ones are saved. */
export function recoveryRoutes(
  { site, get, postIn }: Steps,
  showNext: (visit: Visit, next: Next) => Promise<void>,
): void {
  get('/recovery', (visit, next) =>
    next.kind === 'challenge' && next.decision.recoveryCode
      ? showRecovery(visit, next, null)
      : showNext(visit, next),
  );

  postIn('challenge', '/recovery', async (visit, next, form) => {
    if (!next.decision.recoveryCode) {
      return showNext(visit, next);
    }
    const outcome = await useRecoveryCode(site.services, {
      signIn: visit.signIn,
      assessment: next.assessment,
      typed: form.code,
      browser: visit.browser,
      origin: visit.origin,
      clientId: visit.client.clientId,
    });
    if (outcome.kind === 'right') {
      site.cookie.write(visit.ctx, visit.browser.forgotten(next.assessment.user.id));
      return onward(visit);
    }
    const problem =
      outcome.kind === 'wrong' ? wrong(wrongRecoveryCode, form.code) : blocked(visit, outcome.retryAt);
    showRecovery(visit, next, problem);
  });

  postIn('recovery_notice', '/recovery/continue', (visit) =>
    move(visit, { ...visit.signIn.state, recoveryNotice: null }),
  );

  postIn('recovery_notice', '/set-up-again', (visit) =>
    move(visit, { ...visit.signIn.state, wantsSetup: true }),
  );

  postIn('recovery_low', '/recovery/later', (visit) =>
    move(visit, { ...visit.signIn.state, lowCodesSeen: true }),
  );

  postIn('recovery_low', '/recovery/renew', async (visit, { assessment }) => {
    // Where somebody else was first, the page of the present step says what is so now.
    await replaceLowCodes(site.services, { signIn: visit.signIn, assessment, origin: visit.origin });
    onward(visit);
  });

  postIn('recovery_codes', '/codes', (visit, next, form) => {
    if (form.saved === undefined) {
      return showRecoveryCodes(visit, next, {
        error: 'Save the codes first, then say so here.',
        status: 422,
      });
    }
    return move(visit, { ...visit.signIn.state, newRecoveryCodes: null });
  });

  /** For browsers without JavaScript; a POST, so that the codes stand in no address. */
  postIn('recovery_codes', '/codes/download', (visit, next) => {
    const { lang } = commonOf(visit, next.assessment);
    sendCodesFile(visit.ctx, site.renderer, lang, headOf(visit, next), next.codes);
  });
}
