import { audit, type Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import {
  canonicalEmail,
  replacePasswordHash,
  sameSecurity,
  type UserRow,
  userByEmail,
} from '../entities/users.ts';
import { digest, keyedDigest } from '../lib/digest.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { KnownBrowser } from './known-browser.ts';
import type { Services } from './services.ts';

export type PasswordOutcome =
  /** To be written together with what the right one changes: ends the count of wrong ones, where it is the right one still. */
  | { readonly kind: 'right'; readonly user: UserRow; readonly succeeded: readonly Statement[] }
  | { readonly kind: 'wrong' }
  /** Not checked: too many wrong ones; null where only another way in is left. */
  | { readonly kind: 'blocked'; readonly retryAt: Date | null };

/**
 * The first factor. Counted before it is checked, per account: together for all browsers that this account has never signed in
 * from, and apart for each that it has, so that a stranger's guesses do not lock the person out (security.md T143). Whether the
 * account exists shows neither in the answer nor in the time.
 */
export async function checkPassword(
  services: Services,
  input: {
    readonly email: unknown;
    readonly password: unknown;
    readonly browser: KnownBrowser;
    readonly origin: Origin;
    readonly clientId: string;
  },
): Promise<PasswordOutcome> {
  const { db, passwords } = services;
  const email =
    typeof input.email === 'string' && input.email.length <= 320 ? canonicalEmail(input.email) : '';
  const password = typeof input.password === 'string' ? input.password : '';
  const user = email === '' ? null : await userByEmail(db, email);
  const subject = user
    ? limitSubject(
        rules.password,
        user.id,
        digest(user.password_hash ?? ''),
        input.browser.bucketFor(user.id) ?? 'unknown browsers',
      )
    : limitSubject(rules.password, 'nobody', placeOf(services, email));

  const event = { userId: user?.id ?? null, clientId: input.clientId };
  const attempt = await countAttempt(db, rules.password, subject);
  if (!attempt.ok) {
    await audit(db, input.origin, { ...event, type: 'password.blocked' });
    return { kind: 'blocked', retryAt: attempt.retryAt };
  }
  const { ok, needsRehash } = await passwords.verify(user?.password_hash ?? null, password);
  if (!ok || !user || user.disabled_at !== null) {
    await audit(db, input.origin, { ...event, type: 'password.failed' });
    return { kind: 'wrong' };
  }
  if (needsRehash && user.password_hash !== null) {
    await replacePasswordHash(db, user.id, user.password_hash, await passwords.hash(password));
  }
  return {
    kind: 'right',
    user,
    succeeded: [sameSecurity(user.id, user.security_version), attemptSucceeded(subject)],
  };
}

/**
 * Addresses that belong to nobody are counted in a million places, not each in its own: whoever makes them up must not fill the
 * database with rows that are kept for as long as those of real accounts, which they must look like.
 */
const placeOf = ({ ring }: Services, email: string): string =>
  Buffer.from(keyedDigest(ring, 'nobody', email), 'base64url')
    .subarray(0, 3)
    .toString('hex')
    .slice(1);
