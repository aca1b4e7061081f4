import { changePassword } from '../flows/change-password.ts';
import type { Sentence } from '../http/pages.ts';
import { passwordWords } from '../http/password-words.ts';
import { show } from '../http/show.ts';
import type { SignedIn, SignedInRoutes } from '../http/signed-in.ts';
import { framed } from '../http/signed-in-page.ts';
import { done } from './factors.ts';
import { dangerous } from './rules.ts';
import { section } from './section.ts';

/** A new password, after a fresh proof. What was typed is never kept. */
export function passwordRoutes({ get, post }: SignedInRoutes): void {
  get('/password', dangerous, (visit) => page(visit, null));

  post('/password', dangerous, async (visit, form) => {
    const { site, actor, assessment } = visit;
    const password = typeof form.password === 'string' ? form.password : '';
    const outcome = await changePassword(site.services, { actor, assessment, password });
    switch (outcome.kind) {
      case 'refused':
        return page(visit, passwordWords[outcome.problem]);
      case 'conflict':
        return done(
          visit,
          'Something else was changed in the meantime, so nothing happened. Look at how it is now, and try again.',
          'warn',
        );
      case 'done':
        site.cookie.write(visit.ctx, visit.browser.forgotten(actor.user.id));
        done(
          visit,
          isFirst(visit)
            ? 'Your password is set. Everywhere else you are signed out.'
            : 'Your password is changed. Everywhere else you are signed out.',
        );
    }
  });
}

/** Whoever has signed in by another provider or by a passkey alone may have none. */
const isFirst = ({ actor }: SignedIn): boolean => actor.user.password_hash === null;

function page(visit: SignedIn, error: Sentence | null): void {
  const { ctx, site } = visit;
  show(
    ctx,
    site.renderer,
    'account/password',
    {
      ...framed(visit, section),
      isFirst: isFirst(visit),
      action: '/account/password',
      error,
      back: '/account',
    },
    error ? 422 : 200,
  );
}
