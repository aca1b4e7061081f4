import * as z from 'zod';
import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import { isDuplicate } from '../entities/database.ts';
import { liveSessionsOf } from '../entities/sessions.ts';
import {
  takeUpstreamLogout,
  upstreamSignIn,
  upstreamSignInEnded,
  upstreamSignInsToEnd,
} from '../entities/upstream-links.ts';
import { readUpstreamSettings, upstreamById, upstreamByKey } from '../entities/upstream-providers.ts';
import { logoutTokenLifetime, readLogoutToken, signOutUrl } from '../federation/upstream.ts';
import { UpstreamProblem } from '../federation/upstream-problem.ts';
import { addressRange } from '../lib/address-range.ts';
import { after } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { open, seal } from '../lib/seal.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { endingSession, provedIn } from './end-sessions.ts';
import type { Proved } from './proofs.ts';
import { idTokenPlace } from './return-from-upstream.ts';
import type { Services } from './services.ts';
import { federationOf, upstreamAddress, upstreamFrom } from './upstreams.ts';

/**
 * Where a sign-out goes on, once the session here has ended: at the upstream provider that its person came in by, where that is wanted.
 * Null where there is none, or where it cannot be reached: nobody waits here for a provider that is down.
 *
 * @param to where the person goes from there; null: to our own page
 */
export async function upstreamSignOut(
  services: Services,
  { proofs }: Proved,
  to: string | null,
): Promise<{ readonly name: string; readonly url: string } | null> {
  const { db, ring, settings } = services;
  const id = proofs.findLast(({ kind }) => kind === 'upstream')?.factorId ?? null;
  const signIn = id === null ? null : await upstreamSignIn(db, id);
  const provider = signIn ? await upstreamById(db, signIn.provider_id) : null;
  if (!signIn || signIn.ended_at !== null || provider?.enabled !== 1) return null;
  if (!readUpstreamSettings(provider.settings).signOut) return null;
  const key = provider.name_key;
  try {
    const url = await signOutUrl(federationOf(services), upstreamFrom(services, provider), {
      idToken: signIn.id_token === null ? null : open(ring, idTokenPlace(signIn.id), signIn.id_token),
      returnTo: upstreamAddress(settings.issuer, key, 'signed-out'),
      state: seal(ring, wayBackPlace(key), JSON.stringify(to)),
    });
    return url && { name: provider.name, url: url.href };
  } catch (error) {
    if (error instanceof UpstreamProblem) return null;
    throw error;
  }
}

const wayBackPlace = (nameKey: string) => ({ table: 'upstream', column: 'signed_out', row: nameKey });

/** Where a person goes who comes back signed out from a provider; null where only our own page is known. */
export function wayBackFrom({ ring }: Services, nameKey: string, state: unknown): string | null {
  if (typeof state !== 'string' || state.length > 4000) return null;
  try {
    return z
      .string()
      .nullable()
      .parse(JSON.parse(open(ring, wayBackPlace(nameKey), state)));
  } catch {
    return null;
  }
}

/**
 * An upstream provider says that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0): every session here that rests
 * on that sign-in ends, and so does whatever is under way on it. Each token counts once. False where it is not what it must be.
 */
export async function endByUpstream(
  services: Services,
  nameKey: string,
  token: string,
  origin: Origin,
): Promise<boolean> {
  const { db } = services;
  const provider = await upstreamByKey(db, nameKey);
  if (!provider) return false;
  // Tokens that are none cost a look at the provider's keys and a line in its organization's log.
  const limit = limitSubject(rules.upstream, 'sign-out', addressRange(origin.ip));
  if (!(await countAttempt(db, rules.upstream, limit)).ok) return false;
  try {
    const { jti, subject, sid } = await readLogoutToken(
      federationOf(services),
      upstreamFrom(services, provider),
      token,
    );
    const now = db.clock.now();
    const ended = await upstreamSignInsToEnd(db, provider.id, { subject, sid });
    const ids = new Set(ended.map(({ id }) => id));
    const users = [...new Set(ended.map(({ user_id }) => user_id))];
    const rows = (await Promise.all(users.map((userId) => liveSessionsOf(db, userId, now)))).flat();
    const isOver = (row: (typeof rows)[number]): boolean =>
      provedIn(services, row)?.proofs.some(({ factorId }) => factorId !== null && ids.has(factorId)) ?? false;
    return await db.together([
      attemptSucceeded(limit),
      takeUpstreamLogout(db, digest(`${provider.id} ${jti}`), after(now, 2 * logoutTokenLifetime)),
      ...ended.map(({ id }) => upstreamSignInEnded(id, now)),
      ...rows.filter(isOver).flatMap((row) => endingSession(services, row, origin, 'by_the_provider')),
      ...users.map((userId) =>
        auditEvent(db, origin, {
          type: 'upstream.signed_out',
          userId,
          organizationId: provider.organization_id,
          data: { provider: nameKey },
        }),
      ),
    ]);
  } catch (error) {
    if (isDuplicate(error)) return false;
    if (!(error instanceof UpstreamProblem)) throw error;
    await audit(db, origin, {
      type: 'upstream.failed',
      organizationId: provider.organization_id,
      data: { provider: nameKey, reason: error.reason, detail: error.detail },
    });
    return false;
  }
}
