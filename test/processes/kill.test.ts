import test from 'ava';
import { kinds } from '../configuration/fresh-database.ts';
import { acme, secret } from '../front-door/rig.ts';
import { type Errand, errand, goOn, isConsistent } from './errands.ts';
import { place, sleep, until } from './process-rig.ts';

const people = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${n}`, { totp: secret }]));
const newcomers = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`n${n}`, {}]));
const configuration = acme(
  { requirement: 'required_for_all', graceDays: 0, methods: ['totp'] },
  { ...people, ...newcomers },
);

/** Moments are measured in what people were told, since machines differ; a little chance is added. */
const moments: readonly { readonly far: readonly Errand['told'][]; readonly wanted: number }[] = [
  { far: ['password', 'codes', 'signed in'], wanted: 1 },
  { far: ['codes', 'signed in'], wanted: 1 },
  { far: ['codes', 'signed in'], wanted: 3 },
  { far: ['codes', 'signed in'], wanted: 6 },
];

for (const kind of kinds) {
  test.serial(
    `${kind}: killed at any moment under load, the other server goes on with what people were told, and nobody is in who did not finish (T149)`,
    async (t) => {
      const at = await place(t, kind);
      await at.apply(configuration);
      const [first, other] = await Promise.all([at.start(0), at.start(1)]);
      let running = first;
      const seen: Record<string, number> = {};
      for (const [round, { far, wanted }] of moments.entries()) {
        const errands = Array.from({ length: 6 }, (_, n) =>
          errand(at, `${n % 2 ? 'p' : 'n'}${round * 6 + n}`),
        );
        const began = performance.now();
        const work = Promise.allSettled(errands.map((one, n) => goOn(one, n % 4 === 0)));
        await until(async () => errands.filter(({ told }) => far.includes(told)).length >= wanted, 20_000);
        await sleep(Math.random() * Math.min(150, (performance.now() - began) / 4));
        await running.kill();
        await work;
        for (const one of errands) {
          seen[one.told] = (seen[one.told] ?? 0) + 1;
          one.browser.replica = 1;
          await isConsistent(t, at, one, `round ${round}`);
        }
        if (round + 1 < moments.length) running = await at.start(0);
      }
      t.notRegex(other.output(), /"level":50/);
      t.log(JSON.stringify(seen));
      t.true(
        (seen.codes ?? 0) + (seen['signed in'] ?? 0) > 0 && (seen.password ?? 0) > 0,
        'it died in the middle of things',
      );
    },
  );
}
