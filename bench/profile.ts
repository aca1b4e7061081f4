import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectRoot } from '../config/settings.ts';
import { contestant, signIns } from './measure.ts';
import { configurationFor, makePeople } from './people.ts';
import { applyFile, freshMysql, sallyportCommand, sallyportSettings, startServer } from './servers.ts';
import { fixed, table } from './table.ts';

/**
 * Where the main thread of Sallyport spends its time during whole sign-ins: `node bench/profile.ts [--mysql] [file to keep]`.
 * On SQLite, or in a new database on the server of TEST_MYSQL_URL. Hashing and signing run in other threads and are not in here.
 */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  readonly startTime: number;
  readonly endTime: number;
}

const count = Number(process.env.BENCH_SIGN_INS ?? 300);
const browsers = 8;
const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-profile-'));
const onMysql = process.argv.includes('--mysql');
const mysql = onMysql ? await freshMysql(process.env.TEST_MYSQL_URL ?? '') : null;
try {
  await profile(mysql?.url ?? `sqlite:${dir}/profile.sqlite`);
} finally {
  await mysql?.drop();
  rmSync(dir, { recursive: true, force: true });
}

async function profile(databaseUrl: string): Promise<void> {
  const people = await makePeople(count + 200);
  const file = path.join(dir, 'apply.json');
  writeFileSync(file, configurationFor(people));
  const env = await sallyportSettings(dir, databaseUrl);
  await applyFile(file, env);
  const into = path.join(dir, 'profiles');
  mkdirSync(into);
  const flags = ['--cpu-prof', '--cpu-prof-interval', '250', '--cpu-prof-dir', into];
  const server = await startServer('Sallyport', [...flags, sallyportCommand, 'start'], env);
  const one = contestant(server, people);
  await signIns(one, people.password, { count: 200, browsers, longest: 60_000 });
  const cpu = server.cpu();
  const mainCpu = server.mainCpu();
  const begun = performance.now();
  await signIns(one, people.password, { count, browsers, longest: 120_000 });
  const ended = performance.now();
  const cpuEach = (server.cpu() - cpu) / count;
  const mainCpuEach = (server.mainCpu() - mainCpu) / count;
  await server.stop();
  const exited = performance.now();

  const [name = ''] = readdirSync(into);
  const text = readFileSync(path.join(into, name), 'utf8');
  const keep = process.argv.slice(2).find((argument) => !argument.startsWith('--'));
  if (keep) writeFileSync(keep, text);
  const found = JSON.parse(text) as Profile;
  const spent = spentBetween(
    found,
    found.endTime - (exited - begun) * 1000,
    found.endTime - (exited - ended) * 1000,
  );
  console.log(`${count} sign-ins; ${fixed(cpuEach, 1)} ms of processor time each, all threads.`);
  console.log(`Main thread: ${fixed(mainCpuEach, 2)} ms of them.\n`);
  // Samples are of the clock, which also runs while others have the processor: only their shares count.
  const sampled = [...spent.byPackage.values()].reduce((sum, ms) => sum + ms, 0);
  const scale = mainCpuEach / sampled;
  print('By package or folder (self)', spent.byPackage, scale, 25);
  print('By function (self)', spent.byFunction, scale, 45);
  print('By function (with what it calls)', spent.inclusive, scale, 120);
}

function print(title: string, spent: ReadonlyMap<string, number>, scale: number, most: number): void {
  const rows = [...spent].toSorted(([, a], [, b]) => b - a).slice(0, most);
  console.log(`${title}, ms per sign-in\n${table(rows.map(([name, ms]) => [name, fixed(ms * scale, 3)]))}\n`);
}

function spentBetween({ nodes, samples, timeDeltas, startTime }: Profile, from: number, to: number) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const byPackage = new Map<string, number>();
  const byFunction = new Map<string, number>();
  const inclusive = new Map<string, number>();
  let at = startTime;
  samples.forEach((sample, index) => {
    at += timeDeltas[index] ?? 0;
    const node = byId.get(sample);
    // A sample stands for the time until the next one.
    const ms = (timeDeltas[index + 1] ?? 0) / 1000;
    if (!node || at < from || at > to) return;
    if (['(idle)', '(program)', '(root)'].includes(node.callFrame.functionName)) {
      add(byPackage, node.callFrame.functionName === '(program)' ? '(program)' : null, ms);
      return;
    }
    add(byPackage, packageOf(node.callFrame), ms);
    add(byFunction, nameOf(node.callFrame), ms);
    const seen = new Set<string>();
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const frame = byId.get(id)?.callFrame;
      if (frame) seen.add(nameOf(frame));
    }
    for (const name of seen) add(inclusive, name, ms);
  });
  inclusive.delete('(root)');
  return { byPackage, byFunction, inclusive };
}

type Frame = Profile['nodes'][number]['callFrame'];

function placeOf({ url }: Frame): string {
  const file = url.startsWith('file:') ? path.relative(projectRoot, fileURLToPath(url)) : url;
  return file.replace(/^node_modules\//, '');
}

function packageOf(frame: Frame): string {
  const place = placeOf(frame);
  if (place === '') return frame.functionName === '(garbage collector)' ? '(garbage collector)' : '(native)';
  if (place.startsWith('node:')) return place;
  const [first = '', second = ''] = place.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

function nameOf(frame: Frame): string {
  const line = frame.url === '' ? '' : `:${frame.lineNumber + 1}`;
  return `${frame.functionName || '(anonymous)'} ${placeOf(frame)}${line}`.trim();
}

function add(to: Map<string, number>, name: string | null, ms: number): void {
  if (name !== null) to.set(name, (to.get(name) ?? 0) + ms);
}
