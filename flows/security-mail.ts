import type { Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { languageFor, type UserRow } from '../entities/users.ts';
import type { MessageValues } from '../notifications/outbox.ts';
import { makeLink } from './one-time-link.ts';
import type { Services } from './services.ts';

/**
 * Tells a person what happened to their account: when, from where, and with a link for the case that it was not them. To stand in the
 * batch of what it tells of. `to` is where it goes instead of their address of today.
 */
export function securityMail(
  services: Pick<Services, 'db' | 'ring' | 'settings' | 'notify'>,
  user: UserRow,
  /** Of whoever did it; an administrator's own place is not told to members. */
  origin: Origin,
  mail: {
    readonly template: string;
    readonly values?: MessageValues;
    readonly to?: string;
    /** What "this was not me" puts back. */
    readonly restoreEmail?: string;
    /** The same key is one mail. */
    readonly key?: string;
    /** In whose name and look it is written, where that is not the person's own organization. */
    readonly organizationId?: string;
    /** After which it is not worth sending. */
    readonly expiresAt?: Date;
  },
): Statement[] {
  const link = makeLink(
    services,
    'not_me',
    user.id,
    mail.restoreEmail === undefined ? {} : { restoreEmail: mail.restoreEmail },
  );
  return [
    link.statement,
    services.notify.mail({
      to: mail.to ?? user.email,
      userId: user.id,
      locale: languageFor(user) ?? origin.language ?? null,
      template: mail.template,
      values: {
        name: user.name,
        at: services.db.clock.now().toISOString(),
        ip: origin.ip,
        userAgent: origin.userAgent,
        notMeUrl: link.url,
        ...mail.values,
      },
      ...(mail.key === undefined ? {} : { key: mail.key }),
      ...(mail.organizationId === undefined ? {} : { organizationId: mail.organizationId }),
      ...(mail.expiresAt === undefined ? {} : { expiresAt: mail.expiresAt }),
    }),
  ];
}

/** Something about how a person signs in has changed; the words are in `http/account-changes.ts`. */
export type AccountChange =
  | 'factor_removed'
  | 'factors_off'
  | 'upstream_linked'
  | 'upstream_unlinked'
  | 'passkey_copied'
  | 'recovery_codes_made'
  | 'recovery_codes_shown'
  | 'password_changed'
  | 'password_reset'
  | 'email_changed'
  | 'phone_changed'
  | 'phone_removed'
  | 'sessions_ended';

export const changeMail = (
  services: Pick<Services, 'db' | 'ring' | 'settings' | 'notify'>,
  user: UserRow,
  origin: Origin,
  change: AccountChange,
  values: MessageValues = {},
  to?: string,
): Statement[] =>
  securityMail(services, user, origin, {
    template: 'account-changed',
    values: { change, ...values },
    ...(to === undefined ? {} : { to }),
  });
