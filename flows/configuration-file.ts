import * as z from 'zod';
import type { ConfigurationDocument, Path, Problem } from '../config/configuration-document.ts';
import { canonicalEmail } from '../entities/users.ts';
import { fromForeign } from '../factors/passkey.ts';
import { fromSecret, totpAlgorithms, totpData, totpDigits, totpPeriods } from '../factors/totp.ts';
import { isSingleAddress } from '../lib/email-address.ts';
import { oneLinePattern } from '../lib/one-line.ts';
import { fromKeycloak, isPasswordHash, passwordProblem } from '../lib/password-hash.ts';
import { isCountry } from '../lib/phone-number.ts';
import { longestSession, shortestMinutes } from '../policy/session-lengths.ts';
import { applicationAssurances, methods, requirements, roles } from '../policy/types.ts';
import { clientMetadata } from './client-metadata.ts';
import { emailDomain, upstreamSecret, upstreamShape } from './upstream-entry.ts';

/**
 * The file that `sallyport apply` reads and `sallyport export` writes (contract.md). What is absent stays as it is; nothing
 * that is not known here is passed over in silence.
 */

const line = (longest: number) =>
  z
    .string()
    .trim()
    .min(1, 'must not be empty')
    .max(longest, `must have at most ${longest} characters`)
    .regex(oneLinePattern, 'must be one line without control characters')
    .refine((text) => text.isWellFormed(), 'must be text');

const wholeNumber = (least: number, most: number) => {
  const rule = `must be a whole number from ${least} to ${most}`;
  return z.number(rule).int(rule).min(least, rule).max(most, rule);
};

const slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 small letters, digits and inner hyphens');

const clientId = z.string().regex(/^[\x21-\x7e]{1,191}$/, 'must be 1 to 191 ASCII characters without blanks');

/** One address and nothing else: no display name, list, group, comment or quoted part (RFC 5322, 3.4), and no second line. */
const email = z
  .string()
  .transform(canonicalEmail)
  .refine((text) => text.length <= 191, 'must have at most 191 characters')
  .refine(isSingleAddress, 'must be one e-mail address');

/** ISO 3166-1, as far as it has a code for telephones. */
const country = z
  .string()
  .transform((text) => text.toUpperCase())
  .refine(isCountry, 'must be a country of two letters, such as DE');

/** What a maker calls a model of authenticators (WebAuthn Level 3, 6.5.1.1). */
const aaguid = z
  .string()
  .transform((text) => text.toLowerCase())
  .refine(
    (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text) && !/^[0-]+$/.test(text),
    'must be an AAGUID, such as "cb69481e-8ff7-4039-93ec-0a2729a154a8"',
  );

const policyShape = {
  requirement: z.enum(requirements).optional(),
  others: z.enum(['optional', 'recommended']).optional(),
  graceDays: wholeNumber(0, 90).optional(),
  methods: z.array(z.enum(methods)).min(1, 'must name at least one method').optional(),
  rememberDeviceDays: wholeNumber(0, 365).optional(),
  passkeyModels: z
    .array(aaguid)
    .min(1, 'must name at least one model, or be null for all')
    .nullable()
    .optional(),
  sessions: z
    .strictObject({
      idleMinutes: wholeNumber(shortestMinutes, longestSession.idleMinutes).optional(),
      absoluteMinutes: wholeNumber(shortestMinutes, longestSession.absoluteMinutes).optional(),
      offlineDays: wholeNumber(0, longestSession.offlineDays).optional(),
    })
    .optional(),
  applications: z
    .union([z.literal('all'), z.array(clientId)], 'must be all, or a list of client_ids')
    .optional(),
  recoveryCodes: z
    .strictObject({ showAgain: z.boolean().optional(), replaceUsed: z.boolean().optional() })
    .optional(),
  sms: z
    .strictObject({
      countries: z
        .union([z.literal('all'), z.array(country)], 'must be all, or a list of countries such as [DE, AT]')
        .optional(),
      perDay: wholeNumber(0, 1_000_000).optional(),
    })
    .optional(),
};
/** A policy as a file and the API may give it: what is absent stays as it is. */
export const policyChange = z.strictObject(policyShape);
const policy = policyChange;

const organizationShape = { slug, name: line(200).optional(), policy: policy.optional() };

const passwordSentences = {
  too_short: 'must have at least 8 characters',
  too_long: 'must have at most 1024 characters',
  not_text: 'must be text',
};

const password = z.string().check((context) => {
  const problem = passwordProblem(context.value);
  if (problem !== null) {
    context.issues.push({ code: 'custom', message: passwordSentences[problem], input: null });
  }
});

/** PHC or bcrypt text, or a credential as Keycloak's export has it. */
const passwordHash = z
  .union([z.string(), z.looseObject({})], 'must be a hash in PHC form, or a credential of Keycloak')
  .transform((given, context) => {
    try {
      const text = typeof given === 'string' ? given : fromKeycloak(given);
      const readable = isPasswordHash(text);
      if (readable === true) return text;
      context.issues.push({ code: 'custom', message: readable, input: null });
    } catch (error) {
      const why = error instanceof TypeError ? error.message : 'it cannot be read';
      context.issues.push({ code: 'custom', message: `is no credential of Keycloak: ${why}`, input: null });
    }
    return z.NEVER;
  });

const totpSecret = z.string().transform((typed, context) => {
  const data = fromSecret(typed);
  if (data) return data.secret;
  context.issues.push({ code: 'custom', message: 'must be a base32 secret of 10 to 64 bytes', input: null });
  return z.NEVER;
});

const locale = z
  .string()
  .max(35, 'must have at most 35 characters')
  .transform((text, context) => {
    try {
      return Intl.getCanonicalLocales(text)[0] ?? text;
    } catch {
      context.issues.push({
        code: 'custom',
        message: 'must be a language tag such as en or de-CH',
        input: text,
      });
      return z.NEVER;
    }
  });

const phone = z
  .string()
  .regex(/^\+[1-9]\d{6,14}$/, 'must be a number in international form, such as "+15555550100"');

const membershipShape = { organization: slug, role: z.enum(roles).default('member') };

const totpRule =
  'must be a base32 secret of 10 to 64 bytes, or { secret, name, algorithm, digits, period } with one, or a list of them';
const totpName = line(60).nullable().optional();
/** An app as the pages set it up is its secret alone; one that comes from elsewhere may count differently. */
const totpApp = z.union(
  [
    totpSecret.transform((secret) => ({ name: null, data: totpData({ secret }) })),
    z
      .strictObject({
        secret: totpSecret,
        name: totpName,
        algorithm: z.enum(totpAlgorithms).optional(),
        digits: z
          .union(
            totpDigits.map((number) => z.literal(number)) as [z.ZodLiteral<6>, z.ZodLiteral<8>],
            'must be 6 or 8',
          )
          .optional(),
        period: wholeNumber(totpPeriods.least, totpPeriods.most).optional(),
      })
      .transform(({ name = null, ...app }) => ({ name, data: totpData(app) })),
  ],
  totpRule,
);

const base64url = (longest: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url')
    .max(longest, `must have at most ${longest} characters`);

/** A passkey that was set up elsewhere for this server's own host name; no other works here (WebAuthn Level 3, 5.1.4.1). */
const foreignPasskey = z
  .strictObject({
    name: line(60).nullable().optional(),
    credentialId: base64url(1400),
    publicKey: base64url(4000),
    userHandle: line(64),
    counter: wholeNumber(0, 2 ** 32 - 1).default(0),
    transports: z.array(line(32)).max(10).default([]),
    aaguid: z.string().max(36).default('00000000-0000-0000-0000-000000000000'),
  })
  .transform(({ name = null, ...foreign }, context) => {
    const data = fromForeign(foreign);
    if (data) return { name, data };
    context.issues.push({ code: 'custom', message: 'has no public key that is accepted here', input: null });
    return z.NEVER;
  });

const factorsShape = {
  totp: z
    .union([totpApp, z.array(totpApp).max(20)], totpRule)
    .transform((given) => (Array.isArray(given) ? given : [given]))
    .optional(),
  passkeys: z.array(foreignPasskey).max(50).optional(),
};

const userShape = {
  email,
  name: line(200).nullable().optional(),
  password: password.optional(),
  passwordHash: passwordHash.optional(),
  emailVerified: z.boolean().optional(),
  phone: phone.nullable().optional(),
  phoneVerified: z.boolean().optional(),
  locale: locale.nullable().optional(),
  disabled: z.boolean().optional(),
  factors: z.strictObject(factorsShape).optional(),
  memberships: z.array(z.strictObject(membershipShape)).optional(),
  homeOrganization: slug.nullable().optional(),
};

const applicationShape = {
  client_id: clientId,
  client_secret: z
    .string()
    .regex(/^[\x20-\x7e]{1,1024}$/, 'must be 1 to 1024 printable ASCII characters')
    .optional(),
  name: line(200).optional(),
  organization: slug.nullable().optional(),
  firstParty: z.boolean().optional(),
  assurance: z.enum(applicationAssurances).optional(),
  ...clientMetadata,
};

const providerShape = {
  slug,
  organization: slug.nullable().optional(),
  ...upstreamShape,
  clientSecret: upstreamSecret.optional(),
  domains: z.array(emailDomain).max(200, 'must have at most 200 entries').optional(),
};

/** Who may make an account: only who was invited or configured, or everybody with an address. */
export const registrationModes = ['closed', 'open'] as const;

const fileShape = {
  instance: z
    .strictObject({ policy: policy.optional(), registration: z.enum(registrationModes).optional() })
    .optional(),
  organizations: z.array(z.strictObject(organizationShape)).optional(),
  users: z.array(z.strictObject(userShape)).optional(),
  applications: z.array(z.strictObject(applicationShape)).optional(),
  providers: z.array(z.strictObject(providerShape)).optional(),
};

const file = z.strictObject(fileShape);

export type Configuration = z.output<typeof file>;
export type PolicyEntry = z.output<typeof policy>;
export type OrganizationEntry = NonNullable<Configuration['organizations']>[number];
export type UserEntry = NonNullable<Configuration['users']>[number];
export type ProviderEntry = NonNullable<Configuration['providers']>[number];
export type ApplicationEntry = NonNullable<Configuration['applications']>[number];

/** Which names may stand where; the indices of lists are left out. */
const namesAt: { readonly [place: string]: readonly string[] } = {
  '': Object.keys(fileShape),
  instance: ['policy', 'registration'],
  'instance.policy': Object.keys(policyShape),
  'instance.policy.recoveryCodes': ['showAgain', 'replaceUsed'],
  'instance.policy.sessions': Object.keys(longestSession),
  'instance.policy.sms': ['countries', 'perDay'],
  organizations: Object.keys(organizationShape),
  'organizations.policy': Object.keys(policyShape),
  'organizations.policy.recoveryCodes': ['showAgain', 'replaceUsed'],
  'organizations.policy.sessions': Object.keys(longestSession),
  'organizations.policy.sms': ['countries', 'perDay'],
  users: Object.keys(userShape),
  'users.factors': Object.keys(factorsShape),
  'users.memberships': Object.keys(membershipShape),
  applications: Object.keys(applicationShape),
  providers: Object.keys(providerShape),
  'providers.trusted': ['acr', 'amr'],
  'providers.claims': ['email', 'emailVerified', 'name', 'locale'],
};

/** Names that people know from elsewhere. */
const otherNames: { readonly [name: string]: string } = {
  client_name: 'name',
  username: 'email',
  mail: 'email',
  org: 'organization',
  tenant: 'organization',
  clients: 'applications',
  scopes: 'scope',
  hash: 'passwordHash',
  id: 'client_id',
  secret: 'client_secret',
  client_id: 'clientId',
  client_secret: 'clientSecret',
};

/** The configuration, or null, and what is wrong with the form of the file. */
export function readShape(document: ConfigurationDocument): {
  readonly configuration: Configuration | null;
  readonly problems: readonly Problem[];
} {
  const result = file.safeParse(document.value);
  if (result.success) {
    return { configuration: result.data, problems: [] };
  }
  return {
    configuration: null,
    problems: result.error.issues.flatMap((issue) => problemsOf(issue, document.value)),
  };
}

function problemsOf(issue: z.core.$ZodIssue, value: unknown): Problem[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  const found = valueAt(value, path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `is not known here${hint(key, path)}`,
        atKey: true,
      }));
    case 'invalid_type':
      return [{ path, message: wrongType(issue, found, path) }];
    case 'invalid_value': {
      const rule = `must be ${listed(issue.values.map(String))}`;
      return [{ path, message: found === undefined ? 'is missing' : `${rule}, found ${shown(found, path)}` }];
    }
    default: {
      if (found === undefined) return [{ path, message: 'is missing' }];
      return [{ path, message: `${issue.message}${isSecret(path) ? '' : `, found ${shown(found, path)}`}` }];
    }
  }
}

const kinds: { readonly [expected: string]: string } = {
  string: 'must be text',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
  object: 'must be a mapping (name: value)',
  record: 'must be a mapping (name: value)',
  array: 'must be a list',
};

function wrongType(issue: { expected: string; message: string }, found: unknown, path: Path): string {
  if (found === undefined) return 'is missing';
  const rule = issue.message.startsWith('must ')
    ? issue.message
    : (kinds[issue.expected] ?? 'is of the wrong kind');
  const quotes = issue.expected === 'string' && (typeof found === 'number' || typeof found === 'boolean');
  const isAround = issue.expected === 'object' || issue.expected === 'array';
  return `${rule}${quotes ? ' (put it in quotes)' : ''}, found ${isAround ? kindOf(found) : shown(found, path)}`;
}

const secretNames = new Set([
  'password',
  'passwordHash',
  'client_secret',
  'factors',
  'totp',
  'jwks',
  'clientSecret',
  'passkeys',
]);

/** What stands under these names is never repeated, in no message. */
const isSecret = (path: Path): boolean => path.some((step) => secretNames.has(String(step)));

function kindOf(found: unknown): string {
  if (found === null) return 'nothing';
  if (Array.isArray(found)) return 'a list';
  if (typeof found === 'object') return 'a mapping';
  return (
    { string: 'text', number: 'a number', boolean: 'true or false' }[typeof found as string] ??
    'something else'
  );
}

function shown(found: unknown, path: Path): string {
  if (found === null || typeof found === 'object' || isSecret(path)) return kindOf(found);
  if (typeof found !== 'string') return String(found);
  const text = found.replace(/\/\/[^/\s]*@/, '//…@');
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, step) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, step)
        ? (at as Record<string | number, unknown>)[step]
        : undefined,
    value,
  );
}

function hint(key: string, path: Path): string {
  const names = namesAt[path.filter((step) => typeof step === 'string').join('.')] ?? [];
  const near = nearest(key, names);
  if (/_encrypt(ed|ion)_/.test(key)) return ': encrypted tokens and request objects are not supported';
  if (near !== null) return `; did you mean ${near}?`;
  return names.length > 12 ? '' : `; known: ${names.join(', ')}`;
}

/** The known name that somebody meant, or null. */
export function nearest(typed: string, names: readonly string[]): string | null {
  const other = otherNames[typed];
  if (other !== undefined && names.includes(other)) return other;
  const bare = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  const distances = names.map((name) => ({ name, distance: editDistance(bare(typed), bare(name)) }));
  const best = distances.toSorted((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= Math.min(3, Math.floor(best.name.length / 3)) ? best.name : null;
}

function editDistance(a: string, b: string): number {
  if (a.length > 64) return 64;
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const change = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
