import * as z from 'zod';
import { acrNamed, acrs } from '../policy/assurance.ts';

/**
 * Client metadata that an application may have, by the names of OpenID Connect Dynamic Registration 1.0, RFC 7591 and the
 * logout, PAR, JAR and DPoP standards. `null` takes a value away (RFC 7592, 2.2). `client_name` is `name` with us.
 */

const text = (longest: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(longest, `must have at most ${longest} characters`)
    .regex(/^\P{Cc}*$/u, 'must be one line without control characters');

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
  );

const signing = z.enum(
  [
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
    'HS256',
  ],
  'must be a signing algorithm such as RS256, PS256, ES256 or EdDSA',
);
const keyManagement = text(40).regex(/^(RSA-OAEP|ECDH-ES|A\d{3}(GCM)?KW|dir)/, 'must be a JWE algorithm');
const contentEncryption = text(40).regex(/^A\d{3}(GCM|CBC-HS\d{3})$/, 'must be a JWE encryption method');

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
  response_types: list(z.enum(['code', 'id_token', 'code id_token', 'none'])),
  response_modes: list(
    z.enum(['query', 'fragment', 'form_post', 'jwt', 'query.jwt', 'fragment.jwt', 'form_post.jwt']),
  ),
  grant_types: list(
    z.enum([
      'authorization_code',
      'refresh_token',
      'client_credentials',
      'implicit',
      'urn:ietf:params:oauth:grant-type:device_code',
    ]),
  ),
  token_endpoint_auth_method: z.enum([
    'none',
    'client_secret_basic',
    'client_secret_post',
    'client_secret_jwt',
    'private_key_jwt',
  ]),
  token_endpoint_auth_signing_alg: signing,
  contacts: list(text(191).regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')),
  client_uri: webUri,
  logo_uri: webUri,
  policy_uri: webUri,
  tos_uri: webUri,
  initiate_login_uri: webUri,
  sector_identifier_uri: webUri,
  jwks_uri: webUri,
  jwks: publicKeys,
  subject_type: z.enum(['public', 'pairwise']),
  scope: text(1000),
  default_max_age: z.number().int().min(0, 'must not be negative'),
  default_acr_values: list(
    z.string().refine((acr) => acrNamed(acr) !== null, `must be one of ${acrs.join(', ')}`),
  ),
  require_auth_time: z.boolean(),
  id_token_signed_response_alg: signing,
  id_token_encrypted_response_alg: keyManagement,
  id_token_encrypted_response_enc: contentEncryption,
  userinfo_signed_response_alg: signing,
  userinfo_encrypted_response_alg: keyManagement,
  userinfo_encrypted_response_enc: contentEncryption,
  request_object_signing_alg: signing,
  request_object_encryption_alg: keyManagement,
  request_object_encryption_enc: contentEncryption,
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
  const grantTypes = texts(metadata.grant_types) ?? ['authorization_code'];
  if (method === 'none' && grantTypes.includes('client_credentials')) {
    const message = 'must not have client_credentials where token_endpoint_auth_method is none';
    problems.push({ name: 'grant_types', message });
  }
  const usesImplicit =
    grantTypes.includes('implicit') || responseTypes.some((type) => type.includes('id_token'));
  for (const name of ['redirect_uris', 'post_logout_redirect_uris'] as const) {
    for (const uri of texts(metadata[name]) ?? []) {
      const message = redirectProblem(uri, metadata.application_type ?? 'web', usesImplicit);
      if (message !== null) problems.push({ name, message });
    }
  }
  return problems;
}

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** OpenID Connect Dynamic Registration 1.0, 2: `application_type`; RFC 8252, 7. */
function redirectProblem(uri: string, applicationType: unknown, usesImplicit: boolean): string | null {
  if (!URL.canParse(uri)) return null;
  const { protocol, hostname } = new URL(uri);
  if (applicationType === 'web') {
    if (protocol !== 'http:' && protocol !== 'https:') {
      return `must be http or https addresses; other schemes are for application_type native, found "${uri}"`;
    }
    if (usesImplicit && (protocol === 'http:' || hostname === 'localhost')) {
      return `must be https and not localhost where an ID token comes from the authorization endpoint, found "${uri}"`;
    }
    return null;
  }
  if (protocol === 'http:' && !loopback.has(hostname)) {
    return `of a native application may use http on this machine only (127.0.0.1, [::1], localhost), found "${uri}"`;
  }
  if (protocol === 'https:' && loopback.has(hostname)) {
    return `of a native application must not use https on this machine, found "${uri}"`;
  }
  return null;
}

const texts = (value: unknown): string[] | undefined =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
