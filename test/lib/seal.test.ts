import test from 'ava';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';
import {
  isSealedByCurrentKey,
  open,
  openBytes,
  SealBrokenError,
  seal,
  UnknownKeyError,
} from '../../lib/seal.ts';

const ring = openKeyRing(newKey());
const place = { table: 'factors', column: 'data', row: 'ada' };

test('what was sealed opens in its place: text in any script, nothing at all, and bytes', (t) => {
  for (const plain of ['', 'JBSWY3DPEHPK3PXP', 'Zürich 🛫', 'a\0b', 'x'.repeat(100_000)]) {
    t.is(open(ring, place, seal(ring, place, plain)), plain);
  }
  const bytes = Buffer.from([0, 255, 128, 10]);
  t.deepEqual(openBytes(ring, place, seal(ring, place, bytes)), bytes);
});

test('a sealed value tells its version and key, never what it holds, and is another every time', (t) => {
  const values = Array.from({ length: 100 }, () => seal(ring, place, 'the secret'));
  t.is(new Set(values).size, 100);
  for (const value of values) {
    t.regex(value, new RegExp(`^v1\\.${ring.ids[0]}\\.[A-Za-z0-9_-]+$`));
    const [, , body = ''] = value.split('.');
    t.false(Buffer.from(body, 'base64url').includes('secret'));
  }
});

test('a value moved to another row, column or table does not open', (t) => {
  const value = seal(ring, place, 'the secret');
  const places = [
    { ...place, row: 'bob' },
    { ...place, column: 'backup' },
    { ...place, table: 'users' },
    { table: 'fact', column: 'orsdata', row: 'ada' },
    { table: 'factors', column: 'dat', row: 'aada' },
    { table: 'factors","data', column: '', row: 'ada' },
  ];
  for (const other of places) t.throws(() => open(ring, other, value), { instanceOf: SealBrokenError });
});

test('a value with any one bit changed does not open', (t) => {
  const value = seal(ring, place, 'secret');
  const [version, id, body = ''] = value.split('.');
  const bytes = Buffer.from(body, 'base64url');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    t.throws(() => open(ring, place, `${version}.${id}.${changed.toString('base64url')}`), {
      instanceOf: SealBrokenError,
    });
  }
});

test('what is no sealed value, or only part of one, does not open', (t) => {
  const value = seal(ring, place, 'secret');
  const rubbish = ['', 'secret', 'v1', `v2${value.slice(2)}`, `v1.${ring.ids[0]}.`, `v1.${ring.ids[0]}.AAAA`];
  for (const one of [...rubbish, value.slice(0, -4), `${value} `, `${value}\n`, `${value}AAAA`]) {
    t.throws(() => open(ring, place, one), { instanceOf: SealBrokenError });
  }
});

test('a rotated ring opens what the older key sealed, and knows that it should be sealed again', (t) => {
  const [older, newer] = [newKey(), newKey()];
  const value = seal(openKeyRing(older), place, 'secret');
  const rotated = openKeyRing(`${newer},${older}`);
  t.is(open(rotated, place, value), 'secret');
  t.false(isSealedByCurrentKey(rotated, value));
  t.true(isSealedByCurrentKey(rotated, seal(rotated, place, 'secret')));
});

test('once a key has left the ring, the error names the key and the column, and not the value', (t) => {
  const value = seal(openKeyRing(newKey()), place, 'secret');
  const error = t.throws(() => open(ring, place, value), { instanceOf: UnknownKeyError });
  t.is(error.keyId, value.split('.')[1] ?? '');
  t.regex(error.message, /^factors\.data was sealed by key [0-9a-f]{8}, which is not in the key ring$/);
});
