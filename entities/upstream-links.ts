import { after, days } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import type { Database, Statement } from './database.ts';
import { changeInSteps, deleteInSteps } from './in-steps.ts';
import type { UpstreamProviderRow } from './upstream-providers.ts';

/**
 * One account of an upstream provider that signs one person in here. Provider, issuer and subject together are unique: two providers
 * may have one issuer, each with a trust of its own, and whoever joined the one has not joined the other.
 */
export interface UpstreamLinkRow {
  id: string;
  user_id: string;
  provider_id: string;
  issuer_digest: string;
  subject_digest: string;
  subject: string;
  email: string | null;
  /** 0 where somebody made it who had proved no more than a first factor here, and has proved no more since. */
  with_factor: number;
  created_at: number;
  last_used_at: number | null;
}

export const linkOf = (
  db: Database,
  provider: Pick<UpstreamProviderRow, 'id' | 'issuer_digest'>,
  subject: string,
) =>
  db.row<UpstreamLinkRow>(
    'SELECT * FROM upstream_links WHERE provider_id = ? AND issuer_digest = ? AND subject_digest = ?',
    [provider.id, provider.issuer_digest, digest(subject)],
  );

/** The write that decides whose this account of the provider is; throws where it is somebody's already. */
export const addUpstreamLink = (
  db: Database,
  link: {
    readonly id: string;
    readonly userId: string;
    readonly provider: Pick<UpstreamProviderRow, 'id' | 'issuer_digest'>;
    readonly subject: string;
    readonly email: string | null;
    readonly withFactor: boolean;
    readonly now: Date;
  },
): Statement => ({
  ...db.insert('upstream_links', {
    id: link.id,
    user_id: link.userId,
    provider_id: link.provider.id,
    issuer_digest: link.provider.issuer_digest,
    subject_digest: digest(link.subject),
    subject: link.subject,
    email: link.email,
    with_factor: link.withFactor ? 1 : 0,
    created_at: link.now.getTime(),
    last_used_at: link.now.getTime(),
  }),
  rows: 1,
});

/** Whoever came by these sign-ins has proved a factor of their own beside them: the accounts there are theirs. */
export const linksProved = (userId: string, signInIds: readonly string[]): Statement => ({
  sql: `UPDATE upstream_links SET with_factor = 1 WHERE with_factor = 0 AND user_id = ?
          AND id IN (SELECT s.link_id FROM upstream_sign_ins s WHERE s.id IN (${signInIds.map(() => '?').join(', ')}))`,
  values: [userId, ...signInIds],
});

export const linkUsed = (id: string, now: Date): Statement => ({
  sql: 'UPDATE upstream_links SET last_used_at = ? WHERE id = ?',
  values: [now.getTime(), id],
});

export const upstreamLinksOf = (db: Database, userId: string) =>
  db.rows<UpstreamLinkRow & { provider_name: string }>(
    `SELECT l.*, p.name AS provider_name FROM upstream_links l
     JOIN upstream_providers p ON p.id = l.provider_id WHERE l.user_id = ? ORDER BY l.created_at, l.id`,
    [userId],
  );

/** In a batch: undoes it where the link is gone, or another person's. */
export const removeUpstreamLink = (userId: string, id: string): Statement[] => [
  { sql: 'DELETE FROM upstream_links WHERE id = ? AND user_id = ?', values: [id, userId], rows: 1 },
  { sql: 'DELETE FROM upstream_sign_ins WHERE link_id = ?', values: [id] },
];

/** No session lives longer, so nobody needs the ID token to sign out after that. */
const idTokenKept = days(2);

/** One sign-in at an upstream provider, as long as anything here rests on it. */
export const addUpstreamSignIn = (
  db: Database,
  row: {
    readonly id: string;
    readonly linkId: string;
    readonly providerId: string;
    /** The provider's session. */
    readonly sid: string | null;
    /** Sealed. */
    readonly idToken: string | null;
    readonly now: Date;
    readonly expiresAt: Date;
  },
): Statement =>
  db.insert('upstream_sign_ins', {
    id: row.id,
    link_id: row.linkId,
    provider_id: row.providerId,
    sid_digest: row.sid === null ? null : digest(row.sid),
    id_token: row.idToken,
    id_token_until: row.idToken === null ? null : after(row.now, idTokenKept).getTime(),
    created_at: row.now.getTime(),
    expires_at: row.expiresAt.getTime(),
    ended_at: null,
  });

/** What a proof by an upstream provider rests on. */
export interface UpstreamSourceRow {
  id: string;
  link_id: string;
  provider_id: string;
  organization_id: string | null;
  settings: string;
  owns_domain: number;
  /**
   * 0 where the provider's word for a second factor is none: its account was connected by somebody who had proved a first factor only, and
   * the person has factors of their own by now, which a thief of their password must not get around.
   */
  speaks_for_factor: number;
}

/**
 * Of these sign-ins at upstream providers, those that still stand for this person: the link is there, the provider is switched on and
 * has the issuer that it had, and it has not told us that the sign-in is over.
 */
export const standingUpstreamSignIns = (
  db: Database,
  userId: string,
  ids: readonly string[],
  emailDomain: string,
) =>
  db.rows<UpstreamSourceRow>(
    `SELECT s.id, s.link_id, p.id AS provider_id, p.organization_id, p.settings,
       (SELECT COUNT(*) FROM upstream_domains d WHERE d.provider_id = p.id AND d.verified_domain = ?) AS owns_domain,
       CASE WHEN l.with_factor = 1 OR NOT EXISTS (SELECT 1 FROM factors f WHERE f.user_id = l.user_id AND f.disabled_at IS NULL)
         THEN 1 ELSE 0 END AS speaks_for_factor
     FROM upstream_sign_ins s JOIN upstream_links l ON l.id = s.link_id
     JOIN upstream_providers p ON p.id = s.provider_id AND p.id = l.provider_id AND p.issuer_digest = l.issuer_digest
     WHERE s.id IN (${ids.map(() => '?').join(', ')}) AND s.ended_at IS NULL AND l.user_id = ? AND p.enabled = 1`,
    [emailDomain, ...ids, userId],
  );

export const upstreamSignIn = (db: Database, id: string) =>
  db.row<{
    id: string;
    link_id: string;
    provider_id: string;
    id_token: string | null;
    ended_at: number | null;
  }>('SELECT id, link_id, provider_id, id_token, ended_at FROM upstream_sign_ins WHERE id = ?', [id]);

/** Sign-ins that a provider says are over: those of its session, of its subject, or of both. */
export const upstreamSignInsToEnd = (
  db: Database,
  providerId: string,
  { subject, sid }: { readonly subject: string | null; readonly sid: string | null },
) =>
  db.rows<{ id: string; user_id: string }>(
    `SELECT s.id, l.user_id FROM upstream_sign_ins s JOIN upstream_links l ON l.id = s.link_id
     WHERE s.provider_id = ? AND s.ended_at IS NULL
       ${subject === null ? '' : 'AND l.subject_digest = ?'} ${sid === null ? '' : 'AND s.sid_digest = ?'}`,
    [providerId, ...(subject === null ? [] : [digest(subject)]), ...(sid === null ? [] : [digest(sid)])],
  );

export const upstreamSignInEnded = (id: string, now: Date): Statement => ({
  sql: 'UPDATE upstream_sign_ins SET ended_at = ?, id_token = NULL, id_token_until = NULL WHERE id = ? AND ended_at IS NULL',
  values: [now.getTime(), id],
});

/** A logout token is taken once: throws where it was before. */
export const takeUpstreamLogout = (db: Database, idDigest: string, expiresAt: Date): Statement => ({
  ...db.insert('upstream_logouts', { id_digest: idDigest, expires_at: expiresAt.getTime() }),
  rows: 1,
});

export async function purgeUpstream(db: Database, before: Date): Promise<void> {
  await deleteInSteps(db, 'upstream_sign_ins', 'expires_at < ?', [before.getTime()]);
  await changeInSteps(
    db,
    'upstream_sign_ins',
    'id_token = NULL, id_token_until = NULL',
    'id_token_until < ?',
    [before.getTime()],
  );
  await deleteInSteps(db, 'upstream_logouts', 'expires_at < ?', [before.getTime()]);
}
