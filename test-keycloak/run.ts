import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { freePort } from '../test/processes/process-rig.ts';

/**
 * `npm run test:keycloak`: a real Keycloak from Maven Central on loopback, the tests of this folder in a real browser, and its end.
 *
 *   JAVA_HOME            a JDK; without it, the newest under /usr/lib/jvm
 *   KEYCLOAK_VERSION     another one than below; Maven checks what it fetched, as always
 *   KEYCLOAK_CACHE       where it is kept; without it, sallyport/ in the user's cache folder
 *   KEYCLOAK_URL         one that runs already (with KEYCLOAK_HOME, KEYCLOAK_DB_URL and KEYCLOAK_ADMIN=name:password)
 */
const root = path.resolve(import.meta.dirname, '..');
const pinned = {
  version: '26.7.3',
  sha256: '27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f',
};
const version = process.env.KEYCLOAK_VERSION || pinned.version;
const cache =
  process.env.KEYCLOAK_CACHE ||
  path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'sallyport');
const oldestJava = 21;

interface Java {
  readonly home: string;
  readonly version: number;
}

/** By the file `release`, which every JDK has; null where there is none. */
function javaAt(home: string): Java | null {
  const release = path.join(home, 'release');
  if (!existsSync(path.join(home, 'bin/java')) || !existsSync(release)) return null;
  const [, found] = /^JAVA_VERSION="(\d+)/m.exec(readFileSync(release, 'utf8')) ?? [];
  return found === undefined ? null : { home, version: Number(found) };
}

function findJava(): Java {
  const homes = process.env.JAVA_HOME
    ? [process.env.JAVA_HOME]
    : existsSync('/usr/lib/jvm')
      ? readdirSync('/usr/lib/jvm').map((name) => path.join('/usr/lib/jvm', name))
      : [];
  const found = homes.flatMap((home) => javaAt(home) ?? []).toSorted((a, b) => b.version - a.version)[0];
  if (!found || found.version < oldestJava) {
    throw new Error(
      `Keycloak ${version} needs Java ${oldestJava} or later; found ${found ? `${found.version} at ${found.home}` : 'none'}. Set JAVA_HOME.`,
    );
  }
  return found;
}

/** The distribution, unpacked; fetched once, through whatever mirror this machine's Maven is told to use. */
async function fetchKeycloak({ home }: Java): Promise<string> {
  const to = path.join(cache, `keycloak-${version}`);
  if (existsSync(path.join(to, 'bin/kc.sh'))) return to;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(path.join(cache, 'fetch-'));
  try {
    console.log(`Fetching Keycloak ${version} with Maven …`);
    const artifact = `org.keycloak:keycloak-quarkus-dist:${version}:zip`;
    // -C: what does not have the repository's checksum is refused.
    const maven = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.0';
    const options = { cwd: work, stdio: ['ignore', 'inherit', 'inherit'] as ('ignore' | 'inherit')[] };
    execFileSync(
      'mvn',
      ['-B', '-q', '-C', `${maven}:get`, `-Dartifact=${artifact}`, '-Dtransitive=false'],
      options,
    );
    execFileSync(
      'mvn',
      ['-B', '-q', '-C', `${maven}:copy`, `-Dartifact=${artifact}`, `-DoutputDirectory=${work}`],
      options,
    );
    const zip = path.join(work, `keycloak-quarkus-dist-${version}.zip`);
    const sum = await sha256(zip);
    if (version === pinned.version && sum !== pinned.sha256) {
      throw new Error(`${zip} is not the Keycloak ${version} that these tests know: its SHA-256 is ${sum}`);
    }
    const jar = path.join(home, 'bin/jar');
    if (existsSync(jar)) execFileSync(jar, ['xf', zip], options);
    else execFileSync('unzip', ['-q', zip], options);
    renameSync(path.join(work, `keycloak-${version}`), to);
    return to;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

interface Started {
  readonly env: Record<string, string>;
  end(): Promise<void>;
}

/** In development mode, with a small heap and a database of its own that goes with it. */
async function start(home: string, java: Java): Promise<Started> {
  const [port, management] = [await freePort(), await freePort()];
  const dir = mkdtempSync(path.join(tmpdir(), 'sallyport-keycloak-'));
  const dbUrl = `jdbc:h2:file:${path.join(dir, 'keycloak')};NON_KEYWORDS=VALUE;AUTO_SERVER=TRUE`;
  const url = `http://localhost:${port}`;
  const password = randomBytes(16).toString('hex');
  const child = spawn(
    'sh',
    [
      path.join(home, 'bin/kc.sh'),
      'start-dev',
      '--http-host=127.0.0.1',
      `--http-port=${port}`,
      `--http-management-port=${management}`,
      `--hostname=${url}`,
      '--db=dev-file',
      `--db-url=${dbUrl}`,
      '--cache=local',
    ],
    {
      cwd: dir,
      // A group of its own: kc.sh starts Java as its child, and both are ended together.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        HOME: dir,
        JAVA_HOME: java.home,
        JAVA_OPTS_APPEND: '-Xmx512m',
        KC_BOOTSTRAP_ADMIN_USERNAME: 'admin',
        KC_BOOTSTRAP_ADMIN_PASSWORD: password,
      },
    },
  );
  const end = () => endOf(child, dir);
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log = `${log}${text}`.slice(-20_000);
      if (process.env.KEYCLOAK_LOG) process.stderr.write(text);
    });
  }
  try {
    await ready(child, url);
  } catch (error) {
    await end();
    throw new Error(`Keycloak did not start: ${(error as Error).message}\n${log}`);
  }
  return {
    env: {
      KEYCLOAK_URL: url,
      KEYCLOAK_ADMIN: `admin:${password}`,
      KEYCLOAK_HOME: home,
      KEYCLOAK_DB_URL: dbUrl,
      JAVA_HOME: java.home,
    },
    end,
  };
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  const began = Date.now();
  while (Date.now() - began < 300_000) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    const answer = await fetch(`${url}/realms/master`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('not ready after five minutes');
}

/** By its own process group: told first, and ended where it does not listen. */
async function endOf(child: ChildProcess, dir: string): Promise<void> {
  const { pid } = child;
  if (pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const tell = (signal: NodeJS.Signals) => {
      try {
        process.kill(-pid, signal);
      } catch {
        // Gone already.
      }
    };
    tell('SIGTERM');
    const late = setTimeout(() => tell('SIGKILL'), 20_000);
    await gone;
    clearTimeout(late);
  }
  rmSync(dir, { recursive: true, force: true });
}

function runAva(env: NodeJS.ProcessEnv): Promise<number> {
  const cli = path.join(root, 'node_modules/ava/entrypoints/cli.js');
  const child = spawn(
    process.execPath,
    [cli, '--config', 'test-keycloak/ava.config.js', ...process.argv.slice(2)],
    { cwd: root, env, stdio: 'inherit' },
  );
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

if (process.env.KEYCLOAK_URL) {
  process.exitCode = await runAva(process.env);
} else {
  const java = findJava();
  const home = await fetchKeycloak(java);
  console.log(`Starting Keycloak ${version} with Java ${java.version} …`);
  const keycloak = await start(home, java);
  let ending: Promise<void> | null = null;
  const end = () => {
    ending ??= keycloak.end();
    return ending;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void end().then(() => process.exit(1)));
  }
  try {
    process.exitCode = await runAva({ ...process.env, ...keycloak.env });
  } finally {
    await end();
  }
}
