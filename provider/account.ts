import type { Account, AccountClaims, Client, Grant, KoaContextWithOIDC } from 'oidc-provider';
import { consentedScope } from '../entities/consents.ts';
import { sessionByUid } from '../entities/sessions.ts';
import { type ClaimsRow, userById } from '../entities/users.ts';
import { type Assessment, assessSignIn } from '../flows/assess-sign-in.ts';
import type { Services } from '../flows/services.ts';
import { digest } from '../lib/digest.ts';
import { acr1fa, acr2sv, acrNamed, assuranceOf, reaches } from '../policy/assurance.ts';
import { connectedUntil, strictestLengths } from '../policy/session-lengths.ts';
import type { ApplicationAssurance } from '../policy/types.ts';
import { applicationOf, provedBy } from './assess-request.ts';

/** A code or token as `findAccount` is handed it. */
interface Token {
  readonly kind?: string;
  readonly accountId?: string;
  readonly sessionUid?: string;
  readonly acr?: string;
  readonly amr?: readonly string[];
  /** The library has seen that its session lives; otherwise it has not looked. */
  readonly expiresWithSession?: boolean;
  /** Read together with it. */
  readonly holder?: ClaimsRow | null;
  readonly extra?: { readonly acr?: string; readonly amr?: readonly string[]; readonly auth_time?: number };
}

/** The scopes of OpenID Connect Core 1.0 §5.4, and what each shows. How somebody signed in belongs to `openid`. */
export const claims = {
  openid: ['sub', 'acr', 'amr', 'auth_time'],
  profile: ['name', 'locale', 'updated_at'],
  email: ['email', 'email_verified'],
  phone: ['phone_number', 'phone_number_verified'],
  // For brokers that carry text only, as Keycloak does (docs/decisions/0025-keycloak.md).
  amr_json: ['amr_json'],
};

/**
 * The account behind a session, code or token; undefined ends the request. A code counts only while its session lives (trap F13),
 * and a refresh asks the policy anew: after grace is over or after a reset it is refused (security.md T074). So does a device that comes
 * for its tokens, minutes after somebody has confirmed it.
 */
export async function findAccount(
  services: Services,
  ctx: KoaContextWithOIDC,
  sub: string,
  token?: unknown,
): Promise<Account | undefined> {
  const source = token as Token | undefined;
  const kind = source?.kind;
  if ((kind === 'AuthorizationCode' || kind === 'DeviceCode') && !(await sessionLives(services, source))) {
    return undefined;
  }
  if (
    (kind === 'RefreshToken' || kind === 'DeviceCode') &&
    !(await isStillAllowed(services, ctx, sub, source ?? {}))
  ) {
    return undefined;
  }
  let user: Promise<ClaimsRow | null> | null =
    source?.holder?.id === sub ? Promise.resolve(source.holder) : null;
  return {
    accountId: sub,
    claims: async (): Promise<AccountClaims> => {
      user ??= userById(services.db, sub);
      const row = await user;
      if (!row) {
        throw new Error('the account has gone');
      }
      return { ...claimsOf(row), ...signInClaims(source) };
    },
  };
}

const claimsOf = (user: ClaimsRow): AccountClaims => ({
  sub: user.id,
  name: user.name ?? undefined,
  locale: user.locale ?? undefined,
  updated_at: Math.floor(user.updated_at / 1000),
  email: user.email,
  email_verified: user.email_verified === 1,
  phone_number: user.phone ?? undefined,
  phone_number_verified: user.phone === null ? undefined : user.phone_verified === 1,
});

/** How the person signed in, for userinfo: it stands in the access token, as it stood in the code. */
function signInClaims(token: Token | undefined): Partial<AccountClaims> {
  if (token?.kind !== 'AccessToken') return {};
  const { amr } = token.extra ?? {};
  return { ...token.extra, ...(amr ? { amr_json: JSON.stringify(amr) } : {}) };
}

async function sessionLives(services: Services, token: Token | undefined): Promise<boolean> {
  return (
    token?.expiresWithSession === true ||
    (token?.sessionUid !== undefined &&
      (await sessionByUid(services.db, digest(token.sessionUid), services.db.clock.now())) !== null)
  );
}

/**
 * What the application demands holds for a refresh too, as far as it can: nothing is proved by one, so a fresh factor is one that was
 * used in the sign-in that it goes back to.
 */
function assuranceOfRefresh(client: Client): ApplicationAssurance {
  const { assurance } = applicationOf(client);
  return assurance === 'fresh_second_factor' ? 'second_factor' : assurance;
}

/**
 * What an application was given because it is of the person's own organization ends where they do not belong there any more
 * (docs/decisions/0029-first-party.md); what they have consented to stays.
 */
async function mayStillRead(
  { db }: Services,
  client: Client,
  grant: Grant,
  { memberships, user }: Assessment,
): Promise<boolean> {
  const { organizationId } = applicationOf(client);
  const belongs = memberships.some(({ organization }) => organization.id === organizationId);
  if (client.first_party !== true || organizationId === null || belongs) {
    return true;
  }
  const consented = new Set((await consentedScope(db, user.id, client.clientId))?.split(' '));
  const ofResources = Object.entries(grant.resources ?? {}).flatMap(([resource, scopes]) =>
    scopes.split(' ').map((name) => `${resource}#${name}`),
  );
  return [...grant.getOIDCScope().split(' '), ...ofResources].every(
    (name) => name === '' || name === 'openid' || consented.has(name),
  );
}

/**
 * A refresh says again how its person signed in. Where that was an upstream provider's word, and it is believed less by now, the
 * application has to send them once more (docs/decisions/0024-upstream-providers.md).
 */
function isStillBelieved({ acr, amr = [] }: Pick<Token, 'acr' | 'amr'>, { facts }: Assessment): boolean {
  const { proofs } = facts;
  if (!proofs.some(({ kind }) => kind === 'upstream')) {
    return true;
  }
  const now = assuranceOf(proofs, false);
  const [said, believed] = [acrNamed(acr ?? '') ?? acr1fa, acrNamed(now.acr) ?? acr1fa];
  const isReached = !reaches(said, acr2sv) || reaches(believed, said);
  return isReached && amr.every((value) => now.amr.includes(value));
}

async function isStillAllowed(
  services: Services,
  ctx: KoaContextWithOIDC,
  sub: string,
  token: Pick<Token, 'acr' | 'amr'>,
): Promise<boolean> {
  const { client, grant } = ctx.oidc;
  const given = client && grant ? provedBy({ accountId: grant.accountId, proved: grant.proved }) : null;
  if (!client || !given || grant?.accountId !== sub) {
    return false;
  }
  const now = services.db.clock.now();
  const assessment = await assessSignIn(services, {
    userId: sub,
    application: { ...applicationOf(client), assurance: assuranceOfRefresh(client) },
    proofs: given.proofs,
    choices: given.choices,
    device: given.deviceId ? { kind: 'session', id: given.deviceId } : null,
    request: { startedAt: now, login: false, maxAge: null, acrValues: [], essential: false },
  });
  if (
    assessment === null ||
    !isStillBelieved(token, assessment) ||
    !(await mayStillRead(services, client, grant, assessment))
  ) {
    return false;
  }
  const { decision, facts } = assessment;
  const policies = facts.memberships.map(({ policy }) => policy);
  const lengths = strictestLengths(policies, facts.instancePolicy);
  if (now >= connectedUntil(lengths, new Date(given.startedAt))) {
    return false;
  }
  return decision.kind === 'allow' || (decision.kind === 'enrol' && decision.wayOut.kind !== 'none');
}
