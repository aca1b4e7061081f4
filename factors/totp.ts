import { createGuardrails, generateSecret, generateSync, generateURI, ScureBase32Plugin } from 'otplib';
import { toString as drawQrCode } from 'qrcode';
import { sameDigest } from '../lib/digest.ts';
import type { Answer, Factor, Json, Subject } from './factor.ts';
import { typedCode } from './typed-code.ts';

/** What apps that were set up elsewhere may count with (RFC 6238, 1.2); ours are set up with the first of each. */
export const totpAlgorithms = ['SHA1', 'SHA256', 'SHA512'] as const;
export const totpDigits = [6, 8] as const;
const defaults = { algorithm: 'SHA1', digits: 6, period: 30 } as const;
export const totpPeriods = { least: 10, most: 300 } as const;

type App = { readonly [Name in keyof TotpData]-?: NonNullable<TotpData[Name]> };

/** What is stored of an authenticator app; only what differs from our own beside the secret. */
export interface TotpData {
  readonly secret: string;
  readonly algorithm?: (typeof totpAlgorithms)[number] | undefined;
  readonly digits?: (typeof totpDigits)[number] | undefined;
  readonly period?: number | undefined;
}

/** How many steps a code may be early or late (RFC 6238, 5.2, recommends one for delay and drift). */
const drift = 1;

// New secrets have 160 bits. Those that come from elsewhere may have the 80 that were usual once.
const minSecretBytes = 10;
const maxSecretBytes = 64;
const guardrails = createGuardrails({ MIN_SECRET_BYTES: minSecretBytes, MAX_SECRET_BYTES: maxSecretBytes });
const base32 = new ScureBase32Plugin();

/**
 * Codes of RFC 6238: SHA-1, 6 digits, 30 seconds (an app that came from elsewhere may have others), one step of drift either way. The matched step is the high-water
 * mark; that it grows, and so that a code works once, is decided by the write that records it.
 */
export const totp: Factor = {
  id: 'totp',
  label: 'Authenticator app',
  description: 'A 6-digit code from an app on your phone. It works without a connection.',
  amr: () => ['otp'],

  async startEnrolment(subject) {
    const secret = generateSecret({ length: 20 });
    const uri = describe(subject, secret);
    return { keep: { secret }, show: { secret: inGroups(secret), uri, qr: await draw(uri) } };
  },

  async finishEnrolment(subject, kept, answer) {
    const data = dataOf(kept);
    const step = data === null ? null : matchingStep(data, answer, subject.now);
    if (data === null || step === null) return { ok: false };
    return { ok: true, data: { secret: data.secret }, highWater: step, userVerified: false };
  },

  async startChallenge() {
    return { keep: null, show: {} };
  },

  async verify(subject, _kept, answer) {
    for (const { id, data } of subject.factors) {
      const app = dataOf(data);
      const step = app === null ? null : matchingStep(app, answer, subject.now);
      if (step !== null) return { ok: true, factorId: id, data, highWater: step, userVerified: false };
    }
    return { ok: false, reason: 'wrong' };
  },
};

/** What to store for a secret that comes from another system, in base32 however it is grouped; null where it is none. */
export function fromSecret(typed: unknown): { readonly secret: string } | null {
  if (typeof typed !== 'string' || typed.length > 256) return null;
  const secret = typed.replaceAll(/[\s-]/g, '').replace(/=+$/, '').toUpperCase();
  if (!/^[A-Z2-7]+$/.test(secret)) return null;
  try {
    const { length } = base32.decode(secret);
    return length >= minSecretBytes && length <= maxSecretBytes ? { secret } : null;
  } catch {
    return null;
  }
}

/** The bytes of a secret as it is typed; what other systems store. */
export const inBase32 = (bytes: Uint8Array): string => base32.encode(bytes, { padding: false });

/** What to store of an app that was set up elsewhere: what is as everywhere is left out. */
export function totpData(app: TotpData): TotpData {
  const { secret, algorithm = defaults.algorithm, digits = defaults.digits, period = defaults.period } = app;
  return {
    secret,
    ...(algorithm === defaults.algorithm ? {} : { algorithm }),
    ...(digits === defaults.digits ? {} : { digits }),
    ...(period === defaults.period ? {} : { period }),
  };
}

/** How many digits the codes of this app have. */
export const digitsOf = (data: Json): number => dataOf(data)?.digits ?? defaults.digits;

/** The newest step around now whose code was answered, or null. */
function matchingStep(app: App, answer: Answer, now: Date): number | null {
  const code = typedCode(answer, app.digits);
  if (code === null) return null;
  const { period } = app;
  const current = Math.floor(now.getTime() / 1000 / period);
  const steps: number[] = [];
  for (let step = Math.max(0, current - drift); step <= current + drift; step += 1) {
    if (sameDigest(codeAt(app, step), code)) steps.push(step);
  }
  return steps.at(-1) ?? null;
}

const algorithms = { SHA1: 'sha1', SHA256: 'sha256', SHA512: 'sha512' } as const;

const codeAt = ({ secret, algorithm, digits, period }: App, step: number): string =>
  generateSync({
    secret,
    epoch: step * period,
    period,
    digits,
    algorithm: algorithms[algorithm],
    guardrails,
  });

/** Unknown is refused: what is stored was checked when it was written. */
function dataOf(data: Json): App | null {
  if (typeof data !== 'object' || data === null || !('secret' in data)) return null;
  const {
    algorithm = defaults.algorithm,
    digits = defaults.digits,
    period = defaults.period,
  } = data as {
    [name: string]: unknown;
  };
  const secret = fromSecret(data.secret)?.secret;
  const isKnown =
    totpAlgorithms.some((name) => name === algorithm) &&
    totpDigits.some((number) => number === digits) &&
    typeof period === 'number' &&
    Number.isInteger(period) &&
    period >= totpPeriods.least &&
    period <= totpPeriods.most;
  return secret !== undefined && isKnown ? ({ secret, algorithm, digits, period } as App) : null;
}

/** A QR code holds some two thousand characters; a letter of a name may be nine of them, and the name stands there twice. */
const longestIssuer = 40;

/** Key URI format: the label is `issuer:account`, so neither may hold a colon of its own. */
function describe({ issuerName, email }: Subject, secret: string): string {
  const [issuer, label] = [issuerName, email].map((name) =>
    name
      .toWellFormed()
      .replaceAll(/\s*:\s*/g, ' ')
      .trim(),
  );
  const shown = [...(issuer ?? '')].slice(0, longestIssuer).join('').trim();
  return generateURI({ issuer: shown || 'Sallyport', label: label || 'account', secret });
}

const inGroups = (secret: string): string => secret.match(/.{1,4}/g)?.join(' ') ?? '';

/** An image of its own, so that the page's policy needs no more than `img-src data:`; black on white also in the dark. */
async function draw(text: string): Promise<string> {
  const svg = await drawQrCode(text, { type: 'svg', errorCorrectionLevel: 'M', margin: 4 });
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
}
