import { createHash, randomBytes } from 'node:crypto';

const redirectUri = 'http://127.0.0.1:9/cb';

/**
 * As much of a browser as pages without scripts need: cookies with paths, redirects, and forms found by their button. It stops where
 * the application would take over, with the parameters in `callback`.
 */
export class Browser {
  readonly issuer: string;
  readonly addresses: readonly string[];
  /** The one server that it talks to; null where each request goes to another, as a proxy without sticky sessions sends them. */
  #pinned: number | null;
  #turn = 0;
  readonly cookies = new Map<string, { value: string; path: string; attributes: string }>();
  /** Every `Set-Cookie` and address that it has seen. */
  readonly setCookies: string[] = [];
  readonly visited: string[] = [];
  url = 'about:blank';
  status = 0;
  headers = new Headers();
  text = '';
  /** What came back to the application; null while a page is shown. */
  callback: URLSearchParams | null = null;
  verifier = '';
  clientId = 'app';
  /** As its person prefers. */
  language = '';

  constructor(issuer: string, addresses: readonly string[], replica: number | null = 0) {
    this.issuer = issuer;
    this.addresses = addresses;
    this.#pinned = replica;
  }

  /** Which server the next request goes to; cookies and the issuer's address are the same for all. Who sets it stays there. */
  get replica(): number {
    if (this.#pinned !== null) return this.#pinned;
    this.#turn += 1;
    return this.#turn % this.addresses.length;
  }

  set replica(index: number) {
    this.#pinned = index;
  }

  /** Another browser with the same cookies: a second tab, or a thief. */
  copy(): Browser {
    const other = new Browser(this.issuer, this.addresses, this.#pinned);
    other.#turn = this.#turn;
    for (const [key, cookie] of this.cookies) other.cookies.set(key, cookie);
    Object.assign(other, {
      url: this.url,
      status: this.status,
      text: this.text,
      verifier: this.verifier,
      clientId: this.clientId,
    });
    return other;
  }

  /** The application sends the person here. */
  async authorize(params: Readonly<Record<string, string>> = {}): Promise<void> {
    this.verifier = randomBytes(32).toString('base64url');
    const { client_id = 'app' } = params;
    this.clientId = client_id;
    const query = new URLSearchParams({
      client_id,
      response_type: 'code',
      scope: 'openid email profile',
      redirect_uri: redirectUri,
      state: 'state',
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...params,
    });
    await this.open(`${this.issuer}/auth?${query}`);
  }

  async open(
    address: string,
    form?: { fields: URLSearchParams; headers?: Readonly<Record<string, string>> },
  ): Promise<void> {
    let url = new URL(address, this.url === 'about:blank' ? this.issuer : this.url);
    let body = form?.fields ?? null;
    this.callback = null;
    for (let redirects = 0; redirects < 12; redirects += 1) {
      if (url.href.startsWith(redirectUri)) {
        this.callback = url.searchParams;
        return;
      }
      this.visited.push(url.href);
      const response = await fetch(`${this.addresses[this.replica]}${url.pathname}${url.search}`, {
        method: body ? 'POST' : 'GET',
        body,
        redirect: 'manual',
        headers: {
          Accept: 'text/html',
          ...(this.language === '' ? {} : { 'Accept-Language': this.language }),
          Cookie: this.cookiesFor(url),
          ...(body ? { Origin: new URL(this.issuer).origin, ...form?.headers } : {}),
        },
      });
      this.keep(response.headers.getSetCookie());
      const location = response.headers.get('Location');
      this.status = response.status;
      this.headers = response.headers;
      if (!location || response.status < 300 || response.status >= 400) {
        this.url = url.href;
        this.text = await response.text();
        return;
      }
      await response.arrayBuffer();
      url = new URL(location, url);
      body = null;
    }
    throw new Error(`too many redirects: ${this.visited.slice(-12).join('\n')}`);
  }

  /** The form with exactly this button, and what it would send. */
  form(button: string): { action: string; fields: URLSearchParams } {
    const forms = this.text.match(/<form[^>]*>.*?<\/form>/gs) ?? [];
    const label = (html: string) => html.replace(/<[^>]*>/g, '').trim();
    const form = forms.find((candidate) =>
      [...candidate.matchAll(/<button[^>]*>(.*?)<\/button>/gs)].some(
        ([, html = '']) => label(html) === button,
      ),
    );
    if (!form) {
      throw new Error(
        `no button "${button}" at ${this.url} (${this.status} ${this.heading}): ${this.buttons.join(', ')}`,
      );
    }
    const pressed = [...form.matchAll(/<button([^>]*)>(.*?)<\/button>/gs)].find(
      ([, , html = '']) => label(html) === button,
    );
    const own = / formaction="([^"]*)"/.exec(pressed?.[1] ?? '');
    const action = (own ?? / action="([^"]*)"/.exec(form))?.[1] ?? '';
    const fields = new URLSearchParams();
    for (const [input] of form.matchAll(/<input[^>]*>/g)) {
      const name = / name="([^"]*)"/.exec(input)?.[1];
      const type = / type="([^"]*)"/.exec(input)?.[1];
      if (name && (type !== 'checkbox' && type !== 'radio' ? true : / checked/.test(input))) {
        fields.append(name, decode(/ value="([^"]*)"/.exec(input)?.[1] ?? ''));
      }
    }
    for (const [, name = '', options = ''] of form.matchAll(
      /<select[^>]* name="([^"]*)"[^>]*>(.*?)<\/select>/gs,
    )) {
      const chosen =
        /<option value="([^"]*)" selected/.exec(options) ?? /<option value="([^"]*)"/.exec(options);
      fields.append(name, decode(chosen?.[1] ?? ''));
    }
    for (const [, name = '', text = ''] of form.matchAll(
      /<textarea[^>]* name="([^"]*)"[^>]*>(.*?)<\/textarea>/gs,
    )) {
      fields.append(name, decode(text));
    }
    return { action: decode(action), fields };
  }

  /** Fills the form and presses its button. */
  async press(
    button: string,
    values: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { action, fields } = this.form(button);
    for (const [name, value] of Object.entries(values)) fields.set(name, value);
    await this.open(action, { fields, headers });
  }

  async follow(link: string): Promise<void> {
    const found = [...this.text.matchAll(/<a [^>]*href="([^"]*)"[^>]*>(.*?)<\/a>/gs)].find(
      ([, , html = '']) => html.replace(/<[^>]*>/g, '').trim() === link,
    );
    if (!found) throw new Error(`no link "${link}" at ${this.url}`);
    await this.open(decode(found[1] ?? ''));
  }

  get buttons(): string[] {
    return [...this.text.matchAll(/<button[^>]*>(.*?)<\/button>/gs)].map(([, html = '']) =>
      html.replace(/<[^>]*>/g, '').trim(),
    );
  }

  get heading(): string {
    return decode((/<h1[^>]*>(.*?)<\/h1>/s.exec(this.text)?.[1] ?? '').replace(/<[^>]*>/g, '').trim());
  }

  /** What stands in `role="alert"`. */
  get alert(): string {
    return decode(
      (/role="alert"[^>]*>(.*?)<\/(?:p|div|span)>/s.exec(this.text)?.[1] ?? '')
        .replace(/<[^>]*>/g, '')
        .trim(),
    );
  }

  /** The typed secret of a set-up page. */
  get totpSecret(): string {
    return (/data-totp-secret[^>]*>([^<]*)</.exec(this.text)?.[1] ?? '').replace(/\s/g, '');
  }

  get recoveryCodes(): string[] {
    const list = /data-recovery-codes.*?<\/[ou]l>/s.exec(this.text)?.[0] ?? '';
    return [...list.matchAll(/<li[^>]*>(.*?)<\/li>/gs)].map(([, html = '']) =>
      html.replace(/<[^>]*>/g, '').trim(),
    );
  }

  private cookiesFor({ pathname }: URL): string {
    return [...this.cookies.values()]
      .filter(({ path }) => pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .map(({ value }) => value)
      .join('; ');
  }

  private keep(headers: string[]): void {
    for (const header of headers) {
      this.setCookies.push(header);
      const [pair = ''] = header.split(';');
      const [name = '', ...rest] = pair.split('=');
      const path = /;\s*path=([^;]+)/i.exec(header)?.[1] ?? '/';
      const key = `${name};${path}`;
      if (rest.join('=') === '' || /expires=Thu, 01 Jan 1970/i.test(header)) this.cookies.delete(key);
      else this.cookies.set(key, { value: pair, path, attributes: header });
    }
  }
}

const decode = (html: string): string =>
  html
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&amp;/g, '&');
