import { audit, auditEvent, type Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { instancePolicy } from '../entities/organizations.ts';
import { addRecoveryCode, consumeRecoveryCode, unusedRecoveryCodes } from '../entities/recovery-codes.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { securityChanged } from '../entities/users.ts';
import {
  digestRecoveryCode,
  digestsRecoveryCode,
  newRecoveryCodes,
  readRecoveryCode,
} from '../factors/recovery-codes.ts';
import { sameDigest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Assessment } from './assess-sign-in.ts';
import type { KnownBrowser } from './known-browser.ts';
import { unknownBrowsers } from './recipient.ts';
import { boundSalt, recoveryCodeRules, sealedRecoveryCode } from './recovery-code-rules.ts';
import { securityMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { type SignIn, signInStatement } from './sign-in-state.ts';

export type RecoveryOutcome =
  | { readonly kind: 'right' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'blocked'; readonly retryAt: Date | null };

/**
 * A recovery code in place of a factor: single use, decided by the write. It forgets every remembered device and creates none;
 * where the organizations want eight at all times, the used one is replaced (product.md §3).
 */
export async function useRecoveryCode(
  services: Services,
  input: {
    readonly signIn: SignIn;
    readonly assessment: Assessment;
    readonly typed: unknown;
    readonly browser: KnownBrowser;
    readonly origin: Origin;
    readonly clientId: string;
  },
): Promise<RecoveryOutcome> {
  const { db, ring, queue } = services;
  const { signIn, assessment } = input;
  const { user } = assessment;
  const event = { userId: user.id, clientId: input.clientId };

  // All browsers together may try a hundred times in a row, each on its own far fewer; a new set begins anew.
  const unused = await unusedRecoveryCodes(db, user.id);
  const salt = unused[0]?.salt ?? '';
  const subjects = [
    limitSubject(rules.recoveryCode, user.id, salt, input.browser.bucketFor(user.id) ?? unknownBrowsers),
    limitSubject(rules.recoveryCodeInAll, user.id, salt),
  ] as const;
  const attempt = await countAttempt(db, rules.recoveryCode, subjects[0]);
  const inAll = attempt.ok ? await countAttempt(db, rules.recoveryCodeInAll, subjects[1]) : attempt;
  if (!inAll.ok) {
    await audit(db, input.origin, { ...event, type: 'factor.blocked', data: { method: 'recovery_code' } });
    return { kind: 'blocked', retryAt: inAll.retryAt };
  }

  const code = readRecoveryCode(input.typed);
  const digests =
    code === null || salt === ''
      ? []
      : await digestsRecoveryCode({ ring, queue }, boundSalt(user.id, salt), code);
  const found = unused.find((row) => digests.some((digest) => sameDigest(row.digest, digest)));
  if (!found) {
    await audit(db, input.origin, { ...event, type: 'recovery_code.failed' });
    return { kind: 'wrong' };
  }

  const now = db.clock.now();
  const wanted = recoveryCodeRules(assessment.memberships, await instancePolicy(db));
  const replacement: Statement[] = [];
  const [fresh = null] = wanted.replaceUsed ? newRecoveryCodes(1) : [];
  if (fresh !== null) {
    const id = newId(now);
    const digest = await digestRecoveryCode({ ring, queue }, boundSalt(user.id, salt), fresh);
    const sealed = wanted.showAgain ? sealedRecoveryCode(ring, user.id, id, fresh) : null;
    replacement.push(
      addRecoveryCode(db, { id, userId: user.id, position: found.position, salt, digest, sealed, now }),
    );
  }
  const left = unused.length - 1 + replacement.length;
  const proof = {
    kind: 'recovery_code' as const,
    at: now.getTime(),
    factorId: null,
    amr: ['otp'],
    userVerified: false,
  };
  const first = await db.together([
    consumeRecoveryCode(found.id, now),
    signInStatement(services, signIn, {
      ...signIn.state,
      proofs: [...signIn.state.proofs, proof],
      changed: true,
      challenge: null,
      remember: null,
      recoveryNotice: { replacement: fresh },
    }),
    ...replacement,
    forgetRememberedDevices(user.id, now),
    securityChanged(user.id, now),
    ...subjects.map(attemptSucceeded),
    auditEvent(db, input.origin, { ...event, type: 'recovery_code.used', data: { left } }),
    ...securityMail(services, user, input.origin, {
      template: 'recovery-code-used',
      values: { left },
      undo: { dropCodes: true },
    }),
  ]);
  if (!first) {
    await audit(db, input.origin, { ...event, type: 'recovery_code.failed' });
    return { kind: 'wrong' };
  }
  return { kind: 'right' };
}
