/** What a token for the management API may be good for; an application has those that its registration lists (`api_scopes`). */
export const apiScopes = [
  'organizations:read',
  'organizations:write',
  'policy:read',
  'policy:write',
  'members:read',
  'members:write',
  'factors:read',
  'factors:write',
  'sessions:read',
  'sessions:write',
  'applications:read',
  'applications:write',
  'providers:read',
  'providers:write',
  'audit:read',
  'statistics:read',
  'ssf.read',
  'ssf.manage',
] as const;

export type ApiScope = (typeof apiScopes)[number];

export const isApiScope = (scope: string): scope is ApiScope =>
  (apiScopes as readonly string[]).includes(scope);

/** Whether an application may hear shared signals: without either scope it could neither fetch them nor end its streams. */
export const mayListen = ({ api_scopes: scopes }: { readonly api_scopes?: unknown }): boolean =>
  Array.isArray(scopes) &&
  (['ssf.read', 'ssf.manage'] satisfies ApiScope[]).some((one) => scopes.includes(one));

/** The resource (RFC 8707) that tokens for the management API and for shared signals name. */
export const apiResource = (issuer: string): string => `${issuer}/api/v1`;

/** Where RFC 9728 (3.1) puts what describes that resource: before its path. */
export function resourceMetadataUrl(issuer: string): string {
  const { origin, pathname } = new URL(apiResource(issuer));
  return `${origin}/.well-known/oauth-protected-resource${pathname}`;
}
