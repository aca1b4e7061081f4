import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { projectRoot } from '../config/settings.ts';
import { type Counted, countStatements, listed } from './count-statements.ts';
import { requests } from './journeys.ts';
import { type Contestant, contestant, measured, median, ratios, repeat, signIns } from './measure.ts';
import { configurationFor, makePeople } from './people.ts';
import {
  applyFile,
  type Environment,
  freePort,
  freshMysql,
  sallyportCommand,
  sallyportSettings,
  startServer,
  startTime,
} from './servers.ts';
import { fixed, span, table } from './table.ts';

/**
 * Whole sign-ins and single requests beside bare node-oidc-provider, in one run, in turns: what else the machine does hits all
 * alike, so the ratios of the rounds are what counts (docs/performance.md). Sallyport on MariaDB takes part where TEST_MYSQL_URL
 * names a server.
 */
const number = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);
const rounds = number('BENCH_ROUNDS', 8);
const signInsPerRound = number('BENCH_SIGN_INS', 125);
const browsers = number('BENCH_BROWSERS', 8);
const users = number('BENCH_USERS', 500);
// On a machine that is busy otherwise a round ends early, so that the whole stays below four minutes.
const longestRound = 6_000;
const requestRounds = 5;
const requestSpan = 500;
const showStatements = process.argv.includes('--statements');

const begun = performance.now();
const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-bench-'));
const atEnd: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];

const tidyUp = async () => {
  for (const end of atEnd.splice(0).toReversed()) await end();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void tidyUp().finally(() => process.exit(1)));
}
try {
  await bench();
} finally {
  await tidyUp();
}

async function bench(): Promise<void> {
  const startTimes: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    startTimes.push(await startTime(subdirectory(`start-${round}`)));
  }

  const people = await makePeople(users);
  writeFileSync(path.join(dir, 'people.json'), JSON.stringify(people));
  writeFileSync(path.join(dir, 'apply.json'), configurationFor(people));

  const bare = contestant(
    await startServer('bare node-oidc-provider', [path.join(projectRoot, 'bench/bare-provider.ts')], {
      ISSUER: 'https://bare.bench.test',
      PORT: String(await freePort()),
      PEOPLE_FILE: path.join(dir, 'people.json'),
    }),
    people,
  );
  atEnd.push(bare.server.stop);
  const settings = new Map<Contestant, Environment>();
  for (const [name, databaseUrl] of await databases()) {
    const env = await sallyportSettings(subdirectory(name), databaseUrl);
    await applyFile(path.join(dir, 'apply.json'), env);
    const server = await startServer(name, [sallyportCommand, 'start'], env);
    atEnd.push(server.stop);
    settings.set(contestant(server, people), env);
  }
  const all = [bare, ...settings.keys()];

  for (const one of all) {
    await signIns(one, people.password, { count: browsers * 5, browsers, longest: longestRound });
  }
  const wholeRound = { count: signInsPerRound, browsers, longest: longestRound };
  for (let round = 0; round < rounds; round += 1) {
    for (const one of inTurn(all, round)) {
      await measured(one, one, async () => (await signIns(one, people.password, wholeRound)).length);
    }
  }
  for (const one of all) {
    one.memory = one.server.memory();
    one.signedIn.push(...(await signIns(one, people.password, { ...wholeRound, count: browsers })));
  }
  for (let round = 0; round < requestRounds; round += 1) {
    for (const name of Object.keys(requests)) {
      for (const one of inTurn(all, round)) {
        const into = { rates: one.requestRates[name] ?? [], cpu: one.requestCpu[name] ?? [], mainCpu: [] };
        await measured(one, into, () => repeat(one.signedIn, name, requestSpan));
      }
    }
  }

  const counted = new Map<Contestant, Counted>();
  for (const [one, env] of settings) {
    await one.server.stop();
    counted.set(one, await countStatements(env, people));
  }
  print(all, counted, startTimes);
}

function print(
  all: readonly Contestant[],
  counted: ReadonlyMap<Contestant, Counted>,
  startTimes: number[],
): void {
  const [bare] = all as [Contestant, ...Contestant[]];
  const statementsOf = (one: Contestant): string => {
    const found = counted.get(one);
    return found ? `${found.later} (first ${found.first}), ${found.transactions} tx` : '0';
  };
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.versions.node}`;
  const commit = commitOf(projectRoot);

  console.log(`\nWhole sign-ins: authorization request, password (argon2id, 19 MiB, t=2, p=1), TOTP, token with PKCE.
${machine}, ${commit}; ${browsers} browsers at once, ${users} users, ${rounds} rounds of up to ${signInsPerRound}, in turns.\n`);
  console.log(
    table([
      [
        '',
        'sign-ins/s',
        'of bare',
        'min–max',
        'CPU ms each',
        'main thread',
        'of bare',
        'SQL statements',
        'MiB',
        'after',
      ],
      ...all.map((one) => {
        const beside = ratios(one.rates, bare.rates);
        const cpu = ratios(bare.cpu, one.cpu);
        return [
          one.server.name,
          fixed(median(one.rates), 1),
          fixed(median(beside), 2),
          span(beside),
          fixed(median(one.cpu), 1),
          fixed(median(one.mainCpu), 1),
          fixed(median(cpu), 2),
          statementsOf(one),
          fixed(one.memory, 0),
          String(one.signInsDone),
        ];
      }),
    ]),
  );

  const names = Object.keys(requests);
  console.log('\nSingle requests per second (CPU ms each), and the ratio to bare\n');
  console.log(
    table([
      ['', ...names],
      ...all.flatMap((one) => [
        [
          one.server.name,
          ...names.map(
            (name) =>
              `${fixed(median(one.requestRates[name] ?? []), 0)} (${fixed(median(one.requestCpu[name] ?? []), 2)})`,
          ),
        ],
        ...besideBare(one, bare, names),
        ...statementsRow(counted.get(one), names),
      ]),
    ]),
  );
  const seconds = startTimes.map((ms) => fixed(ms / 1000, 2)).join(', ');
  console.log(`\nnpm start until ready, on nothing: ${seconds} s`);
  console.log(`The bench took ${fixed((performance.now() - begun) / 1000, 0)} s.`);

  if (showStatements) {
    for (const [one, found] of counted) {
      console.log(`\nStatements of one sign-in, ${one.server.name}\n\n${listed(found)}`);
    }
  }
}

function besideBare(one: Contestant, bare: Contestant, names: readonly string[]): string[][] {
  if (one === bare) return [];
  const cells = names.map((name) => ratios(one.requestRates[name] ?? [], bare.requestRates[name] ?? []));
  return [['  of bare', ...cells.map((beside) => fixed(median(beside), 2))]];
}

function statementsRow(found: Counted | undefined, names: readonly string[]): string[][] {
  return found
    ? [['  SQL statements', ...names.map((name) => String(found.requests[name]?.length ?? 0))]]
    : [];
}

async function databases(): Promise<[string, string][]> {
  const found: [string, string][] = [['Sallyport on SQLite', `sqlite:${dir}/sallyport.sqlite`]];
  if (process.env.TEST_MYSQL_URL) {
    const mysql = await freshMysql(process.env.TEST_MYSQL_URL);
    atEnd.push(mysql.drop);
    found.push(['Sallyport on MariaDB', mysql.url]);
  }
  return found;
}

/** Every second round in the other direction, so that nobody always comes after the same one. */
function inTurn(all: readonly Contestant[], round: number): readonly Contestant[] {
  return round % 2 === 0 ? all : all.toReversed();
}

function subdirectory(name: string): string {
  const made = path.join(dir, name.replaceAll(' ', '-'));
  mkdirSync(made);
  return made;
}

function commitOf(root: string): string {
  try {
    const head = readFileSync(path.join(root, '.git/HEAD'), 'utf8').trim();
    const ref = head.startsWith('ref: ')
      ? readFileSync(path.join(root, '.git', head.slice(5)), 'utf8')
      : head;
    return `commit ${ref.trim().slice(0, 7)}`;
  } catch {
    return 'no commit';
  }
}
