import { type UpstreamProviderRow, upstreamByKey, upstreamOfDomain } from '../entities/upstream-providers.ts';
import { returnFromUpstream } from '../flows/return-from-upstream.ts';
import { startUpstream } from '../flows/start-upstream.ts';
import { domainOf } from '../flows/upstreams.ts';
import { RequestError } from '../http/errors.ts';
import type { Sentence } from '../http/pages.ts';
import { upstreamRefusal } from '../http/upstream-words.ts';
import { applicationOf } from '../provider/assess-request.ts';
import { showGoOn, showSignIn, waysToJoin } from './pages.ts';
import { onward, type StepOf, type Steps } from './steps.ts';
import { requestOf, type Visit, visitOf } from './visit.ts';

const nobody: StepOf<'sign_in'> = { kind: 'sign_in', assessment: null };

/** The first door of somebody else: an OpenID provider that signs people in for us. */
export function upstreamRoutes({ site: { services }, get, post }: Steps): void {
  /** By the domain of the address that was typed. It says nothing of who has an account. */
  post('/upstream', async (visit, form) => {
    const email = typeof form.email === 'string' ? form.email.slice(0, 320).trim() : '';
    if (!(await goToUpstreamOf(visit, email))) {
      await showSignIn(visit, nobody, email, null, null, unknownDomain);
    }
  });

  post('/upstream/:key', async (visit) => {
    const provider = await upstreamByKey(services.db, String(visit.ctx.params.key));
    if (!provider || !(await isOffered(visit, provider))) {
      throw new RequestError('not_found');
    }
    const hint = visit.interaction.params.login_hint;
    await goTo(visit, provider, typeof hint === 'string' ? hint.slice(0, 320) : null, '');
  });

  /** Back from there, by way of the address that is registered with the provider. */
  get('/upstream', async (visit) => {
    const { ctx, signIn, origin, client, interaction } = visit;
    const outcome = await returnFromUpstream(services, {
      signIn,
      parameters: new URLSearchParams(ctx.querystring),
      origin,
      clientId: client.clientId,
      locale:
        typeof interaction.params.ui_locales === 'string'
          ? (interaction.params.ui_locales.split(' ')[0] ?? null)
          : null,
    });
    if (outcome.kind === 'anew') {
      return goTo(await visitOf(visit.site, ctx), outcome.provider, null, '', true);
    }
    if (outcome.kind !== 'refused') {
      return onward(visit);
    }
    await showSignIn(visit, nobody, '', null, null, upstreamRefusal(outcome.why, outcome.provider));
  });
}

/** It has a button at this application, or it signs in the very person whose account is to be joined. */
async function isOffered(visit: Visit, provider: UpstreamProviderRow): Promise<boolean> {
  const { organizationId } = applicationOf(visit.client);
  if (provider.organization_id === null || provider.organization_id === organizationId) {
    return true;
  }
  const ways = await waysToJoin(visit);
  return ways.some(({ id }) => id === provider.id);
}

/** False where no provider answers for the domain of this address. */
export async function goToUpstreamOf(visit: Visit, email: string): Promise<boolean> {
  const domain = domainOf(email.trim());
  const provider = domain === '' ? null : await upstreamOfDomain(visit.site.services.db, domain);
  if (!provider) {
    return false;
  }
  await goTo(visit, provider, email.trim(), email);
  return true;
}

async function goTo(
  visit: Visit,
  provider: UpstreamProviderRow,
  loginHint: string | null,
  typed: string,
  anew = false,
): Promise<void> {
  const { site, signIn, origin, client, interaction } = visit;
  const locales = interaction.params.ui_locales;
  const outcome = await startUpstream(site.services, {
    signIn,
    provider,
    request: requestOf(visit),
    application: applicationOf(client),
    loginHint,
    uiLocales: typeof locales === 'string' ? locales.slice(0, 200) : null,
    anew,
    origin,
  });
  switch (outcome.kind) {
    case 'go':
      return showGoOn(visit, provider.name, outcome.url);
    case 'moved_on':
      throw new RequestError('sign_in_moved_on');
    case 'problem':
      return showSignIn(visit, nobody, typed, null, null, upstreamRefusal(outcome.reason, provider.name));
  }
}

const unknownDomain: Sentence =
  'No organization signs in people with this address. Use your password, or another way.';
