import type { InteractionResults, KoaContextWithOIDC } from 'oidc-provider';
import type { Assessment } from '../flows/assess-sign-in.ts';
import { endSessionByUid } from '../flows/end-sessions.ts';
import { type EndOfSignIn, type FinishedSignIn, finishSignIn } from '../flows/finish-sign-in.ts';
import { closeRequestOf } from '../flows/sign-in-state.ts';
import { RequestError } from '../http/errors.ts';
import type { Next } from './next.ts';
import type { Visit } from './visit.ts';

type Finish = Extract<Next, { kind: 'finish' }>;

/** Ends the sign-in, once, and hands over. */
export async function finish(visit: Visit, next: Finish, consented: string | null): Promise<void> {
  const finished = await finishSignIn(visit.site.services, endOf(visit, next, consented));
  if (!finished) {
    throw new RequestError('sign_in_moved_on');
  }
  await handOver(visit, next.assessment, finished);
}

export const endOf = (visit: Visit, next: Finish, consented: string | null): EndOfSignIn => ({
  signIn: visit.signIn,
  assessment: next.assessment,
  allowed: next.decision,
  consented,
  origin: visit.origin,
  clientId: visit.client.clientId,
  knownBrowser: visit.browser.bucketFor(next.assessment.user.id) !== null,
});

/** To the authorization endpoint, which asks the policy once more before it gives a code. */
export async function handOver(
  visit: Visit,
  assessment: Assessment,
  finished: FinishedSignIn,
): Promise<void> {
  const { site, signIn, ctx } = visit;
  const { accountId, acr, amr, proved, device } = finished;
  if (assessment.deviceRejected || device !== undefined || visit.browser.bucketFor(accountId) === null) {
    const kept = assessment.deviceRejected ? visit.browser.forgotten(accountId) : visit.browser;
    site.cookie.write(ctx, kept.signedIn(accountId, device));
  }
  await leaveOtherSession(visit, accountId);
  // The library would merge what an earlier interaction of the same request left; each says all that it knows instead.
  const login = signIn.state.changed ? { login: { accountId, acr, amr: [...amr] }, proved } : {};
  await hand(visit, { ...login, consent: {} });
}

/** Somebody else signs in here: the session that this browser has, whoever began it meanwhile, is over for good. */
async function leaveOtherSession(
  { ctx, interaction, site, origin }: Visit,
  accountId: string,
): Promise<void> {
  const session = await site.provider.Session.get(ctx as unknown as KoaContextWithOIDC);
  if (session.accountId === undefined || session.accountId === accountId) {
    return;
  }
  await endSessionByUid(site.services, session.uid, origin, 'another_person');
  delete interaction.session;
}

/** "Cancel": back to the application, which is told; another device is not asked any more. */
export async function cancel(visit: Visit): Promise<void> {
  await closeRequestOf(visit.site.services, visit.signIn.state);
  await hand(visit, { error: 'access_denied', error_description: 'the sign-in was cancelled' });
}

/** What the request itself demands cannot be met (OpenID Connect Core Unmet Authentication Requirements 1.0). */
export const refuse = (visit: Visit): Promise<void> =>
  hand(visit, {
    error: 'unmet_authentication_requirements',
    error_description: 'the requested authentication requirements cannot be met',
  });

async function hand(visit: Visit, result: InteractionResults): Promise<void> {
  const { interaction, ctx } = visit;
  interaction.result = result;
  await interaction.save(interaction.exp - Math.floor(Date.now() / 1000));
  ctx.status = 303;
  ctx.redirect(interaction.returnTo);
}
