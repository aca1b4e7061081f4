import { requests, type SignedIn, signIn } from './journeys.ts';
import { createTurns, type People } from './people.ts';
import type { Running } from './servers.ts';

/** One server in the bench, and what was measured of it, a number per round. */
export interface Contestant {
  readonly server: Running;
  readonly nextPerson: ReturnType<typeof createTurns>;
  readonly rates: number[];
  readonly cpu: number[];
  readonly requestRates: Record<string, number[]>;
  readonly requestCpu: Record<string, number[]>;
  readonly signedIn: SignedIn[];
  memory: number;
}

export const contestant = (server: Running, people: People): Contestant => ({
  server,
  nextPerson: createTurns(people.list),
  rates: [],
  cpu: [],
  requestRates: Object.fromEntries(Object.keys(requests).map((name) => [name, []])),
  requestCpu: Object.fromEntries(Object.keys(requests).map((name) => [name, []])),
  signedIn: [],
  memory: 0,
});

/** So many whole sign-ins by so many browsers at once. */
export async function signIns(
  one: Contestant,
  password: string,
  count: number,
  browsers: number,
): Promise<SignedIn[]> {
  const done: SignedIn[] = [];
  let begun = 0;
  await together(browsers, async () => {
    while (begun < count) {
      begun += 1;
      const turn = await one.nextPerson();
      done.push(await signIn(one.server.address, { ...turn, password }));
    }
  });
  return done;
}

/** Runs the work and notes how often per second, and at what cost in processor time of the server, it was done. */
export async function measured(
  { server }: Contestant,
  into: { rates: number[]; cpu: number[] },
  work: () => Promise<number>,
): Promise<void> {
  const cpuBefore = server.cpu();
  const begun = performance.now();
  const count = await work();
  into.rates.push((count * 1000) / (performance.now() - begun));
  into.cpu.push((server.cpu() - cpuBefore) / count);
}

/** One kind of request again and again by all who are signed in, for so many milliseconds; how many it were. */
export async function repeat(people: readonly SignedIn[], name: string, span: number): Promise<number> {
  const ask = requests[name];
  if (!ask) throw new Error(`no request is called ${name}`);
  const end = performance.now() + span;
  let count = 0;
  await Promise.all(
    people.map(async (person) => {
      while (performance.now() < end) {
        await ask(person);
        count += 1;
      }
    }),
  );
  return count;
}

async function together(browsers: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: browsers }, work));
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Each round against the same round of the other: what the machine did meanwhile was done to both. */
export const ratios = (mine: readonly number[], other: readonly number[]): number[] =>
  mine.map((rate, round) => rate / (other[round] ?? Number.NaN));
