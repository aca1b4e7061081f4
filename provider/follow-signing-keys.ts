import type { JWK, Provider } from 'oidc-provider';
// The library reads its keys once. This is what it reads them with; the version is pinned, and a test rotates keys under it.
import setKeys from 'oidc-provider/lib/helpers/initialize_keystore.js';
import type { Services } from '../flows/services.ts';
import { loadSigningKeys } from '../flows/signing-keys.ts';

/** Gives a running provider the keys as the database has them now, where they have changed. Returns whether they had. */
export function signingKeyFollower(provider: Provider, { db, ring }: Services): () => Promise<boolean> {
  let known: string | null = null;
  return async () => {
    const keys = await loadSigningKeys(db, ring);
    const now = JSON.stringify(keys.map(({ kid }) => kid));
    if (now === known) {
      return false;
    }
    known = now;
    setKeys.call(provider, { keys: keys as JWK[] });
    return true;
  };
}
