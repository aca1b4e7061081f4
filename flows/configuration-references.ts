import type { ConfigurationDocument, Path, Problem } from '../config/configuration-document.ts';
import type { StoredConfiguration } from '../entities/configuration.ts';
import { upstreamKey } from '../entities/upstream-providers.ts';
import { canonicalEmail } from '../entities/users.ts';
import { type Metadata, metadataNames, metadataProblems } from './client-metadata.ts';
import { nearest } from './configuration-file.ts';
import { changedUpstream, shownUpstream, upstreamProblem } from './upstream-columns.ts';
import { emailDomain, upstreamChange, upstreamShape } from './upstream-entry.ts';

type Fields = { readonly [name: string]: unknown };
type Entry = { readonly fields: Fields; readonly path: Path };

/** The e-mail addresses of the file in the one spelling, whatever else is wrong with it. */
export const emailsIn = (value: unknown): string[] => [
  ...new Set(
    entries(value, 'users').flatMap(({ fields }) =>
      typeof fields.email === 'string' ? [canonicalEmail(fields.email)] : [],
    ),
  ),
];

/**
 * What the file says about things that do not exist, or says twice, or that does not fit together with what is stored. It looks
 * at the file as it is, also where its form is wrong elsewhere, so that everything is said at once.
 */
export function checkReferences(document: ConfigurationDocument, stored: StoredConfiguration): Problem[] {
  const { value } = document;
  const organizations = entries(value, 'organizations');
  const applications = entries(value, 'applications');
  const users = entries(value, 'users');
  const known = {
    slugs: [...new Set([...stored.organizations.map(({ slug }) => slug), ...texts(organizations, 'slug')])],
    clientIds: [
      ...new Set([
        ...stored.applications.map(({ client_id }) => client_id),
        ...texts(applications, 'client_id'),
      ]),
    ],
  };
  const slugs = new Set(known.slugs);
  const clientIds = new Set(known.clientIds);
  const organizationAt = (path: Path, slug: unknown): Problem[] =>
    typeof slug !== 'string' || slugs.has(slug) ? [] : [unknown('organization', slug, path, known.slugs)];

  const storedUsers = new Map(stored.users.map((user) => [user.email, user]));
  const storedApplications = new Map(stored.applications.map((row) => [row.client_id, row]));

  return [
    ...twice(document, organizations, 'slug', String),
    ...twice(document, applications, 'client_id', String),
    ...twice(document, users, 'email', canonicalEmail),
    ...[...organizations, ...instanceEntry(value)].flatMap(({ fields, path }) =>
      list(object(fields.policy)?.applications).flatMap((clientId, index) =>
        typeof clientId !== 'string' || clientIds.has(clientId)
          ? []
          : [unknown('application', clientId, [...path, 'policy', 'applications', index], known.clientIds)],
      ),
    ),
    ...users.flatMap(({ fields, path }) => [
      ...twice(document, entries(fields, 'memberships', path), 'organization', String),
      ...entries(fields, 'memberships', path).flatMap((membership) =>
        organizationAt([...membership.path, 'organization'], membership.fields.organization),
      ),
      ...organizationAt([...path, 'homeOrganization'], fields.homeOrganization),
      ...userProblems(
        fields,
        path,
        typeof fields.email === 'string' ? storedUsers.get(canonicalEmail(fields.email))?.phone : null,
      ),
    ]),
    ...applications.flatMap(({ fields, path }) => [
      ...organizationAt([...path, 'organization'], fields.organization),
      ...applicationProblems(fields, path, storedApplications.get(String(fields.client_id))),
    ]),
    ...providerProblems(document, stored, organizationAt),
  ];
}

/** A provider is named by its organization and its own name; and an e-mail domain has one provider. */
function providerProblems(
  { value }: ConfigurationDocument,
  stored: StoredConfiguration,
  organizationAt: (path: Path, slug: unknown) => Problem[],
): Problem[] {
  const rows = new Map(stored.providers.map((row) => [row.name_key, row]));
  const domains = new Map(
    stored.domains.flatMap(({ verified_domain, provider_id }) =>
      verified_domain === null ? [] : [[verified_domain, provider_id] as const],
    ),
  );
  const all = entries(value, 'providers').map(({ fields, path }) => {
    const slug = typeof fields.organization === 'string' ? fields.organization : null;
    return { fields, path, key: upstreamKey(slug, String(fields.slug)), slug };
  });
  // What a provider of the file gives up, another of the file may take.
  const given = new Map<string, string>();
  for (const { fields, key } of all) {
    const row = rows.get(key);
    if (row && Array.isArray(fields.domains)) {
      for (const [domain, owner] of domains) if (owner === row.id) domains.delete(domain);
    }
  }
  const seen = new Set<string>();
  return all.flatMap(({ fields, path, key, slug }) => {
    const problems = organizationAt([...path, 'organization'], fields.organization);
    if (seen.has(key)) problems.push({ path: [...path, 'slug'], message: `stands here twice: "${key}"` });
    seen.add(key);
    const row = rows.get(key);
    for (const [index, name] of list(fields.domains).entries()) {
      const read = emailDomain.safeParse(name);
      if (!read.success) continue;
      const owner = given.get(read.data) ?? domains.get(read.data);
      if (owner !== undefined && owner !== (row?.id ?? key) && owner !== key) {
        const message = `belongs to another provider already: "${read.data}"`;
        problems.push({ path: [...path, 'domains', index], message });
      }
      given.set(read.data, key);
    }
    const change = upstreamChange.safeParse(
      Object.fromEntries(Object.entries(fields).filter(([name]) => name in upstreamShape)),
    );
    if (change.success) {
      const next = changedUpstream(row ? shownUpstream(row) : null, change.data, String(fields.slug));
      const hasSecret = fields.clientSecret !== undefined || (row?.secret ?? null) !== null;
      const message = upstreamProblem(next, hasSecret, slug === null);
      if (message !== null) problems.push({ path, message });
    }
    return problems;
  });
}

function userProblems(fields: Fields, path: Path, storedPhone: string | null | undefined): Problem[] {
  const problems: Problem[] = [];
  if (fields.password !== undefined && fields.passwordHash !== undefined) {
    problems.push({
      path: [...path, 'passwordHash'],
      message: 'must not stand beside password; keep one',
      atKey: true,
    });
  }
  const phone = fields.phone === undefined ? storedPhone : fields.phone;
  if (fields.phoneVerified === true && (phone === null || phone === undefined)) {
    problems.push({ path: [...path, 'phoneVerified'], message: 'must not be true without a phone' });
  }
  return problems;
}

function applicationProblems(
  fields: Fields,
  path: Path,
  stored: { secret: string | null; metadata: string } | undefined,
): Problem[] {
  const metadata = mergedMetadata(stored ? (JSON.parse(stored.metadata) as Metadata) : {}, fields);
  const isPublic = metadata.token_endpoint_auth_method === 'none';
  const hasSecret = fields.client_secret !== undefined || (stored?.secret ?? null) !== null;
  const problems: Problem[] = metadataProblems(metadata, hasSecret).map(({ name, message }) => ({
    path: [...path, name],
    message,
  }));
  if (isPublic && fields.client_secret !== undefined) {
    const message = 'must not stand beside token_endpoint_auth_method none';
    problems.push({ path: [...path, 'client_secret'], message, atKey: true });
  }
  return problems;
}

/** What the metadata of an application will be: what is absent stays, what is null goes. Always in the same order. */
export function mergedMetadata(stored: Metadata, given: Metadata): Metadata {
  const names = [...metadataNames].filter((name) => name in stored || name in given).sort();
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = given[name] === undefined ? stored[name] : given[name];
      return value === null || value === undefined ? [] : [[name, value]];
    }),
  );
}

function twice(
  document: ConfigurationDocument,
  all: readonly Entry[],
  name: string,
  spelling: (text: string) => string,
): Problem[] {
  const first = new Map<string, Path>();
  return all.flatMap(({ fields, path }) => {
    const text = fields[name];
    if (typeof text !== 'string') return [];
    const key = spelling(text);
    const before = first.get(key);
    if (!before) {
      first.set(key, [...path, name]);
      return [];
    }
    const message = `stands here twice: "${key}" is already in line ${document.lineOf(before)}`;
    return [{ path: [...path, name], message }];
  });
}

function unknown(kind: string, name: string, path: Path, names: readonly string[]): Problem {
  const near = nearest(name, names);
  const meant = near === null ? '' : `; did you mean "${near}"?`;
  return {
    path,
    message: `names an ${kind} that is neither in the file nor in the database: "${name.slice(0, 60)}"${meant}`,
  };
}

const object = (value: unknown): Fields | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The mappings of a list, each with the path to it. */
function entries(value: unknown, name: string, around: Path = []): Entry[] {
  return list(object(value)?.[name]).flatMap((item, index) => {
    const fields = object(item);
    return fields ? [{ fields, path: [...around, name, index] }] : [];
  });
}

function instanceEntry(value: unknown): Entry[] {
  const fields = object(object(value)?.instance);
  return fields ? [{ fields, path: ['instance'] }] : [];
}

const texts = (all: readonly Entry[], name: string): string[] =>
  all.flatMap(({ fields }) => (typeof fields[name] === 'string' ? [fields[name]] : []));
