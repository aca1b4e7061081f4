import test from 'ava';
import { oneLine, oneLinePattern } from '../../lib/one-line.ts';

/** What somebody calls themselves, and what is kept of it. */
const names: readonly (readonly [typed: string, kept: string])[] = [
  ['Ada Lovelace', 'Ada Lovelace'],
  ['  Ada\t Lovelace ', 'Ada Lovelace'],
  ['Ada\r\nBcc: eve@evil.test', 'Ada Bcc: eve@evil.test'],
  ['\u202Ees\u202C\u2066ba\u2069', 'esba'],
  ['A\u200Bda\uFEFF\u2060', 'Ada'],
  ['Ada\u2028Bo\u0000\u0007', 'Ada Bo'],
  ['\u200E\u061C', ''],
  ['Zoë नर्मदा‌ 👩‍🚀 دانیال', 'Zoë नर्मदा‌ 👩‍🚀 دانیال'],
  ['🛫'.repeat(300), '🛫'.repeat(200)],
  ['\uD83D', '\uFFFD'],
];

test('a name is kept in one line, with nothing in it that cannot be seen (T115)', (t) => {
  for (const [typed, kept] of names) {
    t.is(oneLine(typed, 200), kept, JSON.stringify(typed));
    t.true(oneLinePattern.test(kept));
    if (typed.trim() !== kept && typed.length < 300 && !typed.startsWith('  '))
      t.false(oneLinePattern.test(typed));
  }
});
