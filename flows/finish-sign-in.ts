import { auditEvent, type Origin } from '../audit/audit.ts';
import { consentedScope, giveConsent } from '../entities/consents.ts';
import { isDuplicate, type Statement } from '../entities/database.ts';
import { joinForTheFirstTime, membershipHistory } from '../entities/memberships.ts';
import { rememberDevice, touchRememberedDevice } from '../entities/remembered-devices.ts';
import { addUpstreamLink, linksProved } from '../entities/upstream-links.ts';
import { upstreamById } from '../entities/upstream-providers.ts';
import { freshFactorUsed, noteSignIn } from '../entities/users.ts';
import { after, days } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { newId } from '../lib/id.ts';
import { token } from '../lib/random.ts';
import { isSecondStep } from '../policy/proofs.ts';
import { type Decision, methods, type Proof } from '../policy/types.ts';
import type { Assessment } from './assess-sign-in.ts';
import { givenAt, type Proved } from './proofs.ts';
import { changeMail, securityMail } from './security-mail.ts';
import type { Services } from './services.ts';
import { type SignIn, signInStatement, stillJoining } from './sign-in-state.ts';

type Allowed = Extract<Decision, { kind: 'allow' }>;

export interface FinishedSignIn {
  readonly accountId: string;
  readonly acr: string;
  readonly amr: readonly string[];
  readonly proved: Proved;
  /** A device that is remembered from now on; undefined leaves what the browser has. */
  readonly device: { readonly id: string; readonly secret: string } | undefined;
}

export interface EndOfSignIn {
  readonly signIn: SignIn;
  readonly assessment: Assessment;
  readonly allowed: Allowed;
  /** Scopes that the person has granted on the consent page just now. */
  readonly consented: string | null;
  readonly origin: Origin;
  readonly clientId: string;
  /** This person has signed in here before. */
  readonly knownBrowser: boolean;
}

/** What is written when a sign-in ends, as one batch that succeeds once, and what came of it when it did. */
export interface Ending {
  readonly statements: readonly Statement[];
  readonly finished: FinishedSignIn;
}

/**
 * The end of a sign-in that was allowed a moment ago: once, decided by the write, together with the device that is remembered and
 * the event that tells of it. Null where another request of the same interaction was first.
 */
export async function finishSignIn(services: Services, input: EndOfSignIn): Promise<FinishedSignIn | null> {
  const ending = await endingOf(services, input);
  return ending && (await writtenOnce(services, ending.statements)) ? ending.finished : null;
}

/** The same for who writes it together with the last answer; null where what was to be joined cannot be joined any more. */
export async function endingOf(services: Services, input: EndOfSignIn): Promise<Ending | null> {
  const { db } = services;
  const { signIn, assessment, allowed } = input;
  const { user } = assessment;
  const { state } = signIn;
  const now = db.clock.now();
  // Whatever forgets remembered devices also forgets the wish to become one.
  const remember = state.remember?.securityVersion === user.security_version ? state.remember : null;
  const device = remember ? { id: newId(now), secret: token() } : undefined;
  const rememberedId = allowed.why === 'remembered' ? (assessment.remembered?.id ?? null) : null;
  const { acr, amr } = allowed.assurance;
  const joined = await joining(services, input);
  if (joined === null) {
    return null;
  }

  const statements = [
    ...joined,
    signInStatement(services, signIn, state, true),
    ...(remember && device
      ? [
          rememberDevice(db, {
            id: device.id,
            userId: user.id,
            secretDigest: digest(device.secret),
            method: remember.method,
            securityVersion: user.security_version,
            userAgent: input.origin.userAgent?.slice(0, 500) ?? null,
            ip: input.origin.ip,
            // It counts from the answer: a policy that changed since then forgets it.
            now: new Date(remember.at),
            expiresAt: after(new Date(remember.at), days(remember.days)),
          }),
          ...securityMail(services, user, input.origin, {
            template: 'new-device',
            values: { days: remember.days },
          }),
          auditEvent(db, input.origin, {
            type: 'device.remembered',
            userId: user.id,
            clientId: input.clientId,
          }),
        ]
      : []),
    ...(rememberedId === null ? [] : [touchRememberedDevice(rememberedId, now)]),
    ...linksProvedBy(user.id, assessment.facts.proofs),
    ...(input.consented === null
      ? []
      : [
          giveConsent(
            db,
            user.id,
            input.clientId,
            await withEarlier(db, user.id, input.clientId, input.consented),
            now,
          ),
          auditEvent(db, input.origin, {
            type: 'consent.given',
            userId: user.id,
            clientId: input.clientId,
            data: { scope: input.consented },
          }),
        ]),
    ...(state.changed
      ? [
          noteSignIn(
            user.id,
            {
              acr,
              clientId: input.clientId,
              language: input.origin.language ?? null,
              isFirst: user.last_sign_in_at === null,
            },
            now,
          ),
          ...(isWorthAWord(input) ? changeMail(services, user, input.origin, 'new_browser') : []),
          ...(user.fresh_factor_since === null
            ? []
            : factorUsedAt(assessment.facts.proofs).map((at) => freshFactorUsed(user.id, at))),
          auditEvent(db, input.origin, {
            type: 'sign_in.succeeded',
            userId: user.id,
            clientId: input.clientId,
            organizationId: null,
            data: {
              acr,
              amr,
              by: [...new Set(assessment.facts.proofs.map(({ kind }) => kind))],
              why: allowed.why,
              before: user.last_sign_in_acr,
            },
          }),
        ]
      : []),
  ];
  const finished = {
    accountId: user.id,
    acr,
    amr,
    proved: {
      proofs: state.proofs,
      choices: state.choices,
      deviceId: rememberedId,
      startedAt: Math.min(...state.proofs.map(givenAt)),
      finishedAt: now.getTime(),
      signIn: digest(signIn.uid),
      origin: { ip: input.origin.ip, userAgent: input.origin.userAgent?.slice(0, 500) ?? null },
    },
    device,
  };
  return { statements, finished };
}

/** With the password alone somebody comes in from anywhere: its person is told where they have not been before. */
const isWorthAWord = ({ knownBrowser, assessment: { user }, signIn: { state } }: EndOfSignIn): boolean =>
  !knownBrowser &&
  user.last_sign_in_at !== null &&
  state.proofs.some(({ kind }) => kind === 'password') &&
  !state.proofs.some(({ factorId, kind }) => factorId !== null || kind === 'recovery_code');

/** False also where what was to be joined has become somebody's meanwhile. */
async function writtenOnce({ db }: Services, statements: readonly Statement[]): Promise<boolean> {
  try {
    return await db.together(statements);
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

/**
 * The account of an upstream provider that this person has asked to be joined: only now that the password and every factor of their
 * own account were proved in this sign-in. Null where the provider is not there any more.
 */
async function joining(
  services: Services,
  { signIn, assessment, origin, clientId }: Parameters<typeof finishSignIn>[1],
): Promise<Statement[] | null> {
  const { db } = services;
  const { user } = assessment;
  const join = stillJoining(signIn.state, user.id);
  if (join === null) {
    return [];
  }
  const provider = await upstreamById(db, join.providerId);
  if (provider?.enabled !== 1 || provider.version !== join.version) {
    return null;
  }
  const now = db.clock.now();
  const id = newId(now);
  const { subject, joins, email } = join;
  // As it is now, not as it was when the page was shown: whoever was removed meanwhile stays removed.
  const history = joins === null ? null : await membershipHistory(db, user.id, joins.organizationId);
  if (history === 'removed') {
    return null;
  }
  return [
    // The provider answers for the address, and every factor that there is was asked for.
    addUpstreamLink(db, { id, userId: user.id, provider, subject, email, withFactor: true, now }),
    ...(joins === null || history === 'member'
      ? []
      : [joinForTheFirstTime(db, { ...joins, userId: user.id, now })]),
    auditEvent(db, origin, {
      type: 'upstream.linked',
      userId: user.id,
      organizationId: provider.organization_id,
      clientId,
      data: { provider: provider.name_key },
    }),
    ...changeMail(services, user, origin, 'upstream_linked', { what: provider.name }, undefined, {
      disconnect: id,
    }),
  ];
}

/** A sign-in by another provider and by a factor of one's own: from now on the provider's word for a second factor is taken too. */
function linksProvedBy(userId: string, proofs: readonly Proof[]): Statement[] {
  const came = proofs.flatMap(({ kind, factorId }) => (kind === 'upstream' && factorId ? [factorId] : []));
  const hasOwn = proofs.some(({ kind }) => methods.some((method) => method === kind));
  return hasOwn && came.length > 0 ? [linksProved(userId, came)] : [];
}

/** When a second step was last taken; empty where none was. */
function factorUsedAt(proofs: readonly Proof[]): Date[] {
  const moments = proofs.filter((proof) => isSecondStep(proof)).map(({ at }) => at.getTime());
  return moments.length === 0 ? [] : [new Date(Math.max(...moments))];
}

/** What was granted before stays granted. */
async function withEarlier(
  db: Services['db'],
  userId: string,
  clientId: string,
  scope: string,
): Promise<string> {
  const earlier = await consentedScope(db, userId, clientId);
  return [...new Set([...(earlier?.split(' ') ?? []), ...scope.split(' ')])].join(' ');
}
