import test from 'ava';
import { addressRange } from '../../lib/address-range.ts';

const same: readonly (readonly [what: string, a: string, b: string])[] = [
  ['addresses of one office', '198.51.100.1', '198.51.100.254'],
  ['hops within a /64', '2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
  ['hops from /64 to /64 within what one subscriber is given', '2001:db8:1:0::1', '2001:db8:1:ffff::1'],
  ['two spellings', '2001:0DB8:0001:0:0:0:0:1', '2001:db8:1::1'],
  ['two spellings with the gap elsewhere', '2001:db8::1:0:0:1', '2001:db8:0:0:1::1'],
  ['an IPv4 address written as an IPv6 one', '::ffff:203.0.113.9', '203.0.113.10'],
  ['an interface behind it', 'fe80::1%eth0', 'fe80::2'],
  ['what is no address, and none', 'nonsense', ''],
];
const apart: readonly (readonly [what: string, a: string, b: string])[] = [
  ['two networks', '198.51.100.1', '198.51.101.1'],
  ['two subscribers', '2001:db8:1::1', '2001:db8:2::1'],
  ['groups that only look alike', '2001:db8:1::1', '2001:db8:10::1'],
  ['a gap at the start', '::1', '2001:db8::1'],
];

test('limits count what one subscriber has as one, whatever address of it is used and however it is written (T142)', (t) => {
  for (const [what, a, b] of same) t.is(addressRange(a), addressRange(b), what);
  for (const [what, a, b] of apart) t.not(addressRange(a), addressRange(b), what);
});
