import type { Sentence } from '../http/pages.ts';

/** What a common relying party wants to know, in its own words. */
export interface Recipe {
  readonly name: string;
  /** Where it is sent back to, as it asks for it; several on a line each. Null: whatever its developer chooses. */
  readonly redirect: string | null;
  /** What the registration must be, where it is not the ordinary one; other things to know. */
  readonly hint: Sentence | null;
  readonly lines: string;
}

const inForm = 'It sends its secret in the form: choose that under "Where it runs".';
const isPublic = 'It has no secret: choose "In a browser or on a device".';

/**
 * For each: the names of its own settings, as its documentation has them. `SECRET` stands for the client secret, and names in capitals for
 * what only its operator knows.
 */
export function recipesFor(issuer: string, clientId: string): Recipe[] {
  const discovery = `${issuer}/.well-known/openid-configuration`;
  return [
    {
      name: 'Apache (mod_auth_openidc)',
      redirect: 'https://APP/oidc-callback',
      hint: null,
      lines: `OIDCProviderMetadataURL ${discovery}
OIDCClientID ${clientId}
OIDCClientSecret SECRET
OIDCRedirectURI https://APP/oidc-callback
OIDCCryptoPassphrase "exec:/bin/cat /etc/apache2/oidc-passphrase"
OIDCPKCEMethod S256
OIDCScope "openid email profile"
OIDCRemoteUserClaim email`,
    },
    {
      name: 'Argo CD',
      redirect: 'https://ARGOCD/auth/callback',
      hint: null,
      lines: `# argocd-cm; the secret stands in argocd-secret
url: https://ARGOCD
oidc.config: |
  name: Sallyport
  issuer: ${issuer}
  clientID: ${clientId}
  clientSecret: $oidc.sallyport.clientSecret
  requestedScopes: [openid, profile, email]
  requestedIDTokenClaims: { email: { essential: true } }`,
    },
    {
      name: 'AWS Application Load Balancer',
      redirect: 'https://APP/oauth2/idpresponse',
      hint: null,
      lines: `Issuer: ${issuer}
AuthorizationEndpoint: ${issuer}/auth
TokenEndpoint: ${issuer}/token
UserInfoEndpoint: ${issuer}/me
ClientId: ${clientId}
ClientSecret: SECRET
Scope: openid email profile`,
    },
    {
      name: 'AWS Cognito (OIDC identity provider)',
      redirect: 'https://DOMAIN.auth.REGION.amazoncognito.com/oauth2/idpresponse',
      hint: inForm,
      lines: `Provider name: Sallyport
Client ID: ${clientId}
Client secret: SECRET
Authorized scopes: openid email profile
Attribute request method: GET
Issuer URL: ${issuer}
Attribute mapping: email = email, name = name, email_verified = email_verified`,
    },
    {
      name: 'Gitea, Forgejo',
      redirect: 'https://GITEA/user/oauth2/sallyport/callback',
      hint: null,
      lines: `Authentication type: OAuth2
Authentication name: sallyport
OAuth2 provider: OpenID Connect
Client ID (key): ${clientId}
Client secret: SECRET
OpenID Connect auto discovery URL: ${discovery}
Additional scopes: email profile`,
    },
    {
      name: 'GitLab',
      redirect: 'https://GITLAB/users/auth/openid_connect/callback',
      hint: null,
      lines: `# /etc/gitlab/gitlab.rb
gitlab_rails['omniauth_providers'] = [{
  name: "openid_connect",
  label: "Sallyport",
  args: {
    name: "openid_connect",
    scope: ["openid", "profile", "email"],
    response_type: "code",
    issuer: "${issuer}",
    discovery: true,
    client_auth_method: "basic",
    uid_field: "sub",
    pkce: true,
    client_options: {
      identifier: "${clientId}",
      secret: "SECRET",
      redirect_uri: "https://GITLAB/users/auth/openid_connect/callback"
    }
  }
}]`,
    },
    {
      name: 'Grafana',
      redirect: 'https://GRAFANA/login/generic_oauth',
      hint: null,
      lines: `[auth.generic_oauth]
enabled = true
name = Sallyport
client_id = ${clientId}
client_secret = SECRET
scopes = openid email profile
auth_url = ${issuer}/auth
token_url = ${issuer}/token
api_url = ${issuer}/me
login_attribute_path = email
name_attribute_path = name
use_pkce = true`,
    },
    {
      name: 'HashiCorp Vault, OpenBao',
      redirect: 'https://VAULT/ui/vault/auth/oidc/oidc/callback\nhttp://localhost:8250/oidc/callback',
      hint: null,
      lines: `vault auth enable oidc
vault write auth/oidc/config \\
  oidc_discovery_url="${issuer}" \\
  oidc_client_id="${clientId}" oidc_client_secret="SECRET" \\
  default_role="sallyport"
vault write auth/oidc/role/sallyport \\
  user_claim="sub" oidc_scopes="openid,email,profile" \\
  allowed_redirect_uris="https://VAULT/ui/vault/auth/oidc/oidc/callback" \\
  allowed_redirect_uris="http://localhost:8250/oidc/callback" \\
  token_policies="default"`,
    },
    {
      name: 'Jenkins (OpenId Connect Authentication)',
      redirect: 'https://JENKINS/securityRealm/finishLogin',
      hint: null,
      lines: `Client id: ${clientId}
Client secret: SECRET
Discovery via well-known endpoint: ${discovery}
Override scopes: openid email profile
User name field name: email
Full name field name: name
Email field name: email
Proof Key for Code Exchange (PKCE): on`,
    },
    {
      name: 'Keycloak (identity provider)',
      redirect: 'https://KEYCLOAK/realms/REALM/broker/sallyport/endpoint',
      hint: null,
      lines: `Alias: sallyport
Use discovery endpoint: on
Discovery endpoint: ${discovery}
Client authentication: Client secret sent as basic auth
Client ID: ${clientId}
Client secret: SECRET
Scopes: openid email profile
Use PKCE: on, S256
Forwarded query parameters: acr_values`,
    },
    {
      name: 'Kubernetes (kubelogin)',
      redirect: 'http://localhost:8000\nhttp://localhost:18000',
      hint: isPublic,
      lines: `# kube-apiserver
--oidc-issuer-url=${issuer}
--oidc-client-id=${clientId}
--oidc-username-claim=sub
--oidc-username-prefix=sallyport:

# every user, with kubelogin
kubectl config set-credentials sallyport \\
  --exec-api-version=client.authentication.k8s.io/v1 --exec-interactive-mode=Never \\
  --exec-command=kubectl --exec-arg=oidc-login --exec-arg=get-token \\
  --exec-arg=--oidc-issuer-url=${issuer} \\
  --exec-arg=--oidc-client-id=${clientId} \\
  --exec-arg=--oidc-pkce-method=S256`,
    },
    {
      name: 'Nextcloud (user_oidc)',
      redirect: 'https://NEXTCLOUD/apps/user_oidc/code',
      hint: inForm,
      lines: `php occ user_oidc:provider Sallyport \\
  --clientid="${clientId}" --clientsecret="SECRET" \\
  --discoveryuri="${discovery}" \\
  --scope="openid email profile" \\
  --mapping-uid=sub --mapping-display-name=name --mapping-email=email`,
    },
    {
      name: 'oauth2-proxy',
      redirect: 'https://APP/oauth2/callback',
      hint: null,
      lines: `--provider=oidc
--provider-display-name=Sallyport
--oidc-issuer-url=${issuer}
--client-id=${clientId}
--client-secret-file=/run/secrets/oauth2-proxy
--redirect-url=https://APP/oauth2/callback
--code-challenge-method=S256
--scope="openid email profile"
--email-domain=*`,
    },
    {
      name: 'openid-client (Node)',
      redirect: null,
      hint: null,
      lines: `import * as oidc from 'openid-client';
const config = await oidc.discovery(new URL('${issuer}'), '${clientId}', undefined, oidc.ClientSecretBasic(process.env.CLIENT_SECRET));`,
    },
    {
      name: 'Proxmox VE',
      redirect: 'https://PROXMOX:8006',
      hint: null,
      lines: `pveum realm add sallyport --type openid \\
  --issuer-url ${issuer} \\
  --client-id ${clientId} --client-key SECRET \\
  --username-claim email --autocreate 1`,
    },
    {
      name: 'Spring Boot',
      redirect: 'https://APP/login/oauth2/code/sallyport',
      hint: null,
      lines: `spring.security.oauth2.client.registration.sallyport.client-id=${clientId}
spring.security.oauth2.client.registration.sallyport.client-secret=SECRET
spring.security.oauth2.client.registration.sallyport.scope=openid,email,profile
spring.security.oauth2.client.provider.sallyport.issuer-uri=${issuer}`,
    },
    {
      name: 'WordPress (OpenID Connect Generic Client)',
      redirect: 'https://WORDPRESS/wp-admin/admin-ajax.php?action=openid-connect-authorize',
      hint: inForm,
      lines: `Client ID: ${clientId}
Client Secret Key: SECRET
OpenID Scope: openid email profile
Login Endpoint URL: ${issuer}/auth
Userinfo Endpoint URL: ${issuer}/me
Token Validation Endpoint URL: ${issuer}/token
End Session Endpoint URL: ${issuer}/session/end
Identity Key: sub
Nickname Key: name
Email Formatting: {email}
Display Name Formatting: {name}`,
    },
  ];
}
