import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { createConnection } from 'mysql2/promise';

const root = path.resolve(import.meta.dirname, '..');
const isCi = !['', '0', 'false'].includes(process.env.CI ?? '');
const env: NodeJS.ProcessEnv = { ...process.env };

/** Why something cannot be tested here; null where it can. */
async function whyNoMysql(): Promise<string | null> {
  const url = process.env.TEST_MYSQL_URL;
  if (!url) return 'TEST_MYSQL_URL is not set';
  try {
    const connection = await createConnection({ uri: url, connectTimeout: 10_000 });
    await connection.end();
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return `nothing can be opened at TEST_MYSQL_URL: ${code ?? message}`;
  }
}

function whyNoChromium(): string | null {
  const file = process.env.CHROMIUM || '/usr/bin/chromium';
  try {
    accessSync(file, constants.X_OK);
    env.CHROMIUM = file;
    return null;
  } catch {
    return process.env.CHROMIUM
      ? `CHROMIUM names no program: ${file}`
      : `CHROMIUM is not set, and there is no ${file}`;
  }
}

/** Runs ava, shows what it prints as it comes, and returns it without colours. */
function runAva(args: readonly string[]): Promise<{ text: string; code: number }> {
  const cli = path.join(root, 'node_modules/ava/entrypoints/cli.js');
  // Files start servers and browsers, and one database has them all as guests: more at once would only wait for each other.
  const concurrency = Math.min(4, Math.max(2, availableParallelism()));
  const child = spawn(process.execPath, [cli, `--concurrency=${concurrency}`, ...args], {
    cwd: root,
    env: process.stdout.isTTY && !env.NO_COLOR ? { FORCE_COLOR: '1', ...env } : env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  let text = '';
  let lastSaid = performance.now();
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    process.stdout.write(part);
    text += part;
    lastSaid = performance.now();
  });
  // A silent minute looks like a run that hangs.
  const alive = setInterval(() => {
    if (performance.now() - lastSaid < 30_000) return;
    lastSaid = performance.now();
    console.log(
      `  … ${Math.round(performance.now() / 1000)} s, ${countIn(stripVTControlCharacters(text)).passed} passed so far`,
    );
  }, 1000);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(alive);
      resolve({ text: stripVTControlCharacters(text), code: code ?? 1 });
    });
  });
}

/** The numbers of ava's summary, or else of the lines above it: the summary names passed tests only where none failed. */
function countIn(text: string) {
  const said = (what: string): number =>
    [...text.matchAll(new RegExp(`^ {2}(\\d+) ${what}$`, 'gm'))].reduce((sum, [, n]) => sum + Number(n), 0);
  const [results = ''] = text.split(/^ {2}─$/m);
  return {
    passed: said('tests? passed') || (results.match(/^ {2}[✔√] (?!\[expected fail\])/gm) ?? []).length,
    failed:
      said('tests? failed') +
      said('hooks? failed') +
      said('uncaught exceptions?') +
      said('unhandled rejections?') +
      said('tests? remained pending after a timeout'),
    skipped: [...results.matchAll(/^ {2}- \[skip\] (.*)$/gm)].map(([, title = '']) => title),
  };
}

const noMysql = await whyNoMysql();
const noChromium = whyNoChromium();
// Tests look for themselves, and must come to the same answer.
if (noMysql !== null) delete env.TEST_MYSQL_URL;
const missing = [
  ...(noMysql === null ? [] : [`everything on MySQL or MariaDB (${noMysql})`]),
  ...(noChromium === null ? [] : [`everything in a browser (${noChromium})`]),
];

const { text, code } = await runAva(process.argv.slice(2));
const { passed, failed, skipped } = countIn(text);
const notRun = [...missing, ...skipped];
const unnamed = failed === 0 && (code !== 0 || passed === 0) ? 1 : 0;
const failures = failed + unnamed + (isCi ? notRun.length : 0);

if (unnamed > 0) {
  console.log(`\nfailed: ${code === 0 ? 'no test ran' : `ava ended with exit code ${code}`}`);
}
for (const name of notRun) {
  console.log(isCi ? `failed: ${name}, and with CI=true nothing may be skipped` : `skipped: ${name}`);
}
console.log(
  `${passed} passed, ${failures} failed${notRun.length > 0 && !isCi ? `, ${notRun.length} skipped` : ''}`,
);
process.exitCode = failures === 0 ? 0 : 1;
