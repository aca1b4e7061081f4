import { createPublicKey, X509Certificate } from 'node:crypto';
import { createRequire } from 'node:module';
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import * as z from 'zod';
import { minutes } from '../lib/clock.ts';
import type { Answer, Factor, Json, Subject } from './factor.ts';

/** 25 MiB with all that they need: loaded when somebody first uses a passkey. */
const load = createRequire(import.meta.url);
const webauthn = () => load('@simplewebauthn/server') as typeof import('@simplewebauthn/server');
const helpers = () =>
  load('@simplewebauthn/server/helpers') as typeof import('@simplewebauthn/server/helpers');

/** What is stored of a passkey; everything in it may be known, but nothing of it changed. */
const stored = z.object({
  credentialId: z.string(),
  publicKey: z.string(),
  counter: z.number(),
  transports: z.array(z.string()),
  /**
   * True where it is copied between a person's devices (`swk`), false where it cannot leave one (`hwk`); null where it comes from
   * elsewhere and has not said yet.
   */
  synced: z.boolean().nullable(),
  aaguid: z.string(),
  /** By which name its authenticator knows the person, where it was set up elsewhere. */
  userHandle: z.exactOptional(z.string()),
});

const kept = z.object({ challenge: z.string(), until: z.number() });

/** A challenge is answered within so long (security.md T075). */
const lifetime = minutes(5);

/** EdDSA, ES256 and RS256: every authenticator has one of them, and every release of Node.js knows them all. */
const algorithms = [-8, -7, -257] as const;

const text = z.string().max(20_000);
const registration = z.object({
  id: text,
  rawId: text,
  type: z.literal('public-key'),
  response: z.looseObject({
    clientDataJSON: text,
    attestationObject: text,
    transports: z.array(z.string().max(32)).max(10).optional(),
  }),
});
const authentication = z.object({
  id: text,
  rawId: text,
  type: z.literal('public-key'),
  response: z.looseObject({
    clientDataJSON: text,
    authenticatorData: text,
    signature: text,
    userHandle: text.nullish(),
  }),
});

/** WebAuthn Level 3 through SimpleWebAuthn. It checks signatures; that an answer is for this challenge and person is checked here (trap F5). */
export const passkey: Factor = {
  id: 'passkey',
  label: 'Passkey',
  description: 'Fingerprint, face or security key. Safest, and quickest from then on.',
  isSignature: true,
  amr: (data) => [stored.parse(data).synced === false ? 'hwk' : 'swk'],

  async startEnrolment(subject) {
    const options = await webauthn().generateRegistrationOptions({
      rpName: subject.issuerName,
      rpID: rpId(subject),
      userID: new Uint8Array(Buffer.from(subject.userId, 'utf8')),
      userName: subject.email,
      userDisplayName: subject.email,
      timeout: lifetime,
      attestationType: subject.passkeyModels ? 'direct' : 'none',
      supportedAlgorithmIDs: [...algorithms],
      excludeCredentials: credentials(subject),
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'preferred' },
    });
    return { keep: keep(subject, options.challenge), show: { options: JSON.stringify(options) } };
  },

  async finishEnrolment(subject, keptJson, answer) {
    const challenge = challengeOf(subject, keptJson);
    const response = parsed(registration, answer);
    if (challenge === null || response === null) return { ok: false };
    try {
      if (isFramed(response.response.clientDataJSON)) return { ok: false };
      const models = subject.passkeyModels ?? null;
      const certificates = certificatesIn(response.response.attestationObject);
      if (models === null && certificates !== 'none') return { ok: false };
      if (models !== null && !isTrusted(certificates, subject.passkeyRoots ?? [], subject.now))
        return wrongModel;
      const { verified, registrationInfo } = await webauthn().verifyRegistrationResponse({
        response: response as unknown as RegistrationResponseJSON,
        expectedChallenge: challenge,
        expectedOrigin: subject.origin,
        expectedRPID: rpId(subject),
        requireUserVerification: false,
        supportedAlgorithmIDs: [...algorithms],
      });
      if (!verified || registrationInfo.credential.id !== response.id) return { ok: false };
      const { credential, aaguid, credentialDeviceType, userVerified } = registrationInfo;
      if (models !== null && !models.includes(aaguid)) return wrongModel;
      readKey(credential.publicKey);
      const data: z.infer<typeof stored> = {
        credentialId: credential.id,
        publicKey: Buffer.from(credential.publicKey).toString('base64url'),
        counter: credential.counter,
        transports: credential.transports ?? [],
        synced: credentialDeviceType === 'multiDevice',
        aaguid,
      };
      return {
        ok: true,
        data,
        highWater: mark(credential.counter),
        userVerified,
        lookup: credential.id,
        ...(models === null ? {} : { model: aaguid }),
      };
    } catch {
      return { ok: false };
    }
  },

  async startChallenge(subject) {
    const options = await webauthn().generateAuthenticationOptions({
      rpID: rpId(subject),
      timeout: lifetime,
      // Without a name it is the whole sign-in, so its user must be verified, and nobody's credentials are told: the browser
      // offers those that it has for this site.
      ...(subject.factors.length > 0
        ? {
            userVerification: subject.mustVerify ? 'required' : 'preferred',
            allowCredentials: credentials(subject),
          }
        : { userVerification: 'required' }),
    });
    return { keep: keep(subject, options.challenge), show: { options: JSON.stringify(options) } };
  },

  async verify(subject, keptJson, answer) {
    const challenge = challengeOf(subject, keptJson);
    if (challenge === null) return { ok: false, reason: 'expired' };
    const response = parsed(authentication, answer);
    const factor = subject.factors
      .map(({ id, data }) => ({ id, data: stored.safeParse(data).data }))
      .find(({ data }) => data && data.credentialId === response?.id);
    if (!response || !factor?.data || response.id !== response.rawId) return { ok: false, reason: 'wrong' };
    const { data } = factor;
    const handle = response.response.userHandle;
    const knownAs = data.userHandle ?? subject.userId;
    if (handle && Buffer.from(handle, 'base64url').toString('utf8') !== knownAs) {
      return { ok: false, reason: 'wrong' };
    }
    try {
      if (isFramed(response.response.clientDataJSON)) return { ok: false, reason: 'wrong' };
      const { verified, authenticationInfo } = await webauthn().verifyAuthenticationResponse({
        response: response as unknown as AuthenticationResponseJSON,
        expectedChallenge: challenge,
        expectedOrigin: subject.origin,
        expectedRPID: rpId(subject),
        credential: {
          id: data.credentialId,
          publicKey: new Uint8Array(Buffer.from(data.publicKey, 'base64url')),
          // Its counter is looked at below, where it can be told from a wrong signature.
          counter: 0,
        },
        requireUserVerification: false,
      });
      const { newCounter, userVerified, credentialDeviceType } = authenticationInfo;
      // Whether it can be copied never changes (7.2, step 19), and is claimed.
      const synced = credentialDeviceType === 'multiDevice';
      if (!verified || (data.synced !== null && synced !== data.synced)) {
        return { ok: false, reason: 'wrong' };
      }
      if ((newCounter > 0 || data.counter > 0) && newCounter <= data.counter) {
        return { ok: false, reason: 'copied' };
      }
      return {
        ok: true,
        factorId: factor.id,
        data: { ...data, counter: newCounter, synced },
        highWater: mark(newCounter),
        userVerified,
      };
    } catch {
      return { ok: false, reason: 'wrong' };
    }
  },
};

/** A passkey that was set up elsewhere for this very site, as WebAuthn's own structures have it. */
export interface ForeignPasskey {
  readonly credentialId: string;
  /** COSE, in base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
  readonly aaguid: string;
  readonly userHandle: string;
}

/** What to store of it; null where its key is of a kind that is not accepted here, or cannot be read. */
export function fromForeign(foreign: ForeignPasskey): z.infer<typeof stored> | null {
  try {
    readKey(new Uint8Array(Buffer.from(foreign.publicKey, 'base64url')));
    const read = stored.safeParse({ ...foreign, transports: [...foreign.transports], synced: null });
    return read.success && foreign.counter >= 0 && Number.isSafeInteger(foreign.counter) ? read.data : null;
  } catch {
    return null;
  }
}

/** The credential that an answer claims to be by, to find whose it is; null where it says none. */
export function credentialIn(answer: Answer): string | null {
  return parsed(authentication, answer)?.id ?? null;
}

/** Our pages stand in nobody's frame, so an answer from one was not asked for on our page. */
function isFramed(clientDataJSON: string): boolean {
  const { crossOrigin, topOrigin } = helpers().decodeClientDataJSON(clientDataJSON);
  return crossOrigin === true || topOrigin !== undefined;
}

const wrongModel = {
  ok: false,
  error:
    'Only certain models of passkeys may be set up here, and this is none of them. Let the browser tell its make, or use another one.',
} as const;

/**
 * The certificates with which a maker attests a model, leaf first. `none` where there are none: where no attestation is asked for, a
 * browser sends none, or the key's signature over itself (WebAuthn Level 3, 5.1.3). Null for all else: other formats would have us ask
 * servers that their certificates name.
 */
function certificatesIn(attestationObject: string): readonly Uint8Array[] | 'none' | null {
  const attestation = helpers().decodeAttestationObject(helpers().isoBase64URL.toBuffer(attestationObject));
  const [format, statement] = [attestation.get('fmt'), attestation.get('attStmt')];
  if (!(statement instanceof Map)) return null;
  if (format === 'none') return statement.size > 0 ? null : 'none';
  if (format !== 'packed') return null;
  const chain: unknown = statement.get('x5c');
  if (chain === undefined) return 'none';
  const isChain = Array.isArray(chain) && chain.length > 0 && chain.length <= 5;
  return isChain && chain.every((one) => one instanceof Uint8Array && one.length < 10_000) ? chain : null;
}

/** True where every certificate is valid now and was issued by the next one, and the last by one that the operator trusts. */
function isTrusted(
  chain: readonly Uint8Array[] | 'none' | null,
  roots: readonly string[],
  now: Date,
): boolean {
  if (chain === null || chain === 'none') return false;
  const certificates = chain.map((bytes) => new X509Certificate(bytes));
  const trusted = roots.map((pem) => new X509Certificate(pem));
  const isCurrent = ({ validFromDate, validToDate }: X509Certificate) =>
    validFromDate <= now && now <= validToDate;
  const isIssued = (by: X509Certificate, one: X509Certificate) =>
    by.ca && one.checkIssued(by) && one.verify(by.publicKey);
  const last = certificates.at(-1);
  return (
    certificates.every(isCurrent) &&
    certificates.every((one, index) => {
      const issuer = certificates[index + 1];
      return issuer === undefined || isIssued(issuer, one);
    }) &&
    trusted.some(
      (root) =>
        isCurrent(root) &&
        last !== undefined &&
        (isIssued(root, last) || (certificates.length > 1 && last.fingerprint256 === root.fingerprint256)),
    )
  );
}

/**
 * Without an attestation nothing is signed in a set-up: a key that could never answer would be found out at the next sign-in.
 *
 * @throws where it is no key of `algorithms`
 */
function readKey(publicKey: Uint8Array<ArrayBuffer>): void {
  const cose = helpers().decodeCredentialPublicKey(publicKey) as unknown as Map<number, unknown>;
  const part = (label: number) => Buffer.from(cose.get(label) as Uint8Array).toString('base64url');
  const kinds: Readonly<Record<string, () => Record<string, string>>> = {
    '-8': () => ({ kty: 'OKP', crv: 'Ed25519', x: part(-2) }),
    '-7': () => ({ kty: 'EC', crv: 'P-256', x: part(-2), y: part(-3) }),
    '-257': () => ({ kty: 'RSA', n: part(-1), e: part(-2) }),
  };
  const jwk = kinds[String(cose.get(3))]?.();
  createPublicKey({ key: jwk ?? {}, format: 'jwk' });
}

/** Authenticators that do not count always say 0; those that do must grow (WebAuthn Level 3, 6.1.1). */
const mark = (counter: number): number | null => (counter > 0 ? counter : null);

const rpId = ({ origin }: Subject): string => new URL(origin).hostname;

const credentials = (subject: Subject) =>
  subject.factors.map(({ data }) => {
    const { credentialId, transports } = stored.parse(data);
    return { id: credentialId, transports };
  });

const keep = (subject: Subject, challenge: string): Json => ({
  challenge,
  until: subject.now.getTime() + lifetime,
});

function challengeOf(subject: Subject, json: Json): string | null {
  const read = kept.safeParse(json);
  return read.success && read.data.until > subject.now.getTime() ? read.data.challenge : null;
}

/** The browser's answer comes as JSON in the form's field `credential`. */
function parsed<Shape extends z.ZodType>(shape: Shape, answer: Answer): z.infer<Shape> | null {
  const credential = answer?.credential;
  if (typeof credential !== 'string' || credential.length > 60_000) return null;
  try {
    const read = shape.safeParse(JSON.parse(credential));
    return read.success ? read.data : null;
  } catch {
    return null;
  }
}
