import test from 'ava';
import { digits, token } from '../../lib/random.ts';

test('a token is base64url of at least 128 bits, and another every time', (t) => {
  t.is(Buffer.from(token(), 'base64url').length, 32);
  t.is(Buffer.from(token(128), 'base64url').length, 16);
  t.regex(token(), /^[A-Za-z0-9_-]+$/);
  t.is(new Set(Array.from({ length: 1000 }, () => token(128))).size, 1000);
  for (const bits of [0, 64, 127, Number.NaN]) t.throws(() => token(bits), { instanceOf: RangeError });
});

test('20 000 codes of 6 digits are uniform in every position, leading zeros included', (t) => {
  const count = 20_000;
  const codes = Array.from({ length: count }, () => digits(6));
  for (const code of codes) if (!/^[0-9]{6}$/.test(code)) t.fail(code);
  for (let position = 0; position < 6; position += 1) {
    const seen = new Map<string, number>();
    for (const code of codes) seen.set(code.charAt(position), (seen.get(code.charAt(position)) ?? 0) + 1);
    const expected = count / 10;
    let chiSquare = 0;
    for (let digit = 0; digit < 10; digit += 1)
      chiSquare += ((seen.get(`${digit}`) ?? 0) - expected) ** 2 / expected;
    // 9 degrees of freedom: a fair source is above 45 once in a million times.
    t.true(chiSquare < 45, `position ${position}: ${chiSquare}`);
  }
  // 20 000 draws of a million: about 19 800 different ones, within five standard deviations.
  const different = new Set(codes).size;
  t.true(Math.abs(different - 19_801) < 75, String(different));
});
