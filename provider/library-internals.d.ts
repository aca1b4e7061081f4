/** The one internal of oidc-provider that we use: see follow-signing-keys.ts. */
declare module 'oidc-provider/lib/helpers/initialize_keystore.js' {
  import type { JWK, Provider } from 'oidc-provider';

  export default function setKeys(this: Provider, jwks: { readonly keys: readonly JWK[] }): void;
}
