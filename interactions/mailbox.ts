import { answerMailboxCode, sendMailboxCode } from '../flows/mailbox-code.ts';
import { wasSent } from '../http/factor-form.ts';
import { blocked, notSent, wrong, wrongSent } from '../http/problems.ts';
import { showMailbox } from './pages.ts';
import { onward, type StepOf, type Steps } from './steps.ts';
import type { Visit } from './visit.ts';

type Mailbox = StepOf<'mailbox'>;

/** The code to the verified address that comes before a set-up after an admin's reset. */
export function mailboxRoutes({ site: { services }, postIn }: Steps): void {
  postIn('mailbox', '/mailbox', async (visit, next, form) => {
    const outcome = await answerMailboxCode(services, { ...inputFor(visit, next), typed: form.code });
    if (outcome.kind === 'right') {
      return onward(visit);
    }
    const problem =
      outcome.kind === 'wrong' ? wrong(wrongSent(form), form.code) : blocked(visit, outcome.retryAt);
    showMailbox(visit, next.assessment, problem);
  });

  postIn('mailbox', '/mailbox/send', async (visit, next, form) => {
    if (wasSent(form, visit.signIn.state.mailbox?.sentAt ?? null)) {
      return onward(visit);
    }
    const outcome = await sendMailboxCode(services, inputFor(visit, next));
    const problem = notSent(visit, outcome);
    return problem ? showMailbox(visit, next.assessment, problem) : onward(visit);
  });
}

/** The first code is sent when the page is first shown. */
export async function showMailboxStep(visit: Visit, next: Mailbox): Promise<void> {
  if (visit.signIn.state.mailbox === null && visit.ctx.method === 'GET') {
    const outcome = await sendMailboxCode(visit.site.services, inputFor(visit, next));
    const problem = notSent(visit, outcome);
    return problem ? showMailbox(visit, next.assessment, problem) : onward(visit);
  }
  showMailbox(visit, next.assessment, null);
}

const inputFor = ({ signIn, origin, client }: Visit, { assessment }: Mailbox) => ({
  signIn,
  assessment,
  origin,
  clientId: client.clientId,
});
