import { writeFileSync } from 'node:fs';

/**
 * In the server's process, by `--import`: how long its main thread works at most without looking after anybody else. By its own
 * processor time, so that what other programs do on the same processors is not in it, and by the clock. At SIGUSR2 it writes both, in
 * milliseconds, to the file that LOOP_PROBE names, and begins anew.
 */
let own = 0;
let wall = 0;
let last = { cpu: cpu(), at: performance.now() };

function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

const timer = setInterval(() => {
  const now = { cpu: cpu(), at: performance.now() };
  own = Math.max(own, now.cpu - last.cpu);
  wall = Math.max(wall, now.at - last.at);
  last = now;
}, 1);
timer.unref();

process.on('SIGUSR2', () => {
  writeFileSync(process.env.LOOP_PROBE ?? '', JSON.stringify({ own, wall }));
  own = 0;
  wall = 0;
});
