/**
 * One line of a CSV file (RFC 4180). What a spreadsheet would take for a formula is made text: names and devices are what
 * strangers chose. Some spreadsheets begin a cell behind a semicolon or tab, as their country does.
 */
export const csvLine = (fields: readonly (string | number | null | undefined)[]): string =>
  `${fields.map(csvField).join(',')}\r\n`;

function csvField(value: string | number | null | undefined): string {
  const text = String(value ?? '');
  const safe = typeof value === 'string' ? text.replace(/(^|[;\t\r\n] *)(?=[=+\-@\t\r])/g, "$1'") : text;
  return /[",;\t\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The fields of every line of a CSV text, with quotes, line breaks inside them, and either kind of line end. Null where a quote is left open. */
export function readCsv(text: string): string[][] | null {
  const lines: string[][] = [];
  let line: string[] = [];
  let field = '';
  let quoted = false;
  const source = text.replace(/^\uFEFF/, '');
  const [first = ''] = /^[^\n"]*/.exec(source) ?? [];
  const separator = [',', ';', '\t'].find((letter) => first.includes(letter)) ?? ',';
  for (let at = 0; at < source.length; at += 1) {
    const letter = source[at];
    if (quoted) {
      if (letter !== '"') field += letter;
      else if (source[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (letter === '"' && field === '') quoted = true;
    else if (letter === separator) {
      line.push(field);
      field = '';
    } else if (letter === '\n' || letter === '\r') {
      if (letter === '\r' && source[at + 1] === '\n') at += 1;
      lines.push([...line, field]);
      line = [];
      field = '';
    } else field += letter;
  }
  if (quoted) return null;
  if (field !== '' || line.length > 0) lines.push([...line, field]);
  return lines;
}
