import { setTimeout as sleep } from 'node:timers/promises';
import { auditEvent, type Origin } from '../audit/audit.ts';
import { isDuplicate } from '../entities/database.ts';
import { useLink } from '../entities/one-time-links.ts';
import { isRegistrationOpen } from '../entities/organizations.ts';
import { addUser, canonicalEmail, languageFor, userByEmail } from '../entities/users.ts';
import { addressRange } from '../lib/address-range.ts';
import { digest } from '../lib/digest.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { newId } from '../lib/id.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import type { Registration } from './invitations.ts';
import { newPasswordProblem } from './new-password.ts';
import { type FoundLink, makeLink } from './one-time-link.ts';
import type { Services } from './services.ts';

/** As with a forgotten password: the time says nothing about who has an account. */
const answerAfter = 400;

/**
 * Sends a link to whoever wants an account here; nothing is stored about them before it is followed. An address that has an account is
 * told so by mail, and nobody else is. False where the instance lets nobody register.
 */
export async function askToRegister(
  services: Services,
  input: { readonly email: unknown; readonly locale: string | null; readonly origin: Origin },
): Promise<boolean> {
  if (!(await isRegistrationOpen(services.db))) {
    return false;
  }
  const answer = sleep(answerAfter);
  try {
    await sendLink(services, input);
  } finally {
    await answer;
  }
  return true;
}

async function sendLink(
  services: Services,
  { email: typed, locale, origin }: Parameters<typeof askToRegister>[1],
): Promise<void> {
  const { db, notify, settings } = services;
  const email = typeof typed === 'string' && typed.length <= 320 ? canonicalEmail(typed) : '';
  if (asciiAddress(email) === null) {
    return;
  }
  for (const [rule, subject] of [
    [rules.destination, ['registration', digest(email)]],
    [rules.mailsFromRange, [addressRange(origin.ip)]],
  ] as const) {
    if (!(await countAttempt(db, rule, limitSubject(rule, ...subject))).ok) {
      return;
    }
  }
  const user = await userByEmail(db, email);
  const link = user ? null : makeLink(services, 'register', 'nobody', { email });
  await db.together([
    ...(link ? [link.statement] : []),
    notify.mail({
      to: email,
      locale: (user && languageFor(user)) ?? locale,
      template: 'register',
      values: {
        name: user?.name ?? null,
        known: user ? 1 : 0,
        url: link?.url ?? new URL('/forgotten-password', settings.issuer).href,
      },
    }),
  ]);
}

/** Makes the account of whoever has followed the link: once, with the address that is proved by it. It signs nobody in. */
export async function register(
  services: Services,
  input: {
    readonly link: FoundLink;
    readonly name: string;
    readonly password: string;
    readonly locale: string | null;
    readonly origin: Origin;
  },
): Promise<Registration> {
  const { db, passwords } = services;
  const { link, origin, locale } = input;
  const { email } = link.data;
  if (email === undefined || !(await isRegistrationOpen(db))) {
    return { kind: 'ended' };
  }
  const name = input.name.trim().slice(0, 200) || null;
  const problem = newPasswordProblem(input.password, { user: { email, name } });
  if (problem) {
    return { kind: 'refused', problem };
  }
  const passwordHash = await passwords.hash(input.password);
  const now = db.clock.now();
  const id = newId(now);
  try {
    const first = await db.together([
      useLink(link.idDigest, now),
      addUser(db, {
        id,
        email,
        emailVerified: true,
        name,
        locale,
        passwordHash,
        homeOrganizationId: null,
        now,
      }),
      auditEvent(db, origin, { type: 'user.registered', userId: id }),
    ]);
    return { kind: first ? 'done' : 'ended' };
  } catch (error) {
    if (isDuplicate(error)) {
      return { kind: 'ended' };
    }
    throw error;
  }
}
