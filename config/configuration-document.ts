import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

/** The way to a value: `['users', 3, 'memberships', 0, 'role']`. */
export type Path = readonly (string | number)[];

/** Something that is wrong with the file, and where. The message never holds a secret. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
  /** Point at the key, not at its value. */
  readonly atKey?: boolean;
}

/** All that is wrong with a configuration file, in one message; nothing was changed. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError';
  readonly problems: readonly string[];

  constructor(source: string, problems: readonly string[]) {
    super([`${source} was not applied, nothing has been changed:`, ...capped(problems)].join('\n'));
    this.problems = problems;
  }
}

/** A YAML or JSON text that could be read: its value, and where each part of it stands. */
export interface ConfigurationDocument {
  readonly source: string;
  readonly value: unknown;
  /** Puts places before problems and throws them, in the order of the file; does nothing where there are none. */
  refuse(problems: readonly Problem[]): void;
  lineOf(path: Path): number;
}

const mostProblems = 50;
// Every alias of YAML can multiply what it names: a small text could become gigabytes.
const mostAliases = 100;
const mostCharacters = 256 * 1024 * 1024;

/**
 * Reads YAML 1.2 or JSON (which is YAML too).
 *
 * @throws ConfigurationError where it is neither, with lines and columns
 */
export function readDocument(source: string, text: string): ConfigurationDocument {
  if (text.length > mostCharacters) {
    throw new ConfigurationError(source, [`${source} is too long: more than 256 MiB`]);
  }
  const lines = new LineCounter();
  const { document, value } = parse(source, text, lines);

  const positionOf = (path: Path, atKey = false): number => offsetOf(document, path, atKey);
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${source}:${line}:${col}`;
  };
  return {
    source,
    value,
    lineOf: (path) => lines.linePos(positionOf(path)).line,
    refuse: (problems) => {
      if (problems.length === 0) {
        return;
      }
      const placed = problems.map(({ path, message, atKey }) => ({
        offset: positionOf(path, atKey),
        text: [pathText(path), message].filter(Boolean).join(' '),
      }));
      placed.sort((a, b) => a.offset - b.offset);
      throw new ConfigurationError(
        source,
        placed.map((problem) => `${place(problem.offset)} ${problem.text}`),
      );
    },
  };
}

/** `users[3].memberships[0].role` */
export const pathText = (path: Path): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');

function parse(source: string, text: string, lines: LineCounter): { document: Document; value: unknown } {
  try {
    // The library's own pretty errors quote the line, and a line may hold a password.
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true });
    const problems = [...document.errors, ...document.warnings].map(({ pos, code }) => {
      const { line, col } = lines.linePos(pos[0]);
      return `${source}:${line}:${col} ${sentences[code] ?? 'is no YAML that can be read'}`;
    });
    if (problems.length > 0) {
      throw new ConfigurationError(source, problems);
    }
    return { document, value: document.toJS({ maxAliasCount: mostAliases }) };
  } catch (error) {
    if (error instanceof ConfigurationError) {
      throw error;
    }
    throw new ConfigurationError(source, [
      `${source} cannot be read: it is nested too deeply, or its aliases unfold too far`,
    ]);
  }
}

const sentences: { readonly [code: string]: string } = {
  ALIAS_PROPS: 'an alias can have no anchor and no tag',
  BAD_ALIAS: 'names an anchor that does not stand before it',
  BAD_DQ_ESCAPE: 'has an escape that is not known between double quotes',
  BAD_INDENT: 'is not indented as what it belongs to, or a bracket before it is not closed',
  BAD_SCALAR_START: 'starts with a character that must stand in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'has more than one ": " in a line; put the text in quotes',
  BLOCK_IN_FLOW: 'has a list or mapping over several lines between brackets',
  DUPLICATE_KEY: 'has a key that stands here already',
  KEY_OVER_1024_CHARS: 'has a key of more than 1024 characters',
  MISSING_CHAR:
    'lacks a colon, comma, quote or closing bracket; or the line before is indented otherwise than what it belongs to',
  MULTILINE_IMPLICIT_KEY: 'has a key that goes over several lines; is a colon missing?',
  MULTIPLE_DOCS: 'has more than one document (---)',
  NON_STRING_KEY: 'has a key that is no text',
  TAB_AS_INDENT: 'is indented with tabs; YAML takes only spaces',
  TAG_RESOLVE_FAILED: 'has a tag (!…) that is not known',
  UNEXPECTED_TOKEN: 'has something that cannot stand here; is a quote, colon or comma missing?',
};

/** Where the value at the path begins; where there is none, the nearest thing around it. */
function offsetOf(document: Document, path: Path, atKey: boolean): number {
  let node: Node | null = document.contents;
  let offset = node?.range?.[0] ?? 0;
  for (const [index, step] of path.entries()) {
    const around: Node | null | undefined = isAlias(node) ? node.resolve(document) : node;
    if (isMap(around)) {
      const pair = around.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair) return offset;
      const key = pair.key as Node;
      const value = pair.value as Node | null;
      offset = (atKey && index === path.length - 1 ? key : (value ?? key)).range?.[0] ?? offset;
      node = value;
    } else if (isSeq(around)) {
      const item = around.items[Number(step)] as Node | undefined;
      if (!item) return offset;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else {
      return offset;
    }
  }
  return offset;
}

function capped(problems: readonly string[]): string[] {
  const shown = problems.slice(0, mostProblems).map((problem) => `  ${problem}`);
  const more = problems.length - shown.length;
  return more > 0 ? [...shown, `  and ${more} more`] : shown;
}
