import test, { type ExecutionContext } from 'ava';
import { kinds } from '../configuration/fresh-database.ts';
import type { Browser } from '../front-door/browser.ts';
import { acme, passwordStep, secret } from '../front-door/rig.ts';
import { codeNow, type Place, place, sleep, until } from './process-rig.ts';

const people = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${n}`, { totp: secret }]));
const newcomers = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`n${n}`, {}]));
const configuration = acme(
  { requirement: 'required_for_all', graceDays: 0, methods: ['totp'] },
  { ...people, ...newcomers },
);

interface Errand {
  readonly who: string;
  readonly browser: Browser;
  /** The code that it sent last, by which secret. */
  code: string;
  secret: string;
  /** What the person was told, as far as an answer came. */
  told: 'nothing' | 'password' | 'codes' | 'signed in';
  codes: readonly string[];
}

const errand = (at: Place, who: string): Errand => ({
  who,
  browser: at.browser(),
  code: '',
  secret,
  told: 'nothing',
  codes: [],
});

/** One person signs in, or sets up and signs in; it goes as far as the server lives. */
async function goOn(one: Errand, leaveAtCodes: boolean): Promise<void> {
  const { browser, who } = one;
  await passwordStep(browser, who);
  one.told = 'password';
  if (browser.heading === 'Set up two-factor authentication') {
    one.secret = browser.totpSecret;
    one.code = codeNow(one.secret);
    await browser.press('Confirm setup', { code: one.code });
    if (browser.recoveryCodes.length > 0) {
      one.codes = browser.recoveryCodes;
      one.told = 'codes';
      if (leaveAtCodes) return;
      await browser.press('Continue', { saved: '1' });
    }
  } else {
    one.code = codeNow();
    await browser.press('Verify', { code: one.code });
  }
  if (browser.callback?.has('code')) one.told = 'signed in';
}

async function silently(browser: Browser): Promise<string> {
  const tab = browser.copy();
  await tab.authorize({ prompt: 'none' });
  return tab.callback?.has('code') ? 'code' : (tab.callback?.get('error') ?? `${tab.status}`);
}

/** What must hold of a person after the server has died under them and come back. */
async function isConsistent(t: ExecutionContext, at: Place, one: Errand, round: string): Promise<void> {
  const what = `${round}, ${one.who}, who was told: ${one.told}`;
  const state = await silently(one.browser);
  t.is(state, one.told === 'signed in' ? 'code' : 'login_required', what);

  // The code that was sent is used, or the sign-in it was for did not happen: never both.
  const again = at.browser();
  await passwordStep(again, one.who);
  if (one.told === 'codes')
    t.is(again.heading, 'Two-factor authentication', `${what}: what was confirmed is there`);
  if (again.heading === 'Two-factor authentication' && one.code !== '') {
    await again.press('Verify', { code: one.code });
    const accepted = again.callback?.has('code') === true;
    if (one.told === 'codes' || one.told === 'signed in')
      t.false(accepted, `${what}: a code that was used stays used`);
    if (accepted) {
      const tab = one.browser.copy();
      await tab.open(tab.url).catch(() => {});
      t.false(
        tab.callback?.has('code') === true,
        `${what}: the first sign-in does not live on the same code`,
      );
    }
  }
  const rows = await at.look(async (db) => {
    const of = `(SELECT id FROM users WHERE email = '${one.who}@acme.test')`;
    const count = async (table: string) =>
      Number((await db.row<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table} WHERE user_id = ${of}`))?.n);
    return { factors: await count('factors'), codes: await count('recovery_codes') };
  });
  if (one.who.startsWith('n')) {
    t.true(
      (rows.factors === 1 && rows.codes === 8) || (rows.factors === 0 && rows.codes === 0),
      `${what}: a set-up is there as a whole or not at all: ${JSON.stringify(rows)}`,
    );
    if (one.told === 'codes' || one.told === 'signed in') t.is(rows.factors, 1, what);
  }
}

/** Moments are measured in what people were told, since machines differ; a little chance is added. */
const moments: readonly { readonly far: readonly Errand['told'][]; readonly wanted: number }[] = [
  { far: ['password', 'codes', 'signed in'], wanted: 1 },
  { far: ['codes', 'signed in'], wanted: 1 },
  { far: ['codes', 'signed in'], wanted: 3 },
  { far: ['codes', 'signed in'], wanted: 6 },
];

for (const kind of kinds) {
  test.serial(
    `${kind}: killed at any moment under load and started again, it has kept what people were told, and nobody is in who did not finish (T149)`,
    async (t) => {
      const at = await place(t, kind);
      await at.apply(configuration);
      let running = await at.start();
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
        running = await at.start();
        for (const one of errands) {
          seen[one.told] = (seen[one.told] ?? 0) + 1;
          await isConsistent(t, at, one, `round ${round}`);
        }
      }
      t.log(JSON.stringify(seen));
      t.true(
        (seen.codes ?? 0) + (seen['signed in'] ?? 0) > 0 && (seen.password ?? 0) > 0,
        'it died in the middle of things',
      );
    },
  );
}
