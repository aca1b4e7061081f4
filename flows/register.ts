import { setTimeout as sleep } from 'node:timers/promises';
import type { Origin } from '../audit/audit.ts';
import { useLink } from '../entities/one-time-links.ts';
import { isRegistrationOpen } from '../entities/organizations.ts';
import { canonicalEmail, languageFor, userByEmail } from '../entities/users.ts';
import { addressRange } from '../lib/address-range.ts';
import { digest } from '../lib/digest.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { countAttempt, limitSubject, rules } from '../limits/attempts.ts';
import { makeAccount, type NewAccount, type Registration } from './new-account.ts';
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
    [rules.send, ['registration', digest(email)]],
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
  { link, ...typed }: NewAccount & { readonly link: FoundLink },
): Promise<Registration> {
  const { email } = link.data;
  if (email === undefined || !(await isRegistrationOpen(services.db))) {
    return { kind: 'ended' };
  }
  return makeAccount(services, typed, { email, home: null, use: (now) => useLink(link.idDigest, now) });
}
