import test from 'ava';
import { alone, groups, page, tried } from '../cases.ts';
import { textOf } from './checkout.ts';

const all = tried();

test('docs/cases.md says what the tests say; `node test/cases.ts` writes it', (t) => {
  t.is(textOf('docs/cases.md'), page(all));
});

test('what a server has to stand is tried with two servers, on SQLite and on MariaDB', (t) => {
  const ids = Object.values(groups).flatMap((cases) => Object.keys(cases));
  const missing = ids.filter((id) => {
    const tests = all.filter(({ cases }) => cases.includes(id));
    const isOn = (kind: 'SQLite' | 'MariaDB') =>
      tests.some(({ servers }) => (servers[kind] ?? 0) >= (id in alone ? 1 : 2));
    return !(isOn('SQLite') && (id in alone || isOn('MariaDB')));
  });
  t.deepEqual(missing, []);
  t.true(ids.length > 20);
});
