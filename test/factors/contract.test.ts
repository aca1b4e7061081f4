import { createHmac } from 'node:crypto';
import test from 'ava';
import type { Answer, Factor, Json, Step, Subject } from '../../factors/factor.ts';
import { factorFor, factors } from '../../factors/index.ts';
import { Approver } from './approver.ts';
import { Authenticator } from './authenticator.ts';

const origin = 'https://id.acme.test';
/** Each passkey is in an authenticator of its own. */
const keys: Authenticator[] = [];
const approvers: Approver[] = [];

/** What the person's phone, key or mailbox would answer to a step, for each factor in the list. */
const answers: Record<string, (subject: Subject, step: Step, data: Json) => Answer> = {
  totp: (subject, step, data) => {
    const { secret } = (data ?? step.keep) as { secret: string };
    return { code: codeAt(secret, Math.floor(subject.now.getTime() / 30_000)) };
  },
  passkey: (_subject, step, data) => {
    const { options } = step.show as { options: string };
    if (data === null) {
      const key = new Authenticator(origin);
      keys.push(key);
      return { credential: key.create(options) };
    }
    const { credentialId } = data as { credentialId: string };
    const key = keys.find(({ credentials }) => credentials.some(({ id }) => id === credentialId));
    return { credential: key?.get(options, { credentialId }) };
  },
  email: (_subject, step) => ({ code: step.send?.values.code }),
  device: (_subject, step, data) => {
    const { toSign } = step.show as { toSign: string };
    if (data === null) {
      const approver = new Approver();
      approvers.push(approver);
      return { credential: approver.setUp(toSign) };
    }
    const { keyId } = data as { keyId: string };
    return { credential: approvers.find((one) => one.keyId === keyId)?.here(toSign) };
  },
  sms: (_subject, step) => ({ code: step.send?.values.code }),
};

/** Of nothing that is stored does its answer depend: a mailbox shows itself anew each time. */
const withoutData = ['email'];

const newcomer: Subject = {
  now: new Date('2026-03-01T12:00:05Z'),
  userId: 'ada',
  email: 'ada@acme.test',
  emailVerified: true,
  phone: '+15555550100',
  origin,
  issuerName: 'Acme Aviation',
  factors: [],
};

const rubbish: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  123456,
  Number.NaN,
  10n,
  '',
  ' ',
  '12345',
  '1234567',
  '１２３４５６',
  '١٢٣٤٥٦',
  '12345６',
  '123456\0',
  '\0',
  '-12345',
  '+12345',
  '1e5000',
  '0x1234',
  '12345a',
  '🛫🛫🛫',
  '1'.repeat(1_000_000),
  ' '.repeat(1_000_000),
  [],
  ['123456'],
  ['123456', '123456'],
  {},
  { code: '123456' },
  { $ne: 1 },
  { toString: () => '123456' },
  Object.create(null),
  () => '123456',
  Symbol('123456'),
];
const fields = ['code', 'credential', 'response', 'approval', 'signature', '__proto__', 'constructor'];
const rubbishAnswers: readonly Answer[] = [
  {},
  ...rubbish.flatMap((value) => fields.map((field) => Object.fromEntries([[field, value]]))),
  ...(rubbish as Answer[]),
];

for (const factor of factors) {
  const answer = (subject: Subject, step: Step, data: Json = null): Answer => {
    const answerOf = answers[factor.id];
    if (!answerOf) throw new Error(`say in this file how ${factor.id} is answered`);
    return answerOf(subject, step, data);
  };

  test(`${factor.id}: who has set it up with a right answer passes with a right answer`, async (t) => {
    const { owner, data } = await enrol(factor, answer);
    const step = await factor.startChallenge(owner);
    const outcome = await factor.verify(owner, step.keep, answer(owner, step, data));
    t.true(outcome.ok);
    if (outcome.ok) t.is(outcome.factorId, 'the factor');
  });

  test(`${factor.id}: what it keeps and stores survives the database`, async (t) => {
    const { owner, data, step } = await enrol(factor, answer);
    t.deepEqual(JSON.parse(JSON.stringify(data)), data);
    t.deepEqual(JSON.parse(JSON.stringify(step.keep)), step.keep);
    t.deepEqual(JSON.parse(JSON.stringify(step.show)), step.show);
    const challenge = await factor.startChallenge(owner);
    t.deepEqual(JSON.parse(JSON.stringify(challenge.keep)), challenge.keep);
  });

  test(`${factor.id}: rubbish is a wrong answer and never an error`, async (t) => {
    const { owner } = await enrol(factor, answer);
    const challenge = await factor.startChallenge(owner);
    const enrolment = await factor.startEnrolment(newcomer);
    for (const one of rubbishAnswers) {
      t.deepEqual(await factor.verify(owner, challenge.keep, one), { ok: false, reason: 'wrong' });
      t.deepEqual(await factor.finishEnrolment(newcomer, enrolment.keep, one), { ok: false });
    }
  });

  test(`${factor.id}: nothing that was kept or stored by mistake lets anybody in`, async (t) => {
    const { owner, data } = await enrol(factor, answer);
    const challenge = await factor.startChallenge(owner);
    const proof = answer(owner, challenge, data);
    for (const broken of [
      null,
      0,
      '',
      'x',
      [],
      {},
      { secret: '' },
      { secret: null },
      { secret: 7 },
    ] as Json[]) {
      const stranger = { ...owner, factors: [{ id: 'the factor', data: broken }] };
      const passes = (await factor.verify(stranger, challenge.keep, proof)).ok;
      t.is(passes, withoutData.includes(factor.id), JSON.stringify(broken));
      if (challenge.keep !== null) t.false((await factor.verify(owner, broken, proof)).ok);
      t.false((await factor.finishEnrolment(newcomer, broken, proof)).ok, JSON.stringify(broken));
    }
  });

  test(`${factor.id}: nobody passes without having set it up`, async (t) => {
    const { owner, data } = await enrol(factor, answer);
    const challenge = await factor.startChallenge(newcomer);
    const proof = answer(owner, await factor.startChallenge(owner), data);
    t.false((await factor.verify(newcomer, challenge.keep, proof)).ok);
  });

  test(`${factor.id}: nobody passes with another person's factor`, async (t) => {
    const [ada, bob] = [await enrol(factor, answer), await enrol(factor, answer)];
    const challenge = await factor.startChallenge(ada.owner);
    const proof = answer(bob.owner, await factor.startChallenge(bob.owner), bob.data);
    t.false((await factor.verify(ada.owner, challenge.keep, proof)).ok);
  });

  test(`${factor.id}: the page that asks for it shows nothing that would answer it`, async (t) => {
    const { owner, data } = await enrol(factor, answer);
    const challenge = await factor.startChallenge(owner);
    const shown = JSON.stringify(challenge.show);
    const given = texts(answer(owner, challenge, data));
    t.true(given.length > 0);
    // What is signed has to be shown, and nothing that is stored signs it.
    const secrets = factor.isSignature ? given : [...texts(data), ...texts(challenge.keep), ...given];
    for (const secret of secrets) {
      t.false(shown.includes(secret));
    }
  });

  test(`${factor.id}: an answer to one challenge is none to another`, async (t) => {
    const { owner, data } = await enrol(factor, answer);
    const [first, second] = [await factor.startChallenge(owner), await factor.startChallenge(owner)];
    if (first.keep === null) {
      return t.false(factor.isSignature ?? false, 'only what is counted by the clock keeps nothing');
    }
    const proof = answer(owner, first, data);
    t.false((await factor.verify(owner, second.keep, proof)).ok);
    t.true((await factor.verify(owner, first.keep, proof)).ok);
  });

  test(`${factor.id}: a challenge ends by itself`, async (t) => {
    const { owner, data } = await enrol(factor, answer);
    const challenge = await factor.startChallenge(owner);
    const proof = answer(owner, challenge, data);
    const later = { ...owner, now: new Date(owner.now.getTime() + 10 * 60_000) };
    t.false((await factor.verify(later, challenge.keep, proof)).ok);
  });

  test(`${factor.id}: it says what it is, and never claims more than one factor`, async (t) => {
    const { data } = await enrol(factor, answer);
    t.is(factorFor(factor.id), factor);
    t.true(factor.label.length > 0 && factor.description.length > 0);
    t.true(factor.amr(data).length > 0);
    t.false(factor.amr(data).includes('mfa'));
  });
}

/**
 * What the engine relies on for factors that are signatures: a challenge that is dropped after its first answer, right or wrong,
 * is worth nothing, whatever the authenticator says afterwards.
 */
for (const factor of factors.filter(({ isSignature }) => isSignature)) {
  test(`${factor.id}: a challenge that was dropped takes no answer, and each one is of its own`, async (t) => {
    const answerOf = answers[factor.id];
    if (!answerOf) throw new Error(`say in this file how ${factor.id} is answered`);
    const { owner, data } = await enrol(factor, (subject, step) => answerOf(subject, step, null));
    const challenges = await Promise.all(Array.from({ length: 50 }, () => factor.startChallenge(owner)));
    t.is(new Set(challenges.map(({ keep }) => JSON.stringify(keep))).size, 50);
    for (const step of challenges.slice(0, 3)) {
      t.false((await factor.verify(owner, null, answerOf(owner, step, data))).ok);
    }
  });
}

test('what is not in the list is no factor', (t) => {
  for (const id of ['', 'recovery_code', 'TOTP', '__proto__', 'constructor', 'password']) {
    t.throws(() => factorFor(id), { message: /there is no factor called/ });
  }
});

test('no two factors have one name', (t) => {
  t.is(new Set(factors.map(({ id }) => id)).size, factors.length);
});

async function enrol(
  factor: Factor,
  answer: (subject: Subject, step: Step) => Answer,
): Promise<{ owner: Subject; data: Json; step: Step }> {
  const step = await factor.startEnrolment(newcomer);
  const enrolled = await factor.finishEnrolment(newcomer, step.keep, answer(newcomer, step));
  if (!enrolled.ok) throw new Error(`${factor.id} could not be set up`);
  const { data } = enrolled;
  return { owner: { ...newcomer, factors: [{ id: 'the factor', data }] }, data, step };
}

function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(texts);
}

/** RFC 4226 and 6238 once more, without the library that the product uses. */
function codeAt(secret: string, step: number): string {
  const bits = [...secret]
    .map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', key).update(counter).digest();
  const number = mac.readUInt32BE(mac.readUInt8(19) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}
