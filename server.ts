import type { EventEmitter } from 'node:events';
import type { createServer } from 'node:http';
import path from 'node:path';
import Router from '@koa/router';
import type { Context } from 'koa';
import type { Provider } from 'oidc-provider';
import type { Logger } from 'pino';
import { invitationRoutes } from './account/invitation.ts';
import { confirmEmailRoutes } from './account/profile.ts';
import { registerRoutes } from './account/register.ts';
import { accountRoutes } from './account/routes.ts';
import { waysBackRoutes } from './account/ways-back.ts';
import { apiRoutes } from './api/routes.ts';
import { ssfRoutes } from './api/ssf.ts';
import { projectRoot, type Settings } from './config/settings.ts';
import { type Database, pendingMigrations, SchemaTooNew } from './entities/database.ts';
import { factors } from './factors/index.ts';
import { checkKeys } from './flows/check-keys.ts';
import { passOnSignals } from './flows/pass-on-signals.ts';
import type { Services } from './flows/services.ts';
import { answering } from './http/answering.ts';
import { assetRoutes } from './http/assets.ts';
import { browserCookie } from './http/browser-cookie.ts';
import { devGalleryRoutes } from './http/dev-gallery.ts';
import { devInboxRoutes } from './http/dev-inbox.ts';
import {
  catchErrors,
  isBrokenConnection,
  isDatabaseAway,
  RequestError,
  withoutValues,
} from './http/errors.ts';
import { libraryForms, libraryRoutes, selfSubmittingPages } from './http/library-forms.ts';
import { mailRenderer, textRenderer } from './http/mails.ts';
import { createMetrics } from './http/metrics.ts';
import { providerPages } from './http/provider-pages.ts';
import { createRenderer } from './http/render.ts';
import { requestLog } from './http/request-log.ts';
import { createRouteList, openToAll, type RouteList } from './http/route-list.ts';
import { securityHeaders } from './http/security-headers.ts';
import { common, show, showError } from './http/show.ts';
import { signedInReturn } from './http/signed-in-return.ts';
import type { Site } from './http/site.ts';
import { answerUntrusted, cameDirectly, isMisled, requestId } from './http/trusted-request.ts';
import { closeUnread } from './http/unread-body.ts';
import { passOnSignOut } from './interactions/pass-on-sign-out.ts';
import { resetLinkRoutes } from './interactions/reset-link.ts';
import { interactionRoutes } from './interactions/routes.ts';
import { upstreamAddressRoutes } from './interactions/upstream-addresses.ts';
import { type Argon2Cost, currentCost } from './lib/argon2.ts';
import { duringRequest } from './lib/current-request.ts';
import { openKeyRing } from './lib/key-ring.ts';
import { createLog } from './lib/log.ts';
import { createOutbound, tracedOutbound } from './lib/outbound.ts';
import { createPasswords } from './lib/password-hash.ts';
import { readAllowed } from './lib/public-address.ts';
import { noSpans, type Spans } from './lib/spans.ts';
import { createWorkQueue } from './lib/work-queue.ts';
import { type Courier, createCourier } from './notifications/deliver.ts';
import { createInbox } from './notifications/inbox.ts';
import { createMailTransport } from './notifications/mail-transport.ts';
import { createNotify } from './notifications/outbox.ts';
import { createSmsGateway } from './notifications/sms-gateway.ts';
import { brandRoutes } from './organizations/branding.ts';
import { organizationRoutes, organizationUploads } from './organizations/routes.ts';
import { testSignInRoutes } from './organizations/test-sign-in.ts';
import { createProvider, sendLogoutToken } from './provider/create-provider.ts';
import { signingKeyFollower } from './provider/follow-signing-keys.ts';
import { pushSignal } from './provider/security-event-tokens.ts';

export interface App {
  readonly services: Services;
  readonly provider: Provider;
  readonly courier: Courier;
  /** Every route of the pages, with what it asks for. */
  readonly routes: RouteList;
  readonly log: Logger;
  /** Takes up signing keys that were made or retired meanwhile; true where there were any. */
  readonly followSigningKeys: () => Promise<boolean>;
  /** What a request of `node:http` is given to. */
  readonly handle: Parameters<typeof createServer>[1];
}

/** The whole application over an open database; what listens, and when it ends, is the caller's. */
export async function createApp(
  settings: Settings,
  db: Database,
  log = createLog(settings),
  {
    metricsOfAll = null,
    hashCost = currentCost,
    spans = noSpans,
    isEnding = () => false,
  }: {
    /** Where several processes share a port: the metrics of all. */
    readonly metricsOfAll?: (() => Promise<string>) | null;
    /** For tests, which sign in thousands of times. */
    readonly hashCost?: Argon2Cost;
    readonly spans?: Spans;
    /** It was told to end: it still serves, and asks to be left. */
    readonly isEnding?: () => boolean;
  } = {},
): Promise<App> {
  const ring = openKeyRing(settings.secretKeys);
  if ((await checkKeys(db, ring)).isUnknownToOthers) {
    log.warn(
      'the first key of SECRET_KEYS is new, and servers that do not have it yet do not believe what it signs: people who reach both are signed out. Put it behind the others on all servers first',
    );
  }
  const queue = createWorkQueue({ cost: hashCost, spans });
  const renderer = createRenderer({ viewsDir: path.join(projectRoot, 'views'), cache: settings.production });
  const render = mailRenderer(renderer, settings.issuer);
  let somethingToSend = false;
  const services: Services = {
    settings,
    db,
    ring,
    queue,
    passwords: createPasswords(queue),
    notify: createNotify({ db, ring }, () => {
      somethingToSend = true;
    }),
    outbound: tracedOutbound(createOutbound(readAllowed(settings.outboundAllow)), spans),
    renderText: textRenderer(renderer, settings.issuer),
    available: factors
      .map(({ id }) => id)
      .filter((id) => id !== 'sms' || settings.smsUrl !== null || settings.demo),
  };
  const metrics = createMetrics(settings, { db, queue }, metricsOfAll);
  const courier = createCourier({
    observe: metrics.delivered,
    spans,
    db,
    ring,
    render,
    transport:
      settings.mailUrl === null
        ? null
        : createMailTransport({ mailUrl: settings.mailUrl, mailFrom: settings.mailFrom }),
    logout: (message) => sendLogoutToken(provider, message),
    signal: (message, id, signal) => pushSignal(services, message, id, signal),
    prepare: () => passOnSignals(services),
    sms: settings.smsUrl === null ? null : createSmsGateway(settings.smsUrl),
    log,
  });
  const provider = await createProvider(services, providerPages(renderer, log));
  provider.proxy = true;
  provider.on('server_error', (ctx, error) => {
    const isAway = isDatabaseAway(error);
    log[isAway ? 'warn' : 'error']({ err: withoutValues(error) }, 'the provider failed');
    if (isAway) {
      ctx.status = 503;
      ctx.set('Retry-After', '5');
    }
  });

  // Koa would print the whole stack, beside the log: of a connection that broke before its answer was there, mostly.
  const answers: EventEmitter = provider;
  answers.on('error', (error: { code?: unknown }) => {
    if (isBrokenConnection(error)) log.debug({ reason: error.code }, 'a connection broke');
    else log.error({ err: withoutValues(error) }, 'an answer could not be given');
  });

  const routes = createRouteList();
  const site: Site = {
    services,
    provider,
    renderer,
    cookie: browserCookie(ring, settings.issuer),
    routes,
  };
  const showFor = (ctx: Context, error: Parameters<typeof showError>[2]) => showError(ctx, renderer, error);
  const own = new Router();
  own.get('/', (ctx) => {
    const [inbox, gallery] = settings.demo ? ['/dev/inbox', '/dev/gallery'] : [null, null];
    show(ctx, renderer, 'home', { ...common(ctx), accountPage: '/account', demo: null, inbox, gallery });
  });
  for (const path of ['/', '/favicon.ico', '/healthz', '/readyz', '/metrics', '/assets/:name']) {
    routes.add(openToAll(path));
  }
  for (const record of libraryRoutes) {
    routes.add(record);
  }
  own.get('/favicon.ico', (ctx) => ctx.redirect('/assets/favicon.svg'));
  own.get('/healthz', (ctx) => {
    ctx.body = { status: 'ok' };
  });
  own.get('/readyz', (ctx) => readiness(ctx, db, isEnding()));

  provider.use(closeUnread);
  provider.use(metrics.timed);
  provider.use(requestLog(log, spans));
  provider.use(securityHeaders(settings.issuer));
  provider.use(catchErrors(log, showFor));
  provider.use(selfSubmittingPages(renderer));
  provider.use(libraryForms(services, provider));
  provider.use(passOnSignOut(site));
  provider.use(answering(assetRoutes(path.join(projectRoot, 'public'))));
  provider.use(answering(own));
  provider.use(answering(metrics.routes));
  provider.use(async (_ctx, next) => {
    await next();
    if (somethingToSend) {
      somethingToSend = false;
      courier.wake();
    }
  });
  provider.use(answering(ssfRoutes({ services, provider, routes })));
  provider.use(answering(apiRoutes({ services, provider, routes })));
  provider.use(answering(interactionRoutes(site)));
  provider.use(answering(signedInReturn(site)));
  provider.use(answering(accountRoutes(site)));
  provider.use(answering(organizationUploads(site)));
  provider.use(answering(organizationRoutes(site)));
  provider.use(answering(testSignInRoutes(site)));
  provider.use(answering(brandRoutes(site)));
  provider.use(answering(waysBackRoutes(site)));
  provider.use(answering(registerRoutes(site)));
  provider.use(answering(confirmEmailRoutes(site)));
  provider.use(answering(invitationRoutes(site)));
  provider.use(answering(resetLinkRoutes(site)));
  provider.use(answering(upstreamAddressRoutes(site)));
  if (settings.demo) {
    const channels = (['email', 'sms'] as const).filter((channel) =>
      channel === 'email' ? settings.mailUrl === null : settings.smsUrl === null,
    );
    const gallery = ['/dev/gallery', '/dev/gallery/:index', '/dev/gallery/mails/:index'];
    for (const path of ['/dev/inbox', '/dev/inbox/:id', '/dev/inbox/:id/html', ...gallery]) {
      routes.add(openToAll(path));
    }
    provider.use((ctx, next) => {
      // Codes stand there: not for pages that lead a developer's browser here under a name of their own.
      if (ctx.path.toLowerCase().startsWith('/dev/') && isMisled(ctx.req))
        throw new RequestError('not_found');
      return next();
    });
    provider.use(answering(devGalleryRoutes(renderer)));
    provider.use(
      answering(devInboxRoutes(createInbox({ db, ring, render, channels }), renderer, settings.mailFrom)),
    );
  }

  const answer = provider.callback();
  return {
    services,
    provider,
    courier,
    routes,
    log,
    followSigningKeys: signingKeyFollower(provider, services),
    handle: (req, res) => {
      const request = requestId(req, settings.trustProxy);
      res.setHeader('X-Request-Id', request);
      // A proxy that keeps a connection would find it closed with its next request.
      if (isEnding()) res.setHeader('Connection', 'close');
      if (!answerUntrusted(req, res, settings)) {
        const current = { request, late: 0 };
        // What goes on after the answer keeps nobody waiting.
        res.once('close', () => {
          current.late = Number.NEGATIVE_INFINITY;
        });
        duringRequest(current, () => void answer(req, res));
      }
    },
  };
}

async function readiness(ctx: Context, db: Database, isEnding: boolean): Promise<void> {
  if (isEnding) {
    ctx.status = 503;
    ctx.body = { status: 'this server is ending' };
    return;
  }
  try {
    const pending = await pendingMigrations(db);
    ctx.status = pending.length === 0 ? 200 : 503;
    ctx.body = { status: pending.length === 0 ? 'ready' : 'schema is not current', pending };
  } catch (error) {
    ctx.status = 503;
    ctx.set('Retry-After', '5');
    const { code } = error as { code?: unknown };
    ctx.body =
      error instanceof SchemaTooNew
        ? { status: error.message }
        : {
            status: 'the database cannot be reached',
            // In the driver's word, and for whoever is on this machine.
            ...(typeof code === 'string' && cameDirectly(ctx.req) ? { reason: code } : {}),
          };
  }
}
