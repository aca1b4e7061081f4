import type { ClientMetadata } from 'oidc-provider';

/** The client_id under which the account and admin pages themselves ask for a sign-in. */
export const ownClientId = 'sallyport';

/** Where the authorization endpoint sends the browser back to. */
export const signedInPath = '/signed-in';

/**
 * The built-in relying party behind the account and admin pages (architecture.md §2.5). It gets no code and no token: after
 * `response_type=none` the pages read the provider's own session. No configuration file can replace it.
 */
export const ownApplication = (issuer: string): ClientMetadata => ({
  client_id: ownClientId,
  client_name: 'Sallyport',
  redirect_uris: [new URL(signedInPath, issuer).href],
  response_types: ['none'],
  grant_types: [],
  token_endpoint_auth_method: 'none',
  first_party: true,
  assurance: 'none',
  organization_id: null,
  organization_name: null,
  organization_slug: null,
});
