import type { JWK } from 'jose';
import { readUpstreamSettings, type UpstreamProviderRow } from '../entities/upstream-providers.ts';
import type { FederationServices, Upstream } from '../federation/upstream.ts';
import { asciiAddress } from '../lib/email-address.ts';
import { open } from '../lib/seal.ts';
import type { Services } from './services.ts';

export const upstreamSecretPlace = (id: string) => ({
  table: 'upstream_providers',
  column: 'secret',
  row: id,
});
export const upstreamKeyPlace = (id: string) => ({
  table: 'upstream_providers',
  column: 'private_key',
  row: id,
});

/** The provider as it is talked to, its secrets open. */
export const upstreamFrom = ({ ring }: Pick<Services, 'ring'>, row: UpstreamProviderRow): Upstream => ({
  id: row.id,
  version: row.version,
  issuer: row.issuer,
  clientId: row.client_id,
  authentication: readUpstreamSettings(row.settings).authentication,
  secret: row.secret === null ? null : open(ring, upstreamSecretPlace(row.id), row.secret),
  privateKey:
    row.private_key === null
      ? null
      : (JSON.parse(open(ring, upstreamKeyPlace(row.id), row.private_key)) as JWK),
});

export const federationOf = ({ outbound, db }: Pick<Services, 'outbound' | 'db'>): FederationServices => ({
  outbound,
  clock: db.clock,
});

/** Addresses that are registered with the provider. Each provider has its own, so that none can answer for another (RFC 9700 §4.4). */
export const upstreamAddress = (issuer: string, nameKey: string, path: string): string =>
  new URL(`/upstream/${nameKey}/${path}`, issuer).href;

/** The domain of an address as it is compared; '' for what is no address. */
export function domainOf(email: string): string {
  const ascii = asciiAddress(email);
  return ascii === null ? '' : ascii.slice(ascii.lastIndexOf('@') + 1).toLowerCase();
}
