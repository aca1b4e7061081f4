import test from 'ava';
import { digest, keyedDigest, keyedDigests, sameDigest } from '../../lib/digest.ts';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';

test('a key is read in base64 and in base64url, with and without padding, to the same ring', (t) => {
  const bytes = Buffer.alloc(32, 0xfb);
  const forms = [
    bytes.toString('base64'),
    bytes.toString('base64').replace('=', ''),
    bytes.toString('base64url'),
  ];
  const rings = forms.map(openKeyRing);
  t.is(new Set(rings.map(({ ids }) => ids.join())).size, 1);
  t.is(new Set(rings.map((ring) => ring.derive('x')[0]?.toString('hex'))).size, 1);
});

test('a ring that cannot be read is refused by the position of the bad key, never showing it', (t) => {
  const good = newKey();
  const short = Buffer.alloc(31, 7).toString('base64url');
  const rows: [keys: string, message: RegExp][] = [
    ['', /key 1 is empty/],
    [`${good},`, /key 2 is empty/],
    [`${good},${short}`, /key 2 is not 32 bytes/],
    [`${good},${newKey()}AAAA`, /key 2 is not 32 bytes/],
    [`not a key!,${good}`, /key 1 is not 32 bytes/],
    [`${good},${newKey()},${good}`, /key 3 is the same as key 1/],
  ];
  for (const [keys, message] of rows) {
    const error = t.throws(() => openKeyRing(keys), { message });
    for (const secret of [good, short, 'not a key']) t.false(error.message.includes(secret));
  }
});

test('every purpose and every key derives a secret of its own, newest key first, the same after a restart', (t) => {
  const [a, b] = [newKey(), newKey()];
  const ring = openKeyRing(`${a}, ${b}\n`);
  t.is(ring.ids.length, 2);
  for (const id of ring.ids) t.regex(id, /^[0-9a-f]{8}$/);
  const all = [...ring.derive('cookies'), ...ring.derive('tokens')].map((secret) => secret.toString('hex'));
  t.is(new Set(all).size, 4);
  for (const secret of all) t.is(secret.length, 64);
  t.deepEqual(openKeyRing(a).derive('cookies')[0], ring.derive('cookies')[0]);
  t.deepEqual(openKeyRing(b).derive('cookies')[0], ring.derive('cookies')[1]);
});

test('a ring shows none of its secrets when it is printed', (t) => {
  const key = newKey();
  const ring = openKeyRing(key);
  ring.derive('cookies');
  t.deepEqual(JSON.parse(JSON.stringify(ring)), { ids: ring.ids });
});

test('a keyed digest needs the key and the purpose, and is found again after a rotation', (t) => {
  const [older, newer] = [newKey(), newKey()];
  const before = openKeyRing(older);
  const after = openKeyRing(`${newer},${older}`);
  const stored = keyedDigest(before, 'mail code', '123456');
  t.not(stored, keyedDigest(before, 'sms code', '123456'));
  t.not(stored, keyedDigest(after, 'mail code', '123456'));
  t.true(keyedDigests(after, 'mail code', '123456').some((one) => sameDigest(one, stored)));
});

test('a digest is SHA-256 in base64url', (t) => {
  t.is(digest('abc'), 'ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0');
});

test('digests are the same only where every character is', (t) => {
  t.true(sameDigest('abc', 'abc'));
  for (const other of ['', 'ab', 'abcd', 'abd', 'ABC', 'abc ', 'abč']) t.false(sameDigest('abc', other));
});
