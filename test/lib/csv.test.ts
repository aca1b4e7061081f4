import test from 'ava';
import { csvLine, readCsv } from '../../lib/csv.ts';

test('a line of a CSV file quotes what must be quoted, and makes no formula of what somebody typed', (t) => {
  const lines: readonly [readonly (string | number | null | undefined)[], string][] = [
    [['a', 1, null, undefined], 'a,1,,\r\n'],
    [['a,b', 'say "hi"', 'two\nlines'], '"a,b","say ""hi""","two\nlines"\r\n'],
    [['=1+1', '+1', '-1', '@x', -5], "'=1+1,'+1,'-1,'@x,-5\r\n"],
    [['x;=1+1', 'a; -1', 'b\t@x', 'c\n=1'], `"x;'=1+1","a; '-1","b\t'@x","c\n'=1"\r\n`],
    [['Mozilla/5.0 (X11; Linux)', 'a-b;c'], '"Mozilla/5.0 (X11; Linux)","a-b;c"\r\n'],
  ];
  for (const [fields, line] of lines) t.is(csvLine(fields), line);
});

test('a CSV text is read with quotes, either line end and either separator', (t) => {
  const texts: readonly [string, string[][] | null][] = [
    ['', []],
    [
      'a,b\n1,2',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      '\uFEFFa;b\r\n1;2\r\n',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    [
      'a,b\n"x,\n""y""",2',
      [
        ['a', 'b'],
        ['x,\n"y"', '2'],
      ],
    ],
    ['a\n"open', null],
    ['a,b\r\rc', [['a', 'b'], [''], ['c']]],
  ];
  for (const [text, expected] of texts) t.deepEqual(readCsv(text), expected, JSON.stringify(text));
});
