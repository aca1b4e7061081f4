import test from 'ava';
import { whoForbids } from '../../policy/must-keep.ts';
import type { Method } from '../../policy/types.ts';
import { forAll, member, optional, policy, zeta } from './fixtures.ts';

const of = (method: Method, model: string | null = null) => ({ method, model });
const strict = forAll(8, { methods: ['totp', 'passkey'], passkeyModels: ['key-a'] });

test('what is left must be a factor that every organization which requires one counts (T094)', (t) => {
  for (const [what, memberships, remaining, expected] of [
    ['an app is enough', [member(strict)], [of('totp')], []],
    ['a listed passkey is enough', [member(strict)], [of('passkey', 'key-a')], []],
    ['another model is not', [member(strict)], [of('passkey', 'key-b')], ['acme']],
    ['nor one that nobody attested', [member(strict)], [of('passkey')], ['acme']],
    ['nor a method that does not count', [member(strict)], [of('email')], ['acme']],
    ['nothing is not', [member(strict)], [], ['acme']],
    ['where nothing is required anything may go', [member(policy({ passkeyModels: ['key-a'] }))], [], []],
    [
      'of two, the one that asks forbids',
      [member(optional), member(forAll(8, { methods: ['passkey'] }), { organization: zeta })],
      [of('totp')],
      ['zeta'],
    ],
  ] as const) {
    const by = whoForbids(memberships, optional, remaining);
    t.deepEqual(
      by.map((one) => (one.kind === 'organization' ? one.organization.slug : 'instance')),
      [...expected],
      what,
    );
  }
  t.deepEqual(whoForbids([], strict, [of('passkey', 'key-b')]), [{ kind: 'instance' }]);
});
