import { Agent, type OutgoingHttpHeaders, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly location: string | null;
  readonly text: string;
}

/** Where a server listens, and who it believes to be. */
export interface Address {
  readonly port: number;
  readonly issuer: string;
}

const agent = new Agent({ keepAlive: true });

/** As much of a browser as the hosted pages need, and as little work as that takes: it shares the processors with the servers. */
export class Browser {
  readonly address: Address;
  private readonly cookies = new Map<string, { pair: string; path: string }>();

  constructor(address: Address) {
    this.address = address;
  }

  get(path: string): Promise<Answer> {
    return this.send('GET', path, { Accept: 'text/html' });
  }

  /** Sends the first form of a page: its hidden fields, and what somebody typed. */
  submit(page: string, path: string, typed: Readonly<Record<string, string>>): Promise<Answer> {
    const form = /<form[^>]*method="post"[^>]*>.*?<\/form>/s.exec(page)?.[0];
    if (form === undefined) throw new Error(`${this.address.issuer}${path} shows no form:\n${page}`);
    const action = / action="([^"]*)"/.exec(form)?.[1] ?? path;
    const fields = new URLSearchParams();
    for (const [input] of form.matchAll(/<input[^>]*type="hidden"[^>]*>/g)) {
      fields.set(/ name="([^"]*)"/.exec(input)?.[1] ?? '', / value="([^"]*)"/.exec(input)?.[1] ?? '');
    }
    for (const [name, value] of Object.entries(typed)) fields.set(name, value);
    const headers = { Accept: 'text/html', Origin: this.address.issuer };
    return this.send('POST', action.replaceAll('&amp;', '&'), headers, fields.toString());
  }

  private async send(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    body?: string,
  ): Promise<Answer> {
    const url = path.startsWith(this.address.issuer) ? path.slice(this.address.issuer.length) : path;
    const cookie = this.cookiesFor(url.split('?')[0] ?? '/');
    return exchange(
      this.address,
      method,
      url,
      cookie === '' ? headers : { ...headers, Cookie: cookie },
      body,
      this.keep,
    );
  }

  private cookiesFor(pathname: string): string {
    let header = '';
    for (const { pair, path } of this.cookies.values()) {
      if (path === '/' || pathname === path || pathname.startsWith(`${path}/`)) {
        header += header === '' ? pair : `; ${pair}`;
      }
    }
    return header;
  }

  private readonly keep = (headers: readonly string[]): void => {
    for (const header of headers) {
      const [pair = ''] = header.split(';', 1);
      const name = pair.slice(0, pair.indexOf('='));
      const path = /;\s*path=([^;]+)/i.exec(header)?.[1] ?? '/';
      if (pair.length === name.length + 1) this.cookies.delete(`${name};${path}`);
      else this.cookies.set(`${name};${path}`, { pair, path });
    }
  };
}

/** One request over a connection that is kept. */
export function exchange(
  { port, issuer }: Address,
  method: string,
  path: string,
  headers: OutgoingHttpHeaders = {},
  body?: string,
  onCookies?: (headers: readonly string[]) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        method,
        path,
        headers: {
          ...headers,
          // As a proxy in front that ends TLS would say it; Sallyport knows its own address, and does not listen to this.
          Host: issuer.slice('https://'.length),
          'X-Forwarded-Proto': 'https',
          ...(body === undefined
            ? {}
            : {
                'Content-Type': 'application/x-www-form-urlencoded',
                'Content-Length': Buffer.byteLength(body),
              }),
        },
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.on('error', reject);
        incoming.on('end', () => {
          onCookies?.(incoming.headers['set-cookie'] ?? []);
          resolve({
            status: incoming.statusCode ?? 0,
            location: incoming.headers.location ?? null,
            text,
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
