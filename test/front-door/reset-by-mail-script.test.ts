import test from 'ava';
import { acme, frontDoor, kinds, nextStep, password, secret } from './rig.ts';

for (const kind of kinds)
  test(`${kind}: a reset by mail shows its recovery codes also where the page's script has asked for a passkey first (T103)`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme({}, { ada: { totp: secret }, own: { role: 'owner', totp: secret } }),
    });
    const own = door.browser();
    await own.open('/account');
    await own.press('Sign in', { email: 'own@acme.test', password });
    nextStep(door);
    await own.press('Verify', { code: door.code() });
    const row = await door.db.row<{ id: string }>("SELECT id FROM users WHERE email = 'ada@acme.test'");
    await own.open(`/organizations/acme/members/${row?.id}/reset`);
    await own.press('Reset 2FA', {
      form: 'mail',
      identityCheck: /<option value="([a-z_]+)"/.exec(own.text)?.[1] ?? '',
      reason: 'lost',
    });
    const b = door.browser();
    await b.open('/dev/inbox');
    let link = '';
    for (const [, url = ''] of b.text.matchAll(/href="(\/dev\/inbox\/[^"]+)"/g)) {
      await b.open(url);
      link ||= /https?:\/\/\S+\/reset-two-factor\/[\w-]+/.exec(b.text.replace(/<[^>]*>/g, ' '))?.[0] ?? '';
    }
    t.not(link, '');
    const ada = door.browser();
    await ada.open(link);
    await ada.press(ada.buttons.find((x) => /Set up|Continue|Go on|Sign in/.test(x)) ?? ada.buttons[0] ?? '');
    t.is(ada.heading, 'Sign in');
    // What the page's script does as soon as it is shown.
    const page = ada.copy();
    const { fields } = ada.form('Sign in');
    await page.open(`${ada.url.replace(/\?.*/, '').replace(/\/$/, '')}/passkey/question`, { fields });
    t.is(page.status, 200);
    door.clock.forward(5_000);
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    if (ada.totpSecret === '') await ada.press(ada.buttons.at(-1) ?? '', { method: 'totp' });
    nextStep(door);
    await ada.press('Confirm setup', { code: door.code(0, ada.totpSecret) });
    t.is(ada.recoveryCodes.length, 8);
  });
