import { factorFor } from '../factors/index.ts';
import type { LastSignIn, MemberEntry } from '../flows/read-members.ts';
import type { MemberRow, Option, Tag } from '../http/organization-pages.ts';
import type { Sentence } from '../http/pages.ts';
import { daysUntil } from '../lib/clock.ts';
import type { Method, Role } from '../policy/types.ts';

/** How the admin pages say what flows give them. */

export const roleLabels: Readonly<Record<Role, string>> = {
  owner: 'Owner',
  admin: 'Admin',
  member: 'Member',
};

export const methodLabel = (method: Method): string => factorFor(method).label;

export function stateTag(member: Pick<MemberEntry, 'state' | 'isDisabled' | 'isReset'>, now: Date): Tag {
  if (member.isDisabled) return { tone: 'plain', text: 'Disabled' };
  const { state } = member;
  switch (state.kind) {
    case 'set_up':
      return { tone: 'ok', text: 'Set up' };
    case 'in_grace': {
      const n = daysUntil(state.until, now);
      if (n <= 1) return { tone: 'warn', text: 'Last day' };
      return { tone: 'warn', text: { sentence: '{n} day left|{n} days left', values: { n } } };
    }
    case 'overdue':
      return member.isReset
        ? { tone: 'warn', text: 'Reset, sets up anew' }
        : { tone: 'danger', text: 'Overdue' };
    case 'recommended':
      return { tone: 'plain', text: 'Recommended' };
    default:
      return { tone: 'plain', text: 'Not required' };
  }
}

export function signInWords(lastSignIn: LastSignIn): Sentence {
  switch (lastSignIn.acr) {
    case 'phr':
      return 'with a passkey';
    case 'urn:sallyport:acr:2fa':
      return 'with a second factor';
    case 'urn:sallyport:acr:2sv':
      return 'with a code by e-mail';
    case 'urn:sallyport:acr:remembered':
      return 'on a remembered device';
    default:
      return 'password only';
  }
}

export const memberRow = (member: MemberEntry, base: string, now: Date): MemberRow => ({
  url: `${base}/members/${encodeURIComponent(member.id)}`,
  name: member.name ?? member.email,
  email: member.email,
  role: roleLabels[member.role],
  methods: member.methods.map(methodLabel),
  tag: stateTag(member, now),
  lastSignIn: member.lastSignIn && { at: member.lastSignIn.at, how: signInWords(member.lastSignIn) },
});

/** The options of a choice, in order. */
export const options = (
  all: readonly (readonly [value: string, label: Sentence, hint?: Sentence])[],
  chosen: string,
): Option[] => all.map(([value, label, hint = null]) => ({ value, label, hint, chosen: value === chosen }));
