import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');

/** Files of the checkout by their path from its root: those that are tracked, and with `others` those that could be. */
export function filesOf({ others }: { readonly others: boolean }): string[] {
  // A checkout that belongs to somebody else (a container's volume) is read all the same.
  const git = ['-c', 'safe.directory=*', 'ls-files', '-z', '--cached'];
  const listed = execFileSync('git', others ? [...git, '--others', '--exclude-standard'] : git, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  });
  return [...new Set(listed.split('\0'))].filter((file) => file !== '' && existsSync(path.join(root, file)));
}

export const textOf = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** The part of a page of Markdown under a heading, up to the next one of the same or a higher level. */
export function section(markdown: string, heading: string): string {
  const [, after] = markdown.split(new RegExp(`^## ${heading}$`, 'm'));
  if (after === undefined) throw new Error(`there is no heading "${heading}"`);
  return after.split(/^## /m)[0] ?? '';
}

/** The rows of the first table in a piece of Markdown, without head and rule. */
export const tableRows = (markdown: string): string[][] =>
  (markdown.match(/^\|.*\|$/gm) ?? []).slice(2).map((row) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );

/** A cell as it is read, without the marks of code. */
export const plain = (cell: string): string => cell.replaceAll('`', '').replaceAll('\\|', '|');
