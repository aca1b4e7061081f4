import test, { type ExecutionContext } from 'ava';
import { minutes, seconds } from '../../lib/clock.ts';
import { Approver } from '../factors/approver.ts';
import type { Browser } from './browser.ts';
import { count, events, mails, userId, withoutSession } from './evidence.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  type Kind,
  kinds,
  password,
  passwordStep,
  redeem,
} from './rig.ts';

const challengePage = 'Two-factor authentication';
const required = {
  requirement: 'required_for_all',
  graceDays: 0,
  methods: ['device'],
  rememberDeviceDays: 30,
};
const isIn = (browser: Browser): boolean => browser.callback?.has('code') === true;

const decoded = (html: string): string =>
  html
    .replace(/&#34;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
const attribute = (browser: Browser, name: string): string =>
  decoded(new RegExp(` ${name}="([^"]*)"`).exec(browser.text)?.[1] ?? '');
const shownNumber = (browser: Browser): number =>
  Number(/data-approval-number>(\d\d)</.exec(browser.text)?.[1]);
const offered = (browser: Browser): number[] =>
  [...browser.text.matchAll(/name="number" value="(\d\d)"/g)].map(([, number]) => Number(number));

interface World {
  readonly door: FrontDoor;
  /** The browser that approves, with its session. */
  readonly home: Browser;
  readonly approver: Approver;
}

async function arrive(door: FrontDoor, params = {}, who = 'ada', browser = door.browser()): Promise<Browser> {
  await passwordStep(browser, who, params);
  return browser;
}

/** Makes a browser an approver: the only method, so that it is begun at once. */
async function makeApprover(door: FrontDoor, who = 'ada'): Promise<{ home: Browser; approver: Approver }> {
  const home = await arrive(door, {}, who);
  const approver = new Approver();
  await home.press('Confirm setup', { credential: approver.setUp(attribute(home, 'data-approver-new')) });
  await home.press('Continue', { saved: '1' });
  return { home, approver };
}

async function world(t: ExecutionContext, kind: Kind, people = { ada: {} }, replicas = 1): Promise<World> {
  const door = await frontDoor(t, kind, {
    configuration: acme(required, people, {
      applications: [application('strict', { assurance: 'fresh_second_factor' })],
    }),
    replicas,
  });
  return { door, ...(await makeApprover(door)) };
}

/** The form with the numbers, as its script fills it. */
async function openRequest(
  home: Browser,
): Promise<{ toSign: string; action: string; fields: URLSearchParams }> {
  await home.open('/account/approvals');
  const toSign = attribute(home, 'data-approver-sign');
  const form = (home.text.match(/<form[^>]*>.*?<\/form>/gs) ?? []).find((html) =>
    html.includes('data-approver-sign'),
  );
  const fields = new URLSearchParams();
  for (const [, name = '', value = ''] of (form ?? '').matchAll(
    /type="hidden" name="([^"]*)" value="([^"]*)"/g,
  )) {
    fields.set(name, decoded(value));
  }
  return { toSign, action: '/account/approvals/approve', fields };
}

async function pick({ home, approver }: Pick<World, 'home' | 'approver'>, number: number): Promise<void> {
  const { toSign, action, fields } = await openRequest(home);
  fields.set('number', String(number));
  fields.set('credential', approver.approve(toSign, number));
  await home.open(action, { fields });
}

const note = (browser: Browser): string =>
  decoded(
    (/role="status"[^>]*><div class="note.*?<p>(.*?)<\/p>/s.exec(browser.text)?.[1] ?? '').replace(
      /<[^>]*>/g,
      '',
    ),
  );

for (const kind of kinds) {
  test(`${kind}: a sign-in elsewhere shows a number, the approver sees who asks and picks it, and the sign-in goes on once (T057, T060, T065)`, async (t) => {
    const { door, home, approver } = await world(t, kind);
    t.deepEqual((await redeem(door, home)).claims.amr, ['pwd', 'swk', 'mfa']);
    const row = await door.db.row<{ name: string; high_water: number }>(
      'SELECT name, high_water FROM factors',
    );
    t.is(row?.high_water, -1);

    await home.open('/account/approvals');
    t.regex(home.text, /Nothing is waiting/);
    const elsewhere = await arrive(door);
    t.is(elsewhere.heading, challengePage);
    const number = shownNumber(elsewhere);
    t.true(number >= 10 && number <= 99);
    t.true(elsewhere.text.includes(`${door.issuer}/account/approvals`));
    await elsewhere.press('Check again');
    t.is(elsewhere.heading, challengePage, 'nobody has answered');
    t.is(shownNumber(elsewhere), number, 'still the same');
    t.is(await events(door, 'factor.failed'), 0, 'waiting is no failure');

    const { toSign } = await openRequest(home);
    t.is(home.heading, 'Is this you, signing in?');
    for (const said of ['ada@acme.test', 'The app', '127.0.0.1']) t.true(home.text.includes(said), said);
    t.is(offered(home).length, 3);
    t.true(offered(home).includes(number));
    const same = offered(home);
    await home.open('/account/approvals');
    t.deepEqual(offered(home), same, 'a second look tells no more');
    t.false(toSign.includes(`,${number}]`));
    await pick({ home, approver }, number);
    t.regex(note(home), /^Approved/);
    const tab = elsewhere.copy();
    // Whatever stands beside it in the form, the "yes" is used up.
    const beside = { credential: '{}' };
    await Promise.all([elsewhere, tab].map((one) => one.press('Check again', beside).catch(() => {})));
    t.is([elsewhere, tab].filter(isIn).length, 1);
    t.is(await count(door, 'approvals', 'consumed_at IS NOT NULL'), 1);
    const winner = isIn(elsewhere) ? elsewhere : tab;
    const { claims } = await redeem(door, winner);
    t.is(claims.acr, 'urn:sallyport:acr:2fa');
    t.deepEqual(claims.amr, ['pwd', 'swk', 'mfa']);

    const second = await arrive(door);
    t.is(second.heading, challengePage);
    await second.press('Check again');
    t.false(isIn(second), 'one word is for one sign-in');
    await home.open('/account/approvals');
    t.is(home.heading, 'Is this you, signing in?');
    t.notRegex(door.log.join(''), /"level":(50|60)/);
  });

  test(`${kind}: a wrong number, a "no", another person's request and time end it; "no" wins over "yes" and is reported (T057)`, async (t) => {
    const { door, home, approver } = await world(t, kind, { ada: {}, bob: {} } as never, 2);
    const bob = await makeApprover(door, 'bob');
    const reset = async () => {
      await door.db.change('DELETE FROM limits');
      await door.db.change('UPDATE approvals SET open_for = NULL');
    };

    let one = await arrive(door);
    const { fields: adas, toSign } = await openRequest(home);
    const number = shownNumber(one);
    adas.set('number', String(number));
    await bob.home.open('/account/approvals');
    t.regex(bob.home.text, /Nothing is waiting/);
    await arrive(door, {}, 'bob');
    const { fields: own } = await openRequest(bob.home);
    for (const credential of [bob.approver.approve(toSign, number), approver.approve(toSign, number)]) {
      const fields = new URLSearchParams(adas);
      fields.set('_csrf', own.get('_csrf') ?? '');
      fields.set('credential', credential);
      await bob.home.open('/account/approvals/approve', { fields });
      t.regex(note(bob.home), /^This request has ended/, 'of another person');
    }
    await bob.home.open('/account/approvals/deny', {
      fields: new URLSearchParams({ _csrf: own.get('_csrf') ?? '', request: adas.get('request') ?? '' }),
    });
    for (const [what, credential] of Object.entries({
      'no signature': '',
      rubbish: '{"keyId":1}',
      'a stranger’s key': new Approver().approve(toSign, number),
      'another number signed': approver.approve(toSign, number === 99 ? 98 : number + 1),
      'another request signed': approver.approve(
        toSign.replace(/"[\w-]{43}"/, `"${'x'.repeat(43)}"`),
        number,
      ),
      'another address signed': approver.approve(toSign.replace('127.0.0.1', '127.0.0.2'), number),
    })) {
      const fields = new URLSearchParams(adas);
      fields.set('credential', credential);
      await home.open('/account/approvals/approve', { fields });
      t.regex(note(home), /^That was not signed/, what);
    }
    await one.press('Check again');
    t.false(isIn(one));
    await pick({ home, approver }, number);
    await one.press('Check again');
    t.true(isIn(one), 'after all that the right one is still right');
    const replayed = new URLSearchParams(adas);
    replayed.set('credential', approver.approve(toSign, number));
    await home.open('/account/approvals/approve', { fields: replayed });
    t.regex(note(home), /^This request has ended/, 'a replay');

    await reset();
    one = await arrive(door);
    await openRequest(home);
    const wrongNumber = offered(home).find((other) => other !== shownNumber(one)) ?? 0;
    await pick({ home, approver }, wrongNumber);
    t.regex(note(home), /not the number/);
    await one.press('Check again');
    t.regex(one.text, /chose another number/);
    t.is(await events(door, 'approval.wrong_number'), 1);

    await reset();
    one = await arrive(door);
    await home.open('/account/approvals');
    await home.press('Another number, or it was not me');
    t.regex(note(home), /^Declined/);
    await one.press('Check again');
    t.regex(one.text, /Your other device said no/);
    t.is((await mails(door, 'sign-in-denied')).length, 1);
    t.is(await events(door, 'approval.denied'), 1);
    await one.press('Ask again');
    t.is(one.status, 429, 'and it is quiet for a while');

    await reset();
    one = await arrive(door);
    const late = shownNumber(one);
    const asked = await openRequest(home);
    door.clock.forward(minutes(2));
    asked.fields.set('number', String(late));
    asked.fields.set('credential', approver.approve(asked.toSign, late));
    await home.open(asked.action, { fields: asked.fields });
    t.regex(note(home), /^This request has ended/);
    await one.press('Check again');
    t.regex(one.text, /Nobody answered in time/);
    await one.press('Ask again');
    t.not(attribute(one, 'data-events'), '', 'it can be asked for again');

    // "Yes" and "no" at once, on two servers: whichever is written last, nobody comes in after a "no".
    for (let round = 0; round < 4; round += 1) {
      await reset();
      one = await arrive(door);
      const now = await openRequest(home);
      const right = shownNumber(one);
      now.fields.set('number', String(right));
      now.fields.set('credential', approver.approve(now.toSign, right));
      const [yes, no] = [home.copy(), Object.assign(home.copy(), { replica: 1 })];
      await Promise.all([
        yes.open(now.action, { fields: now.fields }),
        no.open('/account/approvals/deny', { fields: new URLSearchParams(now.fields) }),
      ]);
      await one.press('Check again');
      t.false(isIn(one), `round ${round}`);
    }
  });

  test(`${kind}: the new browser cannot approve itself, and neither can a session that proved only a password or is remembered (T058)`, async (t) => {
    const { door, home, approver } = await world(t, kind);
    const one = await arrive(door);
    const { toSign, fields } = await openRequest(home);
    const number = shownNumber(one);
    fields.set('number', String(number));
    fields.set('credential', approver.approve(toSign, number));
    const half = one.copy();
    await half.open('/account/approvals/approve', { fields });
    t.not(half.heading, 'Approve a sign-in');
    const { fields: own } = one.form('Check again');
    own.set('approval', JSON.stringify({ decision: 'approved' }));
    own.append('credential', approver.approve(toSign, number));
    await one.open(one.form('Check again').action, { fields: own });
    t.false(isIn(one), 'what the form says of an approval is nobody’s word');
    own.set('credential', approver.approve(toSign, number));
    await one.open(one.form('Check again').action, { fields: own });
    t.false(isIn(one), 'a signature for the approver’s page is none for this one');
    t.is(await count(door, 'approvals', 'decision IS NOT NULL'), 0);

    // The policy ends: a session with the password alone is enough for the pages, not to approve.
    await door.db.change('DELETE FROM limits');
    await door.db.change('UPDATE approvals SET open_for = NULL');
    await door.apply({ organizations: [{ slug: 'acme', policy: { requirement: 'optional' } }] });
    const id = await userId(door);
    const rows = await door.db.rows<Record<string, string | number | null>>('SELECT * FROM factors');
    await door.db.change('DELETE FROM factors');
    const weak = await arrive(door);
    t.true(isIn(weak), 'password only');
    for (const row of rows) {
      const { sql, values } = door.db.insert('factors', { ...row, user_id: id });
      await door.db.change(sql, values);
    }
    await weak.open('/account/approvals');
    t.not(weak.heading, 'Approve a sign-in');
    t.is(weak.heading, challengePage);

    await door.db.change('DELETE FROM limits');
    await door.db.change('UPDATE approvals SET open_for = NULL');
    const remembering = await arrive(door);
    await pick({ home, approver }, shownNumber(remembering));
    await remembering.press('Check again', { remember: '1' });
    t.true(isIn(remembering));
    withoutSession(remembering);
    await passwordStep(remembering);
    t.true(isIn(remembering), 'remembered');
    await remembering.open('/account/approvals');
    t.is(remembering.heading, challengePage, 'but not to approve');
  });

  test(`${kind}: an approver that was removed or disabled, and anything that changed meanwhile, approves nothing (T060)`, async (t) => {
    const { door, home, approver } = await world(t, kind);
    const asks = async () => {
      await door.db.change('DELETE FROM limits');
      await door.db.change('UPDATE approvals SET open_for = NULL');
      const one = await arrive(door);
      return { one, number: shownNumber(one) };
    };
    for (const [what, change, back] of [
      ['removed', "UPDATE factors SET user_id = 'nobody'", 'UPDATE factors SET user_id = ?'],
      [
        'disabled',
        'UPDATE factors SET disabled_at = 1',
        'UPDATE factors SET disabled_at = NULL WHERE user_id = ?',
      ],
      ['changed', 'UPDATE users SET security_version = security_version + 1', null],
    ] as const) {
      const { one, number } = await asks();
      const asked = await openRequest(home);
      await door.db.change(change);
      asked.fields.set('number', String(number));
      asked.fields.set('credential', approver.approve(asked.toSign, number));
      await home.open(asked.action, { fields: asked.fields });
      t.is(await count(door, 'approvals', "decision = 'approved'"), 0, what);
      if (back) await door.db.change(back, [await userId(door)]);
      await one.press('Check again').catch(() => {});
      t.false(isIn(one), what);
    }

    const { one, number } = await asks();
    await pick({ home, approver }, number);
    await door.db.change('UPDATE users SET security_version = security_version + 1');
    await one.press('Check again');
    t.false(isIn(one), 'changed between the word and its use');
  });

  test(`${kind}: one request is open at a time, few are asked, and whoever cannot be asked has other ways (T059)`, async (t) => {
    const { door } = await world(t, kind);
    const first = await arrive(door);
    t.truthy(shownNumber(first));
    const second = await arrive(door);
    t.regex(second.alert, /There was a request a moment ago/);
    t.true(Number.isNaN(shownNumber(second)));
    t.true(second.text.includes('Use a recovery code'));
    let asked = await count(door, 'approvals');
    t.is(asked, 1);
    // Where its sign-in is left, nobody is asked any more, and the next one may ask.
    await door.db.change('DELETE FROM limits');
    for (const leave of ['Not you?', 'Cancel', 'a new first step']) {
      const left = leave === 'Not you?' ? first : await arrive(door);
      t.truthy(shownNumber(left), leave);
      if (leave === 'a new first step') {
        await left.open(`${new URL(left.url).pathname}/login`, {
          fields: new URLSearchParams({
            ...Object.fromEntries(left.form('Check again').fields),
            email: 'ada@acme.test',
            password: 'wrong',
          }),
        });
        t.is(await count(door, 'approvals', 'open_for IS NOT NULL'), 1, 'a wrong password leaves it');
        await left.press('Sign in', { email: 'ada@acme.test', password });
        t.truthy(shownNumber(left), 'it is asked anew');
      }
      const { fields } = left.form('Check again');
      const at = new URL(left.url).pathname.split('/').slice(0, 3).join('/');
      await left.open(`${at}/${leave === 'Not you?' ? 'restart' : 'cancel'}`, { fields });
      t.is(await count(door, 'approvals', 'open_for IS NOT NULL'), 0, leave);
      await door.db.change('DELETE FROM limits');
      door.clock.forward(seconds(1));
    }
    await door.db.change('DELETE FROM approvals');
    asked = 0;
    for (let minute = 0; minute < 60; minute += 1) {
      door.clock.forward(minutes(1));
      const browser = await arrive(door);
      if (browser.heading !== challengePage) break;
    }
    asked = await count(door, 'approvals');
    t.true(asked <= 9, `${asked} requests within an hour`);
  });

  test(`${kind}: in the approver’s own browser its key answers at once, for this sign-in only`, async (t) => {
    const { door, home, approver } = await world(t, kind);
    withoutSession(home);
    await passwordStep(home);
    t.is(home.heading, challengePage);
    t.deepEqual(JSON.parse(attribute(home, 'data-keys')), [approver.keyId]);
    const toSign = attribute(home, 'data-approver-here');
    await home.press('Check again', { credential: new Approver().here(toSign) });
    t.is(home.status, 422);
    await home.press('Check again', { credential: approver.here(toSign.replace(/\d{13}/, '9999999999999')) });
    t.is(home.status, 422);
    await home.press('Check again', { credential: approver.here(toSign) });
    t.deepEqual((await redeem(door, home)).claims.amr, ['pwd', 'swk', 'mfa']);
    t.is(await count(door, 'approvals', 'open_for IS NOT NULL'), 0, 'nobody else need answer');
    const other = await arrive(door);
    await other.press('Check again', { credential: approver.here(toSign) });
    t.false(isIn(other), 'a replay');
    door.clock.forward(seconds(1));
  });
}
