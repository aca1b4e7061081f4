import * as z from 'zod';
import { oneLinePattern } from '../lib/one-line.ts';
import { apiScopes } from '../policy/api-scopes.ts';
import { acrs } from '../policy/assurance.ts';

/**
 * Client metadata that an application may have, by the names of OpenID Connect Dynamic Registration 1.0, RFC 7591 and the
 * logout, PAR, JAR and DPoP standards. `null` takes a value away (RFC 7592, 2.2). `client_name` is `name` with us.
 */

const text = (longest: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(longest, `must have at most ${longest} characters`)
    .regex(oneLinePattern, 'must be one line without control characters');

const hasNoUser = (uri: string): boolean => {
  const { username, password } = new URL(uri);
  return username === '' && password === '';
};

const webUri = text(2000)
  .refine((uri) => /^https?:\/\/[^\s]+$/i.test(uri) && URL.canParse(uri), 'must be an http or https address')
  .refine((uri) => !URL.canParse(uri) || hasNoUser(uri), 'must not contain a user name or password');

const dangerousSchemes = new Set(['javascript:', 'vbscript:', 'data:', 'blob:', 'file:', 'about:']);

const redirectUri = text(2000)
  .refine((uri) => URL.canParse(uri) && !/\s/.test(uri), 'must be an absolute address')
  .refine((uri) => !uri.includes('#'), 'must have no fragment (#)')
  .refine(
    (uri) => !URL.canParse(uri) || !dangerousSchemes.has(new URL(uri).protocol),
    'must not use this scheme',
  )
  .refine((uri) => !URL.canParse(uri) || hasNoUser(uri), 'must not contain a user name or password');

/** What the provider can do (provider/create-provider.ts); it would refuse an application that asks for more, at every request. */
export const supported = {
  responseTypes: ['code', 'none'],
  grantTypes: [
    'authorization_code',
    'refresh_token',
    'client_credentials',
    'urn:ietf:params:oauth:grant-type:device_code',
  ],
  scopes: ['openid', 'profile', 'email', 'phone', 'offline_access', 'amr_json'],
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  subjectTypes: ['public'],
  /** What the provider signs, and what applications sign. */
  signing: ['RS256', 'ES256'],
  clientSigning: ['RS256', 'PS256', 'ES256', 'EdDSA'],
} as const;

const signing = z.enum(supported.signing);
const clientSigning = z.enum(supported.clientSigning);

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const publicKeys = z
  .looseObject({ keys: z.array(z.looseObject({ kty: z.string('must be text') })).max(100) })
  .refine(
    ({ keys }) => keys.every((key) => privateMembers.every((name) => !(name in key))),
    'must hold public keys only',
  );

const list = <Item extends z.ZodType>(item: Item) => z.array(item).max(200, 'must have at most 200 entries');

const shapes = {
  application_type: z.enum(['web', 'native']),
  redirect_uris: list(redirectUri),
  post_logout_redirect_uris: list(redirectUri),
  response_types: list(z.enum(supported.responseTypes)),
  response_modes: list(z.enum(['query', 'fragment', 'form_post'])),
  grant_types: list(z.enum(supported.grantTypes)),
  token_endpoint_auth_method: z.enum(supported.clientAuthMethods),
  token_endpoint_auth_signing_alg: clientSigning,
  contacts: list(text(191).regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')),
  client_uri: webUri,
  logo_uri: webUri,
  policy_uri: webUri,
  tos_uri: webUri,
  initiate_login_uri: webUri.refine((uri) => uri.startsWith('https:'), 'must be an https address'),
  sector_identifier_uri: webUri.refine((uri) => uri.startsWith('https:'), 'must be an https address'),
  jwks_uri: webUri,
  jwks: publicKeys,
  subject_type: z.enum(supported.subjectTypes),
  scope: text(1000).refine(
    (scope) => scope.split(' ').every((name) => (supported.scopes as readonly string[]).includes(name)),
    `must be some of ${supported.scopes.join(' ')}, with one blank between`,
  ),
  /** A resource server says by which name tokens are made for it, and for what (RFC 8707). */
  resource: text(191)
    .refine((uri) => URL.canParse(uri) && !/\s/.test(uri), 'must be an absolute address')
    .refine((uri) => !uri.includes('#'), 'must have no fragment (#)'),
  resource_scopes: text(1000).regex(
    /^[\x21\x23-\x5B\x5D-\x7E]+( [\x21\x23-\x5B\x5D-\x7E]+)*$/,
    'must be scopes with one blank between',
  ),
  api_scopes: list(z.enum(apiScopes)),
  /** It passes people on to applications of its own, as Keycloak does, whose addresses are not known here. */
  broker: z.boolean(),
  default_max_age: z.number().int().min(0, 'must not be negative'),
  default_acr_values: list(z.enum(acrs)),
  require_auth_time: z.boolean(),
  id_token_signed_response_alg: signing,
  userinfo_signed_response_alg: signing,
  request_object_signing_alg: clientSigning,
  require_signed_request_object: z.boolean(),
  require_pushed_authorization_requests: z.boolean(),
  introspection_signed_response_alg: signing,
  authorization_signed_response_alg: signing,
  dpop_bound_access_tokens: z.boolean(),
  backchannel_logout_uri: webUri,
  backchannel_logout_session_required: z.boolean(),
  software_id: text(200),
  software_version: text(200),
};

type Shapes = typeof shapes;

/** Every member may be absent (left as it is) or null (taken away). */
export const clientMetadata = Object.fromEntries(
  Object.entries(shapes).map(([name, shape]) => [name, shape.nullable().optional()]),
) as { [Name in keyof Shapes]: z.ZodOptional<z.ZodNullable<Shapes[Name]>> };

export type Metadata = { readonly [name: string]: unknown };

export const metadataNames: ReadonlySet<string> = new Set(Object.keys(shapes));

/**
 * What does not fit together in the metadata of one application; the name of a member and a sentence about it. Each of these would
 * make oidc-provider refuse the application at every request.
 */
export function metadataProblems(
  metadata: Metadata,
  hasSecret: boolean,
): { readonly name: string; readonly message: string }[] {
  const problems: { name: string; message: string }[] = [];
  const method = metadata.token_endpoint_auth_method ?? 'client_secret_basic';
  const hasKeys = metadata.jwks !== undefined || metadata.jwks_uri !== undefined;
  if (!hasSecret && method !== 'none' && method !== 'private_key_jwt') {
    const message = 'is missing, or token_endpoint_auth_method must be none or private_key_jwt';
    problems.push({ name: 'client_secret', message });
  }
  if (method === 'private_key_jwt' && !hasKeys) {
    problems.push({ name: 'jwks', message: 'or jwks_uri is missing: private_key_jwt needs one' });
  }
  if (metadata.jwks !== undefined && metadata.jwks_uri !== undefined) {
    problems.push({ name: 'jwks_uri', message: 'must not stand beside jwks; keep one' });
  }
  const responseTypes = texts(metadata.response_types) ?? ['code'];
  const redirectUris = texts(metadata.redirect_uris) ?? [];
  if (responseTypes.length > 0 && redirectUris.length === 0) {
    const message = 'is missing (an application without sign-in has response_types: [])';
    problems.push({ name: 'redirect_uris', message });
  }
  for (const name of ['redirect_uris', 'post_logout_redirect_uris'] as const) {
    for (const uri of texts(metadata[name]) ?? []) {
      const message = redirectProblem(uri, metadata.application_type ?? 'web');
      if (message === null) continue;
      problems.push({ name, message: `${message}, found "${uri.replace(/\/\/[^/\s]*@/, '//…@')}"` });
    }
  }
  return problems;
}

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** OpenID Connect Dynamic Registration 1.0, 2: `application_type`; RFC 8252, 7. */
function redirectProblem(uri: string, applicationType: unknown): string | null {
  if (!URL.canParse(uri)) return null;
  const { protocol, hostname } = new URL(uri);
  if (applicationType === 'web') {
    return protocol === 'http:' || protocol === 'https:'
      ? null
      : `must be http or https addresses; other schemes are for application_type native`;
  }
  if (protocol === 'http:' && !loopback.has(hostname)) {
    return `of a native application may use http on this machine only (127.0.0.1, [::1], localhost)`;
  }
  if (protocol === 'https:' && loopback.has(hostname)) {
    return `of a native application must not use https on this machine`;
  }
  return null;
}

const texts = (value: unknown): string[] | undefined =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
