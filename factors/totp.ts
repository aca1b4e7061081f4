import { createGuardrails, generateSecret, generateSync, generateURI, ScureBase32Plugin } from 'otplib';
import { toString as drawQrCode } from 'qrcode';
import { sameDigest } from '../lib/digest.ts';
import type { Answer, Factor, Json, Subject } from './factor.ts';

const period = 30;

/** How many steps a code may be early or late (RFC 6238, 5.2, recommends one for delay and drift). */
const drift = 1;

// New secrets have 160 bits. Those that come from elsewhere may have the 80 that were usual once.
const minSecretBytes = 10;
const maxSecretBytes = 64;
const guardrails = createGuardrails({ MIN_SECRET_BYTES: minSecretBytes, MAX_SECRET_BYTES: maxSecretBytes });
const base32 = new ScureBase32Plugin();

/**
 * Codes of RFC 6238: SHA-1, 6 digits, 30 seconds, one step of drift either way. The matched step is the high-water
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
    const secret = secretOf(kept);
    const step = secret === null ? null : matchingStep(secret, answer, subject.now);
    if (secret === null || step === null) return { ok: false };
    return { ok: true, data: { secret }, highWater: step, userVerified: false };
  },

  async startChallenge() {
    return { keep: null, show: {} };
  },

  async verify(subject, _kept, answer) {
    for (const { id, data } of subject.factors) {
      const secret = secretOf(data);
      const step = secret === null ? null : matchingStep(secret, answer, subject.now);
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

/** The newest step around now whose code was answered, or null. */
function matchingStep(secret: string, answer: Answer, now: Date): number | null {
  const code = readCode(answer);
  if (code === null) return null;
  const current = Math.floor(now.getTime() / 1000 / period);
  const steps: number[] = [];
  for (let step = Math.max(0, current - drift); step <= current + drift; step += 1) {
    if (sameDigest(codeAt(secret, step), code)) steps.push(step);
  }
  return steps.at(-1) ?? null;
}

const codeAt = (secret: string, step: number): string =>
  generateSync({ secret, epoch: step * period, period, digits: 6, algorithm: 'sha1', guardrails });

/** Spaces and dashes are forgiven; everything else that is not six digits is no code. */
function readCode(answer: Answer): string | null {
  const typed = answer?.code;
  if (typeof typed !== 'string' || typed.length > 32) return null;
  const code = typed.replaceAll(/[\s\p{Dash_Punctuation}]/gu, '');
  return /^[0-9]{6}$/.test(code) ? code : null;
}

function secretOf(data: Json): string | null {
  if (typeof data !== 'object' || data === null || !('secret' in data)) return null;
  return fromSecret(data.secret)?.secret ?? null;
}

/** Key URI format: the label is `issuer:account`, so neither may hold a colon of its own. */
function describe({ issuerName, email }: Subject, secret: string): string {
  const [issuer, label] = [issuerName, email].map((name) =>
    name
      .toWellFormed()
      .replaceAll(/\s*:\s*/g, ' ')
      .trim(),
  );
  return generateURI({ issuer: issuer || 'Sallyport', label: label || 'account', secret });
}

const inGroups = (secret: string): string => secret.match(/.{1,4}/g)?.join(' ') ?? '';

/** An image of its own, so that the page's policy needs no more than `img-src data:`; black on white also in the dark. */
async function draw(text: string): Promise<string> {
  const svg = await drawQrCode(text, { type: 'svg', errorCorrectionLevel: 'M', margin: 4 });
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
}
