import type { FilledSentence } from './pages.ts';

const browsers: readonly [RegExp, string][] = [
  [/\bEdgA?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bFirefox\//, 'Firefox'],
  [/\b(?:Headless)?Chrome\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
];

/** Languages differ in how one speaks of a machine, "on the iPhone", and of a system that runs on many, "on Windows". */
const systems: readonly [RegExp, string, 'machine' | 'system'][] = [
  [/\biPhone\b/, 'iPhone', 'machine'],
  [/\biPad\b/, 'iPad', 'machine'],
  [/\bAndroid\b/, 'Android', 'system'],
  [/\bWindows\b/, 'Windows', 'system'],
  [/\bMac OS X\b/, 'Mac', 'machine'],
  [/\bCrOS\b/, 'ChromeOS', 'system'],
  [/\bLinux\b/, 'Linux', 'system'],
];

/** What somebody chose, as it stands. */
export const asChosen = (name: string): FilledSentence => ({ sentence: '{name}', values: { name } });

const inWords = (browser: string, system: string): FilledSentence | null => {
  const kind = systems.find(([, known]) => known === system)?.[2];
  if (kind === undefined || !browsers.some(([, known]) => known === browser)) return null;
  return kind === 'machine'
    ? { sentence: '{browser} on {machine}', values: { browser, machine: system } }
    : { sentence: '{browser} on {system}', values: { browser, system } };
};

/** What is stored of a browser as the name of what was made in it, whatever the language of whoever made it. */
export function browserName(userAgent: string | null): string | null {
  const browser = browsers.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1];
  const system = systems.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1];
  return browser && system ? `${browser} on ${system}` : (browser ?? system ?? null);
}

/** A name that is stored: one that we gave in words of whoever reads it, any other as it was chosen. */
export function storedName(name: string): FilledSentence {
  const [browser = '', system = '', more] = name.split(' on ');
  return (more === undefined && inWords(browser, system)) || asChosen(name);
}

/** A browser as people call it, "Firefox on Windows"; null where its name says nothing that we know. */
export function deviceName(userAgent: string | null): FilledSentence | null {
  const name = browserName(userAgent);
  return name === null ? null : storedName(name);
}
