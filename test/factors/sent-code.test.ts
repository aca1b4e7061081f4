import test from 'ava';
import type { Subject } from '../../factors/factor.ts';
import { isSentCode, sendCode } from '../../factors/sent-code.ts';

const subject = { now: new Date('2026-03-02T09:00:00Z') } as Subject;
const codeOf = () => String(sendCode(subject, 'email', 'ada@acme.test', {}).send?.values.code);

test('codes that are sent are six digits, each as likely as the next in each place, and come in no order (T040)', (t) => {
  const many = 30_000;
  const codes = Array.from({ length: many }, codeOf);
  t.true(codes.every((code) => /^\d{6}$/.test(code)));
  // Chi-squared with 9 degrees of freedom exceeds 45 once in a million times.
  const chi = (digits: readonly string[]) => {
    const expected = digits.length / 10;
    const counts = Array.from(
      { length: 10 },
      (_, digit) => digits.filter((one) => Number(one) === digit).length,
    );
    return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  };
  for (let place = 0; place < 6; place += 1) {
    const column = codes.map((code) => code[place] ?? '');
    t.true(chi(column) < 45, `place ${place}`);
    const steps = column.slice(1).map((digit, n) => String((10 + Number(digit) - Number(column[n])) % 10));
    t.true(chi(steps) < 45, `place ${place}, from one code to the next`);
  }
  // Of 30 000 of a million, some 443 come twice; a generator with a short memory would repeat itself far more.
  const repeated = many - new Set(codes).size;
  t.true(repeated > 330 && repeated < 560, `${repeated} came twice`);
});

test('a code is right for its own step and address only', (t) => {
  const step = sendCode(subject, 'email', 'ada@acme.test', {});
  const code = String(step.send?.values.code);
  t.true(isSentCode(subject, step.keep, 'ada@acme.test', { code }));
  t.false(isSentCode(subject, step.keep, 'eve@acme.test', { code }));
  t.false(
    isSentCode(subject, sendCode(subject, 'email', 'ada@acme.test', {}).keep, 'ada@acme.test', { code: 'x' }),
  );
});
