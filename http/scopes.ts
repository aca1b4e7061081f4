import { type ApiScope, apiResource, isApiScope } from '../policy/api-scopes.ts';
import type { Sentence } from './pages.ts';

const scopeSentences: Readonly<Record<string, Sentence>> = {
  openid: 'Know that it is you, and how you signed in',
  profile: 'See your name and language',
  email: 'See your e-mail address',
  phone: 'See your phone number',
  amr_json: 'See how you signed in, as text',
  offline_access: 'Stay connected while you are away',
};

/**
 * A scope in plain words; one that nobody has described is shown by its name. A resource's scope is named with its resource; those of the
 * management API are ours to describe.
 */
export function scopeSentence(name: string, issuer: string): Sentence {
  const [resource, scope] = name.split('#', 2);
  if (scope === undefined) return scopeSentences[name] ?? name;
  if (resource !== apiResource(issuer)) return `${scope} (${resource})`;
  return isApiScope(scope) ? apiSentences[scope] : scope;
}

const apiSentences: Readonly<Record<ApiScope, Sentence>> = {
  'organizations:read': 'See your organizations',
  'organizations:write': 'Change your organizations',
  'policy:read': 'See what your organizations require',
  'policy:write': 'Change what your organizations require',
  'members:read': 'See the members of your organizations',
  'members:write': 'Invite and remove members, and change their roles',
  'factors:read': 'See which second factors members have',
  'factors:write': 'Reset the second factors of members',
  'sessions:read': 'See where members are signed in',
  'sessions:write': 'Sign members out',
  'applications:read': 'See the applications of your organizations',
  'applications:write': 'Register and change applications',
  'providers:read': 'See the sign-in providers of your organizations',
  'providers:write': 'Add and change sign-in providers',
  'audit:read': 'Read the audit log of your organizations',
  'statistics:read': 'See the numbers of your organizations',
  'ssf.read': 'Read shared signals',
  'ssf.manage': 'Subscribe to shared signals',
};
