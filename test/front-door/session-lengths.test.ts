import test from 'ava';
import { minutes } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { acme, type FrontDoor, frontDoor, kinds, password, passwordStep, redeem } from './rig.ts';

const lengths = (idleMinutes: number, absoluteMinutes: number, offlineDays = 14) => ({
  sessions: { idleMinutes, absoluteMinutes, offlineDays },
});
const zeta = { slug: 'zeta', name: 'Zeta Yards', policy: { methods: ['totp'], ...lengths(480, 60, 1) } };
const both = { memberships: [{ organization: 'acme' }, { organization: 'zeta' }] };

async function signedIn(door: FrontDoor, who: string): Promise<Browser> {
  const browser = door.browser();
  await passwordStep(browser, who);
  if (!browser.callback?.has('code')) throw new Error(`${browser.status} ${browser.heading}`);
  return browser;
}

/** What a silent request answers now; it is use of the session too. */
async function silently(browser: Browser): Promise<string> {
  await browser.authorize({ prompt: 'none' });
  return browser.callback?.has('code') ? 'code' : (browser.callback?.get('error') ?? `${browser.status}`);
}

for (const kind of kinds) {
  test(`${kind}: a sign-in ends when the strictest organization of its person says so, unused or in all, wherever it is used`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: {
        ...acme(
          lengths(30, 240),
          { ada: { role: 'owner' }, tom: { extra: both }, uma: { extra: { memberships: [] } } },
          {
            organizations: [zeta],
          },
        ),
        instance: { policy: lengths(20, 120) },
      },
    });
    // Minutes that pass before each look, and what the last one finds; every look before it finds the person signed in.
    const cases: readonly [who: string, passing: readonly number[], last: string][] = [
      ['ada', [29, 29, 29], 'code'],
      ['ada', [31], 'login_required'],
      ['ada', [...Array<number>(9).fill(26), 7], 'login_required'],
      ['tom', [29, 29], 'code'],
      ['tom', [31], 'login_required'],
      ['tom', [29, 29, 3], 'login_required'],
      ['uma', [19, 19, 19], 'code'],
      ['uma', [21], 'login_required'],
      ['uma', [19, 19, 19, 19, 19, 19, 7], 'login_required'],
    ];
    for (const [who, passing, last] of cases) {
      const browser = await signedIn(door, who);
      for (const [index, n] of passing.entries()) {
        door.clock.forward(minutes(n));
        const wanted = index === passing.length - 1 ? last : 'code';
        t.is(
          await silently(browser),
          wanted,
          `${who} after ${passing.slice(0, index + 1).join(' + ')} minutes`,
        );
      }
    }
    // Reading a page of one's own is use as well, and the page itself is behind the same question.
    const ada = door.browser();
    await ada.open('/account');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    for (const n of [25, 25]) {
      door.clock.forward(minutes(n));
      await ada.open('/account/organizations');
      t.is(ada.heading, 'Organizations');
    }
    t.regex(ada.text, /30 minutes without use, 4 hours in all/);
    door.clock.forward(minutes(31));
    await ada.open('/account/organizations');
    t.is(ada.heading, 'Sign in');
  });

  test(`${kind}: lengths that are made shorter hold for whoever is signed in already, for their refresh tokens and for applications that stay connected`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { tom: { extra: both } },
        { organizations: [{ ...zeta, policy: { methods: ['totp'] } }] },
      ),
    });
    const refresh = async (token: unknown) =>
      (await door.post('/token', { grant_type: 'refresh_token', refresh_token: String(token) })).body;
    const begin = async (params: Readonly<Record<string, string>> = {}) => {
      const browser = door.browser();
      await browser.authorize(params);
      await browser.press('Sign in', { email: 'tom@acme.test', password });
      const { body } = await redeem(door, browser);
      return { browser, token: body.refresh_token };
    };
    const offline = { scope: 'openid offline_access', prompt: 'consent' };
    const bound = await begin();
    const connected = await begin(offline);
    door.clock.forward(minutes(61));
    t.is(await silently(bound.browser.copy()), 'code');
    const first = (await refresh(connected.token)).refresh_token;
    t.truthy(first);

    await door.apply({ organizations: [{ slug: 'zeta', policy: lengths(480, 60, 1) }] });
    t.is((await refresh(bound.token)).error, 'invalid_grant', 'with the sign-in its refresh token ends');
    t.is(await silently(bound.browser), 'login_required');
    const second = (await refresh(first)).refresh_token;
    t.truthy(second, 'an application that may stay connected stays so for a day');
    door.clock.forward(minutes(24 * 60 - 61));
    t.is((await refresh(second)).error, 'invalid_grant', 'and no longer');

    await door.apply({ organizations: [{ slug: 'zeta', policy: lengths(480, 60, 0) }] });
    const short = await begin(offline);
    door.clock.forward(minutes(59));
    const kept = (await refresh(short.token)).refresh_token;
    t.truthy(kept);
    door.clock.forward(minutes(1));
    t.is((await refresh(kept)).error, 'invalid_grant', 'with 0 days no application outlives the sign-in');
  });
}
