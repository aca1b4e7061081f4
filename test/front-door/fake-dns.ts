import { createSocket } from 'node:dgram';
import dns from 'node:dns';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';

let shared: Promise<Map<string, string>> | null = null;

/** A name server that knows these TXT records and nothing else, for this process. */
export async function fakeDns(t: ExecutionContext, zones: Map<string, string>): Promise<void> {
  shared ??= start();
  const all = await shared;
  const set = zones.set.bind(zones);
  zones.set = (name, value) => {
    all.set(name, value);
    return set(name, value);
  };
  t.teardown(() => {
    for (const name of zones.keys()) all.delete(name);
  });
}

async function start(): Promise<Map<string, string>> {
  const records = new Map<string, string>();
  const socket = createSocket('udp4');
  socket.unref();
  socket.on('message', (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.subarray(at + 1, at + 1 + length).toString());
      at += length + 1;
    }
    const question = query.subarray(12, at + 5);
    const text = records.get(labels.join('.').toLowerCase());
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(text === undefined ? 0x8183 : 0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(text === undefined ? 0 : 1, 6);
    header.writeUInt32BE(0, 8);
    const value = Buffer.from(text ?? '');
    const fixed = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, value.length + 1, value.length]);
    socket.send(
      Buffer.concat(text === undefined ? [header, question] : [header, question, fixed, value]),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  dns.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`]);
  return records;
}
