import test from 'ava';
import { filesOf, textOf } from './checkout.ts';

/**
 * What a process keeps outside of the services that `createApp` makes. Two servers in one process would share it, and tests with two
 * of them (test/front-door/rig.ts) would say nothing of two processes. Each with the reason why nothing that is decided depends on it.
 */
const known: Readonly<Record<string, string>> = {
  'federation/upstream.ts known': 'what a provider says of itself, asked again by whoever does not have it',
  'federation/upstream.ts underWay': 'the same, while it is being asked',
  'federation/upstream.ts logoutKeys': 'keys of providers, asked again by whoever does not have them',
  'flows/read-members.ts counted': 'figures on a page, by database, a moment old',
  'flows/read-members.ts counts': 'figures on a page, by database, a moment old',
  'http/event-stream.ts open': 'how many browsers wait at this process',
  'http/render.ts made': 'views and translations as they are in files',
  'http/trusted-request.ts direct': 'by request',
  'http/trusted-request.ts strange': 'by request',
  'lib/common-passwords.ts known': 'a list in a file',
  'lib/seal.ts nonces': 'random bytes that were drawn in advance, each used once',
  'organizations/visit.ts visits': 'by request',
  'provider/assess-request.ts assessments': 'by request',
  'provider/assess-request.ts moments': 'by request',
  'provider/create-provider.ts tellNow': 'by provider, of which each server has its own',
};

/** What stands at the left margin and may be changed later. */
function changing(text: string): string[] {
  const variables = [...text.matchAll(/^(?:export )?let (\w+)/gm)].map(([, name = '']) => name);
  const constants = [...text.matchAll(/^(?:export )?const (\w+)\b/gm)].map(([, name = '']) => name);
  const isChanged = (name: string) =>
    new RegExp(
      `(?<![.\\w])${name}(\\.(set|add|delete|clear|push|unshift|pop|shift|splice|sort|reverse)\\(|(\\.\\w+|\\[[^\\]]*\\])+ (\\?\\?|\\|\\||\\+|-)?= )`,
    ).test(text);
  return [...variables, ...constants.filter(isChanged)];
}

test('nothing that matters is kept in the memory of a process', (t) => {
  const beside = /^(test|bench|examples|demo|public|cli)|\.config\.js$/;
  const found = filesOf({ others: true })
    .filter((file) => file.endsWith('.ts') && !beside.test(file))
    .flatMap((file) => changing(textOf(file)).map((name) => `${file} ${name}`));
  t.deepEqual(found.toSorted(), Object.keys(known).toSorted());
});
