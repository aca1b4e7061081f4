import { auditEvent } from '../audit/audit.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { removeUpstreamLink, upstreamLinksOf } from '../entities/upstream-links.ts';
import { securityChangedSince } from '../entities/users.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { waysInByUpstream } from './connect-upstream.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';

export type ConnectionRemoval =
  | { readonly kind: 'done' }
  | { readonly kind: 'unknown' }
  /** Nothing else would let the person in. */
  | { readonly kind: 'only_way' }
  | { readonly kind: 'conflict' };

/** Disconnects an account of another provider: whatever rests on it ends. Never the only way in. */
export async function removeConnection(
  services: Services,
  {
    actor,
    assessment,
    linkId,
  }: { readonly actor: Actor; readonly assessment: Assessment; readonly linkId: string },
): Promise<ConnectionRemoval> {
  const { db } = services;
  const { user, factors } = assessment;
  const link = (await upstreamLinksOf(db, user.id)).find(({ id }) => id === linkId);
  if (!link) return { kind: 'unknown' };
  const ways = await waysInByUpstream(services, assessment);
  const hasOther =
    user.password_hash !== null ||
    factors.some(({ method, disabled_at }) => method === 'passkey' && disabled_at === null) ||
    ways.some((way) => way.linkId !== linkId);
  if (!hasOther) return { kind: 'only_way' };
  const now = db.clock.now();
  const done = await db.together([
    stillSignedIn(services, actor),
    securityChangedSince(user.id, user.security_version, now),
    ...removeUpstreamLink(user.id, linkId),
    forgetRememberedDevices(user.id, now),
    auditEvent(db, actor.origin, {
      type: 'upstream.unlinked',
      userId: user.id,
      data: { provider: link.provider_name },
    }),
    ...changeMail(services, user, actor.origin, 'upstream_unlinked', { what: link.provider_name }),
  ]);
  return { kind: done ? 'done' : 'conflict' };
}
