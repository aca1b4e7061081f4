import test from 'ava';
import { createSmsGateway, isPhoneNumber } from '../../notifications/sms-gateway.ts';
import { httpSink } from './support.ts';

const never = new AbortController().signal;
const text = { id: 'a1', to: '+15555550100', text: 'Your code is 493817 – grüß Gott' };

test('a webhook gets number and text as JSON, with the credentials of its address', async (t) => {
  const sink = await httpSink(t);
  await createSmsGateway(`http://us%40er:p%3Aw@127.0.0.1:${sink.port}/hook?x=1`).send(text, never);
  t.is(sink.received.length, 1);
  const [{ method, url, headers, body }] = sink.received as [(typeof sink.received)[number]];
  t.is(`${method} ${url}`, 'POST /hook?x=1');
  t.deepEqual(JSON.parse(body), { to: text.to, text: text.text });
  t.is(headers['content-type'], 'application/json');
  t.is(headers['idempotency-key'], 'a1');
  t.is(headers.authorization, `Basic ${Buffer.from('us@er:p:w').toString('base64')}`);
});

for (const from of ['+15005550006', '%2B15005550006']) {
  test(`Twilio's API gets number, text and sender ${from} as a form`, async (t) => {
    const sink = await httpSink(t, () => ({ status: 201, body: '{"sid":"SM1"}' }));
    await createSmsGateway(`twilio://AC123:to%2Fken@127.0.0.1:${sink.port}?from=${from}`).send(text, never);
    const [{ method, url, headers, body }] = sink.received as [(typeof sink.received)[number]];
    t.is(`${method} ${url}`, 'POST /2010-04-01/Accounts/AC123/Messages.json');
    t.is(headers.authorization, `Basic ${Buffer.from('AC123:to/ken').toString('base64')}`);
    t.deepEqual(Object.fromEntries(new URLSearchParams(body)), {
      To: text.to,
      From: '+15005550006',
      Body: text.text,
    });
  });
}

test('a messaging service of Twilio can be the sender', async (t) => {
  const sink = await httpSink(t);
  const service = `MG${'0a'.repeat(16)}`;
  await createSmsGateway(`twilio://AC123:token@127.0.0.1:${sink.port}?from=${service}`).send(text, never);
  t.is(new URLSearchParams(sink.received[0]?.body).get('MessagingServiceSid'), service);
});

test('an answer other than 2xx is a failure that tells nothing but its number', async (t) => {
  for (const status of [400, 401, 404, 429, 500, 503]) {
    const sink = await httpSink(t, () => ({ status, body: 'canary' }));
    const error = await t.throwsAsync(createSmsGateway(sink.url).send(text, never));
    t.is(error.message, `the gateway did not take the message: HTTP ${status}`);
  }
});

test('a redirection is not followed', async (t) => {
  const target = await httpSink(t);
  const sink = await httpSink(t, () => ({ status: 307, location: target.url }));
  await t.throwsAsync(createSmsGateway(sink.url).send(text, never), { name: 'GatewayError' });
  t.is(target.received.length, 0);
});

test('a huge answer is not read to its end', async (t) => {
  const sink = await httpSink(t, () => ({ status: 200, body: 'x'.repeat(50_000_000) }));
  const startedAt = performance.now();
  await createSmsGateway(sink.url).send(text, never);
  t.true(performance.now() - startedAt < 3000);
});

test('an attempt that is called off ends, and a gateway that is away is named by its error only', async (t) => {
  const sink = await httpSink(t, () => null);
  await t.throwsAsync(createSmsGateway(sink.url).send(text, AbortSignal.timeout(200)), {
    message: /ETIMEDOUT/,
  });
  const error = await t.throwsAsync(createSmsGateway('http://u:canary@127.0.0.1:1/').send(text, never));
  t.notRegex(JSON.stringify([error.message, error.stack, error.cause]), /canary/);
});

test('only a number in E.164 form is sent to', async (t) => {
  const sink = await httpSink(t);
  const gateway = createSmsGateway(sink.url);
  const hostile: readonly unknown[] = [
    '',
    '15555550100',
    '+05555550100',
    '+1555555',
    '+1555555010012345',
    '+1 555 555 0100',
    '+15555550100\n',
    '+15555550100,+15555550101',
    '+１５５５５５５０１００',
    'ada@acme.test',
    ['+15555550100'],
    null,
  ];
  for (const to of hostile.slice(0, -1)) {
    t.is(isPhoneNumber(to), to === '+1555555', String(to));
  }
  for (const to of hostile.filter((one) => one !== '+1555555')) {
    await t.throwsAsync(gateway.send({ ...text, to: to as string }, never), {
      name: 'UnusableRecipientError',
    });
  }
  t.is(sink.received.length, 0);
});

test('an SMS_URL that cannot be understood is refused without its value', (t) => {
  for (const url of [
    'canary',
    'ftp://canary@host',
    'twilio://canary@host?from=+1555',
    'twilio://AC:canary@host',
    'twilio://A%2FC:canary@host?from=+1555',
  ]) {
    const error = t.throws(() => createSmsGateway(url));
    t.regex(error.message, /SMS_URL/);
    t.notRegex(error.message, /canary/);
  }
});
