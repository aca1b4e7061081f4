import type { Clock } from '../lib/clock.ts';

/**
 * A clock that runs as all do and jumps ahead once a second: sign-ins and codes last as long as they need, and tokens, sessions and
 * remembered devices end within minutes. Two processes with the same environment agree on it.
 */
export function soakClock(env: NodeJS.ProcessEnv): Clock {
  const base = Number(env.SOAK_BASE);
  const jump = Number(env.SOAK_JUMP_MINUTES) * 60_000;
  return {
    now: () => {
      const passed = Date.now() - base;
      return new Date(base + passed + Math.floor(passed / 1000) * jump);
    },
  };
}
