import { checkPassword } from '../flows/check-password.ts';
import { signInWithPasskey, startPasskeySignIn } from '../flows/passkey-sign-in.ts';
import { emptyState } from '../flows/sign-in-state.ts';
import { takeFirstStep } from '../flows/take-first-step.ts';
import { RequestError } from '../http/errors.ts';
import { blocked, wrongOwnPassword, wrongPasskey, wrongPassword } from '../http/problems.ts';
import { showSignIn } from './pages.ts';
import { move, onward, type StepOf, type Steps } from './steps.ts';
import { goToUpstreamOf } from './upstream.ts';

const nobody: StepOf<'sign_in'> = { kind: 'sign_in', assessment: null };

/** The first door: a password, or a passkey that is the whole sign-in. Each begins the sign-in anew, whatever it had proved. */
export function firstStepRoutes({ site: { services }, post }: Steps): void {
  post('/login', async (visit, form) => {
    const { origin, browser, client, signIn } = visit;
    const email = typeof form.email === 'string' ? form.email.slice(0, 320) : '';
    const { joining } = signIn.state;
    const who = joining ? joining.email : form.email;
    const { password } = form;
    if (!joining && password === '' && (await goToUpstreamOf(visit, email))) {
      return;
    }
    const outcome = await checkPassword(services, {
      email: who,
      password,
      browser,
      origin,
      clientId: client.clientId,
    });
    switch (outcome.kind) {
      case 'wrong':
        return showSignIn(visit, nobody, email, {
          error: joining ? wrongOwnPassword : wrongPassword,
          status: 422,
        });
      case 'blocked':
        return showSignIn(visit, nobody, email, blocked(visit, outcome.retryAt));
      case 'right':
        await takeFirstStep(services, signIn, outcome);
        onward(visit);
    }
  });

  /** What the browser is asked where a passkey is the whole sign-in; asked for by the page's script. */
  post('/passkey/question', async (visit) => {
    const question = await startPasskeySignIn(services, visit.signIn);
    if (question === null) {
      throw new RequestError('sign_in_moved_on');
    }
    visit.ctx.body = question;
  });

  post('/passkey', async (visit, form) => {
    const { signIn, origin, client } = visit;
    const right = await signInWithPasskey(services, {
      signIn,
      answer: form,
      origin,
      clientId: client.clientId,
    });
    if (!right) {
      return showSignIn(visit, nobody, '', null, wrongPasskey);
    }
    onward(visit);
  });

  /** "Not you?" and "Do not connect": what this sign-in has proved, or another provider has said, is dropped, and the first door is shown. */
  post('/restart', (visit) => move(visit, { ...emptyState, startedOver: true }));
}
