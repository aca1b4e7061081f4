import { once } from 'node:events';
import path from 'node:path';
import { projectRoot } from '../config/settings.ts';
import { signIn } from './journeys.ts';
import type { Contestant } from './measure.ts';
import { type Environment, type Running, startServer } from './servers.ts';

export interface Counted {
  /** In the order in which they were sent; `BEGIN … COMMIT` for what goes around a batch. */
  readonly statements: readonly string[];
  readonly count: number;
  readonly transactions: number;
}

const brackets = 'BEGIN … COMMIT';

/** The statements of one sign-in by somebody who has signed in before, from a browser that has not. */
export async function countStatements(
  env: Environment,
  nextPerson: Contestant['nextPerson'],
  password: string,
): Promise<Counted> {
  const server = await startServer(
    'counted Sallyport',
    [path.join(projectRoot, 'bench/counted-sallyport.ts')],
    env,
  );
  try {
    await signIn(server.address, { ...(await nextPerson()), password });
    await taken(server);
    await signIn(server.address, { ...(await nextPerson()), password });
    const statements = await taken(server);
    const transactions = statements.filter((sql) => sql === brackets).length;
    return { statements, count: statements.length - transactions, transactions };
  } finally {
    await server.stop();
  }
}

async function taken(server: Running): Promise<string[]> {
  const answer = once(server.process, 'message');
  server.process.send('what was it?');
  const [statements] = await answer;
  return statements as string[];
}

/** The statements as a numbered list, long ones cut. */
export const listed = ({ statements }: Counted): string => {
  let number = 0;
  return statements
    .map((sql) => {
      if (sql === brackets) return `     ${sql}`;
      number += 1;
      return `${String(number).padStart(4)} ${sql.length > 130 ? `${sql.slice(0, 129)}…` : sql}`;
    })
    .join('\n');
};
