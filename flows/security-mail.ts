import type { Origin } from '../audit/audit.ts';
import type { Statement } from '../entities/database.ts';
import { languageFor, type UserRow } from '../entities/users.ts';
import type { MessageValues } from '../notifications/outbox.ts';
import { makeLink } from './one-time-link.ts';
import type { Services } from './services.ts';

/** What "this was not me" undoes of what the mail tells, beside ending everything that somebody else may be in by. */
export interface Undo {
  /** The address from before. */
  readonly restoreEmail?: string;
  /** The number from before, null where there was none; beside an address, the one that was there when the address was changed. */
  readonly restorePhone?: { readonly number: string | null; readonly verified: boolean };
  /** They are closed, not removed: who reads somebody's mail must not be able to turn their second factor off. */
  readonly closeFactors?: readonly string[];
  /** Somebody else may know the recovery codes. */
  readonly dropCodes?: boolean;
  /** The connection to an account of another provider. */
  readonly disconnect?: string;
}

/** The number as it is before a change. */
export const phoneOf = ({ phone, phone_verified }: Pick<UserRow, 'phone' | 'phone_verified'>) => ({
  number: phone,
  verified: phone_verified === 1,
});

const linkData = ({ restoreEmail, restorePhone, closeFactors = [], dropCodes, disconnect }: Undo) => ({
  ...(restoreEmail === undefined ? {} : { restoreEmail }),
  ...(restorePhone === undefined ? {} : { restorePhone: restorePhone.number ?? '' }),
  ...(restorePhone?.verified === true ? { phoneVerified: 'yes' } : {}),
  ...(closeFactors.length === 0 ? {} : { closeFactors: closeFactors.join(' ') }),
  ...(dropCodes === true ? { dropCodes: 'yes' } : {}),
  ...(disconnect === undefined ? {} : { disconnect }),
});

/** What the link of such a mail would undo. */
export const undoOf = ({
  restoreEmail,
  restorePhone,
  phoneVerified,
  closeFactors,
  dropCodes,
  disconnect,
}: Readonly<Record<string, string>>): Undo => ({
  ...(restoreEmail === undefined ? {} : { restoreEmail }),
  ...(restorePhone === undefined
    ? {}
    : {
        restorePhone: {
          number: restorePhone === '' ? null : restorePhone,
          verified: phoneVerified === 'yes',
        },
      }),
  closeFactors: closeFactors?.split(' ') ?? [],
  dropCodes: dropCodes !== undefined,
  ...(disconnect === undefined ? {} : { disconnect }),
});

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
    readonly undo?: Undo;
    /** The same key is one mail. */
    readonly key?: string;
    /** In whose name and look it is written, where that is not the person's own organization. */
    readonly organizationId?: string;
    /** After which it is not worth sending. */
    readonly expiresAt?: Date;
  },
): Statement[] {
  const link = makeLink(services, 'not_me', user.id, linkData(mail.undo ?? {}));
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
  | 'password_set'
  | 'password_reset'
  | 'email_changed'
  | 'phone_added'
  | 'phone_changed'
  | 'phone_removed'
  | 'sessions_ended'
  | 'new_browser'
  | 'help_asked';

export const changeMail = (
  services: Pick<Services, 'db' | 'ring' | 'settings' | 'notify'>,
  user: UserRow,
  origin: Origin,
  change: AccountChange,
  values: MessageValues = {},
  to?: string,
  undo: Undo = {},
): Statement[] =>
  securityMail(services, user, origin, {
    template: 'account-changed',
    values: { change, ...values },
    undo,
    ...(to === undefined ? {} : { to }),
  });
