import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errors as joseErrors } from 'jose';
import { AuthorizationResponseError } from 'openid-client';
import * as pages from './pages.ts';
import {
  type Ask,
  type Challenge,
  createProvider,
  InvalidLogoutToken,
  isAsk,
  type Pending,
  type Provider,
  ProviderAway,
  type SignIn,
} from './provider.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { type Words, wordsFor } from './words.ts';

export interface RelyingPartySettings {
  issuer: string;
  clientId: string;
  clientSecret: string;
  host?: string;
  /** 0 takes any free port. */
  port?: number;
  /** `http://localhost:<port>/callback` unless given; its origin is where people find this application. */
  redirectUri?: string;
  scope?: string;
  /** The address of an API to call, see ../resource-server. */
  api?: string;
  log?: (line: string) => void;
}

/** What this application knows about one browser. */
interface Browser {
  signIn: SignIn | null;
  /** Requests that the provider has not answered yet, by `state`: one for each tab. */
  pending: Map<string, Pending>;
  refreshing: Promise<SignIn | null> | null;
  /** A token for the API; it lives a few minutes. */
  apiToken?: string | null;
  /** Flights booked at the API, as it said last. */
  flights?: number;
}

interface Visit {
  request: IncomingMessage;
  words: Words;
  search: string;
  session: { id: string; data: Browser } | null;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

interface Application {
  provider: Provider;
  sessions: Sessions<Browser>;
  issuer: string;
  home: string;
  hasApi: boolean;
}

const tabs = 5;
const stylesheet = readFileSync(new URL('style.css', import.meta.url), 'utf8');

/** Starts the application; it does not need the provider until somebody signs in. */
export async function startRelyingParty(
  settings: RelyingPartySettings,
): Promise<{ url: string; close(): Promise<void> }> {
  const { issuer, clientId, clientSecret, host = '127.0.0.1', port = 3001, log = console.log } = settings;
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  const listening = (server.address() as AddressInfo).port;
  const redirectUri = settings.redirectUri ?? `http://localhost:${listening}/callback`;
  const { origin, protocol } = new URL(redirectUri);
  const now = () => new Date();
  const application: Application = {
    provider: createProvider({
      issuer,
      clientId,
      clientSecret,
      redirectUri,
      scope: settings.scope ?? 'openid profile email offline_access',
      ...(settings.api === undefined ? {} : { api: settings.api }),
      now,
    }),
    sessions: createSessions({
      secure: protocol === 'https:',
      lifetimeMs: 8 * 60 * 60 * 1000,
      limit: 10_000,
      now,
    }),
    issuer,
    home: `${origin}/`,
    hasApi: settings.api !== undefined,
  };
  server.on('request', async (request, response) => {
    const answer = await answerTo(application, request, log);
    send(response, issuer, answer);
  });
  return {
    url: origin,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answerTo(
  app: Application,
  request: IncomingMessage,
  log: (line: string) => void,
): Promise<Answer> {
  const words = wordsFor(request.headers['accept-language']);
  try {
    return await route(app, request, words);
  } catch (error) {
    log(`${request.method} ${pathOf(request)}: ${explain(error)}`);
    if (error instanceof ProviderAway) {
      return { status: 503, headers: { 'Retry-After': '5' }, body: pages.providerAway(words, app.issuer) };
    }
    return { status: 502, body: pages.failed(words) };
  }
}

async function route(app: Application, request: IncomingMessage, words: Words): Promise<Answer> {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const session = app.sessions.find(request.headers.cookie);
  const visit: Visit = { request, words, search: `?${query}`, session };
  const method = request.method === 'HEAD' ? 'GET' : request.method;

  if (method === 'GET') {
    if (path === '/') return showHome(app, visit);
    if (path === '/callback') return finishSignIn(app, visit);
    if (path === '/style.css') {
      return { status: 200, headers: { 'Content-Type': 'text/css; charset=utf-8' }, body: stylesheet };
    }
  }
  if (method === 'POST') {
    // The provider sends this one: it carries its own proof, and no cookie.
    if (path === '/backchannel-logout') return endSessions(app, visit);
    if (!fromOwnPage(request, app.home)) return { status: 403, body: pages.foreign(words, app.home) };
    if (path === '/refresh') return refresh(app, visit);
    if (path === '/book' && app.hasApi) return book(app, visit, null);
    if (path === '/sign-out') return signOut(app, visit);
    if (path === '/sign-in') return startSignIn(app, visit, 'plain');
    const ask = path.replace(/^\/sign-in\//, '');
    if (isAsk(ask)) return startSignIn(app, visit, ask);
  }
  return { status: 404, body: pages.notFound(words) };
}

function showHome(app: Application, { session, words }: Visit): Answer {
  const signIn = session?.data.signIn;
  return {
    status: 200,
    body: signIn
      ? pages.signedIn(words, signIn, app.issuer, app.hasApi ? (session.data.flights ?? 0) : null)
      : pages.signedOut(words, app.issuer),
  };
}

/**
 * Books a flight at the API. Where the API wants a stronger or more recent sign-in, the person is sent to prove it, and the booking goes
 * on when they come back; `met` is what was asked for then, so that nobody goes round in circles.
 */
async function book(app: Application, visit: Visit, met: Challenge | null): Promise<Answer> {
  const data = visit.session?.data;
  if (!data?.signIn) return redirect('/');
  if (!data.apiToken) return askForApi(app, data, {});
  const answer = await app.provider.book(data.apiToken);
  switch (answer.kind) {
    case 'done':
      data.flights = answer.flights;
      return redirect('/');
    case 'step_up':
      data.apiToken = null;
      if (met?.acr_values === answer.challenge.acr_values && met?.max_age === answer.challenge.max_age) {
        return { status: 403, body: pages.failed(visit.words) };
      }
      return askForApi(app, data, answer.challenge);
    case 'token_refused':
      data.apiToken = null;
      return met ? { status: 502, body: pages.failed(visit.words) } : askForApi(app, data, {});
    case 'failed':
      return { status: 502, body: pages.failed(visit.words) };
  }
}

async function askForApi(app: Application, data: Browser, challenge: Challenge): Promise<Answer> {
  const { url, state, pending } = await app.provider.startApiAccess(challenge);
  keepPending(data, state, pending);
  return redirect(url.href);
}

async function startSignIn(app: Application, { session }: Visit, ask: Ask): Promise<Answer> {
  const { url, state, pending } = await app.provider.startSignIn(ask, session?.data.signIn ?? null);
  if (!session) {
    const cookie = app.sessions.begin({
      signIn: null,
      pending: new Map([[state, pending]]),
      refreshing: null,
    });
    return redirect(url.href, cookie);
  }
  keepPending(session.data, state, pending);
  return redirect(url.href);
}

function keepPending({ pending: waiting }: Browser, state: string, pending: Pending): void {
  const oldest = waiting.keys().next();
  if (waiting.size >= tabs && !oldest.done) waiting.delete(oldest.value);
  waiting.set(state, pending);
}

async function finishSignIn(app: Application, visit: Visit): Promise<Answer> {
  const { search, session, words } = visit;
  const state = new URLSearchParams(search).get('state') ?? '';
  const pending = session?.data.pending.get(state);
  // Somebody else's answer, or one that came already: it must not sign this browser in.
  if (!session || !pending) return { status: 400, body: pages.unexpectedAnswer(words, app.home) };
  session.data.pending.delete(state);

  try {
    if (pending.forApi) {
      const sub = session.data.signIn?.claims.sub ?? '';
      session.data.apiToken = await app.provider.finishApiAccess(search, state, pending, sub);
      // Somebody else has signed in at the provider meanwhile: nothing is done in their name.
      if (!session.data.apiToken) return { status: 403, body: pages.unexpectedAnswer(words, app.home) };
      return await book(app, visit, pending.forApi);
    }
    const signIn = await app.provider.finishSignIn(search, state, pending);
    // A new cookie for the new sign-in: nobody can have planted it before.
    app.sessions.end(session.id);
    const cookie = app.sessions.begin({ signIn, pending: session.data.pending, refreshing: null });
    return redirect('/', cookie);
  } catch (error) {
    if (!(error instanceof AuthorizationResponseError)) throw error;
    return { status: 403, body: pages.refused(words, error.error, error.error_description, pending.ask) };
  }
}

async function refresh(app: Application, { session, words }: Visit): Promise<Answer> {
  const signIn = session?.data.signIn;
  if (!session || !signIn?.refreshToken) return redirect('/');
  // A refresh token works once: two tabs that refresh together must share one answer.
  session.data.refreshing ??= app.provider
    .refresh({ ...signIn, refreshToken: signIn.refreshToken })
    .finally(() => {
      session.data.refreshing = null;
    });
  const renewed = await session.data.refreshing;
  if (!renewed) {
    app.sessions.end(session.id);
    return { status: 403, body: pages.notRenewed(words) };
  }
  session.data.signIn = renewed;
  return redirect('/');
}

async function signOut(app: Application, { session }: Visit): Promise<Answer> {
  if (!session?.data.signIn) return redirect('/');
  // Here first: whatever happens at the provider, this application has forgotten the person.
  app.sessions.end(session.id);
  const url = await app.provider.signOut(session.data.signIn, app.home);
  return redirect(url?.href ?? '/');
}

async function endSessions(app: Application, { request }: Visit): Promise<Answer> {
  const headers = { 'Content-Type': 'application/json' };
  try {
    const form = new URLSearchParams(await bodyOf(request));
    const { sub, sid } = await app.provider.readLogoutToken(form.get('logout_token') ?? '');
    app.sessions.endWhere(
      ({ signIn }) =>
        signIn !== null &&
        (sub === undefined || signIn.claims.sub === sub) &&
        (sid === undefined || signIn.claims.sid === sid),
    );
    return { status: 200, headers, body: '{}' };
  } catch (error) {
    if (!(error instanceof joseErrors.JOSEError || error instanceof InvalidLogoutToken)) throw error;
    return { status: 400, headers, body: JSON.stringify({ error: 'invalid_request' }) };
  }
}

/** Browsers name the page that a form came from; the session cookie alone does not prove that it was ours. */
function fromOwnPage(request: IncomingMessage, home: string): boolean {
  const { origin, referer } = request.headers;
  return origin === undefined ? (referer ?? '').startsWith(home) : `${origin}/` === home;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > 16_384) throw new InvalidLogoutToken('too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const redirect = (to: string, cookie?: string): Answer => ({
  status: 303,
  headers: { Location: to, ...(cookie ? { 'Set-Cookie': cookie } : {}) },
});

function send(response: ServerResponse, issuer: string, { status, headers, body = '' }: Answer): void {
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    // Browsers apply form-action to where a form is redirected to as well: sign-in and sign-out go to the provider.
    'Content-Security-Policy': `default-src 'none'; style-src 'self'; img-src data:; form-action 'self' ${new URL(issuer).origin}; base-uri 'none'; frame-ancestors 'none'`,
    // Not no-referrer: with it, browsers send `Origin: null` with our own forms.
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  response.end(body);
}

const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?', 1)[0] ?? '';

/** An error for the log: what happened and why, without the tokens and codes that a cause may carry. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const because = error.cause instanceof Error ? `, because ${explain(error.cause)}` : '';
  return `${JSON.stringify(error.message)}${because}`;
}
