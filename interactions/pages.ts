import { membershipsOf } from '../entities/memberships.ts';
import {
  readUpstreamSettings,
  type UpstreamProviderRow,
  upstreamsFor,
} from '../entities/upstream-providers.ts';
import { userById } from '../entities/users.ts';
import { waysIn } from '../entities/ways-in.ts';
import { type Approval, approvalLifetime } from '../factors/device.ts';
import { factorFor } from '../factors/index.ts';
import { codeMinutes } from '../factors/sent-code.ts';
import { digitsOf } from '../factors/totp.ts';
import type { Assessment } from '../flows/assess-sign-in.ts';
import { waysInByUpstream } from '../flows/connect-upstream.ts';
import { issuerNameFor, organizationNameOf } from '../flows/home-organization.ts';
import { homeOf } from '../flows/recipient.ts';
import type { SignInState } from '../flows/sign-in-state.ts';
import { subjectFor } from '../flows/subject.ts';
import { csrfToken } from '../http/csrf.ts';
import { storedName } from '../http/device-name.ts';
import { methodChoices, resendForm, shownFactor } from '../http/factor-form.ts';
import { goOn } from '../http/go-on.ts';
import type {
  Common,
  EnrolWhy,
  FactorChoice,
  Note,
  Pages,
  Resend,
  Sentence,
  WayOutForm,
} from '../http/pages.ts';
import type { Problem } from '../http/problems.ts';
import { codesHead } from '../http/recovery-codes-file.ts';
import { scopeSentence } from '../http/scopes.ts';
import { brandOf, common, show } from '../http/show.ts';
import { contactOf } from '../http/site.ts';
import { daysUntil } from '../lib/clock.ts';
import type { ConfirmedFactor, EnrolReason, WayOut } from '../policy/types.ts';
import { applicationOf } from '../provider/assess-request.ts';
import type { Next } from './next.ts';
import type { Visit } from './visit.ts';

type StepOf<Kind extends Next['kind']> = Extract<Next, { kind: Kind }>;

const at = (visit: Visit, path = ''): string => `/interaction/${visit.uid}${path}`;

/** The name that people know the place by: of the application's organization, or of their own. */
function organizationNameFor(visit: Visit, assessment: Assessment | null): string | null {
  const own = visit.client.organization_name as string | null | undefined;
  return own ?? (assessment && organizationNameOf(assessment));
}

/** Of the organization that the application belongs to; of the person's own, for one that all share. */
function brandingFor(visit: Visit, assessment: Assessment | null): string | null {
  if (visit.client.organization_name) {
    return (visit.client.organization_branding as string | null | undefined) ?? null;
  }
  return assessment ? (homeOf(assessment.user, assessment.memberships)?.branding ?? null) : null;
}

export function commonOf(visit: Visit, assessment: Assessment | null): Common {
  const { ctx, client, interaction, site } = visit;
  return common(ctx, {
    uiLocales: interaction.params.ui_locales,
    page: ctx.method === 'GET' && !ctx.path.endsWith('/upstream') ? ctx.path : at(visit),
    brand: brandOf(organizationNameFor(visit, assessment), brandingFor(visit, assessment)),
    applicationName: client.clientName ?? client.clientId,
    account: assessment?.user.email ?? null,
    csrf: csrfToken(site.services.ring, `interaction ${visit.uid}`),
    notYou: assessment ? at(visit, '/restart') : null,
    ...(visit.signIn.state.proofs.some(({ kind }) => kind === 'upstream') ? { firstDoor: 'Sign-in' } : {}),
  });
}

export async function showSignIn(
  visit: Visit,
  next: StepOf<'sign_in'>,
  email: string,
  problem: Problem | null,
  passkeyError: Sentence | null = null,
  upstreamError: Sentence | null = null,
): Promise<void> {
  const { interaction, ctx, site } = visit;
  const { joining } = visit.signIn.state;
  if (joining) {
    return showConnect(visit, joining, problem, passkeyError, upstreamError);
  }
  const hint = interaction.params.login_hint;
  const known = visit.signIn.state.startedOver ? undefined : interaction.session?.accountId;
  const again = next.assessment !== null || known !== undefined;
  const asKnown = known === undefined ? null : await userById(site.services.db, known);
  const ways = await waysIn(site.services.db, applicationOf(visit.client).organizationId);
  const locals: Pages['sign-in'] = {
    ...commonOf(visit, null),
    action: at(visit, '/login'),
    email:
      email ||
      next.assessment?.user.email ||
      (typeof hint === 'string' ? hint.slice(0, 320) : (asKnown?.email ?? '')),
    emailError: null,
    passwordError: problem?.error ?? null,
    note: again && upstreamError === null ? info('Sign in again to continue.') : null,
    upstreamError,
    upstreams: ways.hasUpstreams ? await upstreamButtons(visit) : [],
    discover: ways.hasDomains ? at(visit, '/upstream') : null,
    passkey: { question: at(visit, '/passkey/question'), action: at(visit, '/passkey'), error: passkeyError },
    forgotten: `/forgotten-password?from=${visit.uid}`,
    register: ways.registrationOpen ? '/register' : null,
    cancel: at(visit, '/cancel'),
  };
  const status = passkeyError || upstreamError ? 422 : 200;
  show(ctx, site.renderer, 'sign-in', locals, problem?.status ?? status);
}

/** The providers that the application's people, or all, can come in by. */
async function upstreamButtons(visit: Visit): Promise<Pages['sign-in']['upstreams']> {
  const rows = await upstreamsFor(visit.site.services.db, applicationOf(visit.client).organizationId);
  return rows
    .filter(({ settings }) => readUpstreamSettings(settings).button)
    .map(({ name, name_key }) => ({ name, action: at(visit, `/upstream/${name_key}`) }));
}

/** The account that another provider's is to be joined to: its own first step, and then its factors. */
async function showConnect(
  visit: Visit,
  joining: NonNullable<SignInState['joining']>,
  problem: Problem | null,
  passkeyError: Sentence | null,
  upstreamError: Sentence | null,
): Promise<void> {
  const locals: Pages['connect-account'] = {
    ...commonOf(visit, null),
    providerName: joining.providerName,
    action: at(visit, '/login'),
    email: joining.email,
    passwordError: problem?.error ?? null,
    upstreamError,
    upstreams: (await waysToJoin(visit)).map(({ name, name_key }) => ({
      name,
      action: at(visit, `/upstream/${name_key}`),
    })),
    passkey: { question: at(visit, '/passkey/question'), action: at(visit, '/passkey'), error: passkeyError },
    forgotten: `/forgotten-password?from=${visit.uid}`,
    leave: at(visit, '/restart'),
    cancel: at(visit, '/cancel'),
  };
  show(
    visit.ctx,
    visit.site.renderer,
    'connect-account',
    locals,
    passkeyError || upstreamError ? 422 : (problem?.status ?? 200),
  );
}

/** Other providers that sign in the person whose account is to be joined: whoever has no password needs none. */
export async function waysToJoin({ signIn, site }: Visit): Promise<UpstreamProviderRow[]> {
  const { joining } = signIn.state;
  const user = joining && (await userById(site.services.db, joining.userId));
  if (!user) {
    return [];
  }
  const memberships = await membershipsOf(site.services.db, user.id);
  const ways = await waysInByUpstream(site.services, { user, memberships });
  return ways.flatMap(({ provider }) => (provider.id === joining.providerId ? [] : [provider]));
}

/** On to another provider, to sign in there. */
export const showGoOn = (visit: Visit, name: string, url: string): void =>
  goOn(visit.ctx, visit.site.renderer, { name, url }, 'sign_in', commonOf(visit, null));

const info = (text: Sentence): Note => ({ tone: 'info', text });

/** The page of one of the factors that may answer. */
export function showChallenge(
  visit: Visit,
  next: StepOf<'challenge'>,
  factor: ConfirmedFactor,
  problem: Problem | null,
  rememberChecked = false,
  /** What another device has said, where it is waited for. */
  word: Approval['decision'] | null = null,
): void {
  const { decision, assessment } = next;
  const { challenge } = visit.signIn.state;
  const begun = challenge?.factorId === factor.id ? challenge : null;
  const locals: Pages['challenge'] = {
    ...commonOf(visit, assessment),
    action: at(visit, `/challenge/${factor.id}`),
    factor: {
      ...shownFactor(factor.method, begun?.shown ?? null),
      ...waitingFor(visit, factor, begun, word),
      ...lengthOfCode(visit, assessment, factor),
    },
    resend: factorFor(factor.method).waits
      ? askAgain(visit, factor, word)
      : resendForm(visit, at(visit, `/challenge/${factor.id}/send`), begun?.sentAt ?? null),
    typed: problem?.typed ?? '',
    error: problem?.error ?? null,
    note: null,
    rememberDays: decision.rememberDays,
    rememberChecked,
    tryAnotherWay: waysOf(decision.factors).length > 1 ? at(visit, '/ways') : null,
    useRecoveryCode: decision.recoveryCode ? at(visit, '/recovery') : null,
    help: at(visit, '/help'),
  };
  show(visit.ctx, visit.site.renderer, 'challenge', locals, problem?.status ?? 200);
}

/** An app that came from elsewhere may show codes of another length. */
function lengthOfCode(visit: Visit, { user, factors }: Assessment, { id, method }: ConfirmedFactor): object {
  if (method !== 'totp') {
    return {};
  }
  const own = factors.filter((row) => row.id === id);
  const [app] = subjectFor(visit.site.services, user, own, method, '').factors;
  return { digits: app ? digitsOf(app.data) : 6 };
}

/** What the page says of the other device: where to answer, until when, and what came of it. */
function waitingFor(
  visit: Visit,
  { id, method }: ConfirmedFactor,
  begun: SignInState['challenge'],
  word: Approval['decision'] | null,
): object {
  if (!factorFor(method).waits) {
    return {};
  }
  const { db, settings } = visit.site.services;
  const left = (begun?.sentAt ?? 0) + approvalLifetime - db.clock.now().getTime();
  return {
    word,
    secondsLeft: Math.max(0, Math.ceil(left / 1000)),
    events: at(visit, `/challenge/${id}/events`),
    address: `${settings.issuer}/account/approvals`,
  };
}

const askAgain = (visit: Visit, { id }: ConfirmedFactor, word: Approval['decision'] | null): Resend | null =>
  word === 'waiting' || word === 'approved'
    ? null
    : {
        action: at(visit, `/challenge/${id}/send`),
        after: visit.signIn.state.challenge?.sentAt ?? 0,
        secondsLeft: 0,
      };

/** One entry per way: all passkeys are one, since the browser asks which. */
export function waysOf(factors: readonly ConfirmedFactor[]): ConfirmedFactor[] {
  return factors.filter(
    ({ method }, index) =>
      !factorFor(method).isSignature || factors.findIndex((other) => other.method === method) === index,
  );
}

export function showRecovery(visit: Visit, next: StepOf<'challenge'>, problem: Problem | null): void {
  const { decision, assessment } = next;
  const locals: Pages['challenge-recovery'] = {
    ...commonOf(visit, assessment),
    action: at(visit, '/recovery'),
    typed: problem?.typed ?? '',
    error: problem?.error ?? null,
    back: decision.factors.length > 0 ? { label: 'Use another way instead', url: at(visit) } : null,
    help: at(visit, '/help'),
  };
  show(visit.ctx, visit.site.renderer, 'challenge-recovery', locals, problem?.status ?? 200);
}

export function showWays(visit: Visit, next: StepOf<'challenge'>): void {
  const { decision, assessment } = next;
  const names = new Map(
    assessment.factors.flatMap(({ id, name }) => (name === null ? [] : [[id, storedName(name)] as const])),
  );
  const factors = waysOf(decision.factors).map(({ id, method }): FactorChoice => {
    const { label, description } = factorFor(method);
    return {
      method,
      label: factorFor(method).isSignature ? label : (names.get(id) ?? label),
      description,
      url: at(visit, `?with=${id}`),
    };
  });
  const locals: Pages['choose-factor'] = {
    ...commonOf(visit, assessment),
    factors,
    useRecoveryCode: decision.recoveryCode ? at(visit, '/recovery') : null,
    help: at(visit, '/help'),
    back: at(visit),
  };
  show(visit.ctx, visit.site.renderer, 'choose-factor', locals);
}

export function showEnrol(visit: Visit, next: StepOf<'enrol'>, problem: Problem | null): void {
  const { decision, assessment } = next;
  const locals: Pages['enrol'] = {
    ...commonOf(visit, assessment),
    action: at(visit, '/enrol'),
    why: whyOf(decision.reason, decision.wayOut, assessment, next.wanted),
    ...methodChoices(decision.methods),
    error: problem?.error ?? null,
    wayOut: wayOutForm(visit, decision.wayOut, next.wanted),
  };
  show(visit.ctx, visit.site.renderer, 'enrol', locals, problem?.status ?? 200);
}

function whyOf(reason: EnrolReason, wayOut: WayOut, assessment: Assessment, wanted: boolean): EnrolWhy {
  if (wanted) {
    return { kind: 'anew' };
  }
  switch (reason.kind) {
    case 'organization': {
      const { name, id } = reason.organization;
      if (wayOut.kind === 'dismiss') {
        return { kind: 'recommended', organizationName: name };
      }
      const policy = assessment.memberships.find(({ organization }) => organization.id === id)?.policy;
      const who = policy?.requirement === 'required_for_admins' ? 'admins' : 'everyone';
      return { kind: 'organization', organizationName: name, who };
    }
    case 'instance':
      return wayOut.kind === 'dismiss'
        ? { kind: 'recommended', organizationName: null }
        : { kind: 'instance' };
    case 'application':
    case 'request':
      return { kind: 'application' };
    case 'reset':
      return { kind: 'reset' };
  }
}

function wayOutForm(visit: Visit, wayOut: WayOut, wanted: boolean): WayOutForm {
  switch (wayOut.kind) {
    case 'none':
      return { kind: 'none' };
    case 'dismiss':
      return { kind: 'dismiss', action: at(visit, '/skip'), canPostpone: !wanted };
    case 'skip':
      return {
        kind: 'skip',
        action: at(visit, '/skip'),
        until: wayOut.until,
        daysLeft: daysUntil(wayOut.until, visit.site.services.db.clock.now()),
      };
  }
}

export function showSetUp(
  visit: Visit,
  next: StepOf<'enrol'>,
  enrolment: NonNullable<SignInState['enrolment']>,
  problem: Problem | null,
): void {
  const { decision, assessment } = next;
  const locals: Pages['set-up'] = {
    ...commonOf(visit, assessment),
    action: at(visit, '/enrol/confirm'),
    // Where there was no choice to make, nobody has said it yet.
    why:
      decision.methods.length > 1 ? null : whyOf(decision.reason, decision.wayOut, assessment, next.wanted),
    factor: shownFactor(enrolment.method, enrolment.shown),
    resend: resendForm(visit, at(visit, '/enrol/send'), enrolment.sentAt),
    typed: problem?.typed ?? '',
    error: problem?.error ?? null,
    wayOut: wayOutForm(visit, decision.wayOut, next.wanted),
    back: decision.methods.length > 1 ? at(visit, '/enrol') : null,
  };
  show(visit.ctx, visit.site.renderer, 'set-up', locals, problem?.status ?? 200);
}

export function showMailbox(visit: Visit, assessment: Assessment, problem: Problem | null): void {
  const { mailbox } = visit.signIn.state;
  const locals: Pages['mailbox'] = {
    ...commonOf(visit, assessment),
    action: at(visit, '/mailbox'),
    sent: mailbox !== null,
    to: assessment.user.email,
    minutes: codeMinutes,
    typed: problem?.typed ?? '',
    error: problem?.error ?? null,
    note: null,
    resend: resendForm(visit, at(visit, '/mailbox/send'), mailbox?.sentAt ?? 0),
  };
  show(visit.ctx, visit.site.renderer, 'mailbox', locals, problem?.status ?? 200);
}

/** What stands above the codes, wherever they are saved. */
export const headOf = (visit: Visit, next: StepOf<'recovery_codes'>): readonly Sentence[] => {
  const { account } = commonOf(visit, next.assessment);
  // They are good wherever the account is, whosever application is signed in to at the moment.
  return codesHead(account, issuerNameFor(next.assessment), visit.site.services.db.clock.now());
};

export function showRecoveryCodes(
  visit: Visit,
  next: StepOf<'recovery_codes'>,
  problem: Problem | null,
): void {
  const locals: Pages['recovery-codes'] = {
    ...commonOf(visit, next.assessment),
    // What is shown once is not lost to a wrong click.
    notYou: null,
    action: at(visit, '/codes'),
    head: headOf(visit, next),
    codes: next.codes,
    download: at(visit, '/codes/download'),
    error: problem?.error ?? null,
  };
  show(visit.ctx, visit.site.renderer, 'recovery-codes', locals, problem?.status ?? 200);
}

export function showRecoveryNotice(visit: Visit, next: StepOf<'recovery_notice'>): void {
  const locals: Pages['recovery-used'] = {
    ...commonOf(visit, next.assessment),
    left: next.assessment.recoveryCodesLeft,
    replacement: next.replacement,
    setUpAgain: at(visit, '/set-up-again'),
    action: at(visit, '/recovery/continue'),
  };
  show(visit.ctx, visit.site.renderer, 'recovery-used', locals);
}

export function showLowCodes(visit: Visit, next: StepOf<'recovery_low'>): void {
  const locals: Pages['recovery-low'] = {
    ...commonOf(visit, next.assessment),
    left: next.assessment.recoveryCodesLeft,
    makeNew: at(visit, '/recovery/renew'),
    action: at(visit, '/recovery/later'),
  };
  show(visit.ctx, visit.site.renderer, 'recovery-low', locals);
}

export function showConsent(visit: Visit, next: StepOf<'consent'>): void {
  const { client } = visit;
  const locals: Pages['consent'] = {
    ...commonOf(visit, next.assessment),
    applicationName: client.clientName ?? client.clientId,
    organizationName: (client.organization_name as string | null | undefined) ?? null,
    applicationLogoUrl: null,
    scopes: next.scopes.map((scope) => scopeSentence(scope, visit.site.services.settings.issuer)),
    policyUrl: client.policyUri ?? null,
    termsUrl: client.tosUri ?? null,
    action: at(visit, '/consent'),
    cancel: at(visit, '/cancel'),
  };
  show(visit.ctx, visit.site.renderer, 'consent', locals);
}

export function showRefused(visit: Visit, next: StepOf<'refuse'>): void {
  const locals: Pages['refused'] = {
    ...commonOf(visit, next.assessment),
    why: next.decision.why,
    // Who can help is of the person's own organization, whosever application this is.
    organizationName: organizationNameOf(next.assessment),
    // Without an organization there is nobody who could be told from here.
    help:
      next.decision.why === 'no_usable_factor' && organizationNameOf(next.assessment) !== null
        ? at(visit, '/help')
        : null,
    contact: contactOf(visit.site),
    cancel: at(visit, '/cancel'),
  };
  show(visit.ctx, visit.site.renderer, 'refused', locals, 403);
}
