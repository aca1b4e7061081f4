import { createPublicKey, randomInt, verify } from 'node:crypto';
import * as z from 'zod';
import { minutes } from '../lib/clock.ts';
import { digest } from '../lib/digest.ts';
import { token } from '../lib/random.ts';
import type { Answer, Factor, Json, Subject } from './factor.ts';

/** What is stored of a browser that was made an approver: the public half of a key that cannot leave it. */
const stored = z.object({ keyId: z.string(), publicKey: z.string() });

const keptSetUp = z.object({ challenge: z.string(), until: z.number() });
const keptRequest = z.object({ request: z.string(), number: z.number(), until: z.number() });

/** A request is answered within so long (product.md §3). */
export const approvalLifetime = minutes(2);
const setUpLifetime = minutes(10);

const newApprover = z.object({ publicKey: z.string().max(500), signature: z.string().max(500) });
const signed = z.object({ keyId: z.string().max(100), signature: z.string().max(500) });

/** The word of another device about one request, as the engine found it; `signature` is over `approvalText`. */
const approval = z.object({
  decision: z.enum(['waiting', 'approved', 'denied', 'ended']),
  factorId: z.string().nullable(),
  signature: z.string().nullable(),
  clientId: z.string().nullable(),
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
});
export type Approval = z.infer<typeof approval>;

/** What an approver is asked about: everything that its page shows, and everything that it signs. */
export interface ApprovalRequest {
  readonly origin: string;
  readonly userId: string;
  readonly request: string;
  readonly until: number;
  readonly clientId: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** The bytes that an approver signs: the same JSON is made by its browser, with the number that was picked. */
export const approvalText = (asked: ApprovalRequest, number: number | null): string =>
  JSON.stringify([
    'sallyport approval 1',
    asked.origin,
    asked.userId,
    asked.request,
    asked.until,
    asked.clientId,
    asked.ip,
    asked.userAgent,
    'approve',
    number,
  ]);

/**
 * Approval from another device: a browser that the person has made an approver signs the request of a sign-in elsewhere, with the
 * number that is shown there. In that browser itself, the same key answers at once.
 */
export const device: Factor = {
  id: 'device',
  label: 'Another device',
  description: 'This browser becomes your key: it approves your sign-ins on other devices.',
  isSignature: true,
  waits: true,
  amr: () => ['swk'],

  async startEnrolment(subject) {
    const challenge = token(256);
    return {
      keep: { challenge, until: subject.now.getTime() + setUpLifetime },
      show: {
        toSign: setUpText(subject, challenge),
        address: new URL('/account/approvals', subject.origin).href,
      },
    };
  },

  async finishEnrolment(subject, json, answer) {
    const kept = keptSetUp.safeParse(json).data;
    const sent = parsed(newApprover, answer);
    if (!kept || !sent || kept.until <= subject.now.getTime()) return { ok: false };
    if (!isSigned(sent.publicKey, sent.signature, setUpText(subject, kept.challenge))) return { ok: false };
    const keyId = digest(sent.publicKey);
    const data: z.infer<typeof stored> = { keyId, publicKey: sent.publicKey };
    return { ok: true, data, highWater: null, userVerified: false, lookup: `device ${keyId}` };
  },

  async startChallenge(subject) {
    const [request, number] = [token(256), randomInt(10, 100)];
    const until = subject.now.getTime() + approvalLifetime;
    return {
      keep: { request, number, until },
      show: {
        number,
        until,
        toSign: hereText(subject, request, until),
        keys: JSON.stringify(approvers(subject).map(({ data }) => data.keyId)),
      },
      ask: { request, number, until: new Date(until) },
    };
  },

  async verify(subject, json, answer) {
    const kept = keptRequest.safeParse(json).data;
    const read = approval.safeParse(answer?.approval).data;
    const here = parsed(signed, answer);
    if (!kept || (!here && !read)) return { ok: false, reason: 'wrong' };
    const isOver = kept.until <= subject.now.getTime();
    if (here) {
      const approver = approvers(subject).find(({ data }) => data.keyId === here.keyId);
      const text = hereText(subject, kept.request, kept.until);
      return !isOver && approver && isSigned(approver.data.publicKey, here.signature, text)
        ? passed(approver)
        : { ok: false, reason: 'wrong' };
    }
    if (!read || isOver || read.decision === 'ended') return { ok: false, reason: 'expired' };
    if (read.decision === 'waiting') return { ok: false, reason: 'pending' };
    if (read.decision === 'denied') return { ok: false, reason: 'declined' };
    const approver = approvers(subject).find(({ id }) => id === read.factorId);
    const asked = { ...read, origin: subject.origin, userId: subject.userId, ...kept };
    return approver && isApproved(subject, approver.data, asked, kept.number, read.signature)
      ? passed(approver)
      : { ok: false, reason: 'wrong' };
  },
};

/** True where this approver has signed this very request with this number. */
export function isApproved(
  subject: Pick<Subject, 'origin' | 'userId'>,
  data: Json,
  asked: Omit<ApprovalRequest, 'origin' | 'userId'>,
  number: number,
  signature: string | null,
): boolean {
  const approver = stored.safeParse(data).data;
  if (!approver || signature === null) return false;
  const { origin, userId } = subject;
  return isSigned(approver.publicKey, signature, approvalText({ ...asked, origin, userId }, number));
}

/** Names the key in the browser's own storage; null where the data is none of an approver. */
export const keyIdOf = (data: Json): string | null => stored.safeParse(data).data?.keyId ?? null;

interface Approver {
  readonly id: string;
  readonly data: z.infer<typeof stored>;
}

const approvers = ({ factors }: Subject): readonly Approver[] =>
  factors.flatMap(({ id, data }) => {
    const read = stored.safeParse(data).data;
    return read ? [{ id, data: read }] : [];
  });

const passed = ({ id, data }: Approver) =>
  ({ ok: true, factorId: id, data, highWater: null, userVerified: false }) as const;

const setUpText = ({ origin, userId }: Subject, challenge: string): string =>
  JSON.stringify(['sallyport approver 1', origin, userId, challenge]);

const hereText = ({ origin, userId }: Subject, request: string, until: number): string =>
  JSON.stringify(['sallyport sign-in here 1', origin, userId, request, until]);

/** ECDSA over P-256 and SHA-256, as WebCrypto makes it: r and s of 32 bytes each. */
function isSigned(publicKey: string, signature: string, text: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64url'), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false;
    const bytes = Buffer.from(signature, 'base64url');
    return verify('sha256', Buffer.from(text, 'utf8'), { key, dsaEncoding: 'ieee-p1363' }, bytes);
  } catch {
    return false;
  }
}

/** The browser's answer comes as JSON in the form's field `credential`. */
function parsed<Shape extends z.ZodType>(shape: Shape, answer: Answer): z.infer<Shape> | null {
  const credential = answer?.credential;
  if (typeof credential !== 'string' || credential === '' || credential.length > 4000) return null;
  try {
    return shape.safeParse(JSON.parse(credential)).data ?? null;
  } catch {
    return null;
  }
}
