import test from 'ava';
import { generateSync } from 'otplib';
import type { Json, Subject } from '../../factors/factor.ts';
import { digitsOf, fromSecret, inBase32, totp, totpData } from '../../factors/totp.ts';

// RFC 6238, appendix B: the ASCII secret 12345678901234567890.
const rfcSecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';
const rfcCodes: readonly [second: number, code: string][] = [
  [59, '287082'],
  [1111111109, '081804'],
  [1111111111, '050471'],
  [1234567890, '005924'],
  [2000000000, '279037'],
  [20000000000, '353130'],
];

const at = (second: number, secret = rfcSecret): Subject => ({
  now: new Date(second * 1000),
  userId: 'ada',
  email: 'ada@acme.test',
  emailVerified: true,
  phone: null,
  origin: 'https://id.acme.test',
  issuerName: 'Acme Aviation',
  factors: [{ id: 'phone', data: { secret } }],
});

test('the codes of RFC 6238 are accepted at their times, leading zeros included', async (t) => {
  for (const [second, code] of rfcCodes) {
    t.deepEqual(await totp.verify(at(second), null, { code }), {
      ok: true,
      factorId: 'phone',
      data: { secret: rfcSecret },
      highWater: Math.floor(second / 30),
      userVerified: false,
    });
  }
});

test('a code is accepted one step early and one step late, at any second of the step, and no further', async (t) => {
  const start = 1_800_000_000;
  for (const second of [0, 1, 15, 29]) {
    for (let offset = -3; offset <= 3; offset += 1) {
      const code = generateSync({ secret: rfcSecret, epoch: start + offset * 30 });
      const outcome = await totp.verify(at(start + second), null, { code });
      t.is(outcome.ok, Math.abs(offset) <= 1, `second ${second}, offset ${offset}`);
      if (outcome.ok) t.is(outcome.highWater, start / 30 + offset);
    }
  }
});

test('spaces and dashes in a code are forgiven', async (t) => {
  for (const code of ['287 082', ' 287082\n', '287-082', '2 8 7 0 8 2', '287\u00a0082', '287–082']) {
    t.true((await totp.verify(at(59), null, { code })).ok, JSON.stringify(code));
  }
});

test('a secret of 80 bits that another system made can be brought along and used', async (t) => {
  const imported = fromSecret('jbsw y3dp-ehpk 3pxp');
  t.deepEqual(imported, { secret: 'JBSWY3DPEHPK3PXP' });
  // oathtool --totp -b JBSWY3DPEHPK3PXP -N @59
  t.true((await totp.verify(at(59, 'JBSWY3DPEHPK3PXP'), null, { code: '996554' })).ok);
});

test('what is no usable base32 secret cannot be brought along', (t) => {
  const long = 'A'.repeat(104);
  for (const typed of [
    '',
    'JBSWY3DP',
    'JBSWY3DPEHPK3PX1',
    'JBSWY3DPEHPK3PXPA',
    `${long}A`,
    7,
    null,
    ['A'],
    {},
    '='.repeat(300),
  ]) {
    t.is(fromSecret(typed), null, JSON.stringify(typed));
  }
  t.deepEqual(fromSecret('GEZDGNBVGY3TQOJQGEZDGNBVGY======'), { secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY' });
});

test('a set-up shows a secret of 160 bits to type, and an image of the very same URI', async (t) => {
  const step = await totp.startEnrolment({ ...at(59), factors: [] });
  const { secret } = step.keep as { secret: string };
  const show = step.show as { secret: string; uri: string; qr: string };
  t.regex(secret, /^[A-Z2-7]{32}$/);
  t.regex(show.secret, /^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/);
  t.is(show.secret.replaceAll(' ', ''), secret);
  t.is(show.uri, `otpauth://totp/Acme%20Aviation:ada%40acme.test?secret=${secret}&issuer=Acme%20Aviation`);
  t.regex(show.qr, /^data:image\/svg\+xml;base64,[A-Za-z0-9+/]+=*$/);
  const svg = Buffer.from(show.qr.split(',')[1] ?? '', 'base64').toString();
  t.regex(svg, /^<svg /);
  t.notRegex(svg, /style|script|href/);
  const again = (await totp.startEnrolment({ ...at(59), factors: [] })).keep as { secret: string };
  t.not(again.secret, secret);
});

test('any name of an organization makes a label that apps read', async (t) => {
  for (const issuerName of [
    'A & B',
    'Acme: Aviation',
    'Zürich 🛫',
    'a/b?c=d#e',
    '',
    ':',
    '\ud800',
    '漢'.repeat(200),
    '🛫'.repeat(200),
  ]) {
    const { show } = await totp.startEnrolment({ ...at(59), issuerName, factors: [] });
    const { uri } = show as { uri: string };
    const { pathname, searchParams } = new URL(uri);
    const [issuer, account, ...more] = decodeURIComponent(pathname)
      .replace(/^\/+(totp\/)?/, '')
      .split(':');
    t.is(issuer, searchParams.get('issuer') ?? '', uri);
    t.is(account, 'ada@acme.test');
    t.is(more.length, 0);
    t.true((issuer ?? '').length > 0);
  }
});

test('a set-up is confirmed by a code of its own secret, and that code is used up', async (t) => {
  const kept = { secret: rfcSecret };
  t.deepEqual(await totp.finishEnrolment({ ...at(59), factors: [] }, kept, { code: '287082' }), {
    ok: true,
    data: kept,
    highWater: 1,
    userVerified: false,
  });
  t.deepEqual(await totp.finishEnrolment({ ...at(59), factors: [] }, kept, { code: '287083' }), {
    ok: false,
  });
});

test('with several apps the one that answered is named', async (t) => {
  const subject = at(59, 'JBSWY3DPEHPK3PXP');
  const both = { ...subject, factors: [...subject.factors, { id: 'tablet', data: { secret: rfcSecret } }] };
  const outcome = await totp.verify(both, null, { code: '287082' });
  t.true(outcome.ok && outcome.factorId === 'tablet');
});

test('in the first half minute of 1970 there is no step before', async (t) => {
  t.false((await totp.verify(at(0), null, { code: '287083' })).ok);
});

for (const [algorithm, bytes, code] of [
  ['SHA1', 20, '94287082'],
  ['SHA256', 32, '46119246'],
  ['SHA512', 64, '90693936'],
] as const) {
  test(`an app from elsewhere may show 8 digits by ${algorithm} (RFC 6238, appendix B) (N)`, async (t) => {
    const text = '1234567890'.repeat(7).slice(0, bytes);
    const data = totpData({ secret: inBase32(Buffer.from(text)), algorithm, digits: 8 });
    const subject = { ...at(59), factors: [{ id: 'the app', data: data as unknown as Json }] };
    t.is(digitsOf(data as unknown as Json), 8);
    t.true((await totp.verify(subject, null, { code })).ok);
    t.true((await totp.verify(subject, null, { code: `${code.slice(0, 4)} ${code.slice(4)}` })).ok);
    for (const wrong of [
      code.slice(2),
      `${code}0`,
      code.replace(/.$/, (last) => String((Number(last) + 1) % 10)),
    ])
      t.false((await totp.verify(subject, null, { code: wrong })).ok, wrong);
    // What nobody could have stored is no app.
    for (const lie of [{ digits: 7 }, { algorithm: 'MD5' }, { period: 0 }, { period: 30.5 }]) {
      const broken = {
        ...at(59),
        factors: [{ id: 'the app', data: { ...data, ...lie } as unknown as Json }],
      };
      t.false((await totp.verify(broken, null, { code })).ok, JSON.stringify(lie));
    }
  });
}
