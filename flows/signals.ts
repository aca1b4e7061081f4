import type { AuditType } from '../audit/audit.ts';
import type { AuditEventRow } from '../entities/audit-events.ts';
import { type Acr, acrs } from '../policy/assurance.ts';

const caep = 'https://schemas.openid.net/secevent/caep/event-type';
const ssf = 'https://schemas.openid.net/secevent/ssf/event-type';

/** What receivers can be told of (CAEP 1.0, 3). */
export const eventTypes = [
  `${caep}/session-revoked`,
  `${caep}/credential-change`,
  `${caep}/assurance-level-change`,
] as const;
export type EventType = (typeof eventTypes)[number];

export const verificationEvent = `${ssf}/verification`;
export const streamUpdatedEvent = `${ssf}/stream-updated`;

export interface Signal {
  readonly type: EventType;
  readonly event: Readonly<Record<string, unknown>>;
}

type Data = Readonly<Record<string, unknown>>;
type Rule = (data: Data) => Signal | null;

const sessionRevoked =
  (who: 'admin' | 'user' | 'policy'): Rule =>
  (data) => ({
    type: `${caep}/session-revoked`,
    event: {
      initiating_entity: data.reason === 'disconnected' || data.reason === 'by_an_admin' ? 'admin' : who,
      ...(typeof data.reason === 'string' ? { reason_admin: { en: data.reason } } : {}),
    },
  });

const credentialTypes: Readonly<Record<string, string>> = {
  totp: 'app',
  passkey: 'fido2-roaming',
  sms: 'phone-sms',
  email: 'email',
  device: 'app',
};

const credentialChange =
  (change: 'create' | 'revoke' | 'update' | 'delete', type?: string): Rule =>
  (data) => ({
    type: `${caep}/credential-change`,
    event: {
      credential_type: type ?? credentialTypes[String(data.method)] ?? 'app',
      change_type: change,
    },
  });

const assuranceChange: Rule = ({ acr, before }) => {
  const [current, previous] = [acrs.indexOf(acr as Acr), acrs.indexOf(before as Acr)];
  if (current < 0 || previous < 0 || current === previous) return null;
  return {
    type: `${caep}/assurance-level-change`,
    event: {
      namespace: 'urn:sallyport:acr',
      current_level: acr,
      previous_level: before,
      change_direction: current > previous ? 'increase' : 'decrease',
      initiating_entity: 'user',
    },
  };
};

/**
 * What each kind of event in the audit log means to receivers. What happens is written down there by every flow, so nothing is forgotten;
 * and a new kind of event does not compile before somebody has said here what it means.
 */
const rules: Readonly<Record<AuditType, Rule | null>> = {
  'session.ended': sessionRevoked('user'),
  'sign_in.succeeded': assuranceChange,
  'factor.added': credentialChange('create'),
  'factor.disabled': credentialChange('revoke'),
  'factor.copied': null,
  'factor.removed': credentialChange('delete'),
  'factors.disabled': credentialChange('delete', 'all-second-factors'),
  'two_factor.reset': credentialChange('revoke', 'all-second-factors'),
  'recovery_codes.made': credentialChange('update', 'recovery-codes'),
  'recovery_code.used': credentialChange('revoke', 'recovery-codes'),
  'password.changed': credentialChange('update', 'password'),
  'password.reset': credentialChange('update', 'password'),
  not_me: credentialChange('revoke', 'password'),
  'sign_in.refused': null,
  'upstream.failed': null,
  'upstream.linked': credentialChange('create', 'federated-account'),
  'upstream.unlinked': credentialChange('delete', 'federated-account'),
  'upstream.signed_out': null,
  'upstream_provider.added': null,
  'upstream_provider.changed': null,
  'upstream_provider.removed': null,
  'password.failed': null,
  'password.blocked': null,
  'factor.failed': null,
  'factor.blocked': null,
  'factor.renamed': null,
  'factor.preferred': null,
  'recovery_codes.shown': null,
  'device.forgotten': null,
  'password.reset_asked': null,
  'email.change_asked': null,
  'email.changed': null,
  // Where the number is a second step, its codes go somewhere else now.
  'phone.changed': (data) =>
    data.secondStep === true ? credentialChange('update', 'phone-sms')(data) : null,
  'profile.changed': null,
  'access.revoked': null,
  'help.asked': null,
  'user.registered': null,
  'recovery_code.failed': null,
  'mailbox.sent': null,
  'mailbox.answered': null,
  'mailbox.failed': null,
  'device.remembered': null,
  'device.rejected': null,
  'devices.forgotten': null,
  'setup.skipped': null,
  'setup.dismissed': null,
  'consent.given': null,
  'user.disconnected': null,
  'application.registered': null,
  'application.changed': null,
  'application.removed': null,
  'registration_token.issued': null,
  'signals.changed': null,
  'configuration.applied': null,
  'audit.tampered': null,
  'policy.changed': null,
  'policy.reminded': null,
  'member.role_changed': null,
  'member.removed': null,
  'members.imported': null,
  'members.exported': null,
  'two_factor.reset_by_mail': null,
  'application.secret_rotated': null,
  'branding.changed': null,
  'audit.exported': null,
  'invitation.sent': null,
  'invitation.revoked': null,
  'invitation.accepted': null,
  'approval.asked': null,
  'approval.given': null,
  'approval.denied': null,
  'approval.wrong_number': null,
  'approval.failed': null,
};

export const signalledTypes = (Object.keys(rules) as AuditType[]).filter((type) => rules[type] !== null);

/** What an event of the audit log means to receivers; null for nothing. */
export function signalOf(row: AuditEventRow): Signal | null {
  const rule = Object.hasOwn(rules, row.type) ? rules[row.type as AuditType] : null;
  const signal = rule?.(JSON.parse(row.data) as Data) ?? null;
  return signal && { ...signal, event: { event_timestamp: Math.floor(row.at / 1000), ...signal.event } };
}
