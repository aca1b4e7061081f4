import cluster, { type Worker } from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { AggregatorRegistry } from 'prom-client';
import { type Settings, SettingsError } from './config/settings.ts';
import { migrate, openDatabase } from './entities/database.ts';
import { tracedDatabase } from './entities/traced-database.ts';
import { jobsOf } from './jobs/index.ts';
import { startJobs } from './jobs/schedule.ts';
import { seconds } from './lib/clock.ts';
import { hashingGivesWay } from './lib/hash-threads.ts';
import { createLog } from './lib/log.ts';
import { noSpans } from './lib/spans.ts';
import { type App, createApp } from './server.ts';

/** The server as a process: in the foreground until it is told to end, with as many workers as the settings say. */
export async function start(settings: Settings): Promise<void> {
  if (settings.workers > 1 && cluster.isPrimary) {
    await startWorkers(settings);
    return;
  }
  await serve(settings);
}

/** Listens until the process is told to end; requests under way are answered first. */
async function serve(settings: Settings): Promise<void> {
  await hashingGivesWay();
  const log = createLog(settings);
  const spans =
    settings.traces === null
      ? noSpans
      : (await import('./lib/open-telemetry.ts')).openTelemetry(settings.traces);
  const db = tracedDatabase(await openDatabase(settings.databaseUrl, { tls: settings.databaseTls }), spans);
  const isFirst = !cluster.isWorker || process.env.SALLYPORT_WORKER === '1';
  if (isFirst) {
    await migrate(db);
  }
  let ending = false;
  const app = await createApp(settings, db, log, {
    metricsOfAll: cluster.isWorker ? metricsFromPrimary : null,
    spans,
    isEnding: () => ending,
  });
  if (cluster.isWorker) {
    // Its making is what lets this process answer when the primary asks.
    new AggregatorRegistry();
  }
  const demo = settings.demo && isFirst ? await import('./demo/demo.ts') : null;
  await demo?.prepareDemo(app.services);
  const server = await listen(app, settings);
  app.courier.start();
  const traced = jobsOf(app.services).map((job) => ({
    ...job,
    work: () => spans.first(`job ${job.name}`, {}, () => job.work()),
  }));
  const jobs = startJobs(db, traced, log);
  const following = setInterval(
    () => void app.followSigningKeys().catch(() => log.warn('the signing keys could not be read')),
    seconds(30),
  );
  following.unref();
  const demoRunning = await demo?.startDemo(settings, app.services, log);
  const welcome = demoRunning?.welcome ?? null;
  if (cluster.isWorker) {
    process.send?.({ ready: true, welcome });
  } else {
    announce(settings, welcome);
  }

  const end = async (drain: number) => {
    if (ending) {
      return;
    }
    ending = true;
    clearInterval(following);
    const jobsDone = jobs.stop();
    await sleep(drain);
    await closed(server);
    await jobsDone;
    await demoRunning?.close();
    await app.courier.stop();
    await db.close();
    await spans.close();
    if (cluster.isWorker) {
      process.disconnect();
    }
    // Lines to a server that does not answer stay open for minutes; nothing else is left.
    setTimeout(() => process.exit(), seconds(1)).unref();
  };
  // More than once: systemd and a terminal tell each process of a group, and the primary tells its workers.
  process.on('SIGTERM', () => void end(settings.drain));
  // Whoever sits before it need not wait.
  process.on('SIGINT', () => void end(0));
  endWithNpm(() => end(0));
}

/** `npm start` runs us in a shell that a SIGTERM to npm ends alone: without it, we end too. */
function endWithNpm(end: () => Promise<void>): void {
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event !== 'start' || cluster.isWorker) {
    return;
  }
  const timer = setInterval(() => process.ppid !== parent && void end(), 500);
  timer.unref();
}

/** All in one write: who waits for the line that says "ready" has the rest too. */
function announce(settings: Settings, welcome: string | null): void {
  const ready = `Sallyport ready at ${settings.issuer}`;
  console.log(welcome === null ? ready : `${ready}\n${welcome}`);
}

/** The first worker brings the schema up to date and the demo with it; the others follow. One that dies is replaced. */
async function startWorkers(settings: Settings): Promise<void> {
  let ending = false;
  const end = (signal: NodeJS.Signals) => {
    ending = true;
    for (const worker of Object.values(cluster.workers ?? {})) {
      worker?.process.kill(signal);
    }
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  endWithNpm(async () => end('SIGTERM'));

  answerForMetrics();
  const welcome = await ready(cluster.fork({ SALLYPORT_WORKER: '1' }));
  await Promise.all(
    Array.from({ length: settings.workers - 1 }, (_, n) =>
      ready(cluster.fork({ SALLYPORT_WORKER: String(n + 2) })),
    ),
  );
  cluster.on('exit', (worker, code) => {
    if (!ending) {
      console.error(`worker ${worker.id} ended with ${code}; another takes its place`);
      setTimeout(() => !ending && cluster.fork({ SALLYPORT_WORKER: 'replacement' }), seconds(1));
    }
  });
  announce(settings, welcome);
}

/** Workers ask the one that knows them all, and it asks each of them. */
function metricsFromPrimary(): Promise<string> {
  return new Promise((resolve, reject) => {
    const id = randomUUID();
    const answered = (message: { metrics?: string; text?: string }) => {
      if (message.metrics === id) {
        stop();
        resolve(message.text ?? '');
      }
    };
    const timer = setTimeout(() => {
      stop();
      reject(new Error('the processes did not say what they have counted'));
    }, seconds(5));
    const stop = () => {
      clearTimeout(timer);
      process.off('message', answered);
    };
    process.on('message', answered);
    process.send?.({ metrics: id });
  });
}

function answerForMetrics(): void {
  const all = new AggregatorRegistry();
  cluster.on('message', (worker, message: { metrics?: string }) => {
    if (typeof message.metrics === 'string') {
      all.clusterMetrics().then(
        (text) => worker.send({ metrics: message.metrics, text }),
        () => {},
      );
    }
  });
}

/** What was wrong the worker has said itself. */
class WorkerEnded extends Error {
  override name = 'WorkerEnded';

  constructor(code: number | null) {
    super(`A worker ended with ${code} before it was ready.`);
  }
}

function ready(worker: Worker): Promise<string | null> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: { welcome: string | null }) => resolve(message.welcome));
    worker.once('exit', (code) => reject(new WorkerEnded(code)));
  });
}

/** What is wrong at the first start of many, in words that name the settings. */
function cannotListen(error: NodeJS.ErrnoException, { host, port, issuer }: Settings): Error {
  const why: Readonly<Record<string, string>> = {
    EADDRINUSE: `something else listens at ${host}:${port}. End it, or choose another PORT${new URL(issuer).port === String(port) ? ' (and ISSUER with it, where that is set)' : ''}`,
    EACCES: `this user may not listen at port ${port}. Choose a PORT from 1024 on, and put a proxy in front`,
    EADDRNOTAVAIL: `HOST ${host} is no address of this machine`,
    ENOTFOUND: `HOST ${host} is no address of this machine`,
  };
  const sentence = why[error.code ?? ''];
  return sentence === undefined ? error : new SettingsError([sentence]);
}

async function listen(app: App, settings: Settings): Promise<Server> {
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      requestTimeout: seconds(30),
      headersTimeout: seconds(15),
      // Node looks only so often whether either is over.
      connectionsCheckingInterval: seconds(5),
      keepAliveTimeout: seconds(65),
    },
    app.handle,
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, settings)));
    server.listen(settings.port, settings.host, resolve);
  });
  return server;
}

/** New connections are refused, idle ones closed, and what is under way gets ten seconds. */
async function closed(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), seconds(9));
  // A connection that is kept alive becomes idle only after its last answer.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
  clearInterval(idle);
}
