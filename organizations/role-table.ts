import type { RoleTable } from '../http/organization-pages.ts';
import { type Action, actions, may, permissions } from '../policy/permissions.ts';
import { roles } from '../policy/types.ts';
import { roleLabels } from './words.ts';

const words: Readonly<Record<Action, string>> = {
  'overview.read': 'See the overview',
  'policy.read': 'See the policy',
  'policy.change': 'Change the policy, send reminders',
  'members.read': 'See members',
  'members.invite': 'Invite',
  'members.import': 'Invite from a list',
  'members.export': 'Export members',
  'members.change_role': 'Change roles, none above their own',
  'members.remove': 'Remove members',
  'members.reset_two_factor': 'Reset a second factor',
  'members.disconnect': 'Sign somebody out everywhere',
  'passkeys.read': 'See passkeys',
  'applications.read': 'See applications',
  'applications.change': 'Register, change and remove applications',
  'audit.read': 'See the audit log',
  'audit.export': 'Export the audit log',
  'branding.read': 'See the branding',
  'branding.change': 'Change the branding',
  'providers.read': 'See sign-in providers',
  'providers.change': 'Change sign-in providers',
  'api_clients.read': 'See API access',
  'api_clients.change': 'Give programs access to the API',
};

/** What each role may do, as the one table of permissions says it. */
export const roleTable: RoleTable = {
  roles: roles.map((role) => roleLabels[role]),
  rows: actions
    .toSorted((one, other) => permissions[other].length - permissions[one].length)
    .map((action) => ({ label: words[action], allowed: roles.map((role) => may(role, action)) })),
};
