import { days } from '../../policy/days.ts';
import { defaultPolicy } from '../../policy/defaults.ts';
import type {
  ConfirmedFactor,
  Decision,
  Facts,
  Membership,
  Method,
  Organization,
  Policy,
  Proof,
  RememberedDevice,
} from '../../policy/types.ts';

export const now = new Date('2026-03-10T12:00:00Z');
export const minutesAgo = (n: number): Date => new Date(now.getTime() - n * 60_000);
export const secondsAgo = (n: number): Date => new Date(now.getTime() - n * 1000);
export const daysAgo = (n: number): Date => new Date(now.getTime() - days(n));
export const inDays = (n: number): Date => daysAgo(-n);

/** The authorization request arrived a minute ago. */
export const startedAt = minutesAgo(1);
/** Within this sign-in. */
export const justNow = secondsAgo(30);
/** In a session that exists already. */
export const earlier = minutesAgo(60);

export const acme: Organization = { id: 'o-acme', slug: 'acme', name: 'Acme Aviation' };
export const zeta: Organization = { id: 'o-zeta', slug: 'zeta', name: 'Zeta Yards' };

export const policy = (changes: Partial<Policy> = {}): Policy => ({
  ...defaultPolicy,
  changedAt: daysAgo(200),
  ...changes,
});

export const optional = policy();
export const recommended = policy({ requirement: 'recommended' });
/** Required of everybody since so many days, with a grace of 7 days unless it says otherwise. */
export const forAll = (since: number, changes: Partial<Policy> = {}): Policy =>
  policy({
    requirement: 'required_for_all',
    adminsRequiredSince: daysAgo(since),
    allRequiredSince: daysAgo(since),
    ...changes,
  });
export const forAdmins = (since: number, changes: Partial<Policy> = {}): Policy =>
  policy({ requirement: 'required_for_admins', adminsRequiredSince: daysAgo(since), ...changes });

export const member = (rules: Policy, changes: Partial<Membership> = {}): Membership => ({
  organization: acme,
  policy: rules,
  role: 'member',
  joinedAt: daysAgo(400),
  adminSince: changes.role && changes.role !== 'member' ? daysAgo(400) : null,
  graceStartedAt: null,
  ...changes,
});

export const factor = (method: Method, changes: Partial<ConfirmedFactor> = {}): ConfirmedFactor => ({
  id: `f-${method}`,
  method,
  usable: true,
  model: null,
  ...changes,
});
export const totp = factor('totp');
export const passkey = factor('passkey');
export const email = factor('email');
export const sms = factor('sms');
export const device = factor('device');
export const disabledTotp = factor('totp', { usable: false });

const amrs: Record<Proof['kind'], readonly string[]> = {
  password: ['pwd'],
  upstream: [],
  recovery_code: ['otp'],
  mailbox: [],
  passkey: ['hwk'],
  totp: ['otp'],
  device: ['swk'],
  sms: ['sms'],
  email: ['otp'],
};

export const proof = (kind: Proof['kind'], at: Date = justNow, changes: Partial<Proof> = {}): Proof => ({
  kind,
  at,
  factorId: ['password', 'upstream', 'recovery_code', 'mailbox'].includes(kind) ? null : `f-${kind}`,
  amr: amrs[kind],
  userVerified: false,
  ...changes,
});
export const verified = { userVerified: true };
export const password = proof('password');

export const remembered = (changes: Partial<RememberedDevice> = {}): RememberedDevice => ({
  id: 'd-1',
  createdAt: daysAgo(5),
  method: 'totp',
  ...changes,
});

export interface Changes extends Partial<Omit<Facts, 'user' | 'application' | 'choices' | 'request'>> {
  readonly user?: Partial<Facts['user']>;
  readonly application?: Partial<Facts['application']>;
  readonly choices?: Partial<Facts['choices']>;
  readonly request?: Partial<Facts['request']>;
}

/** Somebody without organization or factor, who has just typed their password; everything else by changes. */
export const facts = (changes: Changes = {}): Facts => ({
  now,
  memberships: [],
  instancePolicy: optional,
  available: ['passkey', 'totp', 'device', 'sms', 'email'],
  proofs: [password],
  remembered: null,
  ...changes,
  user: {
    factors: [],
    preferredFactorId: null,
    recoveryCodesLeft: 0,
    everHadFactor: (changes.user?.factors ?? []).length > 0,
    resetAt: null,
    emailVerified: true,
    postponedUntil: null,
    ...changes.user,
  },
  application: { clientId: 'crm', organizationId: null, assurance: 'none', ...changes.application },
  choices: { skippedAt: null, dismissedAt: null, ...changes.choices },
  request: { startedAt, login: false, maxAge: null, acrValues: [], essential: false, ...changes.request },
});

/** A decision in few words, so that a table of them can be read. */
export function told(decision: Decision): string {
  switch (decision.kind) {
    case 'sign_in':
      return 'sign_in';
    case 'allow':
      return `allow ${decision.why} ${decision.assurance.acr.replace('urn:sallyport:acr:', '')}`;
    case 'challenge':
      return [
        'challenge',
        decision.factors.map(({ method }) => method).join(),
        decision.recoveryCode ? '+recovery' : '',
        decision.rememberDays === null ? '' : `remember ${decision.rememberDays}`,
      ]
        .filter(Boolean)
        .join(' ');
    case 'enrol': {
      const { wayOut, reason, methods, mailboxFirst } = decision;
      const out = wayOut.kind === 'skip' ? `skip until ${wayOut.until.toISOString()}` : wayOut.kind;
      const who = reason.kind === 'organization' ? reason.organization.slug : reason.kind;
      return `enrol ${methods.join()} | ${out} | ${who}${mailboxFirst ? ' | mailbox first' : ''}`;
    }
    case 'refuse':
      return `refuse ${decision.why}${decision.unmet ? ' unmet' : ''}`;
  }
}
