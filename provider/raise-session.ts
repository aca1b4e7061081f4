import type { Context } from 'koa';
import type { Provider, Session } from 'oidc-provider';
import type { Proved, StoredProof } from '../flows/proofs.ts';
import type { Services } from '../flows/services.ts';

/**
 * A factor was proved in this session, outside of a sign-in: from now on it counts here. The cookie's value changes, as at every rise
 * of privilege (security.md T015); the session stays the same, for the applications that know it.
 */
export async function raiseSession(
  { provider, services }: { readonly provider: Provider; readonly services: Services },
  ctx: Context,
  session: Session,
  proved: Proved,
  proof: StoredProof,
): Promise<void> {
  const raised: Proved = {
    ...proved,
    proofs: [...proved.proofs, proof],
    finishedAt: services.db.clock.now().getTime(),
  };
  session.proved = raised;
  session.resetIdentifier();
  await session.persist();
  const secure = services.settings.issuer.startsWith('https:');
  ctx.cookies.set(provider.cookieName('session'), session.jti, {
    httpOnly: true,
    sameSite: 'lax',
    signed: true,
    secure,
    path: '/',
    overwrite: true,
    expires: new Date((session.exp ?? 0) * 1000),
  });
}
