import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { filesOf, plain, root, section, tableRows, textOf } from './checkout.ts';

const readme = textOf('README.md');
const tracked = filesOf({ others: false });
const all = filesOf({ others: true });

test('the README shows on its first screen how to start and how to test', (t) => {
  const firstScreen = readme.split('\n').slice(0, 40).join('\n');
  t.regex(firstScreen, /^npm ci && npm start\b/m);
  t.regex(firstScreen, /^npm ci && npm test\b/m);
});

test('every file that "Where is …?" names is there', (t) => {
  const rows = tableRows(section(readme, 'Where is …\\?'));
  const named = rows.flatMap(([, files = '']) =>
    [...files.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
  );
  t.deepEqual(
    named.filter((file) => !existsSync(path.join(root, file))),
    [],
  );
  t.true(named.length > 10);
});

test('the README lists the commands that there are, and no others', async (t) => {
  const listed = tableRows(section(readme, 'The `sallyport` command')).map(
    ([command = '']) => /^sallyport ([a-z-]+)/.exec(plain(command))?.[1],
  );
  const help = await promisify(execFile)(process.execPath, [path.join(root, 'cli/sallyport.js'), '--help']);
  const there = [...help.stdout.matchAll(/^ {2}([a-z-]+)(?= )/gm)].map(([, name = '']) => name);
  t.deepEqual([...new Set(listed)].sort(), there.filter((name) => name !== 'help').sort());
});

test('every link between our pages leads somewhere', (t) => {
  const broken = all
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) =>
      [...textOf(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
        .map(([, target = '']) => path.join(path.dirname(file), target))
        .filter((target) => !existsSync(path.join(root, target)))
        .map((target) => `${file} → ${target}`),
    );
  t.deepEqual(broken, []);
});

test('every decision is linked from the list of decisions', (t) => {
  const list = textOf('docs/decisions/README.md');
  const pages = all.flatMap((file) => /^docs\/decisions\/(\d{4}-.+\.md)$/.exec(file)?.[1] ?? []);
  t.deepEqual(
    pages.filter((page) => !list.includes(`](${page})`)),
    [],
  );
  t.true(pages.length > 0);
});

test('nothing that is built, stored or large is in the repository', (t) => {
  const odd = tracked.filter((file) =>
    /(^|\/)(node_modules|data|dist|coverage)\/|\.sqlite|\.log$/.test(file),
  );
  t.deepEqual(odd, []);
  const large = tracked.filter((file) => statSync(path.join(root, file)).size > 400 * 1024);
  t.deepEqual(large, []);
});

test('no test is switched off or runs alone', (t) => {
  const switched = all
    .filter((file) => /^test\/.*\.ts$/.test(file))
    .filter((file) => /\b(test|it|describe)(\.serial)?\.(skip|only|failing|todo)\(/.test(textOf(file)));
  t.deepEqual(switched, []);
});

test('no page carries a script of its own', (t) => {
  const views = all.filter((file) => /^views\/.*\.ejs$/.test(file));
  const inline = views.filter((view) => /<script(?![^>]*\ssrc=)/.test(textOf(view)));
  t.deepEqual(inline, []);
  t.true(views.length > 20);
});

test('the lock file has a place for every platform, so that npm ci works on each', (t) => {
  const { packages } = JSON.parse(textOf('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.entries(packages).flatMap(([at, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`${at}/node_modules/${name}` in packages) && !(`node_modules/${name}` in packages),
    ),
  );
  t.deepEqual(missing, []);
});

test('the container has every folder of the program', (t) => {
  const beside = /^(\.|test|bench$|docs$|deploy$)/;
  const folders = new Set(tracked.flatMap((file) => (file.includes('/') ? [file.split('/')[0] ?? ''] : [])));
  const copied = [...textOf('deploy/Dockerfile').matchAll(/^COPY (\w+) \.\/\1$/gm)].map(([, name]) => name);
  t.deepEqual(copied.sort(), [...folders].filter((name) => !beside.test(name)).sort());
});

test('no statement needs what clusters of MySQL and MariaDB lack or keep to one node (docs/operating.md)', (t) => {
  const beside = /^(test|bench|examples|public)|\.config\.js$/;
  const asking = all
    .filter((file) => file.endsWith('.ts') && !beside.test(file))
    .filter((file) =>
      /\b(GET_LOCK|LOCK TABLES|SAVEPOINT|XA (BEGIN|START)|TEMPORARY TABLE|REFERENCES|TRIGGER|PROCEDURE|SKIP LOCKED|RETURNING|AUTO_INCREMENT)\b(?![^\n]*\*\/)/.test(
        textOf(file).replaceAll(/\/\*[\s\S]*?\*\//g, ''),
      ),
    );
  t.deepEqual(asking, []);
});
