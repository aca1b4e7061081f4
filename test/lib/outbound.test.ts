import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createOutbound, OutboundError } from '../../lib/outbound.ts';
import { isPublicAddress, readAllowed } from '../../lib/public-address.ts';

async function server(
  t: ExecutionContext,
  answer: (url: string) => { status?: number; headers?: object; body?: string } | null,
) {
  const seen: string[] = [];
  const listening = createServer((req, res) => {
    seen.push(req.url ?? '');
    const given = answer(req.url ?? '');
    if (given) res.writeHead(given.status ?? 200, given.headers as never).end(given.body ?? '');
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    listening.closeAllConnections();
    listening.close();
  });
  return { port: (listening.address() as AddressInfo).port, seen };
}

const refusal = async (t: ExecutionContext, address: string, outbound = createOutbound(readAllowed([]))) =>
  (await t.throwsAsync(outbound(address), { instanceOf: OutboundError }, address))?.reason;

test('an address of a private network is refused however it is written, and nothing is ever sent there (T147)', async (t) => {
  const { port, seen } = await server(t, () => ({}));
  for (const host of [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '0.0.0.0',
    '0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[0:0:0:0:0:ffff:7f00:1]',
    '[::127.0.0.1]',
    '169.254.169.254',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '198.18.0.1',
    '192.0.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '[fd00::1]',
    '[fe80::1]',
    '[ff02::1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::1]',
    '[2002:7f00:1::]',
    '[2001:0:7f00:1::]',
    '[2001:db8::1]',
    '[fec0::1]',
    '１２７.0.0.1',
  ]) {
    t.is(await refusal(t, `http://${host}:${port}/`), 'private address', host);
  }
  // A name that leads to a private address, as a rebinding one does at the moment of the connection.
  t.is(await refusal(t, `http://localhost:${port}/`), 'private address');
  t.deepEqual(seen, []);
});

test('public addresses are public, and what a setting allows may be reached', async (t) => {
  for (const address of [
    '1.1.1.1',
    '93.184.216.34',
    '172.32.0.1',
    '192.0.1.1',
    '2606:4700::1111',
    '2a00:1450::1',
  ]) {
    t.true(isPublicAddress(address), address);
  }
  const { port } = await server(t, (url) => ({ status: 201, body: url }));
  for (const [allowed, address] of [
    ['127.0.0.0/8', '127.0.0.1'],
    ['127.0.0.1', 'localhost'],
    ['localhost', 'LOCALHOST'],
  ] as const) {
    const answer = await createOutbound(readAllowed([allowed, '::1']))(`http://${address}:${port}/x`);
    t.deepEqual([answer.status, String(answer.body)], [201, '/x'], allowed);
  }
  t.throws(() => readAllowed(['10.0.0.0/8', 'no such/host']));
});

test('other protocols, credentials, redirects, long and late answers are of no use (T147)', async (t) => {
  const { port, seen } = await server(t, (url) => {
    if (url === '/away') return { status: 302, headers: { Location: '/private' } };
    if (url === '/long') return { body: 'x'.repeat(2_000_000) };
    if (url === '/late') return null;
    return { body: 'here' };
  });
  const outbound = createOutbound(readAllowed(['127.0.0.1']), 300);
  for (const address of [
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'ftp://127.0.0.1/',
    'data:,x',
    'nothing',
  ]) {
    t.is(await refusal(t, address, outbound), 'only http and https');
  }
  for (const address of ['http://93.184.216.34/keys', 'http://[2606:4700::1111]/']) {
    t.is(await refusal(t, address, outbound), 'http to a public address');
  }
  t.is(await refusal(t, `http://a:b@127.0.0.1:${port}/`, outbound), 'credentials in the address');
  t.is((await outbound(`http://127.0.0.1:${port}/away`)).status, 302);
  t.false(seen.includes('/private'));
  t.is(await refusal(t, `http://127.0.0.1:${port}/long`, outbound), 'answer too large');
  t.is(await refusal(t, `http://127.0.0.1:${port}/late`, outbound), 'ETIMEDOUT');
});
