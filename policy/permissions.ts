import type { Role } from './types.ts';

/** What somebody may do in an organization. Pages, the management API and the command line ask this one table. */
export const permissions = {
  'overview.read': ['owner', 'admin'],
  'policy.read': ['owner', 'admin'],
  'policy.change': ['owner', 'admin'],
  'members.read': ['owner', 'admin'],
  'members.invite': ['owner', 'admin'],
  'members.import': ['owner', 'admin'],
  'members.export': ['owner', 'admin'],
  'members.change_role': ['owner', 'admin'],
  'members.remove': ['owner', 'admin'],
  'members.reset_two_factor': ['owner', 'admin'],
  'members.disconnect': ['owner', 'admin'],
  'passkeys.read': ['owner', 'admin'],
  'applications.read': ['owner', 'admin'],
  'applications.change': ['owner', 'admin'],
  'audit.read': ['owner', 'admin'],
  'audit.export': ['owner', 'admin'],
  'branding.read': ['owner', 'admin'],
  'branding.change': ['owner', 'admin'],
  // Whoever can speak for the first factor, or make a key to everything, stands above every owner.
  'providers.change': ['owner'],
  'providers.read': ['owner', 'admin'],
  'api_clients.change': ['owner'],
  'api_clients.read': ['owner', 'admin'],
} as const satisfies Record<string, readonly Role[]>;

export type Action = keyof typeof permissions;
export const actions = Object.keys(permissions) as readonly Action[];

/** An action or a role that is not in the table is nobody's. */
export function may(role: Role, action: Action): boolean {
  const allowed: readonly Role[] = Object.hasOwn(permissions, action) ? permissions[action] : [];
  return allowed.includes(role);
}

/** What is done to a person, not to a thing. */
export type ActionOnMember = Extract<
  Action,
  'members.change_role' | 'members.remove' | 'members.reset_two_factor' | 'members.disconnect'
>;

/** Whom it is done to: their role, and whether they are the one who does it. */
export interface Target {
  readonly role: Role;
  readonly isSelf: boolean;
}

export type Permission = 'allowed' | 'not_permitted' | 'not_over_owner' | 'not_over_self';

/** No admin over an owner, and nobody over themselves: that would be a way around one's own second factor, or out of the last ownership. */
export function mayOverMember(role: Role, action: ActionOnMember, target: Target): Permission {
  if (!may(role, action)) return 'not_permitted';
  if (target.isSelf) return 'not_over_self';
  if (target.role === 'owner' && role !== 'owner') return 'not_over_owner';
  return 'allowed';
}

/** Roles that somebody may give, by invitation, import or change: none above their own. */
export function rolesToGive(role: Role): readonly Role[] {
  if (role === 'owner') return ['owner', 'admin', 'member'];
  return role === 'admin' ? ['admin', 'member'] : [];
}
