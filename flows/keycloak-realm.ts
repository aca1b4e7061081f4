import * as z from 'zod';
import { canonicalEmail } from '../entities/users.ts';
import { fromForeign } from '../factors/passkey.ts';
import { fromSecret, inBase32, totpPeriods } from '../factors/totp.ts';
import { isSingleAddress } from '../lib/email-address.ts';
import { oneLine } from '../lib/one-line.ts';
import { fromKeycloak } from '../lib/password-hash.ts';
import type { Role } from '../policy/types.ts';

/** What stays behind, of whom, and why; `who` null where it is the realm's. */
export interface LeftBehind {
  readonly who: string | null;
  readonly what: string;
  readonly why: string;
}

export interface RealmOptions {
  /** Everybody becomes a member of this one, beside those of the realm's own organizations. */
  readonly organization: string | null;
  /** Paths of groups, or names of roles of the realm, whose members become owners or admins. */
  readonly owners: readonly string[];
  readonly admins: readonly string[];
  /** This server's host name: passkeys work under no other. */
  readonly rpId: string;
  /** The host name at which Keycloak was reached, for realms that do not say a relying party ID. */
  readonly keycloakHost: string | null;
}

export interface ReadRealm {
  readonly name: string;
  /** In the form that `apply` reads. */
  readonly configuration: { readonly organizations: object[]; readonly users: UserDraft[] };
  readonly left: readonly LeftBehind[];
}

interface UserDraft {
  readonly email: string;
  readonly [field: string]: unknown;
}

const texts = z.array(z.string()).nullish();
const attributes = z.record(z.string(), z.union([z.array(z.string()), z.string()])).nullish();

const credential = z.looseObject({
  type: z.string().nullish(),
  userLabel: z.string().nullish(),
  priority: z.number().nullish(),
  secretData: z.unknown().optional(),
  credentialData: z.unknown().optional(),
});

const user = z.looseObject({
  id: z.string().nullish(),
  username: z.string().nullish(),
  email: z.string().nullish(),
  emailVerified: z.boolean().nullish(),
  firstName: z.string().nullish(),
  lastName: z.string().nullish(),
  enabled: z.boolean().nullish(),
  attributes,
  credentials: z.array(credential).nullish(),
  requiredActions: texts,
  realmRoles: texts,
  groups: texts,
  federationLink: z.string().nullish(),
  serviceAccountClientId: z.string().nullish(),
  federatedIdentities: z.array(z.looseObject({ identityProvider: z.string().nullish() })).nullish(),
});

const organization = z.looseObject({
  name: z.string().nullish(),
  alias: z.string().nullish(),
  enabled: z.boolean().nullish(),
  domains: z.array(z.looseObject({ name: z.string().nullish() })).nullish(),
  members: z.array(z.looseObject({ username: z.string().nullish() })).nullish(),
});

const realm = z.looseObject({
  realm: z.string(),
  displayName: z.string().nullish(),
  users: z.array(z.unknown()).nullish(),
  organizations: z.array(organization).nullish(),
  webAuthnPolicyRpId: z.string().nullish(),
  webAuthnPolicyPasswordlessRpId: z.string().nullish(),
});

type Realm = z.infer<typeof realm>;
type KeycloakUser = z.infer<typeof user>;
type Credential = z.infer<typeof credential>;

/** The text is no export of a realm; the message is for people. */
export class RealmError extends Error {
  override name = 'RealmError';
}

/**
 * One realm out of files as `kc.sh export` writes them: one with all in it, or the realm's and those of its users.
 *
 * @throws RealmError
 */
export function realmIn(
  files: readonly { readonly name: string; readonly text: string }[],
  wanted: string | null,
): Realm {
  const parts = files.flatMap(({ name, text }) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new RealmError(`${name} is no JSON; nothing has been changed.`);
    }
    return (Array.isArray(value) ? value : [value]).map((one) => {
      const read = realm.safeParse(one);
      if (read.success) return read.data;
      const [issue] = read.error.issues;
      throw new RealmError(
        `${name} is no export of a realm: ${issue?.path.join('.') || 'it'} cannot be read; nothing has been changed.`,
      );
    });
  });
  const names = [...new Set(parts.map((part) => part.realm))];
  const chosen = wanted ?? (names.length === 1 ? names[0] : undefined);
  const own = parts.filter((part) => part.realm === chosen);
  if (own.length === 0) {
    throw new RealmError(`Say which realm by --realm: there are ${names.join(', ') || 'none'}.`);
  }
  return {
    ...Object.assign({}, ...own),
    users: own.flatMap((part) => part.users ?? []),
    organizations: own.flatMap((part) => part.organizations ?? []),
  };
}

/** What a realm becomes here. It only reads: what exists here already is asked by whoever writes it. */
export function readRealm(given: Realm, options: RealmOptions): ReadRealm {
  const left: LeftBehind[] = [];
  const leave = (who: string | null, what: string, why: string) => void left.push({ who, what, why });
  const organizations = organizationsOf(given, options, leave);
  const emails = new Map<string, string>();
  const users: UserDraft[] = [];
  for (const [index, one] of (given.users ?? []).entries()) {
    const read = user.safeParse(one);
    if (!read.success) {
      leave(`user ${index + 1} of the file`, 'the account', 'cannot be read');
      continue;
    }
    const person = read.data;
    const who = person.username || person.email || `user ${index + 1} of the file`;
    if (person.serviceAccountClientId) {
      leave(who, 'the account', 'belongs to a client, not to a person');
      continue;
    }
    const email = emailOf(person);
    if (email === null) {
      leave(who, 'the account', 'has no e-mail address, by which people sign in here');
      continue;
    }
    const before = emails.get(email);
    if (before !== undefined) {
      leave(who, 'the account', `has the e-mail address of ${before}, which was taken`);
      continue;
    }
    emails.set(email, who);
    users.push(
      draftOf(given, person, email, organizations.of(person), options, (what, why) => leave(who, what, why)),
    );
  }
  return { name: given.realm, configuration: { organizations: organizations.entries, users }, left };
}

type Leave = (what: string, why: string) => void;

function emailOf(person: KeycloakUser): string | null {
  for (const text of [person.email, person.username]) {
    const email = canonicalEmail(text ?? '');
    if (email !== '' && email.length <= 191 && isSingleAddress(email)) return email;
  }
  return null;
}

function organizationsOf(
  given: Realm,
  options: RealmOptions,
  leave: (who: string | null, what: string, why: string) => void,
) {
  const entries: { slug: string; name: string }[] = [];
  const membersOf = new Map<string, Set<string>>();
  const add = (slug: string, name: string): void => {
    if (!entries.some((entry) => entry.slug === slug))
      entries.push({ slug, name: oneLine(name, 200) || slug });
  };
  if (options.organization !== null) {
    add(options.organization, given.displayName || given.realm);
  }
  for (const one of given.organizations ?? []) {
    const name = one.name || one.alias || '';
    const slug = slugFrom(one.alias || name);
    if (slug === '') {
      leave(null, `the organization "${name}"`, 'has no name that can stand in an address');
      continue;
    }
    add(slug, name);
    const members = membersOf.get(slug) ?? new Set();
    for (const { username } of one.members ?? []) if (username) members.add(username.toLowerCase());
    membersOf.set(slug, members);
    if (one.enabled === false)
      leave(null, `that the organization ${slug} is disabled`, 'there is no such state here');
    const domains = (one.domains ?? []).flatMap((domain) => domain.name ?? []);
    if (domains.length > 0) {
      leave(null, `the domains of ${slug} (${domains.join(', ')})`, 'they are proved anew here');
    }
  }
  const of = (person: KeycloakUser): { organization: string; role: Role }[] => {
    const role = roleOf(person, options);
    const username = (person.username ?? '').toLowerCase();
    const own = [...membersOf].flatMap(([slug, members]) => (members.has(username) ? [slug] : []));
    const all = new Set([...(options.organization === null ? [] : [options.organization]), ...own]);
    return [...all].map((slug) => ({ organization: slug, role }));
  };
  return { entries, of };
}

/** Groups are named by their path, with or without the first slash. */
function roleOf(person: KeycloakUser, { owners, admins }: RealmOptions): Role {
  const bare = (name: string) => name.replace(/^\//, '');
  const names = new Set([...(person.groups ?? []), ...(person.realmRoles ?? [])].map(bare));
  if (owners.some((name) => names.has(bare(name)))) return 'owner';
  return admins.some((name) => names.has(bare(name))) ? 'admin' : 'member';
}

/** Actions that are answered by what becomes of the account; all else is said. */
const actionsElsewhere: Readonly<Record<string, string>> = {
  CONFIGURE_TOTP: 'a policy asks people to set up here',
  'webauthn-register': 'a policy asks people to set up here',
  'webauthn-register-passwordless': 'a policy asks people to set up here',
  CONFIGURE_RECOVERY_AUTHN_CODES: 'recovery codes are shown when a factor is set up here',
};

function draftOf(
  given: Realm,
  person: KeycloakUser,
  email: string,
  memberships: readonly object[],
  options: RealmOptions,
  leave: Leave,
): UserDraft {
  const actions = new Set(person.requiredActions ?? []);
  for (const action of actions) {
    if (action === 'UPDATE_PASSWORD' || action === 'VERIFY_EMAIL') continue;
    leave(`the required action ${action}`, actionsElsewhere[action] ?? 'there is no such action here');
  }
  for (const { identityProvider } of person.federatedIdentities ?? []) {
    leave(
      `the link to ${identityProvider ?? 'another provider'}`,
      'it is made anew at the next sign-in there',
    );
  }
  const name = oneLine([person.firstName, person.lastName].filter(Boolean).join(' '), 200);
  const phone =
    attribute(person, 'phoneNumber') ?? attribute(person, 'phone_number') ?? attribute(person, 'phone');
  const locale = attribute(person, 'locale');
  const credentials = (person.credentials ?? []).toSorted((a, b) => (a.priority ?? 0) - (b.priority ?? 0));
  const passwordHash = passwordOf(person, credentials, actions, leave);
  const totp = credentials.flatMap((one) => (one.type === 'otp' ? (totpOf(one, leave) ?? []) : []));
  const passkeys = credentials.flatMap((one) => passkeyOf(given, person, one, options, leave) ?? []);
  sayOthers(credentials, leave);
  return {
    email,
    ...(name === '' ? {} : { name }),
    ...(passwordHash === null ? {} : { passwordHash }),
    emailVerified:
      person.emailVerified === true &&
      !actions.has('VERIFY_EMAIL') &&
      canonicalEmail(person.email ?? '') === email,
    ...(phone !== null && /^\+[1-9]\d{6,14}$/.test(phone) ? { phone } : {}),
    ...(locale !== null && isLocale(locale) ? { locale } : {}),
    ...(person.enabled === false ? { disabled: true } : {}),
    ...(totp.length + passkeys.length === 0
      ? {}
      : { factors: { ...(totp.length > 0 ? { totp } : {}), ...(passkeys.length > 0 ? { passkeys } : {}) } }),
    memberships,
  };
}

function passwordOf(
  person: KeycloakUser,
  credentials: readonly Credential[],
  actions: ReadonlySet<string>,
  leave: Leave,
): string | null {
  const own = credentials.find(({ type }) => type === 'password');
  if (!own) {
    if (person.federationLink) leave('the password', 'Keycloak has none: it asks another directory');
    return null;
  }
  if (actions.has('UPDATE_PASSWORD')) {
    // Somebody else has chosen it, for one use.
    leave('the password', 'was to be changed: a new one is chosen by "Forgotten your password?"');
    return null;
  }
  try {
    return fromKeycloak(own);
  } catch (error) {
    leave(
      'the password',
      `${error instanceof TypeError ? error.message : 'it cannot be read'}; a new one is chosen by "Forgotten your password?"`,
    );
    return null;
  }
}

const otpData = z.looseObject({
  subType: z.string().nullish(),
  digits: z.number().nullish(),
  period: z.number().nullish(),
  algorithm: z.string().nullish(),
  secretEncoding: z.string().nullish(),
});
const otpSecret = z.looseObject({ value: z.string() });
const otpAlgorithms: Readonly<Record<string, string>> = {
  HmacSHA1: 'SHA1',
  HmacSHA256: 'SHA256',
  HmacSHA512: 'SHA512',
};

/** Keycloak's secret is the text itself, of whose bytes the key is made, unless it says that it is base32. */
function totpOf(one: Credential, leave: Leave): object | null {
  const what = labelled('the authenticator app', one);
  const data = otpData.safeParse(json(one.credentialData)).data;
  const secretData = otpSecret.safeParse(json(one.secretData)).data;
  const refuse = (why: string): null => {
    leave(what, why);
    return null;
  };
  if (!data || !secretData) return refuse('cannot be read');
  if ((data.subType ?? 'totp') !== 'totp') return refuse('counts uses instead of time (HOTP)');
  const algorithm = otpAlgorithms[data.algorithm ?? 'HmacSHA1'];
  const { digits, period } = { digits: data.digits ?? 6, period: data.period ?? 30 };
  if (algorithm === undefined) return refuse(`its algorithm ${data.algorithm} is not known here`);
  if (digits !== 6 && digits !== 8) return refuse(`its codes have ${digits} digits`);
  if (!Number.isInteger(period) || period < totpPeriods.least || period > totpPeriods.most)
    return refuse(`its codes change every ${period} seconds`);
  const text =
    data.secretEncoding === 'BASE32' ? secretData.value : inBase32(Buffer.from(secretData.value, 'utf8'));
  const secret = fromSecret(text)?.secret;
  if (secret === undefined) return refuse('its secret has less than 10 bytes or more than 64');
  return { secret, ...nameOf(one), algorithm, digits, period };
}

const passkeyData = z.looseObject({
  credentialId: z.string(),
  credentialPublicKey: z.string(),
  counter: z.number().nullish(),
  aaguid: z.string().nullish(),
  transports: z.array(z.string()).nullish(),
});

/** A passkey works only under the host name under which it was set up (WebAuthn Level 3, 5.1.4.1, step 8). */
function passkeyOf(
  given: Realm,
  person: KeycloakUser,
  one: Credential,
  options: RealmOptions,
  leave: Leave,
): object | null {
  if (one.type !== 'webauthn' && one.type !== 'webauthn-passwordless') return null;
  const what = labelled('the passkey', one);
  const own = one.type === 'webauthn' ? given.webAuthnPolicyRpId : given.webAuthnPolicyPasswordlessRpId;
  const rpId = own || options.keycloakHost;
  if (!rpId) {
    leave(what, 'the realm does not say for which host name it is: say it by --keycloak-host');
    return null;
  }
  if (rpId.toLowerCase() !== options.rpId) {
    leave(what, `is for ${rpId}, and this server is ${options.rpId}`);
    return null;
  }
  const data = passkeyData.safeParse(json(one.credentialData)).data;
  const id = person.id ?? '';
  if (!data || id === '') {
    leave(what, 'cannot be read');
    return null;
  }
  const passkey = {
    credentialId: asBase64url(data.credentialId),
    publicKey: asBase64url(data.credentialPublicKey),
    counter: data.counter ?? 0,
    transports: (data.transports ?? []).map((name) => name.toLowerCase().replaceAll('_', '-')).slice(0, 10),
    ...(data.aaguid ? { aaguid: data.aaguid } : {}),
    userHandle: id,
  };
  if (fromForeign({ aaguid: '', ...passkey }) === null) {
    leave(what, 'its key is of a kind that is not accepted here');
    return null;
  }
  return { ...passkey, ...nameOf(one) };
}

function sayOthers(credentials: readonly Credential[], leave: Leave): void {
  const known = new Set(['password', 'otp', 'webauthn', 'webauthn-passwordless', 'password-history']);
  for (const { type } of credentials) {
    if (type === 'recovery-authn-codes')
      leave('the recovery codes', 'they are made for one system; new ones are shown here');
    else if (!known.has(type ?? ''))
      leave(`a credential of type ${type ?? 'unknown'}`, 'there is no such credential here');
  }
}

const labelled = (what: string, { userLabel }: Credential): string =>
  userLabel ? `${what} "${oneLine(userLabel, 60)}"` : what;

const nameOf = ({ userLabel }: Credential): { name?: string } => {
  const name = oneLine(userLabel ?? '', 60);
  return name === '' ? {} : { name };
};

function json(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}

const asBase64url = (text: string): string => Buffer.from(text, 'base64').toString('base64url');

function attribute({ attributes: all }: KeycloakUser, name: string): string | null {
  const value = all?.[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function isLocale(text: string): boolean {
  try {
    return text.length <= 35 && Intl.getCanonicalLocales(text).length === 1;
  } catch {
    return false;
  }
}

/** An alias as it can stand in an address. */
const slugFrom = (text: string): string =>
  text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
