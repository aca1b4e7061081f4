import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import test from 'ava';
import { kinds } from '../configuration/fresh-database.ts';
import { acme } from '../front-door/rig.ts';
import { place, sleep } from './process-rig.ts';

const configuration = acme({}, Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`p${n}`, {}])));

for (const kind of kinds) {
  test.serial(
    `${kind}: told to end under load it answers what is under way, takes nothing new, and ends well within ten seconds (T153)`,
    async (t) => {
      const at = await place(t, kind);
      await at.apply(configuration);
      for (const keepAlive of [false, true]) {
        const running = await at.start(0, keepAlive ? { DRAIN_SECONDS: '1' } : {});
        const { port } = new URL(running.url);
        const agent = new Agent({ keepAlive, maxSockets: 50 });
        const forms: { path: string; body: string; cookie: string }[] = [];
        for (let n = 0; n < 12; n += 1) {
          const browser = at.browser();
          await browser.authorize();
          const { action, fields } = browser.form('Sign in');
          fields.set('email', `p${n}@acme.test`);
          fields.set('password', 'correct horse battery staple');
          const cookie = [...browser.cookies.values()].map(({ value }) => value).join('; ');
          forms.push({ path: action, body: fields.toString(), cookie });
        }
        const answers: Promise<number | string>[] = [];
        const bodies: (() => void)[] = [];
        for (const { path, body, cookie } of forms) {
          await new Promise<void>((arrived) => {
            const sent = request({
              host: '127.0.0.1',
              port,
              path,
              method: 'POST',
              agent,
              headers: {
                'Content-Type': 'application/x-www-form-urlencoded',
                'Content-Length': Buffer.byteLength(body),
                Cookie: cookie,
                Origin: at.issuer,
                // The server says when it has begun with the request.
                Expect: '100-continue',
              },
            });
            sent.once('continue', arrived);
            bodies.push(() => sent.end(body));
            answers.push(
              new Promise((resolve) => {
                sent.once('error', (error) => resolve(error.message));
                sent.once('response', (response) => {
                  response.resume();
                  response.once('end', () => resolve(response.statusCode ?? 0));
                });
              }),
            );
            sent.flushHeaders();
          });
        }
        for (const send of bodies) send();
        const began = performance.now();
        running.signal('SIGTERM');
        if (keepAlive) {
          // systemd tells every process of a group, and the primary its workers.
          running.signal('SIGTERM');
          await sleep(200);
          const ready = await fetch(`${running.url}/readyz`);
          t.deepEqual(
            [ready.status, await ready.json(), ready.headers.get('Connection')],
            [503, { status: 'this server is ending' }, 'close'],
            'it asks to be left, and serves meanwhile',
          );
          t.is((await fetch(`${running.url}/healthz`)).status, 200);
        }
        const { code, signal } = await running.exited;
        const took = performance.now() - began;
        t.deepEqual({ code, signal }, { code: 0, signal: null }, `${running.output()}`);
        t.deepEqual(
          (await Promise.all(answers)).filter((status) => status !== 303),
          [],
          `all were answered, kept alive: ${keepAlive}`,
        );
        t.true(took < 10_000, `${took} ms`);
        await t.throwsAsync(fetch(running.url), undefined, 'nothing listens any more');
        agent.destroy();
      }
    },
  );
}

test.serial(
  'a client that never ends its request, or only keeps its connection, cannot keep it from ending',
  async (t) => {
    const at = await place(t, 'SQLite');
    const running = await at.start();
    const { port } = new URL(running.url);
    const sockets = ['', 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf'].map((text) => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(text);
      return socket;
    });
    await fetch(running.url);
    await sleep(200);
    const began = performance.now();
    running.signal('SIGTERM');
    const { code } = await running.exited;
    t.is(code, 0);
    t.true(performance.now() - began < 12_000, `${performance.now() - began} ms`);
    for (const socket of sockets) socket.destroy();
  },
);
