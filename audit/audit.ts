import { addAuditEvent } from '../entities/audit-events.ts';
import type { Database, Statement } from '../entities/database.ts';

/** Where a request came from, as it is told to people: never what decides anything. */
export interface Origin {
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** Of the page that was asked for: what is sent because of the request speaks it too. */
  readonly language?: string;
}

/** Where what nobody's browser did came from; and the place of administrators, in what is told to members. */
export const nowhere: Origin = { ip: null, userAgent: null };

/** Every kind of event; the audit log knows no others. */
export type AuditType =
  | 'sign_in.succeeded'
  | 'sign_in.refused'
  | 'upstream.failed'
  | 'upstream.linked'
  | 'upstream.unlinked'
  | 'upstream.signed_out'
  | 'upstream_provider.added'
  | 'upstream_provider.changed'
  | 'upstream_provider.removed'
  | 'password.failed'
  | 'password.blocked'
  | 'factor.failed'
  | 'factor.blocked'
  | 'factor.added'
  | 'factor.disabled'
  | 'factor.copied'
  | 'factor.removed'
  | 'factor.renamed'
  | 'factor.preferred'
  | 'factors.disabled'
  | 'recovery_codes.shown'
  | 'device.forgotten'
  | 'password.changed'
  | 'password.reset_asked'
  | 'password.reset'
  | 'email.change_asked'
  | 'email.changed'
  | 'phone.changed'
  | 'profile.changed'
  | 'access.revoked'
  | 'not_me'
  | 'help.asked'
  | 'user.registered'
  | 'invitation.sent'
  | 'invitation.revoked'
  | 'invitation.accepted'
  | 'recovery_code.used'
  | 'recovery_code.failed'
  | 'recovery_codes.made'
  | 'mailbox.sent'
  | 'mailbox.answered'
  | 'mailbox.failed'
  | 'device.remembered'
  | 'device.rejected'
  | 'devices.forgotten'
  | 'approval.asked'
  | 'approval.given'
  | 'approval.denied'
  | 'approval.wrong_number'
  | 'approval.failed'
  | 'setup.skipped'
  | 'setup.dismissed'
  | 'consent.given'
  | 'session.ended'
  | 'user.disconnected'
  | 'application.registered'
  | 'application.changed'
  | 'application.removed'
  | 'registration_token.issued'
  | 'signals.changed'
  | 'configuration.applied'
  | 'audit.tampered'
  | 'policy.changed'
  | 'policy.reminded'
  | 'member.role_changed'
  | 'member.removed'
  | 'members.imported'
  | 'members.exported'
  | 'two_factor.reset'
  | 'two_factor.reset_by_mail'
  | 'application.secret_rotated'
  | 'branding.changed'
  | 'audit.exported';

/** As JSON keeps it. The chain's hash is over that text, whatever is in it. */
export type Fact =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Fact[]
  | { readonly [name: string]: Fact };

export interface AuditEvent {
  readonly type: AuditType;
  readonly userId?: string | null;
  readonly organizationId?: string | null;
  readonly clientId?: string | null;
  /** Facts only: never a code, secret, token or password. */
  readonly data?: { readonly [name: string]: Fact };
}

/** The write of one event, to stand in the same batch as what it tells of. */
export const auditEvent = (db: Database, origin: Origin, event: AuditEvent): Statement => ({
  ...addAuditEvent(db, {
    at: db.clock.now(),
    type: event.type,
    userId: event.userId ?? null,
    organizationId: event.organizationId ?? null,
    clientId: event.clientId ?? null,
    ip: origin.ip,
    userAgent: origin.userAgent?.slice(0, 500) ?? null,
    data: JSON.stringify(event.data ?? {}),
  }),
  tells: { type: event.type, ...word('method', event), ...word('acr', event) },
});

const word = (name: 'method' | 'acr', { data }: AuditEvent) =>
  typeof data?.[name] === 'string' ? { [name]: data[name] } : {};

/** Writes one event on its own, where nothing else is written. */
export async function audit(db: Database, origin: Origin, event: AuditEvent): Promise<void> {
  await db.together([auditEvent(db, origin, event)]);
}
