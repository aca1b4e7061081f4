import type { ExecutionContext } from 'ava';
import type { Browser } from '../front-door/browser.ts';
import { passwordStep, secret } from '../front-door/rig.ts';
import { codeNow, type Place } from './process-rig.ts';

export interface Errand {
  readonly who: string;
  readonly browser: Browser;
  /** The code that it sent last, by which secret. */
  code: string;
  secret: string;
  /** What the person was told, as far as an answer came. */
  told: 'nothing' | 'password' | 'codes' | 'signed in';
  codes: readonly string[];
}

export const errand = (at: Place, who: string): Errand => ({
  who,
  browser: at.browser(),
  code: '',
  secret,
  told: 'nothing',
  codes: [],
});

/** One person signs in, or sets up and signs in; it goes as far as the server lives. */
export async function goOn(one: Errand, leaveAtCodes: boolean): Promise<void> {
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

export async function silently(browser: Browser): Promise<string> {
  const tab = browser.copy();
  await tab.authorize({ prompt: 'none' });
  return tab.callback?.has('code') ? 'code' : (tab.callback?.get('error') ?? `${tab.status}`);
}

/** What must hold of a person after the server has died under them and come back. */
export async function isConsistent(
  t: ExecutionContext,
  at: Place,
  one: Errand,
  round: string,
  /** The server lives on: it may have let somebody in who was then told of an error. */
  options: { mayBeIn?: boolean } = {},
): Promise<void> {
  const what = `${round}, ${one.who}, who was told: ${one.told}`;
  const state = await silently(one.browser);
  const isIn = one.told === 'signed in' || (options.mayBeIn === true && state === 'code');
  t.is(state, isIn ? 'code' : 'login_required', what);

  // The code that was sent is used, or the sign-in it was for did not happen: never both.
  const again = at.browser(one.browser.replica);
  await passwordStep(again, one.who);
  if (one.told === 'codes')
    t.is(again.heading, 'Two-factor authentication', `${what}: what was confirmed is there`);
  if (again.heading === 'Two-factor authentication' && one.code !== '') {
    await again.press('Verify', { code: one.code });
    const accepted = again.callback?.has('code') === true;
    if (one.told === 'codes' || isIn) t.false(accepted, `${what}: a code that was used stays used`);
    if (accepted) {
      const tab = one.browser.copy();
      await tab.open(tab.url).catch(() => {});
      t.false(
        tab.callback?.has('code') === true,
        `${what}: the first sign-in does not live on the same code`,
      );
    }
  }
  // In one question: what the server sent before it died may be written at any moment.
  const of = `(SELECT id FROM users WHERE email = '${one.who}@acme.test')`;
  const found = await at.look((db) =>
    db.row<{ factors: number; codes: number }>(
      `SELECT (SELECT COUNT(*) FROM factors WHERE user_id = ${of}) AS factors, (SELECT COUNT(*) FROM recovery_codes WHERE user_id = ${of}) AS codes`,
    ),
  );
  const rows = { factors: Number(found?.factors), codes: Number(found?.codes) };
  if (one.who.startsWith('n')) {
    t.true(
      (rows.factors === 1 && rows.codes === 8) || (rows.factors === 0 && rows.codes === 0),
      `${what}: a set-up is there as a whole or not at all: ${JSON.stringify(rows)}`,
    );
    if (one.told === 'codes' || isIn) t.is(rows.factors, 1, what);
  }
}
