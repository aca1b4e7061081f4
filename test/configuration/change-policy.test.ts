import test from 'ava';
import type { StoredPolicy } from '../../entities/memberships.ts';
import { defaultRules, nextPolicy } from '../../flows/change-policy.ts';
import type { Requirement } from '../../policy/types.ts';

const before = 1_000;
const now = new Date(5_000);

const policy = (requirement: Requirement, admins: number | null, all: number | null): StoredPolicy => ({
  ...defaultRules,
  requirement,
  adminsRequiredSince: admins,
  allRequiredSince: all,
  changedAt: before,
});

const table: readonly [
  Requirement,
  number | null,
  number | null,
  Requirement,
  number | null,
  number | null,
][] = [
  ['optional', null, null, 'recommended', null, null],
  ['optional', null, null, 'required_for_admins', 5_000, null],
  ['optional', null, null, 'required_for_all', 5_000, 5_000],
  ['recommended', null, null, 'required_for_all', 5_000, 5_000],
  ['required_for_admins', before, null, 'required_for_all', before, 5_000],
  ['required_for_admins', before, null, 'optional', null, null],
  ['required_for_all', before, before, 'required_for_admins', before, null],
  ['required_for_all', before, 2_000, 'required_for_admins', before, null],
  ['required_for_all', before, before, 'recommended', null, null],
];

test('a requirement that begins does so now, one that goes on keeps its date, one that ends has none', (t) => {
  for (const [from, admins, all, to, adminsAfter, allAfter] of table) {
    t.like(
      nextPolicy(policy(from, admins, all), { requirement: to }, now),
      { requirement: to, adminsRequiredSince: adminsAfter, allRequiredSince: allAfter, changedAt: 5_000 },
      `${from} → ${to}`,
    );
  }
});

test('a change of another rule keeps the dates of the requirement', (t) => {
  t.like(nextPolicy(policy('required_for_all', before, before), { graceDays: 30 }, now), {
    adminsRequiredSince: before,
    allRequiredSince: before,
    changedAt: 5_000,
  });
});

test('a change that changes nothing gives the same policy back', (t) => {
  const stored = policy('required_for_all', before, before);
  const same = [
    {},
    { requirement: 'required_for_all' as const },
    { methods: [...stored.methods].reverse() },
    { recoveryCodes: {} },
    { recoveryCodes: { showAgain: true } },
    { applications: 'all' as const },
  ];
  for (const change of same) {
    t.is(nextPolicy(stored, change, now), stored);
  }
  const listed = { ...stored, applications: ['a', 'b'] };
  t.is(nextPolicy(listed, { applications: ['b', 'a', 'b'] }, now), listed);
});

test('a new organization has the rules of the instance, and its requirement begins now', (t) => {
  const base = { ...defaultRules, requirement: 'required_for_admins' as const, graceDays: 30 };
  t.like(nextPolicy(null, {}, now, base), {
    requirement: 'required_for_admins',
    graceDays: 30,
    adminsRequiredSince: 5_000,
    allRequiredSince: null,
    changedAt: 5_000,
  });
});
