import test from 'ava';
import { minutes, seconds } from '../../lib/clock.ts';
import { httpSink, mailSink } from '../notifications/support.ts';
import type { Browser } from './browser.ts';
import { count, textedCode } from './evidence.ts';
import { acme, type FrontDoor, frontDoor, kinds, passwordStep, redeem, secret } from './rig.ts';

const number = '+4915112345678';
const policy = { requirement: 'required_for_all', graceDays: 0, methods: ['sms'] };

/** Every server's courier at once, as after a minute of the real ones. */
const deliver = (door: FrontDoor): Promise<unknown> =>
  Promise.all(door.apps.map(({ courier }) => courier.deliverDue()));

async function halfWay(door: FrontDoor): Promise<Browser> {
  door.clock.forward(seconds(1));
  const browser = door.browser();
  await passwordStep(browser);
  return browser;
}

async function choose(browser: Browser, label: string): Promise<void> {
  await browser.follow('Try another way');
  const ways = browser.text.match(/<a class="way".*?<\/a>/gs) ?? [];
  const way = ways.find((html) => html.includes(`<b>${label}</b>`));
  await browser.open(/href="([^"]*)"/.exec(way ?? '')?.[1] ?? '');
}

const gateways = {
  webhook: {
    url: (port: number) => `http://127.0.0.1:${port}/hook`,
    read: (body: string) => JSON.parse(body) as { to: string; text: string },
  },
  Twilio: {
    url: (port: number) => `twilio://AC123:token-canary@127.0.0.1:${port}?from=+15550001111`,
    read: (body: string) => {
      const fields = new URLSearchParams(body);
      return { to: fields.get('To') ?? '', text: fields.get('Body') ?? '' };
    },
  },
};

for (const kind of kinds) {
  for (const [name, gateway] of Object.entries(gateways)) {
    test(`${kind}: mail by SMTP and text messages by ${name} arrive once; with both away people sign in by another factor, and what was said arrives later (T152)`, async (t) => {
      const [smtp, http] = [await mailSink(t), await httpSink(t)];
      const door = await frontDoor(t, kind, {
        configuration: acme(policy),
        replicas: 2,
        settings: { mailUrl: smtp.url, smsUrl: gateway.url(http.port) },
      });
      const setUp = await halfWay(door);
      await setUp.press('Send a code', { phone: number });
      await deliver(door);
      t.is(http.received.length, 1, 'two servers, one message');
      const text = gateway.read(http.received[0]?.body ?? '');
      t.is(text.to, number);
      const code = text.text.slice(0, 6);
      t.true(text.text.startsWith(`${code} is your code for Acme Aviation.`));
      await setUp.press('Confirm setup', { code });
      await setUp.press('Continue', { saved: '1' });
      await deliver(door);
      t.deepEqual(
        smtp.received.map(({ envelope, mail }) => [envelope, mail.subject]),
        [[['ada@acme.test'], 'Two-factor authentication: Text message was set up']],
      );

      // An authenticator app beside it; then both gateways go away.
      await door.apply({
        organizations: [{ slug: 'acme', policy: { methods: ['totp', 'sms'] } }],
        users: [{ email: 'ada@acme.test', factors: { totp: secret } }],
      });
      await Promise.all([smtp.close(), http.close()]);
      door.clock.forward(minutes(20));
      const browser = await halfWay(door);
      const startedAt = performance.now();
      await choose(browser, 'Text message');
      t.true(performance.now() - startedAt < 4000, 'nobody waits for a gateway');
      t.is(browser.status, 200);
      const late = await textedCode(door);
      await deliver(door);
      await choose(browser, 'Authenticator app');
      await browser.press('Verify', { code: door.code(), remember: '1' });
      t.deepEqual((await redeem(door, browser)).claims.amr, ['pwd', 'otp', 'mfa']);
      await deliver(door);
      t.is(await count(door, 'outbox', 'next_at IS NOT NULL'), 2, 'both wait');

      // They come back; the couriers look once more, several times and all at once.
      const again = [await mailSink(t, {}, smtp.port), await httpSink(t, undefined, http.port)] as const;
      for (let round = 0; round < 3; round += 1) {
        door.clock.forward(minutes(1));
        await deliver(door);
      }
      t.deepEqual(
        again[0].received.map(({ mail }) => mail.subject),
        ['A device is now remembered'],
      );
      t.deepEqual(
        again[1].received.map(({ body }) => gateway.read(body).text.slice(0, 6)),
        [late],
      );
      t.false(door.log.join('').includes('token-canary'));
      t.false(door.log.join('').includes(late));
    });
  }
}
