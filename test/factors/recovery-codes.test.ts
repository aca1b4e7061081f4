import test from 'ava';
import {
  digestRecoveryCode,
  digestsRecoveryCode,
  newRecoveryCodes,
  newRecoverySalt,
  readRecoveryCode,
} from '../../factors/recovery-codes.ts';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';
import { createWorkQueue, Overloaded } from '../../lib/work-queue.ts';

test('a set has eight different codes of 80 bits, in letters and digits that cannot be confused', (t) => {
  const codes = newRecoveryCodes();
  t.is(codes.length, 8);
  t.is(new Set(codes).size, 8);
  for (const code of codes) t.regex(code, /^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/);
  t.is(newRecoveryCodes(1).length, 1);
});

test('20 000 codes are all different and uniform in every position', (t) => {
  const count = 20_000;
  const codes = newRecoveryCodes(count).map((code) => code.replaceAll('-', ''));
  for (let position = 0; position < 16; position += 1) {
    const seen = new Map<string, number>();
    for (const code of codes) seen.set(code.charAt(position), (seen.get(code.charAt(position)) ?? 0) + 1);
    t.is(seen.size, 32);
    const expected = count / 32;
    const chiSquare = [...seen.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 31 degrees of freedom: a fair source is above 90 less than once in a million times.
    t.true(chiSquare < 90, `position ${position}: ${chiSquare}`);
  }
});

test('a code is read however it was copied from paper', (t) => {
  const code = '01ab-cdef-ghjk-mnpq';
  for (const typed of [
    code,
    '01abcdefghjkmnpq',
    '01AB CDEF GHJK MNPQ',
    ' O1ab–cdef—ghjk-mnpq\n',
    'oIab-cdef-ghjk-mnpq',
    '0lab-cdef-ghjk-mnpq',
    '0Lab cdef ghjk mnpq',
    '0 1 a b c d e f g h j k m n p q',
  ]) {
    t.is(readRecoveryCode(typed), code, typed);
  }
  for (const one of newRecoveryCodes(100)) t.is(readRecoveryCode(one.toUpperCase()), one);
});

test('what is no recovery code is none, and never an error', (t) => {
  const rubbish: readonly unknown[] = [
    undefined,
    null,
    0,
    true,
    [],
    {},
    ['01ab-cdef-ghjk-mnpq'],
    { toString: () => '01ab-cdef-ghjk-mnpq' },
    '',
    '-',
    '123456',
    '01ab-cdef-ghjk-mnp',
    '01ab-cdef-ghjk-mnpqr',
    '01ab-cdef-ghjk-mnpu',
    '01ab-cdef-ghjk-mnp\0',
    '01ab-cdef-ghjk-mnp🛫',
    '０1ab-cdef-ghjk-mnpq',
    'x'.repeat(1_000_000),
  ];
  for (const typed of rubbish) t.is(readRecoveryCode(typed), null);
});

test('a stored code needs the key, the salt and the code, and is found again after a rotation', async (t) => {
  const queue = createWorkQueue();
  const [older, newer] = [newKey(), newKey()];
  const ring = openKeyRing(older);
  const [salt, code] = [newRecoverySalt(), '01ab-cdef-ghjk-mnpq'];
  const stored = await digestRecoveryCode({ ring, queue }, salt, code);
  t.is(await digestRecoveryCode({ ring, queue }, salt, code), stored);
  t.not(await digestRecoveryCode({ ring, queue }, newRecoverySalt(), code), stored);
  t.not(await digestRecoveryCode({ ring, queue }, salt, '01ab-cdef-ghjk-mnpr'), stored);
  t.not(await digestRecoveryCode({ ring: openKeyRing(newer), queue }, salt, code), stored);
  const all = await digestsRecoveryCode({ ring: openKeyRing(`${newer},${older}`), queue }, salt, code);
  t.is(all.length, 2);
  t.is(all[1], stored);
  t.false(stored.includes('01ab'));
});

test('guessing codes waits in the same queue as passwords', async (t) => {
  const queue = createWorkQueue({ concurrency: 0, queueLimit: 0 });
  const tools = { ring: openKeyRing(newKey()), queue };
  await t.throwsAsync(digestRecoveryCode(tools, newRecoverySalt(), '01ab-cdef-ghjk-mnpq'), {
    instanceOf: Overloaded,
  });
});
