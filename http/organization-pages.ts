import type { FramedPage, Note, Sentence } from './pages.ts';

/** What the views of `views/organizations/` need; see `Pages`. */

export interface Option {
  readonly value: string;
  readonly label: Sentence;
  readonly hint?: Sentence | null;
  readonly chosen: boolean;
}

/** How far somebody is, as a small coloured word; the word alone says it. */
export interface Tag {
  readonly tone: 'ok' | 'warn' | 'danger' | 'plain';
  readonly text: Sentence;
}

export interface MemberRow {
  readonly url: string;
  readonly name: string;
  readonly email: string;
  readonly role: Sentence;
  /** Labels of what they have set up. */
  readonly methods: readonly Sentence[];
  readonly tag: Tag;
  readonly lastSignIn: { readonly at: Date; readonly how: Sentence } | null;
}

export interface PreviewList {
  readonly rows: readonly {
    readonly name: string;
    readonly email: string;
    readonly role: Sentence;
    readonly by: Date | null;
  }[];
  /** Where the others are; null where there are none. */
  readonly first: string | null;
  readonly next: string | null;
}

export interface TwoFactorPage extends FramedPage {
  /** Preview: GET. Save: POST. */
  readonly action: string;
  readonly version: string;
  /** Names the values that the preview is about; empty before there is one. */
  readonly previewed: string;
  /** POST: the same fields, to see what they would change. */
  readonly previewAction: string;
  readonly note: Note | null;
  readonly requirement: readonly Option[];
  readonly others: readonly Option[];
  readonly graceDays: readonly Option[];
  /** As people typed it. */
  readonly typed: {
    readonly graceNumber: string;
    readonly passkeyModels: string;
    readonly smsCountries: string;
    readonly smsPerDay: string;
  };
  /** What is wrong, by field. */
  readonly problems: { readonly [field: string]: Sentence };
  readonly methods: readonly Option[];
  readonly rememberDeviceDays: readonly Option[];
  readonly idleMinutes: readonly Option[];
  readonly absoluteMinutes: readonly Option[];
  readonly offlineDays: readonly Option[];
  /** Models are listed, but nobody's certificates are known here: no passkey can be set up. */
  readonly modelsNeedRoots: boolean;
  readonly hasTextMessages: boolean;
  readonly applications: readonly Option[];
  readonly coversAll: boolean;
  readonly showAgain: boolean;
  readonly replaceUsed: boolean;
  /** What the changed values would do; null before anything was changed. */
  readonly preview: {
    readonly mustAct: number;
    readonly of: number;
    readonly stopped: number;
    readonly until: Date | null;
    readonly adviseAdminsFirst: boolean;
    /** Fewer people must have a second factor than now. */
    readonly isWeaker: boolean;
    readonly owners: readonly string[];
    /** How many there are, where all were found to have one; null where nobody asked. */
    readonly ownersCount: number | null;
    readonly hasNoMethod: boolean;
    /** Sign-ins that last longer than the new lengths end at once. */
    readonly endsSessions: boolean;
    readonly list: PreviewList;
  } | null;
  readonly now: { readonly mustAct: number; readonly overdue: number; readonly of: number };
  /** For people without a factor: the code that was sent to them. */
  readonly code: { readonly id: string; readonly to: string; readonly error: Sentence | null } | null;
  readonly notices: string;
}

export interface NoticesPage extends FramedPage {
  readonly failed: number;
  /** Only what did not arrive is listed. */
  readonly isFiltered: boolean;
  /** Where the rest is, or what did not arrive; null where that is the same. */
  readonly other: string | null;
  readonly rows: readonly {
    readonly url: string;
    readonly name: string;
    readonly email: string;
    readonly what: Sentence;
    readonly at: Date;
    readonly tag: Tag;
  }[];
  readonly next: string | null;
  /** POST; null where nobody must act. */
  readonly remind: { readonly action: string; readonly people: number } | null;
}

export interface MembersPage extends FramedPage {
  readonly action: string;
  readonly search: string;
  readonly twoFactor: readonly Option[];
  readonly method: readonly Option[];
  readonly role: readonly Option[];
  readonly state: readonly Option[];
  readonly isFiltered: boolean;
  /** What is filtered by, in words: said where the filters are folded. */
  readonly chosen: readonly Sentence[];
  /** How many there are, and of how many. */
  readonly count: Sentence;
  readonly sort: readonly Option[];
  readonly rows: readonly MemberRow[];
  readonly first: string | null;
  readonly next: string | null;
  readonly invite: string | null;
  readonly importing: string | null;
  readonly exporting: string | null;
}

/** Roles by actions. */
export interface RoleTable {
  readonly roles: readonly Sentence[];
  readonly rows: readonly { readonly label: Sentence; readonly allowed: readonly boolean[] }[];
}

export interface MemberPage extends FramedPage {
  /** They gave the right password, have lost their second step, and asked for help; null where they have not, or it is done. */
  readonly help: {
    readonly at: Date;
    readonly device: Sentence;
    readonly from: string;
  } | null;
  readonly name: string;
  readonly email: string;
  readonly role: Sentence;
  readonly tag: Tag;
  readonly joinedAt: Date;
  readonly lastSignIn: {
    readonly at: Date;
    readonly how: Sentence;
    readonly application: Sentence;
  } | null;
  readonly factors: readonly {
    readonly label: Sentence;
    readonly name: Sentence | null;
    readonly addedAt: Date;
    readonly lastUsedAt: Date | null;
    readonly tag: Tag | null;
  }[];
  readonly audit: string;
  /** Each null where this actor may not. */
  readonly reset: string | null;
  readonly roles: { readonly action: string; readonly options: readonly Option[] } | null;
  readonly roleTable: RoleTable;
  readonly disconnect: string | null;
  readonly remove: string | null;
  readonly why: Sentence | null;
}

export interface ResetPage extends FramedPage {
  readonly name: string;
  readonly email: string;
  /** POST. */
  readonly action: string;
  readonly forms: readonly Option[];
  readonly checks: readonly Option[];
  readonly reason: string;
  readonly formError: Sentence | null;
  readonly checkError: Sentence | null;
  readonly reasonError: Sentence | null;
  readonly note: Note | null;
  readonly cancel: string;
}

export interface Chart {
  readonly title: Sentence;
  /** What a picture shows, in one sentence. */
  readonly label: Sentence;
  /** The same twice: for wide screens, and for narrow ones, where a small picture of the wide one could not be read. */
  readonly wide: Drawing;
  readonly narrow: Drawing;
  readonly head: readonly Sentence[];
  readonly rows: readonly (readonly (string | number | Date | { readonly sentence: Sentence })[])[];
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly lines: readonly { readonly kind: string; readonly d: string }[];
  readonly bars: readonly {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly kind: string;
  }[];
  readonly texts: readonly {
    readonly x: number;
    readonly y: number;
    readonly anchor: 'start' | 'middle' | 'end';
    readonly kind: string;
    readonly text: string | Date | { readonly sentence: Sentence };
  }[];
}

export interface OverviewPage extends FramedPage {
  readonly status: Sentence;
  readonly figures: readonly {
    readonly value: string;
    readonly text: Sentence;
    readonly url: string | null;
  }[];
  readonly charts: readonly Chart[];
  readonly overdue: readonly MemberRow[];
  readonly overdueTotal: number;
  readonly overdueUrl: string;
  readonly remind: { readonly action: string; readonly people: number } | null;
}

export interface PasskeysPage extends FramedPage {
  readonly action: string;
  readonly version: string;
  readonly isOn: boolean;
  readonly isAvailable: boolean;
  readonly isOnly: boolean;
  readonly figures: readonly {
    readonly value: string;
    readonly text: Sentence;
    readonly url: string | null;
  }[];
  readonly recent: readonly {
    readonly url: string;
    readonly name: string;
    readonly email: string;
    readonly passkey: Sentence | null;
    readonly at: Date;
  }[];
  readonly note: Note | null;
}

export interface AuditPage extends FramedPage {
  readonly action: string;
  readonly types: readonly Option[];
  readonly typeGroups: readonly { readonly label: Sentence; readonly options: readonly Option[] }[];
  readonly person: string;
  readonly applications: readonly Option[];
  readonly since: string;
  readonly until: string;
  readonly isFiltered: boolean;
  /** What is wrong, by field. */
  readonly problems: { readonly [field: string]: Sentence };
  readonly rows: readonly {
    readonly at: Date;
    readonly what: Sentence;
    readonly type: string;
    readonly who: string | null;
    readonly by: string | null;
    readonly application: string | null;
    readonly from: string | null;
    readonly device: Sentence | null;
    readonly facts: readonly { readonly name: string; readonly value: string }[];
    readonly position: number;
  }[];
  readonly first: string | null;
  readonly next: string | null;
  readonly csv: string;
  readonly jsonLines: string;
}

export interface ApplicationsPage extends FramedPage {
  readonly add: string;
  readonly rows: readonly {
    readonly url: string;
    readonly name: string;
    readonly clientId: string;
    readonly assurance: Sentence;
    readonly isShared: boolean;
  }[];
}

export interface ApplicationForm {
  readonly name: string;
  readonly redirectUris: string;
  readonly logoutUris: string;
  readonly kind: readonly Option[];
  readonly assurance: readonly Option[];
  readonly isFirstParty: boolean;
  readonly errors: {
    readonly name: Sentence | null;
    readonly redirectUris: Sentence | null;
    readonly logoutUris: Sentence | null;
  };
}

export interface ApplicationPage extends FramedPage {
  /** Null: a new one. */
  readonly clientId: string | null;
  readonly name: string;
  readonly action: string;
  /** POST, for the script: what is wrong with what is typed. */
  readonly check: string;
  readonly form: ApplicationForm;
  /** Of the registration that is shown; the form sends it back. */
  readonly version: string;
  readonly note: Note | null;
  /** A new secret, shown here once. */
  readonly secret: string | null;
  readonly rotate: string | null;
  readonly remove: string | null;
  readonly test: string | null;
  readonly settings: readonly { readonly label: Sentence; readonly value: string }[];
  readonly recipes: readonly {
    readonly name: string;
    readonly redirect: string | null;
    readonly hint: Sentence | null;
    readonly lines: string;
  }[];
  readonly cancel: string;
}

export interface ApiAccessPage extends FramedPage {
  /** Null for whoever may only look. */
  readonly add: string | null;
  readonly document: string;
  readonly address: string;
  readonly rows: readonly {
    readonly url: string;
    readonly name: string;
    readonly clientId: string;
    readonly apiScopes: readonly string[];
    readonly hasSignIn: boolean;
  }[];
}

export interface ApiClientPage extends FramedPage {
  /** Null: a new one. */
  readonly clientId: string | null;
  readonly client: string;
  /** POST name, scopes, version; null for whoever may only look. */
  readonly action: string | null;
  readonly version: string;
  readonly name: string;
  readonly nameError: Sentence | null;
  readonly scopes: readonly { readonly value: string; readonly label: Sentence; readonly chosen: boolean }[];
  readonly scopesError: Sentence | null;
  /** A new secret, shown here once. */
  readonly secret: string | null;
  readonly note: Note | null;
  /** Its page among the applications, where people sign in to it too. */
  readonly application: string | null;
  readonly rotate: string | null;
  readonly remove: string | null;
  /** For a shell. */
  readonly usage: string | null;
  readonly cancel: string;
}

export interface BrandingPage extends FramedPage {
  /** POST, multipart: version, name, accent, logo, chosen, withoutLogo; act: preview. */
  readonly action: string;
  readonly name: string;
  /** `#rrggbb`; empty: the instance's own. */
  readonly accent: string;
  /** Names what is changed as it stood. */
  readonly version: string;
  readonly hasLogo: boolean;
  readonly withoutLogo: boolean;
  /** A logo, in base64, that was chosen and is not saved yet. */
  readonly chosen: string | null;
  /** What the picture of the sign-in page shows; its `logo` is an address or the picture itself. */
  readonly look: {
    readonly name: string;
    readonly initial: string;
    readonly colour: string;
    readonly logo: string | null;
  };
  /** Asked for, and not saved. */
  readonly isPreview: boolean;
  readonly nameError: Sentence | null;
  readonly accentError: Sentence | null;
  readonly logoError: Sentence | null;
  /** How the accent reads on white. */
  readonly contrast: Sentence | null;
  readonly note: Note | null;
}

export interface InvitePage extends FramedPage {
  /** POST email, name, role. */
  readonly action: string;
  readonly note: Note | null;
  readonly email: string;
  readonly name: string;
  readonly emailError: Sentence | null;
  /** The address that an open invitation has, which may be sent again; null otherwise. */
  readonly again: string | null;
  /** More than are listed. */
  readonly waitingMore: number;
  readonly roles: readonly Option[];
  /** POST csv; with `confirmed` once the plan was seen. */
  readonly importing: string;
  readonly csv: string;
  readonly csvError: Sentence | null;
  /** What the list would do; null before one was read. */
  readonly plan: {
    /** How many there are of each; the first of them are listed. */
    readonly count: number;
    readonly left: number;
    readonly fresh: readonly {
      readonly email: string;
      readonly name: string | null;
      readonly role: Sentence;
    }[];
    readonly wrong: readonly { readonly line: number; readonly text: string; readonly why: Sentence }[];
  } | null;
  /** So many were invited by now, up to this line; null before an import has begun. */
  readonly going: { readonly behind: number; readonly invited: number } | null;
  readonly waiting: readonly {
    readonly email: string;
    readonly role: Sentence;
    readonly until: Date;
    /** As it was sent, to be sent again. */
    readonly sent: { readonly name: string; readonly role: string };
    /** Null where it is above the reader's role, which may not send it again either. */
    readonly revoke: string | null;
  }[];
  readonly back: string;
}

export interface ProvidersPage extends FramedPage {
  /** GET. */
  readonly add: string;
  readonly rows: readonly {
    readonly url: string;
    readonly name: string;
    readonly issuer: string;
    readonly domains: readonly string[];
    readonly tag: Tag;
  }[];
}

export interface ProviderForm {
  readonly name: string;
  readonly slug: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly authentication: readonly Option[];
  readonly hasSecret: boolean;
  readonly secondFactor: readonly Option[];
  readonly acr: string;
  readonly amr: string;
  readonly domains: string;
  readonly createAccounts: boolean;
  readonly button: boolean;
  readonly signOut: boolean;
  readonly enabled: boolean;
  readonly errors: Readonly<
    Record<
      'name' | 'slug' | 'issuer' | 'clientId' | 'clientSecret' | 'acr' | 'amr' | 'domains',
      Sentence | null
    >
  >;
}

export interface ProviderPage extends FramedPage {
  /** Null for a new one. */
  readonly name: string | null;
  /** POST. */
  readonly action: string;
  readonly form: ProviderForm;
  readonly note: Note | null;
  /** Domains that the DNS has proved just now. */
  readonly proved: readonly string[];
  readonly verified: readonly string[];
  readonly waiting: readonly { readonly record: { readonly name: string; readonly value: string } }[];
  /** To be registered with the provider. */
  readonly settings: readonly { readonly label: Sentence; readonly value: string }[];
  /** POST. */
  readonly test: string | null;
  readonly remove: string | null;
  readonly cancel: string;
}

export interface OrganizationPages {
  readonly 'organizations/providers': ProvidersPage;
  readonly 'organizations/provider': ProviderPage;
  readonly 'organizations/branding': BrandingPage;
  readonly 'organizations/invite': InvitePage;
  readonly 'organizations/api-access': ApiAccessPage;
  readonly 'organizations/api-client': ApiClientPage;
  readonly 'organizations/applications': ApplicationsPage;
  readonly 'organizations/application': ApplicationPage;
  readonly 'organizations/overview': OverviewPage;
  readonly 'organizations/passkeys': PasskeysPage;
  readonly 'organizations/audit': AuditPage;
  readonly 'organizations/two-factor': TwoFactorPage;
  readonly 'organizations/notices': NoticesPage;
  readonly 'organizations/members': MembersPage;
  readonly 'organizations/member': MemberPage;
  readonly 'organizations/reset': ResetPage;
}
