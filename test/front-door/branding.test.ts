import { deflateSync } from 'node:zlib';
import test from 'ava';
import { inviteMember } from '../../flows/invitations.ts';
import { mailRenderer } from '../../http/mails.ts';
import { createRenderer } from '../../http/render.ts';
import { contrast, readableOn } from '../../lib/contrast.ts';
import { createInbox } from '../../notifications/inbox.ts';
import type { Browser } from './browser.ts';
import { count } from './evidence.ts';
import { servicesOf, visitAs } from './organization-rig.ts';
import { acme, application, type FrontDoor, frontDoor, kinds, password, secret } from './rig.ts';

/** The start of a PNG of this size, as far as anybody looks. */
function png(width: number, height = width): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'),
    head,
    Buffer.from('0802000000', 'hex'),
    deflateSync(Buffer.alloc(64)),
  ]);
}

async function send(
  door: FrontDoor,
  browser: Browser,
  fields: Record<string, string>,
  logo?: Buffer,
  csrf?: string,
) {
  const form = new FormData();
  form.set('_csrf', csrf ?? browser.form('Save').fields.get('_csrf') ?? '');
  form.set('version', browser.form('Save').fields.get('version') ?? '');
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('logo', new Blob([new Uint8Array(logo ?? Buffer.alloc(0))], { type: 'image/png' }), 'logo.png');
  return fetch(`${door.issuer}/organizations/acme/branding`, {
    method: 'POST',
    body: form,
    redirect: 'manual',
    headers: {
      Accept: 'text/html',
      Origin: door.issuer,
      Cookie: [...browser.cookies.values()].map(({ value }) => value).join('; '),
    },
  });
}

for (const kind of kinds) {
  test(`an organization's name, colour and logo are on its pages, and a logo is a picture and nothing else (T107, T118) (${kind})`, async (t) => {
    const door = await frontDoor(t, kind, {
      configuration: acme(
        {},
        { ada: { role: 'owner', totp: secret }, ben: {} },
        { applications: [application('own', { organization: 'acme' })] },
      ),
    });
    const ada = door.browser();
    await ada.open('/organizations/acme/branding');
    await ada.press('Sign in', { email: 'ada@acme.test', password });
    await ada.press('Verify', { code: door.code() });
    t.is(ada.heading, 'Branding');

    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
    const wrong: readonly [string, Record<string, string>, Buffer?][] = [
      ['an SVG with a script', {}, svg],
      ['a page', {}, Buffer.from('<!doctype html><script>alert(1)</script>')],
      ['a picture that is too wide', {}, png(4096)],
      ['a picture without a size', {}, png(0)],
      ['too many bytes', {}, Buffer.concat([png(64), Buffer.alloc(220_000)])],
      ['no colour', { accent: 'red' }],
      ['a style sheet', { accent: '#123456} body{}' }],
      ['no name', { name: ' ' }],
      ['a name that is too long', { name: 'x'.repeat(201) }],
    ];
    for (const [name, fields, logo] of wrong) {
      const answer = await send(door, ada, { name: 'Acme', ...fields }, logo);
      t.is(answer.status, 422, name);
      await answer.arrayBuffer();
    }
    // More than is read at all: a page all the same, and a way back, for a browser that is still sending too.
    for (const size of [310_000, 4_000_000]) {
      const answer = await send(door, ada, { name: 'Acme' }, Buffer.concat([png(64), Buffer.alloc(size)]));
      const page = await answer.text();
      t.is(answer.status, 413);
      t.regex(page, /<h1>This file is too large<\/h1>[\s\S]*href="\/organizations\/acme\/branding"/);
    }
    // What was chosen is seen before it is saved, and a wrong name loses no logo.
    const previewed = await send(door, ada, { name: 'Acme', accent: '#C2410C', act: 'preview' }, png(64));
    const preview = await previewed.text();
    t.is(previewed.status, 200);
    t.regex(preview, /Nothing is saved yet/);
    t.is(preview.split(' color="#c2410c"').length, 3, 'on light and on dark');
    t.is(preview.split(`href="data:image/png;base64,${png(64).toString('base64')}"`).length, 3);
    const misnamed = await send(door, ada, { name: ' ', chosen: png(64).toString('base64') });
    t.is(misnamed.status, 422);
    t.true((await misnamed.text()).includes(`name="chosen" value="${png(64).toString('base64')}"`));
    const forged = await send(door, ada, { name: 'Acme', chosen: svg.toString('base64'), act: 'preview' });
    t.notRegex(await forged.text(), /name="chosen"|data:image\/svg/);
    t.is(await count(door, 'audit_events', "type = 'branding.changed'"), 0);
    // Without a right token nothing happens, and nothing stays on the disk.
    t.is((await send(door, ada, { name: 'Evil' }, png(64), 'wrong')).status, 403);
    const chosen = png(64).toString('base64');
    const saved = await send(door, ada, {
      name: 'Acme\u200B <b>Air</b>',
      accent: '#C2410C',
      logo: 'x',
      chosen,
    });
    t.is(saved.status, 303, 'saved as it was previewed, without choosing the file again');

    // Another tab, opened before: what is there now is not undone unseen, and what was typed stays.
    const late = await send(door, ada, { name: 'Acme of before', accent: '' });
    t.is(late.status, 409);
    t.regex(await late.text(), /Somebody else was changing[\s\S]*value="Acme of before"/);

    const ben = door.browser();
    await ben.authorize({ client_id: 'own' });
    t.regex(ben.text, /Acme &lt;b&gt;Air/);
    const logoUrl = /<img class="logo" src="([^"]+)"/.exec(ben.text)?.[1] ?? '';
    const cssUrl = /<link rel="stylesheet" href="(\/brand\/[^"]+)"/.exec(ben.text)?.[1] ?? '';
    const logo = await fetch(door.issuer + logoUrl);
    t.deepEqual(
      [logo.status, logo.headers.get('content-type'), logo.headers.get('x-content-type-options')],
      [200, 'image/png', 'nosniff'],
    );
    t.true(Buffer.from(await logo.arrayBuffer()).equals(png(64)));
    t.is(await (await fetch(door.issuer + cssUrl)).text(), ':root { --brand: #c2410c }\n');
    t.is((await fetch(`${door.issuer}/brand/nobody/1/logo`)).status, 404);
    t.regex(logo.headers.get('cache-control') ?? '', /immutable/);
    for (const url of [logoUrl, cssUrl]) {
      const early = await fetch(door.issuer + url.replace(/\/\d+\//, '/99/'));
      t.is(
        early.headers.get('cache-control'),
        'no-store',
        'no cache knows an address before it is given out',
      );
    }

    // Mails look like it too: the organization's own ones, and those about its people's accounts.
    const { ring } = servicesOf(door);
    const render = mailRenderer(createRenderer({ viewsDir: 'views', cache: true }), door.issuer);
    const inbox = createInbox({ db: door.db, ring, render, channels: ['email'] });
    await door.db.together([
      servicesOf(door).notify.mail({
        to: 'ben@acme.test',
        locale: 'en',
        template: 'code',
        values: { name: null, applicationName: null, code: '493817', minutes: 10 },
      }),
    ]);
    const mail = (await inbox.list()).find(({ text }) => text.includes('493817'));
    t.regex(mail?.html ?? '', /<img src="data:image\/png;base64,[^"]+" alt=""[^>]*>Acme &lt;b&gt;Air/);
    t.regex(mail?.html ?? '', /border-top: 4px solid #c2410c/);
    for (const [, colour = '', ground = ''] of [
      [...(/a \{ color: (#\w{6}); \}/.exec(mail?.html ?? '') ?? []), '#ffffff'],
      [...(/\.card[^}]*#171b23[^@]*a \{ color: (#\w{6}); \} \}/.exec(mail?.html ?? '') ?? []), '#171b23'],
    ]) {
      t.true(contrast(colour, ground) >= 4.5, `${colour} on ${ground}`);
    }

    // Whoever is invited sees who invites them, also when they have answered.
    await inviteMember(servicesOf(door), await visitAs(door, 'ada'), {
      email: 'eva@elsewhere.example',
      role: 'member',
      again: false,
    });
    const link = (await inbox.list()).map(({ text }) => /\/invitation\/[\w-]+/.exec(text)?.[0]).find(Boolean);
    const eva = door.browser();
    await eva.open(link ?? 'no link');
    t.true(eva.text.includes(`<img class="logo" src="${logoUrl}"`) && eva.text.includes(cssUrl));
    await eva.press('Create account', { password: 'a long sentence of eva 77' });
    t.true(eva.text.includes(`<img class="logo" src="${logoUrl}"`));

    // The address changes with the picture.
    await ada.open('/organizations/acme/branding');
    await send(door, ada, { name: 'Acme', accent: '', withoutLogo: '1' });
    await ben.authorize({ client_id: 'own' });
    t.notRegex(ben.text, /<img class="logo"/);
    t.notRegex(ben.text, /\/brand\//);
    t.is((await fetch(door.issuer + logoUrl)).status, 404);
    t.is(await count(door, 'audit_events', "type = 'branding.changed'"), 2);
  });
}

test('any colour becomes one that can be read, on light and on dark, and stays itself where it can', (t) => {
  for (const colour of ['#ffff00', '#000000', '#ffffff', '#c2410c', '#00ff00', '#0000ff', '#808080']) {
    for (const ground of ['#ffffff', '#171b23']) {
      t.true(contrast(readableOn(colour, ground), ground) >= 4.5, `${colour} on ${ground}`);
    }
  }
  t.is(readableOn('#c2410c', '#ffffff'), '#c2410c');
});
