import type { Assessment } from '../flows/assess-sign-in.ts';
import { type Decision, type Method, methods } from '../policy/types.ts';
import { isOwnTo, missingScopes, requestedNames } from '../provider/grants.ts';
import { assess, startedAt, type Visit } from './visit.ts';

type Of<Kind extends Decision['kind']> = Extract<Decision, { kind: Kind }>;

/** What an interaction needs next. Every page is one of these, and every form returns here; no step calls another. */
export type Next =
  | { readonly kind: 'sign_in'; readonly assessment: Assessment | null }
  | { readonly kind: 'challenge'; readonly assessment: Assessment; readonly decision: Of<'challenge'> }
  | { readonly kind: 'mailbox'; readonly assessment: Assessment }
  | {
      readonly kind: 'enrol';
      readonly assessment: Assessment;
      readonly decision: Of<'enrol'>;
      readonly wanted: boolean;
    }
  | { readonly kind: 'recovery_codes'; readonly assessment: Assessment; readonly codes: readonly string[] }
  | { readonly kind: 'recovery_notice'; readonly assessment: Assessment; readonly replacement: string | null }
  | { readonly kind: 'recovery_low'; readonly assessment: Assessment }
  | { readonly kind: 'consent'; readonly assessment: Assessment; readonly scopes: readonly string[] }
  | { readonly kind: 'refuse'; readonly assessment: Assessment; readonly decision: Of<'refuse'> }
  | { readonly kind: 'finish'; readonly assessment: Assessment; readonly decision: Of<'allow'> };

/** Asks the policy anew, with what was proved so far. */
export async function nextOf(visit: Visit): Promise<Next> {
  const assessment = await assess(visit);
  return assessment ? nextAfter(visit, assessment) : { kind: 'sign_in', assessment };
}

/** What follows from what the policy has said. */
export async function nextAfter(visit: Visit, assessment: Assessment): Promise<Next> {
  const { decision } = assessment;
  const { state } = visit.signIn;
  if (decision.kind !== 'sign_in' && state.newRecoveryCodes) {
    return { kind: 'recovery_codes', assessment, codes: state.newRecoveryCodes };
  }
  switch (decision.kind) {
    case 'sign_in':
      return { kind: 'sign_in', assessment };
    case 'challenge':
      return { kind: 'challenge', assessment, decision };
    case 'refuse':
      return { kind: 'refuse', assessment, decision };
    case 'enrol':
      return decision.mailboxFirst
        ? { kind: 'mailbox', assessment }
        : { kind: 'enrol', assessment, decision, wanted: false };
    case 'allow':
      return afterAllow(visit, assessment, decision);
  }
}

async function afterAllow(visit: Visit, assessment: Assessment, decision: Of<'allow'>): Promise<Next> {
  const { state } = visit.signIn;
  if (state.wantsSetup) {
    const methods = methodsFor(visit, assessment);
    if (methods.length > 0) {
      return { kind: 'enrol', assessment, decision: { ...wantedEnrolment, methods }, wanted: true };
    }
  }
  if (state.recoveryNotice) {
    return { kind: 'recovery_notice', assessment, replacement: state.recoveryNotice.replacement };
  }
  if (assessment.recoveryCodesLow && !state.lowCodesSeen && isWholeSignIn(visit)) {
    return { kind: 'recovery_low', assessment };
  }
  const scopes = await scopesToAsk(visit, assessment);
  return scopes === null ? { kind: 'finish', assessment, decision } : { kind: 'consent', assessment, scopes };
}

/** Both steps were taken in this very interaction, by a factor of one's own: not at every step-up are people told the same thing. */
function isWholeSignIn({ signIn, interaction }: Visit): boolean {
  const from = startedAt(interaction, signIn).getTime();
  const now = signIn.state.proofs.filter(({ at }) => at >= from);
  return (
    now.some(({ kind, userVerified }) => kind === 'password' || kind === 'upstream' || userVerified) &&
    now.some(({ kind }) => methods.some((method) => method === kind))
  );
}

/** After a recovery code a person may set up again of their own will, and may change their mind. */
const wantedEnrolment = {
  kind: 'enrol',
  wayOut: { kind: 'dismiss' },
  reason: { kind: 'instance' },
  mailboxFirst: false,
} as const;

/** Methods that may be set up of one's own will: those that every organization of the person counts. */
function methodsFor(visit: Visit, assessment: Assessment): readonly Method[] {
  const { available } = visit.site.services;
  return methods.filter(
    (method) =>
      available.includes(method) &&
      assessment.memberships.every(({ policy }) => policy.methods.includes(method)),
  );
}

/** The scopes that the consent page asks for; null where nobody has to be asked. */
async function scopesToAsk(visit: Visit, assessment: Assessment): Promise<readonly string[] | null> {
  const { client, interaction, site } = visit;
  if (isOwnTo(assessment, client)) {
    return null;
  }
  const asked =
    typeof interaction.params.prompt === 'string' && interaction.params.prompt.split(' ').includes('consent');
  const scopes = await requestedNames(site.services, client, interaction.params);
  const missing = await missingScopes(site.services, assessment.user.id, client, scopes);
  return asked || missing.length > 0 || client.applicationType === 'native' ? scopes : null;
}
