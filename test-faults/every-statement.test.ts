import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { kinds } from '../test/configuration/fresh-database.ts';
import { acme, secret } from '../test/front-door/rig.ts';
import { type Errand, errand, goOn, isConsistent } from '../test/processes/errands.ts';
import { codeNow, type Place, place, type Running, sleep } from '../test/processes/process-rig.ts';

/** Every statement by default; `FAULTS_EVERY=5` takes each fifth, to have a look. */
const every = Number(process.env.FAULTS_EVERY ?? 1);
const preload = path.resolve(import.meta.dirname, 'fault-at-statement.ts');
const most = 400;

const people = (letter: string, totp: string | null) =>
  Object.fromEntries(Array.from({ length: most }, (_, n) => [`${letter}${n}`, { totp }]));

/** What is done while the server dies at its n-th statement, and what must hold when it is back. */
interface Journey {
  readonly name: string;
  /** Done before anything dies. */
  prepare(at: Place, n: number): Promise<unknown>;
  run(at: Place, n: number, prepared: never): Promise<void>;
  check(t: ExecutionContext, at: Place, n: number, prepared: never): Promise<void>;
  /** It came to its end, nobody having died. */
  isWhole(prepared: never): boolean;
}

const journey = <Prepared>(
  name: string,
  prepare: (at: Place, n: number) => Promise<Prepared>,
  run: (at: Place, n: number, prepared: Prepared) => Promise<void>,
  check: (t: ExecutionContext, at: Place, n: number, prepared: Prepared) => Promise<void>,
  isWhole: (prepared: Prepared) => boolean,
): Journey => ({ name, prepare, run, check, isWhole }) as Journey;

interface Refresh {
  readonly first: string;
  answer: Readonly<Record<string, unknown>> | null;
}

const refresh = (at: Place, token: string) =>
  at.post('/token', { grant_type: 'refresh_token', refresh_token: token });

const journeys: readonly Journey[] = [
  journey<Errand>(
    'a sign-in',
    async (at, n) => errand(at, `p${n}`),
    (_at, _n, one) => goOn(one, false),
    (t, at, n, one) => isConsistent(t, at, one, `statement ${n}`),
    (one) => one.told === 'signed in',
  ),
  journey<Errand>(
    'a set-up',
    async (at, n) => errand(at, `n${n}`),
    (_at, _n, one) => goOn(one, false),
    (t, at, n, one) => isConsistent(t, at, one, `statement ${n}`),
    (one) => one.told === 'signed in',
  ),
  journey<Refresh>(
    'a refresh',
    async (at, n) => {
      const one = errand(at, `r${n}`);
      await goOn(one, false);
      const { body } = await at.redeem(one.browser);
      return { first: String(body.refresh_token), answer: null };
    },
    async (at, _n, one) => {
      const { status, body } = await refresh(at, one.first);
      if (status === 200) one.answer = body;
    },
    async (t, at, n, one) => {
      const what = `statement ${n}`;
      if (one.answer) {
        t.is(
          (await refresh(at, String(one.answer.refresh_token))).status,
          200,
          `${what}: what was given works`,
        );
        return;
      }
      // Nobody was told of a successor: either the first still works, once, or the family is closed.
      const again = await refresh(at, one.first);
      t.true([200, 400].includes(again.status), `${what}: ${again.status}`);
      t.is((await refresh(at, one.first)).status, 400, `${what}: the first works once at most`);
    },
    ({ answer }) => answer !== null,
  ),
  journey<Errand>(
    'a reset',
    async (at, n) => {
      const owner = errand(at, 'owner');
      await at.look((db) => db.change('DELETE FROM limits'));
      await sleep(30_000 - (Date.now() % 30_000) > 5_000 ? 0 : 6_000);
      await owner.browser.open('/organizations/acme/members');
      await owner.browser.press('Sign in', {
        email: 'owner@acme.test',
        password: 'correct horse battery staple',
      });
      await owner.browser.press('Verify', { code: codeNow() }).catch(() => {});
      const id = await at.look((db) =>
        db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [`p${n}@acme.test`]),
      );
      await owner.browser.open(`/organizations/acme/members/${id?.id}/reset`);
      return owner;
    },
    async (_at, _n, owner) => {
      await owner.browser.press('Reset 2FA', {
        form: 'now',
        identityCheck: 'phone_call',
        reason: 'lost the phone, called back on the known number',
      });
      if (owner.browser.status === 200) owner.told = 'codes';
    },
    async (t, at, n, owner) => {
      const what = `statement ${n}`;
      const of = `(SELECT id FROM users WHERE email = 'p${n}@acme.test')`;
      const state = await at.look(async (db) => {
        const count = async (from: string) =>
          Number((await db.row<{ n: number }>(`SELECT COUNT(*) AS n FROM ${from}`))?.n);
        return {
          factors: await count(`factors WHERE user_id = ${of}`),
          events: await count(`audit_events WHERE type = 'two_factor.reset' AND user_id = ${of}`),
        };
      });
      const isDone = state.factors === 0;
      t.is(state.events, isDone ? 1 : 0, `${what}: the factor is gone exactly where the log says so`);
      if (owner.told === 'codes') t.true(isDone, `${what}: who was told that it is done finds it done`);
    },
    (owner) => owner.told === 'codes',
  ),
];

async function arm(at: Place, running: Running, n: number | null): Promise<void> {
  const file = path.join(at.dir, 'fault');
  if (n === null) rmSync(file, { force: true });
  else writeFileSync(file, String(n));
  running.signal('SIGUSR2');
  await sleep(50);
}

for (const kind of kinds) {
  for (const { name, prepare, run, check, isWhole } of journeys) {
    test(`${kind}: killed before any statement of ${name}, the server comes back to what people were told (T149)`, async (t) => {
      const at = await place(t, kind);
      await at.apply(
        acme({ requirement: 'required_for_all', graceDays: 0, methods: ['totp'] }, {
          ...people('p', secret),
          ...people('n', null),
          ...people('r', secret),
          owner: { role: 'owner', totp: secret },
        } as never),
      );
      const env = {
        NODE_OPTIONS: `--import=${preload}`,
        FAULT_FILE: path.join(at.dir, 'fault'),
        WORKERS: '1',
      };
      let running = await at.start(0, env);
      let died = 0;
      for (let n = 1; n < most; n += every) {
        const prepared = (await prepare(at, n)) as never;
        await arm(at, running, n);
        const gone = running.exited.then(() => true);
        const ended = await Promise.race([
          run(at, n, prepared).then(
            () => sleep(100).then(() => false),
            () => gone,
          ),
          gone,
        ]);
        if (ended) {
          died += 1;
          running = await at.start(0, env);
        } else {
          await arm(at, running, null);
        }
        await check(t, at, n, prepared);
        if (!ended) {
          t.true(isWhole(prepared), 'the last one came to its end');
          break;
        }
      }
      t.log(`${name}: it died ${died} times`);
      t.true(died > 0);
    });
  }
}
