import { auditEvent, type Origin } from '../audit/audit.ts';
import { isDuplicate, type Statement } from '../entities/database.ts';
import { addUser } from '../entities/users.ts';
import { newId } from '../lib/id.ts';
import { longestName, oneLine } from '../lib/one-line.ts';
import { type NewPasswordProblem, newPasswordProblem } from './new-password.ts';
import type { Services } from './services.ts';

export type Registration =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly problem: NewPasswordProblem }
  /** What let them in was used or taken back meanwhile, or the address has an account by now. */
  | { readonly kind: 'ended' };

/** What somebody types who makes an account of their own. */
export interface NewAccount {
  readonly name: string;
  readonly password: string;
  readonly locale: string | null;
  readonly origin: Origin;
}

/** Makes an account with an address that is proved, by something that works once. It signs nobody in. */
export async function makeAccount(
  { db, passwords }: Pick<Services, 'db' | 'passwords'>,
  typed: NewAccount,
  given: {
    readonly email: string;
    readonly home: { readonly id: string; readonly name: string } | null;
    /** Uses up what let them in; the write that decides who was first. */
    readonly use: (now: Date) => Statement;
    /** What belongs to the account from its first moment. */
    readonly join?: (userId: string, now: Date) => readonly Statement[];
    /** For the audit log. */
    readonly data?: Readonly<Record<string, string>>;
  },
): Promise<Registration> {
  const { email, home, use, join, data } = given;
  const { origin, locale } = typed;
  const name = oneLine(typed.name, longestName) || null;
  const problem = newPasswordProblem(typed.password, {
    user: { email, name },
    ...(home ? { words: [home.name] } : {}),
  });
  if (problem) {
    return { kind: 'refused', problem };
  }
  const passwordHash = await passwords.hash(typed.password);
  const now = db.clock.now();
  const id = newId(now);
  try {
    const first = await db.together([
      use(now),
      addUser(db, {
        id,
        email,
        emailVerified: true,
        name,
        locale,
        passwordHash,
        homeOrganizationId: home?.id ?? null,
        now,
      }),
      ...(join?.(id, now) ?? []),
      auditEvent(db, origin, {
        type: 'user.registered',
        userId: id,
        ...(home ? { organizationId: home.id } : {}),
        ...(data ? { data } : {}),
      }),
    ]);
    return { kind: first ? 'done' : 'ended' };
  } catch (error) {
    if (isDuplicate(error)) {
      return { kind: 'ended' };
    }
    throw error;
  }
}
