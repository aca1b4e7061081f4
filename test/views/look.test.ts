import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { type Browser, chromium, type Page } from 'playwright-core';
import { galleryPages } from '../../http/gallery.ts';
import { createRenderer } from '../../http/render.ts';
import { renderPage, serveGallery } from './gallery-server.ts';
import { hostileStrings, withHostileValues } from './hostile.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const browserTest = existsSync(executablePath) ? test.serial : test.serial.skip;
const root = path.resolve(import.meta.dirname, '../..');
const axe = readFileSync(path.join(root, 'node_modules/axe-core/axe.min.js'), 'utf8');
const renderer = createRenderer({ viewsDir: path.join(root, 'views'), cache: true });
const pages = galleryPages();
const at = (name: string, state: string) =>
  pages.findIndex((page) => page.name === name && page.state === state);

/**
 * Puts a page in the place of the one before, under the same policy and with its own styles and scripts run anew: all that a
 * navigation does but for the new process, which costs ten times as much.
 */
const write = (page: Page, html: string) =>
  page.evaluate(`new Promise((resolve) => {
    document.open();
    addEventListener('load', resolve, { once: true });
    document.write(${JSON.stringify(html)});
    document.close();
  })`);

let browser: Browser;
test.before(async () => {
  if (existsSync(executablePath)) browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
});
test.after.always(() => browser?.close());

browserTest('every page passes axe (WCAG 2.2 AA) and fits 320 pixels, light and dark', async (t) => {
  const gallery = await serveGallery(renderer, pages);
  t.teardown(gallery.close);
  const context = await browser.newContext({
    viewport: { width: 320, height: 640 },
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  const findings = (rules: readonly string[]) =>
    page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(rules)} })
      .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html).join(' ')))`);
  await page.goto(`${gallery.url}/0`);
  await page.evaluate(axe);
  for (const shown of pages) {
    const { name, state } = shown;
    await page.emulateMedia({ colorScheme: 'light' });
    await write(page, renderPage(renderer, shown));
    const everyRule = await findings(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']);
    t.deepEqual(everyRule, [], `${name}, ${state}`);
    t.is(await page.evaluate('document.documentElement.scrollWidth'), 320, `${name}, ${state}`);
    const small = await page.evaluate(`[...document.querySelectorAll('a, button, input:not([type=hidden])')]
      .filter((target) => target.checkVisibility() && !target.closest('p:not(.account), label'))
      .filter((target) => target.getBoundingClientRect().height < 24).map((target) => target.outerHTML)`);
    t.deepEqual(small, [], `${name}, ${state}: targets under 24 pixels`);
    // Nothing but colours depends on the scheme.
    await page.emulateMedia({ colorScheme: 'dark' });
    t.deepEqual(await findings(['color-contrast']), [], `${name}, ${state}, dark`);
  }
  t.deepEqual(complaints, []);
  await context.close();
});

browserTest('hostile values stay text in a browser', async (t) => {
  const gallery = await serveGallery(renderer, pages);
  t.teardown(gallery.close);
  const page = await browser.newPage();
  const dialogs: string[] = [];
  page.on('dialog', (dialog) => {
    dialogs.push(dialog.message());
    return dialog.dismiss();
  });
  await page.goto(`${gallery.url}/0`);
  const intruders = `document.querySelectorAll('script:not([src^="/assets/"]), [onerror], [onfocus], [onclick]').length`;
  for (const hostile of hostileStrings.slice(1, 3)) {
    for (const shown of pages) {
      await write(page, renderPage(renderer, withHostileValues(shown, hostile)));
      t.is(await page.evaluate(intruders), 0, `${shown.name}, ${shown.state}`);
    }
  }
  t.deepEqual(dialogs, []);
  await page.close();
});

browserTest('an accent of any colour keeps the contrast of AA', async (t) => {
  const plain = pages[at('enrol', 'grace')];
  if (!plain) return t.fail();
  const gallery = await serveGallery(renderer, [plain]);
  t.teardown(gallery.close);
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme, reducedMotion: 'reduce' });
    await page.goto(`${gallery.url}/0`);
    await page.evaluate(axe);
    for (const brand of [
      '#ffe600',
      '#00ff00',
      '#ff0000',
      '#0000ff',
      '#00ffff',
      '#ff00ff',
      '#000000',
      '#ffffff',
      '#c2410c',
      '#808080',
    ]) {
      await page.evaluate(`document.documentElement.style.setProperty('--brand', '${brand}')`);
      const violations = await page.evaluate(`axe.run(document, { runOnly: ['color-contrast'] })
        .then(({ violations }) => violations.flatMap(({ nodes }) => nodes.map((node) => node.any[0].message)))`);
      t.deepEqual(violations, [], `${brand}, ${colorScheme}`);
    }
    await page.close();
  }
});

browserTest('a form is sent once and its button says so', async (t) => {
  const gallery = await serveGallery(renderer, pages);
  t.teardown(gallery.close);
  const page = await browser.newPage();
  await page.goto(`${gallery.url}/${at('challenge', 'first')}`);
  await page.evaluate(
    `addEventListener('submit', (event) => { window.sent = (window.sent ?? 0) + !event.defaultPrevented; event.preventDefault(); })`,
  );
  await page.getByLabel('Code').fill('482 910');
  await page.getByRole('button', { name: 'Verify' }).dblclick();
  t.is(await page.evaluate('window.sent'), 1);
  t.is(await page.getByRole('button', { name: 'Verify' }).getAttribute('aria-busy'), 'true');
  await page.close();
});

browserTest('recovery codes can be copied, downloaded and printed', async (t) => {
  const gallery = await serveGallery(renderer, pages);
  t.teardown(gallery.close);
  const context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await context.newPage();
  await page.goto(`${gallery.url}/${at('recovery-codes', 'first')}`);
  const list = (await page.locator('[data-recovery-codes] li').allTextContents()).join('\n');
  const head = (await page.locator('[data-codes-head] p').allTextContents()).join('\n');
  t.regex(head, /Northwind Charter/);
  const codes = `${head}\n\n${list}`;

  await page.getByRole('button', { name: 'Copy' }).click();
  await page.getByRole('status').getByText('Copied').waitFor({ state: 'attached' });
  t.is(await page.evaluate('navigator.clipboard.readText()'), codes);

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download' }).click();
  t.is(readFileSync(await (await download).path(), 'utf8'), `${codes}\n`);

  await page.evaluate('window.print = () => { window.printed = true }');
  await page.getByRole('button', { name: 'Print' }).click();
  t.true(await page.evaluate('window.printed'));
  await context.close();
});

browserTest('without JavaScript nothing is offered that does not work', async (t) => {
  const gallery = await serveGallery(renderer, pages);
  t.teardown(gallery.close);
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`${gallery.url}/${at('recovery-codes', 'first')}`);
  t.true(await page.getByRole('button', { name: 'Download' }).isVisible());
  t.false(await page.getByRole('button', { name: 'Print' }).isVisible());
  await page.goto(`${gallery.url}/${at('challenge', 'email')}`);
  t.true(await page.getByRole('button', { name: 'Send a new code' }).isEnabled());
  // What cannot work here says so, and is not what is checked.
  await page.goto(`${gallery.url}/${at('enrol', 'two days')}`);
  t.true(await page.getByRole('radio', { name: 'Authenticator app' }).isChecked());
  t.true(await page.getByText('Needs JavaScript').first().isVisible());
  const scripted = await (await browser.newContext()).newPage();
  await scripted.goto(page.url());
  t.true(await scripted.getByRole('radio', { name: 'Passkey' }).isChecked());
  t.false(await scripted.getByText('Needs JavaScript').first().isVisible());
  await scripted.context().close();
  await context.close();
});
