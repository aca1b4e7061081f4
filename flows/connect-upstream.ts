import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { isDuplicate } from '../entities/database.ts';
import { useHeldForm } from '../entities/held-forms.ts';
import { addUpstreamLink, linkOf, upstreamLinksOf } from '../entities/upstream-links.ts';
import {
  readUpstreamSettings,
  type UpstreamProviderRow,
  upstreamById,
  upstreamByKey,
  upstreamsOfPerson,
} from '../entities/upstream-providers.ts';
import { authorizationUrl, redeem } from '../federation/upstream.ts';
import { UpstreamProblem, type UpstreamReason } from '../federation/upstream-problem.ts';
import { addressRange } from '../lib/address-range.ts';
import { minutes, seconds } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import { token } from '../lib/random.ts';
import { open, seal } from '../lib/seal.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { countedProofs, isSecondStep } from '../policy/proofs.ts';
import { saysSecondFactor } from '../policy/upstream.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { heldFields, holdFields } from './hold-form.ts';
import { profileOf, type UpstreamRefusal } from './return-from-upstream.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { maySignIn } from './upstream-standing.ts';
import { federationOf, upstreamAddress, upstreamFrom } from './upstreams.ts';

/** Who connects: the person of a session. */
interface Person {
  readonly actor: Actor;
  readonly assessment: Assessment;
}

/** Providers that may sign this person in, and do not yet: everybody's, and those of their organizations. */
export async function connectableUpstreams(
  services: Services,
  { user, memberships }: Assessment,
): Promise<UpstreamProviderRow[]> {
  const { db } = services;
  const [providers, links] = await Promise.all([
    upstreamsOfPerson(
      db,
      memberships.map(({ organization }) => organization.id),
    ),
    upstreamLinksOf(db, user.id),
  ]);
  const isConnected = ({ id, issuer_digest }: UpstreamProviderRow): boolean =>
    links.some((link) => link.provider_id === id && link.issuer_digest === issuer_digest);
  const found: UpstreamProviderRow[] = [];
  for (const provider of providers) {
    if (!isConnected(provider) && (await maySignIn(services, provider, { user, memberships }))) {
      found.push(provider);
    }
  }
  return found;
}

/** One of them, by its name in addresses. */
export async function connectableUpstream(
  services: Services,
  assessment: Assessment,
  nameKey: string,
): Promise<UpstreamProviderRow | null> {
  const found = await connectableUpstreams(services, assessment);
  return found.find(({ name_key }) => name_key === nameKey) ?? null;
}

const statePlace = (nameKey: string) => ({ table: 'upstream', column: 'connect', row: nameKey });
const heldFor = (nameKey: string): string => `/account/connections/${nameKey}/connected`;
/** As long as the proof before it counts as fresh. */
const lifetime = minutes(10);

/**
 * Sends a browser to another provider, whose account is to sign the person of this session in from then on. What comes back is bound to
 * the session. Its person is asked to sign in anew there: whoever was signed in at the provider in this browser may be somebody else.
 */
export async function startConnection(
  services: Services,
  {
    actor,
    provider,
    uiLocales,
  }: { readonly actor: Actor; readonly provider: UpstreamProviderRow; readonly uiLocales: string },
): Promise<
  | { readonly kind: 'go'; readonly url: string }
  | { readonly kind: 'problem'; readonly reason: UpstreamReason }
> {
  const { db, ring, settings } = services;
  const { secondFactor, trusted, scopes } = readUpstreamSettings(provider.settings);
  const asked = { nonce: token(), codeVerifier: token() };
  const key = provider.name_key;
  const held = await holdFields(services, actor, heldFor(key), {
    ...asked,
    providerId: provider.id,
    version: String(provider.version),
    sentAt: String(db.clock.now().getTime()),
  });
  try {
    const url = await authorizationUrl(
      federationOf(services),
      upstreamFrom(services, provider),
      {
        ...asked,
        state: seal(ring, statePlace(key), JSON.stringify({ held })),
        redirectUri: upstreamAddress(settings.issuer, key, 'callback'),
        maxAge: null,
      },
      {
        scopes,
        acr: {
          values: secondFactor === 'required' ? trusted.acr : [],
          essential: secondFactor === 'required',
        },
        login: true,
        loginHint: null,
        uiLocales,
      },
    );
    return { kind: 'go', url: url.href };
  } catch (error) {
    if (!(error instanceof UpstreamProblem)) throw error;
    await failed(services, actor.origin, actor.user.id, provider, error.reason, error.detail);
    return { kind: 'problem', reason: error.reason };
  }
}

/** The name under which what was asked for is held; null for a `state` that was made for something else, or by nobody. */
function heldByState({ ring }: Services, nameKey: string, state: unknown): string | null {
  if (typeof state !== 'string' || state.length > 1000) return null;
  try {
    const { held } = JSON.parse(open(ring, statePlace(nameKey), state)) as { held?: unknown };
    return typeof held === 'string' ? held : null;
  } catch {
    return null;
  }
}

/** True for a `state` of this flow, made for this very provider. */
export const isConnectionState = (services: Services, nameKey: string, state: unknown): boolean =>
  heldByState(services, nameKey, state) !== null;

export type ConnectionOutcome =
  | { readonly kind: 'done'; readonly name: string }
  /** It signs somebody else in already. */
  | { readonly kind: 'taken'; readonly name: string }
  | { readonly kind: 'refused'; readonly why: UpstreamRefusal; readonly name: string | null }
  /** Somebody was first with this account, or the session has ended. */
  | { readonly kind: 'conflict' };

/**
 * The browser is back: what it brings counts once, in the session that asked for it and while its proof was fresh. The link is made by
 * the write that finds it nobody's.
 */
export async function finishConnection(
  services: Services,
  { actor, assessment }: Person,
  nameKey: string,
  parameters: URLSearchParams,
): Promise<ConnectionOutcome> {
  const { db, settings } = services;
  const { user } = actor;
  const held = heldByState(services, nameKey, parameters.get('state'));
  const asked = held === null ? null : await heldFields(services, actor, heldFor(nameKey), held);
  const ended = { kind: 'refused', why: 'ended', name: null } as const;
  const now = db.clock.now();
  if (!held || !asked || Number(asked.sentAt) < now.getTime() - lifetime) return ended;
  if (!(await db.together([stillSignedIn(services, actor), useHeldForm(digest(held), now)]))) return ended;
  const provider = await upstreamByKey(db, nameKey);
  if (!provider || provider.id !== asked.providerId || String(provider.version) !== asked.version)
    return ended;
  const refused = async (why: UpstreamRefusal, detail = ''): Promise<ConnectionOutcome> => {
    await failed(services, actor.origin, user.id, provider, why, detail);
    return { kind: 'refused', why, name: provider.name };
  };
  const limit = limitSubject(rules.upstream, addressRange(actor.origin.ip));
  if (!(await countAttempt(db, rules.upstream, limit)).ok) return refused('too_many');
  if (!(await maySignIn(services, provider, assessment))) {
    return refused('no_account', 'it may not speak for this person');
  }
  const rule = readUpstreamSettings(provider.settings);
  try {
    const identity = await redeem(
      federationOf(services),
      upstreamFrom(services, provider),
      {
        state: String(parameters.get('state')),
        nonce: String(asked.nonce),
        codeVerifier: String(asked.codeVerifier),
        redirectUri: upstreamAddress(settings.issuer, nameKey, 'callback'),
        maxAge: null,
      },
      parameters,
      rule.claims,
    );
    const { authenticatedAt } = identity;
    if (authenticatedAt === null || authenticatedAt < Number(asked.sentAt) - seconds(30)) {
      return await refused('too_old', 'it was asked for a new sign-in, and does not tell of one');
    }
    if (
      rule.secondFactor === 'required' &&
      !saysSecondFactor({ secondFactor: rule.secondFactor, ...rule.trusted }, identity)
    ) {
      return await refused('no_second_factor');
    }
    const link = await linkOf(db, provider, identity.subject);
    if (link) return { kind: link.user_id === user.id ? 'done' : 'taken', name: provider.name };
    const id = newId(now);
    const done = await db.together([
      stillSignedIn(services, actor),
      addUpstreamLink(db, {
        id,
        userId: user.id,
        provider,
        subject: identity.subject,
        email: profileOf(identity, rule).email,
        withFactor: countedProofs(assessment.facts).some(isSecondStep),
        now,
      }),
      attemptSucceeded(limit),
      auditEvent(db, actor.origin, {
        type: 'upstream.linked',
        userId: user.id,
        organizationId: provider.organization_id,
        data: { provider: nameKey },
      }),
      ...changeMail(services, user, actor.origin, 'upstream_linked', { what: provider.name }, undefined, {
        disconnect: id,
      }),
    ]);
    return done ? { kind: 'done', name: provider.name } : { kind: 'conflict' };
  } catch (error) {
    if (isDuplicate(error)) return { kind: 'conflict' };
    if (!(error instanceof UpstreamProblem)) throw error;
    return refused(error.reason, error.detail);
  }
}

const failed = (
  { db }: Services,
  origin: Origin,
  userId: string,
  provider: UpstreamProviderRow,
  reason: UpstreamRefusal,
  detail: string,
): Promise<void> =>
  audit(db, origin, {
    type: 'upstream.failed',
    userId,
    organizationId: provider.organization_id,
    data: { provider: provider.name_key, reason, detail },
  });

/** Connected providers by which this person can come in at this moment. */
export async function waysInByUpstream(
  services: Services,
  person: Pick<Assessment, 'user' | 'memberships'>,
): Promise<{ readonly linkId: string; readonly provider: UpstreamProviderRow }[]> {
  const ways: { linkId: string; provider: UpstreamProviderRow }[] = [];
  for (const link of await upstreamLinksOf(services.db, person.user.id)) {
    const provider = await upstreamById(services.db, link.provider_id);
    const stands = provider?.enabled === 1 && provider.issuer_digest === link.issuer_digest;
    if (stands && (await maySignIn(services, provider, person))) ways.push({ linkId: link.id, provider });
  }
  return ways;
}
