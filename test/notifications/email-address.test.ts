import test from 'ava';
import { asciiAddress, isSingleAddress } from '../../lib/email-address.ts';

const longDomain = `@${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.test`;

const single: readonly [string, string][] = [
  ['ada@acme.test', 'ada@acme.test'],
  ['Ada.Lovelace+2fa@Mail.Acme.Test', 'Ada.Lovelace+2fa@mail.acme.test'],
  ["o'hara@acme.test", "o'hara@acme.test"],
  ['root@localhost', 'root@localhost'],
  ['ada@müller.example', 'ada@xn--mller-kva.example'],
  ['ada@xn--mller-kva.example', 'ada@xn--mller-kva.example'],
  ['ada@例え.jp', 'ada@xn--r8jz45g.jp'],
  ['ada@straße.example', 'ada@xn--strae-oqa.example'],
  [`${'a'.repeat(64)}@acme.test`, `${'a'.repeat(64)}@acme.test`],
  [`abc${longDomain}`, `abc${longDomain}`],
];

for (const [text, expected] of single) {
  test(`${text} is one address`, (t) => {
    t.true(isSingleAddress(text));
    t.is(asciiAddress(text), expected);
  });
}

const hostile: readonly unknown[] = [
  '',
  '@',
  'ada',
  'ada@',
  '@acme.test',
  'ada@acme.test, eve@evil.test',
  'ada@acme.test,eve@evil.test',
  'ada@acme.test;eve@evil.test',
  'ada@acme.test eve@evil.test',
  'team: ada@acme.test, eve@evil.test;',
  'team:ada@acme.test;',
  'Ada <ada@acme.test>',
  '<ada@acme.test>',
  '<ada@acme.test> eve@evil.test',
  '"eve@evil.test"@acme.test',
  '"eve@evil.test x"@acme.test',
  '"ada"@acme.test',
  'eve@evil.test@acme.test',
  'ada(comment)@acme.test',
  'ada@acme.test(comment)',
  '(eve@evil.test)ada@acme.test',
  'ada@(evil.test)acme.test',
  'ada@acme.test\r\nBcc: eve@evil.test',
  'ada@acme.test\nRCPT TO:<eve@evil.test>',
  'ada\r\n@acme.test',
  'ada@acme.test\r',
  'ada@acme.test\0',
  'ada\0@acme.test',
  'ada@acme.test\u2028',
  ' ada@acme.test',
  'ada@acme.test ',
  'ada@acme .test',
  'ada@acme..test',
  '.ada@acme.test',
  'ada.@acme.test',
  'a..da@acme.test',
  'ada@-acme.test',
  'ada@acme-.test',
  'ada@acme.test.',
  'ada@acme_x.test',
  'ada@[127.0.0.1]',
  'ada@[IPv6:::1]',
  'ada@127.0.0.1',
  'ada@127.1',
  'ada@2130706433',
  'ada@acme.test/../x',
  'ada@acme.test:25',
  'ada@acme%2etest',
  'ada@ａｃｍｅ.test',
  'ada@acme\u00ad.test',
  'ada@acme\u200b.test',
  'ada@acme。test',
  'ada@xn--\u00fc.test',
  'аdа@acme.test',
  'ａda@acme.test',
  'ada@acme.test?cc=eve@evil.test',
  'ada\\@evil.test@acme.test',
  `${'a'.repeat(65)}@acme.test`,
  `${'a'.repeat(10_000)}@acme.test`,
  `ada@${'a'.repeat(64)}.test`,
  `ada@${'acme.'.repeat(60)}test`,
  `ada@${'ü'.repeat(60)}.test`,
  // One that mail servers would take, and no row of the table.
  `abcd${longDomain}`,
  undefined,
  null,
  0,
  true,
  ['ada@acme.test'],
  { address: 'ada@acme.test' },
];

for (const [n, text] of hostile.entries()) {
  test(`hostile ${n}: ${JSON.stringify(text)?.slice(0, 60)} is not one address`, (t) => {
    t.false(isSingleAddress(text));
  });
}
