import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Which tests try which case of security.md, on which databases and with how many servers, read out of the tests themselves:
 * `node test/cases.ts` writes docs/cases.md, and test/housekeeping/cases.test.ts compares.
 */
const root = path.resolve(import.meta.dirname, '..');

/** Groups J, L, M and O: what a server has to stand, besides what it has to do. */
export const groups: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Injection and parsing (J)': {
    T119: 'SQL in every parameter of every route',
    T120: 'numbers, lists and objects where text is expected',
    T122: 'long and odd passwords',
    T123: 'templates and prototypes in input',
    T124: 'bodies that are too large or make no sense',
    T125: 'clients that are slow on purpose',
  },
  'Secrets, logs, privacy (L)': {
    T133: 'nothing secret in a log',
    T134: 'nothing secret in an address',
    T135: 'a stolen database holds no usable second factor',
    T136: 'nor a password of a sign-in that is under way',
    T137: 'nor a session, code or token',
    T138: 'answers hold what is needed and no more',
    T139: 'the secret of a set-up is shown once',
  },
  'Guessing and locking out (M)': {
    T140: 'guessing over many sign-ins, addresses, methods and servers',
    T142: 'limits that cannot be got round',
    T143: 'strangers who guess lock nobody out',
    T144: 'nobody learns who has an account',
    T145: 'hashing as a way to bring the server down',
    T146: 'people are told',
  },
  'Faults (O)': {
    T148: 'what fails, fails closed',
    T149: 'killed, or left by its client, at any statement',
    T150: 'the database is away, slow, locked, full or replaced',
    T151: 'clocks that differ, jump or have summer time',
    T152: 'mail and text gateways that fail',
    T153: 'upgrades, keys, refusals to start, full disks, the end',
  },
};

export interface Tried {
  readonly file: string;
  readonly title: string;
  readonly cases: readonly string[];
  /** How many servers it has over one database of a kind; null where it is not for that kind, or has none at all. */
  readonly servers: Readonly<Record<'SQLite' | 'MariaDB', number | null>>;
  /** They are processes of their own, and not two in one. */
  readonly areProcesses: boolean;
}

/** Cases that one server has to stand by itself, and why another one, or another database, has no part in it. */
export const alone: Readonly<Record<string, string>> = {
  T125: 'who is slow is cut off by the process that they are slow with, before anything is asked of a database',
  T145: 'each process hashes and reads bodies for itself, and another one makes that neither faster nor slower',
};

const folders = ['test', 'test-faults', 'test-upgrade'];

const testFiles = (): string[] =>
  folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => `${folder}/${file}`)
      .toSorted(),
  );

/** What stands at the left margin, one piece after another, by the name that it declares. */
function declarations(text: string): { name: string; text: string }[] {
  const starts = [...text.matchAll(/^(?=[a-z/])/gm)].map(({ index }) => index);
  return starts.map((start, n) => {
    const piece = text.slice(start, starts[n + 1]);
    const name = /^(?:export )?(?:async )?(?:function|const|let|class) (\w+)/m.exec(piece)?.[1];
    return { name: name ?? '', text: piece };
  });
}

/** A piece with the functions of its file that it calls, and those that they call. */
function withHelpers(piece: string, all: readonly { name: string; text: string }[]): string {
  const taken = new Set<string>();
  let text = piece;
  for (let grown = true; grown; ) {
    grown = false;
    for (const { name, text: helper } of all) {
      if (name === '' || taken.has(name) || /\btest(\.serial)?\(/.test(helper)) continue;
      if (!new RegExp(`\\b${name}\\b`).test(text)) continue;
      taken.add(name);
      text += helper;
      grown = true;
    }
  }
  return text;
}

const casesIn = (text: string): string[] =>
  [...text.matchAll(/\(([^()]*\bT\d{3}\b[^()]*)\)/g)].flatMap(([, list = '']) =>
    [...list.matchAll(/\bT(\d{3})(?:-T(\d{3}))?\b/g)].flatMap(([, from, to = from]) =>
      Array.from({ length: Number(to) - Number(from) + 1 }, (_, n) => `T${Number(from) + n}`),
    ),
  );

function testsIn(file: string): Tried[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  const all = declarations(text);
  const starts = [...text.matchAll(/^ *test(?:\.serial)?\(\s*(`[^`]*`|'(?:\\.|[^'])*'|"[^"]*"|title\()/gm)];
  return starts.flatMap((found, n) => {
    const said = found[1] ?? '';
    const body = withHelpers(text.slice(found.index, starts[n + 1]?.index), all);
    // A title that a function makes: each of those that it may be.
    const titles =
      said === 'title('
        ? [...withHelpers('title(', all).matchAll(/`[^`]*\(T\d{3}[^`]*`/g)].map(([one]) => one)
        : [said];
    const before = text.slice(0, found.index);
    const isMariadbOnly =
      /\bMariaDB\b/.test(said) ||
      before.lastIndexOf("\nif (kinds.includes('MariaDB'))") > before.lastIndexOf('\n}\n');
    return titles.map((title): Tried => {
      const perKind = /\$\{kind\}/.test(title);
      const areProcesses = /\bplace\(/.test(body);
      const isOnDatabase = areProcesses || /\b(frontDoor|freshWorld|migratedUrl|freshUrl)\(/.test(body);
      const replicas = [...body.matchAll(/\breplicas: (\d)/g)].map(([, count]) => Number(count));
      const processes = /\.start\(1\b|WORKERS: '2'/.test(body) ? 2 : 1;
      // A front door has two where the test does not say (test/front-door/rig.ts).
      const on = (kind: 'SQLite' | 'MariaDB') => {
        if (!isOnDatabase) return null;
        if (!perKind && (kind === 'MariaDB') !== isMariadbOnly) return null;
        if (areProcesses) return processes;
        if (!/\bfrontDoor\(/.test(body)) return 1;
        return replicas.length > 0 ? Math.max(...replicas) : 2;
      };
      return {
        file,
        title: title
          .slice(1, -1)
          .replace(/^\$\{kind\}: |^(?:SQLite|MariaDB): /, '')
          .replace(/ \(\$\{kind\}\)$/, '')
          .replace(/\$\{[^}]*\}/g, '…'),
        cases: [...new Set(casesIn(said === 'title(' ? title : `${title}${body}`))],
        servers: { SQLite: on('SQLite'), MariaDB: on('MariaDB') },
        areProcesses,
      };
    });
  });
}

export const tried = (): Tried[] => testFiles().flatMap(testsIn);

function row({ file, title, servers, areProcesses }: Tried): string {
  const plain = title
    .replace(/ ?\((?:[A-Z]+ ?\d+[^()]*)\)$/, '')
    .replaceAll('\\', '')
    .replaceAll('|', '\\|');
  const count = (n: number | null) => {
    if (n === null) return '–';
    const many = n === 1 ? 'one' : 'two';
    return areProcesses ? `${many} process${n === 1 ? '' : 'es'}` : many;
  };
  return `| [${plain}](../${file}) | ${count(servers.SQLite)} | ${count(servers.MariaDB)} |`;
}

export function page(all: readonly Tried[]): string {
  const parts = Object.entries(groups).map(([group, cases]) => {
    const lists = Object.entries(cases).map(([id, what]) => {
      const rows = all.filter((one) => one.cases.includes(id)).map(row);
      const why = alone[id] ? `One server, one database: ${alone[id]}.\n\n` : '';
      return `### ${id}: ${what}\n\n${why}| test | SQLite | MariaDB |\n|---|---|---|\n${rows.join('\n')}\n`;
    });
    return `## ${group}\n\n${lists.join('\n')}`;
  });
  return `# Which test tries what

What a server has to stand, by the numbers that the titles of tests bear, read out of the tests by \`node test/cases.ts\`;
[a test](../test/housekeeping/cases.test.ts) compares. All other cases are found by \`grep -rn T022 test\`.

Under each database stands with how many servers over it a test is made. Where it says no other number, a test through the front door has two, and each
request goes to the one that did not have the last (\`test/front-door/rig.ts\`): nothing can need the same server twice. They are in one process, and share
nothing there that changes ([a test](../test/housekeeping/memory.test.ts) sees to it); "processes" are processes of their own, which are killed, told to end
and started again. Tests in \`test-faults/\` and \`test-upgrade/\` have [commands of their own](../README.md#tests).

${parts.join('\n')}`;
}

if (process.argv[1] === import.meta.filename) {
  const { writeFileSync } = await import('node:fs');
  writeFileSync(path.join(root, 'docs/cases.md'), page(tried()));
}
