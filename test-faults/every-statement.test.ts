import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Kind, kinds } from '../test/configuration/fresh-database.ts';
import type { Browser } from '../test/front-door/browser.ts';
import { acme, secret } from '../test/front-door/rig.ts';
import { type Errand, errand, goOn, isConsistent } from '../test/processes/errands.ts';
import { codeNow, type Place, place, type Running, sleep } from '../test/processes/process-rig.ts';

/** Every statement by default; `FAULTS_EVERY=5` takes each fifth, to have a look. */
const every = Number(process.env.FAULTS_EVERY ?? 1);
const preload = path.resolve(import.meta.dirname, 'fault-at-statement.ts');
const most = 400;

const people = (letter: string, totp: string | null) =>
  Object.fromEntries(Array.from({ length: most }, (_, n) => [`${letter}${n}`, { totp }]));

const isKilled = (fault: string): boolean => fault === 'kill';

/** What is done while the server dies at its n-th statement, and what must hold when it is back. */
interface Journey {
  readonly name: string;
  /** Done before anything dies. */
  prepare(at: Place, n: number): Promise<unknown>;
  run(at: Place, n: number, prepared: never): Promise<void>;
  check(t: ExecutionContext, at: Place, n: number, prepared: never, fault: string): Promise<void>;
  /** It came to its end, nobody having died. */
  isWhole(prepared: never): boolean;
}

const journey = <Prepared>(
  name: string,
  prepare: (at: Place, n: number) => Promise<Prepared>,
  run: (at: Place, n: number, prepared: Prepared) => Promise<void>,
  check: (t: ExecutionContext, at: Place, n: number, prepared: Prepared, fault: string) => Promise<void>,
  isWhole: (prepared: Prepared) => boolean,
): Journey => ({ name, prepare, run, check, isWhole }) as Journey;

interface Refresh {
  readonly first: string;
  answer: Readonly<Record<string, unknown>> | null;
}

const owners = new WeakMap<Place, Browser>();

/** The owner, who has signed in once: a code of an authenticator app works once in half a minute. */
async function ownerOf(at: Place): Promise<Browser> {
  const known = owners.get(at);
  if (known) return known;
  const browser = at.browser();
  for (let tries = 0; tries < 3; tries += 1) {
    await at.look((db) => db.change('DELETE FROM limits'));
    await browser.open('/organizations/acme/members');
    if (browser.heading.startsWith('Members')) break;
    if (browser.buttons.includes('Sign in')) {
      await browser.press('Sign in', {
        email: 'owner@acme.test',
        password: 'correct horse battery staple',
      });
    }
    await browser.press('Verify', { code: codeNow() });
    if (!browser.heading.startsWith('Members')) await sleep(30_000 - (Date.now() % 30_000) + 500);
  }
  if (!browser.heading.startsWith('Members'))
    throw new Error(`the owner is not in: ${browser.status} ${browser.heading}`);
  owners.set(at, browser);
  return browser;
}

const refresh = (at: Place, token: string) =>
  at.post('/token', { grant_type: 'refresh_token', refresh_token: token });

/** The same place, seen from the other server, at which nothing ever happens. */
const fromTheOther = (at: Place): Place => ({
  ...at,
  browser: () => at.browser(1),
  post: (path, fields) => at.post(path, fields, 1),
});

const journeys: readonly Journey[] = [
  journey<Errand>(
    'a sign-in',
    async (at, n) => errand(at, `p${n}`),
    (_at, _n, one) => goOn(one, false),
    (t, at, n, one, fault) => isConsistent(t, at, one, `statement ${n}`, { mayBeIn: !isKilled(fault) }),
    (one) => one.told === 'signed in',
  ),
  journey<Errand>(
    'a set-up',
    async (at, n) => errand(at, `n${n}`),
    (_at, _n, one) => goOn(one, false),
    (t, at, n, one, fault) => isConsistent(t, at, one, `statement ${n}`, { mayBeIn: !isKilled(fault) }),
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
      const owner = { ...errand(at, 'owner'), browser: (await ownerOf(at)).copy() };
      const id = await at.look((db) =>
        db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [`p${n}@acme.test`]),
      );
      const page = `/organizations/acme/members/${id?.id}/reset`;
      await owner.browser.open(page);
      if (!owner.browser.buttons.includes('Reset 2FA')) {
        // What was proved is not fresh enough any more.
        owners.delete(at);
        owner.browser = (await ownerOf(at)).copy();
        await owner.browser.open(page);
      }
      if (!owner.browser.buttons.includes('Reset 2FA')) {
        throw new Error(
          `no page to reset on: ${owner.browser.status} ${owner.browser.heading} ${owner.browser.alert}`,
        );
      }
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

/** The statement may have been one of the server's own, which is noticed later; for two seconds after that the database is left alone. */
async function untilOver(at: Place, { url }: Running): Promise<void> {
  const happened = path.join(at.dir, 'fault.happened');
  if (!existsSync(happened)) return;
  rmSync(happened);
  await sleep(7000);
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await fetch(`${url}/readyz`)).status === 200) return;
    await sleep(100);
  }
  throw new Error('the database answers, and the server is not ready');
}

/** What happens at a statement: the server dies, or the database answers so. `FAULTS=kill,lost` takes some of them. */
const faults: Readonly<Record<Kind, readonly string[]>> = {
  SQLite: ['kill', 'client gone', 'busy', 'full disk', 'broken disk'],
  MariaDB: ['kill', 'client gone', 'deadlock', 'lock wait', 'read-only', 'full disk', 'lost', 'hang'],
};
const chosen = process.env.FAULTS?.split(',');
const title = (kind: Kind, fault: string, name: string): string =>
  fault === 'client gone'
    ? `${kind}: whoever waits for an answer hangs up at any statement of ${name}: it happened wholly or not at all (T149)`
    : isKilled(fault)
      ? `${kind}: killed before any statement of ${name}, the other server goes on with what people were told (T149)`
      : `${kind}: whichever statement of ${name} fails (${fault}), nothing is half done, nobody is in who should not be, and no page is a 500 (T148, T150)`;

for (const kind of kinds) {
  if (chosen?.includes('migrate') ?? true) {
    test(`${kind}: killed before any statement of a migration, the next one goes on with it, and the schema is the same (T153)`, async (t) => {
      const shape = (at: Place) =>
        at.look(async (db) =>
          db.dialect === 'sqlite'
            ? db.rows<{ name: string; sql: string }>(
                "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY name",
              )
            : db.rows(
                `SELECT table_name AS t, column_name AS c, column_type AS y, is_nullable AS n, '' AS i FROM information_schema.columns WHERE table_schema = DATABASE()
                 UNION ALL SELECT table_name, column_name, index_name, non_unique, seq_in_index FROM information_schema.statistics WHERE table_schema = DATABASE()
                 ORDER BY 1, 2, 3, 4, 5`,
              ),
        );
      const whole = await place(t, kind, { empty: true });
      t.is((await whole.sallyport(['migrate'])).code, 0);
      const expected = await shape(whole);
      let killed = 0;
      for (let n = 1; n < 1000; n += Math.max(every, 3)) {
        const at = await place(t, kind, { empty: true });
        const first = await at.sallyport(['migrate'], {
          NODE_OPTIONS: `--import=${preload}`,
          FAULT_KIND: 'kill',
          FAULT_AT: String(n),
        });
        if (first.code === 0) break;
        t.is(first.signal, 'SIGKILL', first.output);
        killed += 1;
        // Whoever died is waited for until what was lent to them ends (test/configuration/schema.test.ts).
        await at.look((db) => db.change('UPDATE migration_lock SET held_until = 0')).catch(() => {});
        const again = await at.sallyport(['migrate']);
        t.is(again.code, 0, `${n}: ${again.output}`);
        t.deepEqual(await shape(at), expected, `statement ${n}`);
      }
      t.log(`killed ${killed} times`);
      t.true(killed > 10);
    });
  }
  for (const fault of faults[kind].filter((one) => chosen?.includes(one) ?? true)) {
    for (const { name, prepare, run, check, isWhole } of journeys) {
      test(title(kind, fault, name), async (t) => {
        const at = await place(t, kind, { empty: true });
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
          FAULT_KIND: fault,
          WORKERS: '1',
        };
        const [first, other] = await Promise.all([at.start(0, env), at.start(1)]);
        let running = first;
        const there = fromTheOther(at);
        let happened = 0;
        let inARow = 0;
        for (let n = 1; n < most; n += every) {
          const prepared = (await prepare(at, n)) as never;
          await arm(at, running, n);
          let isDead = false;
          const work = run(at, n, prepared).then(
            () => sleep(100),
            () => {},
          );
          if (isKilled(fault)) {
            const ended = await Promise.race([
              work.then(() =>
                isWhole(prepared) ? sleep(100).then(() => false) : running.exited.then(() => true),
              ),
              running.exited.then(() => true),
            ]);
            if (ended) isDead = true;
            else await arm(at, running, null);
          } else {
            await work;
            await arm(at, running, null);
            if (fault === 'hang') await untilOver(at, running);
          }
          // Whoever was left alone goes on at the other server.
          const { browser } = prepared as { browser?: Browser };
          if (browser) browser.replica = 1;
          await check(t, there, n, prepared, fault);
          if (isDead) running = await at.start(0, env);
          const whole = isWhole(prepared);
          if (!whole) happened += 1;
          // What is tried again hides a fault or two; at the end nothing is left to fail.
          inARow = whole ? inARow + 1 : 0;
          if (inARow > (isKilled(fault) ? 0 : 12)) break;
        }
        t.log(`${name}, ${fault}: it was stopped ${happened} times`);
        t.notRegex(other.output(), /"level":50/, 'nor at the other server');
        t.notRegex(
          running.output().replaceAll(/.*the outbox cannot be read.*/g, ''),
          /"level":50/,
          'no error was unexpected',
        );
        if (isKilled(fault)) t.true(happened > 0);
      });
    }
  }
}
