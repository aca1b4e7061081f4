import { randomInt } from 'node:crypto';
import { audit, auditEvent } from '../audit/audit.ts';
import { applicationName } from '../entities/applications.ts';
import {
  type ApprovalRow,
  addApproval,
  approvalById,
  approve,
  closeApprovals,
  deny,
  openApproval,
} from '../entities/approvals.ts';
import type { Statement } from '../entities/database.ts';
import { factorsOf } from '../entities/factors.ts';
import { barLimit } from '../entities/limits.ts';
import type { UserRow } from '../entities/users.ts';
import { type Approval, approvalText, isApproved, keyIdOf } from '../factors/device.ts';
import type { Json, Step } from '../factors/factor.ts';
import { after, days, minutes } from '../lib/clock.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Actor } from './actor.ts';
import { stillSignedIn } from './actor.ts';
import { type Recipient, unknownBrowsers } from './recipient.ts';
import { securityMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { subjectFor } from './subject.ts';

type Ask = NonNullable<Step['ask']>;

/** Where a person's requests from one known browser, or from all unknown ones, are counted. */
export const askLimit = (userId: string, bucket: string): string =>
  limitSubject(rules.approval, userId, bucket);

/** One is open already, or there were too many (push bombing). */
export interface TooManyRequests {
  readonly kind: 'asked_too_often';
  readonly retryAt: Date | null;
}

/**
 * The writes that put a request before a person's approvers, or why there is none now.
 */
export async function askForApproval(
  services: Services,
  { user, origin, bucket = unknownBrowsers, clientId = null }: Recipient,
  ask: Ask,
  before: string | null,
): Promise<Statement[] | TooManyRequests> {
  const { db } = services;
  const now = db.clock.now();
  const open = await openApproval(db, user.id, now);
  if (open && open.id !== before) {
    return { kind: 'asked_too_often', retryAt: new Date(open.expires_at) };
  }
  const subject = askLimit(user.id, bucket);
  const attempt = await countAttempt(db, rules.approval, subject);
  if (!attempt.ok) {
    return { kind: 'asked_too_often', retryAt: attempt.retryAt };
  }
  return [
    closeApprovals(user.id, before, now),
    addApproval(db, {
      id: ask.request,
      user_id: user.id,
      client_id: clientId,
      number: ask.number,
      choices: choicesFor(ask.number).join(' '),
      ip: origin.ip,
      user_agent: origin.userAgent?.slice(0, 500) ?? null,
      limit_subject: subject,
      security_version: user.security_version,
      created_at: now.getTime(),
      expires_at: ask.until.getTime(),
    }),
    auditEvent(db, origin, { type: 'approval.asked', userId: user.id, clientId }),
  ];
}

/** The right one among three, at any place. */
function choicesFor(number: number): readonly number[] {
  const choices = [number];
  while (choices.length < 3) {
    const other = randomInt(10, 100);
    if (!choices.includes(other)) choices.splice(randomInt(choices.length + 1), 0, other);
  }
  return choices;
}

/** What has been said about a request, for the sign-in that waits. */
export async function approvalOf(services: Services, user: UserRow, request: string): Promise<Approval> {
  const row = await approvalById(services.db, request);
  const { factor_id: factorId = null, signature = null, client_id: clientId = null } = row ?? {};
  const { ip = null, user_agent: userAgent = null } = row ?? {};
  return { decision: decisionOf(services, user, row), factorId, signature, clientId, ip, userAgent };
}

function decisionOf({ db }: Services, user: UserRow, row: ApprovalRow | null): Approval['decision'] {
  if (!row || row.user_id !== user.id) return 'ended';
  if (row.decision === 'denied') return 'denied';
  const isOver = row.expires_at <= db.clock.now().getTime() || row.consumed_at !== null;
  if (isOver || row.security_version !== user.security_version) return 'ended';
  return row.decision ?? (row.open_for === null ? 'ended' : 'waiting');
}

/** A request as its approver sees it. */
export interface WaitingRequest {
  readonly id: string;
  readonly clientId: string | null;
  readonly applicationName: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly askedAt: Date;
  readonly expiresAt: Date;
  readonly choices: readonly number[];
  /** JSON to be signed, with `null` in the place of the number; see `approvalText`. */
  readonly toSign: string;
  /** Names of the person's keys: one of them may be in this browser. */
  readonly keys: readonly string[];
}

/** The sign-in that waits for this person's word; null where none does. */
export async function waitingRequest(services: Services, user: UserRow): Promise<WaitingRequest | null> {
  const { db } = services;
  const row = await openApproval(db, user.id, db.clock.now());
  if (!row) {
    return null;
  }
  const subject = await approversOf(services, user);
  return {
    id: row.id,
    clientId: row.client_id,
    applicationName: row.client_id === null ? null : await applicationName(db, row.client_id),
    ip: row.ip,
    userAgent: row.user_agent,
    askedAt: new Date(row.created_at),
    expiresAt: new Date(row.expires_at),
    choices: row.choices.split(' ').map(Number),
    toSign: approvalText({ ...askedIn(row), origin: subject.origin, userId: user.id }, null),
    keys: subject.factors.flatMap(({ data }) => keyIdOf(data) ?? []),
  };
}

const askedIn = (row: ApprovalRow) => ({
  request: row.id,
  until: row.expires_at,
  clientId: row.client_id,
  ip: row.ip,
  userAgent: row.user_agent,
});

async function approversOf(services: Services, user: UserRow) {
  const factors = await factorsOf(services.db, user.id);
  const usable = factors.filter(({ disabled_at }) => disabled_at === null);
  return subjectFor(services, user, usable, 'device', '');
}

export type ApprovalOutcome =
  | { readonly kind: 'approved' }
  | { readonly kind: 'denied' }
  /** Not the number that the other device shows: the request is over. */
  | { readonly kind: 'wrong_number' }
  /** Not signed by a key of this person's approvers. */
  | { readonly kind: 'not_an_approver' }
  /** Answered, expired, or the person's security has changed meanwhile. */
  | { readonly kind: 'ended' };

/**
 * "Yes, it is me": by a key of an approver that is one now, over the whole request and the right number. What counts is decided by the
 * write; a wrong number ends the request, so that nobody tries all three.
 */
export async function approveSignIn(
  services: Services,
  actor: Actor,
  input: {
    readonly request: string;
    readonly number: number;
    readonly keyId: string;
    readonly signature: string;
  },
): Promise<ApprovalOutcome> {
  const { db } = services;
  const { user, origin } = actor;
  const now = db.clock.now();
  const row = await openApproval(db, user.id, now);
  if (!row || row.id !== input.request) {
    return { kind: 'ended' };
  }
  const event = { userId: user.id, clientId: row.client_id };
  const subject = await approversOf(services, user);
  const approver = subject.factors.find(({ data }) => keyIdOf(data) === input.keyId);
  if (!approver || !isApproved(subject, approver.data, askedIn(row), input.number, input.signature)) {
    await audit(db, origin, { ...event, type: 'approval.failed' });
    return { kind: 'not_an_approver' };
  }
  if (input.number !== row.number) {
    await db.together([
      deny(row.id, user.id, now),
      auditEvent(db, origin, { ...event, type: 'approval.wrong_number' }),
    ]);
    return { kind: 'wrong_number' };
  }
  const by = { userId: user.id, factorId: approver.id, signature: input.signature, now };
  const first = await db.together([
    stillSignedIn(services, actor),
    approve(row.id, by),
    auditEvent(db, origin, { ...event, type: 'approval.given', data: { factor: approver.id } }),
  ]);
  return { kind: first ? 'approved' : 'ended' };
}

/** After "it was not me", no request comes from the same place for so long. */
const quietAfterDenial = minutes(15);

/** "No, it was not me": ends the request and reports it. It needs no key; saying no is always safe. */
export async function denySignIn(
  services: Services,
  { user, origin }: Actor,
  request: string,
): Promise<ApprovalOutcome> {
  const { db } = services;
  const row = await approvalById(db, request);
  if (!row || row.user_id !== user.id) {
    return { kind: 'ended' };
  }
  const now = db.clock.now();
  const first = await db.together([
    deny(row.id, user.id, now),
    barLimit(db, row.limit_subject, after(now, quietAfterDenial), after(now, days(1))),
    auditEvent(db, origin, {
      type: 'approval.denied',
      userId: user.id,
      clientId: row.client_id,
      data: { from: row.ip },
    }),
    ...securityMail(
      services,
      user,
      { ip: row.ip, userAgent: row.user_agent },
      {
        template: 'sign-in-denied',
        values: { at: new Date(row.created_at).toISOString() },
        key: `sign-in-denied ${row.id}`,
      },
    ),
  ]);
  return { kind: first ? 'denied' : 'ended' };
}

/** The request of a challenge that was begun; null where none was. */
export const requestIn = (kept: Json): string | null =>
  kept instanceof Object && 'request' in kept && typeof kept.request === 'string' ? kept.request : null;
