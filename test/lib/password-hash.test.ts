import test from 'ava';
import { createPasswords, fromKeycloak, isPasswordHash, passwordProblem } from '../../lib/password-hash.ts';
import { createWorkQueue, Overloaded } from '../../lib/work-queue.ts';

const passwords = createPasswords(createWorkQueue({ queueLimit: 1000 }));
const right = { ok: true, needsRehash: false };
const rightButOld = { ok: true, needsRehash: true };
const wrong = { ok: false, needsRehash: false };

const phrase = 'correct horse battery staple';
const nfc = 'Zürich-Café-9'.normalize('NFC');
const nfd = nfc.normalize('NFD');
const salt = 'MDEyMzQ1Njc4OWFiY2RlZg';

// Made by other programs: libxcrypt (crypt(3)), Python's hashlib, @noble/hashes, and the reference argon2 (test.c).
const vectors: readonly [hash: string, password: string][] = [
  ['$2a$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS', phrase],
  ['$2b$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS', phrase],
  ['$2y$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS', phrase],
  ['$2b$05$abcdefghijklmnopqrstuuj2MyJRDkvAIAiolA83L2RiVxP0XCwkO', nfc],
  ['$2b$10$abcdefghijklmnopqrstuuGGgFFcYeueaAql8Z7U7CnCTRw4DR77W', phrase],
  [`$pbkdf2$1000$${salt}$wmIXv0mv7iouqkc9CKjRvCX21po`, phrase],
  [`$pbkdf2-sha1$i=1000$${salt}$wmIXv0mv7iouqkc9CKjRvCX21po`, phrase],
  [
    `$pbkdf2-sha256$i=27500,l=64$${salt}$DGzF4+RpmttWHV7FCaK41NYsG4Rc9QqDO8q71k0T1ODS+Ooo+SM5Ep4eJNd+eywW2X+UkNdTatqTScXAD7qm+w`,
    phrase,
  ],
  [
    `$pbkdf2-sha256$27500$${salt}$DGzF4.RpmttWHV7FCaK41NYsG4Rc9QqDO8q71k0T1ODS.Ooo.SM5Ep4eJNd.eywW2X.UkNdTatqTScXAD7qm.w`,
    phrase,
  ],
  ['$pbkdf2-sha256$1000$.//.MDEyMzQ1Njc4OWFiYw$DSMBPeGwjZj/h1C1zm5ceCdvmuzYJO3Lu/nnrH68YOA', phrase],
  [
    `$pbkdf2-sha512$i=5000,l=64$${salt}$Bxf9CjBr0UEIG4wMGkrrNM3vvcU6mfXsCae46r3o2DotLW7Ax17sTjDL5HRMXcuywcBf4J09xjIdkRpBnenoWg`,
    phrase,
  ],
  [`$pbkdf2-sha256$i=1000,l=32$${salt}$bU0EeM7qSlN7a9lPIzWzjiRkIcZrRDmTPAGEAYgdDAU`, 'nul\0inside'],
  [`$argon2id$v=19$m=7168,t=5,p=1$${salt}$iFYFbd6+YgSpBS95zKSeCiqMI6RfgwXfibpMk5AbxQY`, phrase],
  [`$argon2id$v=19$m=256,t=3,p=4$${salt}$TBLFLToIIw44J9A58ZATxhtmnZRbGjp5T2SUHWXOdUA`, phrase],
  [`$argon2i$v=19$m=256,t=3,p=4$${salt}$8kPd1LQAIHScLxgONFMiJaJb5cmh4dBksDjeOvz3e8w`, phrase],
  [`$argon2d$v=19$m=256,t=3,p=4$${salt}$otlqSJ4mgRAHO2k7djwYZWQsC4pxW6tDCJFPlXVi3OI`, phrase],
  ['$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc', 'password'],
  ['$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA', 'password'],
];

for (const [hash, password] of vectors) {
  test(`a hash that another program made lets its password in and no other: ${hash.slice(0, 40)}`, async (t) => {
    t.is(isPasswordHash(hash), true);
    const verified = await passwords.verify(hash, password);
    t.true(verified.ok);
    for (const other of ['', `${password}x`, ` ${password}`, password.toUpperCase(), `${password}\0`]) {
      t.deepEqual(await passwords.verify(hash, other), wrong, JSON.stringify(other));
    }
  });
}

test('a new hash is argon2id in PHC form with a salt of its own, and is not to be made again', async (t) => {
  const [a, b] = await Promise.all([passwords.hash(phrase), passwords.hash(phrase)]);
  for (const hash of [a, b]) {
    t.regex(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    t.is(isPasswordHash(hash), true);
    t.deepEqual(await passwords.verify(hash, phrase), right);
  }
  t.not(a, b);
});

test('hashes of older kinds, of lower cost and with short salts are to be made again, equal ones are not', async (t) => {
  for (const [hash, password] of vectors) {
    t.deepEqual(await passwords.verify(hash, password), rightButOld, hash.slice(0, 40));
  }
  const equal = `$argon2id$v=19$m=47104,t=1,p=1$${salt}$QGA1U5IzH+tF9EOz2j+ymVvH5Hn0/0QO2qMnmvz0sVw`;
  t.deepEqual(await passwords.verify(equal, phrase), right);
});

test('long passwords count to their last character', async (t) => {
  for (const length of [64, 72, 73, 128, 1024]) {
    const password = 'x'.repeat(length);
    const hash = await passwords.hash(password);
    t.deepEqual(await passwords.verify(hash, password), right);
    for (const other of [password.slice(0, -1), `${password.slice(0, -1)}y`, `${password}x`]) {
      t.deepEqual(await passwords.verify(hash, other), wrong, String(length));
    }
  }
});

test('a bcrypt hash accepts exactly 72 bytes and never the beginning of more', async (t) => {
  const hash = '$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q';
  t.deepEqual(await passwords.verify(hash, 'x'.repeat(72)), rightButOld);
  for (const other of ['x'.repeat(71), 'x'.repeat(73), `${'x'.repeat(72)}y`, 'x'.repeat(128)]) {
    t.deepEqual(await passwords.verify(hash, other), wrong);
  }
});

test('a NUL is a character like any other, and no way to write a bcrypt password twice', async (t) => {
  const hash = await passwords.hash('nul\0inside');
  t.deepEqual(await passwords.verify(hash, 'nul\0inside'), right);
  for (const other of ['nul', 'nul\0', 'nul\0insidf', 'nulinside']) {
    t.deepEqual(await passwords.verify(hash, other), wrong);
  }
  const bcrypt = '$2b$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS';
  t.deepEqual(await passwords.verify(bcrypt, `${phrase}\0${phrase}`), wrong);
});

test('it does not matter how a keyboard composes an umlaut', async (t) => {
  for (const typed of [nfc, nfd]) {
    const hash = await passwords.hash(typed);
    t.deepEqual(await passwords.verify(hash, nfc), right);
    t.deepEqual(await passwords.verify(hash, nfd), right);
    t.deepEqual(await passwords.verify(hash, 'Zurich-Cafe-9'), wrong);
  }
});

test('an imported hash of decomposed text accepts what was typed then, and is to be made again', async (t) => {
  const hash = `$pbkdf2-sha256$i=1000,l=32$${salt}$RWNTMUfkAyNmYZF6xaiFcX11t1UmECXFg/zIgpm5auE`;
  t.deepEqual(await passwords.verify(hash, nfd), rightButOld);
});

test('a password is counted in code points of its composed form, and what is too long is never hashed', async (t) => {
  const rows: [password: string, problem: ReturnType<typeof passwordProblem>][] = [
    ['', 'too_short'],
    ['1234567', 'too_short'],
    ['12345678', null],
    ['🛫'.repeat(7), 'too_short'],
    ['🛫'.repeat(8), null],
    ['ü'.normalize('NFD').repeat(7), 'too_short'],
    ['ü'.normalize('NFD').repeat(1024), null],
    ['🛫'.repeat(1024), null],
    ['x'.repeat(1024), null],
    ['x'.repeat(1025), 'too_long'],
    ['x'.repeat(4096), 'too_long'],
    ['x'.repeat(10_000_000), 'too_long'],
    ['unpaired \ud800', 'not_text'],
    ['nul\0inside', null],
  ];
  const idle = createPasswords(createWorkQueue({ concurrency: 0, queueLimit: 0 }));
  for (const [password, problem] of rows) {
    t.is(passwordProblem(password), problem, JSON.stringify(password.slice(0, 20)));
    if (problem === null || problem === 'too_short') continue;
    t.deepEqual(await idle.verify(vectors[0]?.[0] ?? '', password), wrong);
    t.deepEqual(await idle.dummyVerify(password), wrong);
    await t.throwsAsync(idle.hash(password), { instanceOf: RangeError });
  }
});

const tag = 'A'.repeat(43);
const unusable: readonly string[] = [
  '',
  'password',
  '$',
  '$2x$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS',
  '$2b$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/Zsu',
  '$2b$03$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS',
  '$2b$15$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS',
  '$2b$31$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS',
  `$argon2id$m=19456,t=2,p=1$${salt}$${tag}`,
  `$argon2id$v=16$m=19456,t=2,p=1$${salt}$${tag}`,
  `$argon2id$v=19$m=262145,t=1,p=1$${salt}$${tag}`,
  `$argon2id$v=19$m=262144,t=20,p=1$${salt}$${tag}`,
  `$argon2id$v=19$m=1024,t=21,p=1$${salt}$${tag}`,
  `$argon2id$v=19$m=1024,t=1,p=1000$${salt}$${tag}`,
  `$argon2id$v=19$m=8,t=1,p=4$${salt}$${tag}`,
  `$argon2id$v=19$m=19456,t=0,p=1$${salt}$${tag}`,
  `$argon2id$v=19$m=-1,t=1,p=1$${salt}$${tag}`,
  `$argon2id$v=19$m=19456,t=2$${salt}$${tag}`,
  `$argon2id$v=19$m=19456,t=2,p=1,keyid=x$${salt}$${tag}`,
  `$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$${tag}`,
  `$argon2id$v=19$m=19456,t=2,p=1$${salt}$`,
  `$argon2id$v=19$m=19456,t=2,p=1$${salt}$AAAA`,
  `$argon2id$v=19$m=19456,t=2,p=1$${salt}`,
  `$argon2id$v=19$m=19456,t=2,p=1$${salt}$${tag}$x`,
  `$argon2id$v=19$m=19456,t=2,p=1$${salt}$!!!`,
  `$argon2id$v=19$m=19456,t=2,p=1$${salt}$${'A'.repeat(10_000)}`,
  `$argon2$v=19$m=19456,t=2,p=1$${salt}$${tag}`,
  `$pbkdf2-sha256$i=2000001,l=32$${salt}$${tag}`,
  `$pbkdf2-sha256$2000001$${salt}$${tag}`,
  `$pbkdf2-sha256$0$${salt}$${tag}`,
  `$pbkdf2-sha256$x$${salt}$${tag}`,
  `$pbkdf2-sha256$i=1000,l=64$${salt}$${tag}`,
  `$pbkdf2-sha256$i=1000$${salt}$`,
  `$pbkdf2-md5$i=1000$${salt}$${tag}`,
  `$pbkdf2-constructor$i=1000$${salt}$${tag}`,
];

test('a hash that is broken, unknown or too expensive is refused with a sentence that shows none of it', (t) => {
  for (const hash of unusable) {
    const why = isPasswordHash(hash);
    t.is(typeof why, 'string', hash);
    t.false(String(why).includes(salt) || String(why).includes(tag), String(why));
  }
});

test('a stored hash that cannot be read lets nobody in and breaks nothing', async (t) => {
  for (const hash of unusable) {
    t.deepEqual(await passwords.verify(hash, phrase), wrong, hash);
  }
});

const keycloak = (
  algorithm: string,
  hashIterations: number,
  value: string,
  additionalParameters: object = {},
) => ({
  type: 'password',
  secretData: JSON.stringify({ value, salt: `${salt}==`, additionalParameters: {} }),
  credentialData: JSON.stringify({ hashIterations, algorithm, additionalParameters }),
});

test('a user who comes from Keycloak keeps the password, with each algorithm that Keycloak has had', async (t) => {
  const argon2 = { hashLength: ['32'], memory: ['7168'], type: ['id'], version: ['1.3'], parallelism: ['1'] };
  const credentials = [
    keycloak('pbkdf2', 1000, 'wmIXv0mv7iouqkc9CKjRvCX21po='),
    keycloak(
      'pbkdf2-sha256',
      27500,
      'DGzF4+RpmttWHV7FCaK41NYsG4Rc9QqDO8q71k0T1ODS+Ooo+SM5Ep4eJNd+eywW2X+UkNdTatqTScXAD7qm+w==',
    ),
    keycloak(
      'pbkdf2-sha512',
      5000,
      'Bxf9CjBr0UEIG4wMGkrrNM3vvcU6mfXsCae46r3o2DotLW7Ax17sTjDL5HRMXcuywcBf4J09xjIdkRpBnenoWg==',
    ),
    keycloak('argon2', 5, 'iFYFbd6+YgSpBS95zKSeCiqMI6RfgwXfibpMk5AbxQY=', argon2),
  ];
  for (const credential of credentials) {
    const hash = fromKeycloak(credential);
    t.is(isPasswordHash(hash), true);
    t.deepEqual(await passwords.verify(hash, phrase), rightButOld);
    t.deepEqual(await passwords.verify(hash, `${phrase}.`), wrong);
  }
  const { secretData, credentialData } = credentials[0] ?? {};
  const read = { secretData: JSON.parse(secretData ?? ''), credentialData: JSON.parse(credentialData ?? '') };
  t.is(fromKeycloak(read), fromKeycloak(credentials[0]));
});

test('a credential from Keycloak that cannot be used is refused with the reason, showing none of it', (t) => {
  const value = `${tag}=`;
  const rubbish: [credential: unknown, message: RegExp][] = [
    [null, /the credential is not an object/],
    [[], /the credential is not an object/],
    [{ secretData: '{', credentialData: '{}' }, /secretData is not an object/],
    [{ secretData: { salt, value }, credentialData: 7 }, /credentialData is not an object/],
    [{ secretData: { salt: 7, value }, credentialData: {} }, /secretData.salt is not base64/],
    [keycloak('pbkdf2-sha256', 1000, ''), /secretData.value is not base64/],
    [keycloak('pbkdf2-sha256', 1.5, value), /hashIterations is not a whole number/],
    [keycloak('pbkdf2-sha256', 2_000_001, value), /more than 2000000 iterations/],
    [keycloak('md5', 1, value), /neither argon2 nor PBKDF2/],
    [keycloak('pbkdf2-sha256$i=1', 1, value), /neither argon2 nor PBKDF2/],
    [keycloak('argon2', 1, value), /argon2 version/],
    [keycloak('argon2', 1, value, { version: ['1.0'] }), /argon2 version/],
    [keycloak('argon2', 1, value, { version: ['1.3'], type: ['x'] }), /argon2 type/],
    [keycloak('argon2', 1, value, { version: '1.3', type: 'id', memory: 'x' }), /argon2 memory/],
    [
      keycloak('argon2', 21, value, { version: '1.3', type: 'id', memory: 64, parallelism: 1 }),
      /more than 20 passes/,
    ],
  ];
  for (const [credential, message] of rubbish) {
    const error = t.throws(() => fromKeycloak(credential), { instanceOf: TypeError, message });
    t.false(error.message.includes(tag));
  }
});

test.serial('an account that does not exist takes as long as one that does', async (t) => {
  const alone = createPasswords(createWorkQueue({ concurrency: 1 }));
  const hash = await alone.hash(phrase);
  const times: Record<'real' | 'dummy', number[]> = { real: [], dummy: [] };
  for (let i = 0; i < 15; i += 1) {
    for (const kind of ['real', 'dummy'] as const) {
      const start = performance.now();
      t.deepEqual(
        kind === 'real' ? await alone.verify(hash, 'wrong one') : await alone.dummyVerify('wrong one'),
        wrong,
      );
      times[kind].push(performance.now() - start);
    }
  }
  const [real = 0, dummy = 0] = [times.real, times.dummy].map((list) => list.sort((a, b) => a - b)[7]);
  t.true(dummy > real / 2 && dummy < real * 2, `${real} ms and ${dummy} ms`);
});

test.serial(
  '200 sign-ins at once leave the event loop free, and those who would wait too long are told so',
  async (t) => {
    const busy = createPasswords(createWorkQueue({ queueLimit: 20 }));
    const bcrypt = '$2b$10$abcdefghijklmnopqrstuuGGgFFcYeueaAql8Z7U7CnCTRw4DR77W';
    const argon2 = await busy.hash(phrase);
    const gaps: number[] = [];
    let last = performance.now();
    const timer = setInterval(() => {
      gaps.push(performance.now() - last);
      last = performance.now();
    }, 5);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 200 }, (_, i) => busy.verify(i % 2 ? bcrypt : argon2, phrase)),
    );
    clearInterval(timer);
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    t.true(refused.every((one) => one.status === 'rejected' && one.reason instanceof Overloaded));
    t.true(refused.length >= 200 - 20 - 64 && refused.length < 200);
    for (const one of outcomes) if (one.status === 'fulfilled') t.true(one.value.ok);
    const p99 = gaps.sort((a, b) => a - b)[Math.floor(gaps.length * 0.99)] ?? 0;
    t.true(p99 < 200, `${p99} ms`);
  },
);
