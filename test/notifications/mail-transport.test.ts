import test from 'ava';
import { createMailTransport } from '../../notifications/mail-transport.ts';
import { createPost, mailSink, newDatabaseUrl, openTestDatabase, write } from './support.ts';

const mailFrom = 'Acme <no-reply@acme.test>';
const never = new AbortController().signal;
const mail = { id: 'a1', subject: 'Hello', text: 'Hello\n', html: '<p>Hello</p>', logo: null };

test('names with line breaks stay in their header, and the mail goes to nobody else', async (t) => {
  const db = await openTestDatabase(t, await newDatabaseUrl(t, 'sqlite'));
  const sink = await mailSink(t);
  const { notify, courier } = createPost(t, db, { mailUrl: sink.url });
  const evil =
    'Eve\r\nBcc: eve@evil.test\r\nX-Evil: 1\r\n\r\n<h1>body</h1>\r\n.\r\nRCPT TO:<eve@evil.test>\u2028X-More: 2\0';
  const row = { id: 'evil', slug: 'evil', name: evil, policy: '{}', created_at: 0 };
  await write(db, db.insert('organizations', row));
  await write(
    db,
    notify.mail({
      to: 'ada@acme.test',
      locale: evil,
      template: `code${evil}`,
      values: { name: evil },
      organizationId: 'evil',
    }),
  );
  t.is(await courier.deliverDue(), 1);
  t.is(sink.received.length, 1);
  const [{ envelope, raw, mail: got }] = sink.received as [(typeof sink.received)[number]];
  t.deepEqual(envelope, ['ada@acme.test']);
  t.deepEqual([...got.headers.keys()].sort(), [
    'auto-submitted',
    'content-type',
    'date',
    'from',
    'message-id',
    'mime-version',
    'subject',
    'to',
  ]);
  t.is(raw.split('\r\n\r\n')[0]?.match(/^(?:bcc|x-evil|x-more):/gim), null);
  t.is(got.bcc, undefined);
});

for (const to of [
  'ada@acme.test, eve@evil.test',
  '"eve@evil.test"@acme.test',
  'ada@acme.test\r\nRCPT TO:<eve@evil.test>',
  'team: eve@evil.test;',
  `${'a'.repeat(10_000)}@acme.test`,
  '',
]) {
  test(`nothing is sent to ${JSON.stringify(to).slice(0, 50)}`, async (t) => {
    const sink = await mailSink(t);
    const transport = createMailTransport({ mailUrl: sink.url, mailFrom });
    await t.throwsAsync(transport.send({ ...mail, to }, never), { name: 'UnusableRecipientError' });
    t.is(sink.received.length, 0);
    transport.close();
  });
}

test('where the server says that there is nobody of this address, nothing is tried again; any other refusal is', async (t) => {
  for (const [said, name] of [
    ['550 5.1.1 <gus@acme.test>: no such user', 'UnusableRecipientError'],
    ['556 5.1.10 null MX', 'UnusableRecipientError'],
    ['550 no such user, or so', 'GatewayError'],
    ['550 5.7.1 relaying denied', 'GatewayError'],
    ['451 4.1.1 later', 'GatewayError'],
    ['552 5.2.2 mailbox full 5.1.1', 'GatewayError'],
  ] as const) {
    const sink = await mailSink(t, {
      onRcptTo: (_address, _session, done) =>
        done(Object.assign(new Error(said.slice(4)), { responseCode: Number(said.slice(0, 3)) })),
    });
    const transport = createMailTransport({ mailUrl: sink.url, mailFrom });
    await t.throwsAsync(transport.send({ ...mail, to: 'gus@acme.test' }, never), { name }, said);
    transport.close();
  }
});

test('an international domain is written as A-labels, and names in any script arrive', async (t) => {
  const sink = await mailSink(t);
  const transport = createMailTransport({
    mailUrl: sink.url,
    mailFrom: 'Müller & Söhne <no-reply@müller.example>',
  });
  await transport.send({ ...mail, to: 'ada@例え.jp', subject: 'Grüße an Ada 🛫' }, never);
  // The sink shows U-labels in the envelope; the header is as it was sent.
  t.deepEqual(sink.received[0]?.envelope, ['ada@例え.jp']);
  t.regex(sink.received[0]?.raw ?? '', /^To: ada@xn--r8jz45g\.jp\r$/m);
  t.is(sink.received[0]?.mail.subject, 'Grüße an Ada 🛫');
  t.is(sink.received[0]?.mail.from?.value[0]?.name, 'Müller & Söhne');
  t.is(sink.received[0]?.mail.messageId, '<a1@xn--mller-kva.example>');
  transport.close();
});

test('what looks like a file or an address of content is only text', async (t) => {
  const sink = await mailSink(t);
  const transport = createMailTransport({ mailUrl: sink.url, mailFrom });
  const hostile = { path: '/etc/passwd' } as unknown as string;
  await t.throwsAsync(transport.send({ ...mail, to: 'ada@acme.test', text: hostile }, never), {
    name: 'GatewayError',
    message: /EFILEACCESS/,
  });
  t.is(sink.received.length, 0);
  transport.close();
});

test('user and password of MAIL_URL are used, also with special characters', async (t) => {
  const seen: string[] = [];
  const sink = await mailSink(t, {
    authOptional: false,
    onAuth(auth, _session, done) {
      seen.push(`${auth.username}:${auth.password}`);
      done(null, auth.password === 'p@ss:/%' ? { user: auth.username } : {});
    },
  });
  const { port } = sink;
  const transport = createMailTransport({
    mailUrl: `smtp://us%40er:p%40ss%3A%2F%25@127.0.0.1:${port}`,
    mailFrom,
  });
  await transport.check();
  await transport.send({ ...mail, to: 'ada@acme.test' }, never);
  t.is(seen[0], 'us@er:p@ss:/%');
  t.is(sink.received.length, 1);
  transport.close();

  const wrong = createMailTransport({ mailUrl: `smtp://user:canary@127.0.0.1:${port}`, mailFrom });
  const error = await t.throwsAsync(wrong.send({ ...mail, to: 'ada@acme.test' }, never));
  t.regex(error.message, /EAUTH/);
  t.false(JSON.stringify([error, error.message, error.stack, error.cause]).includes('canary'));
  wrong.close();
});

test('a server that must encrypt and cannot gets nothing', async (t) => {
  const sink = await mailSink(t, { disabledCommands: ['STARTTLS'], hideSTARTTLS: true });
  const transport = createMailTransport({ mailUrl: `${sink.url}?requireTLS=true`, mailFrom });
  await t.throwsAsync(transport.send({ ...mail, to: 'ada@acme.test' }, never), { message: /ETLS/ });
  t.is(sink.received.length, 0);
  transport.close();
});

test('an attempt that is called off ends', async (t) => {
  const sink = await mailSink(t, { onRcptTo: () => {} });
  const transport = createMailTransport({ mailUrl: sink.url, mailFrom });
  await t.throwsAsync(transport.send({ ...mail, to: 'ada@acme.test' }, AbortSignal.timeout(300)), {
    message: /EABORT/,
  });
  transport.close();
});

test('settings that cannot be understood are refused by name, without their value', (t) => {
  const refused = (settings: { mailUrl?: string; mailFrom?: string }, message: RegExp) => {
    const error = t.throws(() => createMailTransport({ mailUrl: 'smtp://127.0.0.1', mailFrom, ...settings }));
    t.regex(error.message, message);
    t.notRegex(error.message, /canary/);
  };
  refused({ mailUrl: 'http://user:canary@host' }, /MAIL_URL/);
  refused({ mailUrl: 'canary' }, /MAIL_URL/);
  refused({ mailUrl: 'smtp://user:canary@host?proxy=1' }, /proxy/);
  refused({ mailUrl: 'smtp://user:canary@host?requireTLS=maybe' }, /requireTLS/);
  refused({ mailFrom: 'Acme' }, /MAIL_FROM/);
  refused({ mailFrom: 'a@acme.test, b@acme.test' }, /MAIL_FROM/);
  refused({ mailFrom: 'Acme <a@acme.test>, <b@acme.test>' }, /MAIL_FROM/);
});

test('a logo goes along inside the mail, so that nobody is told that it was opened', async (t) => {
  const sink = await mailSink(t);
  const transport = createMailTransport({ mailUrl: sink.url, mailFrom });
  const picture = Buffer.from('89504e470d0a1a0a', 'hex');
  const logo = { type: 'image/png', data: picture.toString('base64') };
  await transport.send({ ...mail, html: '<img src="cid:logo" alt="">', logo, to: 'ada@acme.test' }, never);
  const [got] = sink.received;
  t.deepEqual(
    got?.mail.attachments.map(({ cid, contentType, related, content }) => [
      cid,
      contentType,
      related,
      content,
    ]),
    [['logo', 'image/png', true, picture]],
  );
  t.notRegex(got?.raw ?? '', /https?:/);
  transport.close();
});
