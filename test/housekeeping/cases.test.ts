import test from 'ava';
import { alone, groups, page, tried } from '../cases.ts';
import { textOf } from './checkout.ts';

const all = tried();

test('docs/cases.md says what the tests say; `node test/cases.ts` writes it', (t) => {
  t.is(textOf('docs/cases.md'), page(all));
});

test('what a server has to stand is tried on SQLite, and on MariaDB with two servers', (t) => {
  const ids = Object.values(groups).flatMap((cases) => Object.keys(cases));
  const missing = ids.filter((id) => {
    const tests = all.filter(({ cases }) => cases.includes(id));
    const isOn = (kind: 'SQLite' | 'MariaDB', count: number) =>
      tests.some(({ servers }) => (servers[kind] ?? 0) >= count);
    return !(isOn('SQLite', 1) && (id in alone || isOn('MariaDB', 2)));
  });
  t.deepEqual(missing, []);
  t.true(ids.length > 20);
});
