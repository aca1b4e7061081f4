import type { Value } from '../../entities/database.ts';
import { latestMessages } from '../../entities/outbox.ts';
import { openMessage, type StoredMail, type StoredText } from '../../notifications/outbox.ts';
import type { Browser } from './browser.ts';
import { type FrontDoor, passwordStep } from './rig.ts';

/** What is left to see after a sign-in: mails, audit events and rows; and what time or an admin would have done. */

/** Mails that were written, oldest first, opened. */
export async function mails(door: FrontDoor, template?: string): Promise<StoredMail[]> {
  const rows = await latestMessages(door.db, 1000, ['email']);
  return rows
    .toReversed()
    .map((row) => openMessage(door.apps[0]?.services.ring as never, row) as StoredMail)
    .filter((mail) => template === undefined || mail.template === template);
}

/** Text messages that were written, oldest first. */
export async function texts(door: FrontDoor): Promise<StoredText[]> {
  const rows = await latestMessages(door.db, 1000, ['sms']);
  return rows.toReversed().map((row) => openMessage(door.apps[0]?.services.ring as never, row) as StoredText);
}

/** The code of the newest text message. */
export async function textedCode(door: FrontDoor): Promise<string> {
  return /^\d{6}/.exec((await texts(door)).at(-1)?.text ?? '')?.[0] ?? '';
}

/** The code of the newest mail that has one. */
export async function mailedCode(door: FrontDoor): Promise<string> {
  return String((await mails(door, 'code')).at(-1)?.values.code);
}

/** How often an event stands in the audit log. */
export async function events(door: FrontDoor, type: string): Promise<number> {
  return count(door, 'audit_events', 'type = ?', type);
}

export async function count(
  door: FrontDoor,
  table: string,
  where = '1 = 1',
  ...values: Value[]
): Promise<number> {
  const row = await door.db.row<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`, values);
  return Number(row?.n);
}

export async function userId(door: FrontDoor, who = 'ada'): Promise<string> {
  const row = await door.db.row<{ id: string }>('SELECT id FROM users WHERE email = ?', [`${who}@acme.test`]);
  return row?.id ?? '';
}

/** Every wait after wrong answers is over; what was counted stays. */
export async function waited(door: FrontDoor): Promise<void> {
  await door.db.change('UPDATE limits SET blocked_until = 0');
}

/** What an admin's "Reset 2FA" does at once (product.md §4). */
export async function resetByAdmin(door: FrontDoor, who = 'ada'): Promise<void> {
  const id = await userId(door, who);
  for (const table of ['factors', 'recovery_codes', 'remembered_devices']) {
    await door.db.change(`DELETE FROM ${table} WHERE user_id = ?`, [id]);
  }
  const now = door.clock.now().getTime();
  await door.db.change(
    'UPDATE users SET reset_at = ?, sessions_valid_after = ?, security_version = security_version + 1 WHERE id = ?',
    [now, now, id],
  );
}

/** Signs in and sets up an authenticator app, up to the application. */
export async function setUp(
  door: FrontDoor,
  browser: Browser,
  who = 'ada',
): Promise<{ secret: string; codes: readonly string[] }> {
  await passwordStep(browser, who);
  return setUpHere(door, browser);
}

/** The same where the page of the set-up is open already. */
export async function setUpHere(
  door: FrontDoor,
  browser: Browser,
): Promise<{ secret: string; codes: readonly string[] }> {
  const secret = browser.totpSecret;
  await browser.press('Confirm setup', { code: door.code(0, secret) });
  const codes = browser.recoveryCodes;
  if (codes.length > 0) {
    await browser.press('Continue', { saved: '1' });
  }
  door.clock.forward(30_000);
  return { secret, codes };
}

/** The browser's session is gone, and nothing else: the next request begins with the password. */
export function withoutSession(browser: Browser): Browser {
  for (const key of browser.cookies.keys()) {
    if (key.includes('sallyport-session')) browser.cookies.delete(key);
  }
  return browser;
}
