import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { fill } from './fill.ts';
import { requests, signIn } from './journeys.ts';
import { type Contestant, contestant, measured, median, ratios, repeat, signIns } from './measure.ts';
import { configurationFor, makePeople, type People } from './people.ts';
import { applyFile, freshMysql, sallyportCommand, sallyportSettings, startServer } from './servers.ts';
import { fixed, span, table } from './table.ts';

/**
 * The same sign-ins and requests with few and with many people and live sessions in the tables, in one run, in turns: how much a full
 * database costs. `BENCH_SIZES` is how many there are, the first one being what the others are compared with. MariaDB takes part where
 * TEST_MYSQL_URL names a server. Ends with 1 where anything takes more than 1.2 times as long.
 */
const sizes = (process.env.BENCH_SIZES ?? '1000,100000,1000000').split(',').map(Number);
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const signInsPerRound = Number(process.env.BENCH_SIGN_INS ?? 40);
const wanted = process.env.BENCH_DATABASES?.split(',') ?? ['SQLite', 'MariaDB'];
const browsers = 4;
const requestSpan = 400;
/** Those who sign in are real; they are the same in each size. */
const real = 400;
const flat = 1.2;
const names = Object.keys(requests).filter((name) => name !== 'discovery');

interface Sized {
  readonly size: number;
  readonly one: Contestant;
  readonly bytes: number;
  readonly filledIn: number;
  /** Wall time of one, a number per round, by what is done. */
  readonly times: Record<string, number[]>;
}

const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-size-'));
const atEnd: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
const tidyUp = async () => {
  for (const end of atEnd.splice(0).toReversed()) await end();
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void tidyUp().finally(() => process.exit(1)));
}
let isFlat = true;
try {
  const people = await makePeople(real);
  writeFileSync(path.join(dir, 'apply.json'), configurationFor(people));
  console.log(
    `${cpus().length} × ${cpus()[0]?.model}, Node ${process.versions.node}; ${rounds} rounds in turns, ${browsers} browsers at once`,
  );
  if (wanted.includes('SQLite')) await compare('SQLite', people);
  if (process.env.TEST_MYSQL_URL && wanted.includes('MariaDB')) await compare('MariaDB', people);
} finally {
  await tidyUp();
}
process.exit(isFlat ? 0 : 1);

async function compare(database: string, people: People): Promise<void> {
  const all: Sized[] = [];
  const ends: (() => unknown)[] = [];
  const end = async () => {
    for (const one of ends.splice(0).toReversed()) await one();
  };
  atEnd.push(end);
  for (const size of sizes) {
    const place = path.join(dir, `${database}-${size}`);
    mkdirSync(place);
    let databaseUrl = `sqlite:${place}/sallyport.sqlite`;
    if (database === 'MariaDB') {
      const mysql = await freshMysql(process.env.TEST_MYSQL_URL ?? '');
      ends.push(mysql.drop);
      databaseUrl = mysql.url;
    }
    const env = { ...(await sallyportSettings(place, databaseUrl)), METRICS_TOKEN: 'of-the-size-bench' };
    await applyFile(path.join(dir, 'apply.json'), env);
    // One of them signs in, and everybody else is made after them.
    const first = await startServer(`${database} ${size}`, [sallyportCommand, 'start'], env);
    const person = people.list.at(-1);
    if (!person) throw new Error('there is nobody');
    await signIn(first.address, {
      person,
      step: Math.floor(Date.now() / 30_000),
      password: people.password,
    });
    await first.stop();
    const begun = performance.now();
    const bytes = await fill(databaseUrl, person.email, Math.max(0, size - real));
    const filledIn = performance.now() - begun;
    console.log(
      `${database}: ${size} people and sessions, ${fixed(bytes / 2 ** 20, 0)} MiB, filled in ${fixed(filledIn / 1000, 0)} s`,
    );
    const server = await startServer(`${database} ${size}`, [sallyportCommand, 'start'], env);
    ends.push(server.stop);
    all.push({
      size,
      one: contestant(server, people),
      bytes,
      filledIn,
      times: Object.fromEntries(['sign-in', ...names].map((name) => [name, []])),
    });
  }

  for (const { one } of all) {
    one.signedIn.push(
      ...(await signIns(one, people.password, { count: browsers * 3, browsers, longest: 20_000 })).slice(
        0,
        browsers,
      ),
    );
    for (const name of names) await repeat(one.signedIn, name, requestSpan);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const sized of round % 2 === 0 ? all : all.toReversed()) {
      const { one, times } = sized;
      await measured(one, one, async () => {
        const done = await signIns(one, people.password, {
          count: signInsPerRound,
          browsers,
          longest: 30_000,
        });
        return done.length;
      });
      times['sign-in']?.push((browsers * 1000) / (one.rates.at(-1) ?? Number.NaN));
      for (const name of names) {
        const into = { rates: one.requestRates[name] ?? [], cpu: one.requestCpu[name] ?? [], mainCpu: [] };
        await measured(one, into, () => repeat(one.signedIn, name, requestSpan));
        times[name]?.push((browsers * 1000) / (into.rates.at(-1) ?? Number.NaN));
      }
    }
  }
  print(database, all);
  await end();
}

function print(database: string, all: readonly Sized[]): void {
  const [least] = all;
  if (!least) return;
  const columns = ['sign-in', ...names];
  console.log(
    `\n${database}: milliseconds with ${browsers} at once, and how many times that of ${least.size} people (median, min–max)\n`,
  );
  console.log(
    table([
      ['people and sessions', ...columns, 'MiB of the server', 'MiB on disk', 'bytes each'],
      ...all.map((sized) => [
        String(sized.size),
        ...columns.map((name) => {
          const mine = sized.times[name] ?? [];
          const beside = ratios(mine, least.times[name] ?? []);
          if (sized === least) return fixed(median(mine), 1);
          if (median(beside) > flat) isFlat = false;
          return `${fixed(median(mine), 1)} ×${fixed(median(beside), 2)} (${span(beside)})`;
        }),
        fixed(sized.one.server.memory(), 0),
        fixed(sized.bytes / 2 ** 20, 0),
        sized === least ? '' : fixed((sized.bytes - least.bytes) / (sized.size - least.size), 0),
      ]),
    ]),
  );
  console.log('\nProcessor time of the server for each, in milliseconds\n');
  console.log(
    table([
      ['people and sessions', ...columns],
      ...all.map((sized) => [
        String(sized.size),
        ...columns.map((name) => {
          const cpuOf = ({ one }: Sized) => (name === 'sign-in' ? one.cpu : (one.requestCpu[name] ?? []));
          const beside = ratios(cpuOf(sized), cpuOf(least));
          const own = fixed(median(cpuOf(sized)), 2);
          return sized === least ? own : `${own} ×${fixed(median(beside), 2)}`;
        }),
      ]),
    ]),
  );
}
