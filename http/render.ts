import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import ejs from 'ejs';
import { isSingleAddress } from '../lib/email-address.ts';
import { methods } from '../policy/types.ts';
import type { Language, Mails, Pages, Sentence, Texts, Values } from './pages.ts';

export type Translate = (sentence: Sentence, values?: Values) => string;

export interface RenderedMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface Renderer {
  /** The page as HTML; every value is escaped. Throws where a local is missing. */
  render<Name extends keyof Pages>(name: Name, locals: Pages[Name]): string;
  /** One message as subject, plain text and HTML that say the same. */
  renderMail<Name extends keyof Mails>(name: Name, locals: Mails[Name]): RenderedMail;
  /** One text message. */
  renderText<Name extends keyof Texts>(name: Name, locals: Texts[Name]): string;
  /** For the few sentences that stand outside of a view. */
  translator(lang: Language): Translate;
}

export interface RendererOptions {
  /** The folder of the templates; `public/` and `locales/` stand beside it. */
  readonly viewsDir: string;
  /** True: templates and asset hashes are read once. False: again when their file has changed, for development. */
  readonly cache: boolean;
  /** Where `public/` is served. */
  readonly assetsUrl?: string;
}

/** Renders the views of `views/` with what they share: translation, dates, addresses of assets, safe links. */
export function createRenderer({ viewsDir, cache, assetsUrl = '/assets' }: RendererOptions): Renderer {
  const root = path.resolve(viewsDir);
  const once = cache ? remember : (read: (key: string) => unknown) => read;

  const dictionary = once((lang: string) =>
    lang === 'en' ? {} : madeOf(path.join(root, '../locales', `${lang}.json`), 'dictionary', JSON.parse),
  ) as (lang: string) => { readonly [sentence: string]: string };

  const asset = once((name: string) => {
    const version = madeOf(path.join(root, '../public', name), 'version', (content) =>
      createHash('sha256').update(content).digest('hex').slice(0, 10),
    );
    return `${assetsUrl}/${name}?v=${version}`;
  }) as (name: string) => string;

  // EJS copies all values at every include. Ours inherit instead, from a root without a prototype, so that nothing
  // put on Object.prototype can become a value: what the option's name warns of.
  const compile = once((file: string) => {
    const filename = path.join(root, `${file}.ejs`);
    const options = { filename, compileDebug: !cache, unsafePrototypeLocals: true };
    const inText = isPlainText(file) ? { escape: oneLine } : {};
    return madeOf(filename, cache ? 'template' : 'template that knows its lines', (content) =>
      ejs.compile(content, { ...options, ...inText }),
    );
  }) as (file: string) => (locals: object) => string;

  const run = (file: string, inherited: object | null, values: object): string => {
    const scope = Object.assign(Object.create(inherited), values, {
      include: (partial: string, more: object = {}) => run(partialFile(partial), scope, more),
    });
    return compile(file)(scope);
  };

  const tools = (lang: Language) => ({
    t: translate(lang, dictionary(lang)),
    asset,
    href,
    imageSource,
    factorView,
    clock,
    formatDate: (date: Date) => formats[lang].date.format(date),
    formatDay: (date: Date) => formats[lang].day.format(date),
    formatDateTime: (date: Date) => `${formats[lang].dateTime.format(date)} UTC`,
  });

  return {
    render: (name, locals) =>
      run(name, null, { firstDoor: 'Password', invalid: hasError(locals), ...tools(locals.lang), ...locals }),

    renderMail(name, locals) {
      const shared = { ...tools(locals.lang), t: withoutLinks(tools(locals.lang).t) };
      const [first = '', ...rest] = run(`mail/${name}`, null, { ...shared, ...locals })
        .trim()
        .split('\n');
      const subject = first.replace(/^Subject: /, '');
      const paragraphs = rest
        .join('\n')
        .split(/\n\s*\n/)
        .map((paragraph) => paragraph.trim().replace(/\s*\n\s*/g, '\n'))
        .filter((paragraph) => paragraph !== '');
      const html = run('mail/html', null, { ...shared, ...locals, subject, blocks: paragraphs.map(block) });
      return { subject, text: `${paragraphs.join('\n\n')}\n`, html };
    },

    renderText: (name, locals) => run(`sms/${name}`, null, { ...tools(locals.lang), ...locals }).trim(),

    translator: (lang) => translate(lang, dictionary(lang)),
  };
}

function remember(read: (key: string) => unknown): (key: string) => unknown {
  const known = new Map<string, unknown>();
  return (key) => {
    if (!known.has(key)) known.set(key, read(key));
    return known.get(key);
  };
}

/**
 * What is made of a file, made anew when it has changed. To compile a template takes far longer than to run it, and all renderers of
 * a process make the same of it.
 */
function madeOf<Made>(file: string, what: string, make: (content: string) => Made): Made {
  const { mtimeMs, size } = statSync(file);
  const key = `${what} ${file}`;
  const known = made.get(key);
  if (known?.mtimeMs === mtimeMs && known.size === size) return known.value as Made;
  const value = make(readFileSync(file, 'utf8'));
  made.set(key, { mtimeMs, size, value });
  return value;
}

const made = new Map<string, { mtimeMs: number; size: number; value: unknown }>();

/** Includes are written from the folder of the views on: "/partials/head". */
function partialFile(partial: string): string {
  if (!/^(?:\/[a-z-]+)+$/.test(partial)) throw new Error(`no view is called ${partial}`);
  return partial.slice(1);
}

function isPlainText(file: string): boolean {
  return file.startsWith('sms/') || (file.startsWith('mail/') && file !== 'mail/html');
}

/** In plain text, a value can neither begin a line of its own nor a header. */
function oneLine(value: unknown): string {
  return value === undefined || value === null ? '' : String(value).replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** How a paragraph of a mail looks in HTML: a code alone on its line is set large, an address becomes a link. */
function block(paragraph: string): {
  readonly kind: 'code' | 'link' | 'text';
  readonly lines: readonly string[];
} {
  if (/^[\d ]{6,9}$/.test(paragraph)) return { kind: 'code', lines: [paragraph] };
  if (/^https?:\/\/\S+$/.test(paragraph)) return { kind: 'link', lines: [paragraph] };
  return { kind: 'text', lines: paragraph.split('\n') };
}

/**
 * In a mail the only links are ours: mail programs make one of every name that looks like an address, and names are what strangers chose.
 * A blank of no width keeps them from it; an e-mail address stays as it is.
 */
const withoutLinks =
  (t: Translate): Translate =>
  (said, more) => {
    const values = more ?? (typeof said === 'string' ? undefined : said.values);
    const sentence = typeof said === 'string' ? said : said.sentence;
    if (!values) return t(sentence);
    return t(sentence, inert(values));
  };

const inert = (values: Values): Values =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'object'
        ? { ...value, values: inert(value.values) }
        : typeof value === 'string' && !isSingleAddress(value)
          ? unlinked(value)
          : value,
    ]),
  );

const unlinked = (text: string): string =>
  text.replaceAll('://', ':\u200B//').replace(/\.(?=\p{L}{2})/gu, '.\u200B');

function translate(lang: Language, dictionary: { readonly [sentence: string]: string }): Translate {
  const t: Translate = (said, more) => {
    const sentence = typeof said === 'string' ? said : said.sentence;
    const values = more ?? (typeof said === 'string' ? undefined : said.values);
    const known = Object.hasOwn(dictionary, sentence) ? (dictionary[sentence] ?? sentence) : sentence;
    if (!values) return known;
    return plural(lang, known, values.n).replace(/\{(\w+)\}/g, (whole, name) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      return value === undefined ? whole : typeof value === 'object' ? t(value) : String(value);
    });
  };
  return t;
}

/** "{n} day left|{n} days left": the first form for one, the second for the rest. Both are never shown. */
function plural(lang: Language, sentence: string, n: Values[string] | undefined): string {
  if (n === undefined) return sentence;
  const [one = sentence, other = one] = sentence.split('|');
  return formats[lang].plural.select(Number(n)) === 'one' ? one : other;
}

function formatsOf(locale: string) {
  return {
    plural: new Intl.PluralRules(locale),
    date: new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'long', timeZone: 'UTC' }),
    day: new Intl.DateTimeFormat(locale, {
      day: 'numeric',
      month: 'short',
      year: 'numeric',
      timeZone: 'UTC',
    }),
    dateTime: new Intl.DateTimeFormat(locale, {
      day: 'numeric',
      month: 'long',
      year: 'numeric',
      hour: '2-digit',
      minute: '2-digit',
      timeZone: 'UTC',
    }),
  };
}

const formats = { en: formatsOf('en-GB'), de: formatsOf('de') } satisfies Record<Language, unknown>;

/** Seconds as "0:27", for count-downs. */
function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
}

/**
 * An address fit for `href` and `action`: a path of ours, or one of few protocols. Anything else becomes "#".
 * Routes check addresses too; escaping alone would let `javascript:` through.
 */
function href(url: string): string {
  if (/^(?:[/?#](?![/\\])|[/?#]$)[^\p{Cc}]*$/u.test(url)) return url;
  return URL.canParse(url) && linkProtocols.has(new URL(url).protocol) ? url : '#';
}

const linkProtocols = new Set(['http:', 'https:', 'mailto:', 'otpauth:']);

/** An address fit for `src`: a path of ours, https, or a picture inside the page. */
function imageSource(url: string): string {
  if (/^data:image\/(?:png|jpeg|webp|svg\+xml)[;,]/.test(url)) return url;
  const safe = href(url);
  return /^(?:otpauth|mailto):/i.test(safe) ? '#' : safe;
}

/** The body of a factor's page. The list of methods is closed: no other file can be reached by a name. */
function factorView(method: string): string {
  if (!(methods as readonly string[]).includes(method)) throw new Error(`no factor is called ${method}`);
  return `/factors/${method}`;
}

/** True where something that was entered is wrong, so that the page's title says so first and the focus stands there. */
function hasError(locals: object): boolean {
  const isThere = (value: unknown) => value !== undefined && value !== null;
  return (Object.entries(locals) as [string, Record<string, unknown> | null | undefined][]).some(
    ([name, value]) =>
      isThere(value) &&
      (/(?:error|problem)$/i.test(name) ||
        (/problems$/i.test(name) && Object.values(value ?? {}).some(isThere)) ||
        (name === 'note' && value?.tone === 'danger') ||
        isThere(value?.error) ||
        Object.values(value?.errors ?? {}).some(isThere)),
  );
}
