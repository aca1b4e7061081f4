import { requests, type SignedIn, signIn } from './journeys.ts';
import { createTurns, type People } from './people.ts';
import type { Running } from './servers.ts';

/** One server in the bench, and what was measured of it, a number per round. */
export interface Contestant {
  readonly server: Running;
  readonly nextPerson: ReturnType<typeof createTurns>;
  readonly rates: number[];
  readonly cpu: number[];
  readonly mainCpu: number[];
  readonly requestRates: Record<string, number[]>;
  readonly requestCpu: Record<string, number[]>;
  readonly signedIn: SignedIn[];
  memory: number;
  signInsDone: number;
}

export const contestant = (server: Running, people: People): Contestant => ({
  server,
  // The last one is kept for counting the statements of a first sign-in.
  nextPerson: createTurns(people.list.slice(0, -1)),
  rates: [],
  cpu: [],
  mainCpu: [],
  requestRates: Object.fromEntries(Object.keys(requests).map((name) => [name, []])),
  requestCpu: Object.fromEntries(Object.keys(requests).map((name) => [name, []])),
  signedIn: [],
  memory: 0,
  signInsDone: 0,
});

export interface Round {
  readonly count: number;
  readonly browsers: number;
  /** Milliseconds after which no further one begins. */
  readonly longest: number;
}

/** So many whole sign-ins, by so many browsers at once, as there is time for. */
export async function signIns(one: Contestant, password: string, round: Round): Promise<SignedIn[]> {
  const done: SignedIn[] = [];
  const end = performance.now() + round.longest;
  let begun = 0;
  const browse = async () => {
    while (begun < round.count && performance.now() < end) {
      begun += 1;
      const turn = await one.nextPerson();
      done.push(await signIn(one.server.address, { ...turn, password }));
    }
  };
  await Promise.all(Array.from({ length: round.browsers }, browse));
  one.signInsDone += done.length;
  return done;
}

/** Runs the work and notes how often per second, and at what cost in processor time of the server, it was done. */
export async function measured(
  { server }: Contestant,
  into: { rates: number[]; cpu: number[]; mainCpu: number[] },
  work: () => Promise<number>,
): Promise<void> {
  const cpuBefore = server.cpu();
  const mainCpuBefore = server.mainCpu();
  const begun = performance.now();
  const count = await work();
  into.rates.push((count * 1000) / (performance.now() - begun));
  into.cpu.push((server.cpu() - cpuBefore) / count);
  into.mainCpu.push((server.mainCpu() - mainCpuBefore) / count);
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

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Each round against the same round of the other: what the machine did meanwhile was done to both. */
export const ratios = (mine: readonly number[], other: readonly number[]): number[] =>
  mine.map((rate, round) => rate / (other[round] ?? Number.NaN));
