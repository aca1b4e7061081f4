import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { createConnection } from 'mysql2/promise';
import { freshDir } from '../configuration/fresh-database.ts';
import { freePort, until } from './process-rig.ts';

/** Debian keeps them where only root looks. A server of today is somewhere, and has summer time. */
const env = {
  ...process.env,
  PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`,
  TZ: 'Europe/Berlin',
};

/** False where a server of the test's own cannot be started. */
export const canStartMariadb = (): boolean =>
  ['mariadbd', 'mariadb-install-db'].every(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`], { env }).status === 0,
  );

export interface MariadbServer {
  readonly port: number;
  /** Of an empty database, with all rights. */
  readonly url: string;
  /** As root over the server's own socket, whatever is wrong with the network. */
  admin(sql: string): Promise<unknown>;
  start(more?: readonly string[]): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** A server that is the test's alone, to be stopped, filled up and made read-only. It is gone after the test. */
export async function mariadbServer(
  t: ExecutionContext,
  options: readonly string[] = [],
  /** Where its files are; a directory that is gone after the test. */
  dir = freshDir(t),
  username = userInfo().username,
): Promise<MariadbServer> {
  const data = path.join(dir, 'data');
  const socket = path.join(dir, 's');
  const own = [
    '--no-defaults',
    `--datadir=${data}`,
    `--user=${username}`,
    `--tmpdir=${dir}`,
    '--innodb-log-file-size=8M',
  ];
  const made = spawnSync(
    'mariadb-install-db',
    [...own, '--auth-root-authentication-method=normal', '--skip-test-db'],
    { env, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`mariadb-install-db: ${made.stderr}${made.stdout}`);
  const port = await freePort();
  let child: ChildProcess | null = null;
  let said = '';

  const admin: MariadbServer['admin'] = async (sql) => {
    const connection = await createConnection({
      socketPath: socket,
      user: 'root',
      multipleStatements: true,
    });
    try {
      return (await connection.query(sql))[0];
    } finally {
      await connection.end();
    }
  };
  const stop: MariadbServer['stop'] = async (signal = 'SIGTERM') => {
    const running = child;
    child = null;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    await new Promise((resolve) => {
      running.once('close', resolve);
      running.kill(signal);
    });
  };
  const start: MariadbServer['start'] = async (more = []) => {
    const started = spawn(
      'mariadbd',
      [
        ...own,
        `--socket=${socket}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        '--innodb-buffer-pool-size=32M',
        '--innodb-flush-log-at-trx-commit=0',
        '--skip-name-resolve',
        ...options,
        ...more,
      ],
      { env, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child = started;
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said = `${said}${text}`.slice(-4000);
      });
    }
    const up = async () => {
      if (started.exitCode !== null) throw new Error(`mariadbd ended: ${said}`);
      return admin('SELECT 1').then(
        () => true,
        () => false,
      );
    };
    if ((await until(up, 20_000)) === null) throw new Error(`mariadbd did not start: ${said}`);
  };
  t.teardown(async () => {
    await stop('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  });
  await start();
  const takes = async () => {
    try {
      await admin(
        "CREATE DATABASE IF NOT EXISTS sallyport; CREATE USER IF NOT EXISTS sallyport@'%' IDENTIFIED BY 'line-and-sinker'; GRANT ALL ON sallyport.* TO sallyport@'%'",
      );
      return true;
    } catch (error) {
      // A node that joins a cluster is there before it is one of it.
      if ((error as { errno?: number }).errno === 1047) return false;
      throw error;
    }
  };
  if ((await until(takes, 20_000)) === null) throw new Error(`mariadbd takes nothing: ${said}`);
  return {
    port,
    url: `mysql://sallyport:line-and-sinker@127.0.0.1:${port}/sallyport`,
    admin,
    start,
    stop,
  };
}
