import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { createConnection } from 'mysql2/promise';
import { apiScopes } from '../../policy/api-scopes.ts';
import type { Browser } from './browser.ts';
import {
  acme,
  application,
  type FrontDoor,
  frontDoor,
  kinds,
  nextStep,
  password,
  redeem,
  secret,
} from './rig.ts';

async function signedIn(door: FrontDoor, who = 'ada', word = password): Promise<Browser> {
  const browser = door.browser();
  await browser.open('/account');
  await browser.press('Sign in', { email: `${who}@acme.test`, password: word });
  if (browser.buttons.includes('Verify')) {
    nextStep(door);
    await browser.press('Verify', { code: door.code() });
  }
  return browser;
}

/** Presses a button and does not follow: where it would lead. */
async function held(browser: Browser, button: string, values: Record<string, string>): Promise<string> {
  const { action, fields } = browser.form(button);
  for (const [name, value] of Object.entries(values)) fields.set(name, value);
  const url = new URL(action, browser.url);
  const response = await fetch(`${browser.addresses[0]}${url.pathname}${url.search}`, {
    method: 'POST',
    body: fields,
    redirect: 'manual',
    headers: {
      Accept: 'text/html',
      Origin: new URL(browser.issuer).origin,
      Cookie: [...browser.cookies.values()]
        .filter(({ path }) => url.pathname.startsWith(path))
        .map(({ value }) => value)
        .join('; '),
    },
  });
  (browser as unknown as { keep(h: string[]): void }).keep(response.headers.getSetCookie());
  return response.headers.get('Location') ?? `none: ${response.status}`;
}

const next = 'seven otters juggle lanterns';

for (const kind of kinds) {
  for (const way of ['password', 'end others'] as const)
    test(`${kind}: a sign-in that was answered and not handed over is over after: ${way} (T154)`, async (t) => {
      const door = await frontDoor(t, kind, { configuration: acme({}, { ada: { totp: secret } }) });
      const ada = await signedIn(door);
      const thief = door.browser();
      await thief.open('/account');
      await thief.press('Sign in', { email: 'ada@acme.test', password });
      nextStep(door);
      const resume = await held(thief, 'Verify', { code: door.code() });
      t.regex(resume, /\/auth\//);
      if (way === 'password') {
        await ada.open('/account/password');
        await ada.press('Change password', { password: next });
        t.regex(ada.text, /Your password is changed/);
      } else {
        await ada.open('/account/sessions');
        const { fields } = ada.form('Sign out');
        await ada.open('/account/sessions/end-others', { fields });
        t.regex(ada.text, /Everywhere else you are signed out/);
      }
      await thief.open(resume);
      t.is(thief.heading, 'This sign-in has ended');
      await thief.open('/account');
      t.not(thief.heading, 'Security', 'the thief is in');
    });

  for (const way of ['password', 'reset', 'admin reset'] as const)
    test(`${kind}: a link to a new address that was asked for before opens nothing after: ${way} (T103)`, async (t) => {
      const door = await frontDoor(t, kind, {
        configuration: acme(
          {},
          {
            ada: { totp: secret, extra: { homeOrganization: 'acme' } },
            own: { role: 'owner', totp: secret },
          },
        ),
      });
      const thief = await signedIn(door);
      await thief.open('/account/email');
      await thief.press(thief.buttons.find((b) => /link|Send|Change/.test(b)) ?? '', {
        email: 'eve@evil.test',
      });
      t.regex(thief.text, /on its way to/);
      const inbox = async (about: RegExp): Promise<string> => {
        const b = door.browser();
        await b.open('/dev/inbox');
        for (const [, link = ''] of b.text.matchAll(/href="(\/dev\/inbox\/[^"]+)"/g)) {
          await b.open(link);
          const found = about.exec(b.text.replace(/<[^>]*>/g, ' '));
          if (found) return found[0];
        }
        return '';
      };
      const link = await inbox(/https?:\/\/\S+\/confirm-email\/[\w-]+/);
      t.not(link, '');
      if (way === 'password') {
        const ada = await signedIn(door);
        await ada.open('/account/password');
        await ada.press('Change password', { password: next });
        t.regex(ada.text, /Your password is changed/);
      } else if (way === 'reset') {
        const b = door.browser();
        await b.open('/forgotten-password');
        await b.press('Send the link', { email: 'ada@acme.test' });
        await b.open(await inbox(/https?:\/\/\S+\/reset-password\/[\w-]+/));
        await b.press('Save the password', { password: next });
        t.is(b.heading, 'Your password is changed');
      } else {
        const own = await signedIn(door, 'own');
        const row = await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [
          'ada@acme.test',
        ]);
        await own.open(`/organizations/acme/members/${row?.id}`);
        await own.open(`/organizations/acme/members/${row?.id}/reset`);
        await own.press('Reset 2FA', {
          form: 'now',
          identityCheck: /<option value="([a-z_]+)"/.exec(own.text)?.[1] ?? '',
          reason: 'stolen',
        });
        t.is((await door.db.rows('SELECT id FROM factors WHERE user_id = ?', [row?.id ?? ''])).length, 0);
      }
      const eve = door.browser();
      await eve.open(link);
      if (eve.status === 200)
        await eve.press(eve.buttons.find((b) => /address|Confirm|Yes|Use/.test(b)) ?? '');
      const row = await door.db.row<{ email: string }>("SELECT email FROM users WHERE email LIKE '%evil%'");
      t.is(row, null, 'the account is now at the thief’s address');
    });

  test(`${kind}: no factor is bound by an interaction of a session that was ended (T154)`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}, { ada: {} }) });
    const ada = await signedIn(door);
    const thief = await signedIn(door);
    await thief.authorize({ acr_values: 'urn:sallyport:acr:2fa' });
    if (thief.totpSecret === '') await thief.press(thief.buttons[0] ?? '', { method: 'totp' });
    t.not(thief.totpSecret, '');
    await ada.open('/account/sessions');
    const ends = [...ada.text.matchAll(/action="(\/account\/sessions\/[^"/]+\/end)"/g)].map(
      ([, url]) => url ?? '',
    );
    const { fields } = ada.form('Sign out');
    for (const end of ends) await ada.open(end, { fields });
    const probe = thief.copy();
    await probe.open('/account');
    t.is(probe.heading, 'Sign in');
    const code = door.code(0, thief.totpSecret);
    await thief.press('Confirm setup', { code });
    const rows = await door.db.rows('SELECT id FROM factors');
    t.is(rows.length, 0, 'a factor was bound by a session that was ended');
  });

  test(`${kind}: a sign-in that is handed over while the password is changed makes no session (T154)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: { totp: secret } }),
      replicas: 1,
    });
    const ada = await signedIn(door);
    await ada.open('/account/password');
    const thief = door.browser();
    await thief.open('/account');
    await thief.press('Sign in', { email: 'ada@acme.test', password });
    nextStep(door);
    const resume = await held(thief, 'Verify', { code: door.code() });
    const change = door.db.change.bind(door.db);
    let go: (() => void) | undefined;
    const reached = new Promise<void>((resolve) => {
      (door.db as { change: typeof change }).change = async (sql, values) => {
        if (/INTO sessions|UPDATE sessions SET id_digest = \?/.test(sql)) {
          resolve();
          await new Promise<void>((then) => {
            go = then;
          });
        }
        return change(sql, values);
      };
    });
    const resuming = thief.open(resume);
    await reached;
    (door.db as { change: typeof change }).change = change;
    await ada.press('Change password', { password: next });
    t.regex(ada.text, /Your password is changed/);
    go?.();
    await resuming;
    t.is(thief.heading, 'This sign-in has ended');
    await thief.open('/account');
    t.is(thief.heading, 'Sign in');
    await ada.open('/account');
    t.is(ada.heading, 'Security', 'whoever has changed it stays');
  });

  test(`${kind}: a page that asked for a passkey before everything was ended elsewhere signs in as ever`, async (t) => {
    const door = await frontDoor(t, kind, { configuration: acme({}, { ada: {} }) });
    const ada = door.browser();
    await ada.open('/account');
    const question = ada.copy();
    await question.open(`${ada.url.replace(/\?.*/, '')}/passkey/question`, {
      fields: ada.form('Sign in').fields,
    });
    t.is(question.status, 200);
    door.clock.forward(5000);
    await door.db.change('UPDATE users SET sessions_valid_after = ?', [door.clock.now().getTime()]);
    door.clock.forward(5000);
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    t.is(ada.heading, 'Security');
  });

  test(`${kind}: a password that is changed while the old one is being checked opens nothing (T154)`, async (t) => {
    // The one at which it is being checked.
    const door = await frontDoor(t, kind, { configuration: acme({}, { ada: {} }), replicas: 1 });
    const ada = await signedIn(door);
    await ada.open('/account/password');
    const thief = door.browser();
    await thief.open('/account');
    const { passwords } = (
      door.apps[0] as {
        services: { passwords: { verify: (hash: string, word: string) => Promise<unknown> } };
      }
    ).services;
    const verify = passwords.verify.bind(passwords);
    let wait: (() => void) | undefined;
    const reached = new Promise<void>((resolve) => {
      passwords.verify = async (hash: string, word: string) => {
        const outcome = await verify(hash, word);
        resolve();
        await new Promise<void>((go) => {
          wait = go;
        });
        return outcome;
      };
    });
    const trying = thief.press('Sign in', { email: 'ada@acme.test', password });
    await reached;
    passwords.verify = verify;
    await ada.press('Change password', { password: next });
    t.regex(ada.text, /Your password is changed/);
    wait?.();
    await trying;
    await thief.open('/account');
    t.not(thief.heading, 'Security', 'signed in by the password of before');
  });
}

for (const kind of kinds)
  for (const meanwhile of ['the person sets up', 'the password is reset', 'all sessions end'] as const)
    test(`${kind}: a set-up is not confirmed by somebody else with the password while ${meanwhile} (T080, T154)`, async (t) => {
      const door = await frontDoor(t, kind, {
        configuration: acme({ requirement: 'required_for_all', graceDays: 0 }, { ada: {} }),
        replicas: 1,
      });
      const [thief, ada] = [door.browser(), door.browser()];
      for (const one of [thief, ada]) {
        await one.open('/account');
        await one.press('Sign in', { email: 'ada@acme.test', password });
        if (one.totpSecret === '')
          await one.press(one.buttons.find((b) => /Authenticator/.test(b)) ?? one.buttons.at(-1) ?? '', {
            method: 'totp',
          });
        t.not(one.totpSecret, '');
      }
      const queue = (
        door.apps[0] as unknown as {
          services: { queue: { run: (task: () => Promise<unknown>) => Promise<unknown> } };
        }
      ).services.queue;
      const run = queue.run;
      let go = () => {};
      const until = new Promise<void>((resolve) => {
        go = resolve;
      });
      const reached = new Promise<void>((resolve) => {
        queue.run = async (task) => {
          resolve();
          await until;
          return run.call(queue, task);
        };
      });
      const confirming = thief.press('Confirm setup', { code: door.code(0, thief.totpSecret) });
      await reached;
      queue.run = run;
      if (meanwhile === 'the person sets up') {
        await ada.press('Confirm setup', { code: door.code(0, ada.totpSecret) });
        t.is(ada.recoveryCodes.length, 8);
      } else if (meanwhile === 'the password is reset') {
        const { resetPassword } = await import('../../flows/reset-password.ts');
        const { makeLink, findLink } = await import('../../flows/one-time-link.ts');
        const { services } = door.apps[0] as never as { services: never };
        const row = await door.db.row<{ id: string; email: string }>(
          "SELECT id, email FROM users WHERE email LIKE 'ada%'",
        );
        const made = makeLink(services, 'reset_password', row?.id ?? '', { email: row?.email ?? '' });
        door.clock.forward(5);
        await door.db.together([made.statement]);
        const link = await findLink(services, 'reset_password', made.url.split('/').at(-1));
        t.is(
          (
            await resetPassword(services, {
              link: link as never,
              password: next,
              origin: { ip: null, userAgent: null } as never,
            })
          ).kind,
          'done',
        );
      } else {
        const { disconnectUser } = await import('../../flows/disconnect-user.ts');
        const { services } = door.apps[0] as never as { services: never };
        const row = await door.db.row<{ id: string }>("SELECT id FROM users WHERE email LIKE 'ada%'");
        door.clock.forward(5);
        await disconnectUser(services, {
          userId: row?.id ?? '',
          reason: 'x',
          scope: { kind: 'all' },
          forgetDevices: false,
          by: { organizationId: null, clientId: null, userId: null },
          origin: { ip: null, userAgent: null } as never,
        });
      }
      go();
      await confirming;
      const factors = await door.db.rows<{ id: string }>('SELECT id FROM factors');
      t.is(factors.length, meanwhile === 'the person sets up' ? 1 : 0, 'the factor of a stranger is bound');
    });

/** Lets the next batch that holds such a statement wait before it is written, as behind a slow line. */
function heldBatch(door: FrontDoor, sql: RegExp): { reached: Promise<void>; go: () => void } {
  const { db } = door.apps[0]?.services ?? {};
  if (!db) throw new Error('no door');
  const together = db.together.bind(db);
  let go = () => {};
  const until = new Promise<void>((resolve) => {
    go = resolve;
  });
  const reached = new Promise<void>((resolve) => {
    db.together = async (batch) => {
      if (batch.some((statement) => sql.test(statement.sql))) {
        db.together = together;
        resolve();
        await until;
      }
      return together(batch);
    };
  });
  return { reached, go };
}

for (const kind of kinds) {
  for (const way of ['reset', 'change', 'disconnect', 'apply'] as const)
    test(`${kind}: what is begun while everything is being ended is over too: ${way} (T154, two servers)`, async (t) => {
      const door = await frontDoor(t, kind, {
        replicas: 2,
        configuration: acme(
          {},
          { ada: { totp: secret } },
          {
            applications: [
              application('stays', {
                grant_types: ['authorization_code', 'refresh_token'],
                firstParty: false,
              }),
            ],
          },
        ),
      });
      const { services } = door.apps[0] as (typeof door.apps)[number];
      const row = await door.db.row<{ id: string; email: string }>('SELECT id, email FROM users');
      const userId = row?.id ?? '';
      const ada = await signedIn(door);
      const stolen = await signedIn(door);
      stolen.replica = 1;
      const late = door.browser(1);
      await late.open('/account');

      const { resetPassword } = await import('../../flows/reset-password.ts');
      const { makeLink, findLink } = await import('../../flows/one-time-link.ts');
      const { disconnectUser } = await import('../../flows/disconnect-user.ts');
      const origin = { ip: null, userAgent: null };
      if (way === 'change') await ada.open('/account/password');
      const made = makeLink(services, 'reset_password', userId, { email: row?.email ?? '' });
      await door.db.together([made.statement]);
      const link = await findLink(services, 'reset_password', made.url.split('/').at(-1));

      const { reached, go } = heldBatch(
        door,
        way === 'disconnect' ? /fresh_factor_since = \?/ : /password_hash = \?/,
      );
      const ending =
        way === 'reset'
          ? resetPassword(services, { link: link as NonNullable<typeof link>, password: next, origin })
          : way === 'change'
            ? ada.press('Change password', { password: next })
            : way === 'apply'
              ? door.apply({ users: [{ email: 'ada@acme.test', password: next }] })
              : disconnectUser(services, {
                  userId,
                  reason: 'x',
                  scope: { kind: 'all' },
                  forgetDevices: false,
                  by: { organizationId: null, clientId: null, userId: null },
                  origin,
                });
      await reached;
      door.clock.forward(5);
      await late.press('Sign in', { email: 'ada@acme.test', password });
      t.true(late.buttons.includes('Verify'));
      await stolen.authorize({ client_id: 'stays', scope: 'openid offline_access', prompt: 'consent' });
      await stolen.press('Allow');
      t.truthy(stolen.callback?.get('code'), `${stolen.heading} ${stolen.buttons}`);
      const given = await redeem(door, stolen, 'stays');
      t.truthy(given.body.refresh_token);
      go();
      await ending;
      const still = await findLink(services, 'reset_password', made.url.split('/').at(-1));
      if (way !== 'disconnect')
        t.is(still, null, 'a link to choose a password, mailed before, is worth nothing');

      nextStep(door);
      await late.press('Verify', { code: door.code() });
      await late.open('/account');
      t.not(late.heading, 'Security', 'signed in by what was proved before the end');
      const refreshed = await door.post(
        '/token',
        { grant_type: 'refresh_token', refresh_token: String(given.body.refresh_token) },
        { clientId: 'stays', replica: 1 },
      );
      t.is(refreshed.body.error, 'invalid_grant');
    });
}

for (const kind of kinds.filter((one) => one !== 'SQLite'))
  test(`${kind}: no session is made while the end of all is written and not yet committed (T154, two servers)`, async (t) => {
    const door = await frontDoor(t, kind, {
      replicas: 2,
      configuration: acme({}, { ada: { totp: secret } }),
    });
    const lock = await createConnection(door.apps[0]?.services.settings.databaseUrl ?? '');
    t.teardown(() => lock.end());
    const waitsAt = async (sql: RegExp) => {
      for (let tries = 0; tries < 500; tries += 1) {
        const [rows] = await lock.query(
          'SELECT info FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
        );
        if ((rows as { info: string | null }[]).some(({ info }) => sql.test(info ?? ''))) return;
        await sleep(10);
      }
      t.fail(`nothing waits at ${sql}`);
    };

    // A session that ends last asks for something while another one is being ended.
    const old = await signedIn(door);
    old.replica = 1;
    await old.open('/account/email');
    nextStep(door);
    const ada = await signedIn(door);
    nextStep(door);
    await signedIn(door);
    await ada.open('/account/sessions');
    const { fields } = ada.form('Sign out');
    const newest = await door.db.row<{ uid_digest: string }>(
      'SELECT uid_digest FROM sessions WHERE account_id IS NOT NULL ORDER BY started_at DESC LIMIT 1',
    );
    await lock.query('START TRANSACTION');
    await lock.query('SELECT * FROM sessions WHERE uid_digest = ? FOR UPDATE', [newest?.uid_digest]);
    const ending = ada.open('/account/sessions/end-others', { fields });
    await waitsAt(/^UPDATE sessions SET ended_at/);
    await old.press('Send the link', { email: 'eve@evil.test' });
    await lock.query('COMMIT');
    await ending;
    t.regex(ada.text, /Everywhere else you are signed out/);
    t.regex(old.text, /on its way to/);
    const links = await door.db.rows(
      "SELECT * FROM one_time_links WHERE purpose = 'confirm_email' AND used_at IS NULL",
    );
    t.is(links.length, 0, 'a link that was asked for in a session that has ended');

    await ada.open('/account/password');
    const thief = door.browser(1);
    await thief.open('/account');
    await thief.press('Sign in', { email: 'ada@acme.test', password });
    nextStep(door);
    const resume = await held(thief, 'Verify', { code: door.code() });
    t.regex(resume, /\/auth\//);

    // The mail comes last in the batch that ends the sessions: until it can be written, nothing of it is committed.
    await lock.query('LOCK TABLES outbox WRITE');
    const changing = ada.press('Change password', { password: next });
    await waitsAt(/outbox/);
    const resuming = thief.open(resume);
    await Promise.race([resuming, sleep(300)]);
    await lock.query('UNLOCK TABLES');
    await Promise.all([changing, resuming]);
    t.regex(ada.text, /Your password is changed/);
    await thief.open('/account');
    t.not(thief.heading, 'Security', 'the thief is in');
  });

for (const kind of kinds)
  test(`${kind}: a code that comes twice leaves no token of use, also at the API and for who was first (T128, two servers)`, async (t) => {
    const door = await frontDoor(t, kind, {
      replicas: 2,
      configuration: acme(
        {},
        { adam: { role: 'admin', totp: secret } },
        { applications: [application('console', { organization: 'acme', api_scopes: [...apiScopes] })] },
      ),
    });
    const resource = `${door.issuer}/api/v1`;
    const adam = door.browser();
    await adam.authorize({ client_id: 'console', scope: 'openid organizations:read', resource });
    await adam.press('Sign in', { email: 'adam@acme.test', password });
    await adam.press('Verify', { code: door.code() });
    const redeemed = (replica: number) =>
      door.post(
        '/token',
        {
          grant_type: 'authorization_code',
          code: adam.callback?.get('code') ?? '',
          redirect_uri: 'http://127.0.0.1:9/cb',
          code_verifier: adam.verifier,
          resource,
        },
        { clientId: 'console', replica },
      );

    // The first has used up the code, and is slow with the token that it gives.
    const { db } = door.apps[0]?.services ?? {};
    if (!db) throw new Error('no door');
    const change = db.change.bind(db);
    let go = () => {};
    const until = new Promise<void>((resolve) => {
      go = resolve;
    });
    const reached = new Promise<void>((resolve) => {
      db.change = async (sql, values) => {
        if (values?.[0] === 'AccessToken') {
          db.change = change;
          resolve();
          await until;
        }
        return change(sql, values);
      };
    });
    const first = redeemed(0);
    await reached;
    t.is((await redeemed(1)).body.error, 'invalid_grant');
    go();
    const { access_token: token } = (await first).body;
    const asked = await fetch(`${resource}/organizations/acme`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    t.is(asked.status, 401);
  });
