import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import path from 'node:path';
import test from 'ava';
import { eventWords } from '../../http/event-words.ts';
import { place } from '../processes/process-rig.ts';
import { acme, frontDoor, kinds, passwordStep, secret } from './rig.ts';

const deploy = path.resolve(import.meta.dirname, '../../deploy');
const asked = {
  'the dashboard': (
    JSON.parse(readFileSync(`${deploy}/grafana-dashboard.json`, 'utf8')) as {
      panels: { targets?: { expr: string }[] }[];
    }
  ).panels.flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? []),
  'the alert rules': [...readFileSync(`${deploy}/prometheus-rules.yaml`, 'utf8').matchAll(/expr: (.+)/g)].map(
    ([, expr]) => String(expr),
  ),
};

/** Metrics that an expression of Prometheus names, with the labels that it looks at. */
const namesIn = (expr: string) => ({
  metrics: [...expr.matchAll(/\b(?:sallyport|nodejs|process)_[a-z0-9_]+/g)].map(([name]) => name),
  labels: [
    ...[...expr.matchAll(/\bby \(([^)]+)\)/g)].flatMap(([, list]) => String(list).split(/, */)),
    ...[...expr.matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map(([, label]) => String(label)),
  ].filter((label) => label !== 'le' && label !== 'job'),
});

const configuration = acme({}, { ada: { totp: secret } });

for (const kind of kinds) {
  test(`${kind}: /metrics says what happened, by kinds of events and routes, and never who`, async (t) => {
    const door = await frontDoor(t, kind, { configuration, replicas: 1 });
    const metrics = async (headers = {}) => fetch(`${door.issuer}/metrics`, { headers });
    const browser = door.browser();
    await passwordStep(browser);
    await browser.press('Verify', { code: '000000' });
    await browser.press('Verify', { code: door.code() });
    const response = await metrics();
    t.is(response.status, 200);
    t.regex(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    t.regex(text, /^sallyport_events_total\{type="factor\.failed",method="totp",acr=""\} 1$/m);
    t.regex(
      text,
      /^sallyport_events_total\{type="sign_in\.succeeded",method="",acr="urn:sallyport:acr:2fa"\} 1$/m,
    );
    t.regex(
      text,
      /^sallyport_http_request_seconds_count\{method="POST",route="\/interaction\/:uid\/challenge\/:factorId",status="3xx"\} 1$/m,
    );
    t.regex(text, /^sallyport_http_request_seconds_count\{method="GET",route="\/auth",status="3xx"\}/m);
    t.regex(text, /^sallyport_database_up 1$/m);
    t.regex(text, /^nodejs_eventloop_lag_p99_seconds /m);
    const source = readFileSync(path.resolve(deploy, '../http/metrics.ts'), 'utf8');
    for (const [who, expressions] of Object.entries(asked)) {
      t.true(expressions.length > 6, who);
      for (const expr of expressions) {
        const { metrics: names, labels } = namesIn(expr);
        for (const name of names) {
          t.regex(
            text,
            new RegExp(`^# TYPE ${name.replace(/_(bucket|count|sum)$/, '')} `, 'm'),
            `${who}: ${name}`,
          );
        }
        for (const label of labels) t.true(source.includes(`'${label}'`), `${who}: ${label} in ${expr}`);
        for (const [, list] of expr.matchAll(/type=~?"([^"]+)"/g)) {
          for (const type of String(list).split('|')) {
            t.true(type in eventWords, `${who}: no event is called ${type}`);
          }
        }
      }
    }
    t.notRegex(text, /acme\.test|127\.0\.0\.1/, 'nobody is named');
    t.is((await metrics({ 'X-Forwarded-For': '203.0.113.9' })).status, 404, 'nothing is there for others');
    t.is((await metrics({ Via: '1.1 proxy' })).status, 404);
    // A page of somebody's own, whose name leads to this machine by now.
    const named = (path: string, host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        get(`${door.issuer}${path}`, { headers: { Host: host } }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode));
        }).on('error', reject);
      });
    for (const path of ['/metrics', '/dev/inbox', '/DEV/inbox/']) {
      t.is(await named(path, 'rebound.evil.test'), 404, path);
      t.is(await named(path, 'localhost:3000'), 200, path);
    }
    t.is(await named('/healthz', 'rebound.evil.test'), 200);
  });
}

test('with a token, /metrics is for whoever shows it', async (t) => {
  const metricsToken = 'a-token-that-nobody-guesses';
  const door = await frontDoor(t, 'SQLite', { replicas: 1, configuration, settings: { metricsToken } });
  const status = async (authorization: string) =>
    (await fetch(`${door.issuer}/metrics`, { headers: { Authorization: authorization } })).status;
  t.is(await status(`Bearer ${metricsToken}`), 200);
  for (const wrong of ['', 'Bearer', `Bearer ${metricsToken}x`, 'Bearer a-token-that-nobody-guessed']) {
    t.is(await status(wrong), 404, wrong);
  }
});

test('of several processes on one port, /metrics adds up what each has counted', async (t) => {
  const at = await place(t, 'SQLite');
  await at.apply(acme({}, Object.fromEntries(['p1', 'p2', 'p3'].map((name) => [name, { totp: secret }]))));
  const running = await at.start(0, { WORKERS: '2' });
  for (const name of ['p1', 'p2', 'p3']) await passwordStep(at.browser(), name);
  const texts = await Promise.all(
    Array.from({ length: 4 }, async () =>
      (await fetch(`${running.url}/metrics`, { headers: { Connection: 'close' } })).text(),
    ),
  );
  for (const text of texts) {
    const counted = text.matchAll(
      /^sallyport_http_request_seconds_count\{.*route="\/interaction\/:uid\/login",status="3xx".*\} (\d+)$/gm,
    );
    t.is(
      [...counted].reduce((sum, [, n]) => sum + Number(n), 0),
      3,
    );
    t.regex(text, /^sallyport_database_up 1$/m);
  }
});
