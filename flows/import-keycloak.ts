import { knownEmails, ownersOfLookups } from '../entities/configuration.ts';
import { digest } from '../lib/digest.ts';
import {
  type Applied,
  type ApplyOptions,
  applyConfiguration,
  type ConfigurationText,
} from './apply-configuration.ts';
import type { DifferenceServices } from './configuration-difference.ts';
import { type LeftBehind, type ReadRealm, type RealmOptions, readRealm, realmIn } from './keycloak-realm.ts';

export interface Imported extends Applied {
  readonly realm: string;
  readonly left: readonly LeftBehind[];
}

/** What `apply` is to be given for a realm, and what cannot be. */
export function readKeycloak(
  files: readonly ConfigurationText[],
  options: RealmOptions & { readonly realm: string | null },
): ReadRealm {
  return readRealm(realmIn(files, options.realm), options);
}

/**
 * Takes over the people and organizations of a realm, all or nothing. Whoever is here already keeps password, factors and roles: an address
 * alone opens nobody's account to what another system says, and a second run changes nothing that people did since.
 */
export async function importKeycloak(
  services: DifferenceServices,
  read: ReadRealm,
  options: Pick<ApplyOptions, 'dryRun' | 'onProgress'> = {},
): Promise<Imported> {
  const { users, left } = await withoutTaken(services, read);
  const known = await knownEmails(
    services.db,
    users.map(({ email }) => email),
  );
  const applied = await applyConfiguration(
    services,
    {
      name: `the realm ${read.name}`,
      text: JSON.stringify({ organizations: read.configuration.organizations, users }),
    },
    { ...options, keepExisting: true },
  );
  const here = known.map(({ email }) => ({
    who: email,
    what: 'password, factors and profile',
    why: 'the person is here already, and keeps their own',
  }));
  return { ...applied, realm: read.name, left: [...left, ...here] };
}

/** A passkey that somebody else has here stays theirs. */
async function withoutTaken({ db }: DifferenceServices, { configuration, left }: ReadRealm) {
  const passkeysOf = (user: (typeof configuration.users)[number]) =>
    (user.factors as { passkeys?: readonly { credentialId: string }[] } | undefined)?.passkeys ?? [];
  const lookups = configuration.users.flatMap((user) =>
    passkeysOf(user).map(({ credentialId }) => digest(credentialId)),
  );
  const owners = new Map((await ownersOfLookups(db, lookups)).map(({ lookup, email }) => [lookup, email]));
  const seen = new Map(owners);
  const more: LeftBehind[] = [];
  const users = configuration.users.map((user) => {
    const own = passkeysOf(user);
    if (own.length === 0) return user;
    const passkeys = own.filter(({ credentialId }) => {
      const lookup = digest(credentialId);
      const owner = seen.get(lookup) ?? user.email;
      const isFirst = !seen.has(lookup) || owners.get(lookup) === user.email;
      seen.set(lookup, owner);
      if (!isFirst)
        more.push({ who: user.email, what: 'a passkey', why: 'is known here as somebody else’s' });
      return isFirst;
    });
    const { passkeys: _, ...others } = user.factors as { passkeys?: unknown };
    return { ...user, factors: { ...others, ...(passkeys.length > 0 ? { passkeys } : {}) } };
  });
  return { users, left: [...left, ...more] };
}
