import test, { type ExecutionContext } from 'ava';
import { endSession } from '../../entities/sessions.ts';
import { stillSignedIn } from '../../flows/actor.ts';
import { browserCookie } from '../../http/browser-cookie.ts';
import { leaveFlash } from '../../http/flash.ts';
import { createRenderer } from '../../http/render.ts';
import { createRouteList } from '../../http/route-list.ts';
import { show } from '../../http/show.ts';
import { ownAccount, signedInRoutes } from '../../http/signed-in.ts';
import { framed } from '../../http/signed-in-page.ts';
import { days, hours, minutes } from '../../lib/clock.ts';
import type { Browser } from './browser.ts';
import { acme, type FrontDoor, frontDoor, type Kind, kinds, nextStep, password, secret } from './rig.ts';

/** Pages behind the real guard: one that anybody signed in sees, and one whose form needs a fresh proof. */
async function withProbe(
  t: ExecutionContext,
  kind: Kind,
  policy: object = {},
  people: Parameters<typeof acme>[1] = { ada: { totp: secret }, ben: {} },
): Promise<FrontDoor & { readonly done: string[] }> {
  // The pages are put onto one server.
  const door = await frontDoor(t, kind, { configuration: acme(policy, people), replicas: 1 });
  const done: string[] = [];
  const [app] = door.apps;
  if (!app) throw new Error('no server');
  const { services, provider } = app;
  const renderer = createRenderer({ viewsDir: 'views', cache: true });
  const site = {
    services,
    provider,
    renderer,
    cookie: browserCookie(services.ring, door.issuer),
    routes: createRouteList(),
  };
  const pages = signedInRoutes(site, '/probe', () => '/probe');
  const section = { name: 'Probe', pages: [{ label: 'Probe', path: '/probe' }] };
  const own = { assurance: 'session', permission: ownAccount } as const;
  const nobody = { name: 'nobody', holds: () => false };
  const fresh = { assurance: 'fresh proof', permission: ownAccount, keeps: ['word'] } as const;
  const question = (visit: Parameters<Parameters<typeof pages.get>[2]>[0], action: string) =>
    show(visit.ctx, renderer, 'confirm', {
      ...framed(visit, section),
      title: 'Probe',
      consequences: [],
      action,
      hidden: [{ name: 'word', value: visit.held.word ?? 'first' }],
      button: 'Do it',
      tone: 'danger',
      password: false,
      passwordError: null,
      cancel: '/probe',
    });
  pages.get('/', own, (visit) => question(visit, '/probe/danger'));
  pages.get('/danger', own, (visit) => question(visit, '/probe/danger'));
  pages.get('/fresh', fresh, (visit) => question(visit, '/probe/danger'));
  pages.get('/forbidden', { assurance: 'session', permission: nobody }, (visit) => question(visit, '#'));
  pages.post('/danger', fresh, async ({ ctx, actor }, form) => {
    const kept = await services.db.together([stillSignedIn(services, actor)]);
    if (kept) done.push(`${actor.user.email} ${form.word} ${form.password ?? ''}`.trim());
    leaveFlash(ctx, services.ring, { tone: 'ok', text: `Done: ${form.word}` });
    ctx.redirect('/probe');
  });
  provider.use(pages.router.routes());
  const answer = provider.callback();
  Object.assign(app, { handle: answer });
  return Object.assign(door, { done });
}

async function arrive(door: FrontDoor, who = 'ada', path = '/probe'): Promise<Browser> {
  const browser = door.browser();
  await browser.open(path);
  await browser.press('Sign in', { email: `${who}@acme.test`, password });
  if (browser.buttons.includes('Verify')) await browser.press('Verify', { code: door.code() });
  return browser;
}

for (const kind of kinds) {
  test(`${kind}: a signed-in page asks for the sign-in that every application asks for, and leads back`, async (t) => {
    const door = await withProbe(t, kind);
    const browser = await arrive(door, 'ada', '/probe/danger?x=1');
    t.is(browser.url, `${door.issuer}/probe/danger?x=1`);
    t.is(browser.heading, 'Probe');
    t.regex(browser.visited.join('\n'), /\/auth\?client_id=sallyport&response_type=none/);
    await browser.open('/probe/forbidden');
    t.is(browser.status, 404);

    await browser.open('/account');
    t.is(browser.heading, 'Security');
    await browser.press('Sign out');
    t.is(browser.heading, 'You are signed out');
    await browser.open('/account');
    t.is(browser.heading, 'Sign in');
  });

  test(`${kind}: a policy, a disabled person and an ended session hold at the next request (T091, T154)`, async (t) => {
    const door = await withProbe(t, kind);
    const ben = await arrive(door, 'ben');
    t.is(ben.heading, 'Probe');
    await door.apply(
      acme({ requirement: 'required_for_all', graceDays: 0 }, { ada: { totp: secret }, ben: {} }),
    );
    await ben.open('/probe');
    t.is(ben.heading, 'Set up two-factor authentication');

    nextStep(door);
    const ada = await arrive(door);
    const tab = ada.copy();
    await ada.open('/probe/danger');
    const [row] = await door.db.rows<{ uid_digest: string }>(
      'SELECT uid_digest FROM sessions WHERE ended_at IS NULL AND account_id = (SELECT id FROM users WHERE email = ?)',
      ['ada@acme.test'],
    );
    await endSession(door.db, String(row?.uid_digest), door.clock.now());
    await ada.press('Do it');
    t.is(ada.heading, 'Sign in');
    await tab.open('/probe');
    t.is(tab.heading, 'Sign in');
    t.deepEqual(door.done, []);
    nextStep(door);
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code() });
    t.is(ada.heading, 'Probe');
    t.regex(ada.text, /Your sign-in had ended before, so nothing was done/);
    await ada.open('/probe');
    t.notRegex(ada.text, /nothing was done/, 'said once');
  });

  test(`${kind}: what is dangerous needs a fresh proof, and what was typed waits for it (T105)`, async (t) => {
    const door = await withProbe(t, kind);
    const ada = await arrive(door);
    await ada.press('Do it', { word: 'early' });
    t.deepEqual(door.done, ['ada@acme.test early']);
    t.regex(ada.text, /role="status"[\s\S]*Done: early/);
    await ada.open('/probe');
    t.notRegex(ada.text, /Done: early/);

    door.clock.forward(minutes(11));
    await ada.press('Do it', { word: 'late', password: 'never kept' });
    t.is(ada.heading, 'Sign in');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    t.is(ada.heading, 'Two-factor authentication');
    await ada.press('Verify', { code: door.code() });
    t.regex(ada.url, /\/probe\/danger\?held=/);
    t.deepEqual(door.done, ['ada@acme.test early'], 'nothing is sent by anybody but the person');
    const held = ada.url;
    await ada.press('Do it');
    t.deepEqual(door.done, ['ada@acme.test early', 'ada@acme.test late']);

    // Nobody else, and no other page, is shown what was typed.
    const ben = await arrive(door, 'ben');
    await ben.open(held);
    t.is(ben.form('Do it').fields.get('word'), 'first');
    await ada.open(held.replace('/danger', ''));
    t.is(ada.form('Do it').fields.get('word'), 'first');
    await ada.open(held);
    t.is(ada.form('Do it').fields.get('word'), 'late');
    door.clock.forward(minutes(31));
    await ada.open(held);
    t.is(ada.form('Do it').fields.get('word'), 'first');

    // For somebody without a factor it is the password.
    await ben.press('Do it', { word: 'ben' });
    t.is(ben.heading, 'Sign in');
    await ben.press('Sign in', { email: 'ben@acme.test', password });
    await ben.press('Do it');
    t.is(door.done.at(-1), 'ben@acme.test ben');

    // Somebody else's proof is not this person's.
    door.clock.forward(minutes(11));
    await ben.open('/probe/fresh');
    await ben.press('Back to Sallyport');
    t.is(ben.url, `${door.issuer}/probe`);
  });

  test(`${kind}: a form of another site, session or without a token changes nothing (T109)`, async (t) => {
    const door = await withProbe(t, kind);
    const ada = await arrive(door);
    const ben = await arrive(door, 'ben');
    const foreign = ben.form('Do it').fields.get('_csrf') ?? '';
    const mine = ada.form('Do it').fields.get('_csrf') ?? '';
    for (const [token, origin] of [
      [foreign, door.issuer],
      ['', door.issuer],
      [mine, 'https://evil.test'],
      [mine, 'null'],
    ] as const) {
      const one = ada.copy();
      await one.open('/probe/danger', {
        fields: new URLSearchParams({ _csrf: token, word: 'x' }),
        headers: { Origin: origin },
      });
      t.is(one.status, 403);
    }
    await ada.open('/probe/danger?word=x&_csrf=x');
    t.deepEqual(door.done, []);
    await ada.press('Do it', { word: 'mine' });
    t.deepEqual(door.done, ['ada@acme.test mine']);
  });

  test(`${kind}: a remembered device is no fresh proof (T049)`, async (t) => {
    const door = await withProbe(t, kind, { rememberDeviceDays: 30 });
    const ada = door.browser();
    await ada.open('/probe');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code(), remember: '1' });
    await ada.press('Sign out');
    door.clock.forward(days(1));
    await ada.open('/probe');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    t.is(ada.url, `${door.issuer}/probe`);
    await ada.press('Do it', { word: 'remembered' });
    t.is(ada.heading, 'Two-factor authentication');
    await ada.press('Verify', { code: door.code() });
    await ada.press('Do it');
    t.deepEqual(door.done, ['ada@acme.test remembered']);
    door.clock.forward(hours(9));
    await ada.open('/probe');
    t.is(ada.heading, 'Sign in');
  });
}

test('the way back is sealed: no address of anybody else is followed (T111)', async (t) => {
  const door = await withProbe(t, 'SQLite');
  const ada = await arrive(door);
  for (const state of ['https://evil.test', '//evil.test', '/account', 'x', '']) {
    const response = await fetch(`${door.issuer}/signed-in?state=${encodeURIComponent(state)}`, {
      redirect: 'manual',
    });
    t.is(response.headers.get('Location'), '/account');
  }
  await ada.open('/signed-in?error=access_denied');
  t.is(new URL(ada.url).pathname, '/');
});
