import { auditEvent } from '../audit/audit.ts';
import { isDuplicate, type Statement } from '../entities/database.ts';
import { addFactor, type FactorRow, removeFactorOf } from '../entities/factors.ts';
import { holdForm, useHeldForm } from '../entities/held-forms.ts';
import { forgetRememberedDevices } from '../entities/remembered-devices.ts';
import {
  changePhone,
  preferFactor,
  removePhone as removePhoneRow,
  securityChangedSince,
} from '../entities/users.ts';
import type { Answer, Json } from '../factors/factor.ts';
import { isSentCode, sendCode } from '../factors/sent-code.ts';
import { numberIn, sms } from '../factors/sms.ts';
import { after, minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import { maskedPhoneNumber, readPhoneNumber } from '../lib/phone-number.ts';
import { token } from '../lib/random.ts';
import { seal } from '../lib/seal.ts';
import { attemptSucceeded, countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { type Actor, stillSignedIn } from './actor.ts';
import type { Assessment } from './assess-sign-in.ts';
import { heldFields } from './hold-form.ts';
import { organizationNameOf } from './home-organization.ts';
import { countMessage } from './message-limits.ts';
import type { StoredProof } from './proofs.ts';
import { changeMail, phoneOf } from './security-mail.ts';
import { type SendOutcome, sendStep } from './send-step.ts';
import type { Services } from './services.ts';
import { factorDataPlace, subjectFor } from './subject.ts';

interface Person {
  readonly actor: Actor;
  readonly assessment: Assessment;
}

/** A number that waits for its code: for this session and person only. */
export interface AskedPhone {
  readonly id: string;
  readonly number: string;
  readonly sentAt: number;
  readonly kept: Json;
}

export type AskPhone =
  | { readonly kind: 'asked'; readonly id: string }
  | { readonly kind: 'bad_number' }
  | { readonly kind: 'same' }
  | Exclude<SendOutcome, { kind: 'started' }>;

/** Long enough for a code that came late to be answered by "expired" and not by "unknown". */
const lifetime = minutes(30);
const place = (idDigest: string) => ({ table: 'held_forms', column: 'fields', row: idDigest });
const heldAs = 'code for a phone number';

/** Sends a code to a new number; nothing changes before it was typed here. Whether somebody else has the number is not asked. */
export async function askToChangePhone(
  services: Services,
  { actor, assessment, phone }: Person & { readonly phone: unknown },
): Promise<AskPhone> {
  const { db, ring } = services;
  const { user } = assessment;
  const read = readPhoneNumber(phone);
  if (read === null) {
    return { kind: 'bad_number' };
  }
  const { number } = read;
  if (number === user.phone && user.phone_verified === 1) {
    return { kind: 'same' };
  }
  const id = token();
  const idDigest = digest(id);
  const now = db.clock.now();
  const step = sendCode(subjectFor(services, user, [], 'sms', ''), 'sms', number, {});
  const outcome = await sendStep(services, { ...assessment, origin: actor.origin }, step, (kept) =>
    holdForm(db, {
      idDigest,
      sessionDigest: actor.sessionDigest,
      userId: user.id,
      path: heldAs,
      fields: seal(
        ring,
        place(idDigest),
        JSON.stringify({ number, sentAt: String(now.getTime()), kept: JSON.stringify(kept) }),
      ),
      now,
      expiresAt: after(now, lifetime),
    }),
  );
  return outcome.kind === 'started' ? { kind: 'asked', id } : outcome;
}

/** The number that waits under this name; null where none does. */
export async function askedPhone(services: Services, actor: Actor, id: string): Promise<AskedPhone | null> {
  const held = await heldFields(services, actor, heldAs, id);
  return held
    ? {
        id,
        number: held.number ?? '',
        sentAt: Number(held.sentAt),
        kept: JSON.parse(held.kept ?? 'null') as Json,
      }
    : null;
}

export type PhoneOutcome =
  /** `proof` where codes for signing in come to it: this session has just answered one. */
  | { readonly kind: 'done'; readonly proof: StoredProof | null }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'blocked'; readonly retryAt: Date | null }
  | { readonly kind: 'conflict' };

/**
 * The code came back from the new number: it is the person's from now on, and codes that went to the old one go there. That is a new
 * authenticator (NIST SP 800-63B-4, 3.1.3.3), so remembered devices are forgotten; the old number and the mailbox are told.
 */
export async function confirmPhone(
  services: Services,
  { actor, assessment, asked, answer }: Person & { readonly asked: AskedPhone; readonly answer: Answer },
): Promise<PhoneOutcome> {
  const { db } = services;
  const { user } = assessment;
  const limit = limitSubject(rules.mailbox, user.id, 'phone');
  const attempt = await countAttempt(db, rules.mailbox, limit);
  if (!attempt.ok) {
    return { kind: 'blocked', retryAt: attempt.retryAt };
  }
  const { number, kept } = asked;
  if (!isSentCode(subjectFor(services, user, [], 'sms', ''), kept, number, answer)) {
    return { kind: 'wrong' };
  }
  const now = db.clock.now();
  const moved = goToOldNumber(services, assessment).map((row) => ({ row, id: newId(now) }));
  try {
    const done = await db.together([
      stillSignedIn(services, actor),
      useHeldForm(digest(asked.id), now),
      changePhone(user.id, number, now),
      securityChangedSince(user.id, user.security_version, now),
      ...moved.flatMap(({ row, id }) => moveTo(services, assessment, row, { id, number, now })),
      forgetRememberedDevices(user.id, now),
      attemptSucceeded(limit),
      auditEvent(db, actor.origin, {
        type: 'phone.changed',
        userId: user.id,
        data: { secondStep: moved.length > 0 },
      }),
      ...changeMail(
        services,
        user,
        actor.origin,
        user.phone === null ? 'phone_added' : 'phone_changed',
        { what: maskedPhoneNumber(number) },
        undefined,
        { closeFactors: moved.map(({ id }) => id), restorePhone: phoneOf(user) },
      ),
      ...(await tellOldNumber(services, { actor, assessment })),
    ]);
    return done ? { kind: 'done', proof: moved[0] ? proofOf(moved[0].id, now) : null } : { kind: 'conflict' };
  } catch (error) {
    if (isDuplicate(error)) {
      return { kind: 'conflict' };
    }
    throw error;
  }
}

/** The number is not the person's any more. Codes by text message to it must be removed first: they would still prove something. */
export async function removePhone(
  services: Services,
  { actor, assessment }: Person,
): Promise<'done' | 'in_use' | 'conflict'> {
  const { db } = services;
  const { user, factors } = assessment;
  if (factors.some(({ method }) => method === 'sms')) {
    return 'in_use';
  }
  const now = db.clock.now();
  const done = await db.together([
    stillSignedIn(services, actor),
    removePhoneRow(user.id, now),
    securityChangedSince(user.id, user.security_version, now),
    forgetRememberedDevices(user.id, now),
    auditEvent(db, actor.origin, { type: 'phone.changed', userId: user.id, data: { removed: true } }),
    ...changeMail(services, user, actor.origin, 'phone_removed', {}, undefined, {
      restorePhone: phoneOf(user),
    }),
    ...(await tellOldNumber(services, { actor, assessment })),
  ]);
  return done ? 'done' : 'conflict';
}

/** Text messages to the number that the person had until now; one that goes elsewhere stays where it is. */
const goToOldNumber = (services: Services, { user, factors }: Assessment): readonly FactorRow[] =>
  factors.filter(({ id, method }) => {
    const [factor] = subjectFor(
      services,
      user,
      factors.filter((row) => row.id === id),
      'sms',
      '',
    ).factors;
    return method === 'sms' && user.phone !== null && numberIn(factor?.data) === user.phone;
  });

function moveTo(
  { db, ring }: Services,
  { user }: Assessment,
  row: FactorRow,
  { id, number, now }: { readonly id: string; readonly number: string; readonly now: Date },
): Statement[] {
  return [
    removeFactorOf(user.id, row.id),
    addFactor(db, {
      id,
      userId: user.id,
      method: row.method,
      name: row.name,
      data: seal(ring, factorDataPlace(user.id, id), JSON.stringify({ number })),
      lookup: null,
      highWater: null,
      now,
    }),
    ...(user.preferred_factor_id === row.id ? [preferFactor(user.id, id)] : []),
  ];
}

const proofOf = (factorId: string, now: Date): StoredProof => ({
  kind: 'sms',
  at: now.getTime(),
  factorId,
  amr: [...sms.amr(null)],
  userVerified: false,
});

/** Whoever still has the old phone reads it there. Where no text message can go, the mail is all. */
async function tellOldNumber(
  services: Services,
  { actor, assessment }: Person,
): Promise<readonly Statement[]> {
  const { db, notify, renderText } = services;
  const { user, memberships } = assessment;
  if (user.phone === null || user.phone_verified !== 1) {
    return [];
  }
  const recipient = { user, memberships, origin: actor.origin };
  const message = { by: 'sms', to: user.phone, template: 'phone-changed', values: {} } as const;
  if ((await countMessage(services, recipient, message, 'change')).kind !== 'ok') {
    return [];
  }
  const text = renderText('phone-changed', {}, user.locale, organizationNameOf(assessment));
  return [notify.sms({ to: user.phone, text, expiresAt: after(db.clock.now(), minutes(24 * 60)) })];
}
