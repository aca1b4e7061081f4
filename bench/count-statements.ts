import { once } from 'node:events';
import path from 'node:path';
import { projectRoot } from '../config/settings.ts';
import { requests, signIn } from './journeys.ts';
import { type People, stepAt } from './people.ts';
import { type Environment, type Running, startServer } from './servers.ts';

export interface Counted {
  /** Of somebody's first sign-in ever, which also makes the rows that count attempts. */
  readonly first: number;
  /** Of every later one. */
  readonly later: number;
  readonly transactions: number;
  /** Of a later one, in the order in which they were sent; `BEGIN … COMMIT` for what goes around a batch. */
  readonly statements: readonly string[];
  /** The same of each single request. */
  readonly requests: Readonly<Record<string, readonly string[]>>;
}

const brackets = 'BEGIN … COMMIT';

/** The statements of one whole sign-in, by somebody who has not signed in before. Their code of the next step counts as well. */
export async function countStatements(env: Environment, { list, password }: People): Promise<Counted> {
  const person = list.at(-1);
  if (!person) throw new Error('there is nobody to sign in');
  const server = await startServer(
    'counted Sallyport',
    [path.join(projectRoot, 'bench/counted-sallyport.ts')],
    env,
  );
  try {
    const step = stepAt(Date.now());
    await statementsSince(server);
    await signIn(server.address, { person, step, password });
    const first = await statementsSince(server);
    const signedIn = await signIn(server.address, { person, step: step + 1, password });
    const statements = await statementsSince(server);
    const ofRequests: Record<string, string[]> = {};
    for (const [name, ask] of Object.entries(requests)) {
      await ask(signedIn);
      ofRequests[name] = withoutBrackets(await statementsSince(server));
    }
    return {
      first: withoutBrackets(first).length,
      later: withoutBrackets(statements).length,
      transactions: statements.filter((sql) => sql === brackets).length,
      statements,
      requests: ofRequests,
    };
  } finally {
    await server.stop();
  }
}

const withoutBrackets = (statements: readonly string[]): string[] =>
  statements.filter((sql) => sql !== brackets);

async function statementsSince(server: Running): Promise<string[]> {
  // What runs after an answer was sent belongs to its request.
  await new Promise((resolve) => setTimeout(resolve, 200));
  const answer = once(server.process, 'message');
  server.process.send('what was it?');
  const [statements] = await answer;
  return statements as string[];
}

/** The statements as a numbered list, long ones cut, and how often the most frequent ones stand in it. */
export function listed({ statements, requests: ofRequests }: Counted): string {
  const lines = numbered(statements);
  const times = Map.groupBy(withoutBrackets(statements), (sql) => sql);
  const repeated = [...times]
    .map(([sql, { length }]) => ({ sql, length }))
    .filter(({ length }) => length > 1)
    .toSorted((a, b) => b.length - a.length)
    .map(({ sql, length }) => `${String(length).padStart(3)} × ${cut(sql)}`);
  const single = Object.entries(ofRequests).flatMap(([name, asked]) => ['', `${name}:`, ...numbered(asked)]);
  return [...lines, '', 'More than once:', ...repeated, ...single].join('\n');
}

function numbered(statements: readonly string[]): string[] {
  let number = 0;
  return statements.map((sql) => {
    if (sql === brackets) return `     ${sql}`;
    number += 1;
    return `${String(number).padStart(4)} ${cut(sql)}`;
  });
}

const cut = (sql: string): string => (sql.length > 130 ? `${sql.slice(0, 129)}…` : sql);
