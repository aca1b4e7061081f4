/** As much of a browser as pages without scripts need: cookies with paths, redirects, and forms found by their button. */
export class Browser {
  readonly cookies = new Map<string, { value: string; path: string }>();
  /** Every address that was asked for, in order. */
  readonly visited: string[] = [];
  url = 'about:blank';
  status = 0;
  headers = new Headers();
  text = '';

  async open(address: string, form?: { fields: URLSearchParams; origin: string }): Promise<void> {
    let url = new URL(address);
    let body = form?.fields ?? null;
    for (let redirects = 0; redirects < 15; redirects++) {
      this.visited.push(url.href);
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        body,
        redirect: 'manual',
        headers: { Cookie: this.cookiesFor(url), ...(body && form ? { Origin: form.origin } : {}) },
      });
      this.keep(response.headers.getSetCookie());
      const location = response.headers.get('Location');
      if (!location) {
        this.url = url.href;
        this.status = response.status;
        this.headers = response.headers;
        this.text = await response.text();
        return;
      }
      url = new URL(location, url);
      body = null;
    }
    throw new Error(`too many redirects: ${this.visited.slice(-15).join('\n')}`);
  }

  /** Presses the button with exactly this label, on the page that is open. */
  async press(label: string, typed: Readonly<Record<string, string>> = {}): Promise<void> {
    const forms = this.text.match(/<form[^>]*>.*?<\/form>/gs) ?? [];
    const labelOf = (html = '') => html.replace(/<[^>]*>/g, '').trim();
    const form = forms.find((candidate) =>
      [...candidate.matchAll(/<button[^>]*>(.*?)<\/button>/gs)].some(([, html]) => labelOf(html) === label),
    );
    if (!form) throw new Error(`no button "${label}" at ${this.url}:\n${this.text}`);
    const action = / action="([^"]*)"/.exec(form)?.[1] ?? '';
    const fields = new URLSearchParams();
    for (const [input] of form.matchAll(/<input[^>]*>/g)) {
      fields.append(/ name="([^"]*)"/.exec(input)?.[1] ?? '', / value="([^"]*)"/.exec(input)?.[1] ?? '');
    }
    for (const [name, value] of Object.entries(typed)) fields.set(name, value);
    await this.open(new URL(action, this.url).href, { fields, origin: new URL(this.url).origin });
  }

  has(label: string): boolean {
    return new RegExp(`<button[^>]*>${label}</button>`).test(this.text);
  }

  get heading(): string {
    return /<h1>(.*?)<\/h1>/s.exec(this.text)?.[1] ?? '';
  }

  /** The JSON in the element with this id. */
  json(id: string): Record<string, unknown> {
    const text = new RegExp(`<pre id="${id}">(.*?)</pre>`, 's').exec(this.text)?.[1] ?? 'null';
    return JSON.parse(text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))));
  }

  private cookiesFor({ pathname }: URL): string {
    return [...this.cookies]
      .filter(([, { path }]) => pathname.startsWith(path))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }

  private keep(headers: string[]): void {
    for (const header of headers) {
      const [pair = ''] = header.split(';');
      const [name = '', value = ''] = pair.split('=', 2);
      const path = /;\s*path=([^;]+)/i.exec(header)?.[1] ?? '/';
      if (value) this.cookies.set(name, { value, path });
      else this.cookies.delete(name);
    }
  }
}
