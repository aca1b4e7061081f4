import type { Origin } from '../audit/audit.ts';
import { audit } from '../audit/audit.ts';
import { readUpstreamSettings, type UpstreamProviderRow } from '../entities/upstream-providers.ts';
import { authorizationUrl } from '../federation/upstream.ts';
import { UpstreamProblem, type UpstreamReason } from '../federation/upstream-problem.ts';
import { addressRange } from '../lib/address-range.ts';
import { token } from '../lib/random.ts';
import { open, seal } from '../lib/seal.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { asksForNothing, demandOf } from '../policy/demand.ts';
import type { Facts } from '../policy/types.ts';
import type { Services } from './services.ts';
import { emptyState, findSignIn, type SignIn, saveSignIn } from './sign-in-state.ts';
import { federationOf, upstreamAddress, upstreamFrom } from './upstreams.ts';

export type UpstreamStart =
  | { readonly kind: 'go'; readonly url: string }
  | { readonly kind: 'problem'; readonly reason: UpstreamReason }
  /** Another request of the same interaction was first. */
  | { readonly kind: 'moved_on' };

/**
 * Sends a browser to an upstream provider. What it has to bring back is bound to this interaction, and so to this browser; and what the
 * application demands of a sign-in (`prompt=login`, `max_age`, a second factor) is passed on as far as the provider is trusted with it.
 */
export async function startUpstream(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly provider: UpstreamProviderRow;
    readonly request: Facts['request'];
    readonly application: Facts['application'];
    readonly loginHint: string | null;
    readonly uiLocales: string | null;
    /** Whoever is signed in there must sign in once more, whatever the request says. */
    readonly anew?: boolean;
    readonly origin: Origin;
  },
): Promise<UpstreamStart> {
  const { db, ring, settings } = services;
  const { provider, request, signIn, origin } = input;
  const { secondFactor, trusted, scopes } = readUpstreamSettings(provider.settings);
  const asks = !asksForNothing(demandOf({ application: input.application, request }));
  const isTrusted = secondFactor !== 'never' && trusted.acr.length + trusted.amr.length > 0;
  const waiting = {
    providerId: provider.id,
    version: provider.version,
    state: seal(ring, statePlace(provider.name_key), JSON.stringify([signIn.uid, token(128)])),
    nonce: token(),
    codeVerifier: token(),
    sentAt: db.clock.now().getTime(),
    login:
      input.anew === true ||
      request.login ||
      (isTrusted && input.application.assurance === 'fresh_second_factor'),
    maxAge: request.maxAge,
  };
  try {
    const url = await authorizationUrl(
      federationOf(services),
      upstreamFrom(services, provider),
      { ...waiting, redirectUri: upstreamAddress(settings.issuer, provider.name_key, 'callback') },
      {
        scopes,
        acr: {
          values: secondFactor === 'required' || (secondFactor === 'trusted' && asks) ? trusted.acr : [],
          essential: secondFactor === 'required',
        },
        login: waiting.login,
        loginHint: input.loginHint,
        uiLocales: input.uiLocales,
      },
    );
    const state = { ...emptyState, upstream: waiting, joining: signIn.state.joining };
    if (await saveSignIn(services, signIn, state)) {
      return { kind: 'go', url: url.href };
    }
    // The page's script may have asked for a passkey meanwhile.
    const found = await findSignIn(services, signIn.uid);
    const saved = found.kind === 'found' && (await saveSignIn(services, found.signIn, state));
    return saved ? { kind: 'go', url: url.href } : { kind: 'moved_on' };
  } catch (error) {
    if (!(error instanceof UpstreamProblem)) throw error;
    // Anybody may press the button; the log of an organization is not theirs to fill.
    const limit = limitSubject(rules.upstream, addressRange(origin.ip));
    if ((await countAttempt(db, rules.upstream, limit)).ok) {
      await audit(db, origin, {
        type: 'upstream.failed',
        organizationId: provider.organization_id,
        data: { provider: provider.name_key, reason: error.reason, detail: error.detail },
      });
    }
    return { kind: 'problem', reason: error.reason };
  }
}

const statePlace = (nameKey: string) => ({ table: 'upstream', column: 'state', row: nameKey });

/** The interaction that a `state` was made for, by this very provider; null for anything else. */
export function interactionOfState({ ring }: Services, nameKey: string, state: string): string | null {
  if (state.length > 1000) return null;
  try {
    const [uid] = JSON.parse(open(ring, statePlace(nameKey), state)) as [string];
    return uid;
  } catch {
    return null;
  }
}
