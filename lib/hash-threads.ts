import { readdirSync, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setPriority } from 'node:os';

/** As `nice` counts: a third of what a thread gets that does not give way, where both want the same processor. */
const politeness = 5;

/**
 * Threads that hash passwords let the one that answers people go first, where processors are few: on Linux each thread has a
 * priority of its own. Elsewhere nothing changes.
 */
export async function hashingGivesWay(): Promise<void> {
  if (process.platform !== 'linux') return;
  // libuv makes its threads with the first work for them.
  await stat('/proc/self');
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
      if (name === 'libuv-worker') setPriority(Number(thread), politeness);
    } catch {
      // It ended, or the system does not allow it: it hashes as fast as everything else then.
    }
  }
}
