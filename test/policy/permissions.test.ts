import test from 'ava';
import {
  type Action,
  type ActionOnMember,
  actions,
  may,
  mayOverMember,
  type Permission,
  rolesToGive,
} from '../../policy/permissions.ts';
import { type Role, roles } from '../../policy/types.ts';

const ownersOnly: readonly Action[] = ['providers.change', 'api_clients.change'];

test('owners may everything, admins all but what stands above an owner, members nothing', (t) => {
  for (const action of actions) {
    t.deepEqual(
      roles.filter((role) => may(role, action)),
      ownersOnly.includes(action) ? ['owner'] : ['owner', 'admin'],
      action,
    );
  }
});

test('an action or role that nobody knows is refused', (t) => {
  for (const action of ['members.everything', 'constructor', '__proto__', 'toString', '']) {
    t.false(may('owner', action as Action), action);
  }
  for (const role of ['root', 'OWNER', '', 'constructor']) {
    t.false(may(role as Role, 'members.read'), role);
    t.deepEqual(rolesToGive(role as Role), [], role);
    t.is(mayOverMember(role as Role, 'members.remove', { role: 'member', isSelf: false }), 'not_permitted');
  }
});

const overMembers: readonly [Role, Role, Permission][] = [
  ['owner', 'owner', 'allowed'],
  ['owner', 'admin', 'allowed'],
  ['owner', 'member', 'allowed'],
  ['admin', 'owner', 'not_over_owner'],
  ['admin', 'admin', 'allowed'],
  ['admin', 'member', 'allowed'],
  ['member', 'owner', 'not_permitted'],
  ['member', 'admin', 'not_permitted'],
  ['member', 'member', 'not_permitted'],
];
const onMembers: readonly ActionOnMember[] = [
  'members.change_role',
  'members.remove',
  'members.reset_two_factor',
  'members.disconnect',
];

test('no admin over an owner, and nobody over themselves (T102)', (t) => {
  for (const action of onMembers) {
    for (const [role, target, expected] of overMembers) {
      const name = `${role} ${action} ${target}`;
      t.is(mayOverMember(role, action, { role: target, isSelf: false }), expected, name);
    }
    for (const role of ['owner', 'admin'] as const) {
      t.is(mayOverMember(role, action, { role, isSelf: true }), 'not_over_self', `${role} ${action} self`);
    }
  }
});

test('nobody gives a role above their own (T104)', (t) => {
  t.deepEqual(rolesToGive('owner'), ['owner', 'admin', 'member']);
  t.deepEqual(rolesToGive('admin'), ['admin', 'member']);
  t.deepEqual(rolesToGive('member'), []);
});
