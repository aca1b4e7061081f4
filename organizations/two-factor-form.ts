import { type PolicyChange, type PolicyRules, rulesOf } from '../flows/change-policy.ts';
import { policyChange } from '../flows/configuration-file.ts';
import type { Sentence } from '../http/pages.ts';
import { methods } from '../policy/types.ts';
import { textOf, textsOf } from './visit.ts';

/** What the form of the two-factor page sends; the same names in a query are a preview. */
export const policyFields = [
  'requirement',
  'others',
  'graceDays',
  'graceNumber',
  'methods',
  'passkeyModels',
  'smsCountries',
  'smsPerDay',
  'rememberDeviceDays',
  'idleMinutes',
  'absoluteMinutes',
  'offlineDays',
  'coverage',
  'applications',
  'showAgain',
  'replaceUsed',
  'version',
] as const;

/** Fields that people type into, as they typed them. */
export interface TypedPolicy {
  readonly graceNumber: string;
  readonly passkeyModels: string;
  readonly smsCountries: string;
  readonly smsPerDay: string;
}

export interface PolicyForm {
  /** What was read; where something could not be, as it is stored. */
  readonly values: PolicyRules;
  readonly typed: TypedPolicy;
  /** What is wrong, by field; `''` is the form as a whole. Empty where all was read. */
  readonly problems: { readonly [field: string]: Sentence };
}

/** The form as the stored policy fills it. */
export function storedForm(stored: PolicyRules): PolicyForm {
  const values = rulesOf(stored);
  return { values, typed: typedOf(values), problems: {} };
}

export const typedOf = ({ graceDays, passkeyModels, sms }: PolicyRules): TypedPolicy => ({
  graceNumber: String(graceDays),
  passkeyModels: (passkeyModels ?? []).join('\n'),
  smsCountries: sms.countries === 'all' ? '' : sms.countries.join(', '),
  smsPerDay: String(sms.perDay),
});

/** The choice of the list that says: the number beside it. */
export const anotherNumber = 'other';

/** A box that is not there was not checked; a field that is not there stays as it is. */
export function readPolicyForm(
  given: { readonly [field: string]: unknown },
  stored: PolicyRules,
): PolicyForm {
  const has = (name: string) => given[name] !== undefined;
  const number = (name: string): number => {
    const text = textOf(given[name]).replaceAll(/[\s.,'’]/g, '');
    return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  };
  const words = (name: string) =>
    textOf(given[name])
      .split(/[\s,;]+/)
      .filter((word) => word !== '');
  const listed = textsOf(given.applications);
  const custom = given.graceDays === anotherNumber;
  const change: { [Rule in keyof PolicyChange]: unknown } = {
    requirement: given.requirement,
    ...(has('others') ? { others: given.others } : {}),
    ...(has('graceDays') ? { graceDays: number(custom ? 'graceNumber' : 'graceDays') } : {}),
    methods: methods.filter((method) => textsOf(given.methods).includes(method)),
    ...(has('passkeyModels')
      ? { passkeyModels: words('passkeyModels').length === 0 ? null : words('passkeyModels') }
      : {}),
    ...(has('rememberDeviceDays') ? { rememberDeviceDays: number('rememberDeviceDays') } : {}),
    sms: {
      ...(has('smsCountries')
        ? { countries: words('smsCountries').length === 0 ? 'all' : words('smsCountries') }
        : {}),
      ...(has('smsPerDay') ? { perDay: number('smsPerDay') } : {}),
    },
    sessions: Object.fromEntries(
      ['idleMinutes', 'absoluteMinutes', 'offlineDays'].flatMap((name) =>
        has(name) ? [[name, number(name)]] : [],
      ),
    ),
    ...(given.coverage === 'listed'
      ? { applications: listed }
      : given.coverage === 'all'
        ? { applications: 'all' }
        : {}),
    recoveryCodes: { showAgain: given.showAgain === '1', replaceUsed: given.replaceUsed === '1' },
  };
  const read = policyChange.safeParse(change);
  const problems: Record<string, Sentence> = {};
  const issues = read.error?.issues ?? [];
  for (const { path } of issues) {
    const field = fieldAt(path.map(String), custom);
    problems[field] ??= problemSentences[field] ?? problemSentences[''] ?? '';
  }
  if (given.coverage === 'listed' && listed.length === 0) {
    problems.applications = 'Choose at least one application, or all of them.';
  }
  // What is wrong with one field throws away nothing that was said in the others.
  const wanted = read.success ? read.data : readable(change, issues);
  const values = rulesOf({
    ...stored,
    ...withoutUndefined(wanted),
    recoveryCodes: { ...stored.recoveryCodes, ...withoutUndefined(wanted.recoveryCodes ?? {}) },
    sms: { ...stored.sms, ...withoutUndefined(wanted.sms ?? {}) },
    sessions: { ...stored.sessions, ...withoutUndefined(wanted.sessions ?? {}) },
    ...(problems.methods === undefined ? {} : { methods: [] }),
    ...(given.coverage === 'listed' && listed.length === 0 ? { applications: [] } : {}),
  });
  const typed = typedOf(values);
  const kept = (name: keyof TypedPolicy) => (has(name) && !read.success ? textOf(given[name]) : typed[name]);
  return {
    values,
    typed: {
      graceNumber: kept('graceNumber'),
      passkeyModels: kept('passkeyModels'),
      smsCountries: kept('smsCountries'),
      smsPerDay: kept('smsPerDay'),
    },
    problems,
  };
}

/** The form without what could not be read. */
function readable(
  change: { readonly [rule: string]: unknown },
  issues: readonly { readonly path: readonly PropertyKey[] }[],
): PolicyChange {
  const rest: Record<string, unknown> = { ...change };
  for (const { path } of issues) {
    const [rule = '', part] = path.map(String);
    const parts = rest[rule];
    if (part !== undefined && typeof parts === 'object' && parts !== null && !Array.isArray(parts)) {
      rest[rule] = Object.fromEntries(Object.entries(parts).filter(([name]) => name !== part));
    } else {
      delete rest[rule];
    }
  }
  return policyChange.safeParse(rest).data ?? {};
}

function fieldAt([rule = '', part = '']: readonly string[], custom: boolean): string {
  if (rule === 'sms') return part === 'countries' ? 'smsCountries' : 'smsPerDay';
  if (rule === 'graceDays') return custom ? 'graceNumber' : '';
  return rule in problemSentences ? rule : '';
}

const problemSentences: { readonly [field: string]: Sentence } = {
  '': 'Something in this form cannot be read. Nothing was changed.',
  graceNumber: 'Enter a whole number from 0 to 90.',
  methods: 'Choose at least one method that counts.',
  passkeyModels: 'Enter AAGUIDs, one on each line, such as cb69481e-8ff7-4039-93ec-0a2729a154a8.',
  smsCountries: 'Enter countries by their two letters, such as DE, AT.',
  smsPerDay: 'Enter a whole number from 0 to 1000000.',
};

function withoutUndefined<Given extends object>(
  given: Given,
): { [Name in keyof Given]: NonNullable<Given[Name]> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never;
}
