import test from 'ava';
import { graceDeadline, graceStart } from '../../policy/grace.ts';
import type { Membership } from '../../policy/types.ts';
import { daysAgo, forAdmins, forAll, inDays, member, now, optional, recommended } from './fixtures.ts';

type Row = readonly [sentence: string, membership: Membership, start: Date | null, deadline: Date | null];

const never = new Date(0);

// biome-ignore format: one row, one line
const table: readonly Row[] = [
  ['nothing is required, so nothing starts', member(optional), null, null],
  ['nothing starts by a recommendation', member(recommended), null, null],
  ['what was recorded means nothing where nothing is required', member(optional, { graceStartedAt: daysAgo(3) }), null, null],
  ['members need not where admins must', member(forAdmins(3)), null, null],
  ['it starts when the policy begins to require', member(forAll(3)), daysAgo(3), inDays(4)],
  ['it starts when the member joins later', member(forAll(30), { joinedAt: daysAgo(3) }), daysAgo(3), inDays(4)],
  ['it starts when the member becomes an admin later', member(forAdmins(30), { role: 'admin', adminSince: daysAgo(3) }), daysAgo(3), inDays(4)],
  ['it starts when admins begin to be required', member(forAdmins(3), { role: 'owner' }), daysAgo(3), inDays(4)],
  ['where only admins must, it is of no matter since when everybody had to', member(forAdmins(30, { allRequiredSince: daysAgo(90) }), { role: 'admin', adminSince: daysAgo(3) }), daysAgo(3), inDays(4)],
  ['an admin of unknown time was one on joining', member(forAdmins(3), { role: 'admin', adminSince: null }), daysAgo(3), inDays(4)],
  ['what was recorded earlier holds', member(forAll(3), { graceStartedAt: daysAgo(5) }), daysAgo(5), inDays(2)],
  ['what was recorded later does not', member(forAll(3), { graceStartedAt: daysAgo(1) }), daysAgo(3), inDays(4)],
  ['what was recorded holds where the policy does not know its start', member(forAll(3, { allRequiredSince: null }), { graceStartedAt: daysAgo(5) }), daysAgo(5), inDays(2)],
  ['an admin who had to before gains no time where everybody must', member(forAll(0, { adminsRequiredSince: daysAgo(3) }), { role: 'admin' }), daysAgo(3), inDays(4)],
  ['a member who had to before gains no time by becoming an admin', member(forAll(3), { role: 'admin', adminSince: now }), daysAgo(3), inDays(4)],
  ['90 days are the longest', member(forAll(3, { graceDays: 90 })), daysAgo(3), inDays(87)],
  ['more than 90 days are none', member(forAll(3, { graceDays: 91 })), daysAgo(3), daysAgo(3)],
  ['part of a day is none', member(forAll(3, { graceDays: 7.5 })), daysAgo(3), daysAgo(3)],
  ['a negative grace is none', member(forAll(3, { graceDays: -1 })), daysAgo(3), daysAgo(3)],
  ['an unknown start is long over', member(forAll(3, { allRequiredSince: null })), null, never],
  ['an invalid start is long over', member(forAll(3), { joinedAt: new Date(Number.NaN) }), null, never],
];

for (const [sentence, membership, start, deadline] of table) {
  test(sentence, (t) => {
    t.deepEqual(graceStart(membership), start);
    t.deepEqual(graceDeadline(membership), deadline);
  });
}

test('once the start is recorded, only shortening the grace moves the deadline', (t) => {
  const recorded = graceStart(member(forAll(3)));
  const deadline = graceDeadline(member(forAll(3)));
  for (const joinedAt of [daysAgo(400), daysAgo(1), now, inDays(1)]) {
    for (const since of [3, 1, 0]) {
      const later = member(forAll(since), { joinedAt, graceStartedAt: recorded });
      t.deepEqual(graceDeadline(later), deadline);
    }
  }
  t.deepEqual(graceDeadline(member(forAll(3, { graceDays: 2 }), { graceStartedAt: recorded })), daysAgo(1));
});
