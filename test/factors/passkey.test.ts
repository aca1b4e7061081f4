import { generateKeyPairSync } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import test from 'ava';
import type { Json, Outcome, Step, Subject } from '../../factors/factor.ts';
import { credentialIn, fromForeign, passkey } from '../../factors/passkey.ts';
import { minutes, seconds } from '../../lib/clock.ts';
import { Authenticator, flipped, type Lies } from './authenticator.ts';
import { attester, falseAttester, model, root, selfMade } from './maker.ts';

const origin = 'https://id.acme.test';
const ada: Subject = {
  now: new Date('2026-03-01T12:00:00Z'),
  userId: 'user-ada',
  email: 'ada@acme.test',
  emailVerified: true,
  phone: null,
  origin,
  issuerName: 'Acme Aviation',
  factors: [],
};
const bob: Subject = { ...ada, userId: 'user-bob', email: 'bob@acme.test' };

const optionsOf = ({ show }: Step): string => (show as { options: string }).options;
const later = (subject: Subject, span: number): Subject => ({
  ...subject,
  now: new Date(subject.now.getTime() + span),
});

/** A person with one passkey, and what it is in. */
async function owner(
  subject: Subject = ada,
  how: ConstructorParameters<typeof Authenticator>[1] = {},
): Promise<{ key: Authenticator; person: Subject; data: Record<string, Json> }> {
  const key = new Authenticator(origin, how);
  const step = await passkey.startEnrolment(subject);
  const enrolled = await passkey.finishEnrolment(subject, step.keep, {
    credential: key.create(optionsOf(step)),
  });
  if (!enrolled.ok) throw new Error('the passkey could not be set up');
  const data = enrolled.data as Record<string, Json>;
  return { key, person: { ...subject, factors: [{ id: 'the passkey', data }] }, data };
}

async function answer(person: Subject, key: Authenticator, lies: Lies = {}): Promise<Outcome> {
  const step = await passkey.startChallenge(person);
  return passkey.verify(person, step.keep, { credential: key.get(optionsOf(step), lies) });
}

async function register(key: Authenticator, lies: Lies = {}): Promise<boolean> {
  const step = await passkey.startEnrolment(ada);
  return (await passkey.finishEnrolment(ada, step.keep, { credential: key.create(optionsOf(step), lies) }))
    .ok;
}

/** What is false in a set-up as well as in an answer. */
const lies: Readonly<Record<string, Lies>> = {
  'http instead of https': { clientData: { origin: 'http://id.acme.test' } },
  'another port': { clientData: { origin: 'https://id.acme.test:8443' } },
  'a sub-domain': { clientData: { origin: 'https://evil.id.acme.test' } },
  'the domain above': { clientData: { origin: 'https://acme.test' } },
  'a look-alike': { clientData: { origin: 'https://id.аcme.test' } },
  'a longer name': { clientData: { origin: 'https://id.acme.test.evil.test' } },
  'a trailing slash': { clientData: { origin: 'https://id.acme.test/' } },
  capitals: { clientData: { origin: 'https://ID.acme.test' } },
  'a user name in the origin': { clientData: { origin: 'https://id.acme.test@evil.test' } },
  'the origin null': { clientData: { origin: 'null' } },
  'an origin that is null': { clientData: { origin: null } },
  'no origin': { clientData: { origin: undefined } },
  'a list of origins': { clientData: { origin: [origin] } },
  'an app': { clientData: { origin: 'android:apk-key-hash:abc' } },
  'the rpId of the domain above': { rpId: 'acme.test' },
  'the rpId of another': { rpId: 'evil.test' },
  'no rpId': { rpId: '' },
  'the origin as rpId': { rpId: origin },
  'a frame': { clientData: { crossOrigin: true } },
  'a frame of another': { clientData: { crossOrigin: true, topOrigin: 'https://evil.test' } },
  'a frame of our own': { clientData: { crossOrigin: true, topOrigin: origin } },
  'a top origin alone': { clientData: { topOrigin: 'https://evil.test' } },
  'another challenge': { clientData: { challenge: Buffer.alloc(32).toString('base64url') } },
  'no challenge': { clientData: { challenge: '' } },
  'a challenge that is null': { clientData: { challenge: null } },
  'a list of challenges': { clientData: { challenge: ['a'] } },
  'a payment': { clientData: { type: 'payment.get' } },
  'no type': { clientData: { type: undefined } },
  'nobody there': { up: false },
  'nobody there, but verified': { up: false, uv: true },
  'backed up though it cannot be': { be: false, bs: true },
  'an id of another': { id: Buffer.alloc(32, 7).toString('base64url') },
  'id and rawId that differ': { rawId: Buffer.alloc(32, 7).toString('base64url') },
  'an id in another spelling': { after: (response) => response, id: 'AAAA====' },
  'clientDataJSON is no JSON': { after: (response) => ({ ...response, clientDataJSON: 'AAAA' }) },
  'clientDataJSON is null': {
    after: (response) => ({ ...response, clientDataJSON: Buffer.from('null').toString('base64url') }),
  },
  'clientDataJSON is an object': { after: (response) => ({ ...response, clientDataJSON: {} }) },
  'a response that is too long': {
    after: (response) => ({ ...response, clientDataJSON: 'A'.repeat(20_001) }),
  },
};

test('nothing false is accepted in an answer (T076-T079)', async (t) => {
  const { key, person } = await owner();
  t.true((await answer(person, key)).ok);
  for (const [what, lie] of Object.entries(lies)) t.false((await answer(person, key, lie)).ok, what);
  const only: Readonly<Record<string, Lies>> = {
    'the type of a set-up': { clientData: { type: 'webauthn.create' } },
    'another key': { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
    'the account of another': { userHandle: 'user-bob' },
    'an account that is nearly the same': { userHandle: 'user-ada ' },
    'an account with a null': { userHandle: 'user-ada\0' },
    'a key that has become one that can be copied': { be: true, bs: true },
    'no signature': { after: ({ signature: _, ...rest }) => rest },
    'an empty signature': { after: (response) => ({ ...response, signature: '' }) },
    'a signature that is no DER': { after: (response) => ({ ...response, signature: 'AAAA' }) },
    'no authenticator data': { after: (response) => ({ ...response, authenticatorData: '' }) },
    'a user handle that is a number': { after: (response) => ({ ...response, userHandle: 7 }) },
    'authenticator data cut short': { authData: (honest) => honest.subarray(0, 36) },
    'authenticator data with more behind it': {
      authData: (honest) => Buffer.concat([honest, Buffer.alloc(4)]),
    },
    'extensions that are no CBOR': {
      authData: (honest) => {
        honest.writeUInt8(honest.readUInt8(32) | 0x80, 32);
        return Buffer.concat([honest, Buffer.from([0xff, 0xff])]);
      },
    },
  };
  for (const [what, lie] of Object.entries(only)) t.false((await answer(person, key, lie)).ok, what);
  t.true((await answer(person, key)).ok);
});

test('nothing false is accepted in a set-up (T077-T079, T085)', async (t) => {
  for (const [what, lie] of Object.entries(lies)) {
    t.false(await register(new Authenticator(origin), lie), what);
  }
  const cut = (bytes: number): Lies => ({ authData: (honest) => honest.subarray(0, bytes) });
  const object = (bytes: Uint8Array): Lies => ({
    after: (response) => ({ ...response, attestationObject: Buffer.from(bytes).toString('base64url') }),
  });
  const certificate = new Uint8Array(1000).fill(0x30);
  const attested = (fmt: string, entries: readonly (readonly [string, unknown])[]): Lies => ({
    attestation: { fmt, attStmt: new Map(entries) as never },
  });
  const only: Readonly<Record<string, Lies>> = {
    'the type of an answer': { clientData: { type: 'webauthn.get' } },
    'no attestation object': { after: (response) => ({ ...response, attestationObject: '' }) },
    'no CBOR': object(Buffer.from([0xff])),
    'CBOR that promises more than there is': object(
      Buffer.from([0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ),
    'CBOR of lists in lists': object(Buffer.alloc(10_000, 0x81)),
    'CBOR without authenticator data': object(isoCBOR.encode(new Map([['fmt', 'none']]))),
    'CBOR that is a number': object(isoCBOR.encode(7)),
    'authenticator data cut in the head': cut(30),
    'authenticator data cut in the credential': cut(60),
    'authenticator data cut in the key': cut(120),
    'authenticator data cut by one byte': { authData: (honest) => honest.subarray(0, -1) },
    'more behind the key': { authData: (honest) => Buffer.concat([honest, Buffer.alloc(3)]) },
    'a statement that is a number': { attestation: { fmt: 'none', attStmt: 7 } },
    'a statement where there is none': attested('none', [['x5c', [certificate]]]),
    'a format that nobody knows': attested('acme', []),
    'a format by the name of a method': attested('constructor', []),
    'packed without a signature': attested('packed', [['alg', -7]]),
    'packed with a signature that is none': attested('packed', [
      ['alg', -7],
      ['sig', new Uint8Array(70)],
    ]),
    'packed with a certificate that is none': attested('packed', [
      ['alg', -7],
      ['sig', new Uint8Array(70)],
      ['x5c', [certificate]],
    ]),
    'ten certificates': attested('packed', [
      ['alg', -7],
      ['sig', new Uint8Array(70)],
      ['x5c', Array(10).fill(certificate)],
    ]),
    'a certificate of a thousand kilobytes': attested('packed', [
      ['alg', -7],
      ['sig', new Uint8Array(70)],
      ['x5c', [new Uint8Array(1_000_000)]],
    ]),
    ...Object.fromEntries(
      ['fido-u2f', 'android-key', 'android-safetynet', 'apple', 'tpm'].map((fmt) => [
        fmt,
        attested(fmt, [
          ['sig', new Uint8Array(70)],
          ['x5c', [certificate]],
          ['ver', '2.0'],
        ]),
      ]),
    ),
  };
  for (const [what, lie] of Object.entries(only))
    t.false(await register(new Authenticator(origin), lie), what);
  t.true(await register(new Authenticator(origin)));
});

test('a bit that is flipped anywhere in an answer makes it wrong (T077)', async (t) => {
  const { key, person } = await owner();
  const step = await passkey.startChallenge(person);
  const honest = JSON.parse(key.get(optionsOf(step))) as { response: Record<string, string> };
  const verify = async (response: object) =>
    (await passkey.verify(person, step.keep, { credential: JSON.stringify({ ...honest, response }) })).ok;
  for (const part of ['signature', 'authenticatorData', 'clientDataJSON']) {
    const text = honest.response[part] ?? '';
    const bytes = Buffer.from(text, 'base64url');
    // Of a signature, the numbers: that their frame can be written in several ways makes no other signature of it.
    const start = part === 'signature' ? bytes.length - 30 : 0;
    for (let bit = start * 8; bit < bytes.length * 8; bit += 7) {
      t.false(await verify({ ...honest.response, [part]: flipped(text, bit) }), `${part}, bit ${bit}`);
    }
  }
  t.true(await verify(honest.response));
});

test('a challenge lives five minutes, in an answer as in a set-up (T075)', async (t) => {
  const { key, person } = await owner();
  for (const [span, ok] of [
    [minutes(5) - seconds(1), true],
    [minutes(5), false],
    [minutes(5) + seconds(1), false],
  ] as const) {
    const step = await passkey.startChallenge(person);
    const outcome = await passkey.verify(later(person, span), step.keep, {
      credential: key.get(optionsOf(step)),
    });
    t.is(outcome.ok, ok);
    if (!outcome.ok) t.is(outcome.reason, 'expired');
    const enrolment = await passkey.startEnrolment(ada);
    const credential = new Authenticator(origin).create(optionsOf(enrolment));
    t.is((await passkey.finishEnrolment(later(ada, span), enrolment.keep, { credential })).ok, ok);
  }
});

test('a challenge has 256 bits, and what a set-up keeps answers no challenge, nor the reverse (T079)', async (t) => {
  const { key, person } = await owner();
  const [challenge, enrolment] = [await passkey.startChallenge(person), await passkey.startEnrolment(person)];
  const { challenge: sent } = JSON.parse(optionsOf(challenge)) as { challenge: string };
  t.is(Buffer.from(sent, 'base64url').length, 32);
  t.false((await passkey.verify(person, enrolment.keep, { credential: key.get(optionsOf(challenge)) })).ok);
  const created = new Authenticator(origin).create(optionsOf(enrolment));
  t.false((await passkey.finishEnrolment(person, challenge.keep, { credential: created })).ok);
  // With the same challenge under both, it is still the type that decides.
  const asked = JSON.stringify({ ...JSON.parse(optionsOf(challenge)), ...JSON.parse(optionsOf(enrolment)) });
  t.false(
    (await passkey.verify(person, enrolment.keep, { credential: new Authenticator(origin).create(asked) }))
      .ok,
  );
  const credentialId = key.credentials[0]?.id ?? '';
  const got = key.get(JSON.stringify({ ...JSON.parse(optionsOf(enrolment)), rpId: 'id.acme.test' }), {
    credentialId,
  });
  t.false((await passkey.finishEnrolment(person, enrolment.keep, { credential: got })).ok);
});

test("another person's passkey is none of mine, whatever it calls itself (T076)", async (t) => {
  const [mine, other] = [await owner(ada), await owner(bob)];
  const [myId, otherId] = [mine.key.credentials[0]?.id ?? '', other.key.credentials[0]?.id ?? ''];
  for (const lie of [
    { credentialId: otherId },
    { credentialId: otherId, userHandle: 'user-ada' },
    { credentialId: otherId, userHandle: null },
    { credentialId: otherId, id: myId },
    { credentialId: otherId, id: myId, userHandle: 'user-ada' },
    { credentialId: otherId, id: myId, rawId: otherId },
    { credentialId: otherId, id: otherId, rawId: myId },
  ] satisfies Lies[]) {
    t.false((await answer(mine.person, other.key, lie)).ok, JSON.stringify(lie));
  }
  t.false((await answer(mine.person, mine.key, { userHandle: 'user-bob' })).ok);
  t.true((await answer(mine.person, mine.key, { userHandle: null })).ok, 'a security key names no account');
  t.is(
    credentialIn({ credential: other.key.get(optionsOf(await passkey.startChallenge(other.person))) }),
    otherId,
  );
});

test('the counter must grow, once it has begun to count (T082)', async (t) => {
  const { key, person, data } = await owner();
  const at = (counter: number): Subject => ({
    ...person,
    factors: [{ id: 'it', data: { ...data, counter } }],
  });
  for (const [stored, sent, ok] of [
    [0, 0, true],
    [0, 1, true],
    [10, 11, true],
    [10, 4_294_967_295, true],
    [10, 10, false],
    [10, 5, false],
    [10, 0, false],
  ] as const) {
    const outcome = await answer(at(stored), key, { counter: sent });
    t.is(outcome.ok, ok, `stored ${stored}, sent ${sent}`);
    if (outcome.ok) {
      t.is((outcome.data as { counter: number }).counter, sent);
      t.is(outcome.highWater, sent === 0 ? null : sent);
    }
  }
});

test('what is claimed of a passkey is what its flags say (T065, T081)', async (t) => {
  for (const synced of [false, true]) {
    for (const verifies of [false, true]) {
      const { key, person, data } = await owner(ada, { synced, verifies });
      t.deepEqual(passkey.amr(data), [synced ? 'swk' : 'hwk']);
      for (const uv of [false, true]) {
        const outcome = await answer(person, key, { uv });
        t.true(outcome.ok && outcome.userVerified === uv);
        if (outcome.ok) t.deepEqual(passkey.amr(outcome.data), [synced ? 'swk' : 'hwk']);
      }
      if (synced)
        t.true((await answer(person, key, { be: true, bs: false })).ok, 'not backed up at the moment');
      t.false((await answer(person, key, { be: !synced, bs: false })).ok);
    }
  }
});

test('what the browser is asked: this site, its own passkeys, and verification where it is the whole sign-in', async (t) => {
  const { key, person } = await owner();
  const ask = async (subject: Subject) => JSON.parse(optionsOf(await passkey.startChallenge(subject)));
  const asked = await ask(person);
  t.is(asked.rpId, 'id.acme.test');
  t.deepEqual(
    asked.allowCredentials.map(({ id }: { id: string }) => id),
    [key.credentials[0]?.id],
  );
  t.is(asked.userVerification, 'preferred');
  const alone = await ask({ ...ada, userId: '', email: '' });
  t.is(alone.userVerification, 'required');
  t.is(alone.allowCredentials, undefined);

  const created = JSON.parse(optionsOf(await passkey.startEnrolment(person)));
  t.is(created.rp.id, 'id.acme.test');
  t.is(created.rp.name, 'Acme Aviation');
  t.is(created.user.name, 'ada@acme.test');
  t.is(Buffer.from(created.user.id, 'base64url').toString(), 'user-ada');
  t.is(created.attestation, 'none');
  t.deepEqual(
    created.excludeCredentials.map(({ id }: { id: string }) => id),
    [key.credentials[0]?.id],
  );
});

test('of several passkeys the one that answered is named, and one that cannot be read is no other', async (t) => {
  const [first, second] = [await owner(), await owner()];
  const both = {
    ...ada,
    factors: [
      { id: 'first', data: first.data },
      { id: 'broken', data: { credentialId: second.key.credentials[0]?.id ?? '' } },
      { id: 'second', data: second.data },
    ],
  };
  const step = await passkey.startChallenge({
    ...both,
    factors: both.factors.filter(({ id }) => id !== 'broken'),
  });
  const credentialId = second.key.credentials[0]?.id ?? '';
  const credential = second.key.get(optionsOf(step), { credentialId });
  const readable = both.factors.filter(({ id }) => id !== 'broken');
  const outcome = await passkey.verify({ ...both, factors: readable }, step.keep, { credential });
  t.true(outcome.ok && outcome.factorId === 'second');
  t.true((await passkey.verify(both, step.keep, { credential })).ok);
});

test('a key that signs for itself is as good as one about which nothing is said', async (t) => {
  t.true(await register(new Authenticator(origin), { attestation: 'self' }));
  t.false(
    await register(new Authenticator(origin), {
      attestation: 'self',
      clientData: { origin: 'https://evil.test' },
    }),
  );
  t.true(await register(new Authenticator(origin, { counts: false })));
});

test('where models are listed, only one that its maker attests can be set up, and the answer says which (T085)', async (t) => {
  const strict: Subject = { ...ada, now: new Date(), passkeyModels: [model], passkeyRoots: [root] };
  const step = await passkey.startEnrolment(strict);
  t.is(JSON.parse(optionsOf(step)).attestation, 'direct');
  const setUp = (subject: Subject, lies: Lies) =>
    passkey.finishEnrolment(subject, step.keep, {
      credential: new Authenticator(origin).create(optionsOf(step), lies),
    });
  const right = await setUp(strict, { attestation: attester });
  t.true(right.ok);
  if (right.ok) t.is(right.model, model);
  const other = 'ffffffff-4455-6677-8899-aabbccddeeff';
  const broken = attester.certificates.map((bytes) =>
    bytes.map((byte, at) => (at === 300 ? byte ^ 1 : byte)),
  );
  for (const [what, subject, lies] of [
    ['nothing attested', strict, {}],
    ['attested by itself', strict, { attestation: 'self' }],
    ['a root of the same name', strict, { attestation: falseAttester }],
    ['a root that it brings along', strict, { attestation: selfMade }],
    [
      'a model that the certificate does not name',
      { ...strict, passkeyModels: [other] },
      { attestation: { ...attester, model: other } },
    ],
    ['a model that is not in the list', { ...strict, passkeyModels: [other] }, { attestation: attester }],
    // Formats whose statement the device's own software writes, so that it can name any model, or that know no models (0026).
    ...['tpm', 'android-key', 'android-safetynet', 'apple', 'fido-u2f', 'compound'].map((fmt) => [
      `format ${fmt}`,
      strict,
      {
        attestation: {
          fmt,
          attStmt: new Map<string, unknown>([
            ['alg', -7],
            ['sig', new Uint8Array(70)],
            ['ver', '2.0'],
            ['x5c', attester.certificates],
          ]) as never,
        },
      },
    ]),
    ['a list that is empty', { ...strict, passkeyModels: [] }, { attestation: attester }],
    ['nobody is trusted', { ...strict, passkeyRoots: [] }, { attestation: attester }],
    ['a certificate that was changed', strict, { attestation: { ...attester, certificates: broken } }],
    ['no certificate', strict, { attestation: { ...attester, certificates: [] } }],
    [
      'a hundred certificates',
      strict,
      { attestation: { ...attester, certificates: Array(100).fill(attester.certificates[0]) } },
    ],
    ['a giant certificate', strict, { attestation: { ...attester, certificates: [new Uint8Array(40_000)] } }],
    [
      'before the certificate was valid',
      { ...strict, now: new Date('2020-01-01') },
      { attestation: attester },
    ],
  ] as readonly (readonly [string, Subject, Lies])[]) {
    const outcome = await setUp(subject, lies);
    t.false(outcome.ok, what);
    if (what.startsWith('format')) {
      t.regex(
        (!outcome.ok && outcome.error) || '',
        /Only certain models of passkeys/,
        `${what}: it says why`,
      );
    }
  }
  t.false(
    (await setUp({ ...strict, passkeyModels: null }, { attestation: attester })).ok,
    'none was asked for',
  );
});

test('a passkey from elsewhere knows its person by the name from there, and learns at its first use what it is (N)', async (t) => {
  for (const synced of [false, true]) {
    const { key, data } = await owner({ ...ada, userId: 'id-in-keycloak' }, { synced });
    const foreign = fromForeign({
      credentialId: String(data.credentialId),
      publicKey: String(data.publicKey),
      counter: 0,
      transports: ['internal'],
      aaguid: String(data.aaguid),
      userHandle: 'id-in-keycloak',
    });
    if (!foreign) throw new Error('it was not taken');
    // Until it was used nothing stronger is said of it than what could be copied.
    t.deepEqual(passkey.amr(foreign), ['swk']);
    const person = { ...ada, factors: [{ id: 'the passkey', data: foreign }] };
    t.false((await answer(person, key, { userHandle: 'user-ada' })).ok);
    const used = await answer(person, key);
    t.true(used.ok);
    if (!used.ok) return;
    t.deepEqual(passkey.amr(used.data), [synced ? 'swk' : 'hwk']);
    const next = { ...ada, factors: [{ id: 'the passkey', data: used.data }] };
    // What it has said of itself it cannot take back.
    t.false((await answer(next, key, { be: !synced, bs: false })).ok);
    t.true((await answer(next, key)).ok);
  }
});

test('a key that could never answer is not taken from elsewhere (N)', async (t) => {
  const { data } = await owner();
  const honest = {
    credentialId: String(data.credentialId),
    publicKey: String(data.publicKey),
    counter: 0,
    transports: [],
    aaguid: '',
    userHandle: 'x',
  };
  t.truthy(fromForeign(honest));
  for (const lie of [
    { publicKey: '' },
    { publicKey: 'AAAA' },
    { publicKey: flipped(honest.publicKey, 3) },
    { counter: -1 },
    { counter: 0.5 },
  ]) {
    t.is(fromForeign({ ...honest, ...lie }), null, JSON.stringify(lie));
  }
});
