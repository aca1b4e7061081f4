import type { ExecutionContext } from 'ava';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type Place, place } from '../test/processes/process-rig.ts';

/** What the tests of this folder share: Sallyport with two people and one application, and a browser. */
const password = 'correct horse battery staple';
export const totpSecret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';

/** Ada has an authenticator app, Ben has none. */
export async function sallyportFor(t: ExecutionContext, application: object): Promise<Place> {
  const there = await place(t, 'SQLite');
  const person = (name: string, more: object = {}) => ({
    email: `${name}@acme.test`,
    password,
    emailVerified: true,
    memberships: [{ organization: 'acme', role: 'member' }],
    ...more,
  });
  await there.apply({
    organizations: [{ slug: 'acme', name: 'Acme', policy: { methods: ['totp'] } }],
    users: [person('ada', { factors: { totp: totpSecret } }), person('ben')],
    applications: [{ firstParty: true, ...application }],
  });
  await there.start();
  return there;
}

let browser: Browser | null = null;

export const endBrowser = async (): Promise<void> => browser?.close();

export async function visitor(t: ExecutionContext): Promise<Page> {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox'],
  });
  const context = await browser.newContext({ reducedMotion: 'reduce', locale: 'en' });
  t.teardown(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  return page;
}

export const press = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click();

export const heading = (page: Page, name: string): Promise<void> =>
  page.getByRole('heading', { level: 1, name }).waitFor();

export async function signIn(page: Page, who: string): Promise<void> {
  await page.getByLabel('Email', { exact: true }).fill(`${who}@acme.test`);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await press(page, 'Sign in');
}

export async function typeCode(page: Page, code: string): Promise<void> {
  await page.locator('input[autocomplete="one-time-code"]').first().fill(code);
  await press(page, 'Verify');
}
