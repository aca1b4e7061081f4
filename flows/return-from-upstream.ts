import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { isDuplicate, type Statement } from '../entities/database.ts';
import { joinOrganization, membershipHistory, membershipsOf } from '../entities/memberships.ts';
import { addUpstreamLink, addUpstreamSignIn, linkOf, linkUsed } from '../entities/upstream-links.ts';
import {
  ownsDomain,
  readUpstreamSettings,
  type UpstreamProviderRow,
  type UpstreamSettings,
  upstreamById,
} from '../entities/upstream-providers.ts';
import { addUser, canonicalEmail, type UserRow, userByEmail, userById } from '../entities/users.ts';
import { redeem, type UpstreamIdentity } from '../federation/upstream.ts';
import { UpstreamProblem, type UpstreamReason } from '../federation/upstream-problem.ts';
import { addressRange } from '../lib/address-range.ts';
import { after, days, seconds } from '../lib/clock.ts';
import { isSingleAddress } from '../lib/email-address.ts';
import { newId } from '../lib/id.ts';
import { longestName, oneLine } from '../lib/one-line.ts';
import { seal } from '../lib/seal.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { saysSecondFactor } from '../policy/upstream.ts';
import type { StoredProof } from './proofs.ts';
import type { Services } from './services.ts';
import {
  emptyState,
  type SignIn,
  type SignInState,
  saveSignIn,
  signInStatement,
  stillJoining,
  written,
} from './sign-in-state.ts';
import { maySignIn } from './upstream-standing.ts';
import { domainOf, federationOf, upstreamAddress, upstreamFrom } from './upstreams.ts';

export type UpstreamRefusal =
  | UpstreamReason
  /** It was not asked from here, or answered already. */
  | 'ended'
  | 'too_many'
  /** It must ask for a second factor, and says nothing of one. */
  | 'no_second_factor'
  /** It does not confirm an address. */
  | 'no_address'
  /** Nobody here is connected to this account, and none is made. */
  | 'no_account';

export type UpstreamReturn =
  | { readonly kind: 'in' }
  /** There is an account with this address: it is joined once its person has signed in to it. */
  | { readonly kind: 'join' }
  /** A fresh factor is asked of this person, and what they bring is of before: they have to sign in anew there. */
  | { readonly kind: 'anew'; readonly provider: UpstreamProviderRow }
  | { readonly kind: 'refused'; readonly why: UpstreamRefusal; readonly provider: string | null };

/** Clocks may differ by this much, and `auth_time` has no fractions. */
const tolerance = seconds(30);
/** As long as anything may rest on a sign-in there: longer than any session or refresh token. */
const restsFor = days(400);

interface Return {
  readonly signIn: SignIn;
  readonly parameters: URLSearchParams;
  readonly origin: Origin;
  readonly clientId: string;
  readonly locale: string | null;
}

/**
 * The browser is back from an upstream provider. What it brings counts once, decided by the write, and only for the request that was
 * made in this very interaction. Its person is whoever the provider's account is linked to; an e-mail address alone links nobody.
 */
export async function returnFromUpstream(services: Services, input: Return): Promise<UpstreamReturn> {
  const { db, settings } = services;
  const { signIn, origin } = input;
  const waiting = signIn.state.upstream;
  if (!waiting || input.parameters.get('state') !== waiting.state) {
    return { kind: 'refused', why: 'ended', provider: null };
  }
  const taken = { ...signIn.state, upstream: null };
  if (!(await saveSignIn(services, signIn, taken))) {
    return { kind: 'refused', why: 'ended', provider: null };
  }
  const provider = await upstreamById(db, waiting.providerId);
  if (provider?.enabled !== 1 || provider.version !== waiting.version) {
    return { kind: 'refused', why: 'ended', provider: null };
  }
  const refused = async (why: UpstreamRefusal, detail = '', userId: string | null = null) => {
    await audit(db, origin, {
      type: 'upstream.failed',
      userId,
      organizationId: provider.organization_id,
      clientId: input.clientId,
      data: { provider: provider.name_key, reason: why, detail },
    });
    return { kind: 'refused', why, provider: provider.name } as const;
  };
  const settled = readUpstreamSettings(provider.settings);
  // What comes back makes requests of ours to the provider, so answers that lead nowhere are counted.
  const limit = limitSubject(rules.upstream, addressRange(origin.ip));
  if (!(await countAttempt(db, rules.upstream, limit)).ok) {
    return refused('too_many');
  }
  try {
    const identity = await redeem(
      federationOf(services),
      upstreamFrom(services, provider),
      { ...waiting, redirectUri: upstreamAddress(settings.issuer, provider.name_key, 'callback') },
      input.parameters,
      settled.claims,
    );
    const { authenticatedAt } = identity;
    if (waiting.login && (authenticatedAt === null || authenticatedAt < waiting.sentAt - tolerance)) {
      return await refused('too_old', 'it was asked for a new sign-in, and says nothing of one');
    }
    const trust = { secondFactor: settled.secondFactor, ...settled.trusted };
    if (settled.secondFactor === 'required' && !saysSecondFactor(trust, identity)) {
      return await refused('no_second_factor');
    }
    const proof = proofOf(identity, waiting.sentAt, db.clock.now().getTime());
    const outcome = await enter(
      services,
      input,
      written(signIn, taken),
      { provider, rules: settled, identity, proof },
      refused,
    );
    if (outcome.kind !== 'refused') {
      await db.together([attemptSucceeded(limit)]);
    }
    return outcome;
  } catch (error) {
    if (!(error instanceof UpstreamProblem)) throw error;
    return refused(error.reason, error.detail);
  }
}

interface Arrival {
  readonly provider: UpstreamProviderRow;
  readonly rules: UpstreamSettings;
  readonly identity: UpstreamIdentity;
  readonly proof: Omit<StoredProof, 'factorId'>;
}

/** As old as the provider says. What took place after the browser was sent there is of this sign-in, whatever the clocks say. */
function proofOf(
  { authenticatedAt, acr, amr }: UpstreamIdentity,
  sentAt: number,
  now: number,
): Omit<StoredProof, 'factorId'> {
  const isOfNow = authenticatedAt !== null && authenticatedAt >= sentAt - tolerance;
  return {
    kind: 'upstream',
    at:
      authenticatedAt === null
        ? now
        : isOfNow
          ? Math.min(now, Math.max(authenticatedAt, sentAt))
          : authenticatedAt,
    amr: [],
    userVerified: false,
    upstream: { acr, amr: [...amr], cameAt: now, ageUnknown: authenticatedAt === null },
  };
}

async function enter(
  services: Services,
  input: Return,
  signIn: SignIn,
  arrival: Arrival,
  refused: (why: UpstreamRefusal, detail?: string, userId?: string | null) => Promise<UpstreamReturn>,
): Promise<UpstreamReturn> {
  const { db } = services;
  const { provider, rules, identity } = arrival;
  const link = await linkOf(db, provider, identity.subject);
  if (link) {
    const user = await userById(db, link.user_id);
    const memberships = user ? await membershipsOf(db, user.id) : [];
    if (!user || user.disabled_at !== null || !(await maySignIn(services, provider, { user, memberships }))) {
      return refused('no_account', 'it may not speak for the account that is connected', link.user_id);
    }
    if (isOfBefore(arrival, user)) {
      return { kind: 'anew', provider };
    }
    const saved = await db.together([
      ...signedIn(services, signIn, arrival, user.id, link.id),
      linkUsed(link.id, db.clock.now()),
    ]);
    return saved ? { kind: 'in' } : { kind: 'refused', why: 'ended', provider: provider.name };
  }

  const { email, verified, name, locale } = profileOf(identity, rules);
  if (email === null || !verified) {
    return refused('no_address', email === null ? 'it names no address' : 'it has not verified the address');
  }
  if (provider.organization_id !== null && !(await ownsDomain(db, provider.id, domainOf(email)))) {
    return refused('no_account', 'the address is in none of its domains');
  }
  const existing = await userByEmail(db, email);
  if (existing) {
    // Account and link are made together, maybe between the two questions.
    if (await linkOf(db, provider, identity.subject)) {
      return enter(services, input, signIn, arrival, refused);
    }
    const joins = await joinsBy(services, arrival, existing.id);
    if (existing.disabled_at !== null || joins === 'no') {
      return refused('no_account', 'the account with this address cannot be connected', existing.id);
    }
    const joining: SignInState['joining'] = {
      providerId: provider.id,
      providerName: provider.name,
      version: provider.version,
      subject: identity.subject,
      userId: existing.id,
      email: existing.email,
      joins,
    };
    const saved = await saveSignIn(services, signIn, { ...emptyState, joining });
    return saved ? { kind: 'join' } : { kind: 'refused', why: 'ended', provider: provider.name };
  }
  if (!rules.createAccounts) {
    return refused('no_account', 'nobody has this address, and no account is made');
  }

  const now = db.clock.now();
  const userId = newId(now);
  const linkId = newId(now);
  try {
    const saved = await db.together([
      addUser(db, {
        id: userId,
        email,
        emailVerified: true,
        name,
        locale: locale ?? input.locale,
        passwordHash: null,
        homeOrganizationId: provider.organization_id,
        now,
      }),
      ...(provider.organization_id === null
        ? []
        : joinOrganization(db, {
            userId,
            organizationId: provider.organization_id,
            role: rules.role,
            now,
          })),
      addUpstreamLink(db, {
        id: linkId,
        userId,
        provider,
        subject: identity.subject,
        email,
        withFactor: true,
        now,
      }),
      ...signedIn(services, signIn, arrival, userId, linkId),
      auditEvent(db, input.origin, {
        type: 'user.registered',
        userId,
        organizationId: provider.organization_id,
        clientId: input.clientId,
        data: { provider: provider.name_key },
      }),
    ]);
    return saved ? { kind: 'in' } : { kind: 'refused', why: 'ended', provider: provider.name };
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    // Somebody made the same account or link a moment ago: now it is there.
    return enter(
      services,
      input,
      signIn,
      { ...arrival, rules: { ...rules, createAccounts: false } },
      refused,
    );
  }
}

/**
 * True of a second factor that was used there before the person was disconnected here. A sign-in there that is asked for anew is
 * checked to be one, so this is so once at most.
 */
function isOfBefore({ rules, identity }: Arrival, { fresh_factor_since: since }: UserRow): boolean {
  const { authenticatedAt } = identity;
  return (
    since !== null &&
    authenticatedAt !== null &&
    authenticatedAt < since - tolerance &&
    saysSecondFactor({ secondFactor: rules.secondFactor, ...rules.trusted }, identity)
  );
}

/** The next state of the sign-in, and what its proof rests on. */
function signedIn(
  services: Services,
  signIn: SignIn,
  { provider, identity, proof }: Arrival,
  userId: string,
  linkId: string,
): Statement[] {
  const { db, ring } = services;
  const now = db.clock.now();
  const id = newId(now);
  return [
    addUpstreamSignIn(db, {
      id,
      linkId,
      providerId: provider.id,
      sid: identity.sid,
      idToken: seal(ring, idTokenPlace(id), identity.idToken),
      now,
      expiresAt: after(now, restsFor),
    }),
    signInStatement(services, signIn, {
      ...emptyState,
      accountId: userId,
      proofs: [{ ...proof, factorId: id }],
      changed: true,
      // Whoever has no password proves by one provider that the other's account is theirs.
      joining: stillJoining(signIn.state, userId),
    }),
  ];
}

export const idTokenPlace = (id: string) => ({ table: 'upstream_sign_ins', column: 'id_token', row: id });

/** What joining makes of the person in the provider's organization: nothing new, a member, or it may not be. */
async function joinsBy(
  { db }: Services,
  { provider, rules }: Arrival,
  userId: string,
): Promise<NonNullable<SignInState['joining']>['joins'] | 'no'> {
  const { organization_id: organizationId } = provider;
  if (organizationId === null) return null;
  const history = await membershipHistory(db, userId, organizationId);
  if (history === 'member') return null;
  // Whoever was removed does not come back by themselves.
  if (history === 'removed' || !rules.createAccounts) return 'no';
  return { organizationId, role: rules.role };
}

/** What the provider says of its person, as far as it can be taken. */
export function profileOf({ claims }: UpstreamIdentity, { claims: names }: UpstreamSettings) {
  const email = claims[names.email];
  const canonical = typeof email === 'string' && email.length <= 320 ? canonicalEmail(email) : null;
  const name = claims[names.name];
  const plainName = typeof name === 'string' ? oneLine(name.slice(0, 1000), longestName) : '';
  return {
    email: canonical !== null && canonical.length <= 191 && isSingleAddress(canonical) ? canonical : null,
    verified: claims[names.emailVerified] === true,
    name: plainName === '' ? null : plainName,
    locale: languageTag(claims[names.locale]),
  };
}

function languageTag(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 35) return null;
  try {
    return Intl.getCanonicalLocales(value.replaceAll('_', '-'))[0] ?? null;
  } catch {
    return null;
  }
}
