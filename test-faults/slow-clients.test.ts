import { connect, type Socket } from 'node:net';
import test from 'ava';
import { acme, secret } from '../test/front-door/rig.ts';
import { errand, goOn } from '../test/processes/errands.ts';
import { place, sleep } from '../test/processes/process-rig.ts';

/** What came back, and when the server had enough. */
interface Slow {
  readonly what: string;
  readonly socket: Socket;
  text: string;
  closedAfter: number | null;
}

test('clients that send a header each second, a body that never ends, or read nothing, are cut off in time, and nobody else notices (T125)', async (t) => {
  const at = await place(t, 'SQLite');
  const people = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`p${n}`, { totp: secret }]));
  await at.apply(acme({ requirement: 'required_for_all', graceDays: 0, methods: ['totp'] }, people));
  const running = await at.start();
  const { port, host } = new URL(running.url);
  const began = performance.now();
  const clients: Slow[] = [];
  const open = (what: string, first: string, more: () => string) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(first));
    const one: Slow = { what, socket, text: '', closedAfter: null };
    clients.push(one);
    const timer = setInterval(() => socket.writable && socket.write(more()), 1000);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      one.closedAfter ??= performance.now() - began;
    });
    if (what === 'reads nothing') socket.pause();
    else {
      socket.on('data', (bytes) => {
        one.text += String(bytes);
      });
    }
    return socket;
  };
  const post = `POST /token HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000\r\n\r\n`;
  for (let n = 0; n < 150; n += 1) {
    open('headers', `GET / HTTP/1.1\r\nHost: ${host}\r\n`, () => `X-${n}: y\r\n`);
    open('body', post, () => 'a');
    open(
      'reads nothing',
      `GET /jwks HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
      () => `GET /jwks HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    );
  }
  t.teardown(() => {
    for (const { socket } of clients) socket.destroy();
  });
  const times: number[] = [];
  for (let n = 0; n < 38; n += 1) {
    const started = performance.now();
    const one = errand(at, `p${n}`);
    await goOn(one, false);
    times.push(performance.now() - started);
    t.is(one.told, 'signed in');
    await sleep(500);
  }
  await sleep(Math.max(0, 42_000 - (performance.now() - began)));
  const slowest = times.sort((a, b) => a - b).at(-1) ?? 0;
  t.log(
    `whole sign-ins meanwhile: median ${Math.round(times[19] ?? 0)} ms, slowest ${Math.round(slowest)} ms`,
  );
  for (const [what, most] of [
    ['headers', 22_000],
    ['body', 38_000],
  ] as const) {
    const all = clients.filter((one) => one.what === what);
    const last = Math.max(...all.map(({ closedAfter }) => closedAfter ?? Number.POSITIVE_INFINITY));
    t.log(`${what}: the last was cut off after ${Math.round(last)} ms: ${all[0]?.text.split('\r\n')[0]}`);
    t.true(last < most, `${what}: ${last}`);
  }
  t.true(slowest < 3000, `${slowest} ms`);
  t.notRegex(running.output(), /"level":50/);
});
