import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { readSettings } from '../config/settings.ts';
import { assuranceScope, brokerConfig } from '../flows/keycloak-broker-config.ts';
import { CommandError } from './readable-error.ts';

interface BrokerOptions {
  readonly realm: string;
  readonly keycloak: string;
  readonly alias: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly organization?: string;
  readonly for: string;
}

/** `sallyport keycloak broker-config --realm NAME --keycloak URL [--for keycloak|scope|sallyport]` */
export function keycloakBrokerConfig(options: BrokerOptions): void {
  const { issuer } = readSettings(process.env);
  const { realm, configuration } = brokerConfig({
    issuer,
    keycloak: addressOf(options.keycloak),
    realm: nameOf('--realm', options.realm),
    alias: nameOf('--alias', options.alias),
    clientId: options.clientId ?? `keycloak-${options.realm}`,
    clientSecret: options.clientSecretFile === undefined ? null : secretIn(options.clientSecretFile),
    organization: options.organization ?? null,
  });
  switch (options.for) {
    case 'keycloak':
      console.log(JSON.stringify(realm, null, 2));
      console.error(
        'For Keycloak: Realm settings → Action → Partial import, or the whole of a new realm. Then --for scope, and --for sallyport for this side.',
      );
      return;
    case 'scope':
      console.log(JSON.stringify(assuranceScope, null, 2));
      return;
    case 'sallyport':
      console.log(stringify(configuration).trimEnd());
      return;
    default:
      throw new CommandError(`--for must be keycloak, scope or sallyport, found "${options.for}"`);
  }
}

function nameOf(option: string, name: string): string {
  // Keycloak refuses others itself; and they would change the addresses that are made of them.
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$/.test(name)) return name;
  throw new CommandError(`${option} must be letters, digits, dots, hyphens and underscores, found "${name}"`);
}

function addressOf(text: string): string {
  if (URL.canParse(text)) {
    const { protocol, username, password, search, hash, origin, pathname } = new URL(text);
    if (/^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === '') {
      return `${origin}${pathname}`.replace(/\/+$/, '');
    }
  }
  throw new CommandError(
    `--keycloak must be the address of Keycloak, such as https://keycloak.example.com, found "${text}"`,
  );
}

function secretIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${(error as Error).message}`);
  }
}
