import type { MemberRow, Option } from '../organization-pages.ts';
import type { Sentence } from '../pages.ts';

/** What several pages of the gallery show. */

export const option = (
  value: string,
  label: Sentence,
  chosen = false,
  hint: Sentence | null = null,
): Option => ({
  value,
  label,
  chosen,
  hint,
});

export const base = '/organizations/acme';

export const at = new Date('2026-11-22T09:30:00Z');

export const by = new Date('2026-11-29T09:30:00Z');

export const rows: readonly MemberRow[] = [
  {
    url: `${base}/members/1`,
    name: 'Ada Lindqvist',
    email: 'ada@acme.test',
    role: 'Owner',
    methods: ['Passkey', 'Authenticator app'],
    tag: { tone: 'ok', text: 'Set up' },
    lastSignIn: { at, how: 'with a passkey' },
  },
  {
    url: `${base}/members/2`,
    name: 'Ben Okafor',
    email: 'ben@acme.test',
    role: 'Member',
    methods: [],
    tag: { tone: 'warn', text: { sentence: '{n} day left|{n} days left', values: { n: 5 } } },
    lastSignIn: { at, how: 'password only' },
  },
  {
    url: `${base}/members/3`,
    name: 'elif-with-a-very-long-address@maintenance.acme-aviation.test',
    email: 'elif-with-a-very-long-address@maintenance.acme-aviation.test',
    role: 'Admin',
    methods: [],
    tag: { tone: 'danger', text: 'Overdue' },
    lastSignIn: null,
  },
];

export const problem: Sentence = {
  sentence: '{problem}',
  values: { problem: 'https://planner.acme.test/#x: must have no fragment (#)' },
};

export const remind = { action: `${base}/two-factor/remind`, people: 8 };
