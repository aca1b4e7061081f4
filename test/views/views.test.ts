import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { storedName } from '../../http/device-name.ts';
import { galleryMails, galleryPages } from '../../http/gallery.ts';
import { mailRenderer } from '../../http/mails.ts';
import { languages } from '../../http/pages.ts';
import { createRenderer, type RenderedMail, type Renderer } from '../../http/render.ts';
import { renderPage } from './gallery-server.ts';
import { hostileStrings, withHostileValues } from './hostile.ts';

const root = path.resolve(import.meta.dirname, '../..');
const renderer = createRenderer({ viewsDir: path.join(root, 'views'), cache: true });
const views = globSync('views/**/*.ejs', { cwd: root });
const source = (view: string) => readFileSync(path.join(root, view), 'utf8');

interface Tag {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** The tags of a page. Our attributes always stand in double quotes, so a value that broke out would show as one more. */
function tagsOf(html: string): readonly Tag[] {
  return [...html.matchAll(/<([a-z][^\s>]*)((?:"[^"]*"|[^">])*)>/gi)].map(([, name = '', rest = '']) => ({
    name: name.toLowerCase(),
    attributes: new Map(
      [...rest.matchAll(/([^\s="/]+)(?:="([^"]*)")?/g)].map(([, key = '', value = '']) => [
        key.toLowerCase(),
        value,
      ]),
    ),
  }));
}

function renderMail(
  renderer: Renderer,
  mail: { readonly name: string; readonly locals: object },
): RenderedMail {
  return (renderer.renderMail as (name: string, locals: object) => RenderedMail)(mail.name, mail.locals);
}

const sentenceKeys = new Set([
  'label',
  'description',
  'title',
  'advice',
  'error',
  'emailError',
  'passwordError',
  'button',
  'section',
]);

/** The English sentences that a route gives to a page. */
function sentencesIn(value: unknown, key = ''): readonly string[] {
  if (typeof value === 'string') return sentenceKeys.has(key) ? [value] : [];
  if (value === null || typeof value !== 'object') return [];
  if ('tone' in value && 'text' in value) {
    return typeof value.text === 'string' ? [value.text] : sentencesIn(value.text);
  }
  return Object.entries(value).flatMap(([name, item]) =>
    sentencesIn(item, key === 'scopes' || key === 'consequences' ? 'label' : name),
  );
}

/** What holds of every page, whatever stands in it. */
function faultsOf(html: string): readonly string[] {
  const tags = tagsOf(html);
  const faults: string[] = [];
  const named = (name: string) => tags.filter((tag) => tag.name === name);
  if (named('h1').length !== 1) faults.push(`${named('h1').length} h1`);
  if (named('main').length !== 1) faults.push(`${named('main').length} main`);
  const scripts = named('script').map((tag) => tag.attributes.get('src') ?? 'inline');
  if (scripts.length !== 1 || !/^\/assets\/sallyport\.js\?v=[0-9a-f]{10}$/.test(scripts[0] ?? '')) {
    faults.push(`scripts: ${scripts.join(' ')}`);
  }
  if (named('style').length > 0) faults.push('style element');
  if (html.includes('[object')) faults.push('a value that is no text');
  const firstFocus = tags.find(({ attributes }) => attributes.has('autofocus'))?.attributes;
  const isWrong = tags.some(
    ({ attributes }) => attributes.has('autofocus') && attributes.has('aria-invalid'),
  );
  if (isWrong && !firstFocus?.has('aria-invalid') && firstFocus?.get('role') !== 'alert') {
    faults.push('the focus stands on something else than what is wrong');
  }

  const labels = new Set(named('label').map((tag) => tag.attributes.get('for')));
  const ids = tags.flatMap((tag) => tag.attributes.get('id') ?? []);
  if (new Set(ids).size !== ids.length) faults.push('an id twice');
  for (const { name, attributes } of tags) {
    for (const key of attributes.keys()) {
      if (key === 'style' || key.startsWith('on')) faults.push(`${key} on ${name}`);
      if (!/^[a-z-]+$/i.test(key)) faults.push(`attribute ${key}`);
    }
    for (const key of ['href', 'action', 'src', 'formaction']) {
      const url = attributes.get(key);
      if (url === undefined) continue;
      const known = /^(?:[/?#]|https?:|mailto:|otpauth:|data:image\/png;base64,)/.test(url);
      if (!known || /^\/[/\\]/.test(url)) faults.push(`${key}="${url}"`);
    }
    for (const key of ['aria-describedby', 'aria-labelledby']) {
      for (const id of attributes.get(key)?.split(' ') ?? []) {
        if (!ids.includes(id)) faults.push(`${key} to nothing: ${id}`);
      }
    }
    if (name !== 'input' || attributes.get('type') === 'hidden') continue;
    const type = attributes.get('type') ?? '';
    if (!labels.has(attributes.get('id')) && !attributes.has('aria-labelledby'))
      faults.push('input without label');
    if (
      type !== 'checkbox' &&
      type !== 'radio' &&
      !(attributes.has('autocomplete') && attributes.has('inputmode'))
    ) {
      faults.push('input without autocomplete or inputmode');
    }
  }
  for (const form of html.match(/<form.*?<\/form>/gs) ?? []) {
    // What is on its way to an application carries nothing of ours.
    if (form.includes('data-on-its-way')) continue;
    if (form.includes('method="post"') && form.match(/name="_csrf"/g)?.length !== 1)
      faults.push('form without _csrf');
  }
  return faults;
}

for (const lang of languages) {
  test(`every page in every state is whole, in ${lang}`, (t) => {
    for (const page of galleryPages(lang)) {
      t.deepEqual(faultsOf(renderPage(renderer, page)), [], `${page.name}, ${page.state}`);
    }
  });
}

test('whatever people and organizations are called, no page runs it', (t) => {
  for (const hostile of hostileStrings) {
    for (const page of galleryPages()) {
      const html = renderPage(renderer, withHostileValues(page, hostile));
      const faults = faultsOf(html).filter((fault) => fault !== 'an id twice' && !/^aria-/.test(fault));
      t.deepEqual(faults, [], `${page.name}, ${page.state}: ${hostile}`);
      t.false(html.includes('<img onerror') || html.includes('<script>'), `${page.name}, ${page.state}`);
    }
  }
});

test('whatever people and organizations are called, no mail runs it or gets another header', (t) => {
  for (const hostile of [...hostileStrings, 'Ada\r\nBcc: eve@evil.test', 'Ada\n\nhttps://evil.test/']) {
    for (const mail of galleryMails()) {
      const { subject, text, html } = renderMail(renderer, withHostileValues(mail, hostile));
      t.notRegex(subject, /[\r\n]/);
      t.notRegex(text, /^(?:Bcc:|https:\/\/evil)/m);
      const tags = tagsOf(html);
      t.false(tags.some((tag) => tag.name === 'script' || tag.name === 'img'));
      t.false(tags.some((tag) => [...tag.attributes.keys()].some((key) => key.startsWith('on'))));
      t.false(tags.some((tag) => /^\s*(?:javascript|data):/i.test(tag.attributes.get('href') ?? '')));
    }
  }
});

test('a mail program makes no link of what somebody calls themselves, and an address stays one', (t) => {
  const evil = 'Ada, look at https://evil.test/x or www.evil.test.';
  const named = ['invitation', 'help-asked', 'membership-changed', 'recovery-code-used', 'two-factor-reset'];
  for (const mail of galleryMails().filter(({ name }) => named.includes(name))) {
    const { subject, text, html } = renderMail(renderer, withHostileValues(mail, evil));
    for (const said of [subject, text, html.replace(/^.*<body>/s, '')]) {
      t.notRegex(said, /evil\.test|:\/\/evil/, mail.name);
    }
    t.regex(`${subject}${text}`, /evil/, mail.name);
    t.regex(renderMail(renderer, withHostileValues(mail, 'ada@acme.test')).text, /ada@acme\.test/, mail.name);
  }
});

test('a mail says the same as text and as HTML', (t) => {
  for (const lang of languages) {
    for (const mail of galleryMails(lang)) {
      const { subject, text, html } = renderMail(renderer, mail);
      t.regex(subject, /^\S.*\S$/);
      const shown = html
        .replace(/<style>.*<\/style>/s, '')
        .replace(/<[^>]*>/g, '\n')
        .replace(/&#34;/g, '"')
        .replace(/&#39;/g, "'");
      for (const line of text.split('\n')) t.true(shown.includes(line), `${mail.name}: ${line}`);
    }
  }
});

test('a mail about a change says when it was, and has the link for "this was not me" (T146)', (t) => {
  const others = [
    'code',
    'password-reset',
    'password-elsewhere',
    'confirm-email',
    'invitation',
    'register',
    'help-asked',
    'policy-announced',
    'policy-reminder',
  ];
  for (const mail of galleryMails('en')) {
    const { text } = renderMail(renderer, mail);
    if (others.includes(mail.name)) continue;
    t.regex(text, /When: /, mail.name);
    const link = (mail.locals as { notMeUrl?: string | null }).notMeUrl;
    t.true(link ? text.includes(link) : text.includes('/account'), mail.name);
    t.truthy(link, mail.name);
  }
});

test('every sentence of the views and of the gallery has a German translation', (t) => {
  const german = JSON.parse(readFileSync(path.join(root, 'locales/de.json'), 'utf8'));
  const sentences = views
    .flatMap((view) => [...source(view).matchAll(/<%([\s\S]*?)%>/g)].map(([, code = '']) => code))
    .flatMap((code) => [...code.matchAll(/'((?:[^'\\]|\\.)*)'/g)].map(([, text = '']) => text))
    .filter((text) => /^[A-Z({"].{2,}/.test(text))
    .concat(galleryPages().flatMap(({ locals }) => sentencesIn({ ...locals, languages: [] })));
  const missing = [...new Set(sentences)].filter((sentence) => !(sentence in german));
  t.deepEqual(missing, []);
  t.true(sentences.length > 100);
});

test('a translation has the placeholders and forms of its sentence', (t) => {
  const german: { [sentence: string]: string } = JSON.parse(
    readFileSync(path.join(root, 'locales/de.json'), 'utf8'),
  );
  const shape = (text: string) =>
    text.split('|').map((form) => (form.match(/\{\w+\}/g) ?? []).sort().join(' '));
  for (const [english, translated] of Object.entries(german))
    t.deepEqual(shape(translated), shape(english), english);
});

test('views escape everything and hold no logic of their own', (t) => {
  for (const view of views) {
    const text = source(view);
    for (const [tag] of text.matchAll(/<%-[\s\S]*?%>/g)) t.regex(tag, /^<%- include\(/, `${view}: ${tag}`);
    t.notRegex(text, /=\s*<%=/, `${view}: an attribute without quotes`);
    t.notRegex(text, /\sstyle=|\son[a-z]+=/, `${view}: inline style or script`);
    for (const [, value = ''] of text.matchAll(/\s(?:href|action|src|formaction)="([^"]*)"/g)) {
      // A picture that comes inside the mail itself.
      if (view === 'views/mail/html.ejs' && value === 'cid:logo') continue;
      t.regex(value, /^<%= (?:href|asset|imageSource)\([^%]*\) %>$/, `${view}: ${value}`);
    }
  }
});

test('plural, placeholders and missing translations', (t) => {
  const english = renderer.translator('en');
  const german = renderer.translator('de');
  t.is(english('{n} day left.|{n} days left.', { n: 1 }), '1 day left.');
  t.is(english('{n} day left.|{n} days left.', { n: 0 }), '0 days left.');
  t.is(german('{n} day left.|{n} days left.', { n: 5 }), 'Noch 5 Tage.');
  t.is(
    german({ sentence: 'Back to {application}', values: { application: '{n} | $& {application}' } }),
    'Zurück zu {n} | $& {application}',
  );
  t.is(german('Nobody translated {this}', { n: 'x' }), 'Nobody translated {this}');
  t.is(german('constructor'), 'constructor');
});

test('in development a view is shown as it stands now, and in production as it stood at first', (t) => {
  const viewsDir = mkdtempSync(path.join(tmpdir(), 'sallyport-test-'));
  t.teardown(() => rmSync(viewsDir, { recursive: true }));
  mkdirSync(path.join(viewsDir, 'sms'));
  const write = (text: string) => writeFileSync(path.join(viewsDir, 'sms/code.ejs'), text);
  const shown = (renderer: Renderer) =>
    renderer.renderText('code', { lang: 'en', code: '482910', minutes: 5 } as never);
  const development = createRenderer({ viewsDir, cache: false });
  const production = createRenderer({ viewsDir, cache: true });
  write('first <%= code %>');
  t.deepEqual([shown(development), shown(production)], ['first 482910', 'first 482910']);
  write('second: <%= code %>');
  t.deepEqual([shown(development), shown(production)], ['second: 482910', 'first 482910']);
});

test('a view without one of its values is an error, not a gap', (t) => {
  const render = renderer.render as (name: string, locals: object) => string;
  t.throws(() => render('sign-in', { ...galleryPages()[0]?.locals, brand: undefined }), {
    message: /undefined/,
  });
  t.throws(() => render('error', { lang: 'en' }), { message: /not defined/ });
});

test('a browser is called what people call it in their language, also where its name was stored as the name of a factor', (t) => {
  const [en, de] = [renderer.translator('en'), renderer.translator('de')];
  for (const [stored, english, german] of [
    ['Chrome on Linux', 'Chrome on Linux', 'Chrome unter Linux'],
    ['Firefox on Windows', 'Firefox on Windows', 'Firefox unter Windows'],
    ['Safari on iPhone', 'Safari on iPhone', 'Safari auf dem iPhone'],
    ['Edge on Mac', 'Edge on Mac', 'Edge auf dem Mac'],
    // What somebody chose stays, whatever it is.
    ['Chrome', 'Chrome', 'Chrome'],
    ['Key on Linux', 'Key on Linux', 'Key on Linux'],
    ['Chrome on Linux on Mac', 'Chrome on Linux on Mac', 'Chrome on Linux on Mac'],
    ['Back', 'Back', 'Back'],
    ['{browser}', '{browser}', '{browser}'],
  ] as const) {
    t.is(en(storedName(stored)), english);
    t.is(de(storedName(stored)), german);
    t.is(
      de({ sentence: 'Remove "{name}"?', values: { name: storedName(stored) } }),
      `„${german}“ entfernen?`,
    );
  }
});

test('a mail in German names the browser and what was removed in German', (t) => {
  const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36';
  const render = mailRenderer(renderer, 'https://id.acme.test');
  for (const [what, method, named] of [
    [null, 'totp', '„Authenticator-App“ wurde'],
    ['Chrome on Linux', 'device', '„Chrome unter Linux“ wurde'],
    ['Back', 'totp', '„Back“ wurde'],
    ['acme.test', 'totp', '„acme.\u200Btest“ wurde'],
  ] as const) {
    const values = { change: 'factor_removed', what, method, userAgent, ip: '203.0.113.7', at: 0 };
    const brand = { name: 'Acme', accent: null, logo: null };
    const { text } = render('account-changed', values, 'de-AT', brand as never);
    t.true(text.includes(named), text);
    t.regex(text, /Gerät: Chrome unter Linux/);
  }
});
