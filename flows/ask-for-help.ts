import { auditEvent, type Origin } from '../audit/audit.ts';
import { openEvent } from '../entities/audit-events.ts';
import { administratorsOf } from '../entities/memberships.ts';
import { days } from '../lib/clock.ts';
import { countAttempt, limitSubject } from '../limits/attempts.ts';
import type { Assessment } from './assess-sign-in.ts';
import { type OrganizationVisit, requirePermission } from './organization-actor.ts';
import { homeOf } from './recipient.ts';
import { changeMail } from './security-mail.ts';
import type { Services } from './services.ts';

/** Once a day and person: more would only be noise in the administrators' mailboxes. */
const rule = { name: 'help', delays: [days(1)], stop: 10_000, lifetime: days(2) };

export type HelpOutcome = 'asked' | 'asked_before' | 'nobody';

/**
 * Somebody knows their password, and has lost everything else: the owners and admins of their home organization are told, and find it in
 * their audit log. Nothing about the account changes; they have to make sure who asks, and reset it themselves.
 */
export async function askForHelp(
  services: Services,
  input: { readonly assessment: Assessment; readonly origin: Origin; readonly clientId: string },
): Promise<HelpOutcome> {
  const { db, notify, settings } = services;
  const { user, memberships } = input.assessment;
  const home = homeOf(user, memberships);
  const administrators = home
    ? (await administratorsOf(db, home.organization.id)).filter(({ id }) => id !== user.id)
    : [];
  if (!home || administrators.length === 0) {
    return 'nobody';
  }
  if (!(await countAttempt(db, rule, limitSubject(rule, user.id))).ok) {
    return 'asked_before';
  }
  const { slug, id: organizationId } = home.organization;
  const url = new URL(`/organizations/${encodeURIComponent(slug)}/members/${user.id}`, settings.issuer).href;
  await db.together([
    auditEvent(db, input.origin, {
      type: 'help.asked',
      userId: user.id,
      organizationId,
      clientId: input.clientId,
      data: { told: administrators.length },
    }),
    ...changeMail(services, user, input.origin, 'help_asked'),
    ...administrators.map((administrator) =>
      notify.mail({
        to: administrator.email,
        locale: administrator.locale,
        template: 'help-asked',
        values: {
          name: administrator.name,
          person: user.name ?? user.email,
          email: user.email,
          url,
          at: db.clock.now().toISOString(),
          ip: input.origin.ip,
          userAgent: input.origin.userAgent,
        },
        organizationId,
      }),
    ),
  ]);
  return 'asked';
}

/** How long a request stands where nobody does anything about it. */
const standing = days(14);

/**
 * Where a member of this organization waits for help: when and from where they asked. It is done when somebody has reset their second
 * factor, they have set one up, or got in after all; that is read from what happened, so nobody has to close anything.
 */
export async function helpWanted(
  { db }: Pick<Services, 'db'>,
  { organization, actor }: OrganizationVisit,
  userId: string,
): Promise<{ readonly at: Date; readonly origin: Origin } | null> {
  requirePermission(actor, 'members.read');
  const since = new Date(db.clock.now().getTime() - standing);
  const about = { userId, organizationId: organization.id, type: 'help.asked' };
  const row = await openEvent(
    db,
    about,
    ['two_factor.reset', 'two_factor.reset_by_mail', 'factor.added'],
    since,
  );
  return row && { at: new Date(row.at), origin: { ip: row.ip, userAgent: row.user_agent } };
}
