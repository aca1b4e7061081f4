import { timingSafeEqual } from 'node:crypto';
import Router from '@koa/router';
import type { Context, Middleware } from 'koa';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Settings } from '../config/settings.ts';
import type { Database } from '../entities/database.ts';
import { latestFigures } from '../entities/organization-days.ts';
import { outboxQueues } from '../entities/outbox.ts';
import { seconds } from '../lib/clock.ts';
import type { WorkQueue } from '../lib/work-queue.ts';
import { methodOf, routeOf } from './route-name.ts';
import { cameDirectly } from './trusted-request.ts';

export interface Metrics {
  /** Times every request by its route; stands before all others. */
  readonly timed: Middleware;
  readonly routes: Router;
  delivered(outcome: string, channel: string): void;
  /** Everything in the text format of Prometheus. */
  text(): Promise<string>;
}

/**
 * What an operator asks of a running instance, for Prometheus at `/metrics`. Figures of this process are counted here; figures of
 * the database are read when somebody asks, and not again for a while. No name of a person is in any of them.
 */
export function createMetrics(
  settings: Pick<Settings, 'metricsToken'>,
  { db, queue }: { readonly db: Database; readonly queue: WorkQueue },
  /** Where several processes share a port: what all of them have counted. */
  ofAll: (() => Promise<string>) | null = null,
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  AggregatorRegistry.setRegistries([registry]);
  const registers = [registry];

  const events = new Counter({
    name: 'sallyport_events_total',
    help: 'Events of the audit log, by type; sign-ins by assurance, attempts by factor',
    labelNames: ['type', 'method', 'acr'],
    registers,
  });
  db.onWritten((told) => events.inc({ type: '', method: '', acr: '', ...told }));

  const requests = new Histogram({
    name: 'sallyport_http_request_seconds',
    help: 'Time to the answer of requests, by route',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  const deliveries = new Counter({
    name: 'sallyport_deliveries_total',
    help: 'Attempts to deliver mails, text messages, logout tokens and signals, by outcome',
    labelNames: ['channel', 'outcome'],
    registers,
  });
  new Gauge({
    name: 'sallyport_password_hashes',
    help: 'Password hashes under way and waiting for their turn',
    labelNames: ['state'],
    registers,
    collect() {
      this.set({ state: 'running' }, queue.running);
      this.set({ state: 'waiting' }, queue.waiting);
    },
  });
  ofDatabase(db, registers);

  const own = () => registry.metrics();
  const text = ofAll ?? own;
  const routes = new Router();
  routes.get('/metrics', async (ctx) => {
    if (!mayRead(ctx, settings.metricsToken)) {
      ctx.throw(404);
    }
    ctx.type = registry.contentType;
    ctx.body = await text();
  });

  return {
    routes,
    text,
    delivered: (outcome, channel) => deliveries.inc({ channel, outcome }),
    timed: async (ctx, next) => {
      const end = requests.startTimer({ method: methodOf(ctx.method) });
      try {
        await next();
      } finally {
        end({ route: routeOf(ctx), status: `${Math.floor(ctx.status / 100)}xx` });
      }
    },
  };
}

/** Figures of the whole instance: the same from every process, so that of many the greatest is taken and none added up. */
function ofDatabase(db: Database, registers: Registry[]): void {
  const shared = { registers, aggregator: 'max' as const, collect: () => looked() };
  const up = new Gauge({ name: 'sallyport_database_up', help: '1 where the database answers', ...shared });
  const answer = new Gauge({
    name: 'sallyport_database_answer_seconds',
    help: 'Time that the database took for the figures below',
    ...shared,
  });
  const waiting = new Gauge({
    name: 'sallyport_outbox_waiting',
    help: 'Messages that are to be sent',
    labelNames: ['channel'],
    ...shared,
  });
  const oldest = new Gauge({
    name: 'sallyport_outbox_oldest_seconds',
    help: 'For how long the oldest message has been waiting',
    labelNames: ['channel'],
    ...shared,
  });
  const members = new Gauge({
    name: 'sallyport_members',
    help: 'Members of an organization, with and without a second factor set up',
    labelNames: ['organization', 'second_factor'],
    ...shared,
  });
  let readAt = Number.NEGATIVE_INFINITY;
  let reading = Promise.resolve();
  const looked = (): Promise<void> => {
    if (performance.now() - readAt >= seconds(10)) {
      readAt = performance.now();
      reading = look();
    }
    return reading;
  };
  const look = async () => {
    waiting.reset();
    oldest.reset();
    try {
      const queues = await outboxQueues(db);
      const figures = await latestFigures(db);
      const now = db.clock.now().getTime();
      for (const { channel, count, oldest_at } of queues) {
        waiting.set({ channel }, Number(count));
        oldest.set({ channel }, oldest_at === null ? 0 : Math.max(0, (now - oldest_at) / 1000));
      }
      for (const { slug, members: all, set_up } of figures) {
        members.set({ organization: slug, second_factor: 'yes' }, Number(set_up));
        members.set({ organization: slug, second_factor: 'no' }, Number(all) - Number(set_up));
      }
      up.set(1);
    } catch {
      up.set(0);
    }
    answer.set((performance.now() - readAt) / 1000);
  };
}

/** With a token, whoever shows it; without, only who sits on this machine and comes through no proxy. Others see no such page. */
function mayRead(ctx: Context, token: string | null): boolean {
  if (token === null) {
    return cameDirectly(ctx.req);
  }
  const given = Buffer.from(ctx.get('Authorization').replace(/^Bearer /, ''));
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
