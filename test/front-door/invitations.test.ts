import test from 'ava';
import { userByEmail } from '../../entities/users.ts';
import { inviteMember, readInvitations, revokeInvitation } from '../../flows/invitations.ts';
import { visitOrganization } from '../../flows/organization-actor.ts';
import { readAudit } from '../../flows/read-audit.ts';
import { days } from '../../lib/clock.ts';
import { acme, type FrontDoor, frontDoor, kinds, password } from './rig.ts';

async function visitAs(door: FrontDoor, email: string, slug = 'acme') {
  const [app] = door.apps;
  const user = await userByEmail(door.db, email);
  if (!app || !user) throw new Error(`nobody is called ${email}`);
  const visit = await visitOrganization(app.services, {
    userId: user.id,
    slug,
    origin: { ip: null, userAgent: null },
  });
  if (!visit) throw new Error(`${email} is not in ${slug}`);
  return { services: app.services, visit };
}

/** Invites, and returns the link of the mail. */
async function invited(
  door: FrontDoor,
  by: string,
  email: string,
  role: 'owner' | 'admin' | 'member' = 'member',
  again = true,
) {
  door.clock.forward(1000);
  const { services, visit } = await visitAs(door, by);
  const outcome = await inviteMember(services, visit, { email, role, again });
  if (outcome.kind !== 'invited') return outcome.kind;
  const browser = door.browser();
  await browser.open('/dev/inbox');
  await browser.open(/href="(\/dev\/inbox\/[^"]+)"/.exec(browser.text)?.[1] ?? '');
  return /https?:\/\/[^\s"<]*\/invitation\/[\w-]+/.exec(browser.text)?.[0] ?? 'no link';
}

for (const kind of kinds) {
  test(`${kind}: an invitation makes an account once, bound to its address, and signs nobody in (T097, T013)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'required_for_all', graceDays: 0 },
        { ada: { role: 'owner' }, chiara: { role: 'admin' }, ben: {} },
      ),
      replicas: 2,
    });
    t.is(await invited(door, 'chiara@acme.test', 'x@acme.test', 'owner'), 'role_too_high');
    t.is(await invited(door, 'ada@acme.test', 'Ben@acme.test '), 'already_member');
    t.is(await invited(door, 'ada@acme.test', 'a@b.test, c@d.test'), 'bad_address');
    await t.throwsAsync(invited(door, 'ben@acme.test', 'x@acme.test'), { name: 'NotPermitted' });

    const link = await invited(door, 'ada@acme.test', 'Tom@acme.test', 'admin');
    const browser = door.browser();
    await browser.open(link);
    t.is(browser.heading, 'Join Acme Aviation');
    await browser.press('Create account', { name: 'Tom <b>', password: 'acmeaviation' });
    t.regex(browser.alert, /close to your name/);
    t.is(browser.form('Create account').fields.get('name'), 'Tom <b>');
    const tries = await Promise.all(
      Array.from({ length: 6 }, async (_, n) => {
        const one = browser.copy();
        one.replica = n % 2;
        await one.press('Create account', {
          // What nobody sees is no part of a name (T115).
          name: 'To\u202Em\r\n\u200B',
          password,
          // Nothing of this counts (T104).
          email: 'ada@acme.test',
          role: 'owner',
          emailVerified: '1',
        });
        return one;
      }),
    );
    t.is(tries.filter(({ heading }) => heading === 'Your account is ready').length, 1);
    t.is((await door.db.rows('SELECT id FROM users')).length, 4);
    const tom = await userByEmail(door.db, 'tom@acme.test');
    t.like(tom, { email_verified: 1, name: 'Tom' });
    const [membership] = await door.db.rows<{ role: string }>(
      'SELECT role FROM memberships WHERE user_id = ? AND removed_at IS NULL',
      [tom?.id ?? ''],
    );
    t.is(membership?.role, 'admin');
    await browser.open('/account');
    t.is(browser.heading, 'Sign in');
    await browser.press('Sign in', { email: 'tom@acme.test', password });
    t.is(browser.heading, 'Set up two-factor authentication', 'the policy holds from the first sign-in on');
    await browser.open(link);
    t.is(browser.status, 410);
  });

  test(`${kind}: an invitation to somebody with an account is for that account, ends in a week, and can be taken back`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { role: 'owner' }, ben: {}, chiara: { role: 'admin' } },
        {
          organizations: [{ slug: 'birch', name: 'Birch', policy: { methods: ['totp'] } }],
          users: [
            {
              email: 'gus@birch.test',
              password,
              emailVerified: true,
              memberships: [{ organization: 'birch', role: 'owner' }],
            },
          ],
        },
      ),
    });
    const first = await invited(door, 'ada@acme.test', 'gus@birch.test');
    t.is(
      await invited(door, 'ada@acme.test', 'Gus@birch.test', 'member', false),
      'already_invited',
      'no second mail without a word',
    );
    const second = await invited(door, 'ada@acme.test', 'gus@birch.test');
    const gus = door.browser();
    await gus.open(first);
    t.is(gus.status, 410, 'the newest counts');

    const ben = door.browser();
    await ben.open(second);
    await ben.follow('Sign in and join');
    await ben.press('Sign in', { email: 'ben@acme.test', password });
    t.regex(ben.text, /This invitation is for gus@birch\.test/);

    await gus.open(second);
    await gus.follow('Sign in and join');
    await gus.press('Sign in', { email: 'gus@birch.test', password });
    t.is(gus.heading, 'Join Acme Aviation?');
    await gus.press('Join');
    t.regex(gus.text, /You belong to Acme Aviation now/);

    const third = await invited(door, 'ada@acme.test', 'new@acme.test');
    const { services, visit } = await visitAs(door, 'ada@acme.test');
    const { rows, total } = await readInvitations(services, visit);
    const [waiting] = rows;
    t.is(total, 1);
    t.is(waiting?.email, 'new@acme.test');
    const { events } = await readAudit(services, visit, { type: 'invitation.sent' }, null);
    t.deepEqual(
      events.map(({ user_id, person_email }) => [user_id, person_email]),
      Array(3).fill([null, null]),
      'the log does not tell which address has an account (T144)',
    );
    const other = await visitAs(door, 'gus@birch.test', 'birch');
    t.false(
      await revokeInvitation(other.services, other.visit, waiting?.id ?? ''),
      'of another organization (T100)',
    );
    t.true(await revokeInvitation(services, visit, waiting?.id ?? ''));
    const admin = await visitAs(door, 'chiara@acme.test');
    t.regex(await invited(door, 'ada@acme.test', 'boss@acme.test', 'owner'), /invitation/);
    t.is(
      await invited(door, 'chiara@acme.test', 'boss@acme.test'),
      'role_too_high',
      'an owner’s is not replaced',
    );
    const [owners] = (await readInvitations(services, visit)).rows;
    await t.throwsAsync(revokeInvitation(admin.services, admin.visit, owners?.id ?? ''), {
      name: 'NotPermitted',
    });
    t.true(await revokeInvitation(services, visit, owners?.id ?? ''));
    await gus.open(third);
    t.is(gus.status, 410);

    const fourth = await invited(door, 'ada@acme.test', 'new@acme.test');
    door.clock.forward(days(7) + 1);
    await gus.open(fourth);
    t.is(gus.status, 410);
    t.is((await readInvitations(services, visit)).total, 0, 'what has ended waits no more');
    t.regex(await invited(door, 'ada@acme.test', 'new@acme.test', 'member', false), /invitation/);
  });
}
