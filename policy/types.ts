import type { SessionLengths } from './session-lengths.ts';

/**
 * The values that a policy decision is made of. Nothing here knows about HTTP, the database or a clock:
 * whoever asks brings the facts, and `now` is one of them.
 */

/** Second-factor methods, strongest first. Recovery codes are a backup and no method. */
export const methods = ['passkey', 'totp', 'device', 'sms', 'email'] as const;
export type Method = (typeof methods)[number];

export const requirements = ['optional', 'recommended', 'required_for_admins', 'required_for_all'] as const;
export type Requirement = (typeof requirements)[number];

export const roles = ['owner', 'admin', 'member'] as const;
export type Role = (typeof roles)[number];

export const applicationAssurances = ['none', 'second_factor', 'fresh_second_factor', 'passkey'] as const;
export type ApplicationAssurance = (typeof applicationAssurances)[number];

/** An organization's rules (product.md §2), or the instance's for people without an organization. */
export interface Policy {
  readonly requirement: Requirement;
  /** What holds for members who are neither owner nor admin under `required_for_admins`. */
  readonly others: 'optional' | 'recommended';
  /** Whole days, 0 to 90. */
  readonly graceDays: number;
  readonly methods: readonly Method[];
  /** Days for which a remembered device is accepted; 0 turns remembering off. */
  readonly rememberDeviceDays: number;
  /** Models of passkeys (AAGUIDs) that count, as their makers attest them; null: any passkey does. */
  readonly passkeyModels: readonly string[] | null;
  /** How long members stay signed in, whatever applications the policy covers: a session is one for all. */
  readonly sessions: SessionLengths;
  /** `all`, or the client_ids that the policy covers. */
  readonly applications: 'all' | readonly string[];
  /** When owners and admins began to be required; null where they are not. */
  readonly adminsRequiredSince: Date | null;
  /** When everybody began to be required; null where not everybody is. */
  readonly allRequiredSince: Date | null;
  /** Any change forgets the devices that were remembered before it. */
  readonly changedAt: Date;
}

export interface Organization {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
}

export interface Membership {
  readonly organization: Organization;
  readonly policy: Policy;
  readonly role: Role;
  /** When the person first joined, ever; leaving and rejoining does not move it. */
  readonly joinedAt: Date;
  /** When the person first became owner or admin; null for members who never were. */
  readonly adminSince: Date | null;
  /** When grace once started for this person here, as it was recorded; null where it never did. */
  readonly graceStartedAt: Date | null;
}

/** A factor that was confirmed by one successful use. */
export interface ConfirmedFactor {
  readonly id: string;
  readonly method: Method;
  /** False where 100 wrong answers in a row have disabled it (NIST SP 800-63B-4, 3.2.2). */
  readonly usable: boolean;
  /** The model of a passkey whose maker has attested it (AAGUID); null for all else. */
  readonly model: string | null;
}

/**
 * One thing that was proved, and when. `password`, `upstream` and a user-verified passkey can be the first step;
 * `mailbox` is the code sent to the verified address before a set-up that follows an admin's reset, and never a factor.
 */
export interface Proof {
  readonly kind: 'password' | 'upstream' | 'recovery_code' | 'mailbox' | Method;
  readonly at: Date;
  /** The confirmed factor that answered, or the sign-in at the upstream provider; null for password, recovery code and mailbox. */
  readonly factorId: string | null;
  /**
   * RFC 8176 values that this proof adds, without `mfa`, which follows from the whole. Only an upstream provider's word has it: it is
   * trusted to have asked for a second factor itself.
   */
  readonly amr: readonly string[];
  /** An upstream provider that did not say when: `at` is when its word came, and no request for a recent proof is met by it. */
  readonly ageUnknown?: boolean;
  /** Only ever true of a passkey whose authenticator verified its user. */
  readonly userVerified: boolean;
}

/** What the user chose in this sign-in or session instead of setting up. */
export interface Choices {
  /** "Skip for now" within grace. */
  readonly skippedAt: Date | null;
  /** "Not now" where setting up is recommended. */
  readonly dismissedAt: Date | null;
}

/** A browser that was remembered for this very user and is still valid: not revoked, secret right, no security change since. */
export interface RememberedDevice {
  readonly id: string;
  readonly createdAt: Date;
  /** The method that was used when it was remembered. */
  readonly method: Method;
}

export interface User {
  readonly factors: readonly ConfirmedFactor[];
  readonly preferredFactorId: string | null;
  readonly recoveryCodesLeft: number;
  /** True once any factor was ever confirmed, also when it is gone. */
  readonly everHadFactor: boolean;
  /** An admin's reset that has not been answered by a new set-up yet. */
  readonly resetAt: Date | null;
  /** A reset by mail whose link this very browser has followed: what there is stays until the new set-up is confirmed. */
  readonly isReplacing?: boolean;
  readonly emailVerified: boolean;
  /** "Do not ask for 30 days" on the recommended page. */
  readonly postponedUntil: Date | null;
}

/** What the authorization request asks for. */
export interface AssuranceRequest {
  /** When the authorization request arrived; on resuming it, still that first moment. */
  readonly startedAt: Date;
  /** `prompt=login`: nothing proved before `startedAt` counts. */
  readonly login: boolean;
  /** Seconds (OpenID Connect Core 3.1.2.1), null where not asked. */
  readonly maxAge: number | null;
  /** Values of `acr_values` or of the `acr` claim, in order of preference; empty where not asked. */
  readonly acrValues: readonly string[];
  /** True where the `acr` claim was requested as essential. */
  readonly essential: boolean;
}

export interface Facts {
  readonly now: Date;
  readonly user: User;
  readonly memberships: readonly Membership[];
  /** Rules where no organization's policy covers the request. */
  readonly instancePolicy: Policy;
  /** Methods that this instance can offer this person now: those that have no gateway or no address are not among them. */
  readonly available: readonly Method[];
  readonly application: {
    readonly clientId: string;
    readonly organizationId: string | null;
    readonly assurance: ApplicationAssurance;
  };
  readonly proofs: readonly Proof[];
  readonly choices: Choices;
  readonly remembered: RememberedDevice | null;
  readonly request: AssuranceRequest;
}

export interface Assurance {
  readonly acr: string;
  readonly amr: readonly string[];
  /** When the last of it was proved, for `auth_time`; null where nobody knows: an upstream provider did not say, and nothing followed. */
  readonly provedAt: Date | null;
}

/** Who asks for a set-up: the person's organization, the instance, the application, the request, or an admin's reset. */
export type EnrolReason =
  | { readonly kind: 'organization'; readonly organization: Organization }
  | { readonly kind: 'instance' }
  | { readonly kind: 'application' }
  | { readonly kind: 'request' }
  | { readonly kind: 'reset' };

/** How the set-up page may be left without setting up. */
export type WayOut =
  | { readonly kind: 'none' }
  /** "Skip for now", until the deadline. */
  | { readonly kind: 'skip'; readonly until: Date }
  /** "Not now": recommended only. */
  | { readonly kind: 'dismiss' };

export type Decision =
  /** The first factor is needed, for the first time or again (`prompt=login`, `max_age`). */
  | { readonly kind: 'sign_in' }
  | {
      readonly kind: 'allow';
      readonly assurance: Assurance;
      readonly why: 'satisfied' | 'remembered' | 'not_required' | 'skipped' | 'dismissed';
    }
  | {
      readonly kind: 'challenge';
      /** Only a passkey that verified its user will do. */
      readonly userVerified: boolean;
      /** Factors to offer, preferred first; empty where only a recovery code is left. */
      readonly factors: readonly ConfirmedFactor[];
      readonly recoveryCode: boolean;
      /** Days for which "Remember this device" may be offered, or null. */
      readonly rememberDays: number | null;
    }
  | {
      readonly kind: 'enrol';
      /** Methods to offer, strongest first; never empty. */
      readonly methods: readonly Method[];
      readonly wayOut: WayOut;
      readonly reason: EnrolReason;
      /** True where a code sent to the verified address must be answered before anything is set up. */
      readonly mailboxFirst: boolean;
    }
  | {
      readonly kind: 'refuse';
      readonly why: 'no_method_available' | 'no_usable_factor' | 'no_verified_email' | 'unknown_acr';
      /** True where the request's own demand cannot be met: `unmet_authentication_requirements`. */
      readonly unmet: boolean;
    };
