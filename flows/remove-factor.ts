import { auditEvent } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { type FactorRow, removeFactorOf, removeFactorsOf } from '../entities/factors.ts';
import { policyFrom } from '../entities/memberships.ts';
import { instancePolicy } from '../entities/organizations.ts';
import { forgetRecoveryCodes } from '../entities/recovery-codes.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import { postponeSetup, preferFactor, securityChangedSince } from '../entities/users.ts';
import { after } from '../lib/clock.ts';
import type { MessageValues } from '../notifications/outbox.ts';
import { defaultPolicy } from '../policy/defaults.ts';
import { type Forbidding, whoForbids } from '../policy/must-keep.ts';
import type { Method } from '../policy/types.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { type AccountChange, changeMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { postponedFor } from './skip-setup.ts';

export type Removal =
  | { readonly kind: 'done' }
  /** A policy requires what would be gone. */
  | { readonly kind: 'forbidden'; readonly by: readonly Forbidding[] }
  /** There is no such factor of this person. */
  | { readonly kind: 'unknown' }
  /** Something was changed meanwhile, or the session was ended: nothing happened. */
  | { readonly kind: 'conflict' };

/** Who would forbid that these factors are all that the person has; one that is closed is none. */
export async function forbiddenBy(
  { db }: Services,
  { memberships }: Assessment,
  remaining: readonly Pick<FactorRow, 'method' | 'model' | 'disabled_at'>[],
): Promise<readonly Forbidding[]> {
  const instance = await instancePolicy(db);
  const usable = remaining.filter(({ disabled_at }) => disabled_at === null);
  return whoForbids(memberships, instance ? policyFrom(instance) : defaultPolicy, usable);
}

/** One factor goes; with the last one all that belongs to it. Every remembered device is forgotten. */
export async function removeFactor(
  services: Services,
  input: { readonly actor: Actor; readonly assessment: Assessment; readonly factorId: string },
): Promise<Removal> {
  const { assessment, factorId } = input;
  const factor = assessment.factors.find(({ id }) => id === factorId);
  if (!factor) {
    return { kind: 'unknown' };
  }
  const rest = assessment.factors.filter(({ id }) => id !== factorId);
  const by = await forbiddenBy(services, assessment, rest);
  if (by.length > 0) {
    return { kind: 'forbidden', by };
  }
  const { user } = assessment;
  return change(services, input, {
    type: 'factor.removed',
    data: { method: factor.method, last: rest.length === 0 },
    mail: 'factor_removed',
    what: { what: factor.name, method: factor.method },
    statements: [
      removeFactorOf(user.id, factorId),
      ...(user.preferred_factor_id === factorId ? [preferFactor(user.id, null)] : []),
      ...(rest.length === 0 ? [forgetRecoveryCodes(user.id), notAskedSoon(services, user.id)] : []),
    ],
  });
}

/** "Disable": all factors, recovery codes and remembered devices go. */
export async function disableTwoFactor(
  services: Services,
  input: { readonly actor: Actor; readonly assessment: Assessment },
): Promise<Removal> {
  const { assessment } = input;
  const { user } = assessment;
  const by = await forbiddenBy(services, assessment, []);
  if (by.length > 0) {
    return { kind: 'forbidden', by };
  }
  return change(services, input, {
    type: 'factors.disabled',
    data: { methods: methodsOf(assessment.factors) },
    mail: 'factors_off',
    what: {},
    statements: [
      removeFactorsOf(user.id),
      forgetRecoveryCodes(user.id),
      preferFactor(user.id, null),
      notAskedSoon(services, user.id),
    ],
  });
}

/** Who has just turned it off is not recommended to turn it on. Where it is required they are asked all the same. */
const notAskedSoon = ({ db }: Services, userId: string): Statement =>
  postponeSetup(userId, after(db.clock.now(), postponedFor));

const methodsOf = (factors: readonly { readonly method: Method }[]): Method[] => [
  ...new Set(factors.map(({ method }) => method)),
];

/** Of two removals at once the second has read too much: it changes nothing, so that two halves never make a whole (T094). */
async function change(
  services: Services,
  { actor, assessment }: { readonly actor: Actor; readonly assessment: Assessment },
  what: {
    readonly type: 'factor.removed' | 'factors.disabled';
    readonly data: { readonly [name: string]: string | boolean | readonly string[] };
    readonly mail: AccountChange;
    readonly what: MessageValues;
    readonly statements: readonly Statement[];
  },
): Promise<Removal> {
  const { db } = services;
  const { user } = assessment;
  const now = db.clock.now();
  const done = await db.together([
    stillSignedIn(services, actor),
    securityChangedSince(user.id, user.security_version, now),
    ...what.statements,
    forgetRememberedDevices(user.id, now),
    auditEvent(db, actor.origin, { type: what.type, userId: user.id, data: what.data }),
    ...changeMail(services, user, actor.origin, what.mail, what.what),
  ]);
  return { kind: done ? 'done' : 'conflict' };
}
