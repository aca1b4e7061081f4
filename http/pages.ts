import type { Method, Role } from '../policy/types.ts';
import type { OrganizationPages } from './organization-pages.ts';

/**
 * What each view needs. A route prepares these values and calls `render(name, locals)`; the names of the views are the
 * keys of `Pages`. Sentences are English and are translated in the view, so a route never translates anything; whatever
 * a person, an organization or an application chose (names, addresses) goes into `values`, never into the sentence.
 */

export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

/** What stands in the places of a sentence: as it is, or a sentence itself. */
export type Values = { readonly [name: string]: string | number | FilledSentence };

export interface FilledSentence {
  readonly sentence: string;
  readonly values: Values;
}

/** An English sentence, or one with `{placeholders}`. With a number `n`, `one form|other form` chooses by it. */
export type Sentence = string | FilledSentence;

export interface Brand {
  readonly name: string;
  /** One letter for the square where there is no logo. */
  readonly initial: string;
  /** Of our own origin: the content security policy allows no other. */
  readonly logoUrl: string | null;
  /** A stylesheet of our own origin that sets `:root { --brand: <colour> }` and nothing else; the page makes it readable. */
  readonly stylesheet: string | null;
}

export interface LanguageChoice {
  readonly lang: string;
  /** In its own language: "Deutsch". */
  readonly label: string;
  readonly url: string;
}

export interface Link {
  readonly label: Sentence;
  readonly url: string;
}

export interface HiddenField {
  readonly name: string;
  readonly value: string;
}

export interface Common {
  readonly lang: Language;
  readonly brand: Brand;
  /** The application that the person is going to; null where there is none. */
  readonly applicationName: string | null;
  /** The e-mail address that is signing in; null before it is known. */
  readonly account: string | null;
  /** The value of the hidden field `_csrf` of every form. */
  readonly csrf: string;
  readonly languages: readonly LanguageChoice[];
  /** GET: starts over with another account. Shown beside `account`. */
  readonly notYou: string | null;
  /** Help, privacy and the like, at the bottom. */
  readonly links: readonly Link[];
  /** What the first of the two doors is called; "Password" where it is not given. */
  readonly firstDoor?: Sentence;
}

export interface Note {
  readonly tone: 'info' | 'ok' | 'warn' | 'danger';
  readonly text: Sentence;
}

export interface NavItem extends Link {
  /** `page`: it is being looked at; `section`: a page below it is. */
  readonly current: 'page' | 'section' | null;
}

/** What stands around every page of somebody who is signed in. */
export interface Frame {
  /** "Your account", beside the brand and as the name of the navigation. */
  readonly section: Sentence;
  readonly pages: readonly NavItem[];
  /** What the person is called. */
  readonly person: string;
  /** GET. */
  readonly account: string;
  /** Organizations that the person administers; GET. */
  readonly organizations: readonly { readonly name: string; readonly url: string }[];
  /** POST, "Sign out". */
  readonly signOut: string;
  /** What happened a moment ago. */
  readonly flash: Note | null;
}

/** A page of somebody who is signed in. */
export interface FramedPage extends Common {
  readonly frame: Frame;
}

/** One question before something that hurts: what will happen, the button that does it, and the way back. */
export interface ConfirmPage extends FramedPage {
  readonly title: Sentence;
  /** What will happen, one sentence each. */
  readonly consequences: readonly Sentence[];
  /** POST with `hidden`. */
  readonly action: string;
  readonly hidden: readonly HiddenField[];
  readonly button: Sentence;
  readonly tone: 'danger' | 'primary';
  /** True where the password must be typed as well. */
  readonly password: boolean;
  readonly passwordError: Sentence | null;
  /** GET. */
  readonly cancel: string;
}

export interface ListedFactor {
  readonly method: Method;
  readonly label: Sentence;
  /** What the person calls it. */
  readonly name: Sentence | null;
  /** Where its codes go. */
  readonly to: string | null;
  readonly addedAt: Date;
  readonly usedAt: Date | null;
  readonly isPreferred: boolean;
  /** Too many wrong answers: it must be set up again. */
  readonly isClosed: boolean;
  /** GET. */
  readonly url: string;
}

export interface ListedDevice {
  readonly name: Sentence | null;
  readonly from: string | null;
  readonly usedAt: Date;
  readonly until: Date;
  readonly isThis: boolean;
  /** POST. */
  readonly forget: string;
}

export interface AccountOverviewPage extends FramedPage {
  readonly isOn: boolean;
  /** Signed in with a recovery code, and no factor used since. */
  readonly recovered: boolean;
  /** Why it cannot be turned off; null where it can. */
  readonly required: Sentence | null;
  readonly factors: readonly ListedFactor[];
  /** POST; null where there is nothing to add. */
  readonly add: string | null;
  /** POST; null where it is off, or may not be. */
  readonly disable: string | null;
  readonly codesLeft: number;
  /** POST; each null where it is not offered. */
  readonly showCodes: string | null;
  readonly regenerate: string | null;
  readonly devices: readonly ListedDevice[];
  /** POST. */
  readonly forgetAll: string;
  /** GET. */
  /** Accounts of other providers; the way to disconnect one is a GET. */
  readonly connections: readonly {
    readonly name: string;
    readonly email: string | null;
    readonly since: Date;
    readonly usedAt: Date | null;
    readonly remove: string;
  }[];
  /** Providers that could be connected; the way is a GET. */
  readonly connectable: readonly { readonly name: string; readonly url: string }[];
  /** GET; `isFirst` where there is none yet. */
  readonly password: { readonly url: string; readonly isFirst: boolean };
}

export interface AccountFactorPage extends FramedPage {
  readonly method: Method;
  readonly label: Sentence;
  /** What the person calls it; null where nothing. */
  readonly givenName: Sentence | null;
  readonly addedAt: Date;
  readonly usedAt: Date | null;
  readonly isPreferred: boolean;
  readonly isClosed: boolean;
  /** POST name. */
  readonly action: string;
  /** POST; null where it is the only one. */
  readonly prefer: string | null;
  /** GET. */
  readonly remove: string;
  readonly back: string;
}

export interface AccountRecoveryCodesPage extends FramedPage {
  /** Stands above them in a file, on paper and in what is copied. */
  readonly head: readonly Sentence[];
  readonly codes: readonly string[];
  readonly back: string;
}

export interface AccountPasswordPage extends FramedPage {
  /** The person has had none until now. */
  readonly isFirst: boolean;
  /** POST password. */
  readonly action: string;
  readonly error: Sentence | null;
  readonly back: string;
}

export interface ForgottenPasswordPage extends Common {
  /** POST email. */
  readonly action: string;
  /** The answer, the same for every address. */
  readonly sent: boolean;
  readonly back: string;
}

export interface ResetPasswordPage extends Common {
  /** POST password. */
  readonly action: string;
  readonly done: boolean;
  readonly error: Sentence | null;
  readonly signIn: string;
}

export interface InvitationPage extends Common {
  readonly organizationName: string;
  /** Whom it is for; it cannot be changed. */
  readonly email: string;
  readonly givenName: string;
  /** GET, "Sign in and join", for an address that has an account; null: a form for a new one. */
  readonly join: string | null;
  /** POST name, password. */
  readonly action: string;
  readonly error: Sentence | null;
  /** The account is made. */
  readonly done: boolean;
  readonly signIn: string;
}

export interface ListedSession {
  readonly name: Sentence | null;
  readonly from: string | null;
  readonly startedAt: Date;
  readonly seenAt: Date;
  readonly applications: readonly string[];
  readonly isThis: boolean;
  /** POST. */
  readonly end: string;
}

export interface AccountSessionsPage extends FramedPage {
  readonly sessions: readonly ListedSession[];
  /** POST; null where there are no others. */
  readonly endOthers: string | null;
}

export interface ListedEvent {
  readonly text: Sentence;
  readonly tone: 'ok' | 'info' | 'warn' | 'danger';
  readonly at: Date;
  /** What was proved. */
  readonly how: readonly Sentence[];
  readonly applicationName: string | null;
  /** Null where it is not told. */
  readonly place: { readonly device: Sentence | null; readonly from: string | null } | null;
}

export interface AccountHistoryPage extends FramedPage {
  readonly showing: 'signIns' | 'changes';
  /** GET: the one of both that is not shown. */
  readonly other: string;
  readonly events: readonly ListedEvent[];
  /** GET. */
  readonly older: string | null;
}

export interface AccountApplicationsPage extends FramedPage {
  readonly applications: readonly {
    readonly name: string;
    readonly organizationName: string | null;
    readonly scopes: readonly Sentence[];
    readonly since: Date;
    /** POST. */
    readonly revoke: string;
  }[];
}

export interface ListedOrganization {
  readonly name: string;
  readonly role: 'owner' | 'admin' | 'member';
  readonly requirement: 'none' | 'recommended' | 'must';
  /** The person has a factor that it counts. */
  readonly isMet: boolean;
  /** Until when setting up may be skipped; null where it may not, or need not. */
  readonly until: Date | null;
  readonly methods: readonly Sentence[];
  readonly rememberDays: number;
  /** How long a sign-in lasts without use, and in all. */
  readonly idle: Sentence;
  readonly whole: Sentence;
  readonly isHome: boolean;
  /** GET: its pages, for owners and admins. */
  readonly url: string | null;
}

export interface AccountOrganizationsPage extends FramedPage {
  readonly organizations: readonly ListedOrganization[];
}

export interface AccountProfilePage extends FramedPage {
  readonly givenName: string;
  readonly locale: Language | null;
  readonly email: string;
  readonly emailVerified: boolean;
  readonly phone: string | null;
  readonly phoneVerified: boolean;
  /** POST name, locale. */
  readonly action: string;
  /** GET. */
  readonly changeEmail: string;
  /** POST. */
  readonly verifyEmail: string;
  /** Codes for signing in go to it too. */
  readonly phoneIsFactor: boolean;
  /** GET; null where no text message can be sent. */
  readonly changePhone: string | null;
  /** GET; null where there is none, or codes go to it. */
  readonly removePhone: string | null;
}

export interface AccountPhonePage extends FramedPage {
  readonly now: string | null;
  readonly phoneIsFactor: boolean;
  readonly typed: string;
  /** POST phone. */
  readonly action: string;
  readonly error: Sentence | null;
  readonly back: string;
}

export interface AccountPhoneCodePage extends FramedPage {
  readonly number: string;
  readonly typed: string;
  /** POST code. */
  readonly action: string;
  readonly resend: Resend | null;
  readonly error: Sentence | null;
  /** GET: another number. */
  readonly another: string;
  readonly back: string;
}

export interface AccountEmailPage extends FramedPage {
  readonly now: string;
  readonly typed: string;
  /** POST email. */
  readonly action: string;
  readonly error: Sentence | null;
  readonly back: string;
}

export interface ConfirmEmailPage extends Common {
  readonly email: string;
  /** POST. */
  readonly action: string;
  readonly done: boolean;
  /** GET. */
  readonly next: string;
}

export interface HelpPage extends Common {
  /** Whose owners and admins can help; null where there are none. */
  readonly organizationName: string | null;
  /** GET; null where none is left. */
  readonly useRecoveryCode: string | null;
  /** What came of asking; null before. */
  readonly outcome: 'asked' | 'asked_before' | 'nobody' | null;
  /** https or mailto of the people who run this site; null where none is known. */
  readonly contact: Link | null;
  /** POST. */
  readonly action: string;
  readonly back: string;
}

export interface RegisterPage extends Common {
  readonly step: 'address' | 'sent' | 'password' | 'done';
  readonly email: string;
  readonly givenName: string;
  /** POST email; then name, password. */
  readonly action: string;
  readonly error: Sentence | null;
  readonly signIn: string;
}

export interface NotMePage extends Common {
  /** What of the mail's news is undone. */
  readonly undoes: readonly ('address' | 'phone' | 'no phone' | 'factor' | 'codes' | 'connection')[];
  /** The provider by which somebody signs in who has no password. */
  readonly elsewhere: string | null;
  /** POST. */
  readonly action: string;
}

/** On the way to another provider; the browser goes on by itself. */
export interface GoOnPage extends Common {
  readonly why: 'sign_in' | 'sign_out' | 'connect';
  readonly to: string;
  readonly url: string;
}

/** Signing in to one's own account once more, so that another provider's is connected to it. */
export interface ConnectAccountPage extends Common {
  readonly providerName: string;
  /** POST password. */
  readonly action: string;
  readonly email: string;
  readonly passwordError: Sentence | null;
  /** Why another provider did not help; null where none was tried. */
  readonly upstreamError: Sentence | null;
  /** POST: other providers that the account is connected to already. */
  readonly upstreams: SignInPage['upstreams'];
  readonly passkey: SignInPage['passkey'];
  readonly forgotten: string;
  /** POST: signs in without connecting anything. */
  readonly leave: string;
  readonly cancel: string | null;
}

export interface SignInPage extends Common {
  /** GET, "Forgotten your password?"; null where there is no such way. */
  readonly forgotten: string | null;
  /** GET, "Create an account"; null where nobody may by themselves. */
  readonly register: string | null;
  /** POST email, password. */
  readonly action: string;
  readonly email: string;
  readonly emailError: Sentence | null;
  readonly passwordError: Sentence | null;
  readonly note: Note | null;
  /** Why nobody came in by another provider; null where that was not tried. */
  readonly upstreamError: Sentence | null;
  /** POST: other providers that sign people in here. */
  readonly upstreams: readonly { readonly name: string; readonly action: string }[];
  /** POST email: leads to the provider of its domain; null where there is none at all. */
  readonly discover: string | null;
  /** Where a passkey can be the whole sign-in: POST for the browser's question, and POST with its answer; null where off. */
  readonly passkey: {
    readonly question: string;
    readonly action: string;
    readonly error: Sentence | null;
  } | null;
  /** POST: gives up and goes back to the application. */
  readonly cancel: string | null;
}

/** "Send a new code": POST to `action`; the server's own limit decides, the seconds are for the count-down. */
export interface Resend {
  readonly action: string;
  /** When the one was sent that the new one takes the place of: a form that comes once more sends nothing. */
  readonly after: number;
  readonly secondsLeft: number;
}

/**
 * What a factor's own view shows: `views/factors/<method>.ejs` in a challenge, `<method>-enrol.ejs` in a set-up. Beside the method
 * it is what the factor itself has given to be shown.
 */
export interface ShownFactor {
  readonly method: Method;
  readonly [name: string]: unknown;
}

export interface ChallengePage extends Common {
  /** POST code, remember. */
  readonly action: string;
  readonly factor: ShownFactor;
  /** Where the factor has sent something: once more. */
  readonly resend: Resend | null;
  /** What was typed before, shown again beside the error; empty at first. */
  readonly typed: string;
  readonly error: Sentence | null;
  readonly note: Note | null;
  /** Null where remembering is not offered. */
  readonly rememberDays: number | null;
  readonly rememberChecked: boolean;
  /** GET; null where there is no other factor. */
  readonly tryAnotherWay: string | null;
  /** GET; null where no recovery code may be used. */
  readonly useRecoveryCode: string | null;
  /** GET, for whoever has none of these any more. */
  readonly help: string;
}

export interface ChallengeRecoveryPage extends Common {
  /** POST code. */
  readonly action: string;
  readonly typed: string;
  readonly error: Sentence | null;
  /** GET, back to a factor ("Use your authenticator app instead"); null where no factor is left. */
  readonly back: Link | null;
  /** GET, for whoever has none of these any more. */
  readonly help: string;
}

export interface FactorChoice {
  readonly method: Method;
  readonly label: Sentence;
  readonly description: Sentence;
  /** GET. */
  readonly url: string;
}

export interface ChooseFactorPage extends Common {
  readonly factors: readonly FactorChoice[];
  /** GET; null where no recovery code may be used. */
  readonly useRecoveryCode: string | null;
  /** GET; null where there is nothing to go back to. */
  readonly back: string | null;
  /** GET, for whoever has none of these any more. */
  readonly help: string;
}

/** How the set-up may be left; `action` is a POST (with `postpone` where dismissed). */
export type WayOutForm =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'skip';
      readonly action: string;
      readonly until: Date;
      /** Whole days, 0 on the last one. */
      readonly daysLeft: number;
    }
  /** Whoever set out of their own will is not asked by itself, so there is nothing to put off. */
  | { readonly kind: 'dismiss'; readonly action: string; readonly canPostpone: boolean };

/** Who asks for the set-up. */
export type EnrolWhy =
  | { readonly kind: 'organization'; readonly organizationName: string; readonly who: 'everyone' | 'admins' }
  | { readonly kind: 'recommended'; readonly organizationName: string | null }
  | { readonly kind: 'instance' }
  | { readonly kind: 'application' }
  | { readonly kind: 'reset' }
  /** Nobody: the person wants it. */
  | { readonly kind: 'wanted' }
  /** The same, beside what there is. */
  | { readonly kind: 'another' }
  /** The same, in place of what was lost. */
  | { readonly kind: 'anew' };

export interface MethodChoice {
  readonly method: Method;
  /** The factor's own `label` and `description`. */
  readonly label: Sentence;
  readonly description: Sentence;
  /** It is of no use in a browser without JavaScript. */
  readonly needsScript: boolean;
}

export interface EnrolPage extends Common {
  /** POST method. */
  readonly action: string;
  readonly why: EnrolWhy;
  readonly methods: readonly MethodChoice[];
  /** Checked at first. */
  readonly chosen: Method | null;
  /** Checked in its place where scripts run and the browser can; null: nothing is. */
  readonly preferred: Method | null;
  readonly error: Sentence | null;
  readonly wayOut: WayOutForm;
  /** GET, "Cancel", where the set-up belongs to no sign-in. */
  readonly leave?: string;
}

export interface SetUpPage extends Common {
  /** POST: the answer that confirms. */
  readonly action: string;
  /** Where the page with the choice of methods has not said it. */
  readonly why: EnrolWhy | null;
  readonly factor: ShownFactor;
  /** Where the factor has sent something: once more. */
  readonly resend: Resend | null;
  readonly typed: string;
  readonly error: Sentence | null;
  readonly wayOut: WayOutForm;
  /** GET, "Choose another method"; null where there is only this one. */
  readonly back: string | null;
  /** GET, "Cancel", where the set-up belongs to no sign-in. */
  readonly leave?: string;
}

export interface MailboxPage extends Common {
  /** False where no code is on its way. */
  readonly sent: boolean;
  /** POST code. */
  readonly action: string;
  /** The verified address, in full or shortened. */
  readonly to: string;
  readonly minutes: number;
  readonly typed: string;
  readonly error: Sentence | null;
  readonly note: Note | null;
  readonly resend: Resend | null;
}

export interface RecoveryCodesPage extends Common {
  /** POST saved. */
  readonly action: string;
  /** Stands above them in a file, on paper and in what is copied. */
  readonly head: readonly Sentence[];
  readonly codes: readonly string[];
  /** POST that answers the same codes as text/plain attachment, for browsers without JavaScript; null: only with. */
  readonly download: string | null;
  readonly error: Sentence | null;
}

export interface RecoveryUsedPage extends Common {
  readonly left: number;
  /** The new code that has taken the used one's place, shown here once; null where none has. */
  readonly replacement: string | null;
  /** POST, "Set up again"; null where it is not offered now. */
  readonly setUpAgain: string | null;
  /** POST, "Continue". */
  readonly action: string;
}

export interface RecoveryLowPage extends Common {
  readonly left: number;
  /** POST, "Make new codes". */
  readonly makeNew: string;
  /** POST, "Continue". */
  readonly action: string;
}

export interface ResetLinkPage extends Common {
  /** POST. */
  readonly action: string;
  readonly until: Date;
}

export interface ConsentPage extends Common {
  readonly applicationName: string;
  readonly organizationName: string | null;
  readonly applicationLogoUrl: string | null;
  /** Plain words, as "Your e-mail address". */
  readonly scopes: readonly Sentence[];
  /** http(s) only. */
  readonly policyUrl: string | null;
  readonly termsUrl: string | null;
  /** POST, "Allow". */
  readonly action: string;
  /** POST, "Cancel". */
  readonly cancel: string;
}

export interface ContinuePage extends Common {
  /** POST with `hidden`. */
  readonly action: string;
  readonly hidden: readonly HiddenField[];
  /** Sent by itself where scripts run. */
  readonly atOnce: boolean;
}

export interface ConfirmSignOutPage extends Common {
  /** POST with `hidden`; "Sign out" adds logout=yes. */
  readonly action: string;
  readonly hidden: readonly HiddenField[];
}

export interface SignedOutPage extends Common {
  /** GET, "Sign in again"; null where there is nowhere to go. */
  readonly signIn: string | null;
}

export interface DeviceCodePage extends Common {
  /** POST user_code with `hidden`. */
  readonly action: string;
  readonly hidden: readonly HiddenField[];
  readonly typed: string;
  readonly error: Sentence | null;
}

export interface DeviceConfirmPage extends Common {
  readonly applicationName: string;
  readonly userCode: string;
  /** Where the request came from, as far as known: "203.0.113.7", "Chrome on Linux". */
  readonly from: readonly Sentence[];
  /** POST with `hidden`; "Cancel" adds abort=yes. */
  readonly action: string;
  readonly hidden: readonly HiddenField[];
}

export interface DeviceDonePage extends Common {
  readonly applicationName: string;
}

/** The end of a test sign-in: what the application would have got. */
export interface TestSignInPage extends Common {
  /** Of the application. */
  readonly name: string;
  readonly result:
    | { readonly kind: 'refused'; readonly code: string; readonly told: string | null }
    | {
        readonly kind: 'signed_in';
        readonly email: string;
        readonly acr: string | null;
        readonly meaning: Sentence;
        readonly amr: string;
        readonly idToken: string;
        readonly userinfo: string;
      };
  /** GET. */
  readonly again: string;
  readonly back: string;
}

export interface ErrorPage extends Common {
  /** The heading: what happened, in one sentence. */
  readonly title: Sentence;
  /** What to do now. */
  readonly advice: Sentence;
  readonly errorId: string | null;
  /** Shown with a count-down; null where waiting does not help. */
  readonly waitSeconds: number | null;
  /** GET; the first is the main one. */
  readonly actions: readonly Link[];
}

export interface RefusedPage extends Common {
  readonly why: 'no_method_available' | 'no_usable_factor' | 'no_verified_email' | 'unknown_acr';
  readonly organizationName: string | null;
  /** GET: a word to those who can help; null where they could not do anything. */
  readonly help: string | null;
  /** https or mailto of the people who run this site; null where none is known. */
  readonly contact: Link | null;
  /** POST: back to the application. */
  readonly cancel: string | null;
}

export interface HomePage extends Common {
  /** GET; each null where there is none. */
  readonly accountPage: string | null;
  readonly demo: string | null;
  readonly inbox: string | null;
  readonly gallery: string | null;
}

/** Every view with its states, for whoever works on how they look. */
export interface GalleryIndexPage extends Common {
  readonly views: readonly {
    readonly name: string;
    readonly states: readonly { readonly state: string; readonly url: string }[];
  }[];
}

export interface InboxEntry {
  readonly url: string;
  readonly by: 'email' | 'sms';
  readonly to: string;
  /** The subject of a mail, the text of a text message. */
  readonly subject: string;
  readonly at: Date;
}

export interface InboxPage extends Common {
  /** Newest first. */
  readonly messages: readonly InboxEntry[];
}

export interface InboxMessagePage extends Common {
  readonly by: 'email' | 'sms';
  readonly from: string | null;
  readonly to: string;
  readonly subject: string;
  readonly at: Date;
  readonly text: string;
  /** GET: the HTML form of the mail as a page of its own (sandboxed); null where there is none. */
  readonly htmlUrl: string | null;
  readonly inbox: string;
}

/** Where a sign-in on another device is approved. */
export interface ApprovalsPage extends FramedPage {
  readonly request: {
    readonly id: string;
    readonly applicationName: string | null;
    readonly browser: Sentence | null;
    readonly ip: string | null;
    readonly askedAt: Date;
    readonly secondsLeft: number;
    readonly choices: readonly number[];
    /** JSON, for the page's script: what is signed, and the names of the person's keys. */
    readonly toSign: string;
    readonly keys: string;
    /** POST request, number, credential. */
    readonly approve: string;
    /** POST request. */
    readonly deny: string;
  } | null;
  readonly hasApprovers: boolean;
  /** POST method: sets this browser up; null where the person's organizations do not count it. */
  readonly add: string | null;
  /** GET: server-sent events; one comes when there is a request. */
  readonly events: string;
  /** GET: this page once more. */
  readonly again: string;
}

export interface Pages extends OrganizationPages {
  readonly confirm: ConfirmPage;
  readonly 'account/overview': AccountOverviewPage;
  readonly 'account/password': AccountPasswordPage;
  readonly 'forgotten-password': ForgottenPasswordPage;
  readonly 'reset-password': ResetPasswordPage;
  readonly 'not-me': NotMePage;
  readonly register: RegisterPage;
  readonly help: HelpPage;
  readonly invitation: InvitationPage;
  readonly 'confirm-email': ConfirmEmailPage;
  readonly 'account/sessions': AccountSessionsPage;
  readonly 'account/history': AccountHistoryPage;
  readonly 'account/applications': AccountApplicationsPage;
  readonly 'account/organizations': AccountOrganizationsPage;
  readonly 'account/profile': AccountProfilePage;
  readonly 'account/email': AccountEmailPage;
  readonly 'account/phone': AccountPhonePage;
  readonly 'account/phone-code': AccountPhoneCodePage;
  readonly 'account/factor': AccountFactorPage;
  readonly 'account/recovery-codes': AccountRecoveryCodesPage;
  readonly 'account/approvals': ApprovalsPage;
  readonly 'sign-in': SignInPage;
  readonly 'go-on': GoOnPage;
  readonly 'connect-account': ConnectAccountPage;
  readonly challenge: ChallengePage;
  readonly 'challenge-recovery': ChallengeRecoveryPage;
  readonly 'choose-factor': ChooseFactorPage;
  readonly enrol: EnrolPage;
  readonly 'set-up': SetUpPage;
  readonly mailbox: MailboxPage;
  readonly 'recovery-codes': RecoveryCodesPage;
  readonly 'recovery-used': RecoveryUsedPage;
  readonly 'recovery-low': RecoveryLowPage;
  readonly 'reset-link': ResetLinkPage;
  readonly consent: ConsentPage;
  readonly continue: ContinuePage;
  readonly 'confirm-sign-out': ConfirmSignOutPage;
  readonly 'signed-out': SignedOutPage;
  readonly 'device-code': DeviceCodePage;
  readonly 'device-confirm': DeviceConfirmPage;
  readonly 'device-done': DeviceDonePage;
  readonly error: ErrorPage;
  readonly 'test-sign-in': TestSignInPage;
  readonly refused: RefusedPage;
  readonly home: HomePage;
  readonly inbox: InboxPage;
  readonly gallery: GalleryIndexPage;
  readonly 'inbox-message': InboxMessagePage;
}

/** Where and when something happened, as the mails tell it. */
export interface Happening {
  /** "This was not me": ends all sessions and leads to a new password; null where the mail has none. */
  readonly notMeUrl: string | null;
  readonly at: Date;
  /** "Chrome on Linux"; null where unknown. */
  readonly device: FilledSentence | null;
  /** Network address; null where unknown. */
  readonly from: string | null;
}

/** Colours of a mail, as `#rrggbb`. */
export interface MailLook {
  /** Beside the name, for decoration only; null where the organization has chosen none. */
  readonly line: string | null;
  /** Of links, on the light ground and on the dark one. */
  readonly light: string;
  readonly dark: string;
  readonly hasLogo: boolean;
}

export interface MailCommon {
  readonly lang: Language;
  readonly brand: Brand;
  readonly look: MailLook;
  /** What the person is called; null: only "Hello". */
  readonly name: string | null;
  /** Absolute address of the account page, from the issuer. */
  readonly accountUrl: string;
}

export interface CodeMail extends MailCommon, Happening {
  readonly code: string;
  readonly minutes: number;
  readonly applicationName: string | null;
}

export interface RecoveryCodeUsedMail extends MailCommon, Happening {
  readonly left: number;
}

export interface FactorAddedMail extends MailCommon, Happening {
  /** English, as the factor's `label`. */
  readonly factor: Sentence;
}

export interface TwoFactorResetMail extends MailCommon, Happening {
  /** Whose admin did it. */
  readonly organizationName: string;
}

export interface TwoFactorResetLinkMail extends MailCommon, Happening {
  readonly organizationName: string;
  /** Absolute, once. */
  readonly link: string;
  readonly until: Date;
}

export interface MembershipChangedMail extends MailCommon, Happening {
  /** The new role; null: no longer a member. */
  readonly role: Role | null;
}

export interface SignInStoppedMail extends MailCommon, Happening {
  readonly applicationName: string | null;
}

/** Mails about an organization's policy, to somebody who must set something up. */
export interface PolicyMail extends MailCommon {
  readonly who: 'everyone' | 'admins';
  /** Null: at the next sign-in. */
  readonly until: Date | null;
  /** Whole days, counted up; 0 on the last one and after it. */
  readonly daysLeft: number;
  /** Labels of the methods that count. */
  readonly methods: readonly Sentence[];
  /** They have a factor, but of a method that does not count here. */
  readonly hasOther: boolean;
}

export interface AccountChangedMail extends MailCommon, Happening {
  readonly subject: Sentence;
  /** One sentence, with {organization} and perhaps {what}. */
  readonly text: string;
  readonly what: FilledSentence;
}

export interface InvitationMail extends MailCommon {
  /** Who invites; null where it was not a person. */
  readonly inviter: string | null;
  readonly until: Date;
  readonly url: string;
}

export interface ConfirmEmailMail extends MailCommon {
  readonly email: string;
  readonly url: string;
}

export interface HelpAskedMail extends MailCommon, Happening {
  readonly person: string;
  readonly email: string;
  readonly url: string;
}

export interface RegisterMail extends MailCommon {
  /** 1: there is an account with this address already. */
  readonly known: number;
  readonly url: string;
}

export interface PasswordResetMail extends MailCommon, Happening {
  readonly url: string;
  readonly minutes: number;
}

/** Somebody without a password has asked for a new one. */
export interface PasswordElsewhereMail extends MailCommon, Happening {
  /** The provider that signs the person in. */
  readonly provider: string;
  readonly accountUrl: string;
}
export interface SignInDeniedMail extends MailCommon, Happening {}

export interface NewDeviceMail extends MailCommon, Happening {
  readonly days: number;
}

/** A text message with a code, as short as can be. */
export interface CodeText {
  readonly lang: Language;
  readonly brand: Brand;
  readonly code: string;
  readonly minutes: number;
  /** The only site where a telephone may fill it in. */
  readonly host: string;
}

/** To the number that an account had until now. */
export interface PhoneChangedText {
  readonly lang: Language;
  readonly brand: Brand;
}

export interface Texts {
  readonly code: CodeText;
  readonly 'phone-changed': PhoneChangedText;
}

export interface Mails {
  readonly code: CodeMail;
  readonly 'recovery-code-used': RecoveryCodeUsedMail;
  readonly 'factor-added': FactorAddedMail;
  readonly 'two-factor-reset': TwoFactorResetMail;
  readonly 'sign-in-stopped': SignInStoppedMail;
  readonly 'new-device': NewDeviceMail;
  readonly 'two-factor-reset-link': TwoFactorResetLinkMail;
  readonly 'membership-changed': MembershipChangedMail;
  readonly 'account-changed': AccountChangedMail;
  readonly 'password-reset': PasswordResetMail;
  readonly 'password-elsewhere': PasswordElsewhereMail;
  readonly 'sign-in-denied': SignInDeniedMail;
  readonly invitation: InvitationMail;
  readonly 'confirm-email': ConfirmEmailMail;
  readonly 'help-asked': HelpAskedMail;
  readonly register: RegisterMail;
  readonly 'policy-announced': PolicyMail;
  readonly 'policy-reminder': PolicyMail;
}
