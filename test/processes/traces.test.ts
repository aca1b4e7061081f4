import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { kinds } from '../configuration/fresh-database.ts';
import { acme, passwordStep, secret } from '../front-door/rig.ts';
import { codeNow, place } from './process-rig.ts';

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
}

const told = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };

for (const kind of kinds) {
  test.serial(
    `${kind}: a collector gets each request with its questions to the database, the log names the same request, and neither names anybody (T137)`,
    async (t) => {
      const bodies: string[] = [];
      const collector = createServer((req, res) => {
        let text = '';
        req.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        req.on('end', () => {
          bodies.push(text);
          res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
        });
      });
      await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
      t.teardown(() => collector.close());
      const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`;

      const at = await place(t, kind);
      await at.apply(acme({}, { ada: { totp: secret } }));
      const running = await at.start(0, {
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        TRUST_PROXY: '1',
        LOG_LEVEL: 'info',
      });
      const browser = at.browser();
      await passwordStep(browser);
      const code = codeNow();
      await browser.press('Verify', { code });
      t.truthy(browser.callback);
      const answer = await fetch(`${running.url}/.well-known/openid-configuration`, {
        headers: {
          'X-Request-Id': 'from-the-proxy-1',
          traceparent: `00-${told.trace}-${told.span}-01`,
        },
      });
      t.is(answer.headers.get('x-request-id'), 'from-the-proxy-1');
      running.signal('SIGTERM');
      await running.exited;

      const spans = bodies.flatMap((body) =>
        (
          JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[] }
        ).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      );
      const login = spans.find(({ name }) => name === 'POST /interaction/:uid/login');
      t.truthy(login, spans.map(({ name }) => name).join(', '));
      const below = spans.filter(({ traceId }) => traceId === login?.traceId).map(({ name }) => name);
      t.true(below.includes('hash'));
      t.true(below.some((name) => name.startsWith('SELECT ')));
      t.true(below.includes('transaction'));
      const discovery = spans.find(({ traceId }) => traceId === told.trace);
      t.is(discovery?.parentSpanId, told.span, 'a trusted proxy’s trace goes on');

      const lines = running
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const line = lines.find(({ route }) => route === '/interaction/:uid/login');
      t.like(line, { msg: 'request', method: 'POST', status: 303, trace: login?.traceId });
      t.regex(String(line?.request), /^[0-9a-f]{16}$/);
      t.true(lines.some(({ request }) => request === 'from-the-proxy-1'));
      for (const secretText of [
        'acme.test',
        'correct horse',
        code,
        secret,
        browser.callback?.get('code') ?? '-',
      ]) {
        t.false(bodies.join('').includes(secretText), secretText);
        t.false(JSON.stringify(lines).includes(secretText), secretText);
      }
    },
  );
}

test('what a stranger says of a request stands neither in the log nor in a trace', async (t) => {
  const at = await place(t, 'SQLite');
  const running = await at.start(0, { LOG_LEVEL: 'info' });
  for (const given of ['from-a-stranger-1', 'x'.repeat(5000), 'two\tlines"}']) {
    const answer = await fetch(`${running.url}/nowhere`, { headers: { 'X-Request-Id': given } });
    t.regex(answer.headers.get('x-request-id') ?? '', /^[0-9a-f]{16}$/);
    t.false(running.output().includes(given));
  }
});
