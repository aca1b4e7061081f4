import type { Method } from '../policy/types.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What a person typed or a browser sent, already limited in size; every field may be anything. */
export type Answer = { readonly [field: string]: unknown };

/** Something that has to reach the user by another way. `values` fill the template and may hold a code: never logged. */
export interface Message {
  readonly by: 'email' | 'sms';
  readonly to: string;
  readonly template: string;
  readonly values: { readonly [name: string]: string | number };
}

/** The person and the set-up that a factor works for. */
export interface Subject {
  readonly now: Date;
  readonly userId: string;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly phone: string | null;
  /** The issuer's origin: where a browser's answer must come from. */
  readonly origin: string;
  /** The name that stands in an authenticator app beside the account: organization, company or instance. */
  readonly issuerName: string;
  /** The authenticator must verify its user, or the answer is of no use. */
  readonly mustVerify?: boolean;
  /** Only passkeys of these models may be set up, as certificates under `passkeyRoots` (PEM) attest them; null: any. */
  readonly passkeyModels?: readonly string[] | null;
  readonly passkeyRoots?: readonly string[];
  /** The confirmed factors of this method, with the data that `finishEnrolment` returned; empty while enrolling the first. */
  readonly factors: readonly { readonly id: string; readonly data: Json }[];
}

/** `keep` stays on the server, sealed, until the answer comes; `show` is all the view ever sees; the rest is delivered for the factor. */
export interface Step {
  readonly keep: Json;
  readonly show: Json;
  readonly send?: Message;
  /** Put before the person's approvers, who answer it on another device. */
  readonly ask?: { readonly request: string; readonly number: number; readonly until: Date };
}

export type Outcome =
  | {
      readonly ok: true;
      readonly factorId: string;
      /** What to store in place of the old data (a passkey's counter, say). */
      readonly data: Json;
      /** What must grow with every use: a time step, a signature counter. The write refuses one that does not. Null: nothing grows. */
      readonly highWater: number | null;
      readonly userVerified: boolean;
    }
  | {
      readonly ok: false;
      /** `copied`: right in all but its counter, so that the key may be in two places (WebAuthn Level 3, 7.2). */
      readonly reason: 'wrong' | 'expired' | 'pending' | 'declined' | 'copied';
    };

export type Enrolled =
  | {
      readonly ok: true;
      readonly data: Json;
      readonly highWater: number | null;
      readonly userVerified: boolean;
      /** What it is found by where nobody has said who they are (a passkey's credential). */
      readonly lookup?: string;
      /** The model of the authenticator, where its maker has attested it. */
      readonly model?: string;
      /** A number that the answer has proved, in E.164 form: the person's own where the profile has none. */
      readonly phone?: string;
    }
  | {
      readonly ok: false;
      /** Not yet: this comes next (a number is known, and a code is sent to it). */
      readonly step?: Step;
      /** What was wrong, where it can be said better than for all wrong answers. English; is translated. */
      readonly error?: string;
    };

/**
 * A second factor. It is pure: no koa, no database, no mail. The engine (flows/answer-challenge.ts, flows/enrol-factor.ts)
 * does limits, storage, single use, delivery and audit once for all factors. A factor never throws on an answer, whatever it is.
 */
export interface Factor {
  /** Also the name of its view, its `type` in the table and its word in the audit log. */
  readonly id: Method;
  /** English, as on the buttons of contract.md. */
  readonly label: string;
  /** One line for the page where a method is chosen. */
  readonly description: string;
  /**
   * True where answers are signatures. They cannot be guessed, so wrong ones never disable the factor; any of a person's factors of
   * the method may answer; and a challenge takes one answer only.
   */
  readonly isSignature?: boolean;
  /**
   * True where a challenge stands until somebody has answered it elsewhere, or it ends: it is not begun anew with each page, and
   * `verify` is given the answer as `approval` by the engine.
   */
  readonly waits?: boolean;
  /** False where this person cannot set it up: a code by mail needs a verified address. */
  isFor?(person: { readonly emailVerified: boolean; readonly phoneVerified: boolean }): boolean;
  /** RFC 8176 values that an answer adds, without `mfa`. */
  amr(data: Json): readonly string[];

  /** `before` is what the last step kept, where the same is sent once more. */
  startEnrolment(subject: Subject, before?: Json): Promise<Step>;
  finishEnrolment(subject: Subject, kept: Json, answer: Answer): Promise<Enrolled>;
  startChallenge(subject: Subject): Promise<Step>;
  verify(subject: Subject, kept: Json, answer: Answer): Promise<Outcome>;
}
