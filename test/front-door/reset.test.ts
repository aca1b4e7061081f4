import test from 'ava';
import { changeRole, removeMember } from '../../flows/change-member.ts';
import { resetTwoFactorByMail, resetTwoFactorNow } from '../../flows/reset-two-factor.ts';
import { hours } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { count } from './evidence.ts';
import { idOf, servicesOf, takeMails, visitAs } from './organization-rig.ts';
import {
  acme,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  password,
  passwordHash,
  passwordStep,
  redeem,
  secret,
  signIn,
} from './rig.ts';

const why = {
  identityCheck: 'phone_call',
  reason: 'lost her phone, called back on the known number',
} as const;
const people = {
  ada: { role: 'owner', totp: secret },
  olga: { role: 'owner', totp: secret },
  chiara: { role: 'admin', totp: secret },
  ben: { totp: secret },
  dai: {},
  eve: { totp: secret, extra: { emailVerified: false } },
};
/** Acme has proved that this domain is its own. */
const providers = [
  {
    slug: 'idp',
    organization: 'acme',
    issuer: 'http://127.0.0.1:9/realms/acme',
    clientId: 'sallyport',
    clientSecret: 'a-secret',
    domains: ['owned.test'],
  },
];
const birch = {
  organizations: [{ slug: 'birch', name: 'Birch' }],
  users: [
    {
      email: 'gus@acme.test',
      name: 'gus',
      passwordHash,
      emailVerified: true,
      factors: { totp: secret },
      memberships: [{ organization: 'birch', role: 'owner' }],
    },
    // Lives at Birch, works at Acme too.
    {
      email: 'hal@acme.test',
      name: 'hal',
      passwordHash,
      emailVerified: true,
      factors: { totp: secret },
      homeOrganization: 'birch',
      memberships: [
        { organization: 'birch', role: 'member' },
        { organization: 'acme', role: 'member' },
      ],
    },
    // The same, but with an address in Acme's own domain.
    {
      email: 'ida@owned.test',
      name: 'ida',
      passwordHash,
      emailVerified: true,
      factors: { totp: secret },
      homeOrganization: 'birch',
      memberships: [
        { organization: 'birch', role: 'member' },
        { organization: 'acme', role: 'member' },
      ],
    },
  ],
};
const open = (...[t, kind]: [Parameters<typeof frontDoor>[0], Parameters<typeof frontDoor>[1]]) =>
  frontDoor(t, kind, {
    configuration: { ...acme({ requirement: 'required_for_all', graceDays: 30 }, people, birch), providers },
    replicas: 2,
  });

const reset = async (
  door: FrontDoor,
  who: string,
  whom: string,
  form: 'now' | 'mail' = 'now',
  slug = 'acme',
): Promise<string> => {
  const flow = form === 'now' ? resetTwoFactorNow : resetTwoFactorByMail;
  const outcome = await flow(servicesOf(door), await visitAs(door, who, slug), {
    userId: await idOf(door, whom),
    ...why,
  });
  return 'why' in outcome ? outcome.why : outcome.kind;
};

async function followLink(door: FrontDoor, browser: Browser): Promise<string> {
  const mail = (await takeMails(door)).find(({ template }) => template === 'two-factor-reset-link');
  const link = String(mail?.values.link);
  await browser.open(link);
  return link;
}

for (const kind of kinds) {
  test(`who may reset whose second factor, at once and by mail (T100, T101, T102) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const table: readonly [string, string, string, string][] = [
      // Who, whom, at once, by mail.
      ['ada', 'ben', 'done', 'nothing_to_reset'],
      ['chiara', 'olga', 'not_over_owner', 'not_over_owner'],
      ['chiara', 'chiara', 'not_over_self', 'not_over_self'],
      ['ada', 'ada', 'not_over_self', 'not_over_self'],
      ['ben', 'dai', 'not_permitted', 'not_permitted'],
      ['ben', 'gus', 'not_permitted', 'not_permitted'],
      ['ada', 'gus', 'not_found', 'not_found'],
      ['ada', 'hal', 'not_home', 'done'],
      ['ada', 'ida@owned.test', 'done', 'nothing_to_reset'],
      ['ada', 'eve', 'no_verified_email', 'no_verified_email'],
      ['ada', 'dai', 'nothing_to_reset', 'nothing_to_reset'],
      ['ada', 'olga', 'done', 'nothing_to_reset'],
    ];
    for (const [who, whom, now, byMail] of table) {
      t.is(await reset(door, who, whom), now, `${who} resets ${whom} now`);
      t.is(await reset(door, who, whom, 'mail'), byMail, `${who} resets ${whom} by mail`);
    }
    t.is(await count(door, 'audit_events', "type = 'two_factor.reset'"), 3);
    t.is(await count(door, 'audit_events', "type = 'two_factor.reset_by_mail'"), 1);
    const event = await door.db.row<{ data: string }>(
      "SELECT data FROM audit_events WHERE type = 'two_factor.reset' ORDER BY id LIMIT 1",
    );
    t.deepEqual(JSON.parse(event?.data ?? ''), { by: await idOf(door, 'ada'), as: 'owner', ...why });
    // Who made the account answers for it, and has nobody follow it there when it lets the person go.
    await removeMember(servicesOf(door), await visitAs(door, 'gus', 'birch'), {
      userId: await idOf(door, 'hal'),
    });
    t.is(await reset(door, 'ada', 'hal'), 'not_home');
    // Who was removed, or lost their role, while the form was open does nothing with it.
    const before = await visitAs(door, 'chiara');
    await removeMember(servicesOf(door), await visitAs(door, 'ada'), { userId: await idOf(door, 'chiara') });
    t.is(
      (await resetTwoFactorByMail(servicesOf(door), before, { userId: await idOf(door, 'hal'), ...why }))
        .kind,
      'conflict',
    );
  });

  test(`after a reset at once: no session, no remembered device, no grace; set-up after password and a code by mail (T090, T103) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const browser = door.browser();
    await signIn(door, browser, { who: 'ben', remember: true });
    const other = door.browser(1);
    nextStep(door);
    await signIn(door, other, { who: 'ben' });
    await takeMails(door);
    door.clock.forward(1000);
    t.is(await reset(door, 'chiara', 'ben'), 'done');
    t.deepEqual(
      (await takeMails(door)).map(({ to, template, organizationId }) => [to, template, organizationId]),
      [['ben@acme.test', 'two-factor-reset', (await visitAs(door, 'chiara')).organization.id]],
    );
    for (const old of [browser, other]) {
      await old.authorize({ prompt: 'none' });
      t.is(old.callback?.get('error'), 'login_required');
    }
    await passwordStep(browser, 'ben');
    t.is(browser.heading, 'Check your mail');
    t.is(await count(door, 'factors', 'user_id = ?', await idOf(door, 'ben')), 0);
    t.is(await count(door, 'recovery_codes', 'user_id = ?', await idOf(door, 'ben')), 0);
  });

  test(`a reset by mail keeps the old factor until the new one has worked, and its link alone binds nothing (T103) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const elsewhere = door.browser();
    await signIn(door, elsewhere, { who: 'ben', remember: true });
    nextStep(door);
    await takeMails(door);
    t.is(await reset(door, 'chiara', 'ben', 'mail'), 'done');
    const first = (await takeMails(door))[0]?.values.link;
    t.is(await reset(door, 'ada', 'ben', 'mail'), 'done');
    const second = (await takeMails(door))[0]?.values.link;
    const browser = door.browser();
    await browser.open(String(first));
    t.is(browser.heading, 'This link does not work any more');
    await browser.open(String(second));
    t.is(browser.heading, 'Set up two-factor authentication again');
    // Opening it has changed nothing; pressing the button alone signs nobody in.
    await browser.press('Continue to sign-in');
    t.is(browser.heading, 'Sign in');
    await browser.authorize({ prompt: 'none' });
    t.is(browser.callback?.get('error'), 'login_required');
    // For nobody but its own user.
    const forDai = browser.copy();
    await passwordStep(forDai, 'chiara');
    t.is(forDai.heading, 'Two-factor authentication');
    // Elsewhere, the old factor still works.
    t.is((await signIn(door, door.browser(1), { who: 'ben', steps: 0 })).status, 200);
    // With the link and the password: the new set-up, and no way round.
    await passwordStep(browser, 'ben');
    t.is(browser.heading, 'Set up two-factor authentication');
    t.false(browser.buttons.includes('Skip for now'));
    const fresh = browser.totpSecret;
    const late = browser.copy();
    await browser.press('Confirm setup', { code: door.code(0, fresh) });
    t.is(browser.recoveryCodes.length, 8);
    await browser.press('Continue', { saved: '1' });
    t.like((await redeem(door, browser)).claims, { acr: 'urn:sallyport:acr:2fa' });
    t.is(await count(door, 'factors', 'user_id = ?', await idOf(door, 'ben')), 1);
    // The old one is gone, others are signed out, and the link is used up.
    await elsewhere.authorize({ prompt: 'none' });
    t.is(elsewhere.callback?.get('error'), 'login_required');
    nextStep(door);
    await passwordStep(elsewhere, 'ben');
    t.is(elsewhere.heading, 'Two-factor authentication');
    await elsewhere.press('Verify', { code: door.code() });
    t.is(elsewhere.heading, 'Two-factor authentication');
    await elsewhere.press('Verify', { code: door.code(0, fresh) });
    t.truthy(elsewhere.callback?.get('code'));
    await late.open(String(second));
    t.is(late.heading, 'This link does not work any more');
    // Still in the browser that followed it: nothing more than an ordinary sign-in.
    nextStep(door);
    await browser.authorize({ prompt: 'login' });
    await browser.press('Sign in', { email: 'ben@acme.test', password });
    t.is(browser.heading, 'Two-factor authentication');
  });

  test(`a link of a reset by mail ends after a day (${kind})`, async (t) => {
    const door = await open(t, kind);
    await reset(door, 'ada', 'ben', 'mail');
    const browser = door.browser();
    const link = await followLink(door, browser);
    await browser.press('Continue to sign-in');
    t.is(browser.heading, 'Sign in');
    door.clock.forward(hours(24));
    await passwordStep(browser, 'ben');
    t.is(browser.heading, 'Two-factor authentication');
    await browser.open(link);
    t.is(browser.status, 410);

    // It came to an address that is not the person's any more.
    await reset(door, 'ada', 'ben', 'mail');
    const sent = await followLink(door, door.browser());
    const ben = door.browser();
    await ben.open('/account/email');
    await ben.press('Sign in', { email: 'ben@acme.test', password });
    await ben.press('Verify', { code: door.code() });
    await ben.press('Send the link', { email: 'ben@new.test' });
    const confirm = (await takeMails(door)).find(({ template }) => template === 'confirm-email');
    await ben.open(String(confirm?.values.url));
    await ben.press('Yes, use this address');
    t.is(ben.heading, 'Your address is verified');
    await ben.open(sent);
    t.is(ben.status, 410, 'the mailbox of before opens nothing');
    for (const path of ['x', '%00', 'a'.repeat(300)]) {
      await browser.open(`/reset-two-factor/${path}`);
      t.true([400, 410].includes(browser.status), `${path}: ${browser.status}`);
    }
  });

  test(`two owners cannot end each other's ownership at once, and nobody rises above themselves (T104) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const [ada, olga] = [await visitAs(door, 'ada'), await visitAs(door, 'olga', 'acme', 1)];
    const [adaId, olgaId] = [await idOf(door, 'ada'), await idOf(door, 'olga')];
    for (let round = 0; round < 3; round += 1) {
      const outcomes = await Promise.all([
        removeMember(servicesOf(door), ada, { userId: olgaId }),
        changeRole(servicesOf(door, 1), olga, { userId: adaId, role: 'member' }),
      ]);
      t.is(outcomes.filter(({ kind }) => kind === 'done').length, 1, JSON.stringify(outcomes));
      t.is(
        await count(
          door,
          'memberships',
          "role = 'owner' AND removed_at IS NULL AND organization_id = ?",
          ada.organization.id,
        ),
        1,
      );
      await door.db.change(
        "UPDATE memberships SET role = 'owner', removed_at = NULL WHERE user_id IN (?, ?)",
        [adaId, olgaId],
      );
    }
    const table: readonly [string, string, 'owner' | 'admin' | 'member', string][] = [
      ['chiara', 'ben', 'owner', 'role_too_high'],
      ['chiara', 'ada', 'member', 'not_over_owner'],
      ['chiara', 'chiara', 'member', 'not_over_self'],
      ['ada', 'ada', 'member', 'not_over_self'],
      ['ben', 'dai', 'admin', 'not_permitted'],
      ['ada', 'gus', 'owner', 'not_found'],
      ['chiara', 'ben', 'admin', 'done'],
      ['ada', 'ben', 'owner', 'done'],
      ['ada', 'olga', 'member', 'done'],
    ];
    for (const [who, whom, role, expected] of table) {
      const outcome = await changeRole(servicesOf(door), await visitAs(door, who), {
        userId: await idOf(door, whom),
        role,
      });
      t.is<string, string>(
        'why' in outcome ? outcome.why : outcome.kind,
        expected,
        `${who} makes ${whom} ${role}`,
      );
    }
    // The other owner is disabled: the one who is left cannot be taken away by an old form.
    await door.db.change('UPDATE users SET disabled_at = 1 WHERE id = ?', [await idOf(door, 'ben')]);
    const outcome = await removeMember(
      servicesOf(door),
      { ...olga, actor: { kind: 'operator', id: null, role: 'owner', origin: olga.actor.origin } },
      { userId: adaId },
    );
    t.deepEqual(outcome, { kind: 'refused', why: 'last_owner' });
  });

  test(`who is removed and comes back has the grace that they had (T089) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const dai = door.browser();
    await passwordStep(dai, 'dai');
    const row = () =>
      door.db.row<{ grace_started_at: number; removed_at: number | null; facets: number | null }>(
        'SELECT * FROM memberships WHERE user_id = (SELECT id FROM users WHERE email = ?)',
        ['dai@acme.test'],
      );
    const started = (await row())?.grace_started_at;
    t.truthy(started);
    door.clock.forward(hours(48));
    t.deepEqual(
      await removeMember(servicesOf(door), await visitAs(door, 'ada'), { userId: await idOf(door, 'dai') }),
      { kind: 'done' },
    );
    t.is((await row())?.facets, null);
    t.is(await count(door, 'users', 'email = ? AND home_organization_id IS NOT NULL', 'dai@acme.test'), 1);
    await door.apply(acme({}, { dai: {} }));
    t.like(await row(), { grace_started_at: started, removed_at: null });
    t.truthy((await row())?.facets);
  });
}
