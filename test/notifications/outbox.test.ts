import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { purgeOutbox, waitingMessages } from '../../entities/outbox.ts';
import { days, hours, minutes, seconds } from '../../lib/clock.ts';
import { newKey, openKeyRing } from '../../lib/key-ring.ts';
import { createInbox } from '../../notifications/inbox.ts';
import { createNotify } from '../../notifications/outbox.ts';
import { createSmsGateway } from '../../notifications/sms-gateway.ts';
import {
  codeMail,
  createPost,
  handClock,
  httpSink,
  kinds,
  mailSink,
  newDatabaseUrl,
  openTestDatabase,
  render,
  write,
} from './support.ts';

for (const kind of kinds) {
  test(`${kind}: a mail arrives once, as text and HTML, marked as sent by a machine`, async (t) => {
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind));
    const sink = await mailSink(t);
    const { notify, courier } = createPost(t, db, { mailUrl: sink.url });

    t.true(await db.together([{ ...notify.mail(codeMail('ada@acme.test', '493817')), rows: 1 }]));
    t.is(await courier.deliverDue(), 1);
    t.is(await courier.deliverDue(), 0);

    t.is(sink.received.length, 1);
    const [{ envelope, mail }] = sink.received as [(typeof sink.received)[number]];
    t.deepEqual(envelope, ['ada@acme.test']);
    t.is(mail.from?.text, '"Sallyport" <no-reply@sallyport.test>');
    t.is(mail.headers.get('auto-submitted'), 'auto-generated');
    t.is(mail.text?.trim(), '493817');
    t.regex(String(mail.html), /493817/);
    t.regex(mail.messageId ?? '', /^<[0-9a-f]{32}@sallyport\.test>$/);
  });

  test(`${kind}: a batch that is undone sends nothing`, async (t) => {
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind));
    const sink = await mailSink(t);
    const { notify, courier } = createPost(t, db, { mailUrl: sink.url });
    const impossible = { sql: 'UPDATE users SET name = ? WHERE id = ?', values: ['x', 'nobody'], rows: 1 };
    t.false(await db.together([notify.mail(codeMail('ada@acme.test', '493817')), impossible]));
    t.is(await courier.deliverDue(), 0);
    t.is(sink.received.length, 0);
  });

  test(`${kind}: the same key is one message, however often it is written`, async (t) => {
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind));
    const sink = await mailSink(t);
    const { notify, courier } = createPost(t, db, { mailUrl: sink.url });
    const notice = () => notify.mail({ ...codeMail('ada@acme.test', '1'), key: 'factor-added:f1' });
    t.true(await db.together([notice(), notice()]));
    await Promise.all([write(db, notice()), write(db, notice())]);
    t.is(await courier.deliverDue(), 1);
    await write(db, notice());
    await write(db, notify.mail({ ...codeMail('ada@acme.test', '2'), key: 'factor-added:f2' }));
    t.is(await courier.deliverDue(), 1);
    t.deepEqual(sink.received.map(({ mail }) => mail.text?.trim()).sort(), ['1', '2']);
  });

  test(`${kind}: two couriers on one database send each of 60 messages once`, async (t) => {
    const url = await newDatabaseUrl(t, kind);
    const sink = await mailSink(t);
    const first = await openTestDatabase(t, url);
    const second = await openTestDatabase(t, url);
    const here = createPost(t, first, { mailUrl: sink.url });
    const there = createPost(t, second, { mailUrl: sink.url, ring: here.ring });
    for (let n = 0; n < 60; n += 1) await write(first, here.notify.mail(codeMail('ada@acme.test', `m${n}`)));

    const sent = await Promise.all([here.courier.deliverDue(), there.courier.deliverDue()]);
    t.is(sent[0] + sent[1], 60);
    t.is(sink.received.length, 60);
    t.is(new Set(sink.received.map(({ mail }) => mail.text)).size, 60);
    t.is((await waitingMessages(first)).count, 0);
  });

  test(`${kind}: while the mail server is down a mail waits, and arrives after`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const { port, close } = await mailSink(t);
    await close();
    const { notify, courier, log } = createPost(t, db, { mailUrl: `smtp://127.0.0.1:${port}` });
    await write(db, notify.mail(codeMail('ada@acme.test', '493817')));

    t.is(await courier.deliverDue(), 0);
    t.is(await courier.deliverDue(), 0);
    t.is(log.lines.length, 1);
    t.regex(log.lines[0] ?? '', /"reason":"ESOCKET ECONNREFUSED"/);
    clock.forward(seconds(10));
    t.is(await courier.deliverDue(), 0);
    const waiting = await waitingMessages(db);
    t.is(waiting.count, 1);
    t.is(waiting.oldestAt?.getTime(), clock.now().getTime() - seconds(10));

    const sink = await mailSink(t, {}, port);
    clock.forward(seconds(29));
    t.is(await courier.deliverDue(), 0);
    clock.forward(seconds(1));
    t.is(await courier.deliverDue(), 1);
    t.is(sink.received.length, 1);
  });

  test(`${kind}: after a day of failures a message is given up on and forgotten`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const sms = { send: () => Promise.reject(new Error('the code is 493817')) };
    const seen: string[] = [];
    const { notify, courier, log } = createPost(t, db, {
      sms,
      observe: (delivery, channel) => seen.push(`${channel} ${delivery}`),
    });
    await write(db, notify.sms({ to: '+15555550100', text: '493817' }));
    for (let hour = 0; hour <= 25; hour += 1) {
      await courier.deliverDue();
      clock.forward(hours(1));
    }
    const row = await db.row<{ failed_at: number | null; message: string; attempts: number }>(
      'SELECT * FROM outbox',
    );
    t.not(row?.failed_at, null);
    t.is(row?.message, '');
    t.is(seen.at(-1), 'sms given_up');
    t.is(seen.filter((one) => one === 'sms given_up').length, 1);
    t.true(Number(row?.attempts) >= 20);
    t.false(log.lines.join().includes('493817'));
  });

  test(`${kind}: a code that is too old is never sent`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const sink = await mailSink(t);
    const { notify, courier, log } = createPost(t, db, { mailUrl: sink.url });
    const expiresAt = new Date(clock.now().getTime() + minutes(10));
    await write(db, notify.mail({ ...codeMail('ada@acme.test', '493817'), expiresAt }));
    clock.forward(minutes(10));
    t.is(await courier.deliverDue(), 0);
    t.is(sink.received.length, 0);
    t.is((await waitingMessages(db)).count, 0);
    t.regex(log.lines.join(), /"reason":"expired"/);
  });

  test(`${kind}: what a process took and died with goes out two minutes later`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const sink = await mailSink(t);
    const { notify, courier } = createPost(t, db, { mailUrl: sink.url });
    await write(db, notify.mail(codeMail('ada@acme.test', '493817')));
    // The other process leased it and said nothing more.
    await db.change('UPDATE outbox SET next_at = next_at + ?, attempts = 1', [minutes(2)]);
    t.is(await courier.deliverDue(), 0);
    clock.forward(minutes(2));
    t.is(await courier.deliverDue(), 1);
    t.is(sink.received.length, 1);
  });

  test(`${kind}: neither the outbox nor the log contains what was said, or to whom`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const secrets = [
      'canary-code',
      'canary-user',
      'canary-name',
      '+15555550177',
      'canary-text',
      'canary-token',
    ];
    const sink = await mailSink(t, {
      onRcptTo: (_address, _session, done) => done(new Error('550 no canary-user here, canary-code')),
    });
    const gateway = await httpSink(t, () => ({ status: 500, body: 'canary-text' }));
    const { notify, courier, log, ring } = createPost(t, db, {
      mailUrl: sink.url,
      sms: createSmsGateway(`http://u:canary-token@127.0.0.1:${gateway.port}/hook`),
    });
    const dump = async () => JSON.stringify(await db.rows('SELECT * FROM outbox')) + log.lines.join('\n');
    const clean = (text: string) => {
      for (const secret of secrets) t.false(text.includes(secret), secret);
    };
    const values = { code: 'canary-code', name: 'canary-name' };
    await write(db, notify.mail({ to: 'canary-user@acme.test', locale: null, template: 'code', values }));
    await write(db, notify.sms({ to: '+15555550177', text: 'canary-text' }));
    clean(await dump());
    await courier.deliverDue();
    t.is(log.lines.length, 2);
    clean(await dump());
    clock.forward(seconds(10));
    const ok = createPost(t, db, { ring, sms: { send: () => Promise.resolve() } });
    t.is(await ok.courier.deliverDue(), 2);
    clean((await dump()) + ok.log.lines.join('\n'));
  });

  test(`${kind}: what was sent is blanked at once and purged after a week; what waits stays`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const sink = await mailSink(t);
    const { notify, courier, ring } = createPost(t, db, { mailUrl: sink.url });
    await write(db, notify.mail(codeMail('ada@acme.test', '493817')));
    await courier.deliverDue();
    t.deepEqual(await db.rows('SELECT message FROM outbox'), [{ message: '' }]);
    t.deepEqual(await createInbox({ db, ring, render, channels: ['email', 'sms'] }).list(), []);
    await write(db, notify.mail(codeMail('ada@acme.test', 'waits')));
    clock.forward(days(7) + 1);
    t.is(await purgeOutbox(db, new Date(clock.now().getTime() - days(7))), 1);
    t.is((await waitingMessages(db)).count, 1);
  });

  test(`${kind}: without gateways everything is in the development inbox at once, newest first`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const { notify, courier, ring } = createPost(t, db);
    const inbox = createInbox({ db, ring, render, channels: ['email', 'sms'] });
    const mail = { ...codeMail('ada@acme.test', '<493817>'), organizationId: 'o-acme' };
    const row = { id: 'o-acme', slug: 'acme', name: 'Acme', policy: '{}', created_at: 0 };
    await write(db, db.insert('organizations', row));
    await write(db, notify.mail(mail));
    clock.forward(1);
    await write(db, notify.sms({ to: '+15555550100', text: 'Your code is 281734' }));

    const before = await inbox.list();
    t.is(await courier.deliverDue(), 2);
    clock.forward(days(1));
    t.is(await courier.deliverDue(), 0);
    t.deepEqual(await inbox.list(), before);
    t.like(before[0], { channel: 'sms', to: '+15555550100', text: 'Your code is 281734', html: null });
    t.like(before[1], { channel: 'email', to: 'ada@acme.test', subject: 'code Acme <493817>' });
    t.regex(before[1]?.html ?? '', /&lt;493817>/);
    t.deepEqual(await inbox.one(before[1]?.id ?? ''), before[1]);
    t.is(await inbox.one('nothing'), null);
    const onlyMail = createInbox({ db, ring, render, channels: ['email'] });
    t.is((await onlyMail.list()).length, 1);
    t.is(await onlyMail.one(before[0]?.id ?? ''), null);
    t.deepEqual(
      await createInbox({ db, ring: openKeyRing(newKey()), render, channels: ['email'] }).list(),
      [],
    );
  });

  test(`${kind}: the development inbox keeps its latest 200`, async (t) => {
    const clock = handClock();
    const db = await openTestDatabase(t, await newDatabaseUrl(t, kind), clock);
    const { notify, courier, ring } = createPost(t, db);
    for (let n = 0; n < 215; n += 1) {
      if (n % 2) clock.forward(1);
      await write(db, notify.sms({ to: '+15555550100', text: `n${n}` }));
    }
    t.is(await courier.deliverDue(), 215);
    const texts = (await createInbox({ db, ring, render, channels: ['sms'] }).list(1000)).map(
      ({ text }) => text,
    );
    t.is(texts.length, 200);
    t.true(texts.includes('n214') && !texts.includes('n13'));
  });
}

test('a mail server that accepts and then says nothing costs one attempt its time, and no text message', async (t) => {
  const db = await openTestDatabase(t, await newDatabaseUrl(t, 'sqlite'));
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const gateway = await httpSink(t);
  const patience = 3000;
  const { notify, courier, log } = createPost(t, db, {
    mailUrl: `smtp://127.0.0.1:${(silent.address() as { port: number }).port}`,
    sms: createSmsGateway(gateway.url),
    patience,
  });
  for (let n = 0; n < 6; n += 1) await write(db, notify.mail(codeMail('ada@acme.test', '1')));
  await write(db, notify.sms({ to: '+15555550100', text: 'hello' }));
  const startedAt = performance.now();
  const done = courier.deliverDue();
  while (gateway.received.length === 0 && performance.now() - startedAt < 0.9 * patience) await sleep(10);
  t.is(gateway.received.length, 1);
  t.is(await done, 1);
  t.true(performance.now() - startedAt < 4 * patience);
  t.is(log.lines.filter((line) => line.includes('"reason":"ETIMEDOUT"')).length, 6);
});

test('a courier that was started looks by itself, and stopping waits for what is under way', async (t) => {
  const db = await openTestDatabase(t, await newDatabaseUrl(t, 'sqlite'));
  let finished = 0;
  const sms = {
    send: async () => {
      await sleep(200);
      finished += 1;
    },
  };
  const { notify, courier } = createPost(t, db, { sms });
  courier.start();
  await write(db, notify.sms({ to: '+15555550100', text: 'one' }));
  for (let waited = 0; finished === 0 && waited < 5000; waited += 50) await sleep(50);
  t.is(finished, 1);
  await courier.deliverDue();
  await write(db, notify.sms({ to: '+15555550100', text: 'two' }));
  courier.wake();
  await sleep(50);
  await write(db, notify.sms({ to: '+15555550100', text: 'three' }));
  await courier.stop();
  t.is(finished, 2);
  courier.wake();
  await sleep(300);
  t.is(finished, 2);
  t.is((await waitingMessages(db)).count, 1);
});

test('a message that was accepted while the database failed is marked later, not sent twice', async (t) => {
  const clock = handClock();
  const db = await openTestDatabase(t, await newDatabaseUrl(t, 'sqlite'), clock);
  let broken = false;
  let sent = 0;
  const flaky: typeof db = {
    ...db,
    change: (sql, values) => (broken ? Promise.reject(new Error('gone')) : db.change(sql, values)),
  };
  const sms = {
    send: async () => {
      sent += 1;
      broken = true;
    },
  };
  const { notify, courier } = createPost(t, flaky, { sms });
  await write(db, notify.sms({ to: '+15555550100', text: 'one' }));
  await t.throwsAsync(courier.deliverDue(), { message: 'gone' });
  broken = false;
  clock.forward(minutes(2));
  t.is(await courier.deliverDue(), 1);
  t.is(sent, 1);
});

test('a database that is away is logged once, not every second', async (t) => {
  const db = await openTestDatabase(t, await newDatabaseUrl(t, 'sqlite'));
  const away: typeof db = { ...db, rows: () => Promise.reject(new Error('password=canary')) };
  const { courier, log } = createPost(t, away);
  courier.wake();
  await sleep(20);
  courier.wake();
  await sleep(20);
  t.deepEqual(log.lines, ['{"level":"error","reason":"unknown","msg":"the outbox cannot be read"}']);
});

test('a statement that is built from rubbish still does not fail its batch', async (t) => {
  const db = await openTestDatabase(t, await newDatabaseUrl(t, 'sqlite'));
  const sink = await mailSink(t);
  const { courier, ring, log } = createPost(t, db, { mailUrl: sink.url });
  const notify = createNotify({ db, ring });
  t.true(
    await db.together([
      notify.mail(codeMail('ada@acme.test, eve@evil.test', '1')),
      notify.mail(codeMail('', '1')),
      notify.mail(codeMail('ada@acme.test', 'x'.repeat(300_000))),
    ]),
  );
  t.is(await courier.deliverDue(), 1);
  t.is(sink.received.length, 1);
  t.is(log.lines.filter((line) => line.includes('unusable recipient')).length, 2);
});
