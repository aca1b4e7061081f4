/**
 * What two sides have to know so that Keycloak brokers to Sallyport (docs/keycloak.md). Nothing secret is in it where Keycloak proves itself by
 * its own key, which is how it is made unless a secret is given.
 */
export interface BrokerInput {
  /** Of Sallyport. */
  readonly issuer: string;
  /** Where Keycloak is reached by browsers and by Sallyport, with the path that it may have. */
  readonly keycloak: string;
  readonly realm: string;
  readonly alias: string;
  readonly clientId: string;
  /** Null: `private_key_jwt`. */
  readonly clientSecret: string | null;
  /** The organization that the application belongs to; null: shared by all. */
  readonly organization: string | null;
}

/** Both halves: `realm` is for Keycloak's import or partial import, `applications` for `sallyport apply`. */
export interface BrokerConfig {
  readonly realm: object;
  readonly configuration: { readonly applications: readonly object[] };
}

/** The client scope and the session notes that carry what was proved into the realm's tokens. */
const notes = [
  { claim: 'acr', note: 'acr', type: 'String' },
  { claim: 'amr', note: 'amr_json', type: 'JSON' },
] as const;

export function brokerConfig(input: BrokerInput): BrokerConfig {
  return {
    realm: {
      realm: input.realm,
      enabled: true,
      identityProviders: [identityProvider(input)],
      identityProviderMappers: identityProviderMappers(input),
    },
    configuration: { applications: [applicationOf(input)] },
  };
}

/** Names and values as Keycloak's own export has them: everything is text there. */
function identityProvider({ issuer, alias, clientId, clientSecret }: BrokerInput): object {
  return {
    alias,
    displayName: 'Sallyport',
    providerId: 'oidc',
    enabled: true,
    // Sallyport says of each address whether it is verified, and Keycloak believes it only where this is on.
    trustEmail: true,
    storeToken: false,
    linkOnly: false,
    firstBrokerLoginFlowAlias: 'first broker login',
    config: {
      issuer,
      metadataDescriptorUrl: `${issuer}/.well-known/openid-configuration`,
      authorizationUrl: `${issuer}/auth`,
      tokenUrl: `${issuer}/token`,
      userInfoUrl: `${issuer}/me`,
      logoutUrl: `${issuer}/session/end`,
      jwksUrl: `${issuer}/jwks`,
      useJwksUrl: 'true',
      validateSignature: 'true',
      pkceEnabled: 'true',
      pkceMethod: 'S256',
      clientId,
      ...(clientSecret === null
        ? {
            clientAuthMethod: 'private_key_jwt',
            clientAssertionSigningAlg: 'RS256',
            clientAssertionAudience: issuer,
          }
        : { clientAuthMethod: 'client_secret_basic', clientSecret }),
      defaultScope: 'openid email profile amr_json',
      // Who is known here by which name, and kept up to date at every sign-in.
      syncMode: 'FORCE',
      loginHint: 'true',
      uiLocales: 'true',
      passMaxAge: 'true',
      // The browser signs out at Sallyport, which then tells everybody else; and Sallyport's logout tokens are taken.
      backchannelSupported: 'false',
      sendIdTokenOnLogout: 'true',
      sendClientIdOnLogout: 'true',
      allowedClockSkew: '15',
    },
  };
}

/** How somebody signed in belongs to the session, never to the user: another session may have proved less. */
const identityProviderMappers = ({ alias }: BrokerInput): object[] => [
  {
    name: 'sallyport-assurance',
    identityProviderAlias: alias,
    identityProviderMapper: 'oidc-user-session-note-idp-mapper',
    config: {
      syncMode: 'FORCE',
      claims: JSON.stringify(notes.map(({ note }) => ({ key: note, value: '.*' }))),
      'are.claim.values.regex': 'true',
    },
  },
  {
    name: 'sallyport-username',
    identityProviderAlias: alias,
    identityProviderMapper: 'oidc-username-idp-mapper',
    // Keycloak's account is named after the address; who is who is decided by `sub`.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Keycloak's own templates look like this.
    config: { syncMode: 'IMPORT', template: '${CLAIM.email}', target: 'LOCAL' },
  },
];

/** The client scope whose mappers write the session's notes into tokens. Keycloak takes none by partial import. */
export const assuranceScope = {
  name: 'sallyport-assurance',
  description: 'How somebody signed in at Sallyport',
  protocol: 'openid-connect',
  attributes: { 'include.in.token.scope': 'false', 'display.on.consent.screen': 'false' },
  protocolMappers: notes.map(({ claim, note, type }) => ({
    name: `sallyport-${claim}`,
    protocol: 'openid-connect',
    protocolMapper: 'oidc-usersessionmodel-note-mapper',
    config: {
      'user.session.note': note,
      'claim.name': claim,
      'jsonType.label': type,
      'id.token.claim': 'true',
      'access.token.claim': 'true',
      'introspection.token.claim': 'true',
    },
  })),
};

function applicationOf({
  keycloak,
  realm,
  alias,
  clientId,
  clientSecret,
  organization,
}: BrokerInput): object {
  const at = `${keycloak}/realms/${encodeURIComponent(realm)}`;
  const endpoint = `${at}/broker/${encodeURIComponent(alias)}/endpoint`;
  return {
    client_id: clientId,
    name: `Keycloak (${realm})`,
    ...(organization === null ? {} : { organization }),
    firstParty: true,
    broker: true,
    redirect_uris: [endpoint],
    post_logout_redirect_uris: [`${endpoint}/logout_response`],
    grant_types: ['authorization_code'],
    scope: 'openid email profile amr_json',
    ...(clientSecret === null
      ? {
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'RS256',
          jwks_uri: `${at}/protocol/openid-connect/certs`,
        }
      : { client_secret: clientSecret }),
    backchannel_logout_uri: `${at}/protocol/openid-connect/logout/backchannel-logout`,
    backchannel_logout_session_required: true,
  };
}
