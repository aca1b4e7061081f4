import test from 'ava';
import {
  acr1fa,
  acr2fa,
  acr2sv,
  acrNamed,
  acrPhr,
  acrRemembered,
  acrs,
  assuranceOf,
  reaches,
} from '../../policy/assurance.ts';
import type { Proof } from '../../policy/types.ts';
import { password, proof, verified } from './fixtures.ts';

type Row = readonly [
  sentence: string,
  proofs: readonly Proof[],
  acr: string,
  amr: readonly string[],
  remembered?: true,
];

const synced = { amr: ['swk'] };
const upstream = (...amr: readonly string[]): Proof => proof('upstream', undefined, { amr });
const verifiedPasskey = proof('passkey', undefined, verified);

// biome-ignore format: one row, one line
const claims: readonly Row[] = [
  ['password alone', [password], acr1fa, ['pwd']],
  ['remembered device', [password], acrRemembered, ['pwd'], true],
  ['password and TOTP', [password, proof('totp')], acr2fa, ['pwd', 'otp', 'mfa']],
  ['password and e-mail code', [password, proof('email')], acr2sv, ['pwd', 'otp']],
  ['password and text message', [password, proof('sms')], acr2fa, ['pwd', 'sms', 'mfa']],
  ['password and recovery code', [password, proof('recovery_code')], acr2fa, ['pwd', 'otp', 'mfa']],
  ['password and device approval', [password, proof('device')], acr2fa, ['pwd', 'swk', 'mfa']],
  ['password and passkey', [password, proof('passkey')], acrPhr, ['pwd', 'hwk', 'mfa']],
  ['password and synced passkey', [password, proof('passkey', undefined, synced)], acrPhr, ['pwd', 'swk', 'mfa']],
  ['password and user-verified passkey', [password, verifiedPasskey], acrPhr, ['pwd', 'hwk', 'user', 'mfa']],
  ['passkey alone, user verified', [verifiedPasskey], acrPhr, ['hwk', 'user', 'mfa']],
  ['synced passkey alone, user verified', [proof('passkey', undefined, { ...synced, ...verified })], acrPhr, ['swk', 'user', 'mfa']],
  ['upstream that tells nothing', [upstream()], acr1fa, []],
  ['upstream with a password', [upstream('pwd')], acr1fa, ['pwd']],
  ['upstream that tells nothing, and TOTP', [upstream(), proof('totp')], acr2fa, ['otp', 'mfa']],
  ['upstream with a password, and TOTP', [upstream('pwd'), proof('totp')], acr2fa, ['pwd', 'otp', 'mfa']],
  ['upstream with a password, and e-mail code', [upstream('pwd'), proof('email')], acr2sv, ['pwd', 'otp']],
  ['upstream, remembered device', [upstream('pwd')], acrRemembered, ['pwd'], true],
  ['upstream that has asked for a second factor', [upstream('pwd', 'otp', 'mfa')], acr2fa, ['pwd', 'otp', 'mfa']],
  ['upstream that says no more than mfa', [upstream('mfa')], acr2fa, ['mfa']],
  ['upstream with two methods that it does not call mfa', [upstream('pwd', 'otp')], acr1fa, ['pwd', 'otp']],
  ['upstream with a second factor, and passkey', [upstream('pwd', 'mfa'), proof('passkey')], acrPhr, ['pwd', 'hwk', 'mfa']],

  ['several factors: the union and the strongest', [password, proof('email'), proof('sms'), proof('passkey')], acrPhr, ['pwd', 'otp', 'sms', 'hwk', 'mfa']],
  ['the same value twice is said once', [password, proof('email'), proof('totp')], acr2fa, ['pwd', 'otp', 'mfa']],
  ['the password comes first, also where it was typed later', [verifiedPasskey, password], acrPhr, ['pwd', 'hwk', 'user', 'mfa']],
  ['user comes before mfa and after all factors', [verifiedPasskey, proof('sms')], acrPhr, ['hwk', 'sms', 'user', 'mfa']],
  ['a mailbox code adds nothing', [password, proof('mailbox', undefined, { amr: ['otp'] })], acr1fa, ['pwd']],
  ['a mailbox code adds nothing to a factor', [password, proof('totp'), proof('mailbox', undefined, { amr: ['swk'] })], acr2fa, ['pwd', 'otp', 'mfa']],
  ['a remembered device takes nothing from a factor', [password, proof('totp')], acr2fa, ['pwd', 'otp', 'mfa'], true],
  ['a remembered device and a mailbox code', [password, proof('mailbox', undefined, { amr: ['otp'] })], acrRemembered, ['pwd'], true],

  ['nothing at all', [], acr1fa, []],
  ['a remembered device alone is nothing', [], acr1fa, [], true],
  ['a passkey alone that did not verify its user is one factor', [proof('passkey')], acr1fa, ['hwk']],
  ['a code alone is one factor', [proof('totp')], acr1fa, ['otp']],
  ['two codes without a first step are no sign-in', [proof('totp'), proof('sms')], acr1fa, ['otp', 'sms']],
  ['user is said only where the authenticator said so', [password, proof('passkey', undefined, { amr: ['hwk', 'user'] })], acrPhr, ['pwd', 'hwk', 'mfa']],
  ['user is said once', [password, proof('passkey', undefined, { amr: ['hwk', 'user'], ...verified })], acrPhr, ['pwd', 'hwk', 'user', 'mfa']],
  ['only a passkey verifies its user', [password, proof('totp', undefined, verified)], acr2fa, ['pwd', 'otp', 'mfa']],
  ['mfa is never said of an e-mail code', [password, proof('email', undefined, { amr: ['otp', 'mfa'] })], acr2sv, ['pwd', 'otp']],
];

for (const [sentence, proofs, acr, amr, remembered] of claims) {
  test(`${sentence}: ${acr} ${amr.join()}`, (t) => {
    const { provedAt: _, ...said } = assuranceOf(proofs, remembered === true);
    t.deepEqual(said, { acr, amr });
  });
}

test('1fa < remembered < 2sv < 2fa < phr', (t) => {
  t.deepEqual(acrs, [
    'urn:sallyport:acr:1fa',
    'urn:sallyport:acr:remembered',
    'urn:sallyport:acr:2sv',
    'urn:sallyport:acr:2fa',
    'phr',
  ]);
  for (const [i, acr] of acrs.entries()) {
    for (const [j, minimum] of acrs.entries()) t.is(reaches(acr, minimum), i >= j);
  }
});

test('mfa and the PAPE policy are other names of 2fa, and no other name is known', (t) => {
  t.is(acrNamed('mfa'), acr2fa);
  t.is(acrNamed('http://schemas.openid.net/pape/policies/2007/06/multi-factor'), acr2fa);
  for (const acr of acrs) t.is(acrNamed(acr), acr);
  for (const value of ['', 'PHR', 'phrh', 'MFA', '2fa', 'toString', '__proto__']) t.is(acrNamed(value), null);
});
