import { regenerateRecoveryCodes } from '../flows/regenerate-recovery-codes.ts';
import { maySeeRecoveryCodes, showRecoveryCodes } from '../flows/show-recovery-codes.ts';
import type { Sentence } from '../http/pages.ts';
import { codesHead } from '../http/recovery-codes-file.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { digest } from '../lib/digest.ts';
import { done } from './factors.ts';
import { dangerous } from './rules.ts';
import { section } from './section.ts';

/** "Show recovery codes" and "Regenerate recovery codes". */
export function recoveryCodeRoutes({ get, post }: SignedInRoutes): void {
  // A look by itself shows nothing, and tells nobody: it is the form that asks. What was asked before a fresh proof is done after it, once.
  get('/recovery-codes', dangerous, (visit) =>
    visit.held.show === 'yes' && maySee(visit)
      ? showCodes({ ...visit, held: {} }, heldAs(visit))
      : askToShow(visit),
  );
  post('/recovery-codes', { ...dangerous, keeps: ['show'] }, (visit, { show: wanted }) =>
    wanted === 'yes' && maySee(visit) ? showCodes(visit, null) : askToShow(visit),
  );

  get('/recovery-codes/regenerate', dangerous, (visit) => askToRegenerate(visit));
  post('/recovery-codes/regenerate', dangerous, async (visit, form) => {
    if (form.confirm !== 'yes' || !mayRegenerate(visit)) {
      return askToRegenerate(visit);
    }
    const { site, actor, assessment, ctx } = visit;
    const id = await regenerateRecoveryCodes(site.services, { actor, assessment });
    if (id === null) {
      return done(
        visit,
        'Something else was changed in the meantime, so nothing happened. Look at how it is now, and try again.',
        'warn',
      );
    }
    ctx.status = 303;
    ctx.redirect(`/account/set-up/${id}`);
  });
}

/** Under what the wish to see them was kept while a fresh proof was given. */
const heldAs = ({ ctx }: SignedIn): string => digest(String(ctx.query.held));

/** Not with a recovery code alone: whoever found one would see the seven others. */
export const maySee = ({ recovered }: SignedIn): boolean => !recovered;

async function askToShow(visit: SignedIn): Promise<void> {
  const { ctx, site, assessment } = visit;
  if (!maySee(visit)) {
    const why =
      'You signed in with a recovery code. Your codes can be shown once you have used or set up a factor.';
    return done(visit, why, 'warn');
  }
  if (!(await maySeeRecoveryCodes(site.services, assessment))) {
    return notAgain(visit);
  }
  show(ctx, site.renderer, 'confirm', {
    ...framed(visit, section),
    title: 'Show recovery codes?',
    consequences: [
      'Whoever sees them can use them. Make sure that nobody is watching your screen.',
      'You get a mail that they were shown.',
    ],
    action: '/account/recovery-codes',
    hidden: [{ name: 'show', value: 'yes' }],
    button: 'Show recovery codes',
    tone: 'primary',
    password: false,
    passwordError: null,
    cancel: '/account',
  });
}

const notAgain = (visit: SignedIn): void =>
  done(visit, 'Your recovery codes cannot be shown again. You can make new ones.', 'warn');

async function showCodes(visit: SignedIn, held: string | null): Promise<void> {
  const { ctx, site, actor, assessment } = visit;
  const outcome = await showRecoveryCodes(site.services, { actor, assessment, held });
  if (outcome.kind === 'conflict') {
    return askToShow(visit);
  }
  if (outcome.kind === 'not_again') {
    return notAgain(visit);
  }
  const { codes } = outcome;
  const head = savedCodesHead(visit);
  show(ctx, site.renderer, 'account/recovery-codes', {
    ...framed(visit, section),
    head,
    codes,
    back: '/account',
  });
}

/** What stands above the codes, wherever they are saved. */
export const savedCodesHead = (visit: SignedIn): readonly Sentence[] => {
  const { account, brand } = framed(visit, section);
  return codesHead(account, brand.name, visit.site.services.db.clock.now());
};

/** Not with a recovery code alone: whoever found one could make eight of it (reference/control-panel-mfa.txt). */
export const mayRegenerate = ({ recovered, assessment }: SignedIn): boolean =>
  !recovered && assessment.factors.length > 0;

function askToRegenerate(visit: SignedIn): void {
  if (!mayRegenerate(visit)) {
    const why =
      'You signed in with a recovery code. New codes can be made once you have used or set up a factor.';
    done(visit, why, 'warn');
    return;
  }
  show(visit.ctx, visit.site.renderer, 'confirm', {
    ...framed(visit, section),
    title: 'Regenerate recovery codes?',
    consequences: [
      'You get eight new codes.',
      'All codes that you have now stop working at once.',
      'Devices that you asked us to remember are forgotten.',
    ],
    action: '/account/recovery-codes/regenerate',
    hidden: [{ name: 'confirm', value: 'yes' }],
    button: 'Regenerate recovery codes',
    tone: 'primary',
    password: false,
    passwordError: null,
    cancel: '/account',
  });
}
