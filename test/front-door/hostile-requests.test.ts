import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { acme, application, frontDoor, kinds, signIn } from './rig.ts';

/** Two requests on one connection: what came back until it was closed, or until nothing came any more. */
function onOneConnection(port: number, parts: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => {
      for (const part of parts) socket.write(part);
    });
    socket.setTimeout(8_000, () => socket.destroy());
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => resolve(text));
  });
}

test('a form that is small on the way and huge when unpacked is not unpacked, and nobody waits behind it (T145)', async (t) => {
  const door = await frontDoor(t, 'SQLite', { replicas: 1, configuration: acme({}) });
  const { port, host } = new URL(door.issuer);
  const printed: string[] = [];
  const { error } = console;
  console.error = (...said: unknown[]) => printed.push(said.join(' '));
  t.teardown(() => {
    console.error = error;
  });
  const bomb = gzipSync(Buffer.alloc(20_000_000, 'a'));
  for (const path of ['/forgotten-password', '/interaction/x/login', '/token']) {
    const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${door.issuer}\r\nContent-Type: application/x-www-form-urlencoded\r\n`;
    const text = await onOneConnection(Number(port), [
      `${head}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`,
      bomb,
    ]);
    t.regex(text, /^HTTP\/1\.1 415 .*^Connection: close/ms, path);
    const plain = await onOneConnection(Number(port), [
      `${head}Content-Length: 200000\r\n\r\n`,
      Buffer.alloc(100_000, 'a'),
    ]);
    t.regex(plain, /^HTTP\/1\.1 4\d\d .*^Connection: close/ms, `${path}: the rest is not waited for`);
  }
  t.is((await fetch(`${door.issuer}/healthz`)).status, 200);
  t.deepEqual(printed, [], 'a connection that was closed on its sender is nothing to be told of');
  t.deepEqual(
    door.log.filter((line) => line.includes('"level":50')),
    [],
  );
});

test('an upload that is too large, or breaks off, is the sender’s mistake and not ours, and leaves nothing on the disk (T145)', async (t) => {
  const door = await frontDoor(t, 'SQLite', { replicas: 1, configuration: acme({}) });
  const onDisk = async () => (await readdir(tmpdir())).filter((name) => /^[a-z0-9]{25}$/.test(name));
  const before = new Set(await onDisk());
  const form = new FormData();
  form.set('logo', new Blob([Buffer.alloc(2_000_000, 'x')], { type: 'image/png' }), 'logo.png');
  const answer = await fetch(`${door.issuer}/organizations/acme/branding`, {
    method: 'POST',
    body: form,
    headers: { Origin: door.issuer },
  });
  t.is(answer.status, 413);
  await new Promise<void>((resolve) => {
    const sent = httpRequest(`${door.issuer}/organizations/acme/branding`, {
      method: 'POST',
      headers: {
        Origin: door.issuer,
        'Content-Type': 'multipart/form-data; boundary=x',
        'Content-Length': '1000',
      },
    });
    sent.on('error', () => resolve());
    sent.write('--x\r\nContent-Disposition: form-data; name="logo"; filename="a.png"\r\n\r\nab', () => {
      setTimeout(() => sent.destroy(), 100);
    });
  });
  const send = async (body: string) => {
    const headers = { Origin: door.issuer, 'Content-Type': 'multipart/form-data; boundary=x' };
    const address = `${door.issuer}/organizations/acme/branding`;
    return (await fetch(address, { method: 'POST', body, headers, redirect: 'manual' })).status;
  };
  const part = '--x\r\nContent-Disposition: form-data; name="logo"; filename="a"\r\n';
  // Two files where one may be: the connection is closed on them, so that the answer may not come through.
  const { port, host } = new URL(door.issuer);
  const twoFiles = `${part}\r\n${'x'.repeat(90_000)}\r\n`.repeat(2);
  const head = `POST /organizations/acme/branding HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${door.issuer}\r\nContent-Type: multipart/form-data; boundary=x\r\n`;
  await onOneConnection(Number(port), [
    `${head}Content-Length: ${twoFiles.length + 7}\r\n\r\n`,
    `${twoFiles}--x--\r\n`,
  ]);
  for (const [body, status] of [
    [`${part}\r\nab\r\n${part}Content-Transfer-Encoding: base65\r\n\r\nab\r\n--x--\r\n`, 400],
    [`${part}\r\nab`, 400],
    [`${part.replace('logo', '__proto__')}\r\nab\r\n--x--\r\n`, 303],
  ] as const) {
    t.is(await send(body), status, body);
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.deepEqual(
    door.log.filter((line) => line.includes('request failed')),
    [],
  );
  t.deepEqual(
    (await onDisk()).filter((name) => !before.has(name)),
    [],
  );
});

for (const kind of kinds) {
  test(`${kind}: the code of a device wants a session that exists, and its tries are counted over all addresses that one network has (T072, T142)`, async (t) => {
    const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
    const door = await frontDoor(t, kind, {
      configuration: acme(
        { requirement: 'optional' },
        { ada: {} },
        { applications: [application('tv', { grant_types: ['authorization_code', deviceGrant] })] },
      ),
      settings: { trustProxy: 1 },
    });
    const made = await fetch(`${door.issuer}/device`, {
      method: 'POST',
      headers: { Origin: door.issuer, Cookie: 'sallyport-session=made-up' },
      body: new URLSearchParams({ user_code: 'BBBB-BBBB' }),
    });
    t.is(made.status, 400);
    t.false(door.log.some((line) => line.includes('"level":50')));

    const browser = door.browser();
    await signIn(door, browser);
    await browser.open('/device');
    const { action, fields } = browser.form('Continue');
    fields.set('user_code', 'BBBB-BBBB');
    const statuses: number[] = [];
    for (let n = 0; n < 34; n += 1) {
      await browser.open(action, {
        fields,
        headers: { 'X-Forwarded-For': `2001:db8:7:7::${n.toString(16)}` },
      });
      statuses.push(browser.status);
    }
    t.true(statuses.includes(429), statuses.join(' '));
    await browser.open(action, { fields, headers: { 'X-Forwarded-For': '2001:db8:9::1' } });
    t.not(browser.status, 429, 'another network is not held up');
  });
}
