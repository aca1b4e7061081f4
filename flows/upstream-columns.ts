import { exportJWK, generateKeyPair, type JWK } from 'jose';
import {
  defaultUpstreamSettings,
  readUpstreamSettings,
  type UpstreamProviderRow,
  type UpstreamSettings,
  upstreamByKey,
  upstreamKey,
} from '../entities/upstream-providers.ts';
import { digest } from '../lib/digest.ts';
import type { KeyRing } from '../lib/key-ring.ts';
import { token } from '../lib/random.ts';
import { open, seal } from '../lib/seal.ts';
import type { Services } from './services.ts';
import type { UpstreamChange } from './upstream-entry.ts';
import { upstreamKeyPlace, upstreamSecretPlace } from './upstreams.ts';

/** An upstream provider as files, pages and the API show it; without its secret. */
export interface ShownUpstream extends UpstreamSettings {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly enabled: boolean;
}

export const shownUpstream = (row: UpstreamProviderRow): ShownUpstream => ({
  name: row.name,
  issuer: row.issuer,
  clientId: row.client_id,
  enabled: row.enabled === 1,
  ...readUpstreamSettings(row.settings),
});

/** What becomes of a provider by a change: what is absent stays. */
export function changedUpstream(
  before: ShownUpstream | null,
  change: UpstreamChange,
  slug: string,
): ShownUpstream {
  const { trusted, claims, ...plain } = change;
  const base = before ?? {
    ...defaultUpstreamSettings,
    name: slug,
    issuer: '',
    clientId: '',
    enabled: true,
  };
  const given = Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
  const filled = <Part extends object>(part: Part, more: object = {}): Part => ({
    ...part,
    ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)),
  });
  return {
    ...base,
    ...given,
    trusted: filled(base.trusted, trusted),
    claims: filled(base.claims, claims),
  };
}

/** What is wrong with a provider as it would be; null where nothing is. */
export function upstreamProblem(
  next: ShownUpstream,
  hasSecret: boolean,
  isOfInstance: boolean,
): string | null {
  if (next.issuer === '') return 'issuer is missing';
  if (next.clientId === '') return 'clientId is missing';
  if (next.authentication !== 'private_key_jwt' && !hasSecret) return 'clientSecret is missing';
  if (next.secondFactor === 'required' && next.trusted.acr.length + next.trusted.amr.length === 0) {
    return 'secondFactor required needs a value of acr or amr that is trusted';
  }
  if (isOfInstance && next.role !== 'member') return 'role is for the provider of an organization';
  return null;
}

/** The columns that a provider is stored in. */
export function upstreamColumns(
  ring: KeyRing,
  id: string,
  next: ShownUpstream,
  place: {
    readonly organizationId: string | null;
    readonly organizationSlug: string | null;
    readonly slug: string;
  },
  secret: string | null,
  privateKey: JWK | null,
) {
  const { name, issuer, clientId, enabled, ...settings } = next;
  return {
    name_key: upstreamKey(place.organizationSlug, place.slug),
    organization_id: place.organizationId,
    slug: place.slug,
    name,
    issuer,
    issuer_digest: digest(issuer),
    client_id: clientId,
    secret: secret === null ? null : seal(ring, upstreamSecretPlace(id), secret),
    private_key: privateKey === null ? null : seal(ring, upstreamKeyPlace(id), JSON.stringify(privateKey)),
    settings: JSON.stringify(settings),
    enabled: enabled ? 1 : 0,
  };
}

export const secretOf = (ring: KeyRing, row: Pick<UpstreamProviderRow, 'id' | 'secret'>): string | null =>
  row.secret === null ? null : open(ring, upstreamSecretPlace(row.id), row.secret);

export const privateKeyOf = (
  ring: KeyRing,
  row: Pick<UpstreamProviderRow, 'id' | 'private_key'>,
): JWK | null =>
  row.private_key === null
    ? null
    : (JSON.parse(open(ring, upstreamKeyPlace(row.id), row.private_key)) as JWK);

/** A key of our own for one provider, by which it knows us (RFC 7523 §3). */
export async function newUpstreamKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: token(128), alg: 'ES256', use: 'sig' };
}

/** The half of it that the provider reads. */
const publicHalf = ({ kty, crv, x, y, kid, alg, use }: JWK): JWK =>
  Object.fromEntries(
    Object.entries({ kty, crv, x, y, kid, alg, use }).filter(([, value]) => value !== undefined),
  );

/** The public keys that a provider reads; null where there is no such provider. */
export async function upstreamKeys(
  { db, ring }: Pick<Services, 'db' | 'ring'>,
  nameKey: string,
): Promise<JWK[] | null> {
  const row = await upstreamByKey(db, nameKey);
  const key = row ? privateKeyOf(ring, row) : null;
  return row && (key ? [publicHalf(key)] : []);
}
