import type { Client, Provider } from 'oidc-provider';
import * as z from 'zod';
import type { Services } from '../flows/services.ts';
import { after, minutes } from '../lib/clock.ts';
import { token } from '../lib/random.ts';
import { open, seal } from '../lib/seal.ts';
import { claims as claimsOfScopes, findAccount } from './account.ts';

type Parts = Pick<Services, 'db' | 'ring' | 'settings'>;

/** Where a test sign-in ends; behind it stands what was sealed when it began. */
export const testSignInPath = '/test-sign-in';

const place = { table: 'cookie', column: 'test sign-in', row: '' };
const test = z.object({ clientId: z.string(), slug: z.string(), until: z.number() });
export type TestSignIn = z.infer<typeof test>;

const addressFor = ({ settings }: Parts, sealed: string) => `${settings.issuer}${testSignInPath}/${sealed}`;

/** The authorization request of an application, whose answer comes to us instead. */
export function testSignInUrl(
  parts: Parts,
  { clientId, slug, allowed }: Omit<TestSignIn, 'until'> & { readonly allowed: unknown },
): string {
  const { db, ring, settings } = parts;
  const until = after(db.clock.now(), minutes(30)).getTime();
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    scope: scopesOf(allowed),
    redirect_uri: addressFor(parts, seal(ring, place, JSON.stringify({ clientId, slug, until }))),
    prompt: 'login',
    state: 'test',
    // Of no verifier: nobody can redeem the code, wherever its address is seen.
    code_challenge: token(),
    code_challenge_method: 'S256',
  });
  return `${settings.issuer}/auth?${query}`;
}

const usualScopes = ['openid', 'email', 'profile'];

/** Where the registration says what an application may ask for, no more than that is asked for. */
function scopesOf(allowed: unknown): string {
  const own = typeof allowed === 'string' ? allowed.split(' ') : usualScopes;
  return usualScopes.filter((scope) => own.includes(scope)).join(' ');
}

/** A test that was begun here, and not long ago; null for everything else. */
export function readTestSignIn({ db, ring }: Parts, sealed: string): TestSignIn | null {
  try {
    const read = test.parse(JSON.parse(open(ring, place, sealed)));
    return read.until > db.clock.now().getTime() ? read : null;
  } catch {
    return null;
  }
}

/**
 * An application's answers may go to its own addresses, and, for a test that somebody who administers it has begun, to us. Nobody else can
 * make such an address: it is sealed, for this one application, and ends after half an hour.
 */
export function allowTestSignIns(provider: Provider, parts: Parts): void {
  const prototype = provider.Client.prototype as unknown as {
    redirectUriAllowed(this: Client, uri: string): boolean;
  };
  const { redirectUriAllowed } = prototype;
  const start = addressFor(parts, '');
  prototype.redirectUriAllowed = function registeredOrTest(uri) {
    return uri.startsWith(start)
      ? readTestSignIn(parts, uri.slice(start.length))?.clientId === this.clientId
      : redirectUriAllowed.call(this, uri);
  };
}

export type TestResult =
  | {
      readonly kind: 'signed_in';
      readonly email: string;
      readonly acr: string | null;
      readonly amr: readonly string[];
      readonly idToken: Readonly<Record<string, unknown>>;
      readonly userinfo: Readonly<Record<string, unknown>>;
    }
  /** The code was used, is too old, or is another's. */
  | { readonly kind: 'ended' };

/** What an application would get for the code of its test. The code is spent by that, and no token is made. */
export async function testResult(
  services: Services,
  provider: Provider,
  ctx: Parameters<typeof findAccount>[1],
  { clientId, address, code: text }: { clientId: string; address: string; code: string },
): Promise<TestResult> {
  const code = await provider.AuthorizationCode.find(text);
  if (
    !code?.isValid ||
    code.clientId !== clientId ||
    code.redirectUri !== `${services.settings.issuer}${address}` ||
    code.accountId === undefined
  ) {
    return { kind: 'ended' };
  }
  try {
    await code.consume();
  } catch {
    return { kind: 'ended' };
  }
  const account = await findAccount(services, ctx, code.accountId, code);
  if (!account) return { kind: 'ended' };
  const { acr, amr, authTime, sid, scopes } = code;
  const how = { acr, amr, auth_time: authTime };
  const known: Readonly<Record<string, unknown>> = {
    ...(await account.claims('userinfo', code.scope ?? '', {}, [])),
    ...how,
  };
  const named = Object.entries(claimsOfScopes).flatMap(([scope, names]) => (scopes.has(scope) ? names : []));
  const given = (names: readonly string[]) =>
    Object.fromEntries(names.flatMap((name) => (known[name] === undefined ? [] : [[name, known[name]]])));
  return {
    kind: 'signed_in',
    email: String(known.email ?? ''),
    acr: acr ?? null,
    amr: amr ?? [],
    idToken: {
      iss: provider.issuer,
      aud: clientId,
      ...given(claimsOfScopes.openid),
      ...(sid === undefined ? {} : { sid }),
    },
    userinfo: given(named),
  };
}
