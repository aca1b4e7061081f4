import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { nastyHeader } from './values.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 8 });

export interface Sent {
  readonly method: string;
  /** As it stands in the request line. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Exactly these bytes: `fetch` would mend the path and refuse half of the headers. */
export const send = (origin: string, { method, path, headers, body }: Sent): Promise<Got> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin);
    const asked = request(
      {
        agent,
        hostname,
        port,
        method,
        path,
        headers: { ...headers, ...(body === null ? {} : { 'Content-Length': body.length }) },
      },
      (answer) => {
        const parts: Buffer[] = [];
        const got = new Headers();
        for (const [name, values] of Object.entries(answer.headersDistinct)) {
          for (const value of values ?? []) got.append(name, value);
        }
        const status = answer.statusCode ?? 0;
        // Events go on for as long as somebody listens.
        if (got.get('content-type')?.startsWith('text/event-stream')) {
          asked.destroy();
          resolve({ status, headers: got, text: '' });
          return;
        }
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => resolve({ status, headers: got, text: Buffer.concat(parts).toString() }));
      },
    );
    asked.setTimeout(30_000, () => asked.destroy(new Error('no answer within 30 seconds')));
    asked.on('error', reject);
    asked.end(body ?? undefined);
  });

/** Bytes and what they are said to be: mostly as they should be, and every way of getting that wrong. */
export const encoded = (
  text: string,
  type: string,
): fc.Arbitrary<{ body: Buffer; headers: Record<string, string> }> => {
  const as = (body: Buffer | string, headers: Record<string, string> = {}) =>
    fc.constant({ body: Buffer.from(body), headers: { 'Content-Type': type, ...headers } });
  return fc.oneof(
    { weight: 20, arbitrary: as(text) },
    {
      weight: 5,
      arbitrary: fc.oneof(
        as(text.slice(0, Math.floor(text.length / 2))),
        as(`\ufeff${text}`),
        as(Buffer.from(text, 'utf16le'), { 'Content-Type': `${type}; charset=utf-16le` }),
        as(text, { 'Content-Type': `${type}; charset=x-unknown` }),
        as(text, { 'Content-Type': `${type}; charset="` }),
        as(Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe, 0xc0, 0x80])])),
        as(gzipSync(text), { 'Content-Encoding': 'gzip' }),
        as(text, { 'Content-Encoding': 'gzip' }),
        as(text, { 'Content-Encoding': 'br, identity' }),
        ...[
          'text/plain',
          'application/json',
          'application/x-www-form-urlencoded',
          'multipart/form-data',
          '',
        ].map((other) => as(text, { 'Content-Type': other })),
        as('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', {
          'Content-Type': 'multipart/form-data; boundary=x',
        }),
        as(`${'['.repeat(20_000)}${']'.repeat(20_000)}`),
        as(`a${'&a'.repeat(5_000)}`),
        as(''),
        fc.uint8Array({ maxLength: 60 }).chain((bytes) => as(Buffer.from(bytes))),
        nastyHeader.chain((other) => as(text, { 'Content-Type': other })),
      ),
    },
  );
};

/** Headers that a program or a person may send beside what is needed. */
export const strangeHeaders: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  {
    weight: 4,
    arbitrary: fc.dictionary(
      fc.constantFrom(
        'Accept',
        'Accept-Language',
        'Accept-Encoding',
        'If-Match',
        'If-None-Match',
        'Idempotency-Key',
        'Authorization',
        'DPoP',
        'Cookie',
        'Origin',
        'Referer',
        'User-Agent',
        'X-Forwarded-For',
        'X-Forwarded-Host',
        'X-Forwarded-Proto',
        'Forwarded',
        'Range',
        'X-HTTP-Method-Override',
        'traceparent',
        'Access-Control-Request-Method',
        'Sec-Fetch-Site',
      ),
      nastyHeader,
      { maxKeys: 3 },
    ),
  },
);
