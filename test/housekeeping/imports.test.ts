import path from 'node:path';
import test from 'ava';
import { filesOf, textOf } from './checkout.ts';

/**
 * Folders and files of the project's root, from top to bottom: whoever stands higher may import what stands lower, and nothing of
 * its own line (docs/decisions/0010-imports-go-down.md).
 */
const levels = [
  ['cli'],
  ['start.ts'],
  ['server.ts', 'jobs', 'demo'],
  ['interactions', 'account', 'organizations', 'api'],
  ['http'],
  ['provider'],
  ['flows'],
  ['notifications', 'federation', 'audit', 'limits'],
  ['entities'],
  ['migrations'],
  ['factors'],
  ['policy'],
  ['config', 'lib'],
];

/** They stand beside the program and may look at all of it; nothing of the program knows of them. */
const outside = new Set([
  'ava.config.js',
  'test',
  'test-keycloak',
  'test-faults',
  'test-upgrade',
  'test-stacks',
  'bench',
]);

/** What must not know that there is HTTP. */
const belowHttp = new Set(levels.slice(levels.findIndex((names) => names.includes('flows'))).flat());
const ofHttp = /^(koa|koa-body|@koa\/.*|oidc-provider)$/;

const placeOf = (file: string): string => file.split('/')[0] ?? file;
const levelOf = (place: string): number => levels.findIndex((names) => names.includes(place));

/** What is wrong with one file's import of another, or of a package; null where nothing is. */
function problemWith(file: string, imported: string): string | null {
  const from = placeOf(file);
  if (outside.has(from)) return null;
  if (from !== 'examples' && levelOf(from) < 0)
    return `${file}: "${from}" has no line in test/housekeeping/imports.test.ts; say what it may import`;
  if (!imported.startsWith('.')) {
    return belowHttp.has(from) && ofHttp.test(imported)
      ? `${file} imports ${imported}: flows and all below them know nothing of HTTP`
      : null;
  }
  const target = path.posix.join(path.posix.dirname(file), imported);
  const to = placeOf(target);
  if (to === from) return null;
  if (from === 'examples')
    return `${file} imports ${target}: examples are for copying and stand on their own`;
  // The demo shows an example at work.
  if (to === 'examples' && from === 'demo') return null;
  if (levelOf(to) < 0)
    return `${file} imports ${target}: the program does not depend on what stands beside it`;
  if (levelOf(to) > levelOf(from)) return null;
  const direction = levelOf(to) === levelOf(from) ? 'sideways' : 'up';
  return `${file} imports ${target}: that goes ${direction}, from ${from} to ${to}, and imports go down only (docs/decisions/0010-imports-go-down.md)`;
}

const importsIn = (text: string): string[] =>
  [
    ...text.matchAll(
      /^import ['"]([^'"]+)['"]|^(?:import|export)\b[^;'"=]*?\bfrom ['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm,
    ),
  ].map(([, bare, named, loaded]) => bare ?? named ?? loaded ?? '');

test('imports go down, never up or sideways', (t) => {
  const files = filesOf({ others: true }).filter(
    (file) => /\.(ts|js)$/.test(file) && placeOf(file) !== 'public',
  );
  const problems = files.flatMap((file) =>
    importsIn(textOf(file)).flatMap((imported) => problemWith(file, imported) ?? []),
  );
  t.deepEqual(problems, []);
  t.true(files.length > 100);
});

for (const [file, imported, verdict] of [
  ['flows/a.ts', '../entities/b.ts', null],
  ['flows/a.ts', './b.ts', null],
  ['flows/a.ts', 'node:fs', null],
  ['flows/a.ts', 'koa', /know nothing of HTTP/],
  ['flows/a.ts', '../http/b.ts', /goes up, from flows to http/],
  ['account/a.ts', '../organizations/b.ts', /goes sideways/],
  ['policy/a.ts', '../factors/b.ts', /goes up/],
  ['entities/a.ts', '../start.ts', /goes up/],
  ['flows/a.ts', '../test/b.ts', /what stands beside it/],
  ['flows/a.ts', '../examples/b.ts', /what stands beside it/],
  ['demo/a.ts', '../examples/b.ts', null],
  ['examples/relying-party/a.ts', '../../lib/b.ts', /stand on their own/],
  ['utils/a.ts', './b.ts', /"utils" has no line/],
] as const) {
  test(`${file} with an import of ${imported} is ${verdict === null ? 'fine' : 'refused'}`, (t) => {
    const problem = problemWith(file, imported);
    if (verdict === null) t.is(problem, null);
    else t.regex(problem ?? '', verdict);
  });
}

test('imports are found in every form', (t) => {
  const text = `import 'a';
import b from "b";
import type { C } from 'c';
import {
  type D,
  d,
} from 'd';
export { e } from 'e';
export const f = async () => import('f');
export const text = path.join('..', "import x from 'no'");
`;
  t.deepEqual(importsIn(text), ['a', 'b', 'c', 'd', 'e', 'f']);
});
