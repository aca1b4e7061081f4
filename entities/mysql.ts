import { connect, isIP } from 'node:net';
import type { PoolConnection as PlainConnection } from 'mysql2';
import type { Pool, PoolConnection } from 'mysql2/promise';
import type { DatabaseTls } from '../config/settings.ts';
import { type Clock, seconds } from '../lib/clock.ts';
import { migrations } from '../migrations/index.ts';
import type { Database, DatabaseOptions, Statement, Value } from './database.ts';
import { noteAnswer, refuseTooLate } from './lateness.ts';
import { checked, createListeners, statementBuilders, withConsequences } from './statements.ts';

/** How long one question may take. A form's batch is short; an import of thousands of people may take its time. */
const patience = seconds(4);
const patienceFor = (batch: readonly Statement[]): number =>
  patience + batch.reduce((values, statement) => values + statement.values.length, 0);
/** How long a statement may wait for a row that another one holds, before it is tried again. */
const lockPatience = seconds(2);
/** Read-only, as a replica or a primary that was replaced; a node that left its Galera cluster. */
const takesNoWrites = new Set([1290, 1792, 1836, 1047]);
/** Deadlock and lock wait, and what TiDB calls a write that met another. */
export const undone = new Set([1213, 1205, 8002, 8022, 8028, 9007]);
/** After a question that was not answered, all others are refused for so long: nobody waits for each in turn. */
const rest = seconds(2);

/** MySQL and MariaDB: a pool of connections. */
export async function openMysql(databaseUrl: string, options: DatabaseOptions): Promise<Database> {
  // Whoever has the embedded database need not load it.
  const { createPool } = await import('mysql2/promise');
  const server = serverIn(databaseUrl);
  const line = protectedLine(server, options.tls ?? null);
  const pool = createPool({
    ...server,
    ...line,
    connectionLimit: options.poolSize ?? 10,
    queueLimit: 500,
    maxPreparedStatements: 500,
    enableKeepAlive: true,
    // Moments and counts are whole numbers far below 2^53.
    supportBigNumbers: true,
    bigNumberStrings: false,
    multipleStatements: false,
    stringifyObjects: true,
  });
  const connections = sharing(pool);
  const { onWritten, tell } = createListeners();
  const { clock, stop } = await (async () => {
    try {
      if (!options.clock) return await serverClock(connections);
      await connections.use(patience, (connection) => answerTo(connection, 'SELECT 1'));
      return { clock: options.clock, stop: () => {} };
    } catch (error) {
      await farewell(pool);
      throw error;
    }
  })();

  const ask = (sql: string, values: readonly Value[]): Promise<unknown> => {
    const right = checked(values);
    return connections.use(patience, (connection) => answerTo(connection, sql, right));
  };
  return {
    withTypeOrm: async (work) => {
      const { DataSource } = await import('typeorm');
      const { user, ...rest } = server;
      const source = new DataSource({
        type: 'mysql',
        ...rest,
        username: user,
        extra: line,
        poolSize: 2,
        migrations,
        migrationsTransactionMode: 'each',
      });
      await source.initialize();
      try {
        return await work(source);
      } finally {
        await source.destroy();
      }
    },
    dialect: 'mysql',
    clock,
    rows: async <Row>(sql: string, values: readonly Value[] = []) => (await ask(sql, values)) as Row[],
    row: async <Row>(sql: string, values: readonly Value[] = []) =>
      ((await ask(sql, values)) as Row[])[0] ?? null,
    change: (sql, values = []) => undoneAgain(async () => affected(await ask(sql, values))),
    together: async (batch) => {
      const done = await undoneAgain(() =>
        connections.use(patienceFor(batch), (connection) => inTransaction(connection, batch)),
      );
      if (done) {
        tell(batch);
      }
      return done;
    },
    onWritten,
    ...statementBuilders('mysql'),
    close: async () => {
      stop();
      await farewell(pool);
    },
  };
}

/** A server that does not answer keeps nobody from ending: what is open to it goes with the process. */
async function farewell(pool: Pool): Promise<void> {
  await inTime(pool.end(), seconds(1)).catch(() => {});
}

interface Connections {
  /** @throws where the database does not answer in time; what was asked is then done wholly or not at all */
  use<Result>(patience: number, work: (connection: PoolConnection) => Promise<Result>): Promise<Result>;
}

/** What a DATABASE_URL says, as both mysql2 and TypeORM want it. Nothing in its query is an option. */
function serverIn(databaseUrl: string) {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    charset: 'utf8mb4',
    timezone: 'Z',
    connectTimeout: seconds(4),
  } as const;
}

/**
 * The library speaks TLS but looks at the name in the certificate only where it is told to, and never where the server is named by
 * its address: there the socket says whom the certificate must be for. A server without TLS is refused by the library.
 */
function protectedLine(server: ReturnType<typeof serverIn>, tls: DatabaseTls | null) {
  if (tls === null) return {};
  const { host, port } = server;
  const ssl = {
    verifyIdentity: true,
    minVersion: 'TLSv1.2',
    ...(tls.authorities === null ? {} : { ca: [...tls.authorities] }),
    ...(tls.certificate === null || tls.key === null ? {} : { cert: tls.certificate, key: tls.key }),
  };
  if (isIP(host) === 0) return { ssl };
  const stream = () => {
    const socket = connect({ host, port, keepAlive: true, noDelay: true });
    return Object.assign(socket, { _host: host });
  };
  return { ssl, stream };
}

function sharing(promised: Pool): Connections {
  /** Which server a connection was made to: the one before a failover or the one after. */
  const known = new WeakMap<object, number>();
  let failovers = 0;
  let silentUntil = 0;

  /** @param taking is told of a connection before it is asked for anything: one that never answers would stay taken for ever */
  const ready = async (taking: (taken: PoolConnection) => void): Promise<PoolConnection> => {
    for (;;) {
      const taken = await promised.getConnection();
      taking(taken);
      const madeTo = known.get(taken.connection);
      if (madeTo === failovers) return taken;
      if (madeTo !== undefined) {
        taken.destroy();
        continue;
      }
      try {
        // Single use is decided by the number of rows that a statement changes; nothing is read twice in a transaction.
        await taken.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
        // One row that is held for long is no reason to give up the whole server.
        await taken.query(`SET SESSION innodb_lock_wait_timeout = ${lockPatience / 1000}`);
      } catch (error) {
        taken.destroy();
        throw error;
      }
      known.set(taken.connection, failovers);
      return taken;
    }
  };

  return {
    use: async (patienceHere, work) => {
      refuseTooLate();
      const began = performance.now();
      if (began < silentUntil) {
        throw away();
      }
      let abandoned = false;
      let connection: PoolConnection | null = null;
      const answer = (async () => {
        const taken = await ready((one) => {
          if (abandoned) {
            one.release();
            throw away();
          }
          connection = one;
        });
        if (abandoned) throw away();
        try {
          return await work(taken);
        } catch (error) {
          // What was the writer is one no more: nothing that was made to it is of use, and a new connection finds its successor.
          if (takesNoWrites.has((error as { errno?: number }).errno ?? 0)) failovers += 1;
          throw error;
        } finally {
          if (!abandoned) {
            taken.release();
          }
        }
      })();
      try {
        return await inTime(answer, patienceHere);
      } catch (error) {
        if (error instanceof NoAnswer) {
          abandoned = true;
          silentUntil = performance.now() + rest;
          // Nobody knows what it is waiting for: it is of no more use, and another takes its place.
          (connection as PoolConnection | null)?.destroy();
          answer.catch(() => {});
        }
        throw error;
      } finally {
        noteAnswer(performance.now() - began, patienceHere - patience);
      }
    },
  };
}

class NoAnswer extends Error {
  readonly code = 'PROTOCOL_SEQUENCE_TIMEOUT';
}

const away = (): NoAnswer => new NoAnswer('the database does not answer');

async function inTime<Result>(answer: Promise<Result>, patience: number): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // Where this process itself was busy for so long, the answer may be here already: it is read first.
      setImmediate(() => setImmediate(() => reject(away())));
    }, patience);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}

/** A deadlock or a lock wait undid the whole: nothing of it happened, so it may be tried again. */
async function undoneAgain<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= 3 || !undone.has((error as { errno?: number }).errno ?? 0)) {
        throw error;
      }
    }
  }
}

/**
 * One question. The library's own promises take a picture of the stack before each, in case it fails, which costs as much as writing
 * it; what it calls back costs nothing.
 */
const answerTo = (connection: PoolConnection, sql: string, values: readonly Value[] = []): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const { connection: plain } = connection as unknown as { connection: PlainConnection };
    plain.query(sql, [...values], (error, result) => (error ? reject(error) : resolve(result)));
  });

async function inTransaction(connection: PoolConnection, batch: readonly Statement[]): Promise<boolean> {
  await answerTo(connection, 'START TRANSACTION');
  try {
    for (const { sql, values, rows } of withConsequences(batch)) {
      const changed = affected(await answerTo(connection, sql, checked(values)));
      if (rows !== undefined && changed !== rows) {
        await answerTo(connection, 'ROLLBACK');
        return false;
      }
    }
    await answerTo(connection, 'COMMIT');
    return true;
  } catch (error) {
    await answerTo(connection, 'ROLLBACK').catch(() => connection.destroy());
    throw error;
  }
}

function affected(result: unknown): number {
  return (result as { affectedRows?: number }).affectedRows ?? 0;
}

/**
 * Milliseconds since 1970 by the server. By way of its UTC, for of local time there is an hour too many when summer time ends, and
 * UNIX_TIMESTAMP(NOW()) takes the first for the second.
 */
export const serverTime =
  "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000 AS ms";

/** The server's time, measured now and then and carried on by a clock that nobody can set back. */
async function serverClock(connections: Connections): Promise<{ clock: Clock; stop: () => void }> {
  let offset = 0;
  const measure = async () => {
    await connections.use(patience, async (connection) => {
      const before = performance.now();
      const [rows] = await connection.query(serverTime);
      const [{ ms }] = rows as unknown as [{ ms: number | string }];
      offset = Number(ms) - (before + performance.now()) / 2;
    });
  };
  await measure();
  const timer = setInterval(() => void measure().catch(() => {}), seconds(15));
  timer.unref();
  return {
    clock: { now: () => new Date(Math.round(offset + performance.now())) },
    stop: () => clearInterval(timer),
  };
}
