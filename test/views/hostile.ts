/** Values that a person, an organization, an application or an upstream provider could choose (security.md, T107). */
export const hostileStrings: readonly string[] = [
  '<script>alert(1)</script>',
  '"><img onerror=alert(1) src=x>',
  '\' autofocus onfocus=alert(1) x="',
  'javascript:alert(1)',
  ' JaVaScript:alert(1)',
  'java\nscript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  '//evil.test',
  '/\\evil.test',
  '</title><script>alert(1)</script>',
  '{application}|{n}<b onclick=alert(1)>',
];

/** What a view chooses by; never taken from outside. */
const fixed = new Set(['lang', 'kind', 'why', 'who', 'tone', 'by', 'method', 'state', 'sentence', 'view']);

/** The same page with every other string replaced. */
export function withHostileValues<Page extends { readonly name: string; readonly locals: object }>(
  page: Page,
  hostile: string,
): Page {
  return { ...page, locals: replace(page.locals, hostile) as Page['locals'] };
}

function replace(value: unknown, hostile: string): unknown {
  if (typeof value === 'string') return hostile;
  if (Array.isArray(value)) return value.map((item) => replace(item, hostile));
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      fixed.has(key) && typeof item === 'string' ? item : replace(item, hostile),
    ]),
  );
}
