import type { Context } from 'koa';
import type { Client, Interaction } from 'oidc-provider';
import type { Origin } from '../audit/audit.ts';
import { type Assessment, assessSignIn } from '../flows/assess-sign-in.ts';
import type { KnownBrowser } from '../flows/known-browser.ts';
import { noChoices } from '../flows/proofs.ts';
import { emptyState, findSignIn, type SignIn, type SignInState } from '../flows/sign-in-state.ts';
import { RequestError } from '../http/errors.ts';
import { originOf } from '../http/origin.ts';
import type { Link } from '../http/pages.ts';
import type { Site } from '../http/site.ts';
import { after, seconds } from '../lib/clock.ts';
import type { AssuranceRequest } from '../policy/types.ts';
import { applicationOf, provedBy } from '../provider/assess-request.ts';
import { assuranceRequest } from '../provider/assurance-request.ts';
import { followedLink } from './reset-link.ts';

/** One request to one interaction, as it stands. */
export interface Visit {
  readonly ctx: Context;
  readonly site: Site;
  readonly uid: string;
  readonly interaction: Interaction;
  readonly client: Client;
  readonly signIn: SignIn;
  readonly browser: KnownBrowser;
  readonly origin: Origin;
}

/**
 * Finds the interaction that this browser's cookie and the path both name (trap F9), and what it has proved.
 *
 * @throws RequestError sign_in_ended
 */
export async function visitOf(site: Site, ctx: Context): Promise<Visit> {
  const { provider, services } = site;
  const uid = String(ctx.params.uid);
  const interaction = await provider.interactionDetails(ctx.req, ctx.res);
  if (interaction.uid !== uid) {
    throw new RequestError('sign_in_ended');
  }
  const client = await provider.Client.find(String(interaction.params.client_id));
  if (!client) {
    throw new RequestError('sign_in_ended');
  }
  const found = await findSignIn(services, uid);
  if (found.kind === 'ended') {
    throw new RequestError('sign_in_ended', { actions: backTo(client, interaction) });
  }
  const signIn = found.kind === 'found' ? found.signIn : await newSignIn(site, interaction);
  return {
    ctx,
    site,
    uid,
    interaction,
    client,
    signIn,
    browser: site.cookie.read(ctx).browser,
    origin: originOf(ctx, interaction.params.ui_locales),
  };
}

/** The application, where a browser can go there by itself. */
function backTo({ clientUri, clientName, clientId }: Client, { params }: Interaction): readonly Link[] {
  const callback = URL.parse(String(params.redirect_uri));
  const url = clientUri ?? (callback && /^https?:$/.test(callback.protocol) ? `${callback.origin}/` : null);
  const label = { sentence: 'Back to {application}', values: { application: clientName ?? clientId } };
  return url === null ? [] : [{ label, url }];
}

/** Reasons for which what the session has proved is of no use here: the sign-in begins with its first step. */
const fromTheStart = ['no_session', 'login_prompt', 'id_token_hint', 'claims_id_token_sub_value'];

async function newSignIn(site: Site, interaction: Interaction): Promise<SignIn> {
  const now = site.services.db.clock.now();
  const startedAt = interaction.prompt.details.startedAt;
  return {
    uid: interaction.uid,
    version: 0,
    startedAt: typeof startedAt === 'number' ? new Date(startedAt) : now,
    expiresAt: after(now, seconds(interaction.exp - Math.floor(Date.now() / 1000))),
    state: await stateOfSession(site, interaction),
  };
}

async function stateOfSession({ provider }: Site, interaction: Interaction): Promise<SignInState> {
  const { session, prompt } = interaction;
  if (!session?.uid || prompt.reasons.some((reason) => fromTheStart.includes(reason))) {
    return emptyState;
  }
  const found = await provider.Session.findByUid(session.uid);
  const proved = found && found.accountId === session.accountId ? provedBy(found) : null;
  if (!found?.accountId || !proved) {
    return emptyState;
  }
  return {
    ...emptyState,
    accountId: found.accountId,
    proofs: proved.proofs,
    choices: proved.choices ?? noChoices,
  };
}

/** The decision about this sign-in as it stands now; null before anybody has taken the first step. */
export async function assess(visit: Visit): Promise<Assessment | null> {
  const { accountId, proofs, choices } = visit.signIn.state;
  if (accountId === null) {
    return null;
  }
  // What is joined to an account is joined by its factors, not by a browser that was remembered.
  const device = visit.signIn.state.joining === null ? visit.browser.deviceOf(accountId) : null;
  return assessSignIn(visit.site.services, {
    userId: accountId,
    application: applicationOf(visit.client),
    proofs,
    choices,
    device: device ? { kind: 'secret', ...device } : null,
    resetLink: followedLink(visit.site, visit.ctx),
    request: requestOf(visit),
  });
}

/** What the authorization request asks for. */
export const requestOf = ({ interaction, signIn }: Visit): AssuranceRequest =>
  assuranceRequest(
    interaction.params,
    startedAt(interaction, signIn),
    interaction.prompt.details.signInAnew === true,
  );

export function startedAt(interaction: Interaction, signIn: SignIn): Date {
  const carried = interaction.prompt.details.startedAt;
  return typeof carried === 'number' ? new Date(carried) : signIn.startedAt;
}
