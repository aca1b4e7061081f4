import test, { type ExecutionContext } from 'ava';
import type { Database } from '../../entities/database.ts';
import { verifyAuditChains } from '../../flows/chain-audit-events.ts';
import { removeMember } from '../../flows/change-member.ts';
import { minutes, seconds } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { count, mailedCode } from './evidence.ts';
import { idOf, servicesOf, takeMails, visitAs } from './organization-rig.ts';
import {
  acme,
  type FrontDoor,
  frontDoor,
  type Kind,
  kinds,
  nextDay,
  nextStep,
  password,
  passwordHash,
  passwordStep,
  secret,
} from './rig.ts';

/** Does something once, just before a batch with such a statement is written, by whichever server. Returns what ends it. */
function justBefore(door: FrontDoor, sql: string, meanwhile: () => Promise<unknown>): () => void {
  let isDone = false;
  const ends = door.apps.map(({ services }) => {
    const db = services.db as { together: Database['together'] };
    const { together } = db;
    db.together = async (statements, ...more) => {
      if (!isDone && statements.some((one) => one.sql.startsWith(sql))) {
        isDone = true;
        await meanwhile();
      }
      return together(statements, ...more);
    };
    return () => {
      db.together = together;
    };
  });
  return () => {
    for (const end of ends) end();
  };
}

const people = {
  ada: { role: 'owner', totp: secret },
  chiara: { role: 'admin', totp: secret },
  ben: {},
  dai: { totp: secret },
};
const birch = {
  organizations: [{ slug: 'birch', name: 'Birch', policy: { methods: ['totp'] } }],
  users: [
    {
      email: 'gus@acme.test',
      name: 'gus',
      passwordHash,
      emailVerified: true,
      memberships: [{ organization: 'birch', role: 'owner' }],
    },
    {
      email: 'hal@acme.test',
      name: 'hal',
      passwordHash,
      emailVerified: true,
      memberships: [{ organization: 'birch', role: 'member' }],
    },
  ],
};
const open = (t: ExecutionContext, kind: Kind, policy: object = { requirement: 'optional' }) =>
  frontDoor(t, kind, { configuration: acme(policy, people, birch), replicas: 2 });

async function arrive(door: FrontDoor, who: string, path: string, replica = 0): Promise<Browser> {
  const browser = door.browser(replica);
  await browser.open(path);
  await browser.press('Sign in', { email: `${who}@acme.test`, password });
  if (browser.buttons.includes('Verify')) {
    await browser.press('Verify', { code: door.code() });
    nextStep(door);
  }
  return browser;
}

const unescaped = (text = ''): string =>
  text.replaceAll('&#34;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');

const figure = (browser: Browser, name: string): number =>
  Number(new RegExp(`data-${name}>(\\d+)`).exec(browser.text)?.[1] ?? Number.NaN);

for (const kind of kinds) {
  test(`an owner goes from optional to required: preview, confirmation, mails, and a week later nobody gets past (T086, T091) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const ada = await arrive(door, 'ada', '/organizations/acme/two-factor');
    t.is(ada.heading, 'Two-factor authentication');
    // The first press shows what it changes; nothing is saved yet.
    await ada.press('Save and notify', { requirement: 'required_for_all', graceDays: '7' });
    t.deepEqual([figure(ada, 'must-act'), figure(ada, 'stopped')], [1, 0]);
    t.regex(ada.text, /Start with Required for admins/);
    t.is(await count(door, 'audit_events', "type = 'policy.changed'"), 0);
    // A proof that is too old is given anew, and the form is kept meanwhile.
    door.clock.forward(minutes(11));
    await ada.press('Save and notify');
    t.is(ada.heading, 'Sign in');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code() });
    t.regex(ada.url, /two-factor\?held=/);
    t.is(ada.text.match(/Nothing is done yet/g)?.length, 1);
    t.is(figure(ada, 'must-act'), 1);
    await takeMails(door);
    await ada.press('Save and notify');
    t.regex(ada.text, /1 person gets a mail/);
    t.is(await count(door, 'audit_events', "type = 'policy.changed'"), 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.deepEqual(
      (await takeMails(door)).map(({ to, template }) => [to, template]),
      [['ben@acme.test', 'policy-announced']],
    );

    // To require less is advised against, before it is saved.
    await ada.press('Preview', { requirement: 'optional' });
    t.regex(ada.text, /We advise against this/);
    await ada.press('Preview', { requirement: 'required_for_all', graceDays: '30' });
    t.notRegex(ada.text, /We advise against this/);
    // What was changed stands in the log in words, and as it is in a file for machines.
    await ada.open('/organizations/acme/audit?type=policy.changed');
    t.regex(ada.text, /<dt>requirement<\/dt><dd>optional → required_for_all<\/dd>/);
    t.notRegex(ada.text, /<dt>sessions/, 'what stayed as it was is not said');
    await ada.open('/organizations/acme/audit-export?type=policy.changed&format=jsonl');
    const [changed] = ada.text.split('\n').map((line) => JSON.parse(line || '{}'));
    t.deepEqual(
      [changed.data.before.requirement, changed.data.after.requirement],
      ['optional', 'required_for_all'],
    );
    t.deepEqual(changed.data.after.sessions, changed.data.before.sessions);
    await ada.open('/organizations/acme/audit-export?type=policy.changed&format=csv');
    t.regex(ada.text, /,requirement: optional → required_for_all[,;]/);
    t.deepEqual((await verifyAuditChains(servicesOf(door))).problems, []);
    // What is not there leads back to what is.
    await ada.open('/organizations/acme/members/nobody');
    t.is(ada.status, 404);
    t.regex(ada.text, /href="\/organizations\/acme">Overview of the organization/);
    await ada.open('/organizations/none');
    t.regex(ada.text, /href="\/account">Your account/);
    t.notRegex(ada.text, /Overview of the organization/);

    // Saved again without moving their date: nobody is written to twice, and the page does not say so.
    await ada.open('/organizations/acme/two-factor');
    await ada.press('Save and notify', { rememberDeviceDays: '7' });
    await ada.press('Save and notify');
    t.regex(ada.text, /Whoever must act and was not told of their date yet gets a mail/);
    await new Promise((resolve) => setTimeout(resolve, 300));
    t.deepEqual(await takeMails(door), []);
    await ada.open('/organizations/acme/two-factor/mails');
    t.regex(ada.text, /ben@acme\.test/);
    await ada.open('/organizations/acme/members?state=in_grace');
    t.regex(ada.text, /7 days left|6 days left/);

    nextDay(door, 7);
    door.clock.forward(minutes(1));
    const ben = door.browser();
    await passwordStep(ben, 'ben');
    t.is(ben.heading, 'Set up two-factor authentication');
    t.false(ben.buttons.includes('Skip for now'));
    const again = await arrive(door, 'ada', '/organizations/acme/members?state=overdue');
    t.regex(again.text, /ben@acme\.test/);
    t.notRegex(again.text, /dai@acme\.test/);
  });

  test(`lengths of a sign-in, models of passkeys, rules for text messages and a grace of one's own are set on the page; what cannot be read stays as it was typed (${kind})`, async (t) => {
    const door = await open(t, kind);
    const ada = await arrive(door, 'ada', '/organizations/acme/two-factor');
    const stored = async () => JSON.parse((await visitAs(door, 'ada')).organization.policy);
    const wrong = {
      graceDays: 'other',
      graceNumber: '91',
      passkeyModels: 'YubiKey',
      smsCountries: 'Germany',
      smsPerDay: '-1',
    };
    await ada.press('Save and notify', wrong);
    t.is(ada.status, 422);
    for (const id of ['graceNumber', 'passkeyModels', 'smsCountries', 'smsPerDay']) {
      t.regex(ada.text, new RegExp(`id="${id}-error"`), id);
    }
    t.regex(ada.text, /value="Germany"[\s\S]*value="-1"/);
    await ada.press('Save and notify', { absoluteMinutes: '2000' });
    t.is(ada.status, 422);
    // What is wrong with one field throws away nothing that was chosen in the others.
    await ada.press('Save and notify', {
      ...wrong,
      requirement: 'required_for_all',
      rememberDeviceDays: '7',
      idleMinutes: '60',
    });
    t.is(ada.status, 422);
    t.regex(ada.text, /value="required_for_all"[^>]* checked/);
    t.regex(ada.text, /<option value="7" selected>For 7 days/);
    t.regex(ada.text, /<option value="60" selected/);
    t.regex(ada.text, /name="graceNumber"[^>]* value="91"/);
    await ada.open('/organizations/acme/two-factor');
    // A preview of nothing says so; one of something can be sent to a colleague, without the form's token.
    await ada.press('Preview');
    t.regex(ada.text, /Nothing is changed/);
    await ada.press('Preview', { requirement: 'required_for_all', passkeyModels: '' });
    t.regex(ada.url, /\/two-factor\?requirement=required_for_all&/);
    t.regex(ada.text, /data-must-act/);
    t.deepEqual(
      ada.visited.filter((address) => address.includes('_csrf')),
      [],
    );
    await ada.press('Preview', { passkeyModels: ' x'.repeat(3000) });
    t.regex(ada.text, /id="passkeyModels-error"/);
    await ada.open('/organizations/acme/two-factor');
    const model = 'CB69481E-8FF7-4039-93EC-0A2729A154A8';
    await ada.press('Save and notify', {
      ...wrong,
      graceNumber: '12',
      passkeyModels: ` ${model}\r\n`,
      smsCountries: 'de; at',
      smsPerDay: '40',
      idleMinutes: '30',
      absoluteMinutes: '240',
      offlineDays: '0',
    });
    t.regex(ada.text, /Sign-ins that have lasted longer than this end at once/);
    t.regex(ada.text, /No passkey can be set up/);
    await ada.press('Save and notify');
    t.regex(ada.text, /The policy is saved/);
    const { graceDays, passkeyModels, sms, sessions } = await stored();
    t.deepEqual(
      { graceDays, passkeyModels, sms, sessions },
      {
        graceDays: 12,
        passkeyModels: [model.toLowerCase()],
        sms: { countries: ['AT', 'DE'], perDay: 40 },
        sessions: { idleMinutes: 30, absoluteMinutes: 240, offlineDays: 0 },
      },
    );
    // Empty again: any model, any country.
    await ada.press('Save and notify', {
      passkeyModels: '',
      smsCountries: '',
      graceDays: '7',
      graceNumber: 'x',
    });
    await ada.press('Save and notify');
    t.deepEqual(
      [(await stored()).passkeyModels, (await stored()).sms, (await stored()).graceDays],
      [null, { countries: 'all', perDay: 40 }, 7],
    );
  });

  test(`two owners' forms: the second is told that the policy has changed, and saves nothing (${kind})`, async (t) => {
    const door = await open(t, kind);
    const ada = await arrive(door, 'ada', '/organizations/acme/two-factor');
    const chiara = await arrive(door, 'chiara', '/organizations/acme/two-factor', 1);
    for (const [browser, graceDays] of [
      [ada, '30'],
      [chiara, '0'],
    ] as const) {
      await browser.press('Save and notify', { graceDays });
    }
    await ada.press('Save and notify');
    t.regex(ada.text, /The policy is saved/);
    await chiara.press('Save and notify');
    t.is(chiara.status, 409);
    t.regex(chiara.text, /Somebody else has changed this policy/);
    t.is(JSON.parse((await visitAs(door, 'ada')).organization.policy).graceDays, 30);
  });

  test(`an owner without a factor confirms by a code from their mail, and cannot require what they lack (T098) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const gus = await arrive(door, 'gus', '/organizations/birch/two-factor');
    await gus.press('Save and notify', { requirement: 'required_for_all' });
    t.regex(gus.text, /These lack one[\s\S]*gus@acme\.test/);
    await gus.press('Save and notify', { requirement: 'recommended' });
    t.notRegex(gus.text, /owners? ha(s|ve) a second factor/, 'nobody asked, and it would not be true');
    await gus.press('Save and notify');
    t.regex(gus.text, /enter the 6-digit code/);
    const code = await mailedCode(door);
    await gus.press('Save and notify', { code: code === '000000' ? '111111' : '000000' });
    t.is(gus.status, 422);
    t.is(await count(door, 'audit_events', "type = 'policy.changed'"), 0);
    const codeId = gus.form('Save and notify').fields.get('codeId') ?? '';
    await gus.press('Save and notify', { code });
    // It holds from now on, for whoever has saved it too.
    t.is(gus.heading, 'Set up two-factor authentication');
    await gus.press('Not now');
    t.regex(gus.text, /The policy is saved/);
    const event = await door.db.row<{ data: string }>(
      "SELECT data FROM audit_events WHERE type = 'policy.changed'",
    );
    t.is(JSON.parse(event?.data ?? '{}').confirmedBy, 'email_code');
    await gus.press('Save and notify', { requirement: 'optional' });
    await gus.press('Save and notify', { codeId, code });
    t.is(gus.status, 422, 'the code was used');
    t.is(await count(door, 'audit_events', "type = 'policy.changed'"), 1);
  });

  test(`a member's page resets, changes roles and removes; a removed admin has no access at the next request (T100, T103) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const ada = await arrive(door, 'ada', '/organizations/acme/members?search=dai');
    const dai = await idOf(door, 'dai');
    await ada.open(`/organizations/acme/members/${dai}`);
    t.is(ada.heading, 'dai');
    // What each role may do is shown, as the one table has it.
    t.regex(ada.text, /Change sign-in providers<\/th><td>Yes<\/td><td><span class="muted">–/);
    // Signed out everywhere: what dai has open is over, and what dai has set up stays.
    const hers = await arrive(door, 'dai', '/account');
    t.is(hers.status, 200);
    await ada.open(`/organizations/acme/members/${dai}/disconnect`);
    await ada.press('Sign out everywhere');
    t.regex(ada.text, /was signed out everywhere/);
    await hers.open('/account');
    t.is(hers.heading, 'Sign in');
    t.is(await count(door, 'factors', 'user_id = ? AND disabled_at IS NULL', dai), 1);
    t.is(await count(door, 'audit_events', "type = 'user.disconnected'"), 1);
    await ada.open(`/organizations/acme/members/${dai}`);
    await ada.open(/href="([^"]*\/reset)"/.exec(ada.text)?.[1] ?? 'no link');
    await ada.press('Reset 2FA', { form: 'now' });
    t.is(ada.status, 422);
    t.regex(ada.text, /Say how you made sure/);
    await ada.press('Reset 2FA', { form: 'now', identityCheck: 'in_person', reason: 'lost\u200B phone' });
    t.regex(ada.text, /The second factor was reset/);
    t.is(await count(door, 'factors', 'user_id = ?', dai), 0);

    // A proof that is too old is given anew: the role that was chosen is still chosen then, and it is said that nothing is done.
    door.clock.forward(minutes(11));
    await ada.press('Change role', { role: 'admin' });
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code() });
    t.regex(ada.text, /Nothing is done yet/);
    t.is(ada.form('Change role').fields.get('role'), 'admin');
    await ada.press('Change role');
    t.regex(ada.text, /The role is changed/);
    const mails = await count(door, 'outbox', '1 = 1');
    await ada.press('Change role', { role: 'admin' });
    t.regex(ada.text, /has this role already/);
    t.is(await count(door, 'outbox', '1 = 1'), mails);
    const chiara = await arrive(door, 'chiara', '/organizations/acme/members', 1);
    t.is(chiara.status, 200);
    await ada.open(`/organizations/acme/members/${await idOf(door, 'chiara')}/remove`);
    await ada.press('Remove');
    t.regex(ada.text, /was removed/);
    await chiara.open('/organizations/acme/members');
    t.is(chiara.status, 404);
  });

  test(`whoever has no business there finds no page: other organizations, members, and other people's ids (T100) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const ids: Record<string, string> = {};
    for (const who of ['ada', 'ben', 'dai', 'gus', 'hal']) ids[who] = await idOf(door, who);
    const routes = (door.apps[0]?.routes.all ?? []).filter(({ path }) =>
      path.startsWith('/organizations/:slug'),
    );
    t.true(routes.length > 8);
    const ada = await arrive(door, 'ada', '/organizations/acme/members');
    const ben = await arrive(door, 'ben', '/account');
    const csrf = (browser: Browser) => /name="_csrf" value="([^"]*)"/.exec(browser.text)?.[1] ?? '';
    const before = JSON.stringify(await state(door));
    const send = async (from: Browser, method: string, path: string) => {
      const browser = from.copy();
      const fields = new URLSearchParams({
        _csrf: csrf(from),
        role: 'owner',
        form: 'now',
        identityCheck: 'in_person',
        reason: 'because',
        requirement: 'recommended',
        methods: 'totp',
        version: 'x',
        name: 'x',
        organization: 'birch',
        slug: 'birch',
        userId: ids.hal ?? '',
      });
      await browser.open(path, method === 'GET' ? undefined : { fields });
      return browser.status;
    };
    for (const { method, path } of routes) {
      // An owner of another organization; a member of this one; and a person of another one under one's own organization.
      const foreign = path.replace(':slug', 'birch').replaceAll(/:\w+/g, String(ids.hal));
      t.is(await send(ada, method, foreign), 404, `owner of Acme: ${method} ${foreign}`);
      const own = path.replace(':slug', 'acme').replaceAll(/:\w+/g, String(ids.dai));
      t.is(await send(ben, method, own), 404, `member: ${method} ${own}`);
      if (path.includes(':id')) {
        for (const id of [ids.hal, 'x', '%00', "' OR 1=1 --"]) {
          const mixed = path.replace(':slug', 'acme').replaceAll(/:\w+/g, encodeURIComponent(String(id)));
          const status = await send(ada, method, mixed);
          t.true([404, 302, 303].includes(status) || status === 404, `${method} ${mixed}: ${status}`);
        }
      }
    }
    t.is(JSON.stringify(await state(door)), before);
    await removeMember(servicesOf(door), await visitAs(door, 'ada'), { userId: ids.dai ?? '' });
  });
}

const state = async (door: FrontDoor) => [
  await door.db.rows(
    'SELECT user_id, organization_id, role, removed_at FROM memberships ORDER BY user_id, organization_id',
  ),
  await door.db.rows('SELECT id, reset_at, security_version FROM users ORDER BY id'),
  await door.db.rows('SELECT id, name, policy FROM organizations ORDER BY id'),
  await door.db.rows('SELECT client_id, name, secret FROM applications ORDER BY client_id'),
];

for (const kind of kinds) {
  test(`an application is registered, tried, changed, and given a new secret that is shown once (${kind})`, async (t) => {
    const door = await open(t, kind);
    const ada = await arrive(door, 'ada', '/organizations/acme/applications-new');
    const wrong: readonly [Record<string, string>, RegExp][] = [
      [{ name: '', redirectUris: 'https://a.test/cb' }, /Enter a name/],
      [{ name: 'Planner', redirectUris: '' }, /is missing/],
      [{ name: 'Planner', redirectUris: 'https://a.test/cb#x' }, /fragment/],
      [{ name: 'Planner', redirectUris: 'javascript:alert(1)' }, /must not use this scheme/],
      [{ name: 'Planner', redirectUris: 'nonsense' }, /absolute address/],
      [{ name: 'Planner', redirectUris: 'not an address' }, /“not an address” must be an absolute address/],
      [{ name: 'Planner', redirectUris: 'https://u:p@a.test/cb' }, /user name or password/],
    ];
    for (const [values, message] of wrong) {
      await ada.press('Save', values);
      t.is(ada.status, 422, JSON.stringify(values));
      t.regex(ada.text, message);
    }
    // What a script asks while something is typed is answered by the same rules, and saves nothing.
    const asked = async (redirectUris: string, language = 'en') => {
      const typing = ada.copy();
      const fields = new URLSearchParams({ _csrf: ada.form('Save').fields.get('_csrf') ?? '', redirectUris });
      await typing.open('/organizations/acme/applications-check?lang='.concat(language), { fields });
      return JSON.parse(typing.text) as { redirectUris: string | null; logoutUris: string | null };
    };
    t.deepEqual(await asked('https://a.test/cb'), { redirectUris: null, logoutUris: null });
    t.regex(
      (await asked('https://a.test/cb\nhttps://a.test/cb#x')).redirectUris ?? '',
      /“https:\/\/a\.test\/cb#x” must have no fragment/,
    );
    t.regex((await asked('javascript:alert(1)', 'de')).redirectUris ?? '', /darf dieses Schema nicht/);
    t.is((await asked('')).redirectUris, null, 'nothing typed is nothing wrong yet');
    await ada.press('Save', {
      name: 'Planner',
      redirectUris: 'http://127.0.0.1:9/cb',
      assurance: 'second_factor',
      organization: 'birch',
      api_scopes: 'members:write',
      first_party: '1',
    });
    const shown = /data-client-secret>([^<]+)</.exec(ada.text)?.[1] ?? '';
    const clientId = /<code[^>]*>([^<]+)<\/code>/.exec(ada.text)?.[1] ?? '';
    t.true(shown.length > 40);
    const row = await door.db.row<{
      organization_id: string;
      metadata: string;
      first_party: number;
      secret: string;
    }>('SELECT * FROM applications WHERE client_id = ?', [clientId]);
    t.is(row?.organization_id, (await visitAs(door, 'ada')).organization.id);
    t.is(JSON.parse(row?.metadata ?? '{}').api_scopes, undefined);
    t.false(row?.secret.includes(shown));
    await ada.open(`/organizations/acme/applications/${clientId}`);
    t.notRegex(ada.text, /data-client-secret/);
    // Of two who change it at once, the second is told, and takes nothing of the first away; also after a mistake of their own.
    const chiara = await arrive(door, 'chiara', `/organizations/acme/applications/${clientId}`);
    const again = chiara.copy();
    await again.press('Save', { redirectUris: 'no address' });
    await ada.press('Save', { name: 'Flight planner' });
    for (const late of [chiara, again]) {
      await late.press('Save', { redirectUris: 'http://127.0.0.1:9/cb', assurance: 'none' });
      t.is(late.status, 409);
      t.regex(late.alert, /Somebody else has changed this application/);
      t.regex(late.text, /value="Flight planner"/);
    }
    t.is(await count(door, 'applications', "name = 'Flight planner' AND assurance = 'second_factor'"), 1);
    // The test sign-in goes the application's way, and says at its end what the application would have got; once.
    const tester = await arrive(door, 'ada', `/organizations/acme/applications/${clientId}`);
    t.regex(tester.text, /href="[^"]+\/test">Test sign-in/);
    await tester.open(`/organizations/acme/applications/${clientId}/test`);
    t.is(tester.heading, 'Sign in');
    await tester.press('Sign in', { email: 'ada@acme.test', password });
    await tester.press('Verify', { code: door.code() });
    nextStep(door);
    await tester.press('Allow');
    t.is(tester.heading, 'What Flight planner would have got');
    const told = JSON.parse(unescaped(/data-id-token>([^<]+)</.exec(tester.text)?.[1]));
    t.like(told, {
      iss: door.issuer,
      aud: clientId,
      sub: await idOf(door, 'ada'),
      acr: 'urn:sallyport:acr:2fa',
    });
    t.deepEqual(told.amr, ['pwd', 'otp', 'mfa']);
    t.true(Number.isInteger(told.auth_time));
    t.like(JSON.parse(unescaped(/data-userinfo>([^<]+)</.exec(tester.text)?.[1])), {
      email: 'ada@acme.test',
      acr: told.acr,
    });
    const result = new URL(tester.url);
    await tester.open(result.pathname + result.search);
    t.is(tester.status, 410);
    await tester.open(
      `${result.pathname}?error=access_denied&error_description=${encodeURIComponent('<b>no')}`,
    );
    t.regex(tester.text, /would have got this error[\s\S]*access_denied[\s\S]*&lt;b&gt;no/);
    await tester.open('/test-sign-in/v1.00000000.AAAA');
    t.is(tester.status, 410);
    // Its address is good for this one application, and not for long.
    const request = { redirect_uri: door.issuer + result.pathname, scope: 'openid' };
    const mallory = door.browser();
    await mallory.authorize({ client_id: 'app', ...request });
    t.is(mallory.heading, 'This application may not send people here');
    // It asks for no more than the application may.
    const { metadata } = (await door.db.row<{ metadata: string }>(
      'SELECT metadata FROM applications WHERE client_id = ?',
      [clientId],
    )) ?? { metadata: '' };
    const scoped = JSON.stringify({ ...JSON.parse(metadata), scope: 'openid profile' });
    await door.db.change('UPDATE applications SET metadata = ? WHERE client_id = ?', [scoped, clientId]);
    await tester.open(`/organizations/acme/applications/${clientId}/test`);
    t.is(tester.heading, 'Sign in');
    await door.db.change('UPDATE applications SET metadata = ? WHERE client_id = ?', [metadata, clientId]);
    // It works, and asks for what was chosen.
    const dai = door.browser();
    await dai.authorize({ client_id: clientId });
    await dai.press('Sign in', { email: 'dai@acme.test', password });
    await dai.press('Verify', { code: door.code() });
    await dai.press('Allow');
    const redeemed = await fetch(`${door.issuer}/token`, {
      method: 'POST',
      headers: {
        Authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(shown)}`).toString('base64')}`,
      },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: dai.callback?.get('code') ?? '',
        redirect_uri: 'http://127.0.0.1:9/cb',
        code_verifier: dai.verifier,
      }),
    });
    t.is(redeemed.status, 200);
    await ada.open(`/organizations/acme/applications/${clientId}/secret`);
    await ada.press('Make a new secret');
    t.not(/data-client-secret>([^<]+)</.exec(ada.text)?.[1], shown);
    // Those of the instance, and of other organizations, are not theirs.
    for (const foreign of ['app', 'sallyport', 'nobody']) {
      await ada.open(`/organizations/acme/applications/${foreign}`);
      t.is(ada.status, 404, foreign);
    }
    // Programs that send their secret in the form are registered as such, and as nothing else by a change of something else.
    for (const [kind, method] of [
      ['confidential_post', 'client_secret_post'],
      [undefined, 'client_secret_post'],
      ['confidential', 'client_secret_basic'],
    ] as const) {
      await ada.open(`/organizations/acme/applications/${clientId}`);
      await ada.press('Save', kind === undefined ? { name: 'Blog' } : { kind });
      const { metadata } = (await door.db.row<{ metadata: string }>(
        'SELECT metadata FROM applications WHERE client_id = ?',
        [clientId],
      )) ?? { metadata: '{}' };
      t.is(JSON.parse(metadata).token_endpoint_auth_method, method);
    }
    await ada.open(`/organizations/acme/applications/${clientId}/remove`);
    await mallory.authorize({ client_id: clientId, ...request });
    t.is(mallory.heading, 'Sign in');
    // What it is worth is asked of what it is when it is written: a key to the API is no admin's to take away, nor is its secret.
    for (const [path, button, sql] of [
      ['secret', 'Make a new secret', 'UPDATE applications SET secret'],
      ['remove', 'Remove', 'DELETE FROM applications'],
    ] as const) {
      await chiara.open(`/organizations/acme/applications/${clientId}/${path}`);
      const end = justBefore(door, sql, () =>
        door.db.change("UPDATE applications SET metadata = REPLACE(metadata, '{', ?) WHERE client_id = ?", [
          '{"api_scopes":["members:read"],',
          clientId,
        ]),
      );
      await chiara.press(button);
      end();
      t.true(chiara.status >= 403, path);
      t.is(await count(door, 'applications', 'client_id = ?', clientId), 1, path);
      await door.db.change(
        'UPDATE applications SET metadata = REPLACE(metadata, \'"api_scopes":["members:read"],\', \'\') WHERE client_id = ?',
        [clientId],
      );
    }
    // Somebody who only changes its name meanwhile stands in nobody's way.
    const end = justBefore(door, 'DELETE FROM applications', () =>
      door.db.change("UPDATE applications SET metadata = REPLACE(metadata, '{', ?) WHERE client_id = ?", [
        '{"client_uri":"https://acme.test/",',
        clientId,
      ]),
    );
    await ada.press('Remove');
    end();
    t.regex(ada.text, /was removed/);
    t.is(await count(door, 'applications', 'client_id = ?', clientId), 0);

    await ada.open('/organizations/acme/members-export?twoFactor=off');
    t.deepEqual(
      ada.text
        .trim()
        .split('\r\n')
        .map((line) => line.split(',')[0]),
      ['email', 'ben@acme.test'],
    );
  });
}

for (const kind of kinds) {
  test(`people are invited one by one or from a list, whose wrong lines are told and left out (${kind})`, async (t) => {
    const door = await open(t, kind);
    const chiara = await arrive(door, 'chiara', '/organizations/acme/members-invite');
    t.regex(chiara.text, /aria-current="true">Members</, 'where one is in the menu');
    await chiara.press('Send invitation', { email: 'nonsense', role: 'member' });
    t.is(chiara.status, 422);
    await chiara.press('Send invitation', { email: 'Tom@new.test', name: 'Tom', role: 'owner' });
    t.is(chiara.status, 422, 'no admin makes an owner');
    await chiara.press('Send invitation', { email: 'Tom@new.test', name: 'Tom', role: 'admin' });
    t.regex(chiara.text, /tom@new\.test/);

    // Who may rule an organization is invited after a fresh proof only, one by one and from a list.
    await chiara.open('/organizations/acme/members-invite');
    for (const [button, fields, kept] of [
      ['Send invitation', { email: 'sly@new.test', name: 'Sly', role: 'admin' }, /value="sly@new\.test"/],
      ['Check the list', { csv: 'sly@new.test,Sly,admin' }, /sly@new\.test,Sly,admin/],
      [
        'Check the list',
        { csv: `${' '.repeat(10_000)}sly@new.test,Sly,admin` },
        /was not kept: enter it once more/,
      ],
      [null, { csv: 'sly@new.test,Sly,admin', confirmed: '1' }, /sly@new\.test,Sly,admin/],
    ] as const) {
      door.clock.forward(minutes(11));
      const form = chiara.form(button ?? 'Check the list');
      for (const [name, value] of Object.entries(fields)) form.fields.set(name, value);
      const late = chiara.copy();
      await late.open(form.action, form);
      t.is(late.heading, 'Sign in', `${button}`);
      await late.press('Sign in', { email: 'chiara@acme.test', password });
      await late.press('Verify', { code: door.code() });
      t.regex(late.text, kept, 'what was typed is there, to be sent by herself');
      t.regex(
        late.text,
        /role="status" tabindex="-1" autofocus>[\s\S]{0,600}You have confirmed that it is you\./,
      );
      t.is(await count(door, 'invitations', "email = 'sly@new.test'"), 0);
      for (const [key, cookie] of late.cookies) chiara.cookies.set(key, cookie);
    }
    door.clock.forward(minutes(11));
    await chiara.open('/organizations/acme/members-invite');
    await chiara.press('Send invitation', { email: 'moe@new.test', role: 'member' });
    t.regex(chiara.text, /moe@new\.test/, 'a member needs none');
    await door.db.change("DELETE FROM invitations WHERE email = 'moe@new.test'");
    await chiara.press('Send invitation', { email: 'sly@new.test', role: 'admin' });
    await chiara.press('Sign in', { email: 'chiara@acme.test', password });
    await chiara.press('Verify', { code: door.code() });
    await chiara.press('Check the list', { csv: 'nothing' });
    t.is(chiara.status, 422);
    const csv =
      'email,name,role\r\nkim@new.test,"Kim, the Second",\r\nada@acme.test,Ada,member\r\nnonsense,X,member\r\neve@new.test,Eve,king\r\nzoe@new.test,Zoe,owner\r\nKIM@new.test,Kim,member\r\n\r\nlea@new.test,=1+1,admin';
    await chiara.press('Check the list', { csv });
    const left = [...chiara.text.matchAll(/<td [^>]*data-label="Line">(\d+)<\/td>/g)].map(([, line]) =>
      Number(line),
    );
    t.deepEqual(left, [3, 4, 5, 6, 7]);
    t.is(await count(door, 'invitations', '1 = 1'), 1);
    await chiara.press('Invite 2 people');
    t.regex(chiara.text, /2 people were invited/);
    const waiting = await door.db.rows<{ email: string; role: string; name: string }>(
      'SELECT email, role, name FROM invitations ORDER BY email',
    );
    t.deepEqual(
      waiting.map(({ email, role, name }) => [email, role, name]),
      [
        ['kim@new.test', 'member', 'Kim, the Second'],
        ['lea@new.test', 'admin', '=1+1'],
        ['tom@new.test', 'admin', 'Tom'],
      ],
    );
    for (const [list, said] of [
      ['', /there is nothing in it yet/],
      ['"open', /quotation mark is never closed/],
      ['name\nkim', /No e-mail addresses were found/],
    ] as const) {
      await chiara.open('/organizations/acme/members-import');
      await chiara.press('Check the list', { csv: list });
      t.is(chiara.status, 422);
      t.regex(chiara.alert, said);
    }
    // Addresses alone, as they come out of a mail; whoever is invited already is left out.
    await chiara.press('Check the list', { csv: '\nnew@list.test\n kim@new.test\nada@acme.test' });
    t.regex(chiara.text, /kim@new\.test[\s\S]*An invitation to this address is open already/);
    t.truthy(chiara.form('Invite 1 person'));
    await chiara.open('/organizations/acme/members-invite');
    await chiara.press('Send invitation', { email: 'tom@new.test', role: 'admin' });
    t.is(chiara.status, 409);
    t.is(await count(door, 'invitations', "email = 'tom@new.test'"), 1);
    // The newest stands first.
    door.clock.forward(seconds(1));
    await chiara.press('Send it again');
    t.regex(chiara.text, /is on its way/);
    t.is(await count(door, 'invitations', "email = 'tom@new.test'"), 2);
    await chiara.press('Send again');
    t.regex(chiara.text, /is on its way/, 'from the list too');
    t.is(await count(door, 'invitations', "email = 'tom@new.test'"), 3);
    await chiara.press('Take back');
    t.regex(chiara.text, /was taken back/);

    // A file, as a spreadsheet of another time writes it, and longer than is done at once.
    await chiara.open('/organizations/acme/members-import');
    const people = Array.from({ length: 502 }, (_, n) => `p${n}@list.test;Zo\u00eb ${n};member`);
    const file = Buffer.from(['email;name;role', ...people, 'nonsense;;'].join('\r\n'), 'latin1');
    const upload = async (content: Buffer) => {
      const body = new FormData();
      body.set('_csrf', chiara.form('Check the list').fields.get('_csrf') ?? '');
      body.set('file', new Blob([new Uint8Array(content)], { type: 'text/csv' }), 'people.csv');
      const response = await fetch(`${door.issuer}/organizations/acme/members-import`, {
        method: 'POST',
        body,
        redirect: 'manual',
        headers: {
          Accept: 'text/html',
          Origin: door.issuer,
          Cookie: [...chiara.cookies.values()].map(({ value }) => value).join('; '),
        },
      });
      chiara.text = await response.text();
      onward = response.headers.get('Location') ?? '';
      return response.status;
    };
    let onward = '';
    t.is(await upload(Buffer.alloc(310_000, 'a')), 413, 'too large');
    await chiara.open('/organizations/acme/members-import');
    t.is(await upload(Buffer.from('no heading')), 422);
    // The spreadsheet itself instead of the list: said so, and not shown as text.
    t.is(await upload(Buffer.from('PK\x03\x04\x14\0\x06\0xl/workbook.xml')), 422);
    t.regex(chiara.alert, /no CSV[\s\S]*Save the list as CSV/);
    t.notRegex(chiara.text, /workbook/);
    t.is(await upload(Buffer.from('\ufeffemail\tname\nuni@code.test\tUni', 'utf16le')), 200);
    t.truthy(chiara.form('Invite 1 person'));
    await chiara.open('/organizations/acme/members-import');
    t.is(await upload(file), 200);
    t.regex(chiara.text, /<b>502<\/b>[\s\S]*<b>1<\/b>/);
    t.is(await count(door, 'invitations', "email LIKE '%list.test'"), 0, 'a file is looked at first');
    await chiara.press('Invite 502 people');
    t.regex(chiara.text, /500 people were invited/);
    t.is(await count(door, 'invitations', "email LIKE '%list.test'"), 500);
    await chiara.press('Go on: 2 more people');
    t.regex(chiara.text, /502 people were invited/);
    t.is(await count(door, 'invitations', "email LIKE '%list.test' AND name LIKE 'Zo\u00eb %'"), 502);
    // What stands in a file is there again after a fresh proof.
    door.clock.forward(minutes(11));
    await chiara.open('/organizations/acme/members-import');
    t.is(await upload(Buffer.from('file@new.test,Filea,admin')), 303);
    await chiara.open(onward);
    await chiara.press('Sign in', { email: 'chiara@acme.test', password });
    await chiara.press('Verify', { code: door.code() });
    t.regex(chiara.text, /You have confirmed that it is you[\s\S]*file@new\.test,Filea,admin/);

    // Whoever reads the preview of a policy can read all of it.
    await door.apply({
      users: Array.from({ length: 60 }, (_, n) => ({
        email: `q${n}@acme.test`,
        memberships: [{ organization: 'acme', role: 'member' }],
      })),
    });
    await chiara.open('/organizations/acme/two-factor?requirement=required_for_all&graceDays=0&methods=totp');
    const mustAct = Number(/data-must-act>(\d+)</.exec(chiara.text)?.[1]);
    const asked = () =>
      [...chiara.text.matchAll(/<small>[^<]* · ([^<]+@[^<]+)<\/small>/g)].map(([, who]) => who);
    const first = asked();
    t.is(first.length, 50);
    await chiara.follow('Next page');
    t.is(new Set([...first, ...asked()]).size, mustAct);
    t.true(mustAct > 60);
    await chiara.follow('First page');
    t.deepEqual(asked(), first);
  });
}

for (const kind of kinds) {
  test(`an owner gives a program access to the API, narrows it at once, renews its secret and ends it; an admin only looks (T100, T102) (${kind})`, async (t) => {
    const door = await open(t, kind);
    const base = '/organizations/acme/api-access';
    const ada = await arrive(door, 'ada', `${base}-new`);
    for (const [wrong, message] of [
      [{ name: '', scopes: 'members:read' }, /Enter a name/],
      [{ name: 'SIEM' }, /Choose at least one/],
      [{ name: 'x'.repeat(201), scopes: 'members:read' }, /Enter a name/],
      [{ name: 'SIEM', scopes: 'everything' }, /Choose at least one/],
      [{ name: 'SIEM', scopes: 'providers:write' }, /Choose at least one/],
    ] as const) {
      await ada.open(`${base}-new`);
      await ada.press('Save', wrong);
      t.is(ada.status, 422, JSON.stringify(wrong));
      t.regex(ada.text, message);
    }
    t.is(await count(door, 'applications', "metadata LIKE '%api_scopes%'"), 0);
    await ada.open(`${base}-new`);
    const form = ada.form('Save');
    // What is pasted with it and cannot be seen is left out.
    form.fields.set('name', 'SI\u202EE\u200BM\uFEFF');
    for (const scope of ['members:read', 'audit:read']) form.fields.append('scopes', scope);
    await ada.open(form.action, form);
    const shown = /data-client-secret>([^<]+)</.exec(ada.text)?.[1] ?? '';
    const clientId = /id="api-client-id">([^<]+)</.exec(ada.text)?.[1] ?? '';
    t.true(shown.length > 40);
    await ada.open(`${base}/${clientId}`);
    t.notRegex(ada.text, /data-client-secret/);

    const tokenOf = async (secretOf: string): Promise<string | undefined> => {
      const response = await fetch(`${door.issuer}/token`, {
        method: 'POST',
        headers: { Authorization: `Basic ${Buffer.from(`${clientId}:${secretOf}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'members:read audit:read' }),
      });
      return ((await response.json()) as { access_token?: string }).access_token;
    };
    const ask = async (token: string | undefined, path: string): Promise<number> =>
      (
        await fetch(`${door.issuer}/api/v1/organizations/${path}`, {
          headers: { Authorization: `Bearer ${token}` },
        })
      ).status;
    const token = await tokenOf(shown);
    t.is(await ask(token, 'acme/members'), 200);
    t.is(await ask(token, 'acme/policy'), 403);
    t.is(await ask(token, 'birch/members'), 404);

    // An admin sees it and cannot change it, on this page or on that of the applications.
    const chiara = await arrive(door, 'chiara', base);
    t.regex(chiara.text, /SIEM[\s\S]*members:read/);
    t.notRegex(chiara.text, /Add an API client/);
    await chiara.open(`/organizations/acme/applications/${clientId}`);
    t.regex(chiara.url, new RegExp(`api-access/${clientId}$`));
    // Nobody signs in to it, so no policy covers it.
    await ada.open('/organizations/acme/two-factor');
    t.regex(ada.text, /Only these:/);
    t.notRegex(ada.text, /SIEM/);
    t.false(chiara.buttons.includes('Save'));
    for (const path of [`${base}-new`, `${base}/${clientId}/secret`, `${base}/${clientId}/remove`]) {
      await chiara.open(path);
      t.is(chiara.status, 404, path);
    }
    const forged = new URLSearchParams({
      _csrf: /name="_csrf" value="([^"]+)"/.exec(chiara.text)?.[1] ?? '',
    });
    await chiara.open(`${base}/${clientId}`, { fields: forged });
    t.true(chiara.status >= 403);

    // What is taken away is gone from tokens that are out; of two who change it at once, the second is told.
    await ada.open(`${base}/${clientId}`);
    const late = ada.copy();
    await ada.press('Save', { scopes: 'audit:read' });
    t.regex(ada.text, /The API client is saved/);
    t.is(await ask(token, 'acme/members'), 403);
    t.is(await ask(token, 'acme/audit-events'), 200);
    await late.press('Save', { scopes: 'policy:write' });
    t.is(late.status, 409);
    await ada.open('/organizations/acme/audit?type=application.changed');
    t.regex(ada.text, /<dt>apiScopes<\/dt><dd>members:read, audit:read → audit:read/);

    await ada.open(`${base}/${clientId}/secret`);
    await ada.press('Make a new secret');
    const renewed = /data-client-secret>([^<]+)</.exec(ada.text)?.[1] ?? '';
    t.is(await tokenOf(shown), undefined);
    t.is(typeof (await tokenOf(renewed)), 'string');
    for (const foreign of ['app', 'sallyport', 'nobody']) {
      await ada.open(`${base}/${foreign}`);
      t.is(ada.status, 404, foreign);
    }
    await ada.open(`${base}/${clientId}/remove`);
    await ada.press('Remove');
    t.regex(ada.text, /No program has access yet/);
    t.is(await ask(token, 'acme/audit-events'), 401);
  });
}
